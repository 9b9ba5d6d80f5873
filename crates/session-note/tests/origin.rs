//! How a note came to be and what its episode shows, read from documents made by commands.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use chart::entropy::Entropy;
use chart::facts::{EpisodeFacts, NoteFacts, Standing};
use chart::history::{ANSWER_ANCHOR, RETURN_ANCHOR};
use chart::ids::{ActorId, CommandId, DeviceId, DocumentId, PersonId};
use chart::time::Timestamp;
use session_note::course::{EpisodeVisit, course};
use session_note::facts::{self, Around};
use session_note::schema::Kind;
use session_note::{Author, Issued, NoteDocument};

struct Counter(u64);
impl Entropy for Counter {
    fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            *byte = (self.0 >> 56) as u8;
        }
    }
}

fn person(n: u8) -> PersonId {
    PersonId::from_bytes([n; 16])
}

/// A document several people write, each change a minute after the last.
struct Writing {
    note: NoteDocument,
    entropy: Counter,
    minute: i64,
}

const NINE: i64 = 1_773_756_000_000;

impl Writing {
    fn new(n: u8, kind: Kind) -> Self {
        let note = NoteDocument::new(DocumentId::from_bytes([n; 16]), kind);
        Self { note, entropy: Counter(u64::from(n)), minute: 0 }
    }
    fn does(&mut self, n: u8, json: &str) {
        let author = Author {
            person: person(n),
            device: DeviceId::from_bytes([n + 100; 16]),
            actor: ActorId::from_bytes([n + 200; 16]),
        };
        let command = serde_json::from_str(json).expect(json);
        let issued = Issued { id: CommandId::random(&mut self.entropy), command };
        let fresh = ActorId::random(&mut self.entropy);
        let at = Timestamp::from_unix_ms(NINE + self.minute * 60_000);
        self.minute += 1;
        let seen = self.note.heads();
        self.note
            .commit(&author, fresh, at, &seen, &[issued])
            .unwrap_or_else(|error| panic!("{json}: {error}"));
    }
    fn facts(&self) -> NoteFacts {
        facts::note(&self.note).clone()
    }
}

fn field(name: &str, value: &str) -> String {
    format!(r#"{{"command":"set_field","field":"{name}","value":"{value}"}}"#)
}
fn text(words: &str) -> String {
    format!(r#"{{"command":"splice_text","field":"objective","position":0,"insert":"{words}"}}"#)
}
fn comment(anchor: &str) -> String {
    format!(r#"{{"command":"comment","anchor":"{anchor}","text":"which side?"}}"#)
}
fn payer(reason: &str) -> String {
    format!(r#"{{"command":"set_fact","fact":"payer","value":"aetna","reason":"{reason}"}}"#)
}
const SIGN: &str = r#"{"command":"sign","meaning":"author","credentials":"PT"}"#;
const OPEN: &str = r#"{"command":"open_visit","facts":{"date":"2026-03-17","payer":"medicare"}}"#;

#[test]
fn who_wrote_content_is_known_and_who_only_commented_is_no_contributor() {
    let mut visit = Writing::new(1, Kind::Visit);
    visit.does(1, OPEN);
    visit.does(2, &field("response", "steadier"));
    visit.does(3, &comment("fields/response"));
    visit.does(4, SIGN);
    let history = visit.facts().history;
    assert_eq!(history.contributors, [person(1), person(2)].into());
    assert_eq!(history.nameless_changes, 0);
    assert_eq!(history.written_until, Some(Timestamp::from_unix_ms(NINE + 60_000)));
}

#[test]
fn a_correction_after_the_signature_is_counted_and_the_original_stays() {
    let mut visit = Writing::new(1, Kind::Visit);
    visit.does(1, OPEN);
    visit.does(1, SIGN);
    let before = visit.facts().signatures.remove(0);
    assert_eq!((before.current, before.proof.changed_after), (true, 0));
    visit.does(1, &payer("the card was the old one"));
    let facts = visit.facts();
    let after = &facts.signatures[0];
    assert_eq!((after.current, after.proof.changed_after), (false, 1));
    assert_eq!(after.proof.original_kept, Some(true));
    assert_eq!(after.proof.device, Some(DeviceId::from_bytes([101; 16])));
    // The correction is no content written before signing.
    assert_eq!(facts.history.written_until, Some(Timestamp::from_unix_ms(NINE)));
    visit.does(1, r#"{"command":"amend","kind":"correction","text":"payer corrected","reason":"old card"}"#);
    let amendments = visit.facts().history.amendments;
    assert_eq!((amendments[0].person, amendments[0].reasoned), (Some(person(1)), true));
}

#[test]
fn a_returned_note_is_answered_by_somebody_else_who_saw_the_return() {
    let mut visit = Writing::new(1, Kind::Visit);
    visit.does(1, OPEN);
    visit.does(1, SIGN);
    let answered =
        |visit: &Writing| visit.facts().history.returns.iter().map(|one| one.answered).collect::<Vec<_>>();
    visit.does(2, &comment(RETURN_ANCHOR));
    assert_eq!(answered(&visit), [false]);
    visit.does(2, &comment(ANSWER_ANCHOR));
    assert_eq!(answered(&visit), [false], "reviewers do not answer themselves");
    visit.does(1, &comment(ANSWER_ANCHOR));
    assert_eq!(answered(&visit), [true]);
}

#[test]
fn a_review_and_confirmed_fields_are_told_apart() {
    let mut visit = Writing::new(1, Kind::Visit);
    visit.does(1, OPEN);
    visit.does(1, r#"{"command":"attest","anchor":"text/plan"}"#);
    visit.does(2, r#"{"command":"attest","anchor":"review"}"#);
    let history = visit.facts().history;
    assert_eq!(history.reviewed_by, [person(2)].into());
    assert!(history.attested.contains("text/plan"));
}

const WORDS: &str = "Stood in tandem on foam with reaching to both sides, tactile cues at the pelvis, held twelve \
    seconds, eight last time";

/// A visit of the episode on a day of March 2026, signed or not, with its words.
fn visit(n: u8, day: u8, words: &str, signed: bool) -> Writing {
    let mut visit = Writing::new(n, Kind::Visit);
    visit.does(1, &format!(r#"{{"command":"open_visit","facts":{{"date":"2026-03-{day:02}"}}}}"#));
    visit.does(1, &text(words));
    visit.does(1, &field("home_program", "tandem stance"));
    visit.does(1, r#"{"command":"set_measure","name":" Berg ","value":"41/56"}"#);
    if signed {
        visit.does(1, SIGN);
    }
    visit
}

/// The episode's facts as the last of these visits sees them.
fn seen_by_last(visits: &[&Writing]) -> EpisodeFacts {
    let episode = Writing::new(90, Kind::Episode);
    let read = |visit: &Writing| {
        let visit = &visit.note.read_visit().value;
        let slice = facts::slice(visit);
        (EpisodeVisit::of(visit, &slice), slice)
    };
    let last = visits.last().unwrap();
    let own = read(last).1;
    let seen = visits.iter().map(|visit| read(visit).0);
    let course = course(&episode.note.read_episode().value, episode.note.heads(), &own, seen);
    let around = Around { episode: Some(course), ..Around::default() };
    let facts = facts::gather(&last.note, around, "2026-03-31".parse().unwrap(), Standing::Complete);
    facts.episode.unwrap()
}

#[test]
fn an_episode_shows_its_visits_in_order_up_to_the_notes_own() {
    let (first, second, later) =
        (visit(1, 3, WORDS, true), visit(2, 5, "Walked", true), visit(3, 9, "Walked on", true));
    let facts = seen_by_last(&[&later, &first, &second]);
    let days: Vec<String> = facts.visits.iter().map(|visit| visit.date.unwrap().to_string()).collect();
    assert_eq!(days, ["2026-03-03", "2026-03-05"], "a later visit is not part of it");
    let told = &facts.visits[0];
    assert_eq!(told.measures.get("Berg").map(String::as_str), Some("41/56"));
    assert_eq!((told.home_program, told.signed), (true, true));
}

#[test]
fn a_repeated_text_is_measured_against_the_last_signed_note() {
    let percent = |visits: &[&Writing]| seen_by_last(visits).repeats.map(|repeats| repeats.percent);
    let (first, other) = (visit(1, 3, WORDS, true), visit(2, 5, "Climbed two flights with a rail", true));
    let again = visit(3, 9, WORDS, false);
    assert_eq!(percent(&[&first, &again]), Some(100));
    assert_eq!(percent(&[&first, &other, &again]), Some(0), "only the last note counts");
    let unsigned = visit(1, 3, WORDS, false);
    assert_eq!(percent(&[&unsigned, &again]), None, "an unsigned note is nobody else's business");
    assert_eq!(percent(&[&again]), None);
}

#[test]
fn a_word_typed_in_an_unsigned_note_changes_nothing_other_notes_see() {
    let seen = |visit: &Writing| {
        let visit = &visit.note.read_visit().value;
        EpisodeVisit::of(visit, &facts::slice(visit))
    };
    let mut unsigned = visit(1, 3, WORDS, false);
    let before = seen(&unsigned);
    unsigned.does(1, &text("More. "));
    assert_eq!(seen(&unsigned), before);
    unsigned.does(1, SIGN);
    assert_ne!(seen(&unsigned), before);
}
