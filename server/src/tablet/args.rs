//! What can be said to `gaitway tablet` on the command line.

use std::path::PathBuf;

use chart::ids::{DocumentId, PersonId};
use clap::{Args, Subcommand, ValueEnum};

use super::driver::Until;

/// A tablet without a screen, on a directory: for scripts and tests
#[derive(Debug, Args)]
pub struct TabletArgs {
    #[command(subcommand)]
    pub(super) command: TabletCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum TabletCommand {
    /// Makes a new tablet in a directory and enrols it with a one-time code
    Enrol(Enrol),
    /// Takes JSON lines from the standard input and answers each, connected unless told otherwise
    Run(Run),
    /// Takes JSON lines for one document, offline
    Apply(Apply),
    /// Shows a note with its disputes, history, report and status
    Show(OneDocument),
    /// Units and findings of one visit, or of all
    Report(MaybeDocument),
    /// Lists the documents this tablet holds
    List(OneShot),
    /// Lists the people, patients, appointments and settings this tablet knows
    Reference(OneShot),
    /// Says of each note whether it is saved on this tablet, on its way, or safe at the clinic
    Status(OneShot),
    /// Connects and waits until everything is safe at the clinic
    Sync(Sync),
}

/// A directory and how to treat it.
#[derive(Debug, Args)]
pub(super) struct OneShot {
    /// The tablet's directory
    pub(super) dir: PathBuf,
    /// Who works on it; needed where a line names nobody and several people may
    #[arg(long)]
    pub(super) person: Option<PersonId>,
    /// The server, if it is not the one it was enrolled at
    #[arg(long)]
    pub(super) server: Option<String>,
    /// How far the tablet's clock is ahead of the right time, in milliseconds
    #[arg(long, default_value_t = 0, allow_negative_numbers = true)]
    pub(super) clock_offset_ms: i64,
    /// Which notes it follows
    #[arg(long, value_enum, default_value_t = Follow::Caseload)]
    pub(super) follow: Follow,
}

/// Which notes a tablet follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Follow {
    /// The caseload of the person
    Caseload,
    /// The whole clinic, for supervisors
    Clinic,
}

#[derive(Debug, Args)]
pub(super) struct Enrol {
    /// A new directory
    pub(super) dir: PathBuf,
    /// The clinic's server
    #[arg(long)]
    pub(super) server: String,
    /// The one-time code
    #[arg(long)]
    pub(super) code: String,
}

#[derive(Debug, Args)]
pub(super) struct Run {
    #[command(flatten)]
    pub(super) tablet: OneShot,
    /// Does not connect by itself
    #[arg(long)]
    pub(super) offline: bool,
    /// Ends with exit code 1 if a line was refused
    #[arg(long)]
    pub(super) strict: bool,
}

#[derive(Debug, Args)]
pub(super) struct Apply {
    #[command(flatten)]
    pub(super) tablet: OneShot,
    /// The document that is meant where a line names none
    #[arg(long)]
    pub(super) document: DocumentId,
    /// Ends with exit code 1 if a line was refused
    #[arg(long)]
    pub(super) strict: bool,
}

#[derive(Debug, Args)]
pub(super) struct OneDocument {
    #[command(flatten)]
    pub(super) tablet: OneShot,
    /// The document
    pub(super) document: DocumentId,
}

#[derive(Debug, Args)]
pub(super) struct MaybeDocument {
    #[command(flatten)]
    pub(super) tablet: OneShot,
    /// The visit; all if absent
    pub(super) document: Option<DocumentId>,
}

#[derive(Debug, Args)]
pub(super) struct Sync {
    #[command(flatten)]
    pub(super) tablet: OneShot,
    /// How far the work shall have come
    #[arg(long, value_enum, default_value_t = Goal::Safe)]
    pub(super) until: Goal,
    /// How long to wait, in milliseconds
    #[arg(long)]
    pub(super) timeout_ms: Option<u64>,
}

/// How far the work shall have come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Goal {
    /// On the clinic's disk
    Safe,
    /// The same, and what the clinic has is here
    Idle,
}

impl From<Goal> for Until {
    fn from(goal: Goal) -> Self {
        match goal {
            Goal::Safe => Self::Safe,
            Goal::Idle => Self::Idle,
        }
    }
}
