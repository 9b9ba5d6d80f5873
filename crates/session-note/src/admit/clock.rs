//! Which changes had been seen, as the highest sequence number of each actor: a sorted list of small
//! numbers, because every change of a document keeps one. Knows no change and no document.

use std::sync::Arc;

/// The highest sequence number seen of each actor, by the number that the index gave the actor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Clock {
    /// Sorted by actor, each once. Eight bytes per actor.
    seen: Arc<[(u32, u32)]>,
}

impl Clock {
    /// What a change had seen that builds on `deps`: each with its actor, its sequence number and what
    /// it had seen itself.
    pub(super) fn after<'a>(deps: impl Iterator<Item = (u32, u64, &'a Clock)>) -> Self {
        let mut seen: Vec<(u32, u32)> = Vec::new();
        for (actor, seq, before) in deps {
            seen = merge(&seen, &before.seen);
            let seq = u32::try_from(seq).unwrap_or(u32::MAX);
            match seen.binary_search_by_key(&actor, |(actor, _)| *actor) {
                Ok(place) => seen.get_mut(place).into_iter().for_each(|(_, old)| *old = seq.max(*old)),
                Err(place) => seen.insert(place, (actor, seq)),
            }
        }
        Self { seen: seen.into() }
    }

    /// The highest sequence number seen of an actor; zero if none was.
    pub(super) fn of(&self, actor: u32) -> u64 {
        let place = self.seen.binary_search_by_key(&actor, |(actor, _)| *actor);
        place.ok().and_then(|place| self.seen.get(place)).map_or(0, |(_, seq)| u64::from(*seq))
    }

    /// How many actors had been seen.
    pub(super) fn len(&self) -> usize {
        self.seen.len()
    }
}

fn merge(one: &[(u32, u32)], other: &[(u32, u32)]) -> Vec<(u32, u32)> {
    if one.is_empty() {
        return other.to_vec();
    }
    let mut merged = Vec::with_capacity(one.len().max(other.len()) + 1);
    let (mut one, mut other) = (one.iter().copied().peekable(), other.iter().copied().peekable());
    while let (Some(left), Some(right)) = (one.peek().copied(), other.peek().copied()) {
        if left.0 <= right.0 {
            one.next();
        }
        if right.0 <= left.0 {
            other.next();
        }
        merged.push(if left.0 == right.0 { left.max(right) } else { left.min(right) });
    }
    merged.extend(one.chain(other));
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(deps: &[(u32, u64, &Clock)], expected: &[(u32, u32)]) -> Clock {
        let clock = Clock::after(deps.iter().copied());
        assert_eq!(&*clock.seen, expected);
        clock
    }

    #[test]
    fn a_clock_holds_the_highest_number_of_each_actor() {
        let none = check(&[], &[]);
        let one = check(&[(4, 1, &none)], &[(4, 1)]);
        let two = check(&[(2, 7, &one)], &[(2, 7), (4, 1)]);
        let beside = check(&[(4, 3, &one), (9, 1, &none)], &[(4, 3), (9, 1)]);
        let both = check(&[(2, 8, &two), (9, 2, &beside)], &[(2, 8), (4, 3), (9, 2)]);
        assert_eq!([2, 3, 4, 9].map(|actor| both.of(actor)), [8, 0, 3, 2]);
        assert_eq!(check(&[(9, 2, &beside), (2, 8, &two)], &[(2, 8), (4, 3), (9, 2)]), both);
    }
}
