//! The one-line doors: services, visits, errors in one sentence, files of cases, and what the engine's
//! source must not name.

use compliance::assess::{read_visit, write_visit};
use compliance::{Rulebook, assess_line, run_vectors};
use serde_json::{Value, json};

fn ask(line: &str) -> Value {
    let answer = assess_line(line, &Rulebook::builtin().unwrap());
    assert!(!answer.contains('\n'));
    serde_json::from_str(&answer).unwrap()
}

/// The word and the sentence of an error.
fn refused(line: &str) -> (String, String) {
    let answer = ask(line);
    let text = |name: &str| answer["error"][name].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned();
    (text("code"), text("sentence"))
}

#[test]
fn services_give_units_choices_and_reasons() {
    let answer = ask(
        r#"{"rule":"cms_8_minute","services":[{"code":"97112","minutes":20},{"code":"97110","minutes":20},{"code":"G0283"}]}"#,
    );
    assert_eq!(answer["total_units"], 4);
    assert_eq!(answer["per_code"], json!({"97110": 2, "97112": 1, "G0283": 1}));
    assert_eq!(
        answer["acceptable"],
        json!([{"97110": 2, "97112": 1, "G0283": 1}, {"97110": 1, "97112": 2, "G0283": 1}])
    );
    assert_eq!(
        answer["trace"],
        json!([
            "Timed minutes: 97110 20 + 97112 20 = 40.",
            "40 minutes lie between 38 and 52: 3 units for the day.",
            "Whole blocks of 15 minutes give: 97110 1, 97112 1.",
            "1 unit left, and these tie: 97110 with 5, 97112 with 5.",
            "Nobody chose, so by more minutes and then the lower code it goes to 97110.",
            "G0283 does not count by minutes: 1 unit.",
        ])
    );
}

#[test]
fn a_recorded_choice_among_equals_is_kept() {
    let answer = ask(
        r#"{"rule":"cms_8_minute","tie_pick":{"97112":2,"97110":1},"services":[{"code":"97112","minutes":20},{"code":"97110","minutes":20}]}"#,
    );
    assert_eq!((&answer["choice"], &answer["per_code"]["97112"]), (&json!("recorded"), &json!(2)));
}

#[test]
fn the_same_minutes_differ_by_rule() {
    for (rule, services, units) in [
        ("cms_8_minute", [8, 8], 1),
        ("cpt_midpoint", [8, 8], 2),
        ("full_15", [8, 8], 0),
        ("cms_8_minute", [33, 7], 3),
        ("cpt_midpoint", [33, 7], 2),
        ("full_15", [33, 7], 2),
        ("cms_8_minute", [7, 7], 1),
        ("cpt_midpoint", [7, 7], 0),
        ("medicare", [8, 8], 1),
    ] {
        let line = json!({"rule": rule, "services": [
            {"code": "97110", "minutes": services[0]}, {"code": "97140", "minutes": services[1]}
        ]});
        assert_eq!(ask(&line.to_string())["total_units"], units, "{rule} {services:?}");
    }
}

#[test]
fn what_cannot_be_read_is_answered_in_one_sentence() {
    for (line, code, word) in [
        ("{", "malformed_json", "not JSON"),
        ("[]", "not_an_object", "object"),
        (r#"{"services":[]}"#, "rule_missing", "none is assumed"),
        (r#"{"rule":"best","services":[]}"#, "unknown_rule", "`best`"),
        (r#"{"rule":"cash","services":[]}"#, "rule_missing", "not set"),
        (r#"{"rule":"full_15","services":{}}"#, "bad_services", "list"),
        (r#"{"rule":"full_15","services":[{"code":"97999","minutes":9}]}"#, "unknown_code", "97999"),
        (r#"{"rule":"full_15","services":[{"code":"971","minutes":9}]}"#, "malformed_code", "five"),
        (r#"{"rule":"full_15","services":[{"code":"97532","minutes":9}]}"#, "retired_code", "97129"),
        (
            r#"{"rule":"full_15","services":[{"code":"97112","minutes":-1}]}"#,
            "negative_minutes",
            "below zero",
        ),
        (r#"{"rule":"full_15","services":[{"code":"97112","minutes":1.5}]}"#, "bad_minutes", "whole"),
        (r#"{"rule":"full_15","services":[{"code":"97112","minutes":1441}]}"#, "bad_minutes", "a day"),
        (r#"{"rule":"full_15","services":[{"code":"97112"}]}"#, "minutes_missing", "minutes"),
        (r#"{"rule":"full_15","services":[{"code":"97112","minuts":9}]}"#, "unknown_field", "minuts"),
        (r#"{"format":"other/1","segments":[]}"#, "unknown_format", "gaitway-visit/1"),
        (r#"{"segmnets":[]}"#, "unknown_field", "segmnets"),
        (r#"{"segments":[{"code":"97112","start":"25:00"}]}"#, "bad_field", "09:00"),
        (r#"{"segments":[{"code":"97112","minutes":-4}]}"#, "negative_minutes", "below zero"),
        (r#"{"note":{"document":"x"}}"#, "malformed_visit", "cannot be read"),
    ] {
        let (given, sentence) = refused(line);
        assert_eq!(given, code, "{line}");
        assert!(sentence.contains(word) && sentence.ends_with('.'), "{line}: {sentence}");
    }
}

#[test]
fn times_that_run_backwards_are_a_finding_and_no_error() {
    let report = ask(
        r#"{"date":"2024-08-05","payer":"medicare","segments":[{"code":"97112","start":"09:20","end":"09:00","mode":"one_on_one"}]}"#,
    );
    let ids: Vec<&str> = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| finding["id"].as_str().unwrap())
        .collect();
    assert!(ids.contains(&"time-end-not-after-start"), "{ids:?}");
    assert_eq!(report["bill"]["state"], "held");
}

#[test]
fn a_whole_visit_and_its_short_form_give_one_report() {
    let short = r#"{"date":"2024-08-05","payer":"medicare","discipline":"PT","segments":[{"code":"97112","start":"09:00","end":"09:20","mode":"one_on_one","provider":"pt1","text":"balance exercises"}]}"#;
    let facts = read_visit(short).unwrap();
    let whole = write_visit(&facts);
    assert!(whole.contains("gaitway-visit/1"));
    assert_eq!(read_visit(&whole).unwrap(), facts);
    assert_eq!(ask(short), ask(&whole));
    assert_eq!(ask(short)["pools"][0]["outcome"]["total_units"], 1);
}

#[test]
fn a_file_of_cases_says_what_passed_and_what_did_not() {
    let book = Rulebook::builtin().unwrap();
    let cases = json!([
        {"name": "right", "rule_set": "cpt_midpoint", "services": [{"code": "97112", "minutes": 8}], "expected": {"total_units": 1, "per_code": {"97112": 1}}},
        {"name": "wrong", "rule_set": "cpt_midpoint", "services": [{"code": "97112", "minutes": 8}], "expected": {"total_units": 2, "per_code": {"97112": 2}}},
    ]);
    let outcome = run_vectors("mine", &cases.to_string(), &book);
    assert_eq!((outcome.understood, outcome.passed, outcome.failed.len()), (true, 1, 1));
    assert_eq!(outcome.failed[0].case, "wrong");
}

#[test]
fn cases_must_list_exactly_the_acceptable_allocations() {
    let book = Rulebook::builtin().unwrap();
    let case = |acceptable: Value| {
        json!([{"name": "tie", "rule_set": "cms_8_minute", "acceptable_per_code": acceptable,
            "services": [{"code": "97110", "minutes": 7}, {"code": "97140", "minutes": 7}],
            "expected": {"total_units": 1, "per_code": {"97110": 1, "97140": 0}}}])
        .to_string()
    };
    let both = json!([{"97110": 1, "97140": 0}, {"97110": 0, "97140": 1}]);
    assert_eq!(run_vectors("", &case(both), &book).passed, 1);
    assert_eq!(run_vectors("", &case(json!([{"97110": 1}])), &book).passed, 0);
}

#[test]
fn every_other_kind_of_case_can_fail() {
    let book = Rulebook::builtin().unwrap();
    let right = [
        json!({"note": {"payer": "medicare", "segments": []}, "must_include": ["note-date-missing"], "must_not_include": ["time-segment-open"]}),
        json!({"total_minutes": 9, "assistant_minutes": 1, "expected": {"percent_method": true, "simple_method": false, "exact_over_10": true}}),
        json!({"year": 2023, "codes": {"97530": {"t": 8, "a": 9}}, "expected": {"97530": {"plain": 1, "assist": 0}}}),
        json!({"year": 2022, "codes": {"97530": {"t": 7, "a": 8}}, "expected": {"97530": {"plain": 0, "assist": 1}}}),
        json!({"year": 2024, "prior_allowed_cents": 232_999, "line_allowed_cents": [1, 1], "expected": [{"kx": false, "review": false}, {"kx": true, "review": false}]}),
        json!({"codes": ["97140", "97750"], "modifiers": {"97750": ["XU"]}, "expected": [{"col1": "97140", "col2": "97750", "indicator": 1, "resolved": true}]}),
        json!({"units": {"97110": 2}, "expected": {"lines": [{"code": "97110", "pe_reduced": false, "rvu_x200": 176}, {"code": "97110", "pe_reduced": true, "rvu_x200": 134}]}}),
    ];
    let wrong = [
        json!({"note": {"payer": "medicare", "segments": []}, "must_include": ["time-segment-open"]}),
        json!({"total_minutes": 10, "assistant_minutes": 1, "expected": {"percent_method": true}}),
        json!({"year": 2021, "codes": {"97530": {"t": 8, "a": 9}}, "expected": {"97530": {"plain": 1, "assist": 0}}}),
        json!({"year": 2022, "codes": {"97530": {"t": 7, "a": 8}}, "expected": {"97530": {"plain": 1, "assist": 0}}}),
        json!({"year": 2023, "prior_allowed_cents": 232_999, "line_allowed_cents": [1, 1], "expected": [{"kx": false}, {"kx": true}]}),
        json!({"codes": ["97140", "97750"], "modifiers": {}, "expected": []}),
        json!({"units": {"97110": 2}, "expected": {}}),
    ];
    for (right, wrong) in right.iter().zip(&wrong) {
        let outcome = run_vectors("", &json!([right]).to_string(), &book);
        assert_eq!((outcome.understood, outcome.passed), (true, 1), "{outcome:?}");
        let outcome = run_vectors("", &json!([wrong]).to_string(), &book);
        assert_eq!((outcome.understood, outcome.failed.len()), (true, 1), "{outcome:?}");
    }
}

#[test]
fn a_file_that_is_not_understood_has_passed_nothing() {
    let book = Rulebook::builtin().unwrap();
    for text in ["", "[]", "{}", "[1]", r#"[{"name":"x","shape":"new"}]"#, r#"{"cases":3}"#] {
        let outcome = run_vectors("other", text, &book);
        assert_eq!((outcome.understood, outcome.passed), (false, 0), "{text}");
    }
}
