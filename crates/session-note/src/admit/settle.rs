//! Applying what passed every check: all changes at once on a clone, then saved and loaded again; if
//! that fails, by halves, so that one bad change takes only itself and its descendants with it.
//!
//! The checks before this leave the document engine nothing known to fail on; this is the second
//! net, for what nobody knows yet.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use automerge::{Automerge, Change};
use chart::ids::ChangeHash;

use super::refusal::JudgeRefusal;

/// What came of a list of changes.
pub(super) struct Settled<D, C> {
    pub(super) document: D,
    pub(super) accepted: Vec<C>,
    pub(super) rejected: Vec<(ChangeHash, JudgeRefusal)>,
}

/// What settling must know of a change.
pub(super) trait Linked {
    fn hash(&self) -> ChangeHash;
    fn deps(&self) -> Vec<ChangeHash>;
}

impl Linked for Change {
    fn hash(&self) -> ChangeHash {
        ChangeHash::from_bytes(Change::hash(self).0)
    }
    fn deps(&self) -> Vec<ChangeHash> {
        Change::deps(self).iter().map(|dep| ChangeHash::from_bytes(dep.0)).collect()
    }
}

/// One try at a list of changes over a document that stays as it is.
type Attempt<'a, D, C> = dyn FnMut(&D, &[C]) -> Result<D, JudgeRefusal> + 'a;

/// Applies the changes, given in an order in which each follows its dependencies.
pub(super) fn settle<D, C: Linked>(
    base: D,
    mut changes: Vec<C>,
    attempt: &mut Attempt<'_, D, C>,
) -> Settled<D, C> {
    if changes.is_empty() {
        return Settled { document: base, accepted: changes, rejected: Vec::new() };
    }
    let refusal = match attempt(&base, &changes) {
        Ok(document) => return Settled { document, accepted: changes, rejected: Vec::new() },
        Err(refusal) => refusal,
    };
    if let [only] = changes.as_slice() {
        let rejected = vec![(only.hash(), refusal)];
        return Settled { document: base, accepted: Vec::new(), rejected };
    }
    let later = changes.split_off(changes.len() / 2);
    let mut first = settle(base, changes, attempt);
    let mut lost: BTreeSet<ChangeHash> = first.rejected.iter().map(|(hash, _)| *hash).collect();
    let mut sound = Vec::new();
    for change in later {
        match change.deps().into_iter().find(|dep| lost.contains(dep)) {
            None => sound.push(change),
            Some(on) => {
                lost.insert(change.hash());
                first.rejected.push((change.hash(), JudgeRefusal::DependsOnRejected { on }));
            }
        }
    }
    let second = settle(first.document, sound, attempt);
    first.accepted.extend(second.accepted);
    first.rejected.extend(second.rejected);
    Settled { document: second.document, accepted: first.accepted, rejected: first.rejected }
}

/// A document, and the bytes that were proven to load again as it.
pub(super) struct Sound {
    pub(super) document: Automerge,
    /// `None` for one that nothing was applied to.
    pub(super) saved: Option<Vec<u8>>,
}

/// Applies on a clone and proves the result by saving and loading it.
pub(super) fn apply_verified(base: &Sound, changes: &[Change]) -> Result<Sound, JudgeRefusal> {
    let base = &base.document;
    let apply = || {
        let mut next = base.clone();
        next.apply_changes(changes.to_vec()).ok().map(|()| next)
    };
    let next = catch_unwind(AssertUnwindSafe(apply)).ok().flatten().ok_or(JudgeRefusal::EngineFailed)?;
    let verify = || reloads(base, &next, changes);
    let saved = catch_unwind(AssertUnwindSafe(verify)).ok().flatten().ok_or(JudgeRefusal::NotReloadable)?;
    Ok(Sound { document: next, saved: Some(saved) })
}

/// The document's bytes, if it loads again from them as itself and holds exactly the new changes, byte for byte.
///
/// Loading compares the hashes of all changes that it rebuilds, so equal heads prove equal history.
fn reloads(base: &Automerge, next: &Automerge, changes: &[Change]) -> Option<Vec<u8>> {
    let saved = next.save();
    let loaded = Automerge::load(&saved).ok()?;
    let before = base.get_heads();
    let expected: BTreeSet<&[u8]> = changes.iter().map(Change::raw_bytes).collect();
    let holds = |document: &Automerge| {
        let new = document.get_changes(&before);
        new.iter().map(Change::raw_bytes).collect::<BTreeSet<_>>() == expected
    };
    let same = loaded.get_heads() == next.get_heads() && loaded.save() == saved;
    (same && holds(&loaded) && holds(next)).then_some(saved)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Debug, PartialEq)]
    struct Planned(u8, &'static [u8]);

    fn name(number: u8) -> ChangeHash {
        ChangeHash::from_bytes([number; 32])
    }

    impl Linked for Planned {
        fn hash(&self) -> ChangeHash {
            name(self.0)
        }
        fn deps(&self) -> Vec<ChangeHash> {
            self.1.iter().map(|dep| name(*dep)).collect()
        }
    }

    fn check(bad: &[u8], changes: &[Planned], accepted: &[u8], rejected: &[u8]) {
        let mut attempt = |document: &Vec<u8>, changes: &[Planned]| {
            if changes.iter().any(|change| bad.contains(&change.0)) {
                return Err(JudgeRefusal::EngineFailed);
            }
            Ok(document.iter().copied().chain(changes.iter().map(|change| change.0)).collect())
        };
        let settled = settle(Vec::new(), changes.to_vec(), &mut attempt);
        assert_eq!(settled.document, accepted);
        assert_eq!(settled.accepted.iter().map(|change| change.0).collect::<Vec<_>>(), accepted);
        let lost: Vec<u8> = settled.rejected.iter().map(|(hash, _)| hash.as_bytes()[0]).collect();
        assert_eq!(lost, rejected);
    }

    #[test]
    fn one_bad_change_takes_only_its_descendants_with_it() {
        let chain = [Planned(1, &[]), Planned(2, &[1]), Planned(3, &[2]), Planned(4, &[1]), Planned(5, &[3])];
        check(&[], &chain, &[1, 2, 3, 4, 5], &[]);
        check(&[5], &chain, &[1, 2, 3, 4], &[5]);
        check(&[2], &chain, &[1, 4], &[2, 3, 5]);
        check(&[3, 4], &chain, &[1, 2], &[3, 5, 4]);
        check(&[1], &chain, &[], &[1, 2, 3, 4, 5]);
    }
}
