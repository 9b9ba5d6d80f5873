//! Pairs of codes of one day, and whether a modifier between them means something.

use std::collections::BTreeSet;

use chart::code::{Discipline, ServiceCode};
use chrono::NaiveDate;

use super::carried::{modifiers, regions};
use crate::bundling::{PairFound, pairs_of, tables};
use crate::finding::{Findings, finding};
use crate::rulebook::{Edition, Flag, ServiceRole};
use crate::view::View;

fn applies(view: &View<'_>) -> bool {
    view.has(Flag::Ncci, true)
}

/// Every code of the patient-day that may be billed, all disciplines.
fn codes(view: &View<'_>) -> BTreeSet<ServiceCode> {
    view.lines().into_keys().collect()
}

fn found(view: &View<'_>) -> Vec<PairFound> {
    if !applies(view) {
        return Vec::new();
    }
    let own = view.own_codes();
    let all = pairs_of(view.book, tables(&view.facts.settings), view.date, &codes(view));
    all.into_iter().filter(|pair| own.contains(&pair.first) || own.contains(&pair.second)).collect()
}

fn distinct(view: &View<'_>, code: &ServiceCode) -> Option<String> {
    let set = view.book.modifiers("distinct");
    modifiers(view, code).into_iter().find(|m| set.contains(m))
}

pub(super) fn pairs(view: &View<'_>, out: &mut Findings<'_>) {
    for pair in found(view) {
        let draft = |check| finding(check).value("first", &pair.first).value("second", &pair.second);
        if !pair.opens {
            out.push(draft("ncci-pair-never"));
            continue;
        }
        let marked = distinct(view, &pair.first).or_else(|| distinct(view, &pair.second));
        if marked.is_none() {
            out.push(draft("ncci-pair-needs-modifier"));
        } else if let Some(shared) = overlap(view, &pair) {
            out.push(draft("ncci-59-not-distinct").value("minutes", shared));
        }
        let adjusts = view.row(&pair.first).is_some_and(|row| row.role == Some(ServiceRole::Manipulation));
        let common: Vec<String> =
            regions(view, &pair.first).intersection(&regions(view, &pair.second)).cloned().collect();
        if adjusts && !common.is_empty() {
            out.push(draft("ncci-cmt-same-region").value("region", common.join(", ")));
        }
    }
}

/// Minutes the two services of a pair share in time.
fn overlap(view: &View<'_>, pair: &PairFound) -> Option<u32> {
    let spans = |code: &ServiceCode| {
        view.day.segs.iter().filter(|seg| seg.code() == code).filter_map(|seg| seg.span).collect::<Vec<_>>()
    };
    let second = spans(&pair.second);
    let shared = spans(&pair.first)
        .into_iter()
        .flat_map(|a| second.iter().map(move |b| a.overlap(*b).count()).collect::<Vec<_>>());
    shared.max().filter(|minutes| *minutes > 0)
}

/// The disciplines of the day that gave a code.
fn disciplines(view: &View<'_>, code: &ServiceCode) -> BTreeSet<Option<Discipline>> {
    let pools = view.day.pools.iter();
    let gave = pools.filter(|(_, pool)| {
        let work = &pool.work;
        work.entered.contains_key(code) || work.minutes.contains_key(code) || work.done.contains(code)
    });
    gave.map(|(discipline, _)| discipline.clone()).collect()
}

/// Pairs over several disciplines, and pairs that turn on regions nobody recorded.
pub(super) fn day(view: &View<'_>, out: &mut Findings<'_>) {
    for pair in found(view) {
        let draft = |check| finding(check).value("first", &pair.first).value("second", &pair.second);
        let across = disciplines(view, &pair.first).is_disjoint(&disciplines(view, &pair.second));
        let marked = distinct(view, &pair.first).or_else(|| distinct(view, &pair.second)).is_some();
        if across && !marked {
            out.push(draft("ncci-cross-discipline"));
        }
        let adjusts = view.row(&pair.first).is_some_and(|row| row.role == Some(ServiceRole::Manipulation));
        if adjusts && pair.opens && regions(view, &pair.second).is_empty() {
            out.push(draft("note-region-missing"));
        }
    }
}

pub(super) fn purpose(view: &View<'_>, out: &mut Findings<'_>) {
    let all = found(view);
    let exact = view.book.modifiers("distinct-exact");
    for code in view.own_codes() {
        let Some(modifier) = distinct(view, code) else { continue };
        let draft = |check| finding(check).value("code", code).value("modifier", &modifier);
        if !all.iter().any(|pair| pair.first == *code || pair.second == *code) {
            if applies(view) {
                out.push(draft("ncci-59-without-pair"));
            }
        } else if !exact.contains(&modifier)
            && all
                .iter()
                .any(|pair| pair.opens && (pair.first == *code || pair.second == *code) && apart(view, pair))
        {
            out.push(draft("ncci-59-prefer-x"));
        }
    }
}

/// Whether both services of a pair have times and these do not touch.
fn apart(view: &View<'_>, pair: &PairFound) -> bool {
    let timed = |code: &ServiceCode| view.day.segs.iter().any(|seg| seg.code() == code && seg.span.is_some());
    timed(&pair.first) && timed(&pair.second) && overlap(view, pair).is_none()
}

pub(super) fn edition(view: &View<'_>, out: &mut Findings<'_>) {
    let Some(date) = view.date else { return };
    let setting = tables(&view.facts.settings);
    let mut stale = None;
    if applies(view) && view.own_codes().len() > 1 {
        let pairs = view.book.pair_table(setting, Some(date)).map(|table| &table.edition);
        stale = outside(pairs, date, "");
    }
    if stale.is_none() && view.has(Flag::Mue, false) && view.own_codes().len() > 1 {
        stale = outside(view.book.limit_edition(setting, Some(date)), date, " (daily limits)");
    }
    if let Some(name) = stale {
        out.push(finding("ncci-table-stale").value("edition", name).value("date", date));
    }
}

/// The edition's name if it is not vouched for on the date.
fn outside(edition: Option<&Edition>, date: NaiveDate, what: &str) -> Option<String> {
    match edition {
        Some(edition) if edition.covers(date) => None,
        Some(edition) => Some(format!("{}{what}", edition.name)),
        None => Some(format!("none{what}")),
    }
}
