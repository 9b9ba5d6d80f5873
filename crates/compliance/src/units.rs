//! From minutes to units: the three counting rules, every allocation they accept, and the reasoning.
//!
//! Pure arithmetic over minutes by code. Nothing here knows a segment, a dispute or a payer: who was
//! treated when is settled before, and the rule is an argument. The algorithm is the one of the 8-minute
//! rule's manual text: the total fixes the number of units, whole blocks go first, leftovers compete.

mod division;
mod pool;
mod split;
mod trace;
mod work;

use chart::report::{Choice, Counted, UnitRule};

pub(crate) use pool::is_pooled;
pub use work::{UnitMap, Work};

use crate::rulebook::{Rulebook, UnitRuleRow};
use division::{choices, divide};
use split::Services;

/// Counts units by a rule. `picks` are allocations a clinician recorded; one the rule accepts is taken
/// if no other accepted one contradicts it.
pub fn count(book: &Rulebook, rule: UnitRule, work: &Work, picks: &[UnitMap]) -> Counted {
    let services = Services::of(book, work);
    let Some(row) = book.unit_rules.get(&rule) else {
        return Counted {
            trace: vec!["the rulebook has no such counting rule, so nothing is counted".to_owned()],
            ..Counted::default()
        };
    };
    let division = divide(row, services.timed.clone());
    let mut accepted: Vec<UnitMap> = Vec::new();
    for pick in picks {
        let pick = services.united(pick);
        if division.accepts(&pick) && !accepted.contains(&pick) {
            accepted.push(pick);
        }
    }
    let listed: Vec<UnitMap> =
        choices(&division.tie, division.open).iter().map(|chosen| division.with(chosen)).collect();
    let by_default = listed.first().cloned().unwrap_or_default();
    let (timed, choice) = match accepted.as_slice() {
        _ if division.tie.is_empty() => (by_default, Choice::Only),
        [pick] => (
            division.base.keys().map(|s| (s.clone(), pick.get(s).copied().unwrap_or(0))).collect(),
            Choice::Recorded,
        ),
        _ => (by_default, Choice::Default),
    };
    let other = services.other(book, row, work);
    let whole = |timed: &UnitMap| services.whole(timed, &other);
    let per_code = whole(&timed);
    let mut acceptable: Vec<UnitMap> = listed.iter().map(whole).collect();
    if !acceptable.contains(&per_code) {
        acceptable.push(per_code.clone());
    }
    Counted {
        rule: Some(rule),
        minutes: work.minutes.clone(),
        timed_minutes: u32::try_from(division.total_minutes).unwrap_or(u32::MAX),
        total_units: per_code.values().fold(0u32, |sum, n| sum.saturating_add(*n)),
        trace: trace::trace(book, row, &division, &services, &timed, choice, &other),
        per_code,
        acceptable,
        choice,
    }
}

/// Whether some allocation the rule accepts gives every code at least these units.
pub(crate) fn fits_within(book: &Rulebook, rule: UnitRule, work: &Work, units: &UnitMap) -> bool {
    let services = Services::of(book, work);
    book.unit_rules
        .get(&rule)
        .is_some_and(|row| divide(row, services.timed.clone()).covers(&services.united(units)))
}

/// The fewest minutes of the day that give so many units, where the total fixes them.
pub(crate) fn least_minutes(rule: &UnitRuleRow, units: u32) -> u64 {
    match u64::from(units).checked_sub(1) {
        Some(whole) => {
            whole.saturating_mul(u64::from(rule.unit_minutes)).saturating_add(u64::from(rule.unit_from))
        }
        None => 0,
    }
}
