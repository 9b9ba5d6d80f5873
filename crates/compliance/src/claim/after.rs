//! What differs from the claim that was sent, and the clock of an overpayment. Corrects nothing.

use std::collections::BTreeMap;

use chart::billing::{AfterClaim, UnitChange};
use chart::code::ServiceCode;
use chart::report::{Counted, Pool};
use chrono::Days;

use super::estimate::Day;
use crate::units::UnitMap;
use crate::view::View;

/// The days an overpayment must be returned within.
const RETURN: &str = "overpayment-return";
/// The days that clock may stand still for an inquiry.
const INQUIRY: &str = "overpayment-inquiry";

/// The change since the claim; `None` where none was sent or nothing differs.
pub(super) fn after_claim(view: &View<'_>, pool: &Pool, counted: &Counted, day: &Day) -> Option<AfterClaim> {
    let claim = view.facts.claim.as_ref()?;
    // A claim of one note of several says nothing of the codes of the others.
    let whole_day = pool.documents.len() <= 1;
    let kept = |units: &UnitMap| -> UnitMap {
        let relevant = |code: &ServiceCode| whole_day || claim.units.contains_key(code);
        units.iter().filter(|(code, _)| relevant(code)).map(|(code, n)| (code.clone(), *n)).collect()
    };
    let (claimed, computed) = (kept(&claim.units), kept(&counted.per_code));
    let mut units: BTreeMap<ServiceCode, UnitChange> = BTreeMap::new();
    for code in claimed.keys().chain(computed.keys()) {
        let of = |units: &UnitMap| units.get(code).copied().unwrap_or(0);
        let change = UnitChange { before: of(&claimed), after: of(&computed) };
        if change.before != change.after {
            units.insert(code.clone(), change);
        }
    }
    if units.is_empty() {
        return None;
    }
    let too_much = units.values().any(|change| change.before > change.after);
    let over_cents = day.over_cents(view, &computed, &claimed).filter(|_| too_much);
    let clock = |name: &str| {
        let row = view.book.deadline(name, view.facts.as_of).filter(|_| too_much)?;
        Some((view.facts.as_of.checked_add_days(Days::new(u64::from(row.days)))?, row.source.clone()))
    };
    let return_by = clock(RETURN);
    Some(AfterClaim {
        sent_on: claim.sent_on,
        units,
        over_cents,
        source: return_by.as_ref().map_or(String::new(), |(_, key)| view.book.source(key).to_owned()),
        return_by: return_by.map(|(day, _)| day),
        inquiry_until: clock(INQUIRY).map(|(day, _)| day),
    })
}
