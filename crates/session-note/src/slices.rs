//! The part of a note that other notes' reports depend on, cut from plain values.
//!
//! United activities are one; authors are left out. Knows no rule, picks no winner.

use std::collections::{BTreeMap, BTreeSet};

use chart::facts::{DaySlice, SegmentFacts};
use chart::ids::{ActivityId, PersonId, SegmentId};
use chart::register::{Fact, Register};
use chart::time::Date;
use chart::visit::{Activity, SegmentValue, Visit};

/// The part of a note that other notes' reports depend on.
pub fn slice(visit: &Visit) -> DaySlice {
    DaySlice {
        document: visit.id,
        patient: visit.patient,
        discipline: visit.discipline.clone(),
        date: without_authors(visit.date.fact()),
        provider: without_authors(visit.provider.fact()),
        payer: without_authors(visit.payer.fact()),
        tie_pick: without_authors(visit.tie_pick.fact()),
        billed_units: without_authors(visit.billed_units.fact()),
        segments: segments(visit),
    }
}

/// Authors are history, not billing: a report must not change because a tablet's clock did.
pub(crate) fn without_authors<T>(mut fact: Fact<T>) -> Fact<T> {
    if let Fact::Disputed(sides) = &mut fact {
        for side in sides {
            side.by.clear();
        }
    }
    fact
}

fn segments(visit: &Visit) -> Vec<SegmentFacts> {
    let names = united_activities(visit);
    let mut registers: BTreeMap<(ActivityId, SegmentId), Register<SegmentValue>> = BTreeMap::new();
    let mut united: BTreeMap<ActivityId, Vec<&Activity>> = BTreeMap::new();
    for (id, activity) in &visit.activities {
        united.entry(names.get(id).copied().unwrap_or(*id)).or_default().push(activity);
    }
    for (name, activities) in united {
        // The first segments of united activities are one segment, the second ones another, and so on.
        let columns: Vec<Vec<(SegmentId, &Register<SegmentValue>)>> =
            activities.iter().map(|activity| in_time_order(activity)).collect();
        let longest = columns.iter().map(Vec::len).max().unwrap_or(0);
        for row in 0..longest {
            let row: Vec<_> = columns.iter().filter_map(|column| column.get(row)).collect();
            let Some(id) = row.iter().map(|(id, _)| *id).min() else { continue };
            let versions = row.iter().flat_map(|(_, register)| register.versions().iter().cloned());
            registers.insert((name, id), Register::from_versions(versions));
        }
    }
    registers
        .into_iter()
        .map(|((activity, segment), register)| SegmentFacts {
            activity,
            segment,
            value: without_authors(register.fact()),
            devices: register.open().iter().map(|version| version.by.device).collect(),
        })
        .collect()
}

fn in_time_order(activity: &Activity) -> Vec<(SegmentId, &Register<SegmentValue>)> {
    let mut ordered: Vec<_> = activity.segments.iter().map(|(id, register)| (*id, register)).collect();
    ordered.sort_by_key(|(id, register)| {
        let start = register.open().iter().filter_map(|version| version.value.start).min();
        (start, *id)
    });
    ordered
}

/// For every activity that was said to be the same as another, the smallest id of its group.
fn united_activities(visit: &Visit) -> BTreeMap<ActivityId, ActivityId> {
    let mut names: BTreeMap<ActivityId, ActivityId> = visit.activities.keys().map(|id| (*id, *id)).collect();
    // Each round passes the smallest name one step on; there are at most as many steps as pairs.
    for _ in 0..=visit.same_activities.len() {
        for (a, b) in &visit.same_activities {
            let (Some(name_a), Some(name_b)) = (names.get(a).copied(), names.get(b).copied()) else {
                continue;
            };
            let name = name_a.min(name_b);
            names.insert(*a, name);
            names.insert(*b, name);
        }
    }
    names
}

/// Everyone who may have treated in this note: its provider and the performers of its segments, on
/// every side of a dispute.
pub fn providers(slice: &DaySlice) -> BTreeSet<PersonId> {
    let mut providers: BTreeSet<PersonId> = slice.provider.values().into_iter().copied().collect();
    for segment in &slice.segments {
        providers.extend(segment.value.values().into_iter().filter_map(|value| value.performer));
    }
    providers
}

/// Every date the note may be of.
pub fn dates(slice: &DaySlice) -> BTreeSet<Date> {
    slice.date.values().into_iter().copied().collect()
}
