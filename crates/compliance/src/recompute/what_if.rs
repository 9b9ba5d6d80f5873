//! The bill under each way the open choices of a day may go. Makes no choice.

use chart::billing::{BillChange, BillingView, compare};
use chart::facts::Facts;
use serde::Serialize;

use super::pools::pools;
use crate::claim::billing;
use crate::disputes::{
    Site, choices, combinations, described, relevant, settle, sites, without_idle_disputes,
};
use crate::limits;
use crate::rulebook::Rulebook;
use crate::view::View;

/// The bill under one combination of choices.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BillIf {
    /// The combination in plain words, such as an end that was entered twice.
    pub label: String,
    /// The lines it gives.
    pub billing: BillingView,
    /// What differs from the first combination.
    pub change: BillChange,
}

/// The bill of a note under every combination of choices it depends on; empty where nothing is open, or
/// where there are more combinations than are listed.
pub fn bills_by_choice(facts: &Facts, book: &Rulebook) -> Vec<BillIf> {
    let mut tidy = without_idle_disputes(facts);
    let sites = sites(&mut tidy);
    let of: Vec<usize> = sites
        .iter()
        .enumerate()
        .filter(|(_, site)| Site::may_change_units(site))
        .map(|(index, _)| index)
        .collect();
    if of.is_empty() || combinations(&sites, &of, limits::POOL_COMBINATIONS).is_none() {
        return Vec::new();
    }
    let all = choices(&sites, &of);
    let bills: Vec<BillingView> = all
        .iter()
        .map(|choice| {
            let settled = settle(&tidy, choice);
            let view = View::of(book, &settled);
            billing(&view, &tidy.note, &pools(&view, &[]))
        })
        .collect();
    let mut depends: Vec<usize> = Vec::new();
    for bill in &bills {
        depends.extend(relevant(&of, &all, &|index| bills.get(index) == Some(bill)));
    }
    depends.sort_unstable();
    depends.dedup();
    let mut found: Vec<BillIf> = Vec::new();
    for (choice, bill) in all.iter().zip(bills) {
        let (label, _) = described(&sites, &depends, choice);
        if found.iter().any(|known| known.label == label) {
            continue;
        }
        let change = found.first().map_or_else(BillChange::default, |first| compare(&first.billing, &bill));
        found.push(BillIf { label, billing: bill, change });
    }
    found
}
