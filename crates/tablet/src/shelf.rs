//! Documents in memory: a small shelf, and how others' changes join a document on it through the gate.
//! Reads no log and writes none.

use std::collections::{BTreeMap, BTreeSet};

use chart::ids::{ChangeHash, DeviceId, DocumentId, PersonId};
use session_note::NoteDocument;
use session_note::admission::Submitted;
use session_note::admit::{Candidate, Limits, Outcome};

/// A document in memory.
#[derive(Clone, Debug)]
pub(crate) struct Loaded {
    pub(crate) note: NoteDocument,
    /// Others' changes that build on something missing.
    pub(crate) waiting: Vec<Submitted>,
    /// Why a part of it cannot be shown.
    pub(crate) problem: Option<String>,
    /// [`crate::state::Record::purges`] when it was built.
    pub(crate) purges: u32,
    /// The shelf's clock when it was last used.
    pub(crate) used: u64,
    /// Changes since a snapshot was kept.
    pub(crate) unkept: u32,
}

/// The documents in memory.
#[derive(Debug, Default)]
pub(crate) struct Shelf {
    pub(crate) loaded: BTreeMap<DocumentId, Loaded>,
    clock: u64,
}

impl Shelf {
    pub(crate) fn get(&self, document: DocumentId) -> Option<&Loaded> {
        self.loaded.get(&document)
    }
    pub(crate) fn get_mut(&mut self, document: DocumentId) -> Option<&mut Loaded> {
        self.clock = self.clock.saturating_add(1);
        let clock = self.clock;
        let loaded = self.loaded.get_mut(&document)?;
        loaded.used = clock;
        Some(loaded)
    }
    pub(crate) fn put(&mut self, document: DocumentId, mut loaded: Loaded) {
        self.clock = self.clock.saturating_add(1);
        loaded.used = self.clock;
        self.loaded.insert(document, loaded);
    }
}

impl Loaded {
    pub(crate) fn of(note: NoteDocument, purges: u32) -> Self {
        Self { note, waiting: Vec::new(), problem: None, purges, used: 0, unkept: 0 }
    }

    /// Takes a change through the door.
    pub(crate) fn submit(
        &mut self,
        submitted: &mut Vec<Submitted>,
        change: &[u8],
        person: PersonId,
        device: DeviceId,
    ) {
        match Candidate::scan(change.to_vec(), &Limits::V1) {
            Ok(candidate) => submitted.push(Submitted { candidate, person, device }),
            Err(refusal) => self.problem = Some(refusal.to_string()),
        }
    }

    /// Lets changes in through the gate. What is admitted joins the note, what misses something waits,
    /// what does not pass marks the document.
    pub(crate) fn take_in(&mut self, submitted: Vec<Submitted>) {
        let mut all = std::mem::take(&mut self.waiting);
        all.extend(submitted);
        all.retain(|one| !self.note.contains(&one.candidate.sketch().hash));
        if all.is_empty() {
            return;
        }
        match self.note.take_in(&all) {
            Ok(admission) => {
                let waits: BTreeSet<ChangeHash> = admission
                    .outcomes
                    .iter()
                    .filter(|(_, outcome)| matches!(outcome, Outcome::Waiting { .. }))
                    .map(|(hash, _)| *hash)
                    .collect();
                for (_, outcome) in &admission.outcomes {
                    match outcome {
                        Outcome::Admitted => self.unkept = self.unkept.saturating_add(1),
                        Outcome::Rejected { sentence, .. } => self.problem = Some(sentence.clone()),
                        Outcome::AlreadyKnown | Outcome::Waiting { .. } => {}
                    }
                }
                self.note = admission.note;
                all.retain(|one| waits.contains(&one.candidate.sketch().hash));
                self.waiting = all;
            }
            Err(error) => {
                self.problem = Some(error.to_string());
                self.waiting = all;
            }
        }
    }

    /// What the waiting changes miss.
    pub(crate) fn missing(&self) -> BTreeSet<ChangeHash> {
        let here: BTreeSet<ChangeHash> = self.waiting.iter().map(|one| one.candidate.sketch().hash).collect();
        let deps = self.waiting.iter().flat_map(|one| one.candidate.sketch().deps.iter().copied());
        deps.filter(|dep| !here.contains(dep) && !self.note.contains(dep)).collect()
    }

    /// Whether anything of it waits for something missing.
    pub(crate) fn is_whole(&self) -> bool {
        self.waiting.is_empty() && self.problem.is_none()
    }
}
