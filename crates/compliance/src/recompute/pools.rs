//! The pools of the patient-day: their units, or every alternative where people disagree.

use std::collections::BTreeSet;

use chart::code::Discipline;
use chart::facts::Facts;
use chart::ids::DocumentId;
use chart::report::{Counted, Pool, PoolAlternative, PoolOutcome};
use chart::visit::SegmentValue;

use super::touching::touching;
use crate::day::Day;
use crate::disputes::{Site, choices, combinations, described, relevant, settle};
use crate::limits;
use crate::rulebook::Rulebook;
use crate::units::is_pooled;
use crate::view::{View, count_pool, pool_payer};

/// One pool under one combination of choices.
#[derive(Clone, Debug, Default, PartialEq)]
struct Outcome {
    documents: BTreeSet<DocumentId>,
    payer: Option<chart::code::PayerId>,
    counted: Counted,
    holds: Vec<String>,
}

/// The pools of a view; with open choices, under every combination of them.
pub(super) fn pools(view: &View<'_>, sites: &[Site]) -> Vec<Pool> {
    let (facts, book) = (view.facts, view.book);
    if !sites.iter().any(Site::may_change_units) {
        let one = |discipline| {
            let outcome = of_view(view, &discipline);
            pool(facts, sites, &[], &[], &[Vec::new()], &[outcome], discipline)
        };
        return disciplines(facts).into_iter().map(one).collect();
    }
    let day_sites: Vec<usize> = indices(sites, Site::may_change_units);
    let together = combinations(sites, &day_sites, limits::POOL_COMBINATIONS).is_some();
    let mut pools = Vec::new();
    for discipline in disciplines(facts) {
        let own = indices(sites, |site| site.bears_on_units() && site.discipline == discipline);
        let mut over = day_sites.clone();
        if !together {
            over = indices(sites, |site| site.may_change_units() && site.discipline == discipline);
            over.extend(touching(facts, sites, &discipline));
            over.sort_unstable();
        }
        if combinations(sites, &over, limits::POOL_COMBINATIONS).is_none() {
            pools.push(too_many(facts, &discipline, book));
            continue;
        }
        let all = choices(sites, &over);
        let outcomes: Vec<Outcome> =
            all.iter().map(|choice| outcome(&settle(facts, choice), &discipline, book)).collect();
        pools.push(pool(facts, sites, &own, &over, &all, &outcomes, discipline));
    }
    pools
}

fn indices(sites: &[Site], keep: impl Fn(&Site) -> bool) -> Vec<usize> {
    sites.iter().enumerate().filter(|(_, site)| keep(site)).map(|(index, _)| index).collect()
}

/// The note's discipline first, then the others of the day.
fn disciplines(facts: &Facts) -> Vec<Option<Discipline>> {
    let own = facts.note.slice.discipline.clone();
    let others: BTreeSet<Option<Discipline>> = crate::day::slices(facts)
        .iter()
        .map(|slice| slice.discipline.clone())
        .filter(|d| *d != own)
        .collect();
    std::iter::once(own).chain(others).collect()
}

fn of_view(view: &View<'_>, discipline: &Option<Discipline>) -> Outcome {
    let counted = || view.counted.get(discipline).cloned().unwrap_or_default();
    view.day.pools.get(discipline).map_or_else(Outcome::default, |pool| Outcome {
        documents: pool.documents.clone(),
        payer: pool_payer(pool).cloned(),
        counted: counted(),
        holds: pool.holds.clone(),
    })
}

fn outcome(settled: &Facts, discipline: &Option<Discipline>, book: &Rulebook) -> Outcome {
    let day = Day::of(book, settled);
    day.pools.get(discipline).map_or_else(Outcome::default, |pool| Outcome {
        documents: pool.documents.clone(),
        payer: pool_payer(pool).cloned(),
        counted: count_pool(book, pool),
        holds: pool.holds.clone(),
    })
}

fn pool(
    facts: &Facts,
    sites: &[Site],
    own: &[usize],
    over: &[usize],
    all: &[Vec<usize>],
    outcomes: &[Outcome],
    discipline: Option<Discipline>,
) -> Pool {
    let first = outcomes.first().cloned().unwrap_or_default();
    let one_payer = outcomes.iter().all(|outcome| outcome.payer == first.payer);
    let documents = outcomes.iter().flat_map(|outcome| outcome.documents.iter().copied()).collect();
    let agreed = own.is_empty() && outcomes.iter().all(|outcome| *outcome == first);
    let outcome = if agreed { settled(first.clone()) } else { disputed(sites, own, over, all, outcomes) };
    Pool {
        patient: facts.note.slice.patient,
        date: facts.note.slice.date.agreed().copied(),
        discipline,
        payer: if one_payer { first.payer } else { None },
        documents,
        outcome,
    }
}

fn settled(outcome: Outcome) -> PoolOutcome {
    if outcome.holds.is_empty() {
        return PoolOutcome::Counted(outcome.counted);
    }
    PoolOutcome::Held { reason: outcome.holds.join("; "), so_far: outcome.counted }
}

fn disputed(
    sites: &[Site],
    own: &[usize],
    over: &[usize],
    all: &[Vec<usize>],
    outcomes: &[Outcome],
) -> PoolOutcome {
    // A choice elsewhere in the day is named only if this pool's outcome depends on it.
    let mut of: Vec<usize> = own.to_vec();
    for outcome in outcomes {
        let depends = relevant(over, all, &|index| outcomes.get(index) == Some(outcome));
        of.extend(depends.into_iter().filter(|site| !own.contains(site)));
    }
    of.sort_unstable();
    of.dedup();
    let mut alternatives: Vec<PoolAlternative> = Vec::new();
    for (choice, outcome) in all.iter().zip(outcomes) {
        let (label, versions) = described(sites, &of, choice);
        if !alternatives.iter().any(|known| known.label == label && known.versions == versions) {
            let mut counted = outcome.counted.clone();
            counted.trace.extend(outcome.holds.iter().map(|reason| format!("Held: {reason}.")));
            alternatives.push(PoolAlternative { label, versions, counted });
        }
    }
    let totals = || alternatives.iter().map(|alternative| alternative.counted.total_units);
    PoolOutcome::Disputed {
        total_units_min: totals().min().unwrap_or(0),
        total_units_max: totals().max().unwrap_or(0),
        complete: true,
        alternatives,
    }
}

/// A range for a pool with too many combinations to list: nothing at least, and at most what the
/// longest side of every stretch would give without regard to overlaps.
fn too_many(facts: &Facts, discipline: &Option<Discipline>, book: &Rulebook) -> Pool {
    let mut minutes: u64 = 0;
    let mut codes = 0u64;
    let mut entered = 0u64;
    let mut documents = BTreeSet::new();
    let slices = std::iter::once(&facts.note.slice).chain(&facts.patient_day);
    for slice in slices.filter(|slice| slice.discipline == *discipline) {
        documents.insert(slice.document);
        for segment in &slice.segments {
            let longest = segment.value.values().into_iter().map(|side| longest(side, book)).max();
            minutes = minutes.saturating_add(longest.unwrap_or(0));
            codes = codes.saturating_add(1);
        }
        for units in slice.billed_units.values().into_iter().flat_map(|units| units.values()) {
            entered = entered.saturating_add(units.trim().parse::<u32>().map_or(0, u64::from));
        }
    }
    // No rule gives a code more units than its minutes hold whole blocks, and one for its leftover.
    let block = book.unit_rules.values().map(|rule| rule.unit_minutes).min().unwrap_or(1).max(1);
    let most = (minutes / u64::from(block)).saturating_add(codes).saturating_add(entered);
    Pool {
        patient: facts.note.slice.patient,
        date: facts.note.slice.date.agreed().copied(),
        discipline: discipline.clone(),
        payer: facts.note.slice.payer.agreed().cloned(),
        documents,
        outcome: PoolOutcome::Disputed {
            alternatives: Vec::new(),
            total_units_min: 0,
            total_units_max: u32::try_from(most).unwrap_or(u32::MAX),
            complete: false,
        },
    }
}

/// The minutes of one side, if it could be billed.
fn longest(value: &SegmentValue, book: &Rulebook) -> u64 {
    if !is_pooled(book, &value.code) && book.code(&value.code).is_none() {
        return 0;
    }
    let span = match (value.start, value.end) {
        (Some(start), Some(end)) => end.minute().saturating_sub(start.minute()).max(0).unsigned_abs(),
        _ => 0,
    };
    let typed = value.typed_minutes.map_or(0, |minutes| u64::from(minutes.count()));
    let share = value.co_treatment_share.map_or(0, |minutes| u64::from(minutes.count()));
    span.max(typed).max(share)
}
