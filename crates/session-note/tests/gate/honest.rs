//! What the document engine writes for honest editors is never refused, in any order of arrival.

use std::collections::BTreeMap;

use automerge::transaction::Transactable;
use automerge::{Author, Automerge, ObjType, ROOT, ReadDoc};
use session_note::admit::{AncestryIndex, Candidate, Limits, Outcome, Policy, judge, plain_bytes, prescan};

use crate::world::{
    Dice, actor, anything, assert_healthy, changes, codes, commit, history, judge_all, note, scan,
};

/// Pushes the candidates in batches, as they are, keeping what waits; returns the document and index.
fn push_in_batches(
    start: &Automerge,
    mut queue: Vec<Candidate>,
    dice: &mut Dice,
) -> (Automerge, AncestryIndex) {
    let mut document = start.clone();
    let mut index = AncestryIndex::of(start).unwrap();
    let mut waiting: Vec<Candidate> = Vec::new();
    while !queue.is_empty() || !waiting.is_empty() {
        let batch = queue.len().min(1 + dice.below(7));
        let stuck = batch == 0;
        waiting.extend(queue.drain(..batch));
        let judged = judge(&document, &index, &waiting, &Policy::default(), &mut anything).unwrap();
        assert!(codes(&judged).iter().all(|code| *code <= 2), "{:?}", judged.outcomes());
        let outcomes: BTreeMap<_, _> = judged.outcomes().iter().cloned().collect();
        let (next, grown, admitted) = judged.into_document();
        assert!(!stuck || !admitted.is_empty() || outcomes.values().all(|o| *o == Outcome::AlreadyKnown));
        waiting.retain(|candidate| match &outcomes[&candidate.sketch().hash] {
            Outcome::Rejected { code, sentence } => panic!("{code} {sentence}"),
            Outcome::Waiting { missing } => !missing.is_empty(),
            Outcome::Admitted | Outcome::AlreadyKnown => false,
        });
        (document, index) = (next, grown);
    }
    (document, index)
}

fn check(seed: u64, steps: usize) {
    let (start, editors) = history(seed, steps);
    let mut plain = start.clone();
    let mut queue = Vec::new();
    for editor in &editors {
        let added = plain.get_changes_added(editor);
        plain.apply_changes(added).unwrap();
        queue.extend(changes(editor).iter().map(scan));
    }
    let mut dice = Dice::new(seed ^ 77);
    for _ in 0..2 {
        dice.shuffle(&mut queue);
        let (document, index) = push_in_batches(&start, queue.clone(), &mut dice);
        assert_eq!(document.get_heads(), plain.get_heads(), "seed {seed}");
        assert_eq!(document.hydrate(None), plain.hydrate(None), "seed {seed}");
        assert!(index.covers(&document));
        assert_eq!(index.len(), AncestryIndex::of(&document).unwrap().len());
        assert_healthy(&document);
    }
}

#[test]
fn three_editors_are_never_refused_in_any_order_of_arrival() {
    for seed in 0..60 {
        check(seed, 40);
    }
}

#[test]
fn one_push_of_everything_equals_one_change_at_a_time() {
    for seed in 100..120 {
        let (start, editors) = history(seed, 40);
        let mut queue: Vec<Candidate> =
            editors.iter().flat_map(changes).map(|change| scan(&change)).collect();
        queue.reverse();
        let (at_once, _, _) = judge_all(&start, &queue).into_document();
        let (stepwise, _) = push_in_batches(&start, queue, &mut Dice::new(seed));
        assert_eq!(at_once.get_heads(), stepwise.get_heads());
    }
}

#[test]
fn the_sketch_says_what_the_engine_says() {
    let (_, editors) = history(7, 60);
    for change in editors.iter().flat_map(changes) {
        let sketch = prescan(&plain_bytes(&change), &Limits::V1).unwrap();
        assert_eq!(sketch.hash.as_bytes(), &change.hash().0);
        assert_eq!(sketch.actor.as_bytes().as_slice(), change.actor_id().to_bytes());
        assert_eq!((sketch.seq, sketch.start_op), (change.seq(), change.start_op().get()));
        assert_eq!((sketch.ops, sketch.time.unix_ms()), (change.len() as u64, change.timestamp()));
        assert_eq!(sketch.message.as_deref(), change.message());
        assert_eq!(sketch.deps.len(), change.deps().len());
    }
}

#[test]
fn a_large_change_is_sent_plain_and_an_author_is_read_from_its_first_change() {
    let author = Author::from(b"person-7".to_vec());
    let mut document = note().with_author(Some(author));
    document.set_actor(actor(9));
    for word in ["stairs ", "ramp "] {
        let text = document.get(ROOT, "plan").unwrap().unwrap().1;
        let words = word.repeat(120);
        let options = commit().with_message("long");
        document.transact_with(|_| options, |tx| tx.splice_text(&text, 0, 0, &words)).unwrap();
    }
    let mut added = changes(&document).split_off(1);
    assert_eq!(added[0].bytes()[8], 2, "the engine compresses what is longer than 256 bytes");
    let candidates: Vec<Candidate> = added.iter().map(scan).collect();
    assert_eq!(candidates[0].sketch().author.as_deref(), Some(b"person-7".as_slice()));
    assert_eq!(candidates[0].sketch().message.as_deref(), Some("long"));
    assert_eq!(candidates[1].sketch().author, None);
    assert_eq!(codes(&judge_all(&note(), &candidates)), [0, 0]);
}

#[test]
fn a_late_dependency_lets_its_dependants_in() {
    let mut document = note();
    for number in 0..4 {
        document.transact_with(|_| commit(), |tx| tx.put(ROOT, "n", number)).unwrap();
    }
    let all: Vec<Candidate> = changes(&document).iter().skip(1).map(scan).collect();
    let without_first = judge_all(&note(), &all[1..]);
    assert_eq!(codes(&without_first), [2, 2, 2]);
    let first = all[0].sketch().hash;
    for (_, outcome) in without_first.outcomes() {
        assert_eq!(*outcome, Outcome::Waiting { missing: [first].into() });
    }
    let mut reversed = all.clone();
    reversed.reverse();
    assert_eq!(codes(&judge_all(&note(), &reversed)), [0, 0, 0, 0]);
    assert_eq!(codes(&judge_all(&document, &all)), [1, 1, 1, 1]);
    let twice = [all.clone(), all].concat();
    assert_eq!(codes(&judge_all(&note(), &twice)), [0, 0, 0, 0]);
}

#[test]
fn an_index_of_another_document_is_not_used() {
    let mut other = note();
    other.transact_with(|_| commit(), |tx| tx.put_object(ROOT, "m", ObjType::Map)).unwrap();
    let index = AncestryIndex::of(&other).unwrap();
    assert!(judge(&note(), &index, &[], &Policy::default(), &mut anything).is_err());
    let mut behind = AncestryIndex::of(&note()).unwrap();
    behind.catch_up(&other).unwrap();
    assert!(behind.covers(&other) && behind.catch_up(&note()).is_err());
}
