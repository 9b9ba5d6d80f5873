//! What a content rule is told, and that its word counts.

use automerge::transaction::Transactable;
use automerge::{Automerge, Change, ObjType, ROOT, ReadDoc};
use session_note::admit::{
    AncestryIndex, Candidate, ContentRefusal, ContentView, Edit, Outcome, Policy, Scalar, judge,
};

use crate::world::{actor, changes, codes, commit, note, scan};

type Edits<'e> = &'e dyn Fn(&mut automerge::transaction::Transaction<'_>);

fn edited(document: &Automerge, number: u8, edits: Edits<'_>) -> (Automerge, Change) {
    let mut document = document.clone().with_actor(actor(number));
    let edit = |tx: &mut automerge::transaction::Transaction<'_>| {
        edits(tx);
        Ok::<_, automerge::AutomergeError>(())
    };
    document.transact_with(|_| commit(), edit).unwrap();
    let change = changes(&document).into_iter().last().unwrap();
    (document, change)
}

fn fields(document: &impl ReadDoc) -> automerge::ObjId {
    document.get(ROOT, "fields").unwrap().unwrap().1
}

fn seen_by_rule(document: &Automerge, change: &Change) -> Vec<String> {
    let mut lines = Vec::new();
    let mut rule = |view: &ContentView<'_>| {
        for op in view.ops() {
            let path = op.path().collect::<Vec<_>>().join("/");
            let edit = match op.edit {
                Edit::Put { value: Scalar::Str(text), .. } => format!("put {text}"),
                Edit::Put { .. } => "put".to_owned(),
                Edit::MakeMap { .. } => "map".to_owned(),
                Edit::MakeText { .. } => "text".to_owned(),
                Edit::Delete { .. } => "delete".to_owned(),
                Edit::Insert { text, .. } => format!("insert {text}"),
                Edit::Remove { .. } => "remove".to_owned(),
            };
            let marks = [(op.overwrites_existing_in_ancestry, " over"), (op.into_new_object, " new")];
            let marks: String = marks.iter().filter(|(on, _)| *on).map(|(_, word)| *word).collect();
            lines.push(format!("{path}: {edit}{marks}"));
        }
        Ok(())
    };
    let index = AncestryIndex::of(document).unwrap();
    let judged = judge(document, &index, &[scan(change)], &Policy::default(), &mut rule).unwrap();
    assert_eq!(codes(&judged), [0]);
    lines
}

#[test]
fn a_rule_sees_where_and_what_and_over_what() {
    let (_, change) = edited(&note(), 2, &|tx| {
        let fields = fields(tx);
        tx.put(&fields, "side", "right").unwrap();
        tx.put(&fields, "side", "both").unwrap();
        tx.delete(&fields, "count").unwrap();
        let version = tx.put_object(&fields, "v1", ObjType::Map).unwrap();
        tx.put(&version, "code", "97110").unwrap();
        let plan = tx.get(ROOT, "plan").unwrap().unwrap().1;
        tx.splice_text(&plan, 0, 1, "G").unwrap();
        let aim = tx.put_object(ROOT, "aim", ObjType::Text).unwrap();
        tx.splice_text(&aim, 0, 0, "a").unwrap();
        tx.splice_text(&aim, 0, 1, "").unwrap();
    });
    let expected = [
        "fields/side: put right over",
        "fields/side: put both",
        "fields/count: delete over",
        "fields/v1: map",
        "fields/v1/code: put 97110 new",
        "plan: remove over",
        "plan: insert G",
        "aim: text",
        "aim: insert a new",
        "aim: remove new",
    ];
    let mut seen = seen_by_rule(&note(), &change);
    let mut expected = expected.map(str::to_owned).to_vec();
    seen.sort();
    expected.sort();
    assert_eq!(seen, expected);
}

/// After a signature in the ancestry only `amendments` may change.
fn signed_is_frozen(view: &ContentView<'_>) -> Result<(), ContentRefusal> {
    let signed = !view.keys_seen_at(&["signatures"]).is_empty();
    assert_eq!(view.has_seen_keys_at(&["signatures"]), signed);
    if signed && !view.ops().iter().all(|op| op.is_under(&["amendments"])) {
        return Err(ContentRefusal { code: 301, sentence: "the note was signed".to_owned() });
    }
    Ok(())
}

fn check_frozen(document: &Automerge, candidates: &[Candidate], expected: &[u16]) {
    let index = AncestryIndex::of(document).unwrap();
    let judged = judge(document, &index, candidates, &Policy::default(), &mut signed_is_frozen).unwrap();
    assert_eq!(codes(&judged), expected);
}

#[test]
fn a_rule_decides_by_ancestry_and_not_by_arrival() {
    let (base, skeleton) = edited(&note(), 2, &|tx| {
        tx.put_object(ROOT, "signatures", ObjType::Map).unwrap();
        tx.put_object(ROOT, "amendments", ObjType::Map).unwrap();
    });
    let put_in = |map: &'static str| {
        move |tx: &mut automerge::transaction::Transaction<'_>| {
            let map = tx.get(ROOT, map).unwrap().unwrap().1;
            tx.put(&map, "s1", "by Ada Example").unwrap();
        }
    };
    let (signed, signature) = edited(&base, 3, &put_in("signatures"));
    let (unsigned, revoked) = edited(&signed, 3, &|tx| {
        let map = tx.get(ROOT, "signatures").unwrap().unwrap().1;
        tx.delete(&map, "s1").unwrap();
    });
    let (_, blind) = edited(&base, 4, &put_in("fields"));
    let (_, seeing) = edited(&signed, 5, &put_in("fields"));
    let (_, amendment) = edited(&signed, 6, &put_in("amendments"));
    let (_, sneaking) = edited(&unsigned, 7, &put_in("fields"));
    let candidates = [&skeleton, &signature, &blind, &seeing, &amendment, &revoked, &sneaking].map(scan);
    check_frozen(&note(), &candidates, &[0, 0, 0, 301, 0, 301, 211]);
    let mut backwards = candidates;
    backwards.reverse();
    check_frozen(&note(), &backwards, &[211, 301, 0, 301, 0, 0, 0]);
}

#[test]
fn a_rule_may_ask_whether_a_change_was_seen() {
    let (document, first) = edited(&note(), 2, &|tx| tx.put(ROOT, "x", 1).unwrap());
    let (_, second) = edited(&document, 3, &|tx| tx.put(ROOT, "y", 1).unwrap());
    let (_, beside) = edited(&note(), 4, &|tx| tx.put(ROOT, "z", 1).unwrap());
    let target = scan(&first).sketch().hash;
    let mut saw = Vec::new();
    let mut rule = |view: &ContentView<'_>| {
        saw.push((view.sketch().actor.as_bytes()[0], view.ancestry_contains(&target)));
        Ok(())
    };
    let index = AncestryIndex::of(&note()).unwrap();
    let candidates = [&first, &second, &beside].map(scan);
    let judged = judge(&note(), &index, &candidates, &Policy::default(), &mut rule).unwrap();
    assert!(judged.outcomes().iter().all(|(_, outcome)| *outcome == Outcome::Admitted));
    assert_eq!(saw, [(2, false), (3, true), (4, false)]);
    let (_, index, _) = judged.into_document();
    let hash = |change| scan(change).sketch().hash;
    assert!(index.is_ancestor(&target, &hash(&second)) && index.is_ancestor(&target, &target));
    assert!(!index.is_ancestor(&hash(&second), &target) && !index.is_ancestor(&target, &hash(&beside)));
}

#[test]
fn the_page_lists_every_code_with_its_sentence() {
    use session_note::admit::{DoorRefusal as D, JudgeRefusal as J};
    let on = chart::ids::ChangeHash::from_bytes([0; 32]);
    let door = [
        D::NotAChunk,
        D::WrongKind(2),
        D::TooLarge { bytes: 262_145, limit: 262_144 },
        D::WrongLength,
        D::WrongChecksum,
        D::Truncated,
        D::BadNumber,
        D::BadText,
        D::BadDependencies,
        D::BadActor,
        D::BadOtherActors,
        D::BadSeq,
        D::BadStartOp,
        D::BadTime,
        D::MessageTooLong,
        D::BadColumn,
        D::NoOps,
        D::TooManyOps(5_000),
        D::TooManyPreds(10_000),
        D::RowsDiffer,
        D::NotCanonical,
        D::ActionNotAllowed(7),
        D::BadOperation,
        D::BadKey,
        D::BadValue,
        D::BadReference,
        D::PredsNotSorted,
        D::BadFooter,
    ];
    let judge = [
        J::Equivocation,
        J::SeqNotNext,
        J::StartOpTooLow,
        J::StartOpTooHigh,
        J::NoDependencies,
        J::ObjectUnknown,
        J::ObjectKind,
        J::ElementUnknown,
        J::PredsNotCurrent,
        J::TooDeep,
        J::DependsOnRejected { on },
        J::EngineFailed,
        J::NotReloadable,
        J::TooManyActors(1_024),
    ];
    let door = door.iter().map(|refusal| format!("| {} | {refusal} |", refusal.code()));
    let judge = judge.iter().map(|refusal| format!("| {} | {refusal} |", refusal.code()));
    let page = include_str!("../../../../docs/gate.md");
    let listed: Vec<&str> =
        page.lines().filter(|line| line.starts_with("| 1") || line.starts_with("| 2")).collect();
    let listed: Vec<&str> = listed.into_iter().filter(|line| line.split('|').count() == 4).collect();
    assert_eq!(listed, door.chain(judge).collect::<Vec<_>>());
}
