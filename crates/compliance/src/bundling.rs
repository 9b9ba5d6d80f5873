//! Which codes of a day bundle, by the table of pairs.

use std::collections::BTreeSet;

use chart::code::ServiceCode;

use crate::rulebook::Rulebook;

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

/// Every pair among the codes, in order.
pub(crate) fn pairs_of(book: &Rulebook, table: &str, codes: &BTreeSet<ServiceCode>) -> Vec<PairFound> {
    let Some(rows) = book.pairs.get(table) else { return Vec::new() };
    let mut found = Vec::new();
    for first in codes {
        let Some(row) = rows.get(first) else { continue };
        for second in codes {
            let opens = row.modifier.contains(second);
            if opens || row.never.contains(second) {
                found.push(PairFound { first: first.clone(), second: second.clone(), opens });
            }
        }
    }
    found
}
