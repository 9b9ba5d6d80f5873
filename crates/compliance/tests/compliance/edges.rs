//! Findings whose number, day or word decides: just before the edge, at it, just after, and how heavy they are.

use chart::facts::Facts;
use chart::report::Severity::{self, Advice, Blocker, Warning};
use compliance::recompute;
use serde_json::{Value, json};

use crate::examples::{book, clean, facts};

/// The clean note with a change of its short form and one of its facts, and how heavy the finding is then;
/// `None` where it is not raised.
type Edge = (Value, Value, Option<Severity>);

fn of(with: &Value, over: &Value) -> Facts {
    facts(&clean(), Some(with), Some(over))
}

fn check(id: &str, edges: &[Edge]) {
    let book = book();
    let mut wrong = Vec::new();
    for (with, over, expected) in edges {
        let report = recompute(&of(with, over), &book);
        let found = report.findings.iter().find(|finding| finding.id == id).map(|finding| finding.severity);
        if found != *expected {
            wrong.push(format!("{id} is {found:?} and not {expected:?} with {with} {over}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn none() -> Value {
    json!({})
}

fn signed_at(at: &str) -> Value {
    let id = "00000000-0000-0000-0000-000000000009";
    json!([{"id": id, "person": id, "meaning": "author", "credentials": "PT", "at": at, "current": true, "unseen": []}])
}

#[test]
fn times_have_edges_in_minutes() {
    check(
        "time-visit-implausible",
        &[
            (json!({"segments.1.end": "11:00"}), none(), None),
            (json!({"segments.1.end": "11:01"}), none(), Some(Warning)),
            (json!({"totals": {"timed": 120, "treatment": 240}}), none(), None),
            (json!({"totals": {"timed": 120, "treatment": 241}}), none(), Some(Warning)),
        ],
    );
    check(
        "time-total-timed-mismatch",
        &[
            (json!({"totals": {"timed": 38, "treatment": 39}}), none(), Some(Blocker)),
            (json!({"totals": {"timed": 40, "treatment": 40}}), none(), Some(Blocker)),
        ],
    );
    check(
        "time-total-timed-missing",
        &[
            (json!({"totals": null}), none(), Some(Blocker)),
            (json!({"totals": null, "payer": "aetna"}), none(), None),
        ],
    );
    let skew = |ms: i64| {
        json!({"arrivals": [{
            "device": "00000000-0000-0000-0000-000000000001", "clock_ahead_ms": ms,
            "received_at": "2024-08-05T20:00:00.000Z",
        }]})
    };
    check(
        "time-clock-skew",
        &[
            (none(), skew(60_000), None),
            (none(), skew(60_001), Some(Warning)),
            (none(), skew(-60_001), Some(Warning)),
        ],
    );
    for (ms, direction) in [(60_001, "ahead"), (-60_001, "behind")] {
        let report = recompute(&of(&none(), &skew(ms)), &book());
        let found = report.findings.iter().find(|finding| finding.id == "time-clock-skew").unwrap();
        assert_eq!(found.values["direction"], direction);
    }
}

#[test]
fn an_activity_entered_twice_is_one_code_one_person_two_tablets_and_two_minutes() {
    let again = |code: &str, provider: &str, start: &str, end: &str| {
        json!({
            "segments.1.tablet": "a",
            "segments.2": {
                "code": code, "start": start, "end": end, "mode": "one_on_one", "provider": provider,
                "patient": "p1", "text": "resisted knee extension", "dose": "3 x 10", "goal": 1, "tablet": "b",
            },
        })
    };
    check(
        "merge-duplicate-activity",
        &[
            (again("97110", "pt1", "09:26", "09:41"), none(), Some(Warning)),
            (again("97110", "pt1", "09:22", "09:37"), none(), Some(Warning)),
            (again("97110", "pt1", "09:27", "09:41"), none(), None),
            (again("97110", "pt1", "09:26", "09:42"), none(), None),
            (again("97110", "pt2", "09:25", "09:40"), none(), None),
            (again("97140", "pt1", "09:25", "09:40"), none(), None),
        ],
    );
}

#[test]
fn an_activity_entered_again_in_another_note_is_found_whichever_began_first_and_is_no_matter_of_a_third() {
    let stretch = |start: &str, end: &str, tablet: &str| json!({"code": "97110", "start": start, "end": end, "mode": "one_on_one", "provider": "pt1", "tablet": tablet});
    let other = |segments: Value| json!({"segments.1.tablet": "a", "other_notes": [{"discipline": "pt", "segments": segments}]});
    check(
        "merge-duplicate-activity",
        &[
            (other(json!([stretch("09:26", "09:41", "b")])), none(), Some(Warning)),
            (other(json!([stretch("09:22", "09:37", "b")])), none(), Some(Warning)),
            (other(json!([stretch("11:00", "11:15", "b"), stretch("11:01", "11:16", "c")])), none(), None),
        ],
    );
}

#[test]
fn attendance_is_asked_of_counted_stretches_of_one_on_one_codes() {
    let pump = json!({
        "code": "97016", "start": "10:00", "end": "10:15", "provider": "pt1", "patient": "p1", "text": "sleeve, 40 mmHg",
        "dose": "15 min", "goal": 1,
    });
    check(
        "attendance-not-recorded",
        &[
            (json!({"segments.0.mode": null}), none(), Some(Blocker)),
            (json!({"segments.0.mode": null, "segments.0.counted": false}), none(), None),
            (json!({"segments.2": pump}), none(), None),
        ],
    );
    check(
        "attendance-conflict",
        &[
            (json!({"segments.0.mode": "independent"}), none(), Some(Blocker)),
            (json!({"segments.0.mode": "rest"}), none(), None),
        ],
    );
}

#[test]
fn who_is_no_licensed_clinician_is_judged_as_such_and_not_by_profession() {
    check(
        "provider-not-allowed-for-code",
        &[
            (json!({"people.pt1.profession": "student"}), none(), None),
            (json!({"people.pt1.profession": "aide"}), none(), None),
            (json!({"people.pt1.profession": "physical_therapist"}), none(), None),
        ],
    );
}

#[test]
fn a_signature_is_late_after_three_days_and_very_late_after_thirty() {
    let at = |text: &str| json!({"note": {"signatures": signed_at(text)}});
    check(
        "signature-late",
        &[
            (none(), at("2024-08-08T12:00:00.000Z"), None),
            (none(), at("2024-08-09T12:00:00.000Z"), Some(Warning)),
            (none(), at("2024-09-04T12:00:00.000Z"), Some(Warning)),
            (none(), at("2024-09-05T12:00:00.000Z"), Some(Blocker)),
        ],
    );
}

#[test]
fn a_claim_follows_its_signature_and_is_sent_in_time() {
    let sent = |day: &str, draft: bool| {
        json!({
            "note": {"signatures": signed_at("2024-08-06T12:00:00.000Z")},
            "claim": {"sent_on": day, "draft": draft, "units": {"97112": 2, "97110": 1}},
        })
    };
    check(
        "claim-before-signature",
        &[
            (none(), sent("2024-08-05", false), Some(Blocker)),
            (none(), sent("2024-08-06", false), None),
            (none(), sent("2024-08-07", false), None),
            (none(), sent("2024-08-05", true), None),
        ],
    );
    let asked = |day: &str| (json!({"as_of": day}), none());
    let edge = |(with, over): (Value, Value), expected| (with, over, expected);
    check(
        "claim-timely-filing",
        &[
            edge(asked("2025-05-31"), None),
            edge(asked("2025-06-01"), Some(Warning)),
            edge(asked("2025-08-05"), Some(Warning)),
            edge(asked("2025-08-06"), Some(Blocker)),
            (none(), sent("2025-08-05", false), None),
            (none(), sent("2025-08-06", false), Some(Blocker)),
        ],
    );
}

#[test]
fn an_authorisation_counts_visits_and_units_of_what_it_covers() {
    let file = |more: Value| {
        let mut one = json!({"number": "A-17", "from": "2024-07-01", "to": "2024-09-30"});
        for (name, value) in more.as_object().unwrap() {
            one[name] = value.clone();
        }
        json!({"patient": {"file": {"authorization_required": true, "authorizations": [one]}}})
    };
    check(
        "authorization-exhausted",
        &[
            (none(), file(json!({"units": 3})), None),
            (none(), file(json!({"units": 2})), Some(Blocker)),
            (none(), file(json!({"units": 5, "units_used": 3})), Some(Blocker)),
            (none(), file(json!({"units": 2, "codes": ["97112", "97110"]})), Some(Blocker)),
            (none(), file(json!({"units": 2, "codes": ["97112"]})), None),
        ],
    );
    check(
        "authorization-missing",
        &[
            (none(), file(json!({"to": "2024-08-05"})), None),
            (none(), file(json!({"to": "2024-08-04"})), Some(Blocker)),
            (none(), file(json!({"from": "2024-08-06"})), Some(Blocker)),
            (none(), file(json!({"codes": ["97112"]})), Some(Blocker)),
        ],
    );
    let limit = |most: u32| json!({"patient": {"file": {"visit_limit": {"year": 2024, "most": most, "elsewhere": 17}}}});
    check("visit-limit-near", &[(none(), limit(20), Some(Advice)), (none(), limit(21), None)]);
}

#[test]
fn entered_units_fit_if_some_outcome_of_a_tie_has_them() {
    // 20 minutes each: a whole block each, and a third unit that either may have.
    let tied = |neuro: u32, exercise: u32| {
        json!({
            "segments.0.end": "09:20", "segments.1.start": "09:20", "segments.1.end": "09:40",
            "totals": {"timed": 40, "treatment": 40}, "units": {"97112": neuro, "97110": exercise},
        })
    };
    check(
        "units-allocation-not-acceptable",
        &[
            (tied(2, 1), none(), None),
            (tied(1, 2), none(), None),
            (tied(1, 1), none(), None),
            (tied(2, 2), none(), Some(Blocker)),
            (tied(3, 0), none(), Some(Blocker)),
            (tied(0, 3), none(), Some(Blocker)),
        ],
    );
}

#[test]
fn more_units_than_the_day_has_are_told_the_minutes_they_need() {
    let book = book();
    for (neuro, exercise, needed) in [(2, 2, Some("53")), (3, 2, Some("68")), (2, 1, None)] {
        let report = recompute(&of(&json!({"units": {"97112": neuro, "97110": exercise}}), &none()), &book);
        let over = report.findings.iter().find(|finding| finding.id == "units-over-day-cap");
        // Whole blocks of 15 for all but the last unit, which begins at 8: 3 * 15 + 8 and 4 * 15 + 8.
        let minutes = over.and_then(|finding| finding.values.get("needed")).map(String::as_str);
        assert_eq!(minutes, needed, "{neuro} and {exercise}");
    }
    let brief = json!({
        "segments.0.end": "09:04", "segments.1.start": "09:04", "segments.1.end": "09:07",
        "totals": {"timed": 7, "treatment": 7}, "units": {"97112": 1},
    });
    let report = recompute(&of(&brief, &none()), &book);
    let over = report.findings.iter().find(|finding| finding.id == "units-over-day-cap").unwrap();
    assert_eq!(over.values["needed"], "8");
}

#[test]
fn what_was_done_is_read_from_its_words() {
    let told =
        |text: &str, techniques: Value| json!({"segments.0.text": text, "segments.0.techniques": techniques});
    check(
        "code-97112-pnf-stretch-only",
        &[
            (told("", json!(["hamstring stretching"])), none(), None),
            (told("", json!(["PNF rhythmic initiation of rolling"])), none(), None),
            (told("", json!(["PNF stretching of the hamstrings"])), none(), Some(Warning)),
        ],
    );
    check(
        "note-intervention-nonspecific",
        &[
            (told("worked hard for a while", json!([])), none(), Some(Warning)),
            (told("balance exercises", json!([])), none(), Some(Warning)),
            (told("tandem stance on foam", json!([])), none(), None),
        ],
    );
    let people = |diagnosis: &str, impairment: &str| json!({"diagnoses": [diagnosis], "findings": [impairment], "impairment": impairment, "measures": {}});
    check(
        "note-population-context",
        &[
            (people("I69.354", "tight hamstrings"), none(), None),
            (people("M54.50", "poor standing balance"), none(), None),
            (people("M54.50", "tight hamstrings"), none(), Some(Advice)),
        ],
    );
}

#[test]
fn a_table_of_another_quarter_is_noticed_where_pairs_alone_apply() {
    let on = |day: &str, payer: &str| json!({"date": day, "as_of": day, "payer": payer});
    check(
        "ncci-table-stale",
        &[
            (on("2024-11-04", "aetna"), none(), Some(Warning)),
            (on("2024-09-30", "aetna"), none(), None),
            (on("2024-11-04", "full15"), none(), None),
        ],
    );
}

#[test]
fn a_dispute_names_the_note_it_is_in_unless_that_is_this_note() {
    let book = book();
    let named = |with: Value| {
        let report = recompute(&of(&with, &none()), &book);
        let mut of = report.findings.iter().filter(|finding| finding.id == "merge-conflict-billing-field");
        of.next().map(|finding| finding.documents.len())
    };
    assert_eq!(named(json!({"segments.0.or_end": ["09:20"]})), Some(0));
    let other = json!([{
        "discipline": "pt",
        "segments": [{"code": "97140", "start": "11:00", "end": "11:15", "or_end": ["11:10"], "mode": "one_on_one",
            "provider": "pt1"}],
    }]);
    assert_eq!(named(json!({"other_notes": other})), Some(1));
}
