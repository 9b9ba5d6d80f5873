//! Units as entered against units as computed, daily limits, add-ons, and the claim that was sent.

use chart::code::ServiceCode;
use chart::report::{Choice, Counted, UnitRule};

use super::check::Check;
use crate::bundling::tables;
use crate::day::PoolWork;
use crate::finding::{Findings, finding};
use crate::rulebook::Flag;
use crate::units::{UnitMap, count, fits_within, is_pooled, least_minutes};
use crate::view::View;

pub(super) const CHECKS: &[Check] = &[
    Check {
        pushes: &["units-over-day-cap", "units-single-service-under-8", "units-under-supported"],
        run: totals,
    },
    Check { pushes: &["units-allocation-not-acceptable", "units-full-15-not-reached"], run: allocation },
    Check { pushes: &["units-tie-needs-choice", "units-service-unbilled"], run: ties },
    Check { pushes: &["units-rule-missing", "units-rules-differ"], run: rules },
    Check { pushes: &["units-untimed-more-than-one", "units-base-more-than-one"], run: once },
    Check { pushes: &["units-over-mue", "units-payer-day-cap"], run: limits },
    Check { pushes: &["units-add-on-without-base"], run: add_ons },
    Check { pushes: &["units-day-spans-notes"], run: spans_notes },
    Check { pushes: &["units-not-integer"], run: whole },
    Check { pushes: &["units-changed-after-claim"], run: claim },
    Check { pushes: &["units-payer-minutes-required"], run: minutes_required },
];

/// The pool of the note with its units, and the timed units entered for it.
fn entered<'v>(view: &'v View<'_>) -> Option<(&'v PoolWork, &'v Counted, UnitMap)> {
    let (pool, counted) = (view.pool()?, view.units()?);
    let timed = pool.work.entered.iter().filter(|(code, _)| is_pooled(view.book, code));
    Some((pool, counted, timed.map(|(code, n)| (code.clone(), *n)).collect()))
}

fn sum(units: &UnitMap) -> u32 {
    units.values().fold(0, |sum, n| sum.saturating_add(*n))
}

fn timed_units(view: &View<'_>, counted: &Counted) -> u32 {
    counted
        .per_code
        .iter()
        .filter(|(code, _)| is_pooled(view.book, code))
        .fold(0, |sum, (_, n)| sum.saturating_add(*n))
}

fn list(units: &UnitMap) -> String {
    units.iter().map(|(code, n)| format!("{code} {n}")).collect::<Vec<_>>().join(", ")
}

fn totals(view: &View<'_>, out: &mut Findings<'_>) {
    let Some((pool, counted, timed)) = entered(view) else { return };
    let Some(rule) = view.rule else { return };
    let (given, computed) = (sum(&timed), timed_units(view, counted));
    let minutes = counted.timed_minutes;
    if given == 0 {
        // Nothing timed is entered: only a note that enters units at all can have too few.
        if !pool.work.entered.is_empty() && computed > 0 {
            out.push(finding("units-under-supported").value("entered", given).value("computed", computed));
        }
        return;
    }
    let row = view.book.unit_rules.get(&rule);
    if rule != UnitRule::Full15 && row.is_some_and(|row| minutes < row.unit_from) {
        out.push(finding("units-single-service-under-8").value("minutes", minutes).value("entered", given));
    }
    if row.is_some_and(|row| row.by_total()) && given > computed {
        let needed = row.map_or(0, |row| least_minutes(row, given));
        let draft = finding("units-over-day-cap").value("entered", given).value("computed", computed);
        out.push(draft.value("minutes", minutes).value("needed", needed));
    }
    if given < computed {
        out.push(finding("units-under-supported").value("entered", given).value("computed", computed));
    }
}

fn allocation(view: &View<'_>, out: &mut Findings<'_>) {
    let Some((pool, counted, timed)) = entered(view) else { return };
    let Some(rule) = view.rule else { return };
    if sum(&timed) == 0 || fits_within(view.book, rule, &pool.work, &timed) {
        return;
    }
    if rule == UnitRule::Full15 {
        for (code, given) in &timed {
            let computed = counted.per_code.get(code).copied().unwrap_or(0);
            if *given > computed {
                let minutes = counted.minutes.get(code).copied().unwrap_or(0);
                let draft = finding("units-full-15-not-reached").value("code", code).value("entered", given);
                out.push(draft.value("minutes", minutes).value("computed", computed));
            }
        }
    }
    let draft = finding("units-allocation-not-acceptable").value("entered", list(&timed));
    out.push(draft.value("minutes", list(&counted.minutes)).value("accepted", list(&counted.per_code)));
}

fn ties(view: &View<'_>, out: &mut Findings<'_>) {
    let Some(counted) = view.units() else { return };
    if counted.choice == Choice::Default && counted.acceptable.len() > 1 {
        let tied = counted.per_code.keys().filter(|code| {
            let mut values = counted.acceptable.iter().map(|map| map.get(*code).copied().unwrap_or(0));
            let first = values.next();
            values.any(|value| Some(value) != first)
        });
        let tied: Vec<String> = tied.map(ToString::to_string).collect();
        out.push(finding("units-tie-needs-choice").value("tied", tied.join(" and ")));
    }
    for (code, minutes) in &counted.minutes {
        if *minutes > 0 && is_pooled(view.book, code) && counted.per_code.get(code) == Some(&0) {
            out.push(finding("units-service-unbilled").value("code", code).value("minutes", minutes));
        }
    }
}

fn rules(view: &View<'_>, out: &mut Findings<'_>) {
    let Some(pool) = view.pool() else { return };
    if pool.work.minutes.is_empty() {
        return;
    }
    let total = count(view.book, UnitRule::Cms8Minute, &pool.work, &pool.picks);
    let each = count(view.book, UnitRule::CptMidpoint, &pool.work, &pool.picks);
    match view.rule {
        None if view.payer_id.is_some() => {
            let draft = finding("units-rule-missing").value("payer", view.payer_text());
            out.push(draft.value("total", list(&total.per_code)).value("each", list(&each.per_code)));
        }
        Some(rule) if total.total_units != each.total_units || !total.acceptable.contains(&each.per_code) => {
            let label = view.book.unit_rules.get(&rule).map_or("", |row| row.label.as_str());
            let draft = finding("units-rules-differ").value("rule", label);
            out.push(draft.value("total", total.total_units).value("each", each.total_units));
        }
        _ => {}
    }
}

fn once(view: &View<'_>, out: &mut Findings<'_>) {
    let most = |code: &ServiceCode| {
        let limit = view.book.limit(code, tables(&view.facts.settings), view.date);
        limit.map_or(1, |limit| limit.units)
    };
    for (code, units) in view.entered().iter().filter(|(_, units)| **units > 1) {
        let Some(row) = view.row(code) else { continue };
        let draft = |check| finding(check).value("code", code).value("entered", units);
        if row.once_a_day {
            out.push(draft("units-base-more-than-one"));
        } else if row.base_minutes.is_none() && most(code) <= 1 {
            out.push(draft("units-untimed-more-than-one"));
        }
    }
}

fn limits(view: &View<'_>, out: &mut Findings<'_>) {
    let lines = view.lines();
    if view.has(Flag::Mue, view.payer_id.is_none()) {
        for code in view.own_codes() {
            let (Some(units), Some(mue)) =
                (lines.get(code), view.book.limit(code, tables(&view.facts.settings), view.date))
            else {
                continue;
            };
            if *units > mue.units {
                let draft = finding("units-over-mue").value("code", code).value("units", units);
                let draft = draft
                    .value("limit", mue.units)
                    .value("indicator", mue.indicator)
                    .value("edition", &mue.edition);
                out.push(draft.otherwise_if(mue.units > 0 && mue.indicator != 2));
            }
        }
    }
    let own: u32 = view.units().map_or(0, |counted| {
        let entered = view.entered();
        if entered.is_empty() { counted.total_units } else { sum(&entered) }
    });
    if let Some(limit) = view.payer.and_then(|payer| payer.day_cap).filter(|limit| own > *limit) {
        out.push(finding("units-payer-day-cap").value("units", own).value("limit", limit));
    }
}

fn add_ons(view: &View<'_>, out: &mut Findings<'_>) {
    let done = |code: &ServiceCode| {
        view.day.segs.iter().any(|seg| seg.code() == code)
            || view.day.pools.values().any(|pool| pool.work.entered.get(code).is_some_and(|n| *n > 0))
    };
    for code in view.own_codes() {
        let Some(row) = view.row(code).filter(|row| !row.add_on_to.is_empty()) else { continue };
        if done(code) && !row.add_on_to.iter().any(&done) {
            let base: Vec<String> = row.add_on_to.iter().map(ToString::to_string).collect();
            out.push(
                finding("units-add-on-without-base").value("code", code).value("base", base.join(" or ")),
            );
        }
    }
}

fn spans_notes(view: &View<'_>, out: &mut Findings<'_>) {
    let Some(pool) = view.pool().filter(|pool| pool.documents.len() > 1) else { return };
    let others = pool.documents.iter().copied().filter(|document| *document != view.note.slice.document);
    out.push(finding("units-day-spans-notes").value("notes", pool.documents.len()).documents(others));
}

fn whole(view: &View<'_>, out: &mut Findings<'_>) {
    for (code, text) in view.note.slice.billed_units.agreed().into_iter().flatten() {
        if text.trim().parse::<u32>().is_err() {
            out.push(finding("units-not-integer").value("code", code));
        }
    }
}

fn claim(view: &View<'_>, out: &mut Findings<'_>) {
    let (Some(claim), Some(pool), Some(counted)) = (&view.facts.claim, view.pool(), view.units()) else {
        return;
    };
    let whole_day = pool.documents.len() <= 1;
    let relevant = |code: &ServiceCode| whole_day || claim.units.contains_key(code);
    let kept = |units: &UnitMap| -> UnitMap {
        units
            .iter()
            .filter(|(code, n)| **n > 0 && relevant(code))
            .map(|(code, n)| (code.clone(), *n))
            .collect()
    };
    let (claimed, computed) = (kept(&claim.units), kept(&counted.per_code));
    if claimed != computed {
        let draft = finding("units-changed-after-claim").value("sent", claim.sent_on);
        out.push(draft.value("claimed", list(&claimed)).value("computed", list(&computed)));
    }
}

fn minutes_required(view: &View<'_>, out: &mut Findings<'_>) {
    if !view.has(Flag::RequiresMinutesPerCode, false) {
        return;
    }
    for code in view.own_codes() {
        let minutes: u32 = view
            .own()
            .filter(|seg| seg.code() == code)
            .fold(0, |sum, seg| sum.saturating_add(seg.own_minutes()));
        if minutes == 0 {
            out.push(
                finding("units-payer-minutes-required").value("code", code).value("payer", view.payer_text()),
            );
        }
    }
}
