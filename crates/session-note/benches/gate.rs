//! What the gate costs, printed: `cargo bench -p session-note --bench gate`. Asserts no time.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a measurement fails by panicking, and uses a part of the tests' world"
)]

#[path = "../tests/gate/world.rs"]
mod world;

use std::hint::black_box;

use automerge::transaction::Transactable;
use automerge::{Automerge, ROOT, ReadDoc};
use session_note::admit::{AncestryIndex, Candidate, Limits, Policy, judge, plain_bytes, prescan};

use world::{actor, anything, commit, note, scan};

fn typed(document: &mut Automerge, changes: usize, letters: usize) {
    let text = document.get(ROOT, "plan").unwrap().unwrap().1;
    let words = "gait training with cues "[..letters].to_owned();
    for _ in 0..changes {
        let edit = |tx: &mut automerge::transaction::Transaction<'_>| {
            let end = tx.length(&text);
            tx.splice_text(&text, end, 0, &words)
        };
        document.transact_with(|_| commit(), edit).unwrap();
    }
}

#[expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]
fn median_us(mut work: impl FnMut()) -> u128 {
    let mut times: Vec<u128> = (0..15)
        .map(|_| {
            let start = std::time::Instant::now();
            work();
            start.elapsed().as_nanos() / 1_000
        })
        .collect();
    times.sort();
    times[7]
}

fn cost_of_a_push_of_five_changes() {
    println!("changes letters | prescan 5 | index | clone | judge 5 | save+load alone (us)");
    for (count, letters) in [(70, 20), (200, 20), (1_200, 1), (4_000, 1)] {
        let mut document = note();
        typed(&mut document, count, letters);
        let mut editor = document.clone().with_actor(actor(2));
        typed(&mut editor, 4, 20);
        editor.transact_with(|_| commit(), |tx| tx.put(ROOT, "side", "left")).unwrap();
        let added = document.get_changes_added(&editor);
        let waiting: Vec<Candidate> = added.iter().map(scan).collect();
        let bytes: Vec<Vec<u8>> = added.iter().map(plain_bytes).collect();
        let index = AncestryIndex::of(&document).unwrap();
        let scanned =
            median_us(|| bytes.iter().for_each(|bytes| drop(black_box(prescan(bytes, &Limits::V1)))));
        let indexed = median_us(|| drop(black_box(AncestryIndex::of(&document))));
        let cloned = median_us(|| drop(black_box((document.clone(), index.clone()))));
        let judged = median_us(|| {
            let judged = judge(&document, &index, &waiting, &Policy::default(), &mut anything).unwrap();
            assert_eq!(judged.into_document().2.len(), 5);
        });
        let reloaded = median_us(|| drop(black_box(Automerge::load(&document.save()).unwrap())));
        println!("{count:7} {letters:7} | {scanned:9} | {indexed:5} | {cloned:5} | {judged:7} | {reloaded}");
    }
}

fn cost_of_the_largest_changes() {
    println!("five thousand | bytes | prescan | judge (us)");
    let puts = |tx: &mut automerge::transaction::Transaction<'_>| {
        (0..5_000).for_each(|number| tx.put(ROOT, format!("{number:044}"), number).unwrap());
    };
    let letters = |tx: &mut automerge::transaction::Transaction<'_>| {
        let text = tx.get(ROOT, "plan").unwrap().unwrap().1;
        (0..5_000).for_each(|_| tx.splice_text(&text, 0, 0, "x").unwrap());
    };
    let maps = |tx: &mut automerge::transaction::Transaction<'_>| {
        for number in 0..5_000 {
            tx.put_object(ROOT, format!("{number}"), automerge::ObjType::Map).unwrap();
        }
    };
    type Edit<'e> = &'e dyn Fn(&mut automerge::transaction::Transaction<'_>);
    let edits: [(&str, Edit<'_>); 3] =
        [("fields", &puts), ("letters at the start", &letters), ("maps", &maps)];
    for (name, edit) in edits {
        let mut editor = note().with_actor(actor(2));
        let edit = |tx: &mut automerge::transaction::Transaction<'_>| {
            edit(tx);
            Ok::<_, automerge::AutomergeError>(())
        };
        editor.transact_with(|_| commit(), edit).unwrap();
        let candidate = scan(&note().get_changes_added(&editor)[0]);
        let bytes = candidate.bytes().to_vec();
        let index = AncestryIndex::of(&note()).unwrap();
        let scanned = median_us(|| drop(black_box(prescan(&bytes, &Limits::V1))));
        let judged = median_us(|| {
            let waiting = std::slice::from_ref(&candidate);
            drop(black_box(judge(&note(), &index, waiting, &Policy::default(), &mut anything).unwrap()));
        });
        println!("{name} | {} | {scanned} | {judged}", bytes.len());
    }
}

fn main() {
    cost_of_a_push_of_five_changes();
    cost_of_the_largest_changes();
}
