//! Which codes of a day bundle, by the table of pairs.

use std::collections::{BTreeMap, BTreeSet};

use chart::code::ServiceCode;
use chrono::NaiveDate;

use crate::rulebook::{Pair, Rulebook};

/// Which official tables apply: the clinic's setting, else the practitioners'.
pub(crate) fn tables(settings: &BTreeMap<String, String>) -> &str {
    settings.get("ncci_table").map_or("practitioner", |text| text.trim())
}

/// Two codes of a day that bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PairFound {
    /// The code that is paid.
    pub(crate) first: ServiceCode,
    /// The code that is part of it.
    pub(crate) second: ServiceCode,
    /// Whether a modifier may open the pair.
    pub(crate) opens: bool,
}

/// Every pair among the codes of a date, in order, by the table of a setting.
pub(crate) fn pairs_of(
    book: &Rulebook,
    setting: &str,
    date: Option<NaiveDate>,
    codes: &BTreeSet<ServiceCode>,
) -> Vec<PairFound> {
    let Some(table) = book.pair_table(setting, date) else { return Vec::new() };
    let holds = |row: &&Pair| {
        // An edit that ended within the quarter holds until then; the start is the table's own.
        row.until.is_none_or(|until| date.is_none_or(|date| date <= until))
    };
    let mut found = Vec::new();
    for first in codes {
        let rows: Vec<&Pair> = table.rows.get(first).into_iter().flatten().filter(holds).collect();
        for second in codes {
            let opens = rows.iter().any(|row| row.modifier.contains(second));
            if opens || rows.iter().any(|row| row.never.contains(second)) {
                found.push(PairFound { first: first.clone(), second: second.clone(), opens });
            }
        }
    }
    found
}
