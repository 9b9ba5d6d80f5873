//! What the gate costs in processor time, printed: `cargo bench -p session-note --bench gate`. Asserts
//! no time.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a measurement fails by panicking, and uses a part of the tests' world"
)]

#[path = "../tests/gate/ward.rs"]
mod ward;
#[path = "../tests/gate/world.rs"]
mod world;

use std::hint::black_box;

use automerge::transaction::Transactable;
use automerge::{Automerge, Change, ChangeHash, ROOT, ReadDoc};
use chart::ids::{ActorId, CommandId, DeviceId, PersonId};
use chart::time::Timestamp;
use session_note::admission::Submitted;
use session_note::admit::{AncestryIndex, Candidate, Limits, Policy, judge, plain_bytes, prescan};

use session_note::schema::Kind;
use session_note::{Author, Issued, NoteDocument};

use ward::{Chance, DOCUMENT};
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

/// Processor time of this thread, in nanoseconds: a busy machine changes little of it.
fn cpu_ns() -> u128 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as u128 * 1_000_000_000 + time.tv_nsec as u128
}

fn median_us(mut work: impl FnMut()) -> u128 {
    let mut times: Vec<u128> = (0..31)
        .map(|_| {
            let start = cpu_ns();
            work();
            (cpu_ns() - start) / 1_000
        })
        .collect();
    times.sort();
    times[15]
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

/// A note as charted: its head, four activities, plans and fields, then text in strokes of some letters.
struct Charting {
    note: NoteDocument,
    author: Author,
    made: u8,
    chance: Chance,
}

impl Charting {
    fn begun(strokes: usize, letters: usize) -> Self {
        let author = Author {
            person: PersonId::from_bytes([1; 16]),
            device: DeviceId::from_bytes([1; 16]),
            actor: ActorId::from_bytes([1; 16]),
        };
        let note = NoteDocument::new(DOCUMENT, Kind::Visit);
        let mut charting = Self { note, author, made: 0, chance: Chance::new(1) };
        charting.give(r#"{"command":"open_visit","discipline":"pt","facts":{"payer":"medicare_ffs"}}"#);
        for code in ["97110", "97112", "97530", "97140"] {
            charting.give(&format!(
                r#"{{"command":"record_segment","value":{{"code":"{code}","typed_minutes":15}}}}"#
            ));
        }
        for number in 0..8 {
            charting.give(&format!(r#"{{"command":"set_field","field":"f{number}","value":"two cues"}}"#));
        }
        (0..strokes).for_each(|_| drop(charting.type_on(letters)));
        charting
    }
    fn give(&mut self, json: &str) -> Vec<u8> {
        let issued = [Issued {
            id: CommandId::random(&mut self.chance),
            command: serde_json::from_str(json).unwrap(),
        }];
        self.made = self.made.wrapping_add(1);
        let at = Timestamp::from_unix_ms(1_773_738_000_000 + i64::from(self.made));
        let (fresh, seen) = (ActorId::random(&mut self.chance), self.note.heads());
        self.note.commit(&self.author, fresh, at, &seen, &issued).unwrap().bytes
    }
    fn type_on(&mut self, letters: usize) -> Vec<u8> {
        let words = &"gait training with cues "[..letters];
        self.give(&format!(
            r#"{{"command":"splice_text","field":"plan","position":0,"delete":0,"insert":"{words}"}}"#
        ))
    }
}

/// The proof of a judged document, as the gate makes it: saved, loaded, saved again, and the new
/// changes read back from both.
fn proof(before: &[ChangeHash], next: &Automerge) {
    let saved = next.save();
    let loaded = Automerge::load(&saved).unwrap();
    assert_eq!(loaded.save(), saved);
    drop(black_box((loaded.get_changes(before), next.get_changes(before))));
}

fn cost_beside_plain_apply() {
    println!("note's changes | plain apply | the gate | of it door, structure, content | proof (us)");
    for (strokes, letters) in [(60, 20), (200, 20), (1_200, 1), (4_000, 1)] {
        let mut charting = Charting::begun(strokes, letters);
        // Judged once, so that the index is there, as a server keeps it.
        let note = charting.note.admit(&[]).unwrap().note;
        let mut pushed: Vec<Vec<u8>> = (0..4).map(|_| charting.type_on(20)).collect();
        pushed.push(charting.give(r#"{"command":"set_field","field":"response","value":"upright"}"#));
        let author = charting.author;
        let engine = Automerge::load(&note.save()).unwrap();
        let plain = median_us(|| {
            let mut document = engine.clone();
            let parsed = pushed.iter().map(|bytes| Change::from_bytes(bytes.clone()).unwrap());
            document.apply_changes(parsed).unwrap();
            black_box(document.get_heads());
        });
        let gate = median_us(|| {
            let submit = |bytes: &Vec<u8>| Submitted {
                candidate: Candidate::scan(bytes.clone(), &Limits::V1).unwrap(),
                person: author.person,
                device: author.device,
            };
            let work: Vec<Submitted> = pushed.iter().map(submit).collect();
            assert_eq!(black_box(note.admit(&work).unwrap()).note.heads().len(), 1);
        });
        let before = engine.get_heads();
        let next = Automerge::load(&charting.note.save()).unwrap();
        let proof = median_us(|| proof(&before, &next));
        let changes = engine.get_changes(&[]).len() - 1;
        println!("{changes:14} | {plain:11} | {gate:8} | {:30} | {proof}", gate.saturating_sub(proof));
    }
}

fn main() {
    cost_beside_plain_apply();
    cost_of_a_push_of_five_changes();
    cost_of_the_largest_changes();
}
