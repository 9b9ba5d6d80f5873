//! What two tablets can do to one note, told as sentences; every merge goes through the gate.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::collections::{BTreeMap, BTreeSet};

use automerge::transaction::Transactable;
use automerge::{ReadDoc, Value};
use chart::entropy::Entropy;
use chart::ids::{ActivityId, ActorId, ChangeHash, CommandId, DeviceId, DocumentId, PersonId, SegmentId};
use chart::register::Fact;
use chart::time::{ClockTime, Timestamp};
use chart::visit::Visit;
use session_note::admission::{Submitted, code};
use session_note::admit::{Candidate, Limits, Outcome};
use session_note::schema::Kind;
use session_note::{Author, Command, CommandError, Committed, Issued, NoteDocument, facts};

const ACTIVITY: ActivityId = ActivityId::from_bytes([0xaa; 16]);
const SEGMENT: SegmentId = SegmentId::from_bytes([0xbb; 16]);
const VISIT: DocumentId = DocumentId::from_bytes([0xcc; 16]);

struct Counter(u64);
impl Entropy for Counter {
    fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            *byte = (self.0 >> 56) as u8;
        }
    }
}

/// One person with one tablet's copy of the note.
#[derive(Clone)]
struct Tablet {
    author: Author,
    note: NoteDocument,
    counter: u64,
}

impl Tablet {
    fn new(n: u8) -> Self {
        let author = Author {
            person: PersonId::from_bytes([n; 16]),
            device: DeviceId::from_bytes([n + 100; 16]),
            actor: ActorId::from_bytes([n + 200; 16]),
        };
        Self { author, note: NoteDocument::new(VISIT, Kind::Visit), counter: u64::from(n) << 32 }
    }
    fn copy_of(other: &Tablet, n: u8) -> Self {
        Self { note: other.note.clone(), ..Self::new(n) }
    }
    fn try_do(&mut self, json: &str) -> Result<Committed, CommandError> {
        self.do_at(&self.note.heads(), json)
    }
    fn do_at(&mut self, seen: &BTreeSet<ChangeHash>, json: &str) -> Result<Committed, CommandError> {
        self.counter += 1;
        let mut entropy = Counter(self.counter);
        let command: Command = serde_json::from_str(json).expect(json);
        let issued = Issued { id: CommandId::random(&mut entropy), command };
        let fresh = ActorId::random(&mut entropy);
        let at = Timestamp::from_unix_ms(1_773_000_000_000 + i64::try_from(self.counter % 1000).unwrap());
        self.note.commit(&self.author, fresh, at, seen, &[issued])
    }
    fn does(&mut self, json: &str) -> Committed {
        self.try_do(json).unwrap_or_else(|error| panic!("{json}: {error}"))
    }
    fn visit(&self) -> Visit {
        self.note.read_visit().value.clone()
    }
    /// Takes in what the other holds, through the gate, under the authors the other's note names.
    fn hears(&mut self, other: &Tablet) {
        let authors: BTreeMap<ChangeHash, (PersonId, DeviceId)> = other
            .note
            .history()
            .into_iter()
            .map(|entry| (entry.by.change.unwrap(), (entry.by.person, entry.by.device)))
            .collect();
        let changes = other.note.changes_since(&self.note.heads());
        let submitted = changes.into_iter().map(|(hash, bytes)| submit(bytes, authors[&hash]));
        let admission = self.note.admit(&submitted.collect::<Vec<_>>()).unwrap();
        for (_, outcome) in &admission.outcomes {
            assert!(matches!(outcome, Outcome::Admitted | Outcome::AlreadyKnown), "{outcome:?}");
        }
        self.note = admission.note;
    }
    fn segment(&self) -> Fact<String> {
        let slice = facts::slice(&self.visit());
        let only = slice.segments.first().expect("a segment");
        only.value.map(|value| value.end.map_or("running".to_owned(), ClockTime::hour_minute))
    }
}

fn submit(bytes: Vec<u8>, (person, device): (PersonId, DeviceId)) -> Submitted {
    Submitted { candidate: Candidate::scan(bytes, &Limits::V1).unwrap(), person, device }
}

fn start(code: &str) -> String {
    format!(
        r#"{{"command":"start_segment","activity":"{ACTIVITY}","segment":"{SEGMENT}","code":"{code}",
            "start":"2026-03-17T09:00-05:00","mode":"one_on_one"}}"#
    )
}
fn stop(end: &str) -> String {
    format!(
        r#"{{"command":"stop_segment","activity":"{ACTIVITY}","segment":"{SEGMENT}","end":"2026-03-17T{end}-05:00"}}"#
    )
}
fn correct(end: &str) -> String {
    format!(
        r#"{{"command":"correct_segment","activity":"{ACTIVITY}","segment":"{SEGMENT}",
            "set":{{"end":"2026-03-17T{end}-05:00"}},"reason":"watched the wall clock"}}"#
    )
}
fn splice(position: usize, delete: usize, insert: &str) -> String {
    format!(
        r#"{{"command":"splice_text","field":"plan","position":{position},"delete":{delete},"insert":"{insert}"}}"#
    )
}
const SIGN: &str = r#"{"command":"sign","meaning":"author","credentials":"PT, DPT"}"#;

fn two_tablets() -> (Tablet, Tablet) {
    let mut a = Tablet::new(1);
    a.does(&start("97112"));
    let b = Tablet::copy_of(&a, 2);
    (a, b)
}

#[test]
fn two_concurrent_ends_are_both_kept_and_nobody_wins() {
    let (mut a, mut b) = two_tablets();
    a.does(&stop("09:17"));
    b.does(&stop("09:20"));
    a.hears(&b);
    b.hears(&a);
    assert_eq!(a.note.heads(), b.note.heads());
    assert_eq!(a.visit(), b.visit());
    assert_eq!(a.segment().values(), ["09:17", "09:20"]);
    let dispute = &session_note::dispute::disputes(&a.visit())[0];
    let authors: Vec<PersonId> = dispute.sides.iter().flat_map(|side| &side.by).map(|by| by.person).collect();
    assert_eq!(authors, [a.author.person, b.author.person]);
}

#[test]
fn equal_ends_from_two_tablets_make_no_dispute() {
    let (mut a, mut b) = two_tablets();
    a.does(&stop("09:17"));
    b.does(&stop("09:17"));
    a.hears(&b);
    assert_eq!(a.segment(), Fact::Agreed("09:17".to_owned()));
    a.does(&correct("09:18"));
    assert_eq!(a.segment(), Fact::Agreed("09:18".to_owned()), "a correction replaces both equal versions");
}

#[test]
fn a_choice_settles_a_dispute_and_keeps_both_sides_readable() {
    let (mut a, mut b) = two_tablets();
    a.does(&stop("09:17"));
    b.does(&stop("09:20"));
    a.hears(&b);
    assert_eq!(a.try_do(&correct("09:18")), Err(CommandError::Disputed));
    let dispute = session_note::dispute::disputes(&a.visit()).remove(0);
    let chosen = dispute.sides[1].versions.first().unwrap();
    let fact = &dispute.fact;
    a.does(&format!(
        r#"{{"command":"resolve","fact":"{fact}","choose":"{chosen}","reason":"asked the patient"}}"#
    ));
    assert_eq!(a.segment(), Fact::Agreed("09:20".to_owned()));
    assert_eq!(a.visit().activities[&ACTIVITY].segments[&SEGMENT].versions().len(), 4);
}

#[test]
fn text_typed_on_two_tablets_is_all_there() {
    let (mut a, mut b) = two_tablets();
    a.does(&splice(0, 0, "left hand opens"));
    b.does(&splice(0, 0, "ball release x5"));
    a.hears(&b);
    let plan = a.visit().text["plan"].clone();
    assert!(plan.contains("left hand opens") && plan.contains("ball release x5"), "{plan}");
    assert_eq!(a.note.read_visit().concurrent, ["text/plan"]);
    a.does(&splice(0, 0, "1. "));
    assert!(a.note.read_visit().concurrent.is_empty(), "somebody who saw both has edited it");
}

#[test]
fn a_splice_lands_where_its_author_saw_it() {
    let (mut a, mut b) = two_tablets();
    a.does(&splice(0, 0, "grasp and release"));
    b.hears(&a);
    let seen = b.note.heads();
    a.does(&splice(0, 0, ">>>>>>>>>> "));
    b.hears(&a);
    let done = b.do_at(&seen, &splice(5, 0, " hold")).unwrap();
    assert_eq!(b.visit().text["plan"], ">>>>>>>>>> grasp hold and release");
    assert_eq!(done.base, seen);
}

#[test]
fn a_signature_covers_what_was_shown_and_a_later_merge_makes_it_stale() {
    let (mut a, mut b) = two_tablets();
    b.does(&stop("09:20"));
    b.does(SIGN);
    let signed = b.visit().signatures.values().next().unwrap().content.clone();
    assert!(facts::note(&b.note).signatures[0].current);
    a.does(&stop("09:17"));
    b.hears(&a);
    let after = facts::note(&b.note).signatures[0].clone();
    assert!(!after.current);
    assert_eq!(after.unseen.len(), 1, "the change the signer had not seen");
    assert_eq!(b.visit().signatures.values().next().unwrap().content, signed, "byte for byte as signed");
}

#[test]
fn whoever_has_seen_the_signature_can_only_amend() {
    let (mut a, _) = two_tablets();
    a.does(&stop("09:20"));
    a.does(SIGN);
    assert_eq!(a.try_do(&splice(0, 0, "more")), Err(CommandError::Signed("splice_text")));
    a.does(r#"{"command":"amend","kind":"addendum","text":"heel raise added","reason":"left out"}"#);
    a.does(r#"{"command":"comment","anchor":"text/plan","text":"see addendum"}"#);
    assert!(facts::note(&a.note).signatures[0].current, "an amendment is not part of the signed content");
    a.does(&correct("09:19"));
    assert!(!facts::note(&a.note).signatures[0].current, "a correction of a time asks for a new signature");
}

#[test]
fn choosing_the_shown_side_of_a_plain_conflict_removes_nothing_and_passes_the_gate() {
    let (mut a, mut b) = two_tablets();
    let set = |value: &str| format!(r#"{{"command":"set_field","field":"response","value":"{value}"}}"#);
    a.does(&set("opens on cue"));
    b.does(&set("needs two cues"));
    a.hears(&b);
    assert_eq!(a.note.read_visit().concurrent, ["fields/response"]);
    let shown = a.visit().fields["response"].clone();
    a.does(&set(&shown));
    b.hears(&a);
    assert_eq!(b.visit().fields["response"], shown);
    assert!(b.note.read_visit().concurrent.is_empty());
}

#[test]
fn a_running_activity_stopped_by_a_merge_is_not_stopped_twice() {
    let (mut a, mut b) = two_tablets();
    a.does(&stop("09:17"));
    b.hears(&a);
    assert_eq!(b.try_do(&stop("09:20")), Err(CommandError::NotRunning));
}

#[test]
fn one_activity_started_on_two_tablets_becomes_one_disputed_segment() {
    let (mut a, mut b) = (Tablet::new(1), Tablet::new(2));
    let begin = |start: &str| {
        format!(
            r#"{{"command":"start_segment","code":"97112","start":"2026-03-17T{start}-05:00","mode":"one_on_one"}}"#
        )
    };
    a.does(&begin("09:00"));
    b.does(&begin("09:01"));
    a.hears(&b);
    let activities: Vec<ActivityId> = a.visit().activities.keys().copied().collect();
    assert_eq!(facts::slice(&a.visit()).segments.len(), 2);
    a.does(&format!(r#"{{"command":"same_activity","a":"{}","b":"{}"}}"#, activities[0], activities[1]));
    let slice = facts::slice(&a.visit());
    assert_eq!(slice.segments.len(), 1);
    assert!(slice.segments[0].value.is_disputed());
}

/// Opens the saved note with the engine itself, as a newer or a hostile version could.
fn by_hand(note: &NoteDocument, edit: impl FnOnce(&mut automerge::Automerge)) -> NoteDocument {
    let mut doc = automerge::Automerge::load(&note.save()).unwrap();
    edit(&mut doc);
    NoteDocument::load(note.id(), note.kind(), &doc.save()).unwrap()
}

fn put(doc: &mut automerge::Automerge, map: &str, key: &str, value: &str) {
    let mut tx = doc.transaction();
    let (_, map) = tx.get(automerge::ROOT, map).unwrap().unwrap();
    tx.put(&map, key, value).unwrap();
    tx.commit();
}

#[test]
fn fields_and_values_of_a_newer_version_pass_through_an_older_one() {
    let mut a = Tablet::new(1);
    a.does(&start("97112"));
    let opened = a.visit().activities[&ACTIVITY].segments[&SEGMENT].versions()[0].id;
    let newer = format!(
        r#"{{"value":{{"code":"97112","start":"2026-03-17T09:00-05:00","mode":"immersive","future":{{"x":[1,2]}}}},
            "replaces":["{opened}"]}}"#
    );
    a.note = by_hand(&a.note, |doc| {
        put(
            doc,
            "registers",
            &format!("segment/{ACTIVITY}/{SEGMENT}/{}", SegmentId::from_bytes([7; 16])),
            &newer,
        );
        let mut tx = doc.transaction();
        tx.put(automerge::ROOT, "a_root_key_of_tomorrow", "x").unwrap();
        tx.commit();
    });
    a.does(&correct("09:20"));
    let saved = automerge::Automerge::load(&a.note.save()).unwrap();
    let (_, registers) = saved.get(automerge::ROOT, "registers").unwrap().unwrap();
    let raw: Vec<String> = saved
        .keys(&registers)
        .map(|key| saved.get(&registers, key).unwrap().unwrap().0.as_str().unwrap().to_owned())
        .collect();
    let newest = raw.iter().find(|text| text.contains("09:20")).expect("the corrected version");
    assert!(newest.contains(r#""future":{"x":[1,2]}"#) && newest.contains("immersive"), "{newest}");
}

#[test]
fn a_damaged_value_is_a_problem_and_never_a_failure() {
    let mut a = Tablet::new(1);
    a.does(&start("97112"));
    a.note = by_hand(&a.note, |doc| {
        put(doc, "registers", "payer/not-a-version", "{}");
        put(doc, "comments", &VISIT.to_string(), "not json");
        put(doc, "header", "patient", "nobody");
    });
    let reading = a.note.read_visit();
    assert_eq!(reading.problems.len(), 3, "{:?}", reading.problems);
    assert!(reading.value.activities.contains_key(&ACTIVITY));
}

#[test]
fn the_gate_lets_nobody_speak_for_another_rewrite_a_version_or_touch_signed_text() {
    let (mut a, _) = two_tablets();
    a.does(&stop("09:17"));
    a.does(SIGN);
    let known = a.note.visit_register_key();
    type Attempt = (&'static str, Box<dyn Fn(&mut automerge::Automerge)>, u16);
    let attempts: [Attempt; 4] = [
        ("speaks for nobody", Box::new(|doc| put(doc, "comments", "x", "{}")), code::NOT_ITS_AUTHOR),
        (
            "rewrites a version",
            Box::new(move |doc| put(doc, "registers", &known, "{}")),
            code::VERSION_REWRITTEN,
        ),
        ("edits a signed field", Box::new(|doc| put(doc, "fields", "response", "x")), code::SIGNED_FROZEN),
        (
            "removes a container",
            Box::new(|doc| {
                let mut tx = doc.transaction();
                tx.delete(automerge::ROOT, "registers").unwrap();
                tx.commit();
            }),
            code::REMOVAL,
        ),
    ];
    for (name, attempt, expected) in attempts {
        let forged = by_hand(&a.note, |doc| {
            if expected != code::NOT_ITS_AUTHOR {
                doc.set_actor(automerge::ActorId::from([201u8; 16].as_slice()));
            } else {
                doc.set_actor(automerge::ActorId::from([77u8; 16].as_slice()));
            }
            attempt(doc);
        });
        let (_, bytes) = forged.changes_since(&a.note.heads()).remove(0);
        let admission = a.note.admit(&[submit(bytes, (a.author.person, a.author.device))]).unwrap();
        let outcome = &admission.outcomes[0].1;
        assert!(
            matches!(outcome, Outcome::Rejected { code, .. } if *code == expected),
            "{name}: {outcome:?}"
        );
        assert_eq!(admission.note.heads(), a.note.heads(), "{name}");
    }
}

trait RegisterKey {
    fn visit_register_key(&self) -> String;
}
impl RegisterKey for NoteDocument {
    fn visit_register_key(&self) -> String {
        let saved = automerge::Automerge::load(&self.save()).unwrap();
        match saved.get(automerge::ROOT, "registers").unwrap().unwrap() {
            (Value::Object(_), registers) => saved.keys(&registers).next().unwrap(),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn two_tablets_that_begin_one_visit_offline_share_their_texts() {
    let (mut a, mut b) = (Tablet::new(1), Tablet::new(2));
    a.does(&splice(0, 0, "from a"));
    b.does(&splice(0, 0, "from b"));
    a.hears(&b);
    let plan = a.visit().text["plan"].clone();
    assert!(plan.contains("from a") && plan.contains("from b"), "{plan}");
}

#[test]
fn history_says_who_on_which_tablet_in_which_change() {
    let (mut a, mut b) = two_tablets();
    a.does(&stop("09:17"));
    b.does(&splice(0, 0, "note"));
    a.hears(&b);
    let told: BTreeMap<String, PersonId> =
        a.note.history().into_iter().map(|entry| (entry.did, entry.by.person)).collect();
    let (one, two) = (a.author.person, b.author.person);
    let expected = [("start_segment", one), ("stop_segment", one), ("text:plan", two)];
    assert_eq!(told, expected.map(|(did, person)| (did.to_owned(), person)).into());
}

#[test]
fn every_order_of_arrival_ends_in_the_same_note() {
    let (mut a, mut b) = two_tablets();
    let mut c = Tablet::copy_of(&a, 3);
    a.does(&stop("09:17"));
    a.does(r#"{"command":"set_field","field":"response","value":"opens on cue"}"#);
    b.does(&stop("09:20"));
    b.does(SIGN);
    c.does(r#"{"command":"comment","anchor":"text/plan","text":"please sign"}"#);
    let tablets = [a, b, c];
    let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    let mut ends = BTreeSet::new();
    for order in orders {
        let mut server = Tablet::new(9);
        for n in order {
            server.hears(&tablets[n]);
        }
        ends.insert(serde_json::to_string(&facts::note(&server.note)).unwrap());
    }
    assert_eq!(ends.len(), 1);
}

#[test]
fn a_command_keeps_its_id_beside_its_words() {
    let json = format!(r#"{{"id":"{ACTIVITY}","command":"check_in","at":"2026-03-17T08:58-05:00"}}"#);
    let issued: Issued = serde_json::from_str(&json).unwrap();
    assert_eq!(serde_json::to_string(&issued).unwrap(), json);
    let unknown = r#"{"command":"check_in","at":"2026-03-17T08:58-05:00","who":"x"}"#;
    assert!(serde_json::from_str::<Command>(unknown).is_err());
}

#[test]
fn what_is_kept_of_a_state_goes_with_the_next_change() {
    let (a, _) = two_tablets();
    let mut server = Tablet::new(9);
    server.hears(&a);
    let check = |note: &NoteDocument, what: &str| {
        let saved = note.save_verified().expect(what);
        let loaded = NoteDocument::load(VISIT, Kind::Visit, &saved).unwrap();
        assert_eq!(loaded.heads(), note.heads(), "{what}");
        assert_eq!(loaded.read_visit(), note.read_visit(), "{what}");
        assert_eq!(facts::note(&loaded), facts::note(note), "{what}");
        assert_eq!(note.save(), saved, "{what}");
    };
    check(&server.note, "as the gate left it");
    let before = server.note.clone();
    server.does(r#"{"command":"comment","anchor":"text/plan","text":"please sign"}"#);
    check(&server.note, "after a change");
    check(&before, "the copy from before the change");
    assert_ne!(before.heads(), server.note.heads());
}

#[test]
fn a_saved_note_loads_as_the_same_note() {
    let (mut a, _) = two_tablets();
    a.does(&splice(0, 0, "œdème, 5 % ↓"));
    let loaded = NoteDocument::load(VISIT, Kind::Visit, &a.note.save()).unwrap();
    assert_eq!(loaded.read_visit(), a.note.read_visit());
    assert!(NoteDocument::load(VISIT, Kind::Visit, b"not a note").is_err());
}
