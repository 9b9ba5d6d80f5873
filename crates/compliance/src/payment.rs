//! Yearly thresholds and the reduction of further units' practice expense. Amounts in cents.

use chart::code::{Discipline, ServiceCode};
use chrono::NaiveDate;

use crate::rulebook::Rulebook;
use crate::units::UnitMap;

/// Whether a line needs the attestation, and whether claims may be reviewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Crossed {
    pub(crate) attestation: bool,
    pub(crate) review: bool,
}

/// Goes through lines in order from the amount allowed before; over means more than, not equal.
pub(crate) fn crossed(
    book: &Rulebook,
    year: i32,
    before_cents: u64,
    lines_cents: &[u64],
) -> Option<Vec<Crossed>> {
    let amounts = book.years.get(&year)?;
    let mut running = before_cents;
    let each = lines_cents.iter().map(|line| {
        running = running.saturating_add(*line);
        Crossed { attestation: running > amounts.threshold_cents, review: running > amounts.review_cents }
    });
    Some(each.collect())
}

/// The bucket a discipline's amounts run up in.
pub(crate) fn bucket<'b>(book: &'b Rulebook, discipline: &Discipline) -> Option<&'b str> {
    book.buckets.iter().find(|row| row.disciplines.contains(discipline)).map(|row| row.name.as_str())
}

/// One unit as it is expected to be paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PaidUnit {
    pub(crate) code: ServiceCode,
    /// Whether its practice expense is halved.
    pub(crate) reduced: bool,
    /// Relative values in two-hundredths.
    pub(crate) value_x200: u64,
}

/// Most units that are listed one by one.
const MOST_UNITS: u32 = 1_000;

/// The units of a day, the largest practice expense first: that one is paid whole, further units of
/// therapy services at half their practice expense. Codes without relative values are left out.
pub(crate) fn paid_units(book: &Rulebook, units: &UnitMap) -> Vec<PaidUnit> {
    let mut rows: Vec<_> = units
        .iter()
        .filter_map(|(code, n)| Some((code, (*n).min(MOST_UNITS), book.code(code)?.fee.as_ref()?)))
        .collect();
    rows.sort_by(|a, b| b.2.practice.cmp(&a.2.practice).then(a.0.cmp(b.0)));
    let mut whole_given = false;
    let mut paid = Vec::new();
    for (code, n, fee) in rows {
        for _ in 0..n {
            let therapy = fee.reduction == THERAPY_REDUCTION;
            let reduced = therapy && whole_given;
            whole_given |= therapy;
            let parts = (u64::from(fee.work) + u64::from(fee.malpractice)) * 2;
            let practice = u64::from(fee.practice) * if reduced { 1 } else { 2 };
            paid.push(PaidUnit { code: code.clone(), reduced, value_x200: parts + practice });
        }
    }
    paid
}

/// The indicator of services whose further units are reduced.
const THERAPY_REDUCTION: u8 = 5;

/// What the units come to nationally, without regard to place, rounded to the cent.
pub(crate) fn national_cents(book: &Rulebook, date: Option<NaiveDate>, paid: &[PaidUnit]) -> Option<u64> {
    units_cents(book, date, paid.iter())
}

/// The same of some of the units.
pub(crate) fn units_cents<'p>(
    book: &Rulebook,
    date: Option<NaiveDate>,
    units: impl Iterator<Item = &'p PaidUnit>,
) -> Option<u64> {
    let factor = book.conversion(date)?.factor;
    let values: u64 = units.map(|unit| unit.value_x200).sum();
    // Two-hundredths of a value times ten-thousandths of a dollar are two-millionths of one.
    Some((values.saturating_mul(factor) + 10_000) / 20_000)
}
