//! Every contestable fact in one fixed order, so that listing and choosing agree on the numbering.

use chart::code::Discipline;
use chart::facts::{DaySlice, Facts};
use chart::ids::DocumentId;
use chart::register::Fact;

use super::describe::Describe;
use super::kind::{Kind, Whose};

/// Where a fact stands.
pub(super) struct Place {
    pub(super) kind: Kind,
    pub(super) whose: Whose,
    pub(super) document: DocumentId,
    pub(super) discipline: Option<Discipline>,
}

/// Something done to every contestable fact.
pub(super) trait Visit {
    fn fact<T: Describe>(&mut self, place: &Place, fact: &mut Fact<T>);
}

pub(super) fn walk<V: Visit>(facts: &mut Facts, visit: &mut V) {
    slice(&mut facts.note.slice, Whose::Note, visit);
    let place = |kind| Place {
        kind,
        whose: Whose::Note,
        document: facts.note.slice.document,
        discipline: facts.note.slice.discipline.clone(),
    };
    visit.fact(&place(Kind::PlaceOfService), &mut facts.note.place);
    visit.fact(&place(Kind::Diagnoses), &mut facts.note.diagnoses);
    visit.fact(&place(Kind::Totals), &mut facts.note.totals);
    for one in &mut facts.patient_day {
        slice(one, Whose::PatientDay, visit);
    }
    for one in &mut facts.provider_day {
        slice(one, Whose::ProviderDay, visit);
    }
}

fn slice<V: Visit>(slice: &mut DaySlice, whose: Whose, visit: &mut V) {
    let (document, discipline) = (slice.document, slice.discipline.clone());
    let place = |kind| Place { kind, whose, document, discipline: discipline.clone() };
    visit.fact(&place(Kind::Date), &mut slice.date);
    visit.fact(&place(Kind::Provider), &mut slice.provider);
    visit.fact(&place(Kind::Payer), &mut slice.payer);
    visit.fact(&place(Kind::TiePick), &mut slice.tie_pick);
    visit.fact(&place(Kind::EnteredUnits), &mut slice.billed_units);
    for segment in &mut slice.segments {
        visit.fact(&place(Kind::Segment(segment.segment)), &mut segment.value);
    }
}
