//! What a document shows beyond itself: the slice other notes' reports depend on, and whether work on it
//! stays back. Computed once for each state of the document.

use std::collections::BTreeSet;

use chart::facts::DaySlice;
use chart::ids::{DocumentId, PatientId};
use session_note::NoteDocument;
use session_note::course::EpisodeVisit;
use session_note::facts;
use session_note::schema::Kind;
use store::Key;
use store::Vault;

use crate::keys;

/// What other notes' reports depend on.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Shown {
    /// A visit's slice; `None` for an episode.
    pub(crate) slice: Option<DaySlice>,
    /// What its episode sees of a visit.
    pub(crate) visit: Option<EpisodeVisit>,
    pub(crate) patient: Option<PatientId>,
    pub(crate) episode: Option<DocumentId>,
    /// Whether work on it stays back: held, or waiting for what it builds on.
    pub(crate) pending: bool,
}

impl Shown {
    pub(crate) fn of(note: &NoteDocument, pending: bool) -> Self {
        match note.kind() {
            Kind::Visit => {
                let visit = &note.read_visit().value;
                let (patient, episode) = (visit.patient, visit.episode);
                let slice = facts::slice(visit);
                let seen = EpisodeVisit::of(visit, &slice);
                Self { slice: Some(slice), visit: Some(seen), patient, episode, pending }
            }
            Kind::Episode => {
                let patient = note.read_episode().value.patient;
                Self { slice: None, visit: None, patient, episode: None, pending }
            }
        }
    }

    /// The days and the episode a note belongs to, on every side of a dispute.
    pub(crate) fn days(&self, vault: &Vault) -> BTreeSet<Key> {
        let mut names = BTreeSet::new();
        let Some(slice) = &self.slice else { return names };
        for date in facts::dates(slice) {
            names.extend(slice.patient.map(|patient| keys::patient_day(vault, patient, date)));
            for provider in facts::providers(slice) {
                names.insert(keys::provider_day(vault, provider, date));
            }
        }
        names.extend(self.episode.map(|episode| keys::episode(vault, episode)));
        names
    }
}
