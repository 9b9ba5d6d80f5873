//! What follows from a caseload that was handed over: who has left, whose later work waits for a supervisor,
//! and the notes' new places. All of it is derived from the one record of the act, and taken up again where
//! it stopped.

use std::collections::BTreeSet;

use chart::entropy::Entropy;
use chart::ids::{DocumentId, PatientId, PersonId};
use chart::reference::{Patient, Reference, Role, Scope, Transfer};
use chart::time::Timestamp;
use store::StoreReader;
use sync_protocol::{Outcome as WireOutcome, ReasonCode};

use crate::directory::Directory;
use crate::entry::Work;
use crate::hub::{After, Hub, HubError};
use crate::keys;
use crate::record::RecordError;
use crate::ruling::Ruling;

/// Why work on a patient who has moved is held.
pub(crate) const MOVED: &str =
    "the patient had left this person's caseload when it was written; a supervisor decides";

pub(crate) fn moved_ruling() -> Ruling {
    Ruling::new(WireOutcome::Held, ReasonCode::CaseloadMoved, MOVED)
}

/// Who wrote a piece of work, and when and from what clock it came.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Came {
    person: PersonId,
    received_at: Timestamp,
    clock_ahead_ms: i64,
}

impl Came {
    pub(crate) fn of(work: &Work) -> Self {
        Self {
            person: PersonId::from_bytes(*work.person),
            received_at: Timestamp::from_unix_ms(work.received_at_ms),
            clock_ahead_ms: work.clock_ahead_ms,
        }
    }
}

impl Directory {
    /// Applies the record of an act. Its last word only says that everything has followed.
    pub(crate) fn hand_over(&mut self, transfer: Transfer) {
        if !transfer.settled {
            for patient in &transfer.patients {
                if let Some(known) = self.patients.get_mut(patient) {
                    known.care_team.insert(transfer.to);
                    if transfer.left {
                        known.care_team.remove(&transfer.from);
                    }
                }
                self.moved.insert((transfer.from, *patient), transfer.id);
                self.moved.remove(&(transfer.to, *patient));
            }
        }
        self.transfers.insert(transfer.id, transfer);
    }

    /// Whoever stands on the care team again after having left it may write again.
    pub(crate) fn come_back(&mut self, patient: &Patient) {
        for person in &patient.care_team {
            let key = (*person, patient.id);
            let act = self.moved.get(&key).and_then(|act| self.transfers.get(act));
            if act.is_some_and(|act| act.left) {
                self.moved.remove(&key);
            }
        }
    }

    /// Whether a patient has left a person's caseload by a transfer.
    pub(crate) fn has_left(&self, person: PersonId, patient: PatientId) -> bool {
        let act = self.moved.get(&(person, patient)).and_then(|act| self.transfers.get(act));
        act.is_some_and(|act| act.left)
    }

    /// The patients about whom what a person wrote at a moment of the tablet's clock is to be held. What was
    /// written before they moved is not, whenever it comes, nor are the unsigned notes left to be finished.
    pub(crate) fn moved_from(
        &self,
        came: Came,
        written_at: Timestamp,
        document: DocumentId,
    ) -> BTreeSet<PatientId> {
        let Came { person, received_at, clock_ahead_ms } = came;
        let all = (person, PatientId::from_bytes([0; 16]))..=(person, PatientId::from_bytes([0xff; 16]));
        let supervises = |person: &chart::reference::Person| person.roles.contains(&Role::Supervisor);
        let mut moved = self.moved.range(all).peekable();
        if moved.peek().is_none() || self.people.get(&person).is_some_and(supervises) {
            return BTreeSet::new();
        }
        let untold = written_at.unix_ms() == 0;
        let written_at =
            if untold { received_at } else { written_at.plus_ms(clock_ahead_ms.saturating_neg()) };
        let applies = |act: &&Transfer| {
            act.at <= received_at && act.from_when <= written_at && !act.finishes.contains(&document)
        };
        moved
            .filter(|(_, act)| self.transfers.get(act).filter(applies).is_some())
            .map(|((_, patient), _)| *patient)
            .collect()
    }
}

impl Hub {
    /// Writes an act, or its next word, in one entry; everything else follows from that.
    pub(crate) fn write_transfer(
        &mut self,
        entropy: &mut dyn Entropy,
        transfer: Transfer,
        after: Vec<After>,
    ) -> Result<(), HubError> {
        let reference = Reference::Transfer(transfer.clone());
        let names = vec![keys::references(&self.record.vault), keys::audit(&self.record.vault)];
        let entry = self.seal_own(entropy, names, &reference)?;
        self.push_entry(None, entry, after);
        if !transfer.settled {
            self.transfers_due.insert(transfer.id, transfer.patients.clone());
        }
        self.directory.take(reference);
        Ok(())
    }

    /// Acts that a server which stopped had not followed to their end.
    pub(crate) fn find_unsettled_transfers(&mut self) {
        let unsettled = self.directory.transfers.values().filter(|transfer| !transfer.settled);
        self.transfers_due = unsettled.map(|transfer| (transfer.id, transfer.patients.clone())).collect();
    }

    /// Gives the notes of one patient their new places. Returns whether more waits.
    pub(crate) fn follow_transfers(&mut self, entropy: &mut dyn Entropy, reader: &dyn StoreReader) -> bool {
        let Some((id, mut patients)) = self.transfers_due.pop_first() else { return false };
        let Some(transfer) = self.directory.transfers.get(&id).cloned() else { return false };
        let followed = match patients.pop_first() {
            Some(patient) => self.follow_patient(entropy, reader, patient, transfer.from),
            None => Ok(()),
        };
        if followed.is_err() {
            // The record cannot be read: the act stands, and the next opening takes it up again.
            return !self.transfers_due.is_empty();
        }
        if patients.is_empty() {
            _ = self.write_transfer(entropy, Transfer { settled: true, ..transfer }, Vec::new());
        } else {
            self.transfers_due.insert(id, patients);
        }
        true
    }

    fn follow_patient(
        &mut self,
        entropy: &mut dyn Entropy,
        reader: &dyn StoreReader,
        patient: PatientId,
        left: PersonId,
    ) -> Result<(), RecordError> {
        if let Some(known) = self.directory.patients.get(&patient).cloned() {
            let reference = Reference::Patient(known);
            let mut names = vec![keys::references(&self.record.vault)];
            names.extend(self.audience(&reference));
            // Whoever has left is told so.
            names.push(keys::scope(&self.record.vault, Scope::Caseload(left)));
            names.sort();
            names.dedup();
            let entry = self.seal_own(entropy, names, &reference)?;
            self.push_entry(None, entry, Vec::new());
        }
        self.replace_patient(entropy, reader, patient)?;
        let members = self.members(reader, keys::patient(&self.record.vault, patient))?;
        self.stale.extend(members);
        Ok(())
    }

    /// When the next patients leave.
    pub(crate) fn transfers_poll_timeout(&self) -> Option<(Timestamp, &'static str)> {
        if self.read_only.is_some() {
            return None;
        }
        let waiting = self.directory.transfers.values().filter(|transfer| !transfer.left);
        waiting.map(|transfer| (transfer.from_when, "patients leave a caseload")).min()
    }

    /// Patients whose time has come leave.
    pub(crate) fn transfers_timeout(
        &mut self,
        now: Timestamp,
        entropy: &mut dyn Entropy,
        reader: &dyn StoreReader,
    ) {
        if self.read_only.is_some() {
            return;
        }
        let due = self.directory.transfers.values();
        let due: Vec<Transfer> =
            due.filter(|transfer| !transfer.left && transfer.from_when <= now).cloned().collect();
        for transfer in due {
            let finishes = self.unfinished(reader, &transfer.patients, transfer.from);
            let finishes = finishes.unwrap_or_else(|_| transfer.finishes.clone());
            let left = Transfer { left: true, settled: false, finishes, ..transfer };
            // What cannot be written latches the record, and no time comes again.
            _ = self.write_transfer(entropy, left, Vec::new());
        }
    }
}
