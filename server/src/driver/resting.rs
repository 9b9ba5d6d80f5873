//! Heavy notes rest: after a case that took long, the notes whose cases do are not judged for a while, so that
//! they leave the machine to everybody else, as long as there is anybody else. What comes of them meanwhile is receipted as ever and judged together
//! afterwards. Knows no content.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use chart::ids::DocumentId;

use crate::limits::{HEAVY_NOTES_MAX, LONG_CASE, LONGEST_REST, OTHERS_LATELY, RESTS};

/// Which notes are heavy, and until when they rest.
#[derive(Debug, Default)]
pub(super) struct Resting {
    heavy: BTreeSet<DocumentId>,
    until: Option<Instant>,
    /// When a case of another note last ended.
    others: Option<Instant>,
}

impl Resting {
    /// A case of this note has taken so long.
    pub(super) fn judged(&mut self, document: DocumentId, took: Duration, now: Instant) {
        if took < LONG_CASE {
            self.heavy.remove(&document);
            self.others = Some(now);
            return;
        }
        if self.heavy.len() >= HEAVY_NOTES_MAX {
            self.heavy.pop_first();
        }
        self.heavy.insert(document);
        self.until = Some(now + took.saturating_mul(RESTS).min(LONGEST_REST));
    }

    /// Whether this note is not to be judged yet.
    pub(super) fn rests(&self, document: DocumentId, now: Instant) -> bool {
        self.left(now).is_some() && self.heavy.contains(&document)
    }

    /// How long they still rest, if nothing happens.
    pub(super) fn left(&self, now: Instant) -> Option<Duration> {
        let lately = self.others.map(|others| others + OTHERS_LATELY);
        let until = self.until.min(lately)?;
        Some(until.saturating_duration_since(now)).filter(|left| !left.is_zero())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Later than any rest.
    const START_MS: u64 = 10_000;

    fn at(start: Instant, ms: u64) -> Instant {
        start + Duration::from_millis(ms)
    }

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn heavy_notes_rest_together_in_proportion_to_the_last_case() {
        let [heavy, other, light] = [1, 2, 3].map(|n| DocumentId::from_bytes([n; 16]));
        let (mut resting, start) = (Resting::default(), Instant::now());
        resting.judged(heavy, ms(10), start);
        resting.judged(other, ms(10), at(start, 5));
        resting.judged(light, LONG_CASE - ms(1), start);
        assert!(!resting.rests(light, start), "a note of everyday size waits for nobody");
        assert!(resting.rests(heavy, at(start, 244)) && resting.rests(other, at(start, 244)));
        assert_eq!(resting.left(at(start, 150)), Some(ms(95)));
        assert!(!resting.rests(heavy, at(start, 245)) && !resting.rests(other, at(start, 245)));
        assert_eq!(resting.left(at(start, 245)), None);
        resting.judged(heavy, ms(1), start);
        assert!(!resting.rests(heavy, start), "a case that took no time says that it is not heavy any more");
    }

    #[test]
    fn nobody_rests_for_the_sake_of_nobody() {
        let [heavy, light] = [1, 2].map(|n| DocumentId::from_bytes([n; 16]));
        let (mut resting, start) = (Resting::default(), Instant::now());
        resting.judged(heavy, ms(30_000), start);
        assert!(!resting.rests(heavy, start), "nobody else was served yet");
        resting.judged(light, ms(1), at(start, START_MS));
        resting.judged(heavy, ms(30_000), at(start, START_MS));
        assert_eq!(resting.left(at(start, START_MS)), Some(OTHERS_LATELY));
        resting.judged(light, ms(1), at(start, START_MS + 200));
        assert!(resting.rests(heavy, at(start, START_MS + 449)));
        assert!(!resting.rests(heavy, at(start, START_MS + 450)), "the others have gone");
    }
}
