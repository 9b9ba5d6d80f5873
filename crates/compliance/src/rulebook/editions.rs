//! Tables of official quarters: several editions side by side, asked by setting and date.

use std::collections::BTreeMap;

use chart::code::ServiceCode;
use chrono::NaiveDate;

use super::claim_rows::{Edition, Limit, Pair};
use super::rows::Mue;

/// The pairs of one edition, by the code that is paid.
#[derive(Clone, Debug)]
pub(crate) struct PairTable {
    pub(crate) edition: Edition,
    pub(crate) rows: BTreeMap<ServiceCode, Vec<Pair>>,
}

/// The daily limits of one edition; where it lists no rows, those of the code table are its rows.
#[derive(Clone, Debug)]
pub(crate) struct LimitTable {
    pub(crate) edition: Edition,
    pub(crate) rows: BTreeMap<ServiceCode, Mue>,
}

impl LimitTable {
    pub(crate) fn of(edition: Edition, limits: Vec<Limit>) -> Self {
        let name = edition.name.clone();
        let row = |limit: Limit| {
            (limit.code, Mue { units: limit.units, indicator: limit.indicator, edition: name.clone() })
        };
        Self { edition, rows: limits.into_iter().map(row).collect() }
    }
}

/// The table of a setting that holds on a date: the one vouched for, else the last that had begun, else
/// the first there is. Without a date, the last.
pub(crate) fn choose<'t, T>(
    tables: impl Iterator<Item = &'t T>,
    edition: impl Fn(&T) -> &Edition,
    setting: &str,
    date: Option<NaiveDate>,
) -> Option<&'t T> {
    let mut of_setting: Vec<&T> = tables.filter(|table| edition(table).setting == setting).collect();
    of_setting.sort_by_key(|table| edition(table).from);
    let begun = |table: &&&T| date.is_none_or(|date| edition(table).from <= date);
    of_setting.iter().rfind(begun).or(of_setting.first()).copied()
}
