//! Where work stands, in the words the screen shows.
//!
//! *Safe at clinic* means: a receipt of the clinic's server covers these very heads, and no draft
//! waits. A verdict that came later is shown beside it, for what it is.

use std::collections::BTreeSet;

use chart::ids::{ChangeHash, DocumentId, PatientId, PersonId};
use chart::reference::Reference;
use chart::time::Date;
use serde::Serialize;
use session_note::schema::Kind;

use crate::machine::Tablet;
use crate::record::{Record, WorkState};

/// How far the newest work of a document has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SaveState {
    /// On its way to this tablet's disk.
    Saving,
    /// On this tablet's disk.
    SavedOnTablet,
    /// On this tablet's disk and on its way to the clinic.
    Sending,
    /// On the clinic's disk too.
    SafeAtClinic,
}

/// What a person is told of a note of which a part ended the app.
pub(crate) const CANNOT_BE_SHOWN: &str = "A part of this note cannot be shown by this version of the app, because showing it made the app \
     stop. Update the app; nothing of the note is lost.";

impl SaveState {
    /// The words on the screen.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Saving => "Saving",
            Self::SavedOnTablet => "Saved on this tablet",
            Self::Sending => "Sending",
            Self::SafeAtClinic => "Safe at clinic",
        }
    }
}

/// A change that a person should know of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WorkNote {
    /// The change.
    pub change: ChangeHash,
    /// `held`, `rejected`, `sign_again`, `needs_supervisor`, `turned_away`, `cannot_be_shown`.
    pub state: &'static str,
    /// Why, and what to do, in one sentence.
    pub sentence: String,
}

/// Where a document stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Status {
    /// How far its newest work has come.
    pub save: SaveState,
    /// The words for it.
    pub words: &'static str,
    /// Changes the clinic does not have yet.
    pub waiting: usize,
    /// What a person should know.
    pub notes: Vec<WorkNote>,
    /// Why nothing can be saved at the moment, if that is so.
    pub not_saved: Option<String>,
}

/// A document in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DocumentSummary {
    /// Which.
    pub document: DocumentId,
    /// `visit` or `episode`.
    pub kind: &'static str,
    /// Whose.
    pub patient: Option<PatientId>,
    /// Every date it may be of.
    pub dates: BTreeSet<Date>,
    /// Everyone who may have treated in it.
    pub providers: BTreeSet<PersonId>,
    /// How far its newest work has come.
    pub save: SaveState,
    /// Whether a person should look at its status.
    pub attention: bool,
    /// Whether a part of it ended the app and is not shown by this version.
    pub cannot_be_shown: bool,
}

impl Tablet {
    /// Where a document stands; `None` if the tablet does not hold it.
    pub fn status(&self, document: DocumentId) -> Option<Status> {
        let record = self.state.documents.get(&document)?;
        let save = self.save_state(document, record);
        let waiting = record.work.values().filter(|work| work.state == WorkState::Queued).count();
        let mut notes: Vec<WorkNote> =
            record.work.iter().filter_map(|(change, work)| note_of(*change, &work.state)).collect();
        if let Some((change, sentence)) = self.link.turned_away.get(&document) {
            let sentence = sentence.clone();
            notes.push(WorkNote { change: *change, state: "turned_away", sentence });
        }
        if let Some(change) = record.set_aside().next() {
            let sentence = CANNOT_BE_SHOWN.to_owned();
            notes.push(WorkNote { change: *change, state: "cannot_be_shown", sentence });
        }
        let not_saved = self.commit_failure().map(str::to_owned);
        Some(Status { save, words: save.words(), waiting, notes, not_saved })
    }

    fn save_state(&self, document: DocumentId, record: &Record) -> SaveState {
        if self.pipeline.is_saving(document) {
            return SaveState::Saving;
        }
        if self.has_drafts(document) {
            return SaveState::SavedOnTablet;
        }
        if record.has_queued() || record.replay_due() {
            let sending = self.link.is_open() && !self.link.retry_at.contains_key(&document);
            return if sending { SaveState::Sending } else { SaveState::SavedOnTablet };
        }
        if record.confirmed { SaveState::SafeAtClinic } else { SaveState::SavedOnTablet }
    }

    pub(crate) fn has_drafts(&self, document: DocumentId) -> bool {
        self.state.phrases.values().any(|phrase| phrase.document == document)
    }

    /// Every document of this tablet's scope, and those with work that waits.
    pub fn documents(&self) -> Vec<DocumentSummary> {
        self.state
            .documents
            .iter()
            .filter(|(document, record)| {
                let waits = !record.work.is_empty() || self.has_drafts(**document);
                let begun = record.heads.is_some() || !record.excluded.is_empty() || !record.aside.is_empty();
                waits || (begun && !record.out_of_scope)
            })
            .map(|(document, record)| {
                let cannot_be_shown = record.set_aside().next().is_some();
                let of_work = record.work.iter().any(|(hash, work)| note_of(*hash, &work.state).is_some());
                DocumentSummary {
                    document: *document,
                    kind: record.kind.name(),
                    patient: record.keys.patient,
                    dates: record.keys.dates.clone(),
                    providers: record.keys.providers.clone(),
                    save: self.save_state(*document, record),
                    attention: of_work || cannot_be_shown,
                    cannot_be_shown,
                }
            })
            .collect()
    }

    /// The heads of a document as they are on this tablet's disk, without opening it; `None` if the tablet
    /// does not hold it, or must read it first to know.
    pub fn heads(&self, document: DocumentId) -> Option<&BTreeSet<ChangeHash>> {
        self.state.documents.get(&document)?.heads.as_ref()
    }

    /// Everything the clinic's server says beside the chart.
    pub fn reference(&self) -> impl Iterator<Item = &Reference> {
        self.state.reference.values()
    }

    /// What kind of document this is, if the tablet holds it.
    pub fn kind(&self, document: DocumentId) -> Option<Kind> {
        self.state.documents.get(&document).map(|record| record.kind)
    }
}

fn note_of(change: ChangeHash, state: &WorkState) -> Option<WorkNote> {
    let (state, sentence) = match state {
        WorkState::Queued | WorkState::Receipted => return None,
        WorkState::Held(why) => ("held", format!("The clinic holds this until a supervisor decides: {why}")),
        WorkState::Rejected(why) => {
            ("rejected", format!("The clinic could not take this, it is made again: {why}"))
        }
        WorkState::SignAgain(why) => ("sign_again", format!("Please sign again: {why}")),
        WorkState::NeedsSupervisor(why) => {
            ("needs_supervisor", format!("A supervisor must look at this: {why}"))
        }
    };
    Some(WorkNote { change, state, sentence })
}
