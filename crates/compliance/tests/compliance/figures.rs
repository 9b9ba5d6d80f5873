//! Shares of assistants, reductions and thresholds beside figures reckoned another way: by trying, not by formula.

use compliance::{Rulebook, run_vectors};
use serde_json::{Value, json};

static BOOK: std::sync::LazyLock<Rulebook> = std::sync::LazyLock::new(|| Rulebook::builtin().unwrap());

/// The cases the engine answers otherwise than expected.
fn failed(cases: Vec<Value>) -> Vec<String> {
    let outcome = run_vectors("figures", &Value::Array(cases).to_string(), &BOOK);
    assert!(outcome.understood, "{:?}", outcome.complaint);
    outcome.failed.iter().map(|failure| format!("{failure:?}")).collect()
}

/// The nearest whole number to `of / parts`, halves upwards, by trying one after another.
fn nearest(of: u32, parts: u32) -> u32 {
    (0..=of).find(|n| 2 * of < (2 * n + 1) * parts).unwrap()
}

/// More than a tenth by the percentage, by the tenth in whole minutes, and exactly.
fn more_than_a_tenth(total: u32, assistant: u32) -> (bool, bool, bool) {
    if assistant == 0 {
        return (false, false, false);
    }
    (nearest(assistant * 100, total) >= 11, assistant > nearest(total, 10), assistant * 10 > total)
}

#[test]
fn the_tests_of_a_small_share_agree_with_trying_and_part_where_the_sources_say() {
    let mut cases = Vec::new();
    let mut parted = (0, 0, 0);
    for total in 1..=120 {
        for assistant in 0..=total {
            let (percent, simple, exact) = more_than_a_tenth(total, assistant);
            parted.0 += usize::from(percent != simple);
            parted.1 += usize::from(percent != exact);
            parted.2 += usize::from(simple != exact);
            cases.push(json!({
                "total_minutes": total, "assistant_minutes": assistant,
                "expected": {"percent_method": percent, "simple_method": simple, "exact_over_10": exact},
            }));
        }
    }
    assert_eq!((cases.len(), parted), (7_380, (30, 30, 60)));
    assert_eq!(failed(cases), [""; 0]);
    // An assistant's minutes without any in all: nothing to divide by.
    let nothing = json!({
        "total_minutes": 0, "assistant_minutes": 5,
        "expected": {"percent_method": false, "simple_method": false},
    });
    assert_eq!(failed(vec![nothing]), [""; 0]);
}

/// How the units of the one code of a day are shared: whole blocks first; of one unit left over, the
/// therapist's from the midpoint on (since 2022), else the assistant's if the share is not small; of two,
/// one each.
fn shared(year: i32, therapist: u32, assistant: u32) -> (u32, u32) {
    let units = (1..20).filter(|n| n * 15 - 7 <= therapist + assistant).count();
    let (mut plain, mut assist) = (therapist / 15, assistant / 15);
    let (rest_t, rest_a) = (therapist % 15, assistant % 15);
    match u32::try_from(units).unwrap() - plain - assist {
        0 => {}
        1 if year >= 2022 && rest_t >= 8 => plain += 1,
        1 if more_than_a_tenth(rest_t + rest_a, rest_a).0 => assist += 1,
        1 => plain += 1,
        _ => (plain, assist) = (plain + 1, assist + 1),
    }
    (plain, assist)
}

#[test]
fn the_units_of_a_code_are_shared_as_step_by_step_reckoning_shares_them() {
    let mut cases = Vec::new();
    let mut two_left = 0;
    for year in [2020, 2021, 2022, 2024, 2026] {
        for therapist in 0..=46u32 {
            for assistant in 0..=46u32 {
                let (plain, assist) = shared(year, therapist, assistant);
                two_left += usize::from(plain + assist == therapist / 15 + assistant / 15 + 2);
                cases.push(json!({
                    "year": year, "codes": {"97110": {"t": therapist, "a": assistant}},
                    "expected": {"97110": {"plain": plain, "assist": assist}},
                }));
            }
        }
    }
    assert!(two_left > 500);
    assert_eq!(failed(cases), [""; 0]);
}

/// Year, minutes of therapist and assistant by code, and the shares.
type Case<'c> = (i32, &'c [(&'c str, u32, u32)], &'c [(&'c str, u32, u32)]);

#[test]
fn shares_beside_other_codes_and_pooled_codes_are_these() {
    let cases: &[Case<'_>] = &[
        // Two units are left although the therapist has not reached the midpoint: a tie gave the second one.
        (2022, &[("97110", 5, 14), ("97112", 4, 0)], &[("97110", 0, 2), ("97112", 0, 0)]),
        (2022, &[("97110", 8, 14), ("97112", 7, 0)], &[("97110", 1, 1), ("97112", 0, 0)]),
        (2021, &[("97110", 8, 14), ("97112", 7, 0)], &[("97110", 1, 1), ("97112", 0, 0)]),
        (2021, &[("97110", 7, 14), ("97112", 6, 0)], &[("97110", 0, 2), ("97112", 0, 0)]),
        (2022, &[("97110", 7, 14), ("97112", 6, 0)], &[("97110", 0, 2), ("97112", 0, 0)]),
        // The first unit of a pooled service is all there is of its code, whoever worked longer.
        (2022, &[("97129", 15, 30)], &[("97129", 1, 0)]),
        (2022, &[("97129", 0, 30)], &[("97129", 0, 1)]),
        // A code that earned nothing has nothing to share.
        (2022, &[("97140", 15, 0), ("97110", 0, 7)], &[("97140", 1, 0), ("97110", 0, 0)]),
        (2022, &[("97110", 30, 0), ("97140", 2, 20)], &[("97110", 2, 0), ("97140", 0, 1)]),
    ];
    let cases = cases.iter().map(|(year, codes, shares)| {
        let given = codes.iter().map(|(code, t, a)| ((*code).to_owned(), json!({"t": t, "a": a})));
        let shares = shares.iter().map(|(code, p, a)| ((*code).to_owned(), json!({"plain": p, "assist": a})));
        let (given, shares): (serde_json::Map<_, _>, serde_json::Map<_, _>) =
            (given.collect(), shares.collect());
        json!({"year": year, "codes": given, "expected": shares})
    });
    assert_eq!(failed(cases.collect()), [""; 0]);
}

#[test]
fn the_reduction_ranks_units_by_practice_expense_and_spares_other_services() {
    let line = |code: &str, reduced: bool, value: u32| json!({"code": code, "pe_reduced": reduced, "rvu_x200": value});
    let cases = vec![
        json!({
            "units": {"97140": 1, "97110": 2, "97530": 1},
            "expected": {
                "lines": [
                    line("97530", false, 220), line("97110", true, 134), line("97110", true, 134),
                    line("97140", true, 125),
                ],
                "allowed_cents_national_unadjusted": 10_203,
            },
        }),
        json!({
            "units": {"97161": 1, "97110": 2, "97012": 1},
            "expected": {
                "lines": [
                    line("97161", false, 602), line("97110", true, 134), line("97110", true, 134),
                    line("97012", true, 68),
                ],
                "allowed_cents_national_unadjusted": 15_612,
            },
        }),
        // A service without the reduction neither is reduced nor takes the place of the unit paid whole.
        json!({
            "units": {"97140": 2, "98941": 1},
            "expected": {
                "lines": [line("98941", false, 236), line("97140", false, 162), line("97140", true, 125)],
                "allowed_cents_national_unadjusted": 8_705,
            },
        }),
        json!({
            "units": {"97112": 2},
            "expected": {
                "lines": [line("97112", false, 202), line("97112", true, 152)],
                "allowed_cents_national_unadjusted": 5_892,
            },
        }),
    ];
    let whole = |cases: &[Value]| failed(cases.to_vec());
    assert_eq!(whole(&cases), [""; 0]);
}

#[test]
fn thresholds_are_crossed_by_the_cent_and_each_bucket_runs_alone() {
    let line = |kx: bool, review: bool| json!({"kx": kx, "review": review});
    let cases = vec![
        json!({
            "year": 2024, "prior_allowed_cents": 233_000, "line_allowed_cents": [0, 1, 66_999, 1],
            "expected": [line(false, false), line(true, false), line(true, false), line(true, true)],
        }),
        json!({
            "year": 2026, "prior_allowed_cents": {"PT": 200_000, "SLP": 47_000, "OT": 247_999},
            "lines": [
                {"discipline": "SLP", "allowed_cents": 1_000}, {"discipline": "OT", "allowed_cents": 1},
                {"discipline": "PT", "allowed_cents": 1}, {"discipline": "OT", "allowed_cents": 1},
            ],
            "expected": [
                {"bucket": "PT+SLP", "kx": false}, {"bucket": "OT", "kx": false},
                {"bucket": "PT+SLP", "kx": true}, {"bucket": "OT", "kx": true},
            ],
        }),
    ];
    assert_eq!(failed(cases), [""; 0]);
}

#[test]
fn pairs_are_those_of_the_table_and_only_a_distinct_service_modifier_opens_them() {
    let pair = |first: &str, second: &str, indicator: u8, resolved: bool| json!({"col1": first, "col2": second, "indicator": indicator, "resolved": resolved});
    let case = |codes: &[&str], modifiers: Value, expected: Vec<Value>| json!({"codes": codes, "modifiers": modifiers, "expected": expected});
    let cases = vec![
        // Edits of 2020 that ended: web lists still show them.
        case(&["97530", "97116"], json!({}), vec![]),
        case(&["97140", "97530"], json!({}), vec![]),
        case(&["97530", "97113"], json!({}), vec![]),
        case(&["97161", "97140"], json!({}), vec![]),
        case(&["97530", "97164"], json!({}), vec![]),
        case(&["97530", "97535"], json!({}), vec![]),
        // Those that hold, opened from either side, by any of the five, and by nothing else.
        case(&["97150", "97112"], json!({}), vec![pair("97150", "97112", 1, false)]),
        case(&["97150", "97112"], json!({"97150": ["59"]}), vec![pair("97150", "97112", 1, true)]),
        case(&["97150", "97112"], json!({"97112": ["GP", "XU"]}), vec![pair("97150", "97112", 1, true)]),
        case(&["97150", "97112"], json!({"97112": ["KX", "GP"]}), vec![pair("97150", "97112", 1, false)]),
        case(&["97750", "97140"], json!({"97140": ["XS"]}), vec![pair("97140", "97750", 1, true)]),
        case(&["97164", "97124"], json!({"97124": ["XP"]}), vec![pair("97124", "97164", 1, true)]),
        // Nothing opens these.
        case(&["97161", "97750"], json!({"97750": ["59"]}), vec![pair("97161", "97750", 0, false)]),
        case(
            &["98940", "97161"],
            json!({"97161": ["XE"], "98940": ["59"]}),
            vec![pair("98940", "97161", 0, false)],
        ),
        case(
            &["98941", "98940", "97124", "97140"],
            json!({"97124": ["59"]}),
            vec![
                pair("97140", "97124", 0, false),
                pair("98941", "97124", 1, true),
                pair("98941", "97140", 1, false),
                pair("98940", "97124", 1, true),
                pair("98940", "97140", 1, false),
                pair("98941", "98940", 0, false),
            ],
        ),
    ];
    assert_eq!(failed(cases), [""; 0]);
}
