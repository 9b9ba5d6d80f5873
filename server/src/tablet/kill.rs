//! Points at which a test may have the tablet die, as if its power had gone. Never active unless the
//! environment's `GAITWAY_KILL_AT` names one; docs/tablet-cli.md lists them.

use std::sync::atomic::{AtomicU64, Ordering};

/// A place in the tablet's work where it can be made to die.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KillPoint {
    /// A batch is ready and not on the disk.
    BeforeCommit,
    /// A batch is on the disk and nobody has been told.
    AfterCommit,
    /// While opening: after the keys were read (1), the log was opened (2), the machine was built (3).
    DuringOpen,
}

const POINTS: [(&str, KillPoint); 3] = [
    ("before-commit", KillPoint::BeforeCommit),
    ("after-commit", KillPoint::AfterCommit),
    ("during-open", KillPoint::DuringOpen),
];

/// Counts passes of the chosen point and dies at the chosen one.
#[derive(Debug, Default)]
pub struct KillPoints {
    armed: Option<(KillPoint, u64)>,
    passed: AtomicU64,
}

impl KillPoints {
    /// Reads `<point>:<n>`; an empty text arms nothing.
    ///
    /// # Errors
    /// One sentence that lists the points.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        let (name, count) = text.split_once(':').unwrap_or((text, "1"));
        let point = POINTS.iter().find(|(known, _)| *known == name).map(|(_, point)| *point);
        let count = count.parse().ok().filter(|count| *count > 0);
        match (point, count) {
            (Some(point), Some(count)) => Ok(Self { armed: Some((point, count)), passed: AtomicU64::new(0) }),
            _ => Err(format!(
                "GAITWAY_KILL_AT must be one of {} with `:` and a number from 1",
                POINTS.map(|(name, _)| name).join(", ")
            )),
        }
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
        let points = KillPoints::parse("after-commit:3").unwrap();
        assert_eq!(points.armed, Some((KillPoint::AfterCommit, 3)));
        points.pass(KillPoint::BeforeCommit);
        points.pass(KillPoint::AfterCommit);
        assert_eq!(points.passed.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn an_unknown_point_is_refused_with_the_known_ones() {
        for text in ["nowhere:1", "during-open:0", "before-commit:x", ":"] {
            let sentence = KillPoints::parse(text).unwrap_err();
            assert!(sentence.contains("before-commit, after-commit, during-open"), "{sentence}");
        }
        assert!(KillPoints::parse("").unwrap().armed.is_none());
    }
}
