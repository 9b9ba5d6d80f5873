//! The worked example of two tablets and one minute, in every order of arrival.
//!
//! Joren's tablet ends the 97112 at 9:17 and records 97110 from 9:18; Odalys's, which saw neither, corrects
//! the same end to 9:20 and signs. Whatever arrives first, and whenever the server judges it: the same
//! heads, two open versions, the Medicare pool disputed with both counts, the overlap found only if 9:20,
//! the signature intact over its own text, the other tablet's work unsigned beside it.

mod machines;

use std::collections::BTreeSet;

use chart::code::Discipline;
use chart::ids::{ActivityId, ChangeHash, DeviceId, DocumentId, PersonId, SegmentId};
use chart::register::Fact;
use chart::report::{BillState, Certainty, PoolOutcome, Report, UnitRule};
use chart::time::{Date, Timestamp};
use chart::visit::Visit;
use serde_json::{Value, json};

use crate::support::{Clinic, TabletProcess, patiently, sync};
use machines::{Judging, Machines, PATIENT};

const VISIT: DocumentId = DocumentId::from_bytes([0x11; 16]);
const OTHER_PLAN: DocumentId = DocumentId::from_bytes([0x12; 16]);
const REACH: ActivityId = ActivityId::from_bytes([0x21; 16]);
const GRASP: ActivityId = ActivityId::from_bytes([0x22; 16]);
const BAND: ActivityId = ActivityId::from_bytes([0x23; 16]);
const DRESSING: ActivityId = ActivityId::from_bytes([0x24; 16]);
const GRASP_TIME: SegmentId = SegmentId::from_bytes([0x32; 16]);

/// 9:30 by the clinic's clock.
const NOW: Timestamp = Timestamp::from_unix_ms(1_773_757_800_000);
const DATE: &str = "2026-03-17";

fn clock(time: &str) -> String {
    format!("{DATE}T{time}-05:00")
}

fn date() -> Date {
    DATE.parse().unwrap()
}

/// A whole stretch of time.
fn record(activity: ActivityId, code: &str, start: &str, end: &str) -> Value {
    let value = json!({ "code": code, "start": clock(start), "end": clock(end), "mode": "one_on_one" });
    json!({ "command": "record_segment", "activity": activity, "value": value })
}

fn open(patient: &str, provider: &str, discipline: &str) -> Value {
    let facts = json!({ "payer": "medicare_ffs", "date": DATE, "provider": provider });
    json!({ "command": "open_visit", "patient": patient, "discipline": discipline, "facts": facts })
}

/// What both tablets have seen: 15 minutes of 97530, and 97112 running since 9:00.
fn begun(patient: &str, provider: &str) -> Vec<Value> {
    vec![
        open(patient, provider, "pt"),
        record(REACH, "97530", "08:44", "08:59"),
        json!({
            "command": "start_segment", "activity": GRASP, "segment": GRASP_TIME, "code": "97112",
            "start": clock("09:00"), "mode": "one_on_one",
        }),
    ]
}

/// The same patient's occupational therapy of the day: another pool.
fn other_plan(patient: &str, provider: &str) -> Vec<Value> {
    vec![open(patient, provider, "ot"), record(DRESSING, "97535", "13:00", "13:30")]
}

/// Joren's two pieces of work.
fn stops(end: &str) -> Vec<Value> {
    vec![json!({ "command": "stop_segment", "activity": GRASP, "segment": GRASP_TIME, "end": clock(end) })]
}

fn goes_on() -> Vec<Value> {
    vec![record(BAND, "97110", "09:18", "09:23")]
}

/// Odalys's two pieces of work.
fn corrects(end: &str) -> Vec<Value> {
    vec![json!({
        "command": "correct_segment", "activity": GRASP, "segment": GRASP_TIME, "set": { "end": clock(end) },
        "reason": "the last cup was let go then",
    })]
}

fn signs() -> Vec<Value> {
    vec![json!({ "command": "sign", "meaning": "author", "credentials": "PT" })]
}

/// Who did it, on which tablet.
struct Hands {
    joren: (PersonId, DeviceId),
    odalys: (PersonId, DeviceId),
}

/// Everything the worked example promises of the note and its report.
#[track_caller]
fn check(visit: &Visit, report: &Report, hands: &Hands) {
    let register = &visit.activities[&GRASP].segments[&GRASP_TIME];
    let open: BTreeSet<_> = register
        .open()
        .iter()
        .map(|version| (version.value.end.unwrap().hour_minute(), (version.by.person, version.by.device)))
        .collect();
    let expected = [("09:17".to_owned(), hands.joren), ("09:20".to_owned(), hands.odalys)];
    assert_eq!(open, BTreeSet::from(expected));
    assert!(matches!(register.fact(), Fact::Disputed(_)));
    check_pools(report);
    check_findings(report);
    assert!(matches!(report.bill, BillState::Held { .. }));
    let signatures: Vec<_> = visit.signatures.values().collect();
    let [signature] = signatures.as_slice() else { panic!("{} signatures", signatures.len()) };
    assert_eq!((signature.by.person, signature.by.device), hands.odalys);
    assert_eq!(session_note::sign::digest(&signature.content), signature.content_digest);
    assert!(signature.content.contains("T09:20") && !signature.content.contains("T09:17"));
    assert!(!signature.content.contains("97110"), "the signer had not seen it");
    assert!(visit.activities.contains_key(&BAND), "the unsigned work is in the note all the same");
}

#[track_caller]
fn check_pools(report: &Report) {
    let pool = |discipline: Discipline| {
        let found = report.pools.iter().find(|pool| pool.discipline.as_ref() == Some(&discipline));
        &found.unwrap_or_else(|| panic!("no pool of {discipline}")).outcome
    };
    let PoolOutcome::Disputed { alternatives, total_units_min, total_units_max, complete } =
        pool(Discipline::PhysicalTherapy)
    else {
        panic!("the pool is not disputed: {:?}", report.pools);
    };
    assert_eq!((*total_units_min, *total_units_max, *complete), (2, 3, true));
    let told: BTreeSet<(&str, u32, String)> = alternatives
        .iter()
        .map(|alternative| {
            let counted = &alternative.counted;
            assert_eq!(counted.rule, Some(UnitRule::Cms8Minute));
            let units: Vec<String> =
                counted.per_code.iter().map(|(code, units)| format!("{code} {units}")).collect();
            (alternative.label.as_str(), counted.timed_minutes, units.join(", "))
        })
        .collect();
    let expected = [
        ("97112 ends 09:17", 37, "97110 0, 97112 1, 97530 1".to_owned()),
        ("97112 ends 09:20", 38, "97110 0, 97112 2, 97530 1".to_owned()),
    ];
    assert_eq!(told, BTreeSet::from(expected));
    let PoolOutcome::Counted(counted) = pool(Discipline::OccupationalTherapy) else {
        panic!("the other plan of the day is not counted");
    };
    assert_eq!(counted.total_units, 2);
}

#[track_caller]
fn check_findings(report: &Report) {
    let certainty = |id: &str| {
        let found = report.findings.iter().find(|finding| finding.id == id);
        &found.unwrap_or_else(|| panic!("no {id} in {:?}", report.findings)).certainty
    };
    let if_20 = Certainty::If(vec!["97112 ends 09:20".to_owned()]);
    assert_eq!(certainty("time-overlap-same-patient"), &if_20);
    for id in ["merge-conflict-billing-field", "signature-stale-after-merge", "merge-late-device"] {
        assert_eq!(certainty(id), &Certainty::InAll, "{id}");
    }
    let late = report.findings.iter().find(|finding| finding.id == "merge-late-device").unwrap();
    assert_eq!(late.values["changes"], "2");
}

/// Every way to shuffle two pieces of one tablet with two of the other; each tablet's own stay in order.
fn orders() -> Vec<[usize; 4]> {
    let mut orders = Vec::new();
    for bits in 0u8..16 {
        let order = [0, 1, 2, 3].map(|n| usize::from(bits >> n & 1));
        if order.iter().sum::<usize>() == 2 {
            orders.push(order);
        }
    }
    assert_eq!(orders.len(), 6);
    orders
}

/// What is the same whatever arrives first.
#[derive(Debug, PartialEq)]
struct Settled {
    heads: BTreeSet<ChangeHash>,
    visit: Visit,
    report: Report,
}

/// Plays one order of arrival in one process and compares all four machines.
fn play(order: [usize; 4], judging: Judging, joren_ends: &str, odalys_ends: &str) -> (Settled, Hands) {
    let mut machines = Machines::new(NOW);
    let patient = PATIENT.to_string();
    let joren = machines.devices[0].person.to_string();
    machines.does(0, VISIT, &begun(&patient, &joren));
    machines.does(0, OTHER_PLAN, &other_plan(&patient, &joren));
    machines.settle();
    let heads = machines.devices[1].note(VISIT).heads;
    assert_eq!(heads, machines.devices[0].note(VISIT).heads, "both tablets have seen the same");
    machines.does(0, VISIT, &stops(joren_ends));
    let joren_last = machines.does(0, VISIT, &goes_on());
    machines.does(1, VISIT, &corrects(odalys_ends));
    let odalys_last = machines.does(1, VISIT, &signs());
    assert_eq!((machines.devices[0].up.len(), machines.devices[1].up.len()), (2, 2), "one push a piece");
    for n in order {
        assert!(machines.arrives(n, judging == Judging::AtOnce));
    }
    if judging == Judging::AfterARestart {
        machines.restart();
    }
    machines.settle();
    let (heads, visit, report) = machines.at_the_server(VISIT);
    assert_eq!(heads, BTreeSet::from([joren_last, odalys_last]));
    for device in &mut machines.devices {
        let note = device.note(VISIT);
        assert_eq!((&note.heads, note.visit.as_ref()), (&heads, Some(&visit)), "{order:?} {judging:?}");
        assert_eq!(device.report(VISIT, date()), report, "{order:?} {judging:?}");
        assert!(device.is_safe(VISIT));
    }
    let hands = |n: usize| (machines.devices[n].person, machines.devices[n].id);
    let hands = Hands { joren: hands(0), odalys: hands(1) };
    (Settled { heads, visit, report }, hands)
}

#[test]
fn the_order_of_arrival_decides_nothing() {
    let mut first: Option<Settled> = None;
    for judging in [Judging::AtOnce, Judging::AtTheEnd, Judging::AfterARestart] {
        for order in orders() {
            let (settled, hands) = play(order, judging, "09:17", "09:20");
            check(&settled.visit, &settled.report, &hands);
            match &first {
                Some(first) => assert_eq!(&settled, first, "{order:?} {judging:?}"),
                None => first = Some(settled),
            }
        }
    }
}

#[test]
fn equal_ends_are_no_dispute_in_any_order() {
    for judging in [Judging::AtOnce, Judging::AtTheEnd] {
        for order in orders() {
            let (settled, _) = play(order, judging, "09:17", "09:17");
            let register = &settled.visit.activities[&GRASP].segments[&GRASP_TIME];
            assert_eq!(register.open().len(), 2, "both wrote it down");
            assert!(matches!(register.fact(), Fact::Agreed(_)), "{order:?}");
            let pool = settled.report.pools.first().map(|pool| &pool.outcome);
            let Some(PoolOutcome::Counted(counted)) = pool else { panic!("{pool:?}") };
            assert_eq!((counted.timed_minutes, counted.total_units), (37, 2));
            let ids: BTreeSet<&str> =
                settled.report.findings.iter().map(|finding| finding.id.as_str()).collect();
            assert!(!ids.contains("merge-conflict-billing-field"));
            assert!(!ids.contains("time-overlap-same-patient"));
        }
    }
}

/// What a tablet's process shows of the visit.
fn shown(tablet: &mut TabletProcess) -> Option<(Visit, Report, BTreeSet<ChangeHash>)> {
    let answer = tablet.say(&json!({ "do": "show", "document": VISIT })).ok()?;
    let part = |path: &str| answer.pointer(path).cloned().unwrap_or_default();
    let heads = serde_json::from_value(part("/note/heads")).unwrap();
    let visit = serde_json::from_value(part("/note/visit")).unwrap();
    Some((visit, serde_json::from_value(part("/report")).unwrap(), heads))
}

/// Plays it with a real server and real tablets; `odalys_first` says who comes back first.
fn play_with_processes(odalys_first: bool) {
    let mut clinic = Clinic::start();
    let (joren, odalys) =
        (clinic.person("Joren Tavish", "therapist"), clinic.person("Odalys Brenwick", "therapist"));
    let ismene = clinic.person("Ismene Dunmore", "supervisor");
    let patient = clinic.patient("Teodor Vance-Hollin", "medicare_ffs", &[&joren, &odalys]);
    let mut room = clinic.tablet("room", &joren, &[]);
    let mut own = clinic.tablet("own", &odalys, &[]);
    let office = clinic.tablet("office", &ismene, &["--follow", "clinic"]);
    let say = |tablet: &mut TabletProcess, document: DocumentId, commands: Vec<Value>| {
        let line = json!({ "document": document, "commands": commands });
        assert_eq!(tablet.say(&line).unwrap()["saved"], true);
    };
    say(&mut room, VISIT, begun(&patient, &joren));
    say(&mut room, OTHER_PLAN, other_plan(&patient, &joren));
    sync(&mut room);
    patiently("the visit reaches the other tablet", || {
        shown(&mut own).filter(|(visit, ..)| visit.activities.len() == 2)
    });
    for tablet in [&mut room, &mut own] {
        tablet.say(&json!({ "do": "disconnect" })).unwrap();
    }
    say(&mut room, VISIT, stops("09:17"));
    say(&mut room, VISIT, goes_on());
    say(&mut own, VISIT, corrects("09:20"));
    say(&mut own, VISIT, signs());
    let (first, second) = if odalys_first { (&mut own, &mut room) } else { (&mut room, &mut own) };
    for tablet in [first, second] {
        tablet.say(&json!({ "do": "connect" })).unwrap();
        sync(tablet);
    }
    let all = [room, own, office].map(|mut tablet| {
        patiently("the whole of it reaches every tablet, with the server's report", || {
            shown(&mut tablet).filter(|(visit, report, heads)| {
                let complete = report.standing == chart::facts::Standing::Complete;
                complete && heads.len() == 2 && visit.signatures.len() == 1
            })
        })
    });
    let by = |visit: &Visit, end: &str| {
        let open = visit.activities[&GRASP].segments[&GRASP_TIME].open();
        let found = open.iter().find(|version| version.value.end.unwrap().hour_minute() == end);
        let by = &found.expect(end).by;
        (by.person, by.device)
    };
    let (visit, report, heads) = &all[2];
    let hands = Hands { joren: by(visit, "09:17"), odalys: by(visit, "09:20") };
    assert_eq!((hands.joren.0.to_string(), hands.odalys.0.to_string()), (joren, odalys));
    assert_ne!(hands.joren.1, hands.odalys.1);
    check(visit, report, &hands);
    assert!(all.iter().all(|other| (&other.0, &other.1, &other.2) == (visit, report, heads)));
}

#[test]
fn with_real_parts_the_signer_comes_back_first() {
    play_with_processes(true);
}

#[test]
fn with_real_parts_the_signer_comes_back_last() {
    play_with_processes(false);
}
