//! The arithmetic of an episode at its edges: treatment days, progress periods, weeks, certification,
//! yearly amounts, authorisations.

use std::collections::BTreeSet;

use chart::facts::Facts;
use chart::report::Severity;
use chrono::{Days, NaiveDate};
use compliance::assess::read_visit;
use compliance::{Rulebook, recompute};
use proptest::prelude::*;
use serde_json::{Value, json};

static BOOK: std::sync::LazyLock<Rulebook> = std::sync::LazyLock::new(|| Rulebook::builtin().unwrap());

/// The clean note of the examples with some of its short form's fields set otherwise.
fn clean(changes: Value) -> Facts {
    let examples: Value =
        serde_json::from_str(include_str!("../../../../rules/examples/findings.json")).unwrap();
    let mut note = examples["clean"].clone();
    for (name, value) in changes.as_object().unwrap() {
        note[name] = value.clone();
    }
    read_visit(&note.to_string()).unwrap()
}

/// Earlier visits of the episode: dates with the kind of note.
fn with_visits(mut facts: Facts, visits: &[(NaiveDate, &str)]) -> Facts {
    let told = visits.iter().enumerate().map(|(index, (date, kind))| {
        let document = format!("{index:08x}-0000-4000-8000-000000000000");
        serde_json::from_value(
            json!({"document": document, "date": date, "kind": kind, "home_program": true}),
        )
        .unwrap()
    });
    facts.episode.as_mut().unwrap().visits = told.collect();
    facts
}

fn ids(facts: &Facts) -> BTreeSet<String> {
    recompute(facts, &BOOK).findings.into_iter().map(|finding| finding.id).collect()
}

/// Which of these findings are raised, in this order.
fn check(facts: &Facts, of: &[&str], expected: &[&str]) {
    let found = ids(facts);
    let raised: Vec<&str> = of.iter().copied().filter(|id| found.contains(*id)).collect();
    assert_eq!(raised, expected);
}

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

/// So many treatment days before the clean note's, two days apart, all treatment notes.
fn days_before(count: u64) -> Vec<(NaiveDate, &'static str)> {
    (1..=count).rev().map(|n| (day("2024-08-05") - Days::new(2 * n), "")).collect()
}

const PROGRESS: [&str; 2] = ["progress-report-due", "progress-report-overdue"];

#[test]
fn a_progress_report_is_due_from_the_eighth_and_late_after_the_tenth_treatment_day() {
    for (before, expected) in [
        (6, &[][..]),
        (7, &["progress-report-due"][..]),
        (9, &["progress-report-due"]),
        (10, &["progress-report-overdue"]),
    ] {
        check(&with_visits(clean(json!({})), &days_before(before)), &PROGRESS, expected);
    }
}

#[test]
fn two_notes_of_one_day_are_one_treatment_day() {
    let mut visits = days_before(6);
    visits.extend(days_before(6));
    check(&with_visits(clean(json!({})), &visits), &PROGRESS, &[]);
}

#[test]
fn a_report_begins_a_new_period_and_so_does_one_that_is_not_among_the_notes() {
    let mut visits = days_before(12);
    check(&with_visits(clean(json!({})), &visits), &PROGRESS, &["progress-report-overdue"]);
    visits[8].1 = "progress_report";
    check(&with_visits(clean(json!({})), &visits), &PROGRESS, &[]);
    let noted = clean(json!({"progress": {"last_report": visits[8].0.to_string()}}));
    check(&with_visits(noted, &days_before(12)), &PROGRESS, &[]);
    let itself = clean(json!({"fields": {"note.kind": "progress_report"}, "plan": "Go on"}));
    check(&with_visits(itself, &days_before(12)), &PROGRESS, &[]);
}

#[test]
fn a_period_is_counted_from_the_day_after_its_report() {
    let with_report_on = |index: usize, before: u64| {
        let mut visits = days_before(before);
        visits[index].1 = "progress_report";
        with_visits(clean(json!({})), &visits)
    };
    // Of twelve earlier days the fifth is the report's: seven follow it, and this note's is the eighth.
    for (index, expected) in [(4, &["progress-report-due"][..]), (5, &[]), (1, &["progress-report-overdue"])]
    {
        check(&with_report_on(index, 12), &PROGRESS, expected);
    }
    // A report written on the note's own day answers for it.
    let mut visits = days_before(12);
    visits.push((day("2024-08-05"), "progress_report"));
    check(&with_visits(clean(json!({})), &visits), &PROGRESS, &[]);
}

#[test]
fn a_visit_limit_counts_the_treatment_days_of_its_year() {
    let visits =
        ["2023-12-27", "2023-12-29", "2024-07-01", "2024-07-03", "2024-07-05"].map(|date| (day(date), ""));
    for (elsewhere, expected) in [(13, &[][..]), (14, &["visit-limit-near"][..])] {
        let mut facts = with_visits(clean(json!({})), &visits);
        let file = json!({"file": {"visit_limit": {"year": 2024, "most": 20, "elsewhere": elsewhere}}});
        facts.patient = Some(serde_json::from_value(file).unwrap());
        check(&facts, &["visit-limit-near"], expected);
    }
}

#[test]
fn an_authorisation_counts_the_treatment_days_from_its_first_day_on() {
    let visits = ["2024-07-31", "2024-08-01", "2024-08-03"].map(|date| (day(date), ""));
    for (most, expected) in [(3, &[][..]), (2, &["authorization-exhausted"][..])] {
        let mut facts = with_visits(clean(json!({})), &visits);
        let one = json!({"number": "A-17", "from": "2024-08-01", "to": "2024-08-05", "visits": most});
        let file = json!({"file": {"authorization_required": true, "authorizations": [one]}});
        facts.patient = Some(serde_json::from_value(file).unwrap());
        check(&facts, &["authorization-exhausted"], expected);
    }
}

/// Earlier visits with what each measured on the one scale of the clean note.
fn with_scores(visits: &[(NaiveDate, &str)]) -> Facts {
    let dates: Vec<(NaiveDate, &str)> = visits.iter().map(|(date, _)| (*date, "")).collect();
    let mut facts = with_visits(clean(json!({})), &dates);
    for (visit, (_, score)) in facts.episode.as_mut().unwrap().visits.iter_mut().zip(visits) {
        visit.measures = [("Berg balance scale".to_owned(), (*score).to_owned())].into();
    }
    facts
}

#[test]
fn no_progress_is_looked_for_in_three_notes_and_in_thirty_days() {
    let before = |days: u64| day("2024-08-05") - Days::new(days);
    for (visits, expected) in [
        (vec![(before(4), "41/56"), (before(2), "41/56")], true),
        (vec![(before(4), "40/56"), (before(2), "41/56")], false),
        (vec![(before(10), "41/56")], false),
        (vec![(before(31), "40/56"), (before(10), "41/56")], true),
        (vec![(before(30), "40/56"), (before(10), "41/56")], false),
        (vec![(before(29), "40/56"), (before(10), "41/56")], false),
    ] {
        let expected = if expected { &["progress-not-shown"][..] } else { &[] };
        check(&with_scores(&visits), &["progress-not-shown"], expected);
    }
}

#[test]
fn a_plateau_names_its_measure_and_is_seen_after_two_periods() {
    let same: Vec<(NaiveDate, &str)> = days_before(20).into_iter().map(|(date, _)| (date, "41/56")).collect();
    let report = recompute(&with_scores(&same), &BOOK);
    let found = report.findings.iter().find(|finding| finding.id == "progress-plateau").unwrap();
    assert_eq!(
        (found.values["measure"].as_str(), found.values["days"].as_str()),
        ("berg balance scale", "20")
    );
    check(&with_scores(&same[1..]), &["progress-plateau"], &[]);
}

#[test]
fn a_full_period_with_a_therapist_and_a_short_one_without_raise_nothing() {
    let of = ["assistant-clinician-participation-missing"];
    check(&with_visits(clean(json!({})), &days_before(9)), &of, &[]);
    let alone =
        json!({"people": {"pt1": {"profession": "physical_therapist_assistant", "npi": "1234567893"}}});
    check(&with_visits(clean(alone), &days_before(8)), &of, &[]);
}

#[test]
fn counted_days_go_before_entered_ones_and_later_visits_do_not_count() {
    let facts = clean(json!({"progress": {"treatment_days_since_report": 11}}));
    check(&facts, &PROGRESS, &["progress-report-overdue"]);
    let mut visits = days_before(2);
    visits.extend((1..20).map(|n| (day("2024-08-05") + Days::new(n), "")));
    check(&with_visits(facts, &visits), &PROGRESS, &[]);
}

#[test]
fn a_week_goes_from_monday_to_sunday() {
    // 5 August 2024 is a Monday.
    let planned = |date: &str| clean(json!({"date": date, "poc": {"frequency": "2x/week"}}));
    let visits = ["2024-08-02", "2024-08-04", "2024-08-05", "2024-08-07"].map(|date| (day(date), ""));
    check(
        &with_visits(planned("2024-08-11"), &visits),
        &["poc-frequency-exceeded"],
        &["poc-frequency-exceeded"],
    );
    check(&with_visits(planned("2024-08-12"), &visits), &["poc-frequency-exceeded"], &[]);
    check(&with_visits(planned("2024-08-05"), &visits), &["poc-frequency-exceeded"], &[]);
}

#[test]
fn certification_is_asked_for_from_the_twentieth_day_and_late_after_the_thirtieth() {
    let of = ["poc-certification-due", "poc-certification-overdue"];
    for (days, expected) in [(19, &[][..]), (20, &of[..1]), (30, &of[..1]), (31, &of[1..])] {
        let begun = day("2024-08-05") - Days::new(days);
        check(&with_visits(clean(json!({})), &[(begun, "evaluation")]), &of, expected);
    }
}

#[test]
fn a_certification_lasts_ninety_days_at_most() {
    for (days, expected) in [(90, &[][..]), (91, &["poc-expired"][..])] {
        let begun = (day("2024-08-05") - Days::new(days)).to_string();
        let poc = json!({"established": begun, "signed": begun});
        check(&clean(json!({"poc": poc})), &["poc-expired"], expected);
    }
}

#[test]
fn the_clinics_own_number_holds_before_the_rulebooks() {
    let settings = json!({"local_contractor": "J15", "progress_report_days": "5"});
    let facts = with_visits(clean(json!({"settings": settings})), &days_before(5));
    check(&facts, &PROGRESS, &["progress-report-overdue"]);
}

#[test]
fn assistants_alone_for_a_whole_period_are_noticed_and_one_visit_of_a_therapist_is_enough() {
    let check_with = |therapist_at: Option<usize>, expected: &[&str]| {
        let mut facts = with_visits(
            clean(
                json!({"people": {"pt1": {"profession": "physical_therapist_assistant", "npi": "1234567893"}}}),
            ),
            &days_before(9),
        );
        let assistant = *facts.note.slice.provider.agreed().unwrap();
        let therapist = chart::ids::PersonId::from_bytes([9; 16]);
        let known = serde_json::from_value(json!({"profession": "physical_therapist"})).unwrap();
        facts.people.insert(therapist, known);
        for (index, visit) in facts.episode.as_mut().unwrap().visits.iter_mut().enumerate() {
            let who = if Some(index) == therapist_at { therapist } else { assistant };
            visit.performers = [who].into();
        }
        check(&facts, &["assistant-clinician-participation-missing"], expected);
        // A therapist's report ends the period before: whoever wrote it took no part in the one after.
        if therapist_at.is_some() {
            let mut before = facts;
            let episode = before.episode.as_mut().unwrap();
            let mut earlier = episode.visits.clone();
            for (n, visit) in (0u8..).zip(&mut earlier) {
                visit.document = chart::ids::DocumentId::from_bytes([n + 100; 16]);
                visit.date = visit.date.map(|date| date - Days::new(60));
                visit.performers = [therapist].into();
            }
            if let Some(last) = earlier.last_mut() {
                last.kind = "progress_report".to_owned();
            }
            for visit in &mut episode.visits {
                visit.performers = [assistant].into();
            }
            episode.visits.extend(earlier);
            check(
                &before,
                &["assistant-clinician-participation-missing"],
                &["assistant-clinician-participation-missing"],
            );
        }
    };
    check_with(None, &["assistant-clinician-participation-missing"]);
    check_with(Some(4), &[]);
}

#[test]
fn exactly_at_the_threshold_is_not_over_it() {
    let of = ["kx-required", "threshold-near"];
    // The two lines of the clean note come to this much, so the year reaches the threshold to the cent.
    let lines = {
        let mut facts = clean(json!({}));
        facts.patient = serde_json::from_value(
            json!({"file": {"allowed": [{"year": 2024, "bucket": "PT+SLP", "cents": 233_000}]}}),
        )
        .unwrap();
        let report = recompute(&facts, &BOOK);
        let last = report.findings.iter().rfind(|finding| finding.id == "kx-required").unwrap();
        let dollars: String = last.values["allowed"].chars().filter(char::is_ascii_digit).collect();
        dollars.parse::<u64>().unwrap() - 233_000
    };
    for (before, expected) in [(233_000 - lines, &of[1..]), (233_001 - lines, &of[..1])] {
        let mut facts = clean(json!({}));
        let file = json!({"file": {"allowed": [{"year": 2024, "bucket": "PT+SLP", "cents": before}]}});
        facts.patient = serde_json::from_value(file).unwrap();
        check(&facts, &of, expected);
        // Another year's or discipline's amount is none of this note's.
        let file = json!({"file": {"allowed": [{"year": 2023, "bucket": "PT+SLP", "cents": 900_000}, {"year": 2024, "bucket": "OT", "cents": 900_000}]}});
        facts.patient = serde_json::from_value(file).unwrap();
        check(&facts, &of, &[]);
    }
}

#[test]
fn an_authorisation_counts_the_treatment_days_within_it() {
    let authorized = |visits: u32| {
        let mut facts = with_visits(clean(json!({})), &days_before(5));
        let one = json!({"number": "A-1", "from": "2024-08-01", "to": "2024-08-31", "visits": visits});
        let file = json!({"file": {"authorization_required": true, "authorizations": [one]}});
        facts.patient = serde_json::from_value(file).unwrap();
        facts
    };
    // 1 and 3 August and the note's own day.
    check(&authorized(3), &["authorization-missing", "authorization-exhausted"], &[]);
    check(&authorized(2), &["authorization-exhausted"], &["authorization-exhausted"]);
}

#[test]
fn the_filing_limit_weighs_more_once_it_has_passed() {
    for (days, expected) in [
        (299, None),
        (300, Some(Severity::Warning)),
        (365, Some(Severity::Warning)),
        (366, Some(Severity::Blocker)),
    ] {
        let mut facts = clean(json!({}));
        facts.as_of = day("2024-08-05") + Days::new(days);
        let found = recompute(&facts, &BOOK).findings;
        let severity =
            found.iter().find(|finding| finding.id == "claim-timely-filing").map(|one| one.severity);
        assert_eq!(severity, expected, "{days} days");
    }
}

proptest! {
    /// The order in which visits are told, and visits told twice, change nothing.
    #[test]
    fn the_course_does_not_depend_on_how_its_visits_are_told(days in proptest::collection::vec(0u64..90, 0..30), seed in any::<u64>()) {
        let visits: Vec<(NaiveDate, &str)> = days
            .iter()
            .map(|n| (day("2024-08-05") - Days::new(*n), if n % 7 == 3 { "progress_report" } else { "" }))
            .collect();
        let straight = with_visits(clean(json!({})), &visits);
        let mut turned = straight.clone();
        let told = &mut turned.episode.as_mut().unwrap().visits;
        told.extend(told.first().cloned());
        let by = usize::try_from(seed % 31).unwrap().min(told.len());
        told.rotate_left(by);
        prop_assert_eq!(ids(&straight), ids(&turned));
    }
}

fn any_date() -> impl Strategy<Value = String> {
    proptest::sample::select(vec!["-262142-01-01", "+262142-12-31", "1970-01-01", "2024-02-29", "2024-08-05"])
        .prop_map(str::to_owned)
}

fn any_number() -> impl Strategy<Value = u32> {
    prop_oneof![Just(0), Just(1), Just(u32::MAX), 2u32..400]
}

fn any_time() -> impl Strategy<Value = String> {
    let times = ["1970-01-01T00:00:00.000Z", "2024-08-05T17:00:00.000Z", "9999-12-31T23:59:59.999Z"];
    proptest::sample::select(times.to_vec()).prop_map(str::to_owned)
}

/// What visits, offices and history may say at their worst.
fn any_surroundings() -> impl Strategy<Value = Value> {
    let dates = proptest::collection::vec(any_date(), 0..4);
    let numbers = proptest::collection::vec(any_number(), 6);
    let times = proptest::collection::vec(any_time(), 3);
    (dates, numbers, times, any::<bool>(), any::<i32>(), any::<u64>()).prop_map(|(dates, n, t, flag, year, cents)| {
        let last = dates.last().cloned().unwrap_or_else(|| "2024-08-05".to_owned());
        let id = |n: usize| format!("{n:08x}-0000-4000-8000-000000000000");
        let visits: Vec<Value> = dates.iter().enumerate().map(|(index, date)| {
            json!({"document": id(index), "date": date, "kind": if flag { "discharge" } else { "" }, "performers": [id(50)],
                "measures": {"Berg": format!("{}.{}/56", n[0], n[1]), "": "-"}, "goal_status": {}})
        }).collect();
        let fields = json!({"poc.established": last, "poc.duration": format!("{} days", n[2]), "poc.frequency": n[3].to_string(),
            "poc.goals_changed": last, "episode.closed": last, "notice.signed": last, "improvement.expected_by": last, "progress.last_report": last});
        let authorization = json!({"number": "A", "from": dates.first().unwrap_or(&last), "to": last, "visits": n[0],
            "visits_elsewhere": n[1], "units": n[2], "units_used": n[3]});
        let file = json!({"authorization_required": flag, "authorizations": [authorization],
            "visit_limit": {"year": 2024, "most": n[4], "elsewhere": n[5]},
            "allowed": [{"year": 2024, "bucket": "PT+SLP", "cents": cents}, {"year": year, "bucket": "", "cents": cents}],
            "record_requests": dates, "legal_hold": flag, "deletion_asked_on": last,
            "accesses": [{"person": id(51), "on": last}], "exports": [{"on": last, "asked": [], "holds": ["all"]}]});
        let line = json!({"code": "97112", "units": n[0], "charge_cents": cents, "pointers": [n[1], 0]});
        let claim = json!({"sent_on": last, "units": {"97112": n[0]}, "lines": [line, line], "total_cents": cents, "diagnoses": n[2],
            "frequency": 8, "draft": flag, "sent_beside": [line], "header": {"referring": "é"}});
        let signature = |n: usize, at: &str, meaning: &str| json!({"id": id(n), "person": id(n), "meaning": meaning, "credentials": "",
            "at": at, "current": flag, "proof": {"device": id(7), "changed_after": 1, "original_kept": flag}});
        let history = json!({"contributors": [id(60)], "nameless_changes": 3, "written_until": t[0], "attested": ["x"],
            "amendments": [{"id": id(1), "kind": "note", "at": t[1], "reasoned": flag}],
            "returns": [{"id": id(2), "person": id(3), "at": t[2], "answered": flag}]});
        json!({"visits": visits, "fields": fields, "repeats": {"document": id(1), "percent": n[0], "words": n[1]},
            "patient": {"born_on": last, "file": file}, "claim": claim, "history": history,
            "signatures": [signature(11, &t[0], "author"), signature(12, &t[1], "co_sign"), signature(13, &t[2], "author")]})
    })
}

proptest! {
    #[test]
    fn recompute_answers_whatever_offices_visits_and_history_say(
        said in any_surroundings(), date in any_date(), payer in proptest::sample::select(vec!["medicare", "aetna", "cash"]),
    ) {
        let mut facts = clean(json!({"payer": payer, "settings": {}}));
        if let Ok(date) = date.parse::<NaiveDate>() {
            facts.note.slice.date = chart::register::Fact::Agreed(date);
        }
        let episode = facts.episode.as_mut().unwrap();
        episode.visits = serde_json::from_value(said["visits"].clone()).unwrap();
        episode.fields = serde_json::from_value(said["fields"].clone()).unwrap();
        episode.repeats = serde_json::from_value(said["repeats"].clone()).unwrap();
        facts.patient = serde_json::from_value(said["patient"].clone()).unwrap();
        facts.claim = serde_json::from_value(said["claim"].clone()).unwrap();
        facts.note.history = serde_json::from_value(said["history"].clone()).unwrap();
        facts.note.signatures = serde_json::from_value(said["signatures"].clone()).unwrap();
        let report = recompute(&facts, &BOOK);
        let open = report.findings.iter().find(|finding| finding.message.contains(char::from(b'{')));
        prop_assert_eq!(open, None);
        prop_assert_eq!(recompute(&facts, &BOOK), report);
        let read = read_visit(&compliance::assess::write_visit(&facts)).unwrap();
        prop_assert_eq!(read, facts);
    }
}
