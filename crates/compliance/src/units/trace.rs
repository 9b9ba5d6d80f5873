//! The reasoning of a count in plain words, step by step, so that a person can read it aloud.

use chart::code::ServiceCode;
use chart::report::Choice;

use super::division::Division;
use super::split::Services;
use super::work::UnitMap;
use crate::rulebook::{Basis, Rulebook, UnitRuleRow};

pub(super) fn trace(
    book: &Rulebook,
    rule: &UnitRuleRow,
    division: &Division,
    services: &Services,
    timed: &UnitMap,
    choice: Choice,
    other: &UnitMap,
) -> Vec<String> {
    let mut steps = Vec::new();
    if !division.minutes.is_empty() {
        if rule.by_total() {
            by_total(rule, division, timed, choice, &mut steps);
        } else {
            by_each(rule, division, timed, &mut steps);
        }
        for (service, n) in timed.iter().filter(|(_, n)| **n == 0) {
            steps.push(format!("{service} gets {}; it stays in the note.", units(*n)));
        }
    }
    for code in &services.outside {
        let n = other.get(code).copied().unwrap_or(0);
        steps.push(match book.code(code).map(|row| row.basis) {
            None => format!("{code} is not in the code table and is not counted."),
            Some(Basis::Timed | Basis::LongTimed) => {
                format!("{code} counts in blocks of its own length, outside the pool: {}.", units(n))
            }
            Some(_) => format!("{code} does not count by minutes: {}.", units(n)),
        });
    }
    if steps.is_empty() {
        steps.push("Nothing was done that counts.".to_owned());
    }
    steps
}

fn by_total(
    rule: &UnitRuleRow,
    division: &Division,
    timed: &UnitMap,
    choice: Choice,
    steps: &mut Vec<String>,
) {
    let total = division.total_minutes;
    steps.push(format!("Timed minutes: {} = {total}.", list(&division.minutes, " + ")));
    let block = u64::from(rule.unit_minutes);
    let from = u64::from(rule.unit_from);
    let n = u64::from(division.total_units);
    if n == 0 {
        steps.push(format!("{total} minutes are under {from}: no timed unit."));
        return;
    }
    let low = (n - 1) * block + from;
    steps.push(format!(
        "{total} minutes lie between {low} and {}: {} for the day.",
        low + block - 1,
        count(n)
    ));
    steps.push(format!("Whole blocks of {block} minutes give: {}.", list(&division.base, ", ")));
    let leftovers = |codes: &[ServiceCode]| {
        let parts: Vec<String> = codes
            .iter()
            .map(|code| {
                let minutes = division.minutes.get(code).copied().unwrap_or(0);
                format!("{code} with {}", minutes % rule.unit_minutes.max(1))
            })
            .collect();
        parts.join(", ")
    };
    if !division.sure.is_empty() {
        steps
            .push(format!("The largest leftover minutes earn one more each: {}.", leftovers(&division.sure)));
    }
    if !division.tie.is_empty() {
        let open = count(u64::try_from(division.open).unwrap_or(0));
        steps.push(format!("{open} left, and these tie: {}.", leftovers(&division.tie)));
        let winners: Vec<&str> = division
            .tie
            .iter()
            .filter(|s| timed.get(*s).copied().unwrap_or(0) > division.base.get(*s).copied().unwrap_or(0))
            .map(ServiceCode::as_str)
            .collect();
        steps.push(match choice {
            Choice::Recorded => format!("The clinician chose {}.", winners.join(", ")),
            Choice::Only | Choice::Default => format!(
                "Nobody chose, so by more minutes and then the lower code it goes to {}.",
                winners.join(", ")
            ),
        });
    }
}

fn by_each(rule: &UnitRuleRow, division: &Division, timed: &UnitMap, steps: &mut Vec<String>) {
    steps.push(if rule.unit_from >= rule.unit_minutes {
        format!("Each code counts alone, whole {} minutes only.", rule.unit_minutes)
    } else {
        format!(
            "Each code counts alone; leftover minutes earn a unit from {} of {} on.",
            rule.unit_from, rule.unit_minutes
        )
    });
    for (service, minutes) in &division.minutes {
        let n = timed.get(service).copied().unwrap_or(0);
        steps.push(format!("{service}: {minutes} minutes are {}.", units(n)));
    }
}

fn list(map: &UnitMap, between: &str) -> String {
    map.iter().map(|(code, n)| format!("{code} {n}")).collect::<Vec<_>>().join(between)
}

fn units(n: u32) -> String {
    match n {
        0 => "no unit".to_owned(),
        1 => "1 unit".to_owned(),
        n => format!("{n} units"),
    }
}

fn count(n: u64) -> String {
    if n == 1 { "1 unit".to_owned() } else { format!("{n} units") }
}
