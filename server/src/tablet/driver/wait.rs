//! Waiting for a tablet's work to come so far. Changes nothing.

use std::time::{Duration, Instant};

use serde::Serialize;
use tablet::{SaveState, Tablet};
use tokio::sync::oneshot;

use super::error::DriverError;

/// After this long without a frame a connection counts as quiet.
pub(super) const QUIET: Duration = Duration::from_millis(400);

/// How far the work shall have come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// Everything made here is on the clinic's disk.
    Safe,
    /// The same, the connection stands, and nothing has gone either way for a moment: verdicts, reports
    /// and others' work known so far are here.
    Idle,
}

/// How a wait ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Waited {
    /// Whether it came so far in time.
    pub reached: bool,
    /// Changes that are not on the clinic's disk.
    pub waiting: usize,
    /// Documents that are not safe.
    pub documents: usize,
}

/// Somebody who waits.
pub(super) struct Waiter {
    pub(super) until: Until,
    pub(super) deadline: Instant,
    pub(super) reply: oneshot::Sender<Result<Waited, DriverError>>,
}

/// What a wait looks at.
pub(super) struct View<'a> {
    pub(super) tablet: &'a Tablet,
    pub(super) online: bool,
    pub(super) last_frame: Instant,
}

impl View<'_> {
    fn waited(&self) -> Waited {
        let mut waited = Waited { reached: false, waiting: 0, documents: 0 };
        for summary in self.tablet.documents() {
            if summary.save != SaveState::SafeAtClinic {
                waited.documents += 1;
                waited.waiting += self.tablet.status(summary.document).map_or(0, |status| status.waiting);
            }
        }
        waited
    }
}

/// Answers who need not wait any longer; says when the next one must be looked at again.
pub(super) fn look(waiters: &mut Vec<Waiter>, view: &View<'_>) -> Option<Instant> {
    if waiters.is_empty() {
        return None;
    }
    let (at, mut waited) = (Instant::now(), view.waited());
    let quiet_at = view.last_frame + QUIET;
    let mut next = None;
    for waiter in std::mem::take(waiters) {
        let reached = waited.documents == 0
            && match waiter.until {
                Until::Safe => true,
                Until::Idle => view.online && quiet_at <= at,
            };
        if reached || waiter.deadline <= at {
            waited.reached = reached;
            let _ = waiter.reply.send(Ok(waited.clone()));
            continue;
        }
        let again = if quiet_at > at { waiter.deadline.min(quiet_at) } else { waiter.deadline };
        next = Some(next.map_or(again, |next: Instant| next.min(again)));
        waiters.push(waiter);
    }
    next
}
