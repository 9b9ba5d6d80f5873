//! Every known way to make the document engine panic, poison a document or burn memory, refused.
//! The expected code stands beside each attack; the document must be as it was.

use automerge::legacy::{Op, OpId, OpType};
use automerge::{Automerge, Change, ExpandedChange, ObjType, ScalarValue};
use session_note::admit::{AncestryIndex, Candidate, Limits, Policy, Roots, judge};

use crate::attacks::{Attack, Ground, field, op, raw};
use crate::table::table;
use crate::world::{NOON, actor, anything, assert_healthy, codes, judge_all, note, scan};

/// Names in [`note`]: operation 1 makes the text, 2 to 14 its letters, 15 the map, 16 and 17 its
/// fields `side` and `count`, 18 the map `inner`.
fn id(counter: u64) -> OpId {
    OpId(counter, actor(1))
}

fn put(value: impl Into<ScalarValue>) -> OpType {
    OpType::Put(value.into())
}

/// A well-formed first change of actor 2 upon the note.
fn change(operations: Vec<Op>) -> ExpandedChange {
    ground().change(operations)
}

/// The gate's word on a change, where a document of its own may not begin.
pub(crate) fn verdict_on(document: &Automerge, bytes: Vec<u8>) -> u16 {
    let before = document.save();
    let code = match Candidate::scan(bytes, &Limits::V1) {
        Err(refusal) => refusal.code(),
        Ok(candidate) => {
            let policy = Policy { roots: Roots::Only([].into()), ..Policy::default() };
            let index = AncestryIndex::of(document).unwrap();
            let judged = judge(document, &index, &[candidate], &policy, &mut anything).unwrap();
            let code = codes(&judged)[0];
            assert_healthy(&judged.into_document().0);
            code
        }
    };
    assert_eq!(document.save(), before);
    code
}

/// The ground under all attacks: [`note`] and actor 2, who has not said anything.
pub(crate) fn ground() -> Ground {
    Ground {
        heads: note().get_heads(),
        start_op: 19,
        actor: actor(2),
        time: NOON,
        first: Vec::new(),
        text: id(1),
        letter: id(14),
        other_letter: id(13),
        map: id(15),
        field: "side".to_owned(),
        value: id(16),
        other_value: id(17),
    }
}

fn check(name: &str, expected: u16, change: ExpandedChange) {
    assert_eq!(verdict_on(&note(), raw(change)), expected, "{name}");
}

#[test]
fn every_row_of_the_table_has_its_code() {
    let rows = table(&ground());
    assert!(rows.len() > 100, "{}", rows.len());
    for Attack { name, code, bytes, after } in rows {
        let mut document = note();
        if let Some(before) = after {
            document =
                judge_all(&document, &[Candidate::scan(before, &Limits::V1).unwrap()]).into_document().0;
        }
        assert_eq!(verdict_on(&document, bytes), code, "{name}");
    }
}

#[test]
fn what_an_honest_editor_writes_is_the_control() {
    check("delete", 0, change(vec![op(Some(&id(15)), field("side"), OpType::Delete, &[&id(16)])]));
    check("time unsaid", 0, ExpandedChange { time: 0, ..change(vec![op(None, field("x"), put(1), &[])]) });
}

#[test]
fn deep_nesting_is_refused_where_it_begins() {
    let nest = |depth: u64| {
        let outer = |level: u64| (level > 0).then(|| OpId(18 + level, actor(2)));
        let make = |level| op(outer(level).as_ref(), field("m"), OpType::Make(ObjType::Map), &[]);
        change((0..depth).map(make).collect())
    };
    check("eight deep", 0, nest(8));
    check("nine deep from the root", 210, nest(9));
}

#[test]
fn only_a_known_beginning_begins_a_document() {
    let mut beginning = change(vec![op(None, field("x"), put(1), &[])]);
    (beginning.deps, beginning.start_op) = (Vec::new(), 1.try_into().unwrap());
    let candidate = scan(&Change::from(beginning));
    let judge_with = |roots| {
        let policy = Policy { roots, ..Policy::default() };
        let index = AncestryIndex::of(&note()).unwrap();
        codes(&judge(&note(), &index, std::slice::from_ref(&candidate), &policy, &mut anything).unwrap())
    };
    assert_eq!(judge_with(Roots::Only([].into())), [205]);
    assert_eq!(judge_with(Roots::Only([candidate.sketch().hash].into())), [0]);
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
    let bad = Change::from(change(vec![op(None, field("x"), put(1), &[&id(16)])]));
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
    let mut into = change(vec![op(Some(&OpId(19, actor(3))), field("x"), put(1), &[])]);
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
