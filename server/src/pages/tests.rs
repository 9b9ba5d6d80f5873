//! The pages show every side with its author, and escape what people wrote.

use std::collections::{BTreeMap, BTreeSet};

use chart::Attribution;
use chart::code::{Mode, ServiceCode};
use chart::ids::{ActivityId, DeviceId, DocumentId, EntryId, PatientId, PersonId, SegmentId, VersionId};
use chart::register::{Register, Version};
use chart::report::{
    BillState, Certainty, Confirmed, Counted, Finding, Pool, PoolAlternative, PoolOutcome, Published, Report,
    RulebookName, Severity,
};
use chart::time::{ClockTime, Date, Timestamp};
use chart::visit::{Activity, Comment, SegmentValue, Visit};
use hub::{QuarantineRow, QueueRow, ReviewNote};

use super::*;

const NASTY: &str = "<script>alert('x')</script>\" onload=\"y";
const MARIA: PersonId = PersonId::from_bytes([1; 16]);
const ANA: PersonId = PersonId::from_bytes([2; 16]);
const NOTE: DocumentId = DocumentId::from_bytes([3; 16]);
const PATIENT: PatientId = PatientId::from_bytes([4; 16]);

fn names() -> Names {
    Names {
        clinic: NASTY.to_owned(),
        offset_minutes: -300,
        people: BTreeMap::from([(MARIA, "Maria Lopez".to_owned()), (ANA, "Ana Petrova".to_owned())]),
        patients: BTreeMap::from([(PATIENT, NASTY.to_owned())]),
        devices: BTreeMap::from([
            (DeviceId::from_bytes([1; 16]), "Tablet one".to_owned()),
            (DeviceId::from_bytes([2; 16]), "Tablet two".to_owned()),
        ]),
    }
}

fn by(person: PersonId, device: u8) -> Attribution {
    // 2026-03-17 09:30 in the clinic.
    let at = Timestamp::from_unix_ms(1_773_757_800_000);
    Attribution { person, device: DeviceId::from_bytes([device; 16]), at, change: None }
}

fn ending(end: &str) -> SegmentValue {
    let time = |text: &str| ClockTime::parse(&format!("2026-03-17T{text}-05:00")).unwrap();
    SegmentValue {
        start: Some(time("09:02")),
        end: Some(time(end)),
        mode: Some(Mode::OneOnOne),
        performer: Some(MARIA),
        ..SegmentValue::of(ServiceCode::parse("97112").unwrap())
    }
}

fn disputed_visit() -> Visit {
    let version = |id: u8, end: &str, by: Attribution| Version {
        id: VersionId::from_bytes([id; 16]),
        value: ending(end),
        by,
        reason: Some(NASTY.to_owned()),
        replaces: BTreeSet::new(),
    };
    let register =
        Register::from_versions([version(1, "09:17", by(MARIA, 1)), version(2, "09:20", by(ANA, 2))]);
    let mut visit = Visit::empty(NOTE);
    visit.patient = Some(PATIENT);
    visit.text.insert("subjective".to_owned(), NASTY.to_owned());
    visit.fields.insert(NASTY.to_owned(), NASTY.to_owned());
    let activity = Activity {
        techniques: vec![NASTY.to_owned()],
        segments: BTreeMap::from([(SegmentId::from_bytes([6; 16]), register)]),
        ..Activity::default()
    };
    visit.activities.insert(ActivityId::from_bytes([5; 16]), activity);
    let comment = Comment { anchor: NASTY.to_owned(), text: NASTY.to_owned(), by: by(ANA, 2) };
    visit.comments.insert(EntryId::from_bytes([7; 16]), comment);
    visit
}

fn review_note(visit: &Visit) -> ReviewNote {
    ReviewNote {
        document: NOTE,
        kind: "visit",
        heads: BTreeSet::new(),
        content: serde_json::to_value(visit).unwrap(),
        disputes: session_note::dispute::disputes(visit),
        problems: vec![NASTY.to_owned()],
        concurrent: vec!["text/subjective".to_owned()],
        history: Vec::new(),
        stale_signatures: Vec::new(),
        people: BTreeMap::new(),
        devices: BTreeMap::new(),
        patients: BTreeMap::new(),
        quarantine: Vec::new(),
        cannot_be_shown: false,
    }
}

fn published() -> Published {
    let counted = |units: u32| Counted {
        total_units: units,
        timed_minutes: 15,
        per_code: BTreeMap::from([(ServiceCode::parse("97112").unwrap(), units)]),
        trace: vec!["15 of 15 minutes count".to_owned()],
        ..Counted::default()
    };
    let alternative = |label: &str, units| PoolAlternative {
        label: label.to_owned(),
        versions: BTreeSet::new(),
        counted: counted(units),
    };
    let finding = Finding {
        id: "note-disputed".to_owned(),
        severity: Severity::Blocker,
        certainty: Certainty::If(vec!["97112 ends 09:20".to_owned()]),
        message: NASTY.to_owned(),
        remedy: "Choose one of the two ends.".to_owned(),
        source: "Our own rule".to_owned(),
        values: BTreeMap::from([("end".to_owned(), NASTY.to_owned())]),
        segments: BTreeSet::new(),
        documents: BTreeSet::new(),
    };
    let as_of: Date = "2026-03-17".parse().unwrap();
    let pool = Pool {
        patient: None,
        date: Some(as_of),
        discipline: None,
        payer: None,
        documents: BTreeSet::from([NOTE]),
        outcome: PoolOutcome::Disputed {
            alternatives: vec![alternative("97112 ends 09:17", 1), alternative("97112 ends 09:20", 2)],
            total_units_min: 1,
            total_units_max: 2,
            complete: true,
        },
    };
    Published {
        report: Report {
            format: 1,
            document: NOTE,
            as_of,
            standing: chart::facts::Standing::Complete,
            rulebook: RulebookName { edition: "2024q3".to_owned(), fingerprint: "ab".repeat(32) },
            inputs: Vec::new(),
            pools: vec![pool],
            findings: vec![finding],
            bill: BillState::Held { reasons: vec!["People disagree.".to_owned()] },
            billing: chart::billing::BillingView::default(),
        },
        confirmed: Confirmed {
            as_of,
            standing: chart::facts::Standing::Complete,
            patient_day: BTreeSet::new(),
            provider_day: BTreeSet::new(),
            arrivals: Vec::new(),
            claim: None,
            patient: None,
            provider_history: None,
            unheard: [].into(),
        },
    }
}

fn page_of_the_note() -> String {
    let view = NoteView::of(review_note(&disputed_visit()), Some(published()));
    note(&Reader { name: NASTY, clinic: NASTY }, &names(), &view).into_string()
}

#[test]
fn a_dispute_shows_both_values_with_who_on_which_tablet_and_when() {
    let page = page_of_the_note();
    for words in [
        "97112 · 09:02–09:17 (15 min) · one on one · Maria Lopez",
        "97112 · 09:02–09:20 (18 min) · one on one · Maria Lopez",
        "Maria Lopez on Tablet one, 2026-03-17 09:30",
        "Ana Petrova on Tablet two, 2026-03-17 09:30",
        "If 97112 ends 09:17",
        "If 97112 ends 09:20",
        "Not billed until somebody chooses",
        "15 of 15 minutes count",
        "Only if 97112 ends 09:20",
        "Choose one of the two ends.",
        "Our own rule",
        "two tablets wrote here at once",
    ] {
        assert!(page.contains(words), "{words} is missing in {page}");
    }
}

#[test]
fn what_was_replaced_stays_readable_with_its_author_and_reason() {
    let mut visit = disputed_visit();
    let activity = visit.activities.values_mut().next().unwrap();
    let register = activity.segments.values_mut().next().unwrap();
    let chosen = Version {
        id: VersionId::from_bytes([3; 16]),
        value: ending("09:17"),
        by: by(ANA, 2),
        reason: Some("the next exercise began at 9:18".to_owned()),
        replaces: register.versions().iter().map(|version| version.id).collect(),
    };
    *register = Register::from_versions(register.versions().iter().cloned().chain([chosen]));
    let view = NoteView::of(review_note(&visit), None);
    let page = note(&Reader { name: "x", clinic: "y" }, &names(), &view).into_string();
    assert!(!page.contains("disputed"), "{page}");
    assert!(page.contains("All 3 versions") && page.contains("the next exercise began at 9:18"), "{page}");
    let replaced = "09:02–09:20 (18 min) · one on one · Maria Lopez <span class=\"small\">(replaced)</span>";
    assert!(page.contains(replaced), "{page}");
}

#[test]
fn nothing_a_person_wrote_becomes_markup() {
    let reader = Reader { name: NASTY, clinic: NASTY };
    let row = QueueRow {
        document: NOTE,
        patient: Some(NASTY.to_owned()),
        providers: vec![NASTY.to_owned()],
        dates: vec![NASTY.to_owned()],
        worst: Some(Severity::Blocker),
        counts: [1, 0, 2],
        disputed: true,
        ready: false,
        seq: 9,
    };
    let held = QuarantineRow {
        document: NOTE,
        hashes: Vec::new(),
        outcome: "held",
        reason: NASTY.to_owned(),
        sentence: NASTY.to_owned(),
        person: MARIA,
        person_name: NASTY.to_owned(),
        device: DeviceId::from_bytes([9; 16]),
        received_at: Timestamp::from_unix_ms(0),
        work: 11,
        open: true,
        seq: 10,
    };
    let pages = [
        page_of_the_note(),
        queue(&reader, &names(), &[row], Some(9), &[held]).into_string(),
        sign_in(Some(NASTY)).into_string(),
        problem(NASTY).into_string(),
    ];
    for page in pages {
        assert!(page.contains("&lt;script&gt;"), "the text itself is shown: {page}");
        assert!(!page.contains("<script") && !page.contains("\" onload"), "{page}");
    }
}

#[test]
fn a_page_asks_nothing_of_another_host_and_carries_no_inline_style() {
    let page = page_of_the_note();
    for forbidden in ["http:", "https:", "//", "<style", " style=", "javascript:", "<img", "<iframe"] {
        let page = page.replace("<!DOCTYPE html>", "");
        assert!(!page.contains(forbidden), "{forbidden} in {page}");
    }
    for forbidden in ["http:", "https:", "@import", "url("] {
        assert!(!include_str!("style.css").contains(forbidden), "{forbidden}");
    }
}

#[test]
fn a_note_whose_values_cannot_be_read_says_so_and_stays_readable() {
    let mut broken = review_note(&disputed_visit());
    broken.content = serde_json::json!({"id": 7});
    let view = NoteView::of(broken, None);
    let page = note(&Reader { name: "x", clinic: "y" }, &names(), &view).into_string();
    assert!(page.contains("cannot be shown by this version"), "{page}");
    assert!(page.contains("97112 · 09:02–09:17"), "the dispute is shown all the same");
}
