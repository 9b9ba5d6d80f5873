//! Worked figures of claims, and the proof that they bite: with any constant of assistants' shares, yearly
//! thresholds, conversion factors or deadlines moved, some of them fail.

use compliance::assess::read_visit;
use compliance::{Rulebook, recompute, run_vectors};
use serde_json::{Value, json};

/// Year, threshold and review threshold in cents, as the notices print them.
const YEARS: &[(i32, u64, u64)] = &[
    (2018, 201_000, 300_000),
    (2019, 204_000, 300_000),
    (2020, 208_000, 300_000),
    (2021, 211_000, 300_000),
    (2022, 215_000, 300_000),
    (2023, 223_000, 300_000),
    (2024, 233_000, 300_000),
    (2025, 241_000, 300_000),
    (2026, 248_000, 300_000),
];

/// Year, minutes of therapist and assistant of one code and of another, and the first code's split.
type Shared = (i32, (u32, u32), (u32, u32), (u32, u32));

const SHARES: &[Shared] = &[
    (2022, (13, 23), (30, 0), (1, 1)),
    (2022, (8, 14), (0, 0), (1, 0)),
    (2022, (10, 15), (12, 0), (0, 1)),
    (2022, (8, 7), (0, 0), (1, 0)),
    (2022, (7, 8), (0, 0), (0, 1)),
    (2021, (8, 7), (0, 0), (0, 1)),
    (2021, (15, 2), (0, 0), (1, 0)),
    (2021, (14, 2), (0, 0), (0, 1)),
    (2021, (9, 1), (0, 0), (1, 0)),
    (2021, (8, 1), (0, 0), (0, 1)),
];

/// Minutes in all, the assistant's, and whether each permitted test finds them more than a small share.
const SMALL: &[(u32, u32, bool, bool)] = &[
    (10, 1, false, false),
    (9, 1, true, false),
    (20, 2, false, false),
    (20, 3, true, true),
    (5, 1, true, false),
];

/// Day of service and what one unit comes to, in cents: 1.01 values by the year's factor.
const FACTORS: &[(&str, u64)] = &[
    ("2022-06-01", 3_495),
    ("2023-06-01", 3_423),
    ("2024-02-01", 3_307),
    ("2024-08-05", 3_362),
    ("2025-06-01", 3_267),
    ("2026-06-01", 3_373),
];

fn vectors(book: &Rulebook, cases: Vec<Value>) -> usize {
    let outcome = run_vectors("figures", &Value::Array(cases).to_string(), book);
    assert!(outcome.understood, "{:?}", outcome.complaint);
    outcome.failed.len()
}

fn bill(book: &Rulebook, date: &str, role: &str, minutes: u32, more: Value) -> chart::billing::BillingView {
    let mut visit = json!({
        "date": date, "payer": "medicare", "discipline": "pt", "provider": "one",
        "segments": [{"code": "97112", "start": "09:00", "end": format!("09:{minutes}"), "mode": "one_on_one",
            "provider": "one", "role": role}],
    });
    for (name, value) in more.as_object().unwrap() {
        visit[name] = value.clone();
    }
    recompute(&read_visit(&visit.to_string()).unwrap(), book).billing
}

/// How many of the worked figures come out otherwise.
fn wrong(book: &Rulebook) -> usize {
    let thresholds = YEARS.iter().flat_map(|(year, threshold, review)| {
        [(*threshold, "kx"), (*review, "review")].map(|(border, name)| {
            json!({
                "year": year, "prior_allowed_cents": border - 1, "line_allowed_cents": [1, 1],
                "expected": [{name: false}, {name: true}],
            })
        })
    });
    let shares = SHARES.iter().map(|(year, first, second, split)| {
        let minutes = |(t, a): (u32, u32)| json!({"t": t, "a": a});
        let units = json!({"plain": split.0, "assist": split.1});
        let mut codes = json!({"97110": minutes(*first)});
        let mut expected = json!({"97110": units});
        if second.0 > 0 {
            codes["97140"] = minutes(*second);
            expected["97140"] = json!({"plain": second.0.div_ceil(15), "assist": 0});
        }
        json!({"year": year, "codes": codes, "expected": expected})
    });
    let small = SMALL.iter().map(|(total, assistant, percent, simple)| {
        json!({
            "total_minutes": total, "assistant_minutes": assistant,
            "expected": {"percent_method": percent, "simple_method": simple},
        })
    });
    let mut wrong = vectors(book, thresholds.collect())
        + vectors(book, shares.collect())
        + vectors(book, small.collect())
        + vectors(
            book,
            vec![json!({"units": {"97112": 2}, "expected": {"allowed_cents_national_unadjusted": 5_892}})],
        );
    for (date, cents) in FACTORS {
        let estimate = bill(book, date, "PT", 15, json!({})).estimate.map(|estimate| estimate.cents);
        wrong += usize::from(estimate != Some(*cents));
    }
    let cut = bill(book, "2024-08-05", "PTA", 30, json!({})).estimate.map(|estimate| estimate.cents);
    wrong += usize::from(cut != Some(5_185));
    let claim = json!({"claim": {"sent_on": "2024-08-20", "units": {"97112": 2}}, "as_of": "2025-09-01"});
    let after = bill(book, "2024-08-05", "PT", 20, claim).after_claim.unwrap();
    wrong += usize::from(after.return_by.map(|day| day.to_string()) != Some("2025-10-31".to_owned()));
    wrong + usize::from(after.inquiry_until.map(|day| day.to_string()) != Some("2026-02-28".to_owned()))
}

#[test]
fn the_worked_figures_come_out() {
    assert_eq!(wrong(&Rulebook::builtin().unwrap()), 0);
}

#[test]
fn every_constant_of_claims_matters() {
    let text = Rulebook::builtin_files().iter().find(|(file, _)| *file == "thresholds.toml").unwrap().1;
    let mut moved = 0;
    for (number, line) in text.lines().enumerate() {
        let Some((name, value)) = line.split_once(" = ") else { continue };
        // A cent of a dollar for the factors: less is lost in rounding one unit to the cent.
        let step = match name {
            "threshold_cents"
            | "review_cents"
            | "unit_minutes"
            | "midpoint"
            | "small_share_percent"
            | "payment_percent"
            | "payer_share_percent"
            | "days" => 1,
            "factor" => 100,
            _ => continue,
        };
        let value: u64 = value.parse().unwrap();
        for new in [value - step, value + step] {
            let changed: Vec<String> = text
                .lines()
                .enumerate()
                .map(|(n, old)| if n == number { format!("{name} = {new}") } else { old.to_owned() })
                .collect();
            let changed = changed.join("\n");
            let book = Rulebook::builtin_with(&[("thresholds.toml", &changed)]).unwrap();
            assert!(wrong(&book) > 0, "line {}: {name} = {new} goes unnoticed", number + 1);
            moved += 1;
        }
    }
    // Nine years of two amounts, six factors, seven constants of shares, two of payment, two deadlines.
    assert_eq!(moved, 2 * (18 + 6 + 5 + 2 + 2));
}
