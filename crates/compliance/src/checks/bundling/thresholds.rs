//! Yearly thresholds and the expected payment of a day. Amounts are estimates in cents.

use std::collections::BTreeMap;

use chart::code::ServiceCode;
use chart::visit::field;
use chrono::Datelike;

use super::carried::modifiers;
use crate::finding::{Findings, finding};
use crate::payment::{Crossed, PaidUnit, bucket, crossed, national_cents, paid_units};
use crate::rulebook::{Flag, Therapy};
use crate::units::UnitMap;
use crate::view::View;

/// The yearly amounts as the lines of this note run them up.
struct Running {
    year: i32,
    before: u64,
    threshold: u64,
    review: u64,
    lines: Vec<(ServiceCode, u64, Crossed)>,
}

impl Running {
    fn total(&self) -> u64 {
        self.lines.iter().fold(self.before, |sum, (_, cents, _)| sum.saturating_add(*cents))
    }
}

/// The units of this note's pool: those entered, else those computed.
fn own_units(view: &View<'_>) -> UnitMap {
    let entered = view.entered();
    if entered.is_empty() {
        return view.units().map(|counted| counted.per_code.clone()).unwrap_or_default();
    }
    entered
}

/// `None` unless the payer has the threshold and what was allowed before is known.
fn running(view: &View<'_>) -> Option<Running> {
    let date = view.date.filter(|_| view.has(Flag::Kx, false))?;
    let year = date.year();
    let bucket = bucket(view.book, view.note.slice.discipline.as_ref()?)?;
    let file = &view.facts.patient.as_ref()?.file;
    let before = file.allowed.iter().find(|row| row.year == year && row.bucket == bucket)?.cents;
    let amounts = view.book.years.get(&year)?;
    let mut units: BTreeMap<ServiceCode, Vec<PaidUnit>> = BTreeMap::new();
    for unit in paid_units(view.book, &own_units(view)) {
        units.entry(unit.code.clone()).or_default().push(unit);
    }
    let lines: Vec<(ServiceCode, u64)> = units
        .into_iter()
        .filter_map(|(code, units)| Some((code, national_cents(view.book, Some(date), &units)?)))
        .collect();
    let cents: Vec<u64> = lines.iter().map(|(_, cents)| *cents).collect();
    let crossed = crossed(view.book, year, before, &cents)?;
    let lines = lines.into_iter().zip(crossed).map(|((code, cents), crossed)| (code, cents, crossed));
    Some(Running {
        year,
        before,
        threshold: amounts.threshold_cents,
        review: amounts.review_cents,
        lines: lines.collect(),
    })
}

fn attested(view: &View<'_>, code: &ServiceCode) -> bool {
    let set = view.book.modifiers("attestation");
    modifiers(view, code).iter().any(|m| set.contains(m))
}

pub(super) fn yearly(view: &View<'_>, out: &mut Findings<'_>) {
    let Some(running) = running(view) else { return };
    let mut sum = running.before;
    for (code, cents, crossed) in &running.lines {
        sum = sum.saturating_add(*cents);
        let draft = |check: &str| {
            let draft = finding(check).value("code", code).value("year", running.year);
            draft.value("allowed", dollars(sum)).value("threshold", dollars(running.threshold))
        };
        match (crossed.attestation, attested(view, code)) {
            (true, false) => out.push(draft("kx-required")),
            (false, true) => out.push(draft("kx-before-threshold")),
            (true, true) | (false, false) => {}
        }
    }
    let total = running.total();
    if running.lines.iter().any(|(_, _, crossed)| crossed.review) {
        let draft = finding("review-threshold-crossed").value("year", running.year);
        out.push(draft.value("allowed", dollars(total)).value("threshold", dollars(running.review)));
    }
    let percent = u64::try_from(view.setting("threshold_near_percent")).unwrap_or(100);
    let near = total.saturating_mul(100) >= running.threshold.saturating_mul(percent);
    if near && total <= running.threshold {
        let draft = finding("threshold-near").value("year", running.year);
        out.push(draft.value("allowed", dollars(total)).value("threshold", dollars(running.threshold)));
    }
}

/// An attestation of necessity rests on written words.
pub(super) fn reasoned(view: &View<'_>, out: &mut Findings<'_>) {
    let reason = [view.field(field::THRESHOLD_REASON), view.episode_field(field::THRESHOLD_REASON)];
    if reason.iter().any(|text| !text.is_empty()) {
        return;
    }
    for code in view.own_codes().iter().filter(|code| attested(view, code)) {
        out.push(finding("kx-attestation-missing").value("code", code));
    }
}

/// What a day of several therapy units is expected to come to.
pub(super) fn reduced(view: &View<'_>, out: &mut Findings<'_>) {
    if !view.has(Flag::Mppr, false) || view.setting("payment_estimates") == 0 {
        return;
    }
    let lines = view.lines();
    let always = |code: &ServiceCode| view.row(code).is_some_and(|row| row.therapy == Therapy::Always);
    let units =
        lines.iter().filter(|(code, _)| always(code)).fold(0u32, |sum, (_, n)| sum.saturating_add(*n));
    let paid = paid_units(view.book, &lines);
    let Some(cents) = national_cents(view.book, view.date, &paid).filter(|_| units >= 2) else { return };
    let fewer = paid.iter().filter(|unit| unit.reduced).count();
    out.push(
        finding("mppr-estimate")
            .value("units", units)
            .value("reduced", fewer)
            .value("amount", dollars(cents)),
    );
}

/// Cents as dollars.
pub(in crate::checks) fn dollars(cents: u64) -> String {
    format!("${}.{:02}", cents / 100, cents % 100)
}
