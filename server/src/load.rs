//! `gaitway load`: a clinic's day played through real tablets against a real server, with figures.
//!
//! Every tablet is the real machine on a directory of its own and talks over a real WebSocket to a server
//! process. What it measures stands in docs/performance.md. It decides nothing; work it finds missing
//! afterwards it says, and ends with an error.

mod clinics;
pub mod day;
mod figures;
mod floor;
pub mod generate;
mod heavy;
mod held;
mod lived;
mod plot;
mod stage;
mod storm;
pub mod trace;
mod wire;
mod writers;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use day::Day;
use figures::Figures;
use generate::Shape;
use lived::Lived;
use stage::Scratch;

/// Plays a clinic's day through real tablets against a real server and prints what it cost
#[derive(Debug, Args)]
pub struct LoadArgs {
    /// A trace to play (JSON lines); a day of our own making if not said
    #[arg(long)]
    trace: Option<PathBuf>,
    /// The number our own day is made from
    #[arg(long, default_value_t = 97_112)]
    seed: u64,
    /// Tablets of our own day, each with one therapist
    #[arg(long, default_value_t = 12)]
    tablets: usize,
    /// Visits of each therapist in our own day
    #[arg(long, default_value_t = 14)]
    visits: usize,
    /// What is played
    #[arg(long, value_enum, default_value_t = Scenario::All)]
    scenario: Scenario,
    /// How many notes a tablet holds in the reconnect scenario, and two clinics in theirs
    #[arg(long, value_delimiter = ',', default_values_t = [200, 2_000])]
    notes: Vec<usize>,
    /// How often the storm, the reconnect and the heavy note are measured
    #[arg(long, default_value_t = 3)]
    repeat: usize,
    /// Draws the clinics' figures into a file (SVG)
    #[arg(long)]
    plot: Option<PathBuf>,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

/// What is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Scenario {
    /// Every tablet comes online with its day at once
    S1,
    /// The same, and the server is killed when the last receipt is there
    S1k,
    /// A tablet comes back to many notes of which one changed
    S3,
    /// Twelve tablets edit, alone and beside somebody who brings a heavy note
    Heavy,
    /// Two clinics catch up after their line was cut, with so many notes held
    Clinics,
    /// All of them but the clinics
    All,
}

impl Scenario {
    fn includes(self, other: Self) -> bool {
        self == other || (self == Self::All && other != Self::Clinics)
    }
}

/// Runs the command; exit code 1 if anything went wrong or was lost.
pub fn run(args: &LoadArgs) -> ExitCode {
    match play(args) {
        Ok(figures) => {
            figures.print(args.json);
            if figures.is_whole() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(sentence) => {
            figures::complain(&sentence);
            ExitCode::FAILURE
        }
    }
}

fn play(args: &LoadArgs) -> Result<Figures, String> {
    let program =
        std::env::current_exe().map_err(|error| format!("this program cannot be found: {error}"))?;
    let scratch = Scratch::make()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| format!("the threads could not be started: {error}"))?;
    let mut figures = Figures::default();
    if ![Scenario::S3, Scenario::Heavy, Scenario::Clinics].contains(&args.scenario) {
        let day = day_of(args)?;
        figures::progress("measuring the floor");
        figures.floor = Some(floor::measure(&day, scratch.path())?);
        figures::progress("living the day offline");
        let lived = Lived::live(&program, &scratch.path().join("lived"), day, &runtime)?;
        for round in 0..args.repeat.max(1) {
            let copy = scratch.path().join(format!("copy-{round}"));
            for kill in [false, true] {
                let wanted = if kill { Scenario::S1k } else { Scenario::S1 };
                if args.scenario.includes(wanted) {
                    figures::progress(if kill { "the storm, and a kill" } else { "the storm" });
                    figures.storms.push(storm::play(&program, &lived, &copy, &runtime, kill)?);
                    stage::remove(&copy)?;
                }
            }
        }
    }
    if args.scenario.includes(Scenario::S3) {
        for notes in &args.notes {
            figures::progress(&format!("coming back to {notes} notes"));
            let dir = scratch.path().join(format!("held-{notes}"));
            figures.reconnects.extend(held::play(&program, &dir, *notes, args.repeat.max(1), &runtime)?);
            stage::remove(&dir)?;
        }
    }
    if args.scenario.includes(Scenario::Heavy) {
        figures::progress("twelve tablets beside a heavy note");
        figures.beside = heavy::play(&program, &scratch.path().join("heavy"), args.repeat.max(1))?;
    }
    if args.scenario.includes(Scenario::Clinics) {
        let dir = scratch.path().join("clinics");
        figures.clinics = clinics::play(&program, &dir, &args.notes, figures::progress)?;
        if let Some(path) = &args.plot {
            std::fs::write(path, plot::draw(&figures.clinics))
                .map_err(|error| format!("{} cannot be written: {error}", path.display()))?;
        }
    }
    Ok(figures)
}

fn day_of(args: &LoadArgs) -> Result<Day, String> {
    match &args.trace {
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
            trace::read(&text)
        }
        None => {
            let shape = Shape { tablets: args.tablets, visits: args.visits, ..Shape::full(args.seed) };
            Ok(generate::day(shape))
        }
    }
}
