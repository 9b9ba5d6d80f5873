//! Trying apart: a child of this very program judges a case or computes a report under limits of memory and
//! time, and tells by its end whether a process survives it. Its word is never taken for a verdict.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use chart::facts::Facts;
use compliance::Rulebook;
use hub::Case;

use super::planted::Planted;
use crate::limits;

/// What a child says when it has judged a case to its end.
const DONE: &[u8] = b"judged\n";
/// Between two looks at a child.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Tries cases in children, within a time for all of them.
pub(super) struct Apart {
    deadline: Instant,
    tries: usize,
}

impl Apart {
    pub(super) fn new() -> Self {
        Self { deadline: Instant::now() + limits::APART_ALL_TIME, tries: 0 }
    }

    pub(super) const fn tries(&self) -> usize {
        self.tries
    }

    /// Whether a child survives the case; otherwise how it ended, as the end of a sentence.
    pub(super) fn survives(&mut self, case: &Case) -> Result<(), String> {
        if Instant::now() >= self.deadline {
            return Err("was not done in time".to_owned());
        }
        self.tries += 1;
        ended(run(&[OsStr::new("judge-one")], &case.to_bytes()))
    }
}

/// Whether a child survives computing the report of these facts; otherwise how it ended.
pub(super) fn survives_reckoning(facts: &Facts, rules: Option<&Path>) -> Result<(), String> {
    let bytes = serde_json::to_vec(facts).map_err(|error| format!("could not be tried apart ({error})"))?;
    let mut arguments = vec![OsStr::new("reckon-one")];
    if let Some(rules) = rules {
        arguments.extend([OsStr::new("--rules"), rules.as_os_str()]);
    }
    ended(run(&arguments, &bytes))
}

fn ended(run: std::io::Result<Result<(), String>>) -> Result<(), String> {
    run.unwrap_or_else(|error| Err(format!("could not be tried apart ({error})")))
}

/// This program: the very file that runs, even if another has taken its name since.
fn program() -> std::io::Result<PathBuf> {
    let linux = Path::new("/proc/self/exe");
    if linux.exists() { Ok(linux.to_owned()) } else { std::env::current_exe() }
}

fn run(arguments: &[&OsStr], bytes: &[u8]) -> std::io::Result<Result<(), String>> {
    let mut child = Command::new(program()?)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let (input, output) = (child.stdin.take(), child.stdout.take());
    Ok(std::thread::scope(|scope| {
        // A child that dies leaves the rest unread, which is no error here.
        scope.spawn(|| input.map(|mut input| input.write_all(bytes)));
        let said = scope.spawn(|| {
            let mut said = Vec::new();
            let most = DONE.len() as u64 + 1;
            let read = output.map(|output| output.take(most).read_to_end(&mut said));
            read.map(|_| said).unwrap_or_default()
        });
        let ended = wait(&mut child);
        match (ended, said.join()) {
            (Ok(()), Ok(said)) if said == DONE => Ok(()),
            (Ok(()), _) => Err("stopped a process before it was done".to_owned()),
            (Err(how), _) => Err(how),
        }
    }))
}

fn wait(child: &mut Child) -> Result<(), String> {
    let deadline = Instant::now() + limits::APART_TIME;
    loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(Some(_)) => return Err("stopped a process of its own too".to_owned()),
            Ok(None) if Instant::now() < deadline => std::thread::sleep(LOOK_EVERY),
            Ok(None) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err("did not come to an end".to_owned());
            }
            Err(error) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("could not be tried apart ({error})"));
            }
        }
    }
}

/// The child's side: reads a case, judges it under limits, and says so.
///
/// # Errors
/// One sentence when the case cannot be read or the limits cannot be set; a case that brings it down ends
/// the process instead.
pub(crate) fn judge_one(planted: Planted) -> Result<(), String> {
    in_a_bounded_process("judge", "the case", move |bytes| {
        let case = Case::from_bytes(bytes).map_err(|error| error.to_string())?;
        planted.strike_apart(&case);
        drop(case.judge());
        Ok(())
    })
}

/// The same for facts of which a report is computed.
///
/// # Errors
/// As [`judge_one`].
pub(crate) fn reckon_one(planted: Planted, rulebook: Rulebook) -> Result<(), String> {
    in_a_bounded_process("reckoner", "the facts", move |bytes| {
        let facts: Facts = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        planted.strike_reckoning(&facts);
        drop(compliance::recompute(&facts, &rulebook));
        Ok(())
    })
}

fn in_a_bounded_process(
    thread: &str,
    what: &str,
    work: impl FnOnce(&[u8]) -> Result<(), String> + Send + 'static,
) -> Result<(), String> {
    bound_this_process()?;
    let mut bytes = Vec::new();
    let most = limits::APART_BYTES.saturating_add(1);
    let read = std::io::stdin().lock().take(most).read_to_end(&mut bytes);
    read.map_err(|error| format!("{what} cannot be read: {error}"))?;
    let worked = std::thread::Builder::new()
        .name(thread.to_owned())
        .stack_size(limits::DRIVER_STACK_BYTES)
        .spawn(move || work(&bytes))
        .map_err(|error| format!("there is no thread to work on: {error}"))?;
    worked.join().map_err(|_| "the work panicked".to_owned())??;
    let mut out = std::io::stdout().lock();
    out.write_all(DONE).and_then(|()| out.flush()).map_err(|error| error.to_string())
}

/// Memory, processor time, and no dump of what is in memory.
#[cfg(unix)]
fn bound_this_process() -> Result<(), String> {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let seconds = limits::APART_TIME.as_secs();
    for (resource, most) in
        [(Resource::As, limits::APART_MEMORY_BYTES), (Resource::Cpu, seconds), (Resource::Core, 0)]
    {
        setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })
            .map_err(|error| format!("this process cannot be bounded: {error}"))?;
    }
    Ok(())
}

#[cfg(not(unix))]
fn bound_this_process() -> Result<(), String> {
    Ok(())
}
