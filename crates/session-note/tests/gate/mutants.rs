//! Real changes, broken at random with length and checksum repaired: nothing panics out of the gate,
//! and whatever the gate admits leaves a document that loads, saves and can be edited.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use automerge::legacy::{ElementId, Key, ObjectId, OpId, OpType, SortedVec};
use automerge::{Automerge, Change, ExpandedChange, ObjType};
use chart::ids::ChangeHash;
use session_note::admit::{AncestryIndex, Candidate, Limits, Outcome, Policy, judge, plain_bytes};

use crate::chunks::chunk;
use crate::world::{Dice, actor, anything, assert_healthy, changes, codes, history, random_edit};

/// `GAITWAY_GATE_MUTANTS`, or 50,000.
#[expect(clippy::disallowed_methods, reason = "how long to search is asked of whoever runs the test")]
fn mutants() -> usize {
    std::env::var("GAITWAY_GATE_MUTANTS").ok().and_then(|text| text.parse().ok()).unwrap_or(50_000)
}

/// A merged note and changes that honest editors made upon it.
struct Scene {
    document: Automerge,
    index: AncestryIndex,
    victims: Vec<Change>,
}

fn scene(seed: u64) -> Scene {
    let (_, mut editors) = history(seed, 30);
    let mut document = editors.remove(0);
    editors.iter_mut().for_each(|editor| drop(document.merge(editor).unwrap()));
    let mut dice = Dice::new(seed ^ 5);
    let before = document.get_heads();
    let edited = |number: u8| {
        let mut editor = document.clone().with_actor(actor(60 + number));
        while editor.get_changes(&before).is_empty() {
            random_edit(&mut editor, &mut dice);
        }
        editor.get_changes(&before).remove(0)
    };
    let victims = (0..12).map(edited).collect();
    let index = AncestryIndex::of(&document).unwrap();
    Scene { document, index, victims }
}

/// Judges the bytes; counts what became of them by code.
fn check(scene: &Scene, bytes: Vec<u8>, tally: &mut BTreeMap<u16, usize>) {
    let candidate = match Candidate::scan(bytes, &Limits::V1) {
        Ok(candidate) => candidate,
        Err(refusal) => return *tally.entry(refusal.code()).or_default() += 1,
    };
    let judged =
        judge(&scene.document, &scene.index, &[candidate], &Policy::default(), &mut anything).unwrap();
    let code = codes(&judged)[0];
    *tally.entry(code).or_default() += 1;
    let (document, index, admitted) = judged.into_document();
    assert_eq!(admitted.len(), usize::from(code == 0));
    assert!(index.covers(&document));
    if code == 0 {
        assert_healthy(&document);
    }
}

/// What no row of the tally may show: the engine itself found the fault, so a check is missing.
fn assert_second_net_unused(tally: &BTreeMap<u16, usize>) {
    assert_eq!((tally.get(&212), tally.get(&213)), (None, None), "{tally:?}");
}

#[test]
fn broken_bytes_never_get_out_of_the_gate() {
    let mut tally = BTreeMap::new();
    let per_scene = mutants().div_ceil(10);
    for seed in 0..10 {
        let scene = scene(seed);
        let mut dice = Dice::new(seed ^ 0xbad);
        for _ in 0..per_scene {
            let victim = plain_bytes(&scene.victims[dice.below(scene.victims.len())]);
            let bytes = break_bytes(&victim, &mut dice);
            check(&scene, bytes, &mut tally);
        }
    }
    println!("bytes: {tally:?}");
    assert!(tally.get(&0).is_some_and(|admitted| *admitted > 0), "the mutator breaks too much");
    assert_second_net_unused(&tally);
}

fn break_bytes(victim: &[u8], dice: &mut Dice) -> Vec<u8> {
    // The data begins after magic, checksum, kind and length.
    let skip = 9 + victim[9..].iter().position(|byte| byte & 0x80 == 0).unwrap() + 1;
    let mut data = victim[skip..].to_vec();
    // Every other mutant spares dependencies and actor, so that more reach the columns.
    let spare = if dice.below(2) == 0 { 52.min(data.len() - 1) } else { 0 };
    for _ in 0..=dice.below(3) {
        let at = spare + dice.below(data.len() - spare);
        match dice.below(7) {
            0 => data[at] ^= 1 << dice.below(8),
            1 => data[at] = data[at].wrapping_add(1),
            2 => data[at] = data[at].wrapping_sub(1),
            3 => data[at] = dice.roll() as u8,
            4 => data.insert(at, dice.roll() as u8),
            5 if data.len() > spare + 2 => drop(data.remove(at)),
            _ => {
                let from = spare + dice.below(data.len() - spare);
                data[at] = data[from];
            }
        }
    }
    chunk(1, &data)
}

#[test]
fn broken_operations_in_perfect_bytes_never_get_out_of_the_gate() {
    let mut tally = BTreeMap::new();
    let per_scene = mutants().div_ceil(20);
    for seed in 20..30 {
        let scene = scene(seed);
        let all = changes(&scene.document);
        let mut dice = Dice::new(seed ^ 0xbad);
        for _ in 0..per_scene {
            let mut change = scene.victims[dice.below(scene.victims.len())].decode();
            for _ in 0..=dice.below(2) {
                break_change(&mut change, &all, &mut dice);
            }
            let encode = || Change::from(change).raw_bytes().to_vec();
            if let Ok(bytes) = catch_unwind(AssertUnwindSafe(encode)) {
                check(&scene, bytes, &mut tally);
            }
        }
    }
    println!("operations: {tally:?}");
    assert!(tally.get(&0).is_some_and(|admitted| *admitted > 0), "the mutator breaks too much");
    assert_second_net_unused(&tally);
}

/// The name of some operation of the document, of the change, or of none.
fn some_id(change: &ExpandedChange, all: &[Change], dice: &mut Dice) -> OpId {
    let other = &all[dice.below(all.len())];
    match dice.below(8) {
        0 => OpId(change.start_op.get() + dice.below(4) as u64, change.actor_id.clone()),
        1 => OpId(dice.below(60) as u64, actor(99)),
        _ => OpId(other.start_op().get() + dice.below(other.len() + 1) as u64, other.actor_id().clone()),
    }
}

pub(crate) fn break_change(change: &mut ExpandedChange, all: &[Change], dice: &mut Dice) {
    let (id, second) = (some_id(change, all, dice), some_id(change, all, dice));
    let other = all[dice.below(all.len())].clone();
    let at = dice.below(change.operations.len());
    let copied = change.operations[dice.below(change.operations.len())].clone();
    let op = &mut change.operations[at];
    match dice.below(17) {
        0 => op.obj = ObjectId::Id(id),
        1 => op.obj = ObjectId::Root,
        2 => op.key = Key::Seq(ElementId::Id(id)),
        3 => op.key = Key::Map(["side", "plan", "fields", "b"][dice.below(4)].into()),
        4 => op.key = Key::Seq(ElementId::Head),
        5 => op.pred = SortedVec::new(),
        6 => op.pred = SortedVec::from(vec![id]),
        7 => op.pred = SortedVec::from(vec![id, second]),
        8 => op.insert = !op.insert,
        9 => op.action = OpType::Delete,
        10 => op.action = OpType::Put("x".into()),
        11 => op.action = OpType::Make([ObjType::Map, ObjType::Text][dice.below(2)]),
        12 => change.operations[at] = copied,
        13 => drop(change.operations.remove(at)),
        14 => change.deps = vec![other.hash()],
        15 => {
            change.start_op =
                (change.start_op.get() + dice.below(3) as u64).saturating_sub(1).max(1).try_into().unwrap()
        }
        _ => change.seq = dice.below(3) as u64 + 1,
    }
    if change.operations.is_empty() {
        change.operations = other.decode().operations;
    }
    // A removal whose element and predecessor agree gets further than one where they differ.
    if let Some(op) = change.operations.get_mut(at)
        && let (OpType::Delete, Key::Seq(ElementId::Id(id))) = (&op.action, &op.key)
        && dice.below(2) == 0
    {
        op.pred = SortedVec::from(vec![id.clone()]);
    }
}

/// Sound and broken changes, each with a child of its own; no two share actor and number.
fn families(scene: &Scene, dice: &mut Dice) -> Vec<Candidate> {
    let all = changes(&scene.document);
    let mut family = Vec::new();
    for victim in &scene.victims {
        let mut parent = victim.decode();
        if dice.below(2) == 0 {
            break_change(&mut parent, &all, dice);
        }
        let parent = Change::from(parent);
        let mut child = parent.decode();
        child.operations.truncate(1);
        child.operations[0] = automerge::legacy::Op {
            action: OpType::Put(1.into()),
            obj: ObjectId::Root,
            key: Key::Map(format!("of {}", parent.actor_id()).into()),
            pred: SortedVec::new(),
            insert: false,
        };
        (child.deps, child.seq) = (vec![parent.hash()], parent.seq() + 1);
        child.start_op = (parent.max_op() + 1).try_into().unwrap();
        family.extend([parent, Change::from(child)]);
    }
    family.iter().filter_map(|change| Candidate::scan(plain_bytes(change), &Limits::V1).ok()).collect()
}

/// Judges in batches as they arrive; what is rejected stays rejected for its late descendants.
fn verdicts(scene: &Scene, arrivals: &[Candidate], batch: usize) -> (BTreeMap<ChangeHash, Outcome>, Vec<u8>) {
    let (mut document, mut index) = (scene.document.clone(), scene.index.clone());
    let mut verdicts: BTreeMap<ChangeHash, Outcome> = BTreeMap::new();
    let mut waiting: Vec<Candidate> = Vec::new();
    for arrived in arrivals.chunks(batch) {
        waiting.extend(arrived.iter().cloned());
        let judged = judge(&document, &index, &waiting, &Policy::default(), &mut anything).unwrap();
        verdicts.extend(judged.outcomes().iter().cloned());
        (document, index, _) = judged.into_document();
        waiting.retain(|candidate| verdicts[&candidate.sketch().hash] != Outcome::Admitted);
    }
    (verdicts, document.save())
}

#[test]
fn the_order_of_arrival_decides_nothing() {
    let mut admitted = 0;
    for seed in 40..80 {
        let scene = scene(seed);
        let mut dice = Dice::new(seed);
        let mut arrivals = families(&scene, &mut dice);
        let (expected, _) = verdicts(&scene, &arrivals, arrivals.len());
        admitted += expected.values().filter(|outcome| **outcome == Outcome::Admitted).count();
        for batch in [1, 3, 100] {
            dice.shuffle(&mut arrivals);
            let (found, saved) = verdicts(&scene, &arrivals, batch);
            assert_eq!(found, expected, "seed {seed}");
            assert_healthy(&Automerge::load(&saved).unwrap());
        }
    }
    assert!(admitted > 300, "the mutator breaks too much: {admitted}");
}
