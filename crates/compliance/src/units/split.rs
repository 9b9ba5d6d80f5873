//! Which minutes form the pool, and how pooled services turn back into codes.

use std::collections::BTreeMap;

use chart::code::ServiceCode;

use super::pool::is_pooled;
use super::work::{UnitMap, Work};
use crate::rulebook::{Basis, Rulebook, UnitRuleRow};

/// What was done, sorted by how it counts.
#[derive(Clone, Debug, Default)]
pub(super) struct Services {
    /// Minutes of the pool by service; two pooled codes stand under the first.
    pub(super) timed: BTreeMap<ServiceCode, u32>,
    /// For a pooled service, the code of its further units.
    further: BTreeMap<ServiceCode, ServiceCode>,
    /// Every code of the pool as recorded.
    codes: Vec<ServiceCode>,
    /// Codes outside the pool that were done.
    pub(super) outside: Vec<ServiceCode>,
}

impl Services {
    pub(super) fn of(book: &Rulebook, work: &Work) -> Self {
        let mut services = Self::default();
        for (code, minutes) in &work.minutes {
            if !is_pooled(book, code) {
                continue;
            }
            let pooled = book.pooled.iter().find(|row| row.first == *code || row.more == *code);
            let service = pooled.map_or(code, |row| &row.first);
            if let Some(row) = pooled {
                services.further.insert(row.first.clone(), row.more.clone());
            }
            let sum = services.timed.entry(service.clone()).or_default();
            *sum = sum.saturating_add(*minutes);
            services.codes.push(code.clone());
        }
        let done = work.minutes.keys().chain(&work.done).filter(|code| !is_pooled(book, code));
        services.outside = done.cloned().collect::<std::collections::BTreeSet<_>>().into_iter().collect();
        services
    }

    /// Units by code as units by service, none of them zero; codes outside the pool are left out, one nobody
    /// did stays.
    pub(super) fn united(&self, units: &UnitMap) -> UnitMap {
        let mut united = UnitMap::new();
        for (code, n) in units.iter().filter(|(code, n)| **n > 0 && !self.outside.contains(code)) {
            let owner = self.further.iter().find(|(_, more)| *more == code).map(|(first, _)| first);
            let sum = united.entry(owner.unwrap_or(code).clone()).or_insert(0u32);
            *sum = sum.saturating_add(*n);
        }
        united
    }

    /// Units by service as units by code, with the codes outside the pool.
    pub(super) fn whole(&self, timed: &UnitMap, other: &UnitMap) -> UnitMap {
        let mut whole = other.clone();
        for code in &self.codes {
            whole.entry(code.clone()).or_insert(0);
        }
        for (service, n) in timed {
            match self.further.get(service) {
                None => {
                    whole.insert(service.clone(), *n);
                }
                Some(more) => {
                    if *n > 0 || self.codes.contains(service) {
                        whole.insert(service.clone(), (*n).min(1));
                    }
                    if *n > 1 || self.codes.contains(more) {
                        whole.insert(more.clone(), n.saturating_sub(1));
                    }
                }
            }
        }
        whole
    }

    /// Units of the codes outside the pool.
    pub(super) fn other(&self, book: &Rulebook, rule: &UnitRuleRow, work: &Work) -> UnitMap {
        self.outside
            .iter()
            .map(|code| {
                let minutes = work.minutes.get(code).copied().unwrap_or(0);
                let done = work.done.contains(code);
                (code.clone(), units_outside(book, rule, code, minutes, done, work))
            })
            .collect()
    }
}

/// Units of one code outside the pool.
fn units_outside(
    book: &Rulebook,
    rule: &UnitRuleRow,
    code: &ServiceCode,
    minutes: u32,
    done: bool,
    work: &Work,
) -> u32 {
    let Some(row) = book.code(code) else { return 0 };
    match row.basis {
        Basis::LongTimed | Basis::Timed => {
            let block = row.base_minutes.unwrap_or(rule.unit_minutes).max(1);
            // The midpoint is passed by more than half a block; a rule of whole blocks asks for all of it.
            let from = if rule.unit_from >= rule.unit_minutes { block } else { block / 2 + 1 };
            let units = minutes / block + u32::from(minutes % block >= from);
            if row.once_a_day { units.min(1) } else { units }
        }
        Basis::Untimed
        | Basis::Unlisted
        | Basis::Area
        | Basis::PerEpisode
        | Basis::Per30Days
        | Basis::CalendarMonth => {
            if !done && minutes == 0 {
                return 0;
            }
            let most = work.most.get(code).copied().unwrap_or(1).max(1);
            work.entered.get(code).copied().unwrap_or(1).clamp(1, most)
        }
    }
}
