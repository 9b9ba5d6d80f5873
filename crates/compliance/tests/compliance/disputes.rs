//! Open choices: every alternative is shown, nothing of a disputed pool is billed, other pools are.

use std::collections::BTreeSet;

use chart::code::{Discipline, PayerId};
use chart::facts::{Facts, Standing};
use chart::ids::VersionId;
use chart::register::{Alternative, Fact};
use chart::report::{BillState, Certainty, PoolOutcome, Report, Severity};
use chart::time::ClockTime;
use compliance::assess::read_visit;
use compliance::{Rulebook, recompute};
use serde_json::json;

fn note(segments: serde_json::Value) -> Facts {
    let visit = json!({
        "date": "2024-08-05", "payer": "medicare", "discipline": "pt", "provider": "pt1", "patient": "p1",
        "diagnoses": ["I69.354"], "signed": true, "segments": segments,
        "other_notes": [{"discipline": "ot", "segments": [
            {"code": "97530", "start": "10:00", "end": "10:25", "mode": "one_on_one", "provider": "ot1"}
        ]}],
    });
    read_visit(&visit.to_string()).unwrap()
}

fn segment(code: &str, start: &str, end: &str) -> serde_json::Value {
    json!({"code": code, "start": start, "end": end, "mode": "one_on_one", "provider": "pt1"})
}

fn report(facts: &Facts) -> Report {
    recompute(facts, &Rulebook::builtin().unwrap())
}

fn side<T>(value: T, version: u8) -> Alternative<T> {
    Alternative { value, versions: BTreeSet::from([VersionId::from_bytes([version; 16])]), by: Vec::new() }
}

/// Makes the end of a segment disputed.
fn dispute_end(facts: &mut Facts, index: usize, hour: u32, minute: u32) {
    let segment = &mut facts.note.slice.segments[index];
    let value = segment.value.agreed().unwrap().clone();
    let date = *facts.note.slice.date.agreed().unwrap();
    let other =
        chart::visit::SegmentValue { end: ClockTime::on(date, hour, minute, 0).ok(), ..value.clone() };
    let number = u8::try_from(index).unwrap();
    segment.value = Fact::Disputed(vec![side(value, 2 * number + 1), side(other, 2 * number + 2)]);
}

fn certainty<'r>(report: &'r Report, id: &str) -> Vec<&'r Certainty> {
    report.findings.iter().filter(|finding| finding.id == id).map(|finding| &finding.certainty).collect()
}

#[test]
fn two_ends_of_one_segment_give_two_alternatives_and_hold_their_pool_only() {
    let mut facts = note(json!([segment("97112", "09:00", "09:17"), segment("97110", "09:17", "09:32")]));
    dispute_end(&mut facts, 0, 9, 20);
    let report = report(&facts);
    let PoolOutcome::Disputed { alternatives, complete, total_units_min, total_units_max } =
        &report.pools[0].outcome
    else {
        panic!("{:?}", report.pools[0].outcome)
    };
    let labels: Vec<&str> = alternatives.iter().map(|alternative| alternative.label.as_str()).collect();
    assert_eq!(labels, ["97112 ends 09:17", "97112 ends 09:20"]);
    assert!(alternatives.iter().all(|alternative| alternative.versions.len() == 1));
    let minutes: Vec<u32> =
        alternatives.iter().map(|alternative| alternative.counted.timed_minutes).collect();
    assert_eq!((minutes, *complete, *total_units_min, *total_units_max), (vec![32, 32], true, 2, 2));
    let overlap = Certainty::If(vec!["97112 ends 09:20".to_owned()]);
    assert_eq!(certainty(&report, "time-overlap-same-patient"), [&overlap]);
    assert_eq!(certainty(&report, "merge-conflict-billing-field"), [&Certainty::InAll]);
    assert_eq!(certainty(&report, "note-response-missing"), [&Certainty::InAll]);
    assert!(matches!(&report.bill, BillState::Held { .. }));
    assert_eq!(report.pools[1].discipline, Some(Discipline::OccupationalTherapy));
    assert!(matches!(&report.pools[1].outcome, PoolOutcome::Counted(counted) if counted.total_units == 2));
}

#[test]
fn a_finding_names_only_the_choices_it_depends_on() {
    let mut facts = note(json!([
        segment("97112", "09:00", "09:17"),
        segment("97110", "09:17", "09:32"),
        segment("97140", "11:00", "11:10"),
    ]));
    dispute_end(&mut facts, 0, 9, 20);
    dispute_end(&mut facts, 2, 11, 12);
    let report = report(&facts);
    let PoolOutcome::Disputed { alternatives, .. } = &report.pools[0].outcome else { panic!() };
    assert_eq!(alternatives.len(), 4);
    let overlap = Certainty::If(vec!["97112 ends 09:20".to_owned()]);
    assert_eq!(certainty(&report, "time-overlap-same-patient"), [&overlap]);
}

#[test]
fn too_many_choices_give_a_range_and_say_so() {
    let segments: Vec<_> =
        (0..10).map(|n| segment("97112", &format!("{:02}:00", 8 + n), &format!("{:02}:10", 8 + n))).collect();
    let mut facts = note(json!(segments));
    for index in 0..10 {
        dispute_end(&mut facts, index, 8 + u32::try_from(index).unwrap(), 40);
    }
    let report = report(&facts);
    let PoolOutcome::Disputed { alternatives, complete, total_units_min, total_units_max } =
        &report.pools[0].outcome
    else {
        panic!()
    };
    assert!(alternatives.is_empty() && !complete);
    // All short: 100 minutes, 7 units; all long: 400 minutes, 27 units.
    assert!(*total_units_min <= 7 && *total_units_max >= 27);
    assert!(
        report
            .findings
            .iter()
            .all(|finding| finding.certainty != Certainty::InAll
                || finding.id == "merge-conflict-billing-field")
    );
}

#[test]
fn a_disputed_payer_shows_the_units_of_both_rules() {
    let mut facts = note(json!([segment("97112", "09:00", "09:08"), segment("97110", "09:08", "09:16")]));
    facts.note.slice.payer = Fact::Disputed(vec![
        side(PayerId("medicare".to_owned()), 1),
        side(PayerId("private_a".to_owned()), 2),
    ]);
    let report = report(&facts);
    let PoolOutcome::Disputed { alternatives, .. } = &report.pools[0].outcome else { panic!() };
    let units: Vec<(&str, u32)> = alternatives
        .iter()
        .map(|alternative| (alternative.label.as_str(), alternative.counted.total_units))
        .collect();
    assert_eq!(units, [("payer medicare", 1), ("payer private_a", 2)]);
}

#[test]
fn seconds_that_no_bill_depends_on_are_no_dispute() {
    let mut facts = note(json!([segment("97112", "09:00", "09:17")]));
    let value = facts.note.slice.segments[0].value.agreed().unwrap().clone();
    let measured = chart::visit::SegmentValue { elapsed_ms: Some(1_020_000), ..value.clone() };
    facts.note.slice.segments[0].value = Fact::Disputed(vec![side(value, 1), side(measured, 2)]);
    let report = report(&facts);
    assert!(matches!(&report.pools[0].outcome, PoolOutcome::Counted(_)));
    assert!(certainty(&report, "merge-conflict-billing-field").is_empty());
}

#[test]
fn a_running_segment_bills_nothing_and_holds_its_pool() {
    let mut running = segment("97112", "09:00", "09:17");
    running["end"] = serde_json::Value::Null;
    let report = report(&note(json!([running, segment("97110", "09:20", "09:35")])));
    let PoolOutcome::Held { reason, so_far } = &report.pools[0].outcome else { panic!() };
    assert_eq!(reason, "97112 is still running since 09:00");
    assert_eq!(so_far.total_units, 1);
}

#[test]
fn shared_minutes_count_once_and_hold_the_pool_until_trimmed() {
    let report =
        report(&note(json!([segment("97112", "09:00", "09:20"), segment("97110", "09:15", "09:30")])));
    let PoolOutcome::Held { reason, so_far } = &report.pools[0].outcome else { panic!() };
    assert_eq!(reason, "97112 and 97110 share 5 minutes; trim one");
    assert_eq!(so_far.timed_minutes, 30);
}

#[test]
fn a_tablet_that_may_not_have_seen_every_note_is_never_ready() {
    let mut facts = note(json!([]));
    for (standing, word) in [(Standing::Provisional, "Provisional"), (Standing::Pending, "not judged")] {
        facts.standing = standing;
        let BillState::Held { reasons } = report(&facts).bill else { panic!() };
        assert!(reasons.iter().any(|reason| reason.contains(word)), "{reasons:?}");
    }
}

#[test]
fn a_finding_across_patients_names_the_other_note_and_nothing_of_its_patient() {
    let visit = json!({"date": "2024-08-05", "payer": "medicare", "discipline": "pt", "patient": "p1", "segments": [
        segment("97112", "09:00", "09:20")
    ], "day": [{"code": "97112", "start": "09:10", "end": "09:30", "mode": "one_on_one", "provider": "pt1", "patient": "p2"}]});
    let facts = read_visit(&visit.to_string()).unwrap();
    let other = &facts.provider_day[0];
    let report = report(&facts);
    let finding = report.findings.iter().find(|finding| finding.id == "time-overlap-two-patients").unwrap();
    assert_eq!(finding.documents, BTreeSet::from([other.document]));
    let patient = other.patient.unwrap().to_string();
    assert!(!serde_json::to_string(&report).unwrap().contains(&patient));
    assert_eq!(finding.severity, Severity::Blocker);
}

#[test]
fn the_order_in_which_facts_were_gathered_changes_nothing() {
    let mut facts = note(json!([
        segment("97112", "09:00", "09:17"),
        segment("97110", "09:17", "09:32"),
        segment("97140", "09:17", "09:27"),
    ]));
    dispute_end(&mut facts, 0, 9, 20);
    dispute_end(&mut facts, 2, 9, 29);
    let straight = report(&facts);
    facts.note.slice.segments.reverse();
    facts.patient_day.reverse();
    assert_eq!(report(&facts), straight);
}

#[test]
fn worst_findings_come_first() {
    let report = report(&note(json!([segment("97112", "09:00", "09:17")])));
    let severities: Vec<Severity> = report.findings.iter().map(|finding| finding.severity).collect();
    assert!(severities.is_sorted());
    assert!(severities.contains(&Severity::Blocker) && severities.contains(&Severity::Advice));
}

#[test]
fn choices_of_another_discipline_hold_a_pool_only_where_they_may_take_its_minutes() {
    let with = |first_start: &str| {
        let mut facts = note(json!([segment("97112", "09:00", "09:15")]));
        let others: Vec<serde_json::Value> = (0..8)
            .map(|n| {
                let start = if n == 0 { first_start.to_owned() } else { format!("{}:00", 10 + n) };
                segment("97530", &start, &format!("{}:10", 10 + n))
            })
            .collect();
        let other = note(json!(others));
        facts.patient_day[0].segments = other.note.slice.segments;
        for (index, segment) in facts.patient_day[0].segments.iter_mut().enumerate() {
            let value = segment.value.agreed().unwrap().clone();
            let start = value.start.map(|start| ClockTime::new(start.minute() + 3, 0).unwrap());
            let later = chart::visit::SegmentValue { start, ..value.clone() };
            let number = u8::try_from(index).unwrap();
            segment.value = Fact::Disputed(vec![side(value, 2 * number + 1), side(later, 2 * number + 2)]);
        }
        let report = report(&facts);
        let outcome = report.pools[0].outcome.clone();
        (outcome, report.billing.lines.len())
    };
    let (apart, lines) = with("10:00");
    assert!(matches!(apart, PoolOutcome::Counted(_)) && lines == 1, "{apart:?}");
    let (meeting, lines) = with("08:58");
    let PoolOutcome::Disputed { alternatives, complete, .. } = meeting else { panic!("{meeting:?}") };
    assert_eq!((alternatives.len(), complete, lines), (2, true, 0));
}
