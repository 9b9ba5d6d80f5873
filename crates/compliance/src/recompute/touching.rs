//! Which open choices elsewhere in the day can change a pool: those about times that may meet its own, and
//! about the date. Changes nothing, weighs nothing.

use chart::code::Discipline;
use chart::facts::{DaySlice, Facts};
use chart::visit::SegmentValue;

use crate::disputes::{Kind, Site, Whose};

/// First and last minute of a stretch.
type Times = (i64, i64);

/// Of the sites of other disciplines, those that can change the pool of `discipline`.
///
/// Disciplines meet in nothing but the patient's minutes, which count once: only stretches that share time
/// with the pool's own, on any side of any dispute, can take minutes from it.
pub(super) fn touching(facts: &Facts, sites: &[Site], discipline: &Option<Discipline>) -> Vec<usize> {
    let all = || std::iter::once(&facts.note.slice).chain(&facts.patient_day);
    let own: Vec<Times> = all().filter(|slice| slice.discipline == *discipline).flat_map(times).collect();
    let meets = |times: Times| own.iter().any(|own| times.0 < own.1 && own.0 < times.1);
    let touches = |site: &Site| {
        let of_note = || all().filter(|slice| slice.document == site.document);
        match site.kind {
            // Which other notes are of the day at all hangs on the note's own date.
            Kind::Date if site.whose == Whose::Note => true,
            Kind::Date => of_note().flat_map(times).any(meets),
            Kind::Segment(id) => of_note()
                .flat_map(|slice| slice.segments.iter().filter(|segment| segment.segment == id))
                .flat_map(|segment| segment.value.values())
                .filter_map(span)
                .any(meets),
            _ => false,
        }
    };
    let other = |site: &Site| site.may_change_units() && site.discipline != *discipline;
    let indexed = sites.iter().enumerate();
    indexed.filter(|(_, site)| other(site) && touches(site)).map(|(index, _)| index).collect()
}

fn times(slice: &DaySlice) -> impl Iterator<Item = Times> {
    slice.segments.iter().flat_map(|segment| segment.value.values()).filter_map(span)
}

fn span(value: &SegmentValue) -> Option<Times> {
    Some((value.start?.minute(), value.end?.minute()))
}
