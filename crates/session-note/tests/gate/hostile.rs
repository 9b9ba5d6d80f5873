//! Every known way to make the document engine panic, poison a document or burn memory, refused.
//! The expected code stands beside each attack; the document must be as it was.

use automerge::legacy::{ElementId, Key, MarkData, ObjectId, Op, OpId, OpType, SortedVec};
use automerge::{Automerge, Change, ExpandedChange, ObjType, ScalarValue};
use session_note::admit::{Candidate, Limits, Policy, Roots, judge};

use crate::world::{NOON, actor, anything, assert_healthy, codes, judge_all, note, scan};

/// Names in [`note`]: operation 1 makes the text, 2 to 14 its letters, 15 the map, 16 and 17 its
/// fields `side` and `count`, 18 the map `inner`.
fn id(counter: u64) -> OpId {
    OpId(counter, actor(1))
}

fn stranger(counter: u64) -> OpId {
    OpId(counter, actor(66))
}

fn own(counter: u64) -> OpId {
    OpId(counter, actor(2))
}

fn field(key: &str) -> Key {
    Key::Map(key.into())
}

fn element(id: OpId) -> Key {
    Key::Seq(ElementId::Id(id))
}

fn put(value: impl Into<ScalarValue>) -> OpType {
    OpType::Put(value.into())
}

fn op(obj: Option<OpId>, key: Key, action: OpType, pred: &[OpId]) -> Op {
    let obj = obj.map_or(ObjectId::Root, ObjectId::Id);
    Op { action, obj, key, pred: SortedVec::from(pred.to_vec()), insert: false }
}

fn insert(obj: Option<OpId>, key: Key, action: OpType) -> Op {
    Op { insert: true, ..op(obj, key, action, &[]) }
}

/// A well-formed first change of actor 2 upon the note.
fn change(operations: Vec<Op>) -> ExpandedChange {
    ExpandedChange {
        operations,
        actor_id: actor(2),
        hash: None,
        seq: 1,
        start_op: 19.try_into().unwrap(),
        time: NOON,
        message: None,
        deps: note().get_heads(),
        extra_bytes: Vec::new(),
        author: None,
    }
}

pub(crate) fn verdict_on(document: &Automerge, bytes: Vec<u8>) -> u16 {
    let before = document.save();
    let code = match Candidate::scan(bytes, &Limits::V1) {
        Err(refusal) => refusal.code(),
        Ok(candidate) => {
            let judged = judge_all(document, &[candidate]);
            let code = codes(&judged)[0];
            assert_healthy(&judged.into_document().0);
            code
        }
    };
    assert_eq!(document.save(), before);
    code
}

fn check(name: &str, expected: u16, change: ExpandedChange) {
    let bytes = Change::from(change).raw_bytes().to_vec();
    assert_eq!(verdict_on(&note(), bytes), expected, "{name}");
}

fn check_op(name: &str, expected: u16, operation: Op) {
    check(name, expected, change(vec![operation]));
}

#[test]
fn what_an_honest_editor_writes_is_the_control() {
    check_op("put", 0, op(None, field("x"), put("y"), &[]));
    check_op("overwrite", 0, op(Some(id(15)), field("side"), put("right"), &[id(16)]));
    check_op("delete", 0, op(Some(id(15)), field("side"), OpType::Delete, &[id(16)]));
    check_op("insert", 0, insert(Some(id(1)), element(id(14)), put("s")));
    check_op("remove", 0, op(Some(id(1)), element(id(14)), OpType::Delete, &[id(14)]));
}

#[test]
fn references_to_what_does_not_exist_are_refused() {
    check_op("object that does not exist", 206, op(Some(stranger(5)), field("x"), put(1), &[]));
    check_op("object that is a scalar", 206, op(Some(id(16)), field("x"), put(1), &[]));
    check_op("object that is a letter", 206, op(Some(id(2)), field("x"), put(1), &[]));
    check_op("insert after a missing element", 208, insert(Some(id(1)), element(stranger(5)), put("x")));
    check_op("insert after the text itself", 208, insert(Some(id(1)), element(id(1)), put("x")));
    check_op(
        "remove a missing element",
        208,
        op(Some(id(1)), element(stranger(5)), OpType::Delete, &[stranger(5)]),
    );
    check_op("pred that does not exist", 209, op(Some(id(15)), field("side"), put(1), &[stranger(16)]));
    check_op("pred of another field", 209, op(Some(id(15)), field("side"), put(1), &[id(17)]));
    check_op("pred missing", 209, op(Some(id(15)), field("side"), put(1), &[]));
    check_op("pred too many", 209, op(Some(id(15)), field("side"), put(1), &[id(16), id(17)]));
    check_op("delete what is not there", 209, op(None, field("x"), OpType::Delete, &[id(16)]));
    check_op("pred that is itself", 126, op(None, field("x"), put(1), &[own(19)]));
    check_op("pred in the future", 126, op(None, field("x"), put(1), &[own(4_000_000_000)]));
    check_op("object that is itself", 126, op(Some(own(19)), field("x"), put(1), &[]));
    check_op("delete without pred", 123, op(Some(id(15)), field("side"), OpType::Delete, &[]));
    check_op("remove another's pred", 123, op(Some(id(1)), element(id(14)), OpType::Delete, &[id(13)]));
    let aim = op(None, field("aim"), OpType::Make(ObjType::Text), &[]);
    let stray = insert(Some(own(19)), element(id(14)), put("x"));
    check("insert after an element of another text", 208, change(vec![aim.clone(), stray]));
    let stray = op(Some(own(19)), element(id(14)), OpType::Delete, &[id(14)]);
    check("remove an element of another text", 208, change(vec![aim, stray]));
    let twice = op(Some(id(1)), element(id(14)), OpType::Delete, &[id(14)]);
    check("remove twice", 209, change(vec![twice.clone(), twice]));
}

#[test]
fn operations_that_do_not_fit_their_object_are_refused() {
    check_op("field of a text", 207, op(Some(id(1)), field("x"), put(1), &[]));
    check_op("insert into a map", 207, insert(Some(id(15)), Key::Seq(ElementId::Head), put("x")));
    check_op("insert into the root", 207, insert(None, Key::Seq(ElementId::Head), put("x")));
    check_op("insert with a field name", 123, insert(None, field("x"), put("x")));
    check_op("number in a text", 123, insert(Some(id(1)), element(id(14)), put(7)));
    check_op("nothing in a text", 123, insert(Some(id(1)), element(id(14)), put("")));
    check_op("block in a text", 123, insert(Some(id(1)), element(id(14)), OpType::Make(ObjType::Map)));
    check_op("overwrite in a text", 123, op(Some(id(1)), element(id(14)), put("x"), &[id(14)]));
    check_op("list", 122, op(None, field("x"), OpType::Make(ObjType::List), &[]));
    check_op("table", 122, op(None, field("x"), OpType::Make(ObjType::Table), &[]));
    check_op("increment of a text", 122, op(Some(id(15)), field("side"), OpType::Increment(1), &[id(16)]));
    check_op("counter", 125, op(None, field("x"), put(ScalarValue::counter(1)), &[]));
    let unknown = ScalarValue::Unknown { type_code: 12, bytes: vec![1, 2] };
    check_op("unknown value", 125, op(None, field("x"), put(unknown), &[]));
    check_op("not a number", 125, op(None, field("x"), put(f64::NAN), &[]));
    check_op("empty key", 124, op(None, field(""), put(1), &[]));
    check_op("long key", 124, op(None, field(&"k".repeat(257)), put(1), &[]));
    check_op("long value", 125, op(None, field("x"), put("v".repeat(64 * 1024 + 1)), &[]));
    let mark = MarkData { name: "bold".into(), value: true.into(), expand: false };
    check_op("mark in the root", 116, insert(None, Key::Seq(ElementId::Head), OpType::MarkBegin(mark)));
    check_op("mark end without begin", 122, insert(Some(id(1)), element(id(3)), OpType::MarkEnd(false)));
    check_op("expanding mark end", 116, insert(Some(id(1)), element(id(3)), OpType::MarkEnd(true)));
}

#[test]
fn headers_that_brick_a_document_are_refused() {
    let control = || change(vec![op(None, field("x"), put(1), &[])]);
    let with = |edit: fn(&mut ExpandedChange)| {
        let mut change = control();
        edit(&mut change);
        change
    };
    check("control", 0, control());
    check("start_op too low", 203, with(|c| c.start_op = 18.try_into().unwrap()));
    check("start_op 1", 203, with(|c| c.start_op = 1.try_into().unwrap()));
    check("start_op leaps", 204, with(|c| c.start_op = 1_100_000.try_into().unwrap()));
    check("start_op 2^32 - 1", 113, with(|c| c.start_op = u64::from(u32::MAX).try_into().unwrap()));
    check("seq 0", 112, with(|c| c.seq = 0));
    check("seq gap", 202, with(|c| c.seq = 2));
    check("seq 100", 202, with(|c| c.seq = 100));
    check("seq 2^64 - 1", 112, with(|c| c.seq = u64::MAX));
    check("time before all time", 114, with(|c| c.time = i64::MIN));
    check("time after all time", 114, with(|c| c.time = i64::MAX));
    check("time in seconds", 114, with(|c| c.time = 1_773_748_800));
    check("time unsaid", 0, with(|c| c.time = 0));
    check("empty actor", 110, with(|c| c.actor_id = automerge::ActorId::from([].as_slice())));
    check("derived actor", 110, with(|c| c.actor_id = automerge::ActorId::from([2; 17].as_slice())));
    check("long actor", 110, with(|c| c.actor_id = automerge::ActorId::from(vec![2; 100_000])));
    check("long message", 115, with(|c| c.message = Some("m".repeat(1_025))));
    check("repeated dependency", 109, with(|c| c.deps = [c.deps.clone(), c.deps.clone()].concat()));
    check(
        "too many dependencies",
        109,
        with(|c| c.deps = (0..65).map(|n| automerge::ChangeHash([n; 32])).collect()),
    );
    check("no operation", 117, with(|c| c.operations.clear()));
    check("unknown footer", 128, with(|c| c.extra_bytes = vec![9, 1, 1]));
    check("footer with a tail", 128, with(|c| c.extra_bytes = vec![1, 1, 1, 1]));
    check("author on a later change", 128, with(|c| (c.seq, c.extra_bytes) = (2, vec![1, 1, 1])));
}

#[test]
fn only_a_known_beginning_begins_a_document() {
    let mut beginning = change(vec![op(None, field("x"), put(1), &[])]);
    (beginning.deps, beginning.start_op) = (Vec::new(), 1.try_into().unwrap());
    let candidate = scan(&Change::from(beginning));
    let judge_with = |roots| {
        let policy = Policy { roots, ..Policy::default() };
        let index = session_note::admit::AncestryIndex::of(&note()).unwrap();
        codes(&judge(&note(), &index, std::slice::from_ref(&candidate), &policy, &mut anything).unwrap())
    };
    assert_eq!(judge_with(Roots::Only([].into())), [205]);
    assert_eq!(judge_with(Roots::Only([candidate.sketch().hash].into())), [0]);
}

#[test]
fn deep_nesting_is_refused_where_it_begins() {
    let nest = |depth: u64| {
        let object = |level: u64| (level > 0).then(|| own(18 + level));
        change(
            (0..depth).map(|level| op(object(level), field("m"), OpType::Make(ObjType::Map), &[])).collect(),
        )
    };
    check("eight deep", 0, nest(8));
    check("nine deep", 210, nest(9));
    check("three hundred deep", 210, nest(300));
}

#[test]
fn a_second_change_under_one_sequence_number_is_equivocation() {
    let one = change(vec![op(None, field("x"), put(1), &[])]);
    let other = change(vec![op(None, field("x"), put(2), &[])]);
    let candidates = [scan(&Change::from(one)), scan(&Change::from(other))];
    assert_eq!(codes(&judge_all(&note(), &candidates)), [0, 201]);
    let (document, _, admitted) = judge_all(&note(), &candidates[..1]).into_document();
    assert_eq!(admitted.len(), 1);
    assert_eq!(codes(&judge_all(&document, &candidates)), [1, 201]);
}

#[test]
fn descendants_of_a_rejected_change_follow_it_and_others_do_not() {
    let bad = Change::from(change(vec![op(None, field("x"), put(1), &[id(16)])]));
    let mut child = change(vec![op(None, field("y"), put(1), &[])]);
    (child.deps, child.seq, child.start_op) = (vec![bad.hash()], 2, 20.try_into().unwrap());
    let child = Change::from(child);
    let mut sound = change(vec![op(None, field("z"), put(1), &[])]);
    sound.actor_id = actor(3);
    let sound = Change::from(sound);
    let candidates = [scan(&child), scan(&sound), scan(&bad)];
    let judged = judge_all(&note(), &candidates);
    assert_eq!(codes(&judged), [211, 0, 209]);
    let (document, _, admitted) = judged.into_document();
    assert_eq!(admitted.iter().map(|change| change.get().hash()).collect::<Vec<_>>(), [sound.hash()]);
    assert_healthy(&document);
}

#[test]
fn what_only_a_concurrent_change_made_is_not_in_the_ancestry() {
    let mut made = change(vec![op(None, field("theirs"), OpType::Make(ObjType::Map), &[])]);
    made.actor_id = actor(3);
    let made = Change::from(made);
    let mut into = change(vec![op(Some(OpId(19, actor(3))), field("x"), put(1), &[])]);
    into.start_op = 20.try_into().unwrap();
    let blind = scan(&Change::from(into.clone()));
    into.deps = vec![made.hash()];
    let seeing = scan(&Change::from(into));
    let made = scan(&made);
    assert_eq!(codes(&judge_all(&note(), &[made.clone(), blind.clone()])), [0, 206]);
    assert_eq!(codes(&judge_all(&note(), &[blind, made.clone()])), [206, 0]);
    assert_eq!(codes(&judge_all(&note(), &[seeing, made])), [0, 0]);
}

#[test]
fn thousands_of_orphans_wait_outside_the_document() {
    let orphan = |number: u64| {
        let mut orphan = change(vec![op(None, field("x"), put(1), &[])]);
        orphan.deps = vec![automerge::ChangeHash([9; 32])];
        orphan.time = NOON + number as i64;
        scan(&Change::from(orphan))
    };
    let orphans: Vec<Candidate> = (0..5_000).map(orphan).collect();
    let judged = judge_all(&note(), &orphans);
    assert!(codes(&judged).iter().all(|code| *code == 2));
    assert_eq!(judged.into_document().0.save(), note().save());
}
