//! Points at which a test may have the server die, as if its power had gone. Never active unless the
//! environment's `GAITWAY_KILL_AT` names one; docs/operations.md lists them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A place in the server's work where it can be made to die.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KillPoint {
    /// A batch is synced in the journal and the index over it does not know it.
    BetweenSyncAndIndex,
    /// A batch is durable and nobody has been told.
    AfterCommitBeforeReceipt,
    /// Receipts have left and the work is not judged.
    AfterReceiptBeforeVerdict,
    /// While starting: after the keys were read (1), the record was opened (2), the hub was built (3).
    DuringStart,
}

const POINTS: [(&str, KillPoint); 4] = [
    ("between-sync-and-index", KillPoint::BetweenSyncAndIndex),
    ("after-commit-before-receipt", KillPoint::AfterCommitBeforeReceipt),
    ("after-receipt-before-verdict", KillPoint::AfterReceiptBeforeVerdict),
    ("during-start", KillPoint::DuringStart),
];

/// Counts passes of the chosen point and dies at the chosen one. Copies count together.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    armed: Option<(KillPoint, u64)>,
    passed: Arc<AtomicU64>,
}

impl Faults {
    /// Reads `<point>:<n>`; an empty text arms nothing.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        let known = || POINTS.map(|(name, _)| name).join(", ");
        let (name, count) = text.split_once(':').unwrap_or((text, "1"));
        let point = POINTS.iter().find(|(known, _)| *known == name).map(|(_, point)| *point);
        let count = count.parse().ok().filter(|count| *count > 0);
        match (point, count) {
            (Some(point), Some(count)) => Ok(Self { armed: Some((point, count)), passed: Arc::default() }),
            _ => Err(format!("GAITWAY_KILL_AT must be one of {} with `:` and a number from 1", known())),
        }
    }

    /// Whether a point is armed at all.
    pub fn is_armed(&self) -> bool {
        self.armed.is_some()
    }

    /// Whether passing this point can end the process.
    pub fn watches(&self, point: KillPoint) -> bool {
        self.armed.is_some_and(|(armed, _)| armed == point)
    }

    /// Passes a point; at the chosen time the process ends here, without any clean-up.
    pub fn pass(&self, point: KillPoint) {
        let Some((armed, count)) = self.armed else { return };
        if armed == point && self.passed.fetch_add(1, Ordering::Relaxed).saturating_add(1) == count {
            std::process::abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_is_named_with_its_count() {
        let faults = Faults::parse("after-commit-before-receipt:3").unwrap();
        assert_eq!(faults.armed, Some((KillPoint::AfterCommitBeforeReceipt, 3)));
        faults.pass(KillPoint::DuringStart);
        faults.pass(KillPoint::AfterCommitBeforeReceipt);
        assert_eq!(faults.passed.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn an_unknown_point_is_refused_with_the_known_ones() {
        for text in ["nowhere:1", "during-start:0", "during-start:x", ":"] {
            let sentence = Faults::parse(text).unwrap_err();
            assert!(sentence.contains("during-start"), "{sentence}");
        }
        assert!(!Faults::parse("").unwrap().is_armed());
    }
}
