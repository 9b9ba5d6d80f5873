//! What lines may come to: the fee schedule with the reduction of further units, or a payer's average rate.
//! Every amount is an estimate in cents.

use std::collections::{BTreeMap, BTreeSet};

use chart::billing::{BillLine, Estimate};
use chart::code::ServiceCode;
use chart::report::{Pool, PoolOutcome};

use crate::assistant::Split;
use crate::payment::{self, PaidUnit, paid_units};
use crate::rulebook::{Flag, Payer};
use crate::units::UnitMap;
use crate::view::View;

/// The units of the whole patient-day and how they are paid.
pub(super) struct Day {
    units: UnitMap,
    way: Way,
    /// Units of a code that earlier pools of the day have.
    before: UnitMap,
}

/// How a payer's amounts are estimated.
enum Way {
    /// By relative values, further units reduced.
    Schedule(Vec<PaidUnit>),
    /// So many cents for any unit.
    Rate(u64),
    /// Not at all.
    Unknown,
}

impl Day {
    pub(super) fn of(view: &View<'_>, pools: &[Pool], own: &Pool, payer: Option<&Payer>) -> Self {
        let mut units = UnitMap::new();
        let mut before = UnitMap::new();
        let mut open = false;
        for pool in pools {
            let PoolOutcome::Counted(counted) = &pool.outcome else {
                open = true;
                continue;
            };
            for (code, n) in counted.per_code.iter().filter(|(_, n)| **n > 0) {
                add(&mut units, code, *n);
                if pool.discipline < own.discipline {
                    add(&mut before, code, *n);
                }
            }
        }
        let way = match payer {
            // The reduction ranks all units of the day: while some are open nobody knows which are reduced.
            Some(payer) if payer.has(Flag::Mppr) && !open => Way::Schedule(paid_units(view.book, &units)),
            Some(payer) if !payer.has(Flag::Mppr) => {
                payer.rate_cents.map_or(Way::Unknown, |cents| Way::Rate(u64::from(cents)))
            }
            _ => Way::Unknown,
        };
        Self { units, way, before }
    }

    /// Every code of the day that has units.
    pub(super) fn codes(&self) -> impl Iterator<Item = &ServiceCode> {
        self.units.keys()
    }

    /// The paid units behind a line: the therapist's come first.
    fn behind(&self, code: &ServiceCode, split: Split, by_assistant: bool) -> Vec<&PaidUnit> {
        let Way::Schedule(paid) = &self.way else { return Vec::new() };
        let skip = self.before.get(code).copied().unwrap_or(0) + if by_assistant { split.plain } else { 0 };
        let take = if by_assistant { split.assist } else { split.plain };
        let of_code = paid.iter().filter(|unit| unit.code == *code);
        of_code.skip(count(skip)).take(count(take)).collect()
    }

    /// What a line may come to.
    pub(super) fn line_cents(
        &self,
        view: &View<'_>,
        code: &ServiceCode,
        split: Split,
        by_assistant: bool,
    ) -> Option<u64> {
        let units = if by_assistant { split.assist } else { split.plain };
        match &self.way {
            Way::Unknown => None,
            Way::Rate(cents) => Some(cents.saturating_mul(u64::from(units))),
            Way::Schedule(_) => {
                let behind = self.behind(code, split, by_assistant);
                if behind.len() < count(units) {
                    return None;
                }
                let cents = payment::units_cents(view.book, view.date, behind.into_iter())?;
                let date = view.date.unwrap_or(view.facts.as_of);
                let rule = view.book.assistant_split(date).filter(|_| by_assistant);
                Some(rule.map_or(cents, |rule| rule.after_reduction(cents)))
            }
        }
    }

    /// The sum of the lines with the words that make it an estimate.
    pub(super) fn estimate(&self, view: &View<'_>, lines: &[BillLine]) -> Option<Estimate> {
        let known: Vec<u64> = lines.iter().filter_map(|line| line.estimate_cents).collect();
        if known.is_empty() {
            return None;
        }
        let without: BTreeSet<ServiceCode> =
            lines.iter().filter(|line| line.estimate_cents.is_none()).map(|line| line.code.clone()).collect();
        let (basis, reduced_units) = match &self.way {
            Way::Schedule(paid) => (self.of_schedule(view, paid), reduced(paid, lines)),
            _ => {
                let rate = "Estimate by a surveyed average rate for one unit; place and contract decide.";
                (rate.to_owned(), 0)
            }
        };
        let cents = known.into_iter().fold(0u64, u64::saturating_add);
        Some(Estimate { cents, basis, reduced_units, without })
    }

    fn of_schedule(&self, view: &View<'_>, paid: &[PaidUnit]) -> String {
        let first = paid.first().and_then(|unit| view.book.code(&unit.code)?.fee.as_ref());
        let edition = first.map_or("unknown", |fee| fee.edition.as_str());
        format!(
            "Estimate of the allowed amount by the national fee schedule: relative values of {edition}, place \
             and deductible aside, practice expense of further therapy units at half."
        )
    }

    /// What the claimed units would come to above what the day's units come to; `None` where no fee is known.
    pub(super) fn over_cents(&self, view: &View<'_>, own: &UnitMap, claimed: &UnitMap) -> Option<u64> {
        match &self.way {
            Way::Unknown => None,
            Way::Rate(cents) => {
                let sum =
                    |units: &UnitMap| units.values().fold(0u64, |sum, n| sum.saturating_add(u64::from(*n)));
                Some(sum(claimed).saturating_sub(sum(own)).saturating_mul(*cents))
            }
            Way::Schedule(_) => {
                let mut sent = self.units.clone();
                for (code, n) in own {
                    if let Some(units) = sent.get_mut(code) {
                        *units = units.saturating_sub(*n);
                    }
                }
                for (code, n) in claimed {
                    add(&mut sent, code, *n);
                }
                let total = |units: &UnitMap| {
                    payment::national_cents(view.book, view.date, &paid_units(view.book, units))
                };
                Some(total(&sent)?.saturating_sub(total(&self.units)?))
            }
        }
    }
}

fn add(units: &mut UnitMap, code: &ServiceCode, n: u32) {
    let sum = units.entry(code.clone()).or_default();
    *sum = sum.saturating_add(n);
}

fn count(n: u32) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}

/// Reduced units on these lines, as far as their codes tell.
fn reduced(paid: &[PaidUnit], lines: &[BillLine]) -> u32 {
    let codes: BTreeSet<&ServiceCode> = lines.iter().map(|line| &line.code).collect();
    let mut of_code: BTreeMap<&ServiceCode, u32> = BTreeMap::new();
    for unit in paid.iter().filter(|unit| unit.reduced && codes.contains(&unit.code)) {
        *of_code.entry(&unit.code).or_default() += 1;
    }
    let on_lines = |code: &ServiceCode| {
        lines.iter().filter(|line| line.code == *code).fold(0u32, |sum, line| sum.saturating_add(line.units))
    };
    of_code.into_iter().fold(0, |sum, (code, n)| sum.saturating_add(n.min(on_lines(code))))
}
