//! The `gaitway` command: what can be said on a command line, and which part does it.
//!
//! Errors are one sentence on the standard error; the exit code is 2 when the command line is wrong and 1
//! when something did not work.

mod caseload;
mod enter;
mod explain;
mod files;
mod make;
mod outcome;
mod quarantine;
mod remote;
mod rules;
mod server;
mod site;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use outcome::Outcome;

/// Offline-first charting for rehab therapy: the clinic's server and its tools.
#[derive(Debug, Parser)]
#[command(name = "gaitway", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Makes a clinic's directory: keys, tokens, settings, the first administrator
    Init(make::Init),
    /// Runs the clinic's server on that directory
    Serve(make::Serve),
    /// Enters, changes and lists people
    #[command(subcommand)]
    Person(enter::PersonCommand),
    /// Enters, changes and lists patients
    #[command(subcommand)]
    Patient(enter::PatientCommand),
    /// Enters and changes appointments
    #[command(subcommand)]
    Appointment(enter::AppointmentCommand),
    /// Sets, takes away and lists the clinic's rule settings
    #[command(subcommand)]
    Setting(enter::SettingCommand),
    /// Lets tablets in, lists and revokes them
    #[command(subcommand)]
    Device(remote::DeviceCommand),
    /// Pairs with other clinics, lists them, shares patients with them
    #[command(subcommand)]
    Site(site::SiteCommand),
    /// Hands patients from one therapist's caseload to another's
    #[command(subcommand)]
    Caseload(caseload::CaseloadCommand),
    /// Lists, shows, releases and rejects work that is held back
    #[command(subcommand)]
    Quarantine(quarantine::QuarantineCommand),
    /// Makes (or withdraws) a person's access token for the review pages
    Token(remote::TokenCommand),
    /// Says how a running server is doing
    Status(remote::Status),
    /// Computes units and findings: JSON lines in, one JSON line out for each
    Assess(files::Assess),
    /// Tells a note's units, bill and findings as sentences to be read aloud
    Explain(explain::Explain),
    /// Lists, shows and checks the rules, says what they cover, loads official quarters
    #[command(subcommand)]
    Rules(rules::RulesCommand),
    /// Runs files of worked cases and compares the answers
    Vectors(files::Vectors),
    /// Checks the chain of a record that no server is using; changes nothing
    Verify(files::Verify),
    /// A tablet without a screen, on a directory: for scripts and tests
    Tablet(crate::tablet::TabletArgs),
    /// Starts a clinic of invented people and shows what happens when the network fails
    Demo(crate::demo::DemoArgs),
    /// Judges one case from the standard input; what a server runs to try dangerous work apart
    #[command(hide = true)]
    JudgeOne,
    /// Computes one report from facts on the standard input; what a server runs to try it apart
    #[command(hide = true)]
    ReckonOne(make::ReckonOne),
    /// Plays a clinic's day through real tablets against a real server and prints what it cost
    Load(crate::load::LoadArgs),
}

/// Runs the command line and says how it ended.
pub fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(code) => code,
        Err(failure) => failure.report(),
    }
}

fn run(cli: Cli) -> Outcome {
    match cli.command {
        Command::Init(args) => make::init(&args),
        Command::Serve(args) => make::serve(&args),
        Command::Person(args) => enter::person(args),
        Command::Patient(args) => enter::patient(args),
        Command::Appointment(args) => enter::appointment(args),
        Command::Setting(args) => enter::setting(args),
        Command::Device(args) => remote::device(args),
        Command::Site(args) => site::site(args),
        Command::Caseload(args) => caseload::caseload(args),
        Command::Quarantine(args) => quarantine::quarantine(args),
        Command::Token(args) => remote::token(&args),
        Command::Status(args) => remote::status(&args),
        Command::Assess(args) => files::assess(&args),
        Command::Explain(args) => explain::explain(&args),
        Command::Rules(command) => rules::rules(command),
        Command::Vectors(args) => files::vectors(&args),
        Command::Verify(args) => files::verify(&args),
        Command::Tablet(args) => Ok(crate::tablet::run(args)),
        Command::Demo(args) => Ok(crate::demo::run(&args)),
        Command::JudgeOne => make::judge_one(),
        Command::ReckonOne(args) => make::reckon_one(&args),
        Command::Load(args) => Ok(crate::load::run(&args)),
    }
}
