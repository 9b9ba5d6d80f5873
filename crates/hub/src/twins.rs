//! Two changes of one actor under one number, admitted at clinics that did not hear of each other: which of them
//! stays. A function of what was admitted and of nothing else, so that every clinic that knows the same decides
//! the same, in whatever order it came to know it. Pure; reads no record and no content.
//!
//! An actor's changes stand on one another, so that two under one number make a fork. At each fork, from the first
//! number up, the smaller hash stays. What does not stay is overruled, with everything that builds on it. An actor's
//! forks are decided without a look at what other actors' forks overrule; hence no decision waits for another, and
//! what is overruled once stays so whatever comes later.

use std::collections::{BTreeMap, BTreeSet};

use chart::ids::{ActorId, ChangeHash};
use sync_protocol::ReasonCode;

/// What is known of an admitted change here.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Twin<'a> {
    pub(crate) actor: ActorId,
    pub(crate) number: u64,
    pub(crate) deps: &'a [ChangeHash],
}

/// Which of these changes are not part of the note, and why: the lesser twin of another one, or building on
/// something that is not part of it. `torn` are the actors that used a number twice.
pub(crate) fn overruled(
    admitted: &BTreeMap<ChangeHash, Twin<'_>>,
    torn: &BTreeSet<ActorId>,
) -> BTreeMap<ChangeHash, ReasonCode> {
    let mut found = BTreeMap::new();
    if torn.is_empty() {
        return found;
    }
    let mut children: BTreeMap<ChangeHash, Vec<ChangeHash>> = BTreeMap::new();
    let mut numbers: BTreeMap<(ActorId, u64), BTreeSet<ChangeHash>> = BTreeMap::new();
    for (hash, twin) in admitted {
        twin.deps.iter().for_each(|dep| children.entry(*dep).or_default().push(*hash));
        if torn.contains(&twin.actor) {
            numbers.entry((twin.actor, twin.number)).or_default().insert(*hash);
        }
    }
    let mut dead: BTreeMap<ActorId, BTreeSet<ChangeHash>> = BTreeMap::new();
    let mut lesser: BTreeSet<ChangeHash> = BTreeSet::new();
    // Numbers of one actor come in their order.
    for ((actor, _), twins) in numbers {
        let dead = dead.entry(actor).or_default();
        let standing: Vec<ChangeHash> = twins.into_iter().filter(|twin| !dead.contains(twin)).collect();
        for twin in standing.into_iter().skip(1) {
            lesser.insert(twin);
            spread(twin, &children, dead);
        }
    }
    for hash in dead.into_values().flatten() {
        let reason = if lesser.contains(&hash) { ReasonCode::Equivocation } else { ReasonCode::DependsOn };
        found.insert(hash, reason);
    }
    found
}

/// A change and everything that builds on it.
fn spread(
    from: ChangeHash,
    children: &BTreeMap<ChangeHash, Vec<ChangeHash>>,
    dead: &mut BTreeSet<ChangeHash>,
) {
    let mut next = vec![from];
    while let Some(hash) = next.pop() {
        if dead.insert(hash) {
            next.extend(children.get(&hash).into_iter().flatten());
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    struct Change {
        hash: ChangeHash,
        actor: ActorId,
        number: u64,
        deps: Vec<ChangeHash>,
    }

    fn hash(byte: u8) -> ChangeHash {
        ChangeHash::from_bytes([byte; 32])
    }

    fn actor(byte: u8) -> ActorId {
        ActorId::from_bytes([byte; 16])
    }

    fn change(own: u8, by: u8, number: u64, deps: &[u8]) -> Change {
        let deps = deps.iter().map(|dep| hash(*dep)).collect();
        Change { hash: hash(own), actor: actor(by), number, deps }
    }

    fn decided(changes: &[Change]) -> BTreeMap<ChangeHash, ReasonCode> {
        let twin = |one: &'_ Change| (one.hash, one.actor, one.number);
        let mut seen: BTreeMap<(ActorId, u64), ChangeHash> = BTreeMap::new();
        let mut torn = BTreeSet::new();
        for (hash, actor, number) in changes.iter().map(twin) {
            if seen.insert((actor, number), hash).is_some_and(|other| other != hash) {
                torn.insert(actor);
            }
        }
        let admitted = changes
            .iter()
            .map(|one| (one.hash, Twin { actor: one.actor, number: one.number, deps: &one.deps }))
            .collect();
        overruled(&admitted, &torn)
    }

    #[track_caller]
    fn check(changes: &[Change], out: &[(u8, ReasonCode)]) {
        let out = out.iter().map(|(byte, reason)| (hash(*byte), *reason)).collect();
        assert_eq!(decided(changes), out);
    }

    #[test]
    fn of_two_under_one_number_the_smaller_stays_and_what_builds_on_the_other_goes_with_it() {
        use ReasonCode::{DependsOn, Equivocation};
        let one = [change(1, 1, 1, &[]), change(9, 2, 1, &[1])];
        check(&one, &[]);
        let fork = [one[0].clone(), change(5, 2, 1, &[1]), one[1].clone(), change(3, 3, 1, &[9])];
        check(&fork, &[(9, Equivocation), (3, DependsOn)]);
        // The branch goes, whatever hashes stand further down on it.
        let further =
            [fork[0].clone(), fork[1].clone(), fork[2].clone(), change(8, 2, 2, &[5]), change(2, 2, 2, &[9])];
        check(&further, &[(9, Equivocation), (2, DependsOn)]);
    }

    #[test]
    fn forks_of_two_actors_that_build_on_each_others_branches_are_decided_each_by_itself() {
        use ReasonCode::Equivocation;
        // Each builds on the other's lesser one.
        let crossed =
            [change(2, 1, 1, &[9]), change(8, 1, 1, &[]), change(4, 2, 1, &[8]), change(9, 2, 1, &[])];
        check(
            &crossed,
            &[(2, ReasonCode::DependsOn), (4, ReasonCode::DependsOn), (8, Equivocation), (9, Equivocation)],
        );
    }

    /// Work as gates admit it: each change stands on one change of its actor's with the number before, and on some
    /// others.
    fn grown(seed: &[(u8, u8, u8, u8)]) -> Vec<Change> {
        let mut all: Vec<Change> = Vec::new();
        let mut past: BTreeMap<ChangeHash, BTreeSet<ChangeHash>> = BTreeMap::new();
        for (n, (mixed, by, on, also)) in seed.iter().enumerate() {
            let bytes = blake3::hash(&[*mixed, u8::try_from(n).unwrap()]);
            let own = ChangeHash::from_bytes(*bytes.as_bytes());
            let by = actor(by % 3);
            let mut deps: BTreeSet<ChangeHash> = BTreeSet::new();
            for place in [on, also] {
                if let Some(dep) = all.get(usize::from(*place) % (all.len() + 1)) {
                    deps.insert(dep.hash);
                }
            }
            let below: BTreeSet<ChangeHash> =
                deps.iter().flat_map(|dep| past[dep].iter().chain([dep])).copied().collect();
            let own_below: Vec<&Change> =
                all.iter().filter(|one| one.actor == by && below.contains(&one.hash)).collect();
            let numbers: BTreeSet<u64> = own_below.iter().map(|one| one.number).collect();
            // Both sides of a fork are in nobody's past: the gate has not let the second in.
            if numbers.len() != own_below.len() {
                continue;
            }
            let number = numbers.last().map_or(1, |last| last + 1);
            past.insert(own, below);
            all.push(Change { hash: own, actor: by, number, deps: deps.into_iter().collect() });
        }
        all
    }

    proptest! {
        #[test]
        fn what_stays_is_one_change_a_number_and_stands_on_what_stays(
            seed in proptest::collection::vec(any::<(u8, u8, u8, u8)>(), 0..40)
        ) {
            let all = grown(&seed);
            let out = decided(&all);
            let mut numbers = BTreeSet::new();
            for one in all.iter().filter(|one| !out.contains_key(&one.hash)) {
                prop_assert!(numbers.insert((one.actor, one.number)));
                prop_assert!(one.deps.iter().all(|dep| !out.contains_key(dep)));
            }
        }

        #[test]
        fn what_is_overruled_stays_so_whatever_comes_later(
            seed in proptest::collection::vec(any::<(u8, u8, u8, u8)>(), 0..40)
        ) {
            let all = grown(&seed);
            let mut before = BTreeSet::new();
            for through in 0..=all.len() {
                let after: BTreeSet<ChangeHash> = decided(&all[..through]).into_keys().collect();
                prop_assert!(before.is_subset(&after), "{before:?} {after:?}");
                before = after;
            }
        }
    }
}
