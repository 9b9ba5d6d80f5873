//! Laws of the gate over what people did, partly broken: a broken change keeps its actor and number, and
//! whatever was built on the sound one is built on the broken one instead.

use std::collections::{BTreeMap, BTreeSet};

use automerge::{Automerge, Change};
use chart::ids::ChangeHash;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use session_note::NoteDocument;
use session_note::admission::Submitted;
use session_note::admit::{Candidate, Limits, Outcome, plain_bytes};
use session_note::schema::{Kind, genesis_bytes};

use crate::mutants::break_change;
use crate::ward::{Chance, DOCUMENT, Ward, admitted_in_batches};
use crate::world::{Dice, assert_healthy};

type Verdicts = BTreeMap<ChangeHash, Outcome>;

/// What is drawn for one case.
#[derive(Clone, Debug)]
struct Case {
    kind: Kind,
    /// The people's life.
    seed: u64,
    steps: usize,
    /// Which changes are broken.
    broken: Vec<Index>,
    /// The order in which work arrives, and how many at a time at most.
    order: u64,
    batch: usize,
}

fn cases() -> impl Strategy<Value = Case> {
    let kind = prop_oneof![3 => Just(Kind::Visit), 1 => Just(Kind::Episode)];
    let life = (kind, 0..10_000u64, 4..40usize);
    (life, vec(any::<Index>(), 0..5), any::<u64>(), 1..9usize).prop_map(
        |((kind, seed, steps), broken, order, batch)| Case { kind, seed, steps, broken, order, batch },
    )
}

fn engine_change(work: &Submitted) -> Change {
    Change::from_bytes(work.candidate.bytes().to_vec()).unwrap()
}

fn again(work: &Submitted, change: Change) -> Option<Submitted> {
    let candidate = Candidate::scan(plain_bytes(&change), &Limits::V1).ok()?;
    Some(Submitted { candidate, ..work.clone() })
}

/// The work with each change run through `edit`, and later ones built on what became of earlier ones.
/// What no longer passes the door is left out: its descendants then wait.
fn rebuilt(
    work: &[Submitted],
    mut edit: impl FnMut(usize, &mut automerge::ExpandedChange),
) -> Vec<Submitted> {
    let mut renamed: BTreeMap<automerge::ChangeHash, automerge::ChangeHash> = BTreeMap::new();
    let mut all = Vec::new();
    for (place, one) in work.iter().enumerate() {
        let old = engine_change(one);
        let mut change = old.decode();
        change.deps.iter_mut().for_each(|dep| *dep = renamed.get(dep).copied().unwrap_or(*dep));
        change.deps.sort();
        edit(place, &mut change);
        change.hash = None;
        let new = Change::from(change);
        renamed.insert(old.hash(), new.hash());
        all.extend(again(one, new));
    }
    all
}

impl Case {
    fn start(&self) -> NoteDocument {
        NoteDocument::new(DOCUMENT, self.kind)
    }

    fn work(&self) -> Vec<Submitted> {
        let mut ward = Ward::new(self.kind, 3, self.seed);
        while ward.work.is_empty() {
            ward.live(self.steps);
        }
        let all: Vec<Change> = ward.work.iter().map(engine_change).collect();
        let broken: BTreeSet<usize> = self.broken.iter().map(|index| index.index(all.len())).collect();
        let mut dice = Dice::new(self.seed ^ self.order);
        rebuilt(&ward.work, |place, change| {
            if broken.contains(&place) {
                break_change(change, &all, &mut dice);
            }
        })
    }

    fn arrivals(&self, work: &[Submitted], round: u64) -> Vec<Submitted> {
        let mut arrivals = work.to_vec();
        Chance::new(self.order ^ round).shuffle(&mut arrivals);
        arrivals
    }

    fn judged(&self, arrivals: &[Submitted], batch: usize) -> (NoteDocument, Verdicts) {
        admitted_in_batches(&self.start(), arrivals, batch, &mut Chance::new(self.order))
    }
}

fn check_equal(one: &NoteDocument, other: &NoteDocument) {
    assert_eq!(one.heads(), other.heads());
    assert_eq!(one.read_visit(), other.read_visit());
    assert_eq!(one.read_episode(), other.read_episode());
    let changes =
        |note: &NoteDocument| note.changes_since(&BTreeSet::new()).into_iter().collect::<BTreeMap<_, _>>();
    assert_eq!(changes(one), changes(other));
}

fn is_admitted(outcome: &Outcome) -> bool {
    *outcome == Outcome::Admitted
}

fn hash(work: &Submitted) -> ChangeHash {
    work.candidate.sketch().hash
}

/// The chosen changes and all that builds on them.
fn with_descendants(work: &[Submitted], chosen: &[Index]) -> BTreeSet<ChangeHash> {
    let mut held: BTreeSet<ChangeHash> =
        chosen.iter().map(|index| hash(&work[index.index(work.len())])).collect();
    for one in work {
        if one.candidate.sketch().deps.iter().any(|dep| held.contains(dep)) {
            held.insert(hash(one));
        }
    }
    held
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_fresh_engine_loads_what_was_admitted_and_agrees(case in cases()) {
        let work = case.work();
        prop_assume!(!work.is_empty());
        let (note, verdicts) = case.judged(&case.arrivals(&work, 0), case.batch);
        let loaded = Automerge::load(&note.save()).unwrap();
        assert_healthy(&loaded);
        // The changes alone, in the order they were made, to an engine that never saw a gate.
        let genesis = Change::from_bytes(genesis_bytes(case.kind).to_vec()).unwrap();
        let admitted = work.iter().filter(|one| is_admitted(&verdicts[&hash(one)])).map(engine_change);
        let mut fresh = Automerge::new();
        fresh.apply_changes([genesis].into_iter().chain(admitted)).unwrap();
        prop_assert_eq!(fresh.get_heads(), loaded.get_heads());
        prop_assert_eq!(fresh.hydrate(None), loaded.hydrate(None));
        prop_assert_eq!(Automerge::load(&fresh.save()).unwrap().get_heads(), loaded.get_heads());
    }

    #[test]
    fn what_was_not_admitted_is_in_no_head_and_no_history(case in cases()) {
        let work = case.work();
        prop_assume!(!work.is_empty());
        let (note, verdicts) = case.judged(&case.arrivals(&work, 0), case.batch);
        let history: BTreeSet<ChangeHash> = note.history().into_iter().filter_map(|entry| entry.by.change).collect();
        for (hash, outcome) in &verdicts {
            let inside = [note.contains(hash), history.contains(hash)];
            prop_assert_eq!(inside, [is_admitted(outcome); 2], "{:?}", outcome);
            prop_assert!(is_admitted(outcome) || !note.heads().contains(hash));
        }
        // What builds on something rejected, late or absent is not admitted either.
        for one in &work {
            let apart = |dep: &ChangeHash| verdicts.get(dep).is_some_and(|outcome| !is_admitted(outcome));
            let lost = one.candidate.sketch().deps.iter().any(apart);
            prop_assert!(!lost || !is_admitted(&verdicts[&hash(one)]));
        }
    }

    #[test]
    fn verdicts_do_not_depend_on_the_order_of_arrival(case in cases()) {
        let work = case.work();
        prop_assume!(!work.is_empty());
        let (note, verdicts) = case.judged(&work, work.len());
        for round in 0..3 {
            let (other, again) = case.judged(&case.arrivals(&work, round), case.batch);
            prop_assert_eq!(&again, &verdicts);
            check_equal(&other, &note);
        }
    }

    #[test]
    fn work_held_and_released_later_is_as_if_never_held(case in cases(), held in vec(any::<Index>(), 1..4)) {
        let work = case.work();
        prop_assume!(!work.is_empty());
        let (whole, verdicts) = case.judged(&case.arrivals(&work, 0), case.batch);
        let held = with_descendants(&work, &held);
        let (released, kept): (Vec<_>, Vec<_>) =
            case.arrivals(&work, 1).into_iter().partition(|one| held.contains(&hash(one)));
        let (without, first) = case.judged(&kept, case.batch);
        prop_assert!(held.iter().all(|hash| !without.contains(hash)));
        // The release brings the original bytes; what was rejected meanwhile stays known as rejected.
        let not_in = kept.into_iter().filter(|one| !is_admitted(&first[&hash(one)]));
        let late: Vec<Submitted> = not_in.chain(released).collect();
        let mut chance = Chance::new(case.order);
        let (note, second) = admitted_in_batches(&without, &late, case.batch, &mut chance);
        check_equal(&note, &whole);
        let together: Verdicts = first.into_iter().chain(second).collect();
        prop_assert_eq!(together, verdicts);
    }

    #[test]
    fn with_equivocation_every_replica_ends_equal(case in cases(), twins in vec(any::<Index>(), 1..4)) {
        let work = case.work();
        prop_assume!(!work.is_empty());
        let twins: BTreeSet<usize> = twins.iter().map(|index| index.index(work.len())).collect();
        // The cloned tablet said something else under the same number, and went on from there.
        let other = rebuilt(&work, |place, change| change.time += i64::from(twins.contains(&place)));
        let known: BTreeSet<ChangeHash> = work.iter().map(hash).collect();
        let more = other.into_iter().filter(|one| !known.contains(&hash(one)));
        let both: Vec<Submitted> = work.iter().cloned().chain(more).collect();
        let (origin, verdicts) = case.judged(&case.arrivals(&both, 0), case.batch);
        let mut spoken = BTreeSet::new();
        for one in both.iter().filter(|one| is_admitted(&verdicts[&hash(one)])) {
            let sketch = one.candidate.sketch();
            prop_assert!(spoken.insert((sketch.actor, sketch.seq)), "two changes under one number");
        }
        // Replicas hear what the origin admitted, in any order; nothing else then gets in, heard or not.
        let admitted: Vec<Submitted> =
            both.iter().filter(|one| is_admitted(&verdicts[&hash(one)])).cloned().collect();
        for round in 1..3 {
            let arrivals = case.arrivals(&admitted, round);
            let replica = case.start().take_in(&arrivals).unwrap();
            prop_assert!(replica.outcomes.iter().all(|(_, outcome)| is_admitted(outcome)));
            check_equal(&replica.note, &origin);
            let rest = replica.note.admit(&both).unwrap();
            check_equal(&rest.note, &origin);
        }
    }
}
