//! The known attacks on a document engine as bytes, each upon the beginning of every visit, so that any
//! test of the house can hand them to a tablet or a server: `hostile.txt`, a line `code name hex` each.
//! Built here and held to the file; a code of 0 is an honest change, 2 one that waits.

use automerge::legacy::{ElementId, Key, ObjectId, Op, OpId, OpType, SortedVec};
use automerge::{ActorId, Change, ChangeHash, ExpandedChange, ObjType, ScalarValue};
use session_note::NoteDocument;
use session_note::admission::Submitted;
use session_note::admit::{Candidate, Limits};
use session_note::schema::{Kind, genesis_bytes, genesis_hash};

use crate::chunks::{chunk, uleb};
use crate::ward::DOCUMENT;
use crate::world::{NOON, actor};

const FILE: &str = include_str!("hostile.txt");

/// The beginning's operations: its fields, thirteen maps, of which the last holds four texts.
const SCALAR: u64 = 1;
const FIELDS: u64 = 8;
const TEXT: u64 = 16;
const NEXT: u64 = 20;

fn id(counter: u64) -> OpId {
    OpId(counter, ActorId::from(b"gaitway-genesis\x01".as_slice()))
}

fn stranger(counter: u64) -> OpId {
    OpId(counter, actor(66))
}

fn field(key: &str) -> Key {
    Key::Map(key.into())
}

fn op(object: OpId, key: Key, action: OpType, pred: &[OpId]) -> Op {
    Op { action, obj: ObjectId::Id(object), key, pred: SortedVec::from(pred.to_vec()), insert: false }
}

fn put(key: &str) -> Op {
    op(id(FIELDS), field(key), OpType::Put("x".into()), &[])
}

fn change(operations: Vec<Op>) -> ExpandedChange {
    ExpandedChange {
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
    }
}

fn with(edit: impl Fn(&mut ExpandedChange)) -> ExpandedChange {
    let mut change = change(vec![put("x")]);
    edit(&mut change);
    change
}

/// Structure that makes the engine panic, write what never loads, or overflow a stack.
fn structures() -> Vec<(u16, &'static str, ExpandedChange)> {
    let one = |op: Op| change(vec![op]);
    let after = |element: OpId| Key::Seq(ElementId::Id(element));
    let insert =
        |object: OpId, key: Key| Op { insert: true, ..op(object, key, OpType::Put("x".into()), &[]) };
    let deep = |level: u64| {
        let object = if level == 0 { id(FIELDS) } else { OpId(NEXT + level - 1, actor(2)) };
        op(object, field("m"), OpType::Make(ObjType::Map), &[])
    };
    let text = |edit: OpType| op(id(TEXT), field("x"), edit, &[]);
    vec![
        (206, "object-that-does-not-exist", one(op(stranger(5), field("x"), OpType::Put(1.into()), &[]))),
        (206, "object-that-is-a-scalar", one(op(id(SCALAR), field("x"), OpType::Put(1.into()), &[]))),
        (
            209,
            "overwrites-what-does-not-exist",
            one(op(id(FIELDS), field("x"), OpType::Put(1.into()), &[stranger(5)])),
        ),
        (
            209,
            "overwrites-another-field",
            one(op(id(FIELDS), field("x"), OpType::Put(1.into()), &[id(SCALAR)])),
        ),
        (
            126,
            "overwrites-the-future",
            one(op(id(FIELDS), field("x"), OpType::Put(1.into()), &[stranger(4_000_000)])),
        ),
        (123, "removes-nothing", one(op(id(FIELDS), field("x"), OpType::Delete, &[]))),
        (208, "inserts-after-a-missing-letter", one(insert(id(TEXT), after(stranger(5))))),
        (207, "field-in-a-text", one(text(OpType::Put(1.into())))),
        (207, "letter-in-a-map", one(insert(id(FIELDS), Key::Seq(ElementId::Head)))),
        (122, "table", one(op(id(FIELDS), field("x"), OpType::Make(ObjType::Table), &[]))),
        (122, "increment", one(op(id(FIELDS), field("x"), OpType::Increment(1), &[id(SCALAR)]))),
        (125, "counter", one(op(id(FIELDS), field("x"), OpType::Put(ScalarValue::counter(1)), &[]))),
        (124, "empty-key", one(op(id(FIELDS), field(""), OpType::Put(1.into()), &[]))),
        (210, "maps-300-deep", change((0..300).map(deep).collect())),
    ]
}

/// Headers that panic or brick.
fn headers() -> Vec<(u16, &'static str, ExpandedChange)> {
    vec![
        (202, "sequence-gap", with(|change| change.seq = 100)),
        (112, "sequence-of-the-end", with(|change| change.seq = u64::MAX)),
        (
            203,
            "operations-numbered-again",
            with(|change| {
                change.start_op = 3.try_into().unwrap();
                change.operations[0].obj = ObjectId::Root;
            }),
        ),
        (
            113,
            "operations-numbered-at-the-end",
            with(|change| change.start_op = u64::from(u32::MAX).try_into().unwrap()),
        ),
        (114, "before-all-time", with(|change| change.time = i64::MIN)),
        (110, "empty-actor", with(|change| change.actor_id = ActorId::from([].as_slice()))),
        (110, "long-actor", with(|change| change.actor_id = ActorId::from(vec![2; 2_000]))),
        (
            205,
            "a-beginning-of-its-own",
            with(|change| {
                (change.deps, change.start_op) = (Vec::new(), 1.try_into().unwrap());
                change.operations[0].obj = ObjectId::Root;
            }),
        ),
        (2, "orphan", with(|change| change.deps = vec![ChangeHash([9; 32])])),
    ]
}

/// Bytes that are no change, or more than one.
fn bytes() -> Vec<(u16, &'static str, Vec<u8>)> {
    let plain = Change::from(with(|_| {})).raw_bytes().to_vec();
    let run: &[u8] = &[0xc0, 0x8d, 0xb7, 0x01, 1];
    let key = [0xc0, 0x8d, 0xb7, 0x01, 1, b'x'];
    let columns: [(u8, &[u8]); 5] =
        [(0x15, &key), (0x34, &[1]), (0x42, run), (0x56, &[0x7f, 0]), (0x70, &[0x7f, 0])];
    let mut bomb = vec![1];
    bomb.extend(genesis_hash(Kind::Visit).as_bytes());
    bomb.push(16);
    bomb.extend([2; 16]);
    bomb.extend([1, NEXT as u8, 0, 0, 0, columns.len() as u8]);
    columns.iter().for_each(|(spec, bytes)| bomb.extend([vec![*spec], uleb(bytes.len() as u64)].concat()));
    columns.iter().for_each(|(_, bytes)| bomb.extend(*bytes));
    let flipped = [&plain[..plain.len() - 1], &[plain[plain.len() - 1] ^ 1]].concat();
    vec![
        (118, "three-million-operations", chunk(1, &bomb)),
        (102, "compressed", chunk(2, &[0x5a; 90])),
        (102, "a-document", genesis_document()),
        (105, "a-flipped-bit", flipped),
        (104, "cut-short", plain[..plain.len() - 3].to_vec()),
        (104, "two-in-one", [plain.clone(), plain].concat()),
        (101, "garbage", b"nothing of the kind".to_vec()),
    ]
}

fn genesis_document() -> Vec<u8> {
    let mut document = automerge::Automerge::new();
    document.apply_changes([Change::from_bytes(genesis_bytes(Kind::Visit).to_vec()).unwrap()]).unwrap();
    document.save()
}

fn rows() -> Vec<(u16, &'static str, Vec<u8>)> {
    let plain = |(code, name, change): (u16, &'static str, ExpandedChange)| {
        (code, name, Change::from(change).raw_bytes().to_vec())
    };
    let honest =
        [(0, "honest", with(|_| {})), (201, "the-same-number-again", with(|change| change.time += 1))];
    let changes = honest.into_iter().chain(structures()).chain(headers());
    changes.map(plain).chain(bytes()).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_file_of_attacks_is_what_is_built_here() {
    let built: Vec<String> =
        rows().iter().map(|(code, name, bytes)| format!("{code} {name} {}", hex(bytes))).collect();
    let same = FILE.lines().eq(built.iter().map(String::as_str));
    assert!(same, "hostile.txt must be:\n{}", built.join("\n"));
}

#[test]
fn every_attack_upon_a_visit_has_its_code_and_harms_nothing() {
    let start = NoteDocument::new(DOCUMENT, Kind::Visit);
    let submit = |candidate| Submitted {
        candidate,
        person: chart::ids::PersonId::from_bytes([1; 16]),
        device: chart::ids::DeviceId::from_bytes([1; 16]),
    };
    let honest = Candidate::scan(rows().remove(0).2, &Limits::V1).map(submit).unwrap();
    let after_honest = start.take_in(&[honest]).unwrap().note;
    for (code, name, bytes) in rows().into_iter().skip(1) {
        let found = match Candidate::scan(bytes, &Limits::V1) {
            Err(refusal) => refusal.code(),
            Ok(candidate) => {
                let note = if code == 201 { &after_honest } else { &start };
                let taken = note.take_in(&[submit(candidate)]).unwrap();
                assert_eq!(taken.note.save(), note.save(), "{name}");
                match &taken.outcomes[0].1 {
                    session_note::admit::Outcome::Rejected { code, .. } => *code,
                    session_note::admit::Outcome::Waiting { .. } => 2,
                    other => panic!("{name}: {other:?}"),
                }
            }
        };
        assert_eq!(found, code, "{name}");
    }
}
