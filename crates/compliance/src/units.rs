//! From minutes to units: the three counting rules, every allocation they accept, and the reasoning.
//!
//! Pure arithmetic over minutes by code. Nothing here knows a segment, a dispute or a payer: who was
//! treated when is settled before, and the rule is an argument. The algorithm is the one of the 8-minute
//! rule's manual text: the total fixes the number of units, whole blocks go first, leftovers compete.

mod split;
mod trace;

use std::collections::{BTreeMap, BTreeSet};

use chart::code::ServiceCode;
use chart::report::{Choice, Counted, UnitRule};

use crate::limits;
use crate::rulebook::{Basis, Rulebook, UnitRuleRow};
use split::Services;

/// Units by code.
pub type UnitMap = BTreeMap<ServiceCode, u32>;

/// What was done, ready to be counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Counted minutes by code; a code that was done but took no counted minute stands with zero.
    pub minutes: BTreeMap<ServiceCode, u32>,
    /// Untimed codes that were done, whatever the time.
    pub done: BTreeSet<ServiceCode>,
    /// Units entered for codes that are not counted by time, where the table allows more than one.
    pub entered: UnitMap,
}

/// How the timed pool of a rule divides: what is certain and what is a choice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Division {
    /// Minutes by service, pooled codes under their first.
    pub(crate) minutes: BTreeMap<ServiceCode, u32>,
    /// All timed minutes.
    pub(crate) total_minutes: u64,
    /// All timed units.
    pub(crate) total_units: u32,
    /// Whole blocks.
    pub(crate) base: UnitMap,
    /// Services whose leftover certainly earns one more.
    pub(crate) sure: Vec<ServiceCode>,
    /// Services that tie for the last units, in the order nobody's choice falls on them.
    pub(crate) tie: Vec<ServiceCode>,
    /// How many of the tied get one.
    pub(crate) open: usize,
}

impl Division {
    /// Units of every service with these of the tied ones getting one more.
    fn with(&self, chosen: &[ServiceCode]) -> UnitMap {
        let mut units = self.base.clone();
        for service in self.sure.iter().chain(chosen) {
            *units.entry(service.clone()).or_default() += 1;
        }
        units
    }

    /// Whether some accepted allocation gives every service at least these units.
    fn covers(&self, units: &UnitMap) -> bool {
        let mut extra = 0usize;
        let fits = units.iter().all(|(service, given)| {
            let base = self.base.get(service).copied().unwrap_or(0);
            let sure = base.saturating_add(u32::from(self.sure.contains(service)));
            if *given <= sure {
                return true;
            }
            extra += 1;
            self.tie.contains(service) && *given <= base.saturating_add(1)
        });
        fits && extra <= self.open
    }

    /// Whether the rule accepts these units, services without an entry counting zero.
    fn accepts(&self, units: &UnitMap) -> bool {
        let mut extra = 0;
        let fits = self.base.iter().all(|(service, base)| {
            let given = units.get(service).copied().unwrap_or(0);
            if self.sure.contains(service) {
                return given == base + 1;
            }
            if self.tie.contains(service) && given == base + 1 {
                extra += 1;
                return true;
            }
            given == *base
        });
        fits && extra == self.open && units.iter().all(|(code, n)| *n == 0 || self.base.contains_key(code))
    }
}

/// Divides the timed pool by a rule.
fn divide(rule: &UnitRuleRow, minutes: BTreeMap<ServiceCode, u32>) -> Division {
    let block = rule.unit_minutes.max(1);
    let total_minutes: u64 = minutes.values().map(|m| u64::from(*m)).sum();
    let base: UnitMap = minutes.iter().map(|(service, m)| (service.clone(), m / block)).collect();
    let whole: u64 = base.values().map(|n| u64::from(*n)).sum();
    let mut left: Vec<(u32, u32, &ServiceCode)> =
        minutes.iter().map(|(service, m)| (m % block, *m, service)).filter(|(rem, ..)| *rem > 0).collect();
    left.sort_by(|a, b| (b.0, b.1).cmp(&(a.0, a.1)).then(a.2.cmp(b.2)));
    let (sure, tie, open) = if rule.by_total() {
        let units = total_minutes / u64::from(block)
            + u64::from(total_minutes % u64::from(block) >= u64::from(rule.unit_from));
        let extra = usize::try_from(units.saturating_sub(whole)).unwrap_or(usize::MAX).min(left.len());
        contest(&left, extra)
    } else {
        let sure =
            left.iter().filter(|(rem, ..)| *rem >= rule.unit_from).map(|(.., s)| (*s).clone()).collect();
        (sure, Vec::new(), 0)
    };
    let units = whole + u64::try_from(sure.len() + open).unwrap_or(0);
    Division {
        total_minutes,
        total_units: u32::try_from(units).unwrap_or(u32::MAX),
        base,
        sure,
        tie,
        open,
        minutes,
    }
}

/// Who of the leftovers, largest first, gets one of `extra` units: for sure, and in a tie.
fn contest(left: &[(u32, u32, &ServiceCode)], extra: usize) -> (Vec<ServiceCode>, Vec<ServiceCode>, usize) {
    let Some((cut, ..)) = extra.checked_sub(1).and_then(|last| left.get(last)) else {
        return (Vec::new(), Vec::new(), 0);
    };
    let of = |keep: &dyn Fn(u32) -> bool| -> Vec<ServiceCode> {
        left.iter().filter(|(rem, ..)| keep(*rem)).map(|(.., service)| (*service).clone()).collect()
    };
    let mut sure = of(&|rem| rem > *cut);
    let tie = of(&|rem| rem == *cut);
    let open = extra - sure.len();
    if open == tie.len() {
        sure.extend(tie);
        return (sure, Vec::new(), 0);
    }
    (sure, tie, open)
}

/// The ways to choose `open` of the tied, at most as many as are listed; the first is the default.
fn choices(tie: &[ServiceCode], open: usize) -> Vec<Vec<ServiceCode>> {
    let mut found = Vec::new();
    let mut chosen = Vec::new();
    choose(tie, open, &mut chosen, &mut found);
    found
}

fn choose(
    rest: &[ServiceCode],
    open: usize,
    chosen: &mut Vec<ServiceCode>,
    found: &mut Vec<Vec<ServiceCode>>,
) {
    if found.len() >= limits::ACCEPTABLE_LISTED || rest.len() < open {
        return;
    }
    if open == 0 {
        found.push(chosen.clone());
        return;
    }
    if let Some((first, others)) = rest.split_first() {
        chosen.push(first.clone());
        choose(others, open - 1, chosen, found);
        chosen.pop();
        choose(others, open, chosen, found);
    }
}

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

/// Whether a code's minutes belong to the pool.
pub(crate) fn is_pooled(book: &Rulebook, code: &ServiceCode) -> bool {
    book.code(code).is_some_and(|row| {
        row.basis == Basis::Timed && !row.add_on_to.iter().any(|first| outside_pool(book, first))
    })
}

fn outside_pool(book: &Rulebook, first: &ServiceCode) -> bool {
    book.code(first).is_some_and(|row| row.basis != Basis::Timed)
}
