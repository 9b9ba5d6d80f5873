//! The table of attacks as bytes, each upon the beginning of a visit, so that a test that may not know the
//! document engine can hand them to a tablet: `hostile.txt`, a line for each row of the table.
//!
//! A line is `code name bytes`, or `code name bytes before` where `before` must be in the note first. The
//! first line is the ground that all others build on. Bytes are hex, `(xx*n)` stands for n equal ones.

use std::collections::BTreeSet;

use automerge::legacy::{ElementId, Key, ObjectId, Op, OpId, OpType, SortedVec};
use automerge::{ActorId, Change, ChangeHash, ExpandedChange};
use session_note::NoteDocument;
use session_note::admission::Submitted;
use session_note::admit::{Candidate, Limits, Outcome};
use session_note::schema::{Kind, genesis_hash};

use crate::attacks::{Attack, Ground};
use crate::table::table;
use crate::ward::DOCUMENT;
use crate::world::{NOON, actor};

const FILE: &str = include_str!("hostile.txt");

/// The beginning's operations: its fields, thirteen maps, of which the last holds four texts.
const FIELDS: u64 = 8;
const TEXT: u64 = 16;
const NEXT: u64 = 20;

/// Equal bytes from this many on are written as one.
const RUN: usize = 16;

/// An honest change upon the beginning: three letters and two fields.
fn honest() -> Change {
    let id = |counter| OpId(counter, ActorId::from(b"gaitway-genesis\x01".as_slice()));
    let op = |object, key, value: &str, insert| Op {
        action: OpType::Put(value.into()),
        obj: ObjectId::Id(id(object)),
        key,
        pred: SortedVec::new(),
        insert,
    };
    let letter = |counter| Key::Seq(ElementId::Id(OpId(counter, actor(2))));
    let operations = vec![
        op(TEXT, Key::Seq(ElementId::Head), "a", true),
        op(TEXT, letter(NEXT), "b", true),
        op(TEXT, letter(NEXT + 1), "c", true),
        op(FIELDS, Key::Map("side".into()), "left", false),
        op(FIELDS, Key::Map("count".into()), "three", false),
    ];
    Change::from(ExpandedChange {
        operations,
        actor_id: actor(2),
        hash: None,
        seq: 1,
        start_op: NEXT.try_into().unwrap(),
        time: NOON,
        message: None,
        deps: vec![ChangeHash(*genesis_hash(Kind::Visit).as_bytes())],
        extra_bytes: Vec::new(),
        author: None,
    })
}

fn ground(honest: &Change) -> Ground {
    let id = |counter| OpId(counter, ActorId::from(b"gaitway-genesis\x01".as_slice()));
    let made = |place| OpId(NEXT + place, actor(2));
    Ground {
        heads: vec![honest.hash()],
        start_op: NEXT + 5,
        actor: actor(9),
        time: NOON,
        first: Vec::new(),
        text: id(TEXT),
        letter: made(2),
        other_letter: made(1),
        map: id(FIELDS),
        field: "side".to_owned(),
        value: made(3),
        other_value: made(4),
    }
}

fn rows() -> Vec<Attack> {
    let honest = honest();
    let first = Attack::of_bytes("ground", 0, honest.raw_bytes().to_vec());
    [first].into_iter().chain(table(&ground(&honest))).collect()
}

fn spelt(bytes: &[u8]) -> String {
    let runs = bytes.chunk_by(|one, next| one == next).map(|run| match run {
        [byte, ..] if run.len() >= RUN => format!("({byte:02x}*{})", run.len()),
        run => run.iter().map(|byte| format!("{byte:02x}")).collect(),
    });
    if bytes.is_empty() { "(00*0)".to_owned() } else { runs.collect() }
}

fn line(attack: &Attack) -> String {
    let name = attack.name.replace(' ', "-");
    let before = attack.after.as_ref().map(|before| format!(" {}", spelt(before)));
    format!("{} {name} {}{}", attack.code, spelt(&attack.bytes), before.unwrap_or_default())
}

#[test]
fn the_file_of_attacks_holds_every_row_of_the_table() {
    let names: BTreeSet<String> = rows().into_iter().map(|attack| attack.name).collect();
    assert_eq!(names.len(), rows().len(), "each row has a name of its own");
    let built: Vec<String> = rows().iter().map(line).collect();
    let same = FILE.lines().eq(built.iter().map(String::as_str));
    assert!(same, "hostile.txt must be:\n{}", built.join("\n"));
}

#[test]
fn every_attack_upon_a_visit_has_its_code_and_harms_nothing() {
    let submit = |bytes: Vec<u8>| Submitted {
        candidate: Candidate::scan(bytes, &Limits::V1).unwrap(),
        person: chart::ids::PersonId::from_bytes([1; 16]),
        device: chart::ids::DeviceId::from_bytes([1; 16]),
    };
    let taken = |note: &NoteDocument, bytes| note.take_in(&[submit(bytes)]).unwrap();
    let honest = rows().remove(0).bytes;
    let start = taken(&NoteDocument::new(DOCUMENT, Kind::Visit), honest).note;
    for Attack { name, code, bytes, after } in rows().into_iter().skip(1) {
        let note = after.map_or_else(|| start.clone(), |before| taken(&start, before).note);
        let found = match Candidate::scan(bytes.clone(), &Limits::V1) {
            Err(refusal) => refusal.code(),
            Ok(_) => {
                let after = taken(&note, bytes);
                let code = match &after.outcomes[0].1 {
                    Outcome::Rejected { code, .. } => *code,
                    Outcome::Waiting { .. } => 2,
                    Outcome::Admitted => 0,
                    other => panic!("{name}: {other:?}"),
                };
                assert_eq!(after.note.save() == note.save(), code != 0, "{name}");
                code
            }
        };
        assert_eq!(found, code, "{name}");
    }
}
