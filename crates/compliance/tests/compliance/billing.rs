//! The bill: lines with their modifiers, what is asked for, what it may come to, what an edit changes.

use chart::billing::{BillLine, BillingView};
use chart::facts::Facts;
use compliance::assess::read_visit;
use compliance::{Rulebook, bill_change, bills_by_choice, recompute};
use serde_json::{Value, json};

fn book() -> Rulebook {
    Rulebook::builtin().unwrap()
}

fn visit(mut fields: Value) -> Facts {
    let base = json!({
        "date": "2024-08-05", "payer": "medicare", "discipline": "pt", "provider": "pt1", "patient": "p1",
        "diagnoses": ["I69.354", "R26.89"],
    });
    for (name, value) in base.as_object().unwrap() {
        fields.as_object_mut().unwrap().entry(name.clone()).or_insert(value.clone());
    }
    read_visit(&fields.to_string()).unwrap()
}

fn segment(code: &str, start: &str, end: &str, role: &str) -> Value {
    json!({"code": code, "start": start, "end": end, "mode": "one_on_one", "provider": role, "role": role})
}

fn bill(facts: &Facts) -> BillingView {
    recompute(facts, &book()).billing
}

fn line(line: &BillLine) -> String {
    let marks = line.modifiers.join(" ");
    let asked = if line.asked.is_empty() { String::new() } else { format!(" asks {}", line.asked.join(" ")) };
    format!("{} {marks} x{} {}min{asked}", line.code, line.units, line.minutes)
}

fn check(fields: Value, expected: &[&str]) -> BillingView {
    let bill = bill(&visit(fields));
    assert_eq!(bill.lines.iter().map(line).collect::<Vec<_>>(), expected, "{:?}", bill.withheld);
    assert!(bill.lines.iter().enumerate().all(|(index, line)| line.number as usize == index + 1));
    bill
}

#[test]
fn a_code_with_units_of_therapist_and_assistant_is_two_lines() {
    let segments = [
        segment("97110", "09:00", "09:13", "PT"),
        segment("97110", "09:13", "09:36", "PTA"),
        segment("97140", "09:36", "10:06", "PT"),
    ];
    let bill = check(
        json!({"segments": segments}),
        &["97110 GP x1 13min", "97110 GP CQ x1 23min", "97140 GP x2 30min"],
    );
    assert!(bill.lines.iter().all(|line| line.pointers == [1, 2]));
}

#[test]
fn who_pays_decides_which_modifiers_follow_from_the_record() {
    let segments = [segment("97110", "09:00", "09:30", "PTA")];
    check(json!({"segments": segments}), &["97110 GP CQ x2 30min"]);
    check(json!({"segments": segments, "payer": "commercial"}), &["97110  x2 30min"]);
    check(json!({"segments": segments, "discipline": "ot"}), &["97110 GO CO x2 30min"]);
    check(json!({"segments": segments, "payer": "cash"}), &[]);
}

#[test]
fn both_permitted_tests_of_a_small_share_are_a_setting() {
    let segments = [segment("97150", "09:00", "09:08", "PT"), segment("97150", "09:08", "09:09", "PTA")];
    let with = |method: &str, expected: &str| {
        check(json!({"segments": segments, "settings": {"assistant_method": method}}), &[expected]);
    };
    with("percent", "97150 GP CQ x1 9min");
    with("simple", "97150 GP x1 9min");
}

#[test]
fn modifiers_stand_in_the_order_of_the_claim_form() {
    let segments = [segment("97112", "09:00", "09:30", "PTA")];
    check(
        json!({"segments": segments, "modifiers": {"97112": ["GA", "KX", "CQ", "GP", "59"]}}),
        &["97112 59 GP CQ KX GA x2 30min"],
    );
}

#[test]
fn a_word_only_a_person_may_give_is_asked_for_and_never_added() {
    let mut visit = json!({
        "segments": [segment("98940", "09:00", "09:10", "DC"), segment("97140", "09:10", "09:25", "DC")],
        "discipline": "chiropractic", "provider": "DC",
    });
    check(visit.clone(), &["97140  x1 15min asks 59 GY", "98940  x1 10min asks AT"]);
    visit["modifiers"] = json!({"97140": ["GY", "XS"], "98940": ["AT"]});
    check(visit, &["97140 XS GY x1 15min", "98940 AT x1 10min"]);
}

#[test]
fn what_a_payer_does_not_take_is_withheld_with_the_code_it_takes() {
    let segments = [json!({"code": "97014", "minutes": 15, "mode": "supervised", "provider": "pt1"})];
    let bill = check(json!({"segments": segments}), &[]);
    assert_eq!(bill.withheld, ["Medicare Part B does not pay 97014. It takes G0283 instead."]);
}

#[test]
fn the_estimate_says_that_it_is_one_and_halves_further_practice_expense() {
    let segments = [segment("97112", "09:00", "09:30", "PT")];
    let estimate = check(json!({"segments": segments}), &["97112 GP x2 30min"]).estimate.unwrap();
    assert_eq!((estimate.cents, estimate.reduced_units), (5_892, 1));
    assert!(estimate.basis.starts_with("Estimate"), "{}", estimate.basis);
    let segments = [segment("97112", "09:00", "09:30", "PTA")];
    let cut = check(json!({"segments": segments}), &["97112 GP CQ x2 30min"]).estimate.unwrap();
    // The payer cuts 15 percent of its own 80: 88 percent are left.
    assert_eq!(cut.cents, 5_185);
    let rate = json!({"segments": [segment("97112", "09:00", "09:30", "PT")], "payer": "private_a"});
    let rate = check(rate, &["97112  x2 30min"]).estimate.unwrap();
    assert_eq!((rate.cents, rate.reduced_units), (10_000, 0));
    assert!(rate.basis.starts_with("Estimate"), "{}", rate.basis);
    let unknown = json!({"segments": [segment("97112", "09:00", "09:30", "PT")], "payer": "aetna"});
    assert_eq!(check(unknown, &["97112  x2 30min"]).estimate, None);
}

#[test]
fn the_reduction_ranks_the_units_of_all_disciplines() {
    let other = |code: &str| {
        json!([{"discipline": "ot", "segments": [
            {"code": code, "start": "10:00", "end": "10:15", "mode": "one_on_one", "provider": "ot1"}
        ]}])
    };
    let with = |others: Value| {
        let segments = [segment("97112", "09:00", "09:15", "PT")];
        check(json!({"segments": segments, "other_notes": others}), &["97112 GP x1 15min"]).estimate.unwrap()
    };
    assert_eq!((with(json!([])).cents, with(json!([])).reduced_units), (3_362, 0));
    // The other discipline's service has the larger practice expense and is the one paid whole.
    assert_eq!((with(other("97530")).cents, with(other("97530")).reduced_units), (2_530, 1));
}

#[test]
fn a_disputed_pool_has_no_line_and_each_choice_has_its_own_bill() {
    let mut long = segment("97112", "09:00", "09:17", "PT");
    long["or_end"] = json!(["09:24"]);
    let facts = visit(json!({"segments": [long, segment("97110", "09:30", "09:45", "PT")]}));
    let open = bill(&facts);
    assert_eq!((open.lines.len(), open.estimate), (0, None));
    assert_eq!(open.withheld, ["The units of this day depend on choices nobody has made."]);
    let bills = bills_by_choice(&facts, &book());
    let shown: Vec<(String, Vec<String>)> =
        bills.iter().map(|one| (one.label.clone(), one.billing.lines.iter().map(line).collect())).collect();
    let lines =
        |minutes: &str, n: &str| vec!["97110 GP x1 15min".to_owned(), format!("97112 GP x{n} {minutes}min")];
    assert_eq!(
        shown,
        [
            ("97112 ends 09:17".to_owned(), lines("17", "1")),
            ("97112 ends 09:24".to_owned(), lines("24", "2"))
        ]
    );
    let change = &bills[1].change.lines;
    assert_eq!((change.len(), change[0].units.before, change[0].units.after), (1, 1, 2));
}

#[test]
fn disputed_diagnoses_are_pointed_to_by_no_line() {
    let mut facts = visit(json!({"segments": [segment("97112", "09:00", "09:15", "PT")]}));
    let side = |value: &str, n: u8| chart::register::Alternative {
        value: vec![value.to_owned()],
        versions: [chart::ids::VersionId::from_bytes([n; 16])].into(),
        by: Vec::new(),
    };
    facts.note.diagnoses = chart::register::Fact::Disputed(vec![side("I69.354", 1), side("R26.89", 2)]);
    let bill = bill(&facts);
    assert_eq!((bill.lines.len(), bill.lines[0].pointers.len()), (1, 0));
}

#[test]
fn a_late_edit_shows_what_it_changes_in_the_bill() {
    let before = visit(json!({"segments": [segment("97112", "09:00", "09:15", "PT")]}));
    let after = visit(json!({"segments": [
        segment("97112", "09:00", "09:23", "PT"), segment("97140", "09:23", "09:38", "PT"),
    ]}));
    let change = bill_change(&before, &after, &book());
    let lines: Vec<String> = change
        .lines
        .iter()
        .map(|line| {
            format!("{} {} {}->{}", line.code, line.modifiers.join(" "), line.units.before, line.units.after)
        })
        .collect();
    assert_eq!(lines, ["97112 GP 1->2", "97140 GP 0->1"]);
    assert_eq!(change.cents_before, Some(3_362));
    assert!(change.cents_after > change.cents_before);
    assert!(bill_change(&after, &after, &book()).lines.is_empty());
}

#[test]
fn a_claim_of_too_many_units_starts_the_clock_of_an_overpayment() {
    let with = |claimed: u32| {
        let claim = json!({"sent_on": "2024-08-20", "units": {"97112": claimed}});
        let segments = [segment("97112", "09:00", "09:20", "PT")];
        bill(&visit(json!({"segments": segments, "claim": claim, "as_of": "2025-09-01"}))).after_claim
    };
    let over = with(2).unwrap();
    assert_eq!(serde_json::to_value(&over.units).unwrap(), json!({"97112": {"before": 2, "after": 1}}));
    // The second unit was paid with half its practice expense.
    assert_eq!(over.over_cents, Some(2_530));
    assert_eq!(over.return_by.map(|day| day.to_string()), Some("2025-10-31".to_owned()));
    assert_eq!(over.inquiry_until.map(|day| day.to_string()), Some("2026-02-28".to_owned()));
    assert!(over.source.contains("401.305"), "{}", over.source);
    assert_eq!(with(1), None);
    let under = with(0).unwrap();
    assert_eq!((under.over_cents, under.return_by), (None, None));
}

#[test]
fn what_changed_since_the_claim_is_the_whole_day_unless_the_claim_is_of_one_note_of_several() {
    let changed = |other_notes: Value| {
        let claim = json!({"sent_on": "2024-08-20", "units": {"97112": 2}});
        let segments = [segment("97112", "09:00", "09:15", "PT"), segment("97140", "09:15", "09:30", "PT")];
        let facts = visit(json!({"segments": segments, "claim": claim, "other_notes": other_notes}));
        serde_json::to_value(&bill(&facts).after_claim.unwrap().units).unwrap()
    };
    let (fewer, added) = (json!({"before": 2, "after": 1}), json!({"before": 0, "after": 1}));
    assert_eq!(changed(json!([])), json!({"97112": fewer, "97140": added}));
    let other = segment("97110", "10:00", "10:15", "PT");
    assert_eq!(changed(json!([{"discipline": "pt", "segments": [other]}])), json!({"97112": fewer}));
}
