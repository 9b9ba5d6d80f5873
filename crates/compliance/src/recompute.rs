//! The one door: facts and rules in, units and findings and the bill's state out.
//!
//! Every open choice is followed through all its combinations (up to a bound); what holds in all of them
//! is said without condition, what holds in some is said with the choices it depends on.

mod bill;
mod pools;
mod touching;
mod what_if;

use std::borrow::Cow;
use std::collections::BTreeMap;

use chart::billing::{BillChange, compare};
use chart::facts::Facts;
use chart::report::{Certainty, Finding, REPORT_FORMAT, Report};

use crate::checks;
use crate::claim;
use crate::disputes::{
    Site, choices, combinations, described, is_settled, relevant, settle, sites, without_idle_disputes,
};
use crate::finding::Findings;
use crate::limits;
use crate::rulebook::Rulebook;
use crate::view::View;

pub use what_if::{BillIf, bills_by_choice};

/// Units and findings of a note from everything known about it. Pure, total, deterministic: equal facts
/// and rules give an equal report.
pub fn recompute(facts: &Facts, book: &Rulebook) -> Report {
    // Most notes have no dispute: those are read as they are.
    let mut tidy =
        if is_settled(facts) { Cow::Borrowed(facts) } else { Cow::Owned(without_idle_disputes(facts)) };
    let sites = match &mut tidy {
        Cow::Borrowed(_) => Vec::new(),
        Cow::Owned(tidy) => sites(tidy),
    };
    let view = View::of(book, &tidy);
    let pools = pools::pools(&view, &sites);
    let findings = findings(&view, &sites);
    let bill = bill::state(&tidy, &sites, &pools, &findings);
    let billing = if sites.is_empty() {
        claim::billing(&view, &tidy.note, &pools)
    } else {
        // A counted pool comes out the same whatever is chosen: any choice shows its minutes.
        let settled = settle(&tidy, &[]);
        claim::billing(&View::of(book, &settled), &tidy.note, &pools)
    };
    Report {
        format: REPORT_FORMAT,
        document: facts.note.slice.document,
        as_of: facts.as_of,
        standing: facts.standing.clone(),
        rulebook: book.name(),
        inputs: facts.inputs.clone(),
        pools,
        findings,
        bill,
        billing,
    }
}

/// What an edit that arrives changes in a note's bill: the lines before it and after it.
pub fn bill_change(before: &Facts, after: &Facts, book: &Rulebook) -> BillChange {
    compare(&recompute(before, book).billing, &recompute(after, book).billing)
}

/// What makes two findings of different alternatives the same one.
type Key = (String, chart::report::Severity, String, BTreeMap<String, String>, Vec<[u8; 16]>);

fn key(finding: &Finding) -> Key {
    let ids = finding
        .segments
        .iter()
        .map(|id| *id.as_bytes())
        .chain(finding.documents.iter().map(|id| *id.as_bytes()));
    (finding.id.clone(), finding.severity, finding.message.clone(), finding.values.clone(), ids.collect())
}

fn findings(of: &View<'_>, sites: &[Site]) -> Vec<Finding> {
    let (facts, book) = (of.facts, of.book);
    if sites.is_empty() {
        let mut out = Findings::new(book);
        checks::run(of, &mut out);
        checks::of_disputes(facts, sites, &mut out);
        return sorted(without_twins(out.list));
    }
    let every: Vec<usize> = (0..sites.len()).collect();
    let complete = combinations(sites, &every, limits::FINDING_COMBINATIONS).is_some();
    let all = if complete { choices(sites, &every) } else { one_at_a_time(sites) };
    let mut found: BTreeMap<Key, (Finding, Vec<bool>)> = BTreeMap::new();
    for (index, choice) in all.iter().enumerate() {
        let settled = settle(facts, choice);
        let view = View::of(book, &settled);
        let mut out = Findings::new(book);
        checks::run(&view, &mut out);
        for finding in out.list {
            let entry = found.entry(key(&finding)).or_insert_with(|| (finding, vec![false; all.len()]));
            if let Some(holds) = entry.1.get_mut(index) {
                *holds = true;
            }
        }
    }
    let mut list: Vec<Finding> = found
        .into_values()
        .map(|(mut finding, holds)| {
            finding.certainty = certainty(sites, &every, &all, &holds, complete);
            finding
        })
        .collect();
    let mut out = Findings::new(book);
    checks::of_disputes(facts, sites, &mut out);
    list.extend(out.list);
    sorted(list)
}

/// Each finding once.
fn without_twins(list: Vec<Finding>) -> Vec<Finding> {
    let mut found: BTreeMap<Key, Finding> = BTreeMap::new();
    for finding in list {
        found.entry(key(&finding)).or_insert(finding);
    }
    found.into_values().collect()
}

/// The first side of every choice, and each other side alone.
fn one_at_a_time(sites: &[Site]) -> Vec<Vec<usize>> {
    let base = vec![0usize; sites.len()];
    let mut all = vec![base.clone()];
    for (index, site) in sites.iter().enumerate().take(limits::FINDING_SITES_ALONE) {
        for side in 1..site.sides.len() {
            let mut choice = base.clone();
            if let Some(slot) = choice.get_mut(index) {
                *slot = side;
            }
            all.push(choice);
        }
    }
    all
}

fn certainty(
    sites: &[Site],
    every: &[usize],
    all: &[Vec<usize>],
    holds: &[bool],
    complete: bool,
) -> Certainty {
    if complete && holds.iter().all(|holds| *holds) {
        return Certainty::InAll;
    }
    if !complete {
        let seen = holds.iter().filter(|holds| **holds).count();
        return Certainty::If(vec![format!(
            "some of the open choices: {seen} of {} looked at; there are too many combinations to look at all",
            all.len()
        )]);
    }
    let of = relevant(every, all, &|index| holds.get(index).copied().unwrap_or(false));
    let mut labels = Vec::new();
    for (choice, _) in all.iter().zip(holds).filter(|(_, holds)| **holds) {
        let (label, _) = described(sites, &of, choice);
        if !labels.contains(&label) {
            labels.push(label);
        }
    }
    Certainty::If(labels)
}

/// Worst first; then what is certain; then by id, and by what they say. Too many of one id are cut, with
/// a word about it.
fn sorted(mut list: Vec<Finding>) -> Vec<Finding> {
    list.sort_by_cached_key(|finding| {
        let open = finding.certainty != Certainty::InAll;
        (finding.severity, open, key(finding), finding.certainty.clone())
    });
    let mut totals: BTreeMap<String, usize> = BTreeMap::new();
    for finding in &list {
        *totals.entry(finding.id.clone()).or_default() += 1;
    }
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    list.retain_mut(|finding| {
        let n = seen.entry(finding.id.clone()).or_default();
        *n += 1;
        if *n == limits::FINDINGS_OF_ONE_ID {
            let more = totals.get(&finding.id).copied().unwrap_or(0).saturating_sub(*n);
            if more > 0 {
                finding.values.insert("more_of_this_kind".to_owned(), more.to_string());
            }
        }
        *n <= limits::FINDINGS_OF_ONE_ID
    });
    list
}
