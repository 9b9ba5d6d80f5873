//! The judge: a thread of its own on which cases are judged, so that a heavy note holds up nobody's
//! receipts, and a mark on the disk of what is being judged.
//!
//! What was being judged when the process died is tried in a child process first; what brings that down
//! too is held for a supervisor, so that an abort which nothing can catch costs one restart. Nothing here
//! decides about content.

mod apart;
mod mark;
mod planted;
mod reckoning;
mod watch;

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use chart::ids::ChangeHash;
use hub::{Case, Judgement};
use tokio::sync::mpsc::UnboundedSender;

use crate::limits;

use apart::Apart;
pub(crate) use apart::{judge_one, reckon_one};
use mark::{Died, Mark};
pub use planted::Planted;
pub(crate) use reckoning::Reckoning;

/// What the judge needs to know beside its cases.
#[derive(Clone, Debug, Default)]
pub struct JudgeConfig {
    /// Where it marks what is being judged; nowhere if absent.
    pub mark: Option<PathBuf>,
    /// The same for the note whose report is being computed, with a list of those that are tried apart.
    pub reckoning: Option<PathBuf>,
    /// The clinic's own rules, for a child that tries a report.
    pub rules: Option<PathBuf>,
    /// A fault planted by a test.
    pub planted: Planted,
}

/// The judge's desk: cases go in here.
#[derive(Debug)]
pub(crate) struct Judge {
    cases: Option<Sender<Case>>,
    thread: Option<JoinHandle<()>>,
}

impl Judge {
    /// Starts the thread; what it decides is sent to `judgements`.
    pub(crate) fn start(
        config: JudgeConfig,
        judgements: UnboundedSender<Box<Judgement>>,
    ) -> std::io::Result<Self> {
        let (cases, waiting) = channel();
        let (mark, died) = match &config.mark {
            Some(path) => Mark::open(path)?,
            None => (Mark::none(), None),
        };
        if let Some(died) = &died {
            let (document, times) = (died.document, died.times);
            tracing::error!(%document, times, "the server died while it judged work on this note");
        }
        let bench = Bench { mark, died, planted: config.planted, rejected: None };
        let thread = std::thread::Builder::new()
            .name("judge".to_owned())
            .stack_size(limits::DRIVER_STACK_BYTES)
            .spawn(move || sit(bench, &waiting, &judgements))?;
        Ok(Self { cases: Some(cases), thread: Some(thread) })
    }

    /// Hands in a case; `false` if the thread is gone.
    pub(crate) fn take(&self, case: Case) -> bool {
        self.cases.as_ref().is_some_and(|cases| cases.send(case).is_ok())
    }

    /// Finishes what is being judged.
    pub(crate) fn close(mut self) {
        self.cases = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Bench {
    mark: Mark,
    /// What was being judged when the last process died, until it is judged.
    died: Option<Died>,
    planted: Planted,
    /// What the planted gate has rejected.
    rejected: Option<ChangeHash>,
}

fn sit(mut bench: Bench, waiting: &Receiver<Case>, judgements: &UnboundedSender<Box<Judgement>>) {
    stand_back();
    while let Ok(case) = waiting.recv() {
        if judgements.send(Box::new(bench.judge(case))).is_err() {
            return;
        }
    }
}

/// Lets everybody else's receipts go before this thread's verdicts where there are too few cores for both. On
/// Linux a priority is a thread's own; elsewhere it would be the whole server's.
fn stand_back() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, limits::JUDGE_NICENESS) {
        tracing::debug!(%error, "judging runs at the priority of everything else");
    }
}

impl Bench {
    fn judge(&mut self, mut case: Case) -> Judgement {
        let document = case.document();
        let times = match self.died.take_if(|died| died.document == document) {
            Some(died) => died.times,
            None => 0,
        };
        if times >= limits::DEATHS_MAX {
            case.hold_all("checking it stopped the clinic's server again and again");
        } else if times > 0 || case.is_dangerous() {
            let before = case.len();
            let mut apart = Apart::new();
            case.sift(&mut |part| apart.survives(part));
            let held = before.saturating_sub(case.len());
            tracing::warn!(%document, held, of = before, tries = apart.tries(), "judged in a process apart");
        }
        self.mark.set(document, times.saturating_add(1));
        self.planted.strike(&case);
        let judgement = self.planted.judge(case, &mut self.rejected);
        self.mark.clear();
        judgement
    }
}
