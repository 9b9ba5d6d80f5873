//! Documents in memory: a small shelf, and how others' changes join a document on it through the gate.
//! Reads no log and writes none.

use std::collections::{BTreeMap, BTreeSet};

use chart::ids::{ChangeHash, DeviceId, DocumentId, PersonId};
use session_note::NoteDocument;
use session_note::admission::Submitted;
use session_note::admit::{Candidate, Limits, Outcome};

use crate::limits::{WAITING_BYTES, WAITING_CHANGES};

/// A document in memory.
#[derive(Clone, Debug)]
pub(crate) struct Loaded {
    pub(crate) note: NoteDocument,
    /// Others' changes that build on something missing, as many as memory has room for.
    pub(crate) waiting: Vec<Submitted>,
    /// Whether more of them wait in the log alone.
    pub(crate) more_waits: bool,
    /// Whether something joined the note since those were last looked for.
    pub(crate) grown: bool,
    /// Why a part of it cannot be shown.
    pub(crate) problem: Option<String>,
    /// [`crate::record::Record::purges`] when it was built.
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
        let (waiting, problem) = (Vec::new(), None);
        Self { note, waiting, more_waits: false, grown: false, problem, purges, used: 0, unkept: 0 }
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
        let mut seen = BTreeSet::new();
        all.retain(|one| {
            let hash = one.candidate.sketch().hash;
            !self.note.contains(&hash) && seen.insert(hash)
        });
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
                        Outcome::Admitted => {
                            self.unkept = self.unkept.saturating_add(1);
                            self.grown = true;
                        }
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
        self.bound_waiting();
    }

    /// What there is no room for waits in the log, where it is already or on its way to.
    fn bound_waiting(&mut self) {
        let mut bytes = 0usize;
        let fits = |one: &&Submitted| {
            bytes = bytes.saturating_add(one.candidate.sketch().bytes_len);
            bytes <= WAITING_BYTES
        };
        let room = self.waiting.iter().take(WAITING_CHANGES).take_while(fits).count();
        if room < self.waiting.len() {
            self.waiting.truncate(room);
            self.more_waits = true;
        }
    }

    /// Whether what waits in the log alone should be looked at again.
    pub(crate) fn should_look_again(&self) -> bool {
        self.more_waits && self.grown
    }

    /// What the waiting changes miss.
    pub(crate) fn missing(&self) -> BTreeSet<ChangeHash> {
        let here: BTreeSet<ChangeHash> = self.waiting.iter().map(|one| one.candidate.sketch().hash).collect();
        let deps = self.waiting.iter().flat_map(|one| one.candidate.sketch().deps.iter().copied());
        deps.filter(|dep| !here.contains(dep) && !self.note.contains(dep)).collect()
    }

    /// Whether anything of it waits for something missing.
    pub(crate) fn is_whole(&self) -> bool {
        self.waiting.is_empty() && !self.more_waits && self.problem.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chart::ids::{ActorId, CommandId};
    use chart::time::Timestamp;
    use session_note::schema::Kind;
    use session_note::{Author, Command, Issued};

    #[test]
    fn what_waits_in_memory_is_bounded() {
        let (person, device) = (PersonId::from_bytes([1; 16]), DeviceId::from_bytes([2; 16]));
        let actor = ActorId::from_bytes([3; 16]);
        let mut note = NoteDocument::new(DocumentId::from_bytes([4; 16]), Kind::Visit);
        let mut loaded = Loaded::of(note.clone(), 0);
        let mut submitted = Vec::new();
        for number in 0..=WAITING_CHANGES + 10 {
            let command =
                Command::SetField { field: "response".to_owned(), value: format!("value {number}") };
            let issued = Issued { id: CommandId::from_bytes([5; 16]), command };
            let (seen, at) = (note.heads(), Timestamp::from_unix_ms(1_773_756_000_000));
            let made = note.commit(&Author { person, device, actor }, actor, at, &seen, &[issued]).unwrap();
            if number > 0 {
                loaded.submit(&mut submitted, &made.bytes, person, device);
            }
        }
        loaded.take_in(submitted);
        assert_eq!(loaded.waiting.len(), WAITING_CHANGES);
        assert!(loaded.more_waits && !loaded.should_look_again() && !loaded.is_whole());
        assert_eq!(loaded.missing().len(), 1, "what all of them build on");
    }
}
