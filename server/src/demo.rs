//! `gaitway demo`: a small invented clinic with a real server and real tablets, and an outage in it; with
//! `--sites` two of them and the line between them.
//!
//! It checks itself: what it says happened did happen, or it ends with an error. Nothing in it is about
//! anybody who lives.

mod clinic;
pub mod line;
pub mod parts;
mod plan;
mod say;
mod sites;
mod story;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use clinic::Clinic;
use say::Say;

/// Starts a clinic of invented people and shows what happens when the network fails
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Shows two clinics that sync with each other, and what happens when the line between them fails
    #[arg(long)]
    sites: bool,
    /// Ends when the story is told instead of keeping the clinic running
    #[arg(long)]
    once: bool,
    /// Where the clinic's server listens
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: String,
    /// A new or empty directory for the clinic, kept afterwards; without it everything is removed
    #[arg(long)]
    keep: Option<PathBuf>,
}

/// Runs the demo; exit code 1 if anything did not come out as it should.
pub fn run(args: &DemoArgs) -> ExitCode {
    match demo(args) {
        Ok(failed) if failed.is_empty() => ExitCode::SUCCESS,
        Ok(failed) => {
            let _ = writeln!(
                std::io::stderr(),
                "gaitway: the demo did not come out as it should: {}",
                failed.join("; ")
            );
            ExitCode::FAILURE
        }
        Err(sentence) => {
            let _ = writeln!(std::io::stderr(), "gaitway: the demo could not go on: {sentence}");
            ExitCode::FAILURE
        }
    }
}

fn demo(args: &DemoArgs) -> Result<Vec<String>, String> {
    let program =
        std::env::current_exe().map_err(|error| format!("this program cannot be found: {error}"))?;
    let dir = Scratch::make(args.keep.as_deref())?;
    let mut say = Say::new();
    if args.sites {
        let (mut sites, _line) = sites::play(&program, dir.path(), &mut say)?;
        if !args.once {
            say.line("Both clinics run until you press Ctrl-C; the line between them stands.");
            wait_for_the_end(|| sites.iter_mut().all(|site| site.server.is_running()))?;
        }
        sites::close(sites)?;
        return Ok(say.failed().to_vec());
    }
    say.heading("A small clinic of invented people: a server and three tablets, all real, on this machine.");
    let mut clinic = Clinic::open(&program, dir.path(), &args.listen)?;
    clinic.fill()?;
    say.line(format!(
        "{}: {} people, {} patients, {} payers.",
        clinic.plan.name,
        clinic.plan.people.len(),
        clinic.plan.patients.len(),
        clinic.payers(),
    ));
    story::play(&mut clinic, &mut say)?;
    if !args.once {
        say.line("The clinic runs until you press Ctrl-C.");
        wait_for_the_end(|| clinic.server.as_mut().is_some_and(parts::ServerProcess::is_running))?;
    }
    clinic.close()?;
    Ok(say.failed().to_vec())
}

/// Waits for the end, or for a server to die.
fn wait_for_the_end(mut all_run: impl FnMut() -> bool) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("waiting is not possible: {error}"))?;
    runtime.block_on(async {
        let mut looks = tokio::time::interval(std::time::Duration::from_secs(1));
        let mut end = std::pin::pin!(told_to_stop());
        loop {
            tokio::select! {
                () = &mut end => return Ok(()),
                _ = looks.tick() => {
                    if !all_run() {
                        return Err("the clinic's server ended by itself".to_owned());
                    }
                }
            }
        }
    })
}

/// Ends when the person at the terminal, or the system, asks the process to end.
async fn told_to_stop() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}

/// The demo's directory: kept if a person named it, removed at the end otherwise.
struct Scratch {
    path: PathBuf,
    keep: bool,
}

impl Scratch {
    fn make(keep: Option<&Path>) -> Result<Self, String> {
        let path = match keep {
            Some(path) => path.to_owned(),
            None => std::env::temp_dir()
                .join(format!("gaitway-demo-{}", crate::edge::new_token("").get(1..13).unwrap_or("0"))),
        };
        let failed = |error: crate::datadir::DataError| error.to_string();
        crate::datadir::must_be_empty(&path).map_err(failed)?;
        crate::datadir::make_private_dir(&path).map_err(failed)?;
        Ok(Self { path, keep: keep.is_some() })
    }

    fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if !self.keep {
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}
