//! The watch over the computing of a report, which the driver waits for: one that never ends would stop the
//! whole server, and a thread cannot be ended from outside. So the process ends itself, and the next start
//! tries that report apart. Knows no note and reads no clock: it counts its own looks, so that a machine or
//! process that was paused is not taken for work that hangs.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

/// Odd while something is computed; each turn has two numbers of its own.
#[derive(Debug, Default)]
pub(super) struct Turns(AtomicU64);

impl Turns {
    /// Something begins, or is done.
    pub(super) fn next(&self) {
        self.0.fetch_add(1, Ordering::Release);
    }
}

/// Starts the watch, which ends with the last holder of the turns: every `look`, and `overdue` is called at
/// the `most`-th look in a row that finds one and the same turn.
pub(super) fn start(
    look: Duration,
    most: u32,
    mut overdue: impl FnMut() + Send + 'static,
) -> std::io::Result<Arc<Turns>> {
    let turns = Arc::new(Turns::default());
    let watched: Weak<Turns> = Arc::downgrade(&turns);
    std::thread::Builder::new().name("watch".to_owned()).spawn(move || {
        let (mut last, mut looks) = (0, 0);
        while let Some(turns) = watched.upgrade() {
            let now = turns.0.load(Ordering::Acquire);
            drop(turns);
            looks = if now % 2 == 1 && now == last { looks + 1 } else { 0 };
            last = now;
            if looks == most {
                overdue();
            }
            std::thread::sleep(look);
        }
    })?;
    Ok(turns)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn only_a_turn_that_does_not_end_is_overdue_and_once() {
        let (told, overdue) = channel();
        let turns = start(Duration::from_millis(5), 200, move || told.send(()).unwrap_or_default()).unwrap();
        for _ in 0..200 {
            turns.next();
            std::thread::sleep(Duration::from_millis(6));
            turns.next();
        }
        std::thread::sleep(Duration::from_millis(1_500));
        assert!(overdue.try_recv().is_err(), "many short turns and a long rest are no long turn");
        turns.next();
        overdue.recv_timeout(Duration::from_secs(60)).unwrap();
        assert!(overdue.recv_timeout(Duration::from_millis(400)).is_err());
        drop(turns);
        // The watch has ended when nobody can tell any more.
        assert!(overdue.recv_timeout(Duration::from_secs(60)).is_err());
    }
}
