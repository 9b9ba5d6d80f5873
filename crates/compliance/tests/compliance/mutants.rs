//! Worked sessions of the counting rules, and the proof that they bite: with any constant of a rule
//! moved by one, some of them fail.

use chart::code::ServiceCode;
use chart::report::UnitRule;
use compliance::units::{Work, count};
use compliance::{Rulebook, run_vectors};
use serde_json::{Value, json};

/// One session: rule, code and minutes, total, units by code, and the other acceptable ones.
type Session = (&'static str, &'static [(&'static str, u32)], u32, &'static [&'static [u32]]);

/// The manual's examples in numbers, the borders of the intervals, and where the rules part.
const SESSIONS: &[Session] = &[
    ("cms_8_minute", &[("97112", 24), ("97110", 23)], 3, &[&[2, 1]]),
    ("cms_8_minute", &[("97110", 20), ("97112", 20)], 3, &[&[2, 1], &[1, 2]]),
    ("cms_8_minute", &[("97110", 33), ("97140", 7)], 3, &[&[2, 1]]),
    ("cms_8_minute", &[("97110", 18), ("97140", 13), ("97116", 10), ("97035", 8)], 3, &[&[1, 1, 1, 0]]),
    ("cms_8_minute", &[("97110", 7), ("97112", 7), ("97140", 7)], 1, &[&[1, 0, 0], &[0, 1, 0], &[0, 0, 1]]),
    // Equal leftovers: by default the code with more minutes, though its number is higher.
    ("cms_8_minute", &[("97110", 5), ("97112", 20), ("97140", 18)], 3, &[&[0, 2, 1], &[1, 1, 1]]),
    ("cms_8_minute", &[("97112", 7)], 0, &[&[0]]),
    ("cms_8_minute", &[("97112", 8)], 1, &[&[1]]),
    ("cms_8_minute", &[("97112", 22)], 1, &[&[1]]),
    ("cms_8_minute", &[("97112", 23)], 2, &[&[2]]),
    ("cms_8_minute", &[("97530", 52)], 3, &[&[3]]),
    ("cms_8_minute", &[("97530", 53)], 4, &[&[4]]),
    ("cms_8_minute", &[("97530", 127)], 8, &[&[8]]),
    ("cms_8_minute", &[("97530", 128)], 9, &[&[9]]),
    ("cpt_midpoint", &[("97112", 7)], 0, &[&[0]]),
    ("cpt_midpoint", &[("97112", 8), ("97140", 8)], 2, &[&[1, 1]]),
    ("cpt_midpoint", &[("97112", 22), ("97140", 23)], 3, &[&[1, 2]]),
    ("cpt_midpoint", &[("97530", 127)], 8, &[&[8]]),
    ("cpt_midpoint", &[("97530", 128)], 9, &[&[9]]),
    ("full_15", &[("97112", 14)], 0, &[&[0]]),
    ("full_15", &[("97112", 15), ("97110", 29)], 2, &[&[1, 1]]),
    ("full_15", &[("97112", 120)], 8, &[&[8]]),
];

fn cases() -> String {
    let list: Vec<Value> = SESSIONS
        .iter()
        .map(|(rule, services, total, acceptable)| {
            let map = |units: &[u32]| -> Value {
                services.iter().zip(units).map(|((code, _), n)| ((*code).to_owned(), json!(n))).collect()
            };
            let services: Vec<Value> =
                services.iter().map(|(code, m)| json!({"code": code, "minutes": m})).collect();
            json!({
                "name": format!("{rule} {services:?}"), "rule_set": rule, "services": services,
                "expected": {"total_units": total, "per_code": map(acceptable[0])},
                "acceptable_per_code": acceptable.iter().map(|units| map(units)).collect::<Vec<_>>(),
            })
        })
        .collect();
    Value::Array(list).to_string()
}

#[test]
fn the_worked_sessions_come_out() {
    let outcome = run_vectors("sessions", &cases(), &Rulebook::builtin().unwrap());
    assert_eq!((outcome.passed, outcome.failed), (SESSIONS.len(), vec![]));
}

#[test]
fn every_constant_of_every_rule_matters() {
    for rule in ["cms_8_minute", "cpt_midpoint", "full_15"] {
        for (name, old) in [("unit_minutes", 15), ("unit_from", if rule == "full_15" { 15 } else { 8 })] {
            for new in [old - 1, old + 1] {
                if name == "unit_from" && new > 15 || rule == "full_15" && name == "unit_minutes" && new < 15
                {
                    continue;
                }
                let files: Vec<(&str, String)> = Rulebook::builtin_files()
                    .iter()
                    .map(|(file, text)| (*file, mutated(file, text, rule, name, old, new)))
                    .collect();
                let files: Vec<(&str, &str)> =
                    files.iter().map(|(file, text)| (*file, text.as_str())).collect();
                let outcome = run_vectors("sessions", &cases(), &Rulebook::parse(&files).unwrap());
                assert!(!outcome.failed.is_empty(), "{rule}: {name} = {new} goes unnoticed");
            }
        }
    }
}

#[test]
fn a_rulebook_without_a_rule_counts_nothing_by_it_and_says_so() {
    let without = |file: &str, text: &str| match text.split_once("[[rule]]\nid = \"full_15\"") {
        Some((before, after)) if file == "counting.toml" => {
            let (_, pooled) = after.split_once("# Codes that are one service").unwrap();
            format!("{before}# Codes that are one service{pooled}")
        }
        _ => text.to_owned(),
    };
    let files: Vec<(&str, String)> =
        Rulebook::builtin_files().iter().map(|(file, text)| (*file, without(file, text))).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(file, text)| (*file, text.as_str())).collect();
    let book = Rulebook::parse(&files).unwrap();
    let work = Work { minutes: [(ServiceCode::parse("97112").unwrap(), 30)].into(), ..Work::default() };
    let counted = count(&book, UnitRule::Full15, &work, &[]);
    assert_eq!((counted.total_units, counted.rule), (0, None));
    assert_eq!(counted.trace, ["the rulebook has no such counting rule, so nothing is counted"]);
    assert_eq!(count(&book, UnitRule::Cms8Minute, &work, &[]).total_units, 2);
}

/// The counting file with one constant of one rule changed.
fn mutated(file: &str, text: &str, rule: &str, name: &str, old: u32, new: u32) -> String {
    if file != "counting.toml" {
        return text.to_owned();
    }
    let at = text.find(&format!("id = \"{rule}\"")).unwrap();
    let (before, after) = text.split_at(at);
    let line = format!("{name} = {old}");
    assert!(after.contains(&line));
    format!("{before}{}", after.replacen(&line, &format!("{name} = {new}"), 1))
}
