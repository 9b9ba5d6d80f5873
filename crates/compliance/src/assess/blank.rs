//! Slices and notes of which nothing is known yet. Reads no line.

use std::collections::BTreeMap;

use chart::facts::{DaySlice, NoteFacts};
use chart::history::NoteHistory;
use chart::ids::{DocumentId, PatientId};
use chart::register::Fact;

/// A slice of which only the document is known.
pub(super) fn slice_of(document: DocumentId) -> DaySlice {
    DaySlice {
        document,
        patient: None::<PatientId>,
        discipline: None,
        date: Fact::Missing,
        provider: Fact::Missing,
        payer: Fact::Missing,
        tie_pick: Fact::Missing,
        billed_units: Fact::Missing,
        segments: Vec::new(),
    }
}

/// A note of which only its slice is known.
pub(super) fn note_of(slice: DaySlice) -> NoteFacts {
    NoteFacts {
        slice,
        clinic: None,
        place: Fact::Missing,
        diagnoses: Fact::Missing,
        totals: Fact::Missing,
        check_in: None,
        check_out: None,
        activities: BTreeMap::new(),
        text: BTreeMap::new(),
        fields: BTreeMap::new(),
        measures: BTreeMap::new(),
        goal_status: BTreeMap::new(),
        signatures: Vec::new(),
        concurrent_text: Vec::new(),
        problems: Vec::new(),
        history: NoteHistory::default(),
    }
}
