//! How the timed pool divides by a rule: whole blocks, leftovers that certainly earn a unit, and ties.
//! Never decides a tie.

use std::collections::BTreeMap;

use chart::code::ServiceCode;

use super::work::UnitMap;
use crate::limits;
use crate::rulebook::UnitRuleRow;

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
    pub(super) fn with(&self, chosen: &[ServiceCode]) -> UnitMap {
        let mut units = self.base.clone();
        for service in self.sure.iter().chain(chosen) {
            *units.entry(service.clone()).or_default() += 1;
        }
        units
    }

    /// Whether some accepted allocation gives every service at least these units.
    pub(super) fn covers(&self, units: &UnitMap) -> bool {
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

    /// Whether the rule accepts these units, none of them zero; services without an entry count zero.
    pub(super) fn accepts(&self, units: &UnitMap) -> bool {
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
        fits && extra == self.open && units.keys().all(|service| self.base.contains_key(service))
    }
}

/// Divides the timed pool by a rule.
pub(super) fn divide(rule: &UnitRuleRow, minutes: BTreeMap<ServiceCode, u32>) -> Division {
    let block = rule.unit_minutes.max(1);
    let total_minutes: u64 = minutes.values().map(|m| u64::from(*m)).sum();
    let base: UnitMap = minutes.iter().map(|(service, m)| (service.clone(), m / block)).collect();
    let whole: u64 = base.values().map(|n| u64::from(*n)).sum();
    // A service without a leftover comes last and wins nothing: there are never more units to give than
    // leftovers, and a unit begins at one minute or later.
    let mut left: Vec<(u32, u32, &ServiceCode)> =
        minutes.iter().map(|(service, m)| (m % block, *m, service)).collect();
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
pub(super) fn choices(tie: &[ServiceCode], open: usize) -> Vec<Vec<ServiceCode>> {
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
