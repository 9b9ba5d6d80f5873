//! Handing over a caseload: what it would move, and the act. The act is one entry of the log, so that it is
//! done wholly or not at all; what follows from it is derived.

use std::collections::{BTreeMap, BTreeSet};

use chart::entropy::Entropy;
use chart::ids::{DeviceId, Digest, DocumentId, PatientId, PersonId, TransferId};
use chart::reference::{Role, Transfer};
use chart::time::Timestamp;
use serde::{Deserialize, Serialize};
use session_note::facts;
use session_note::schema::Kind;
use store::StoreReader;

use crate::hub::{After, Hub, HubError, Ticket};
use crate::keys;
use crate::limits::{REASON_BYTES_MAX, TRANSFER_PATIENTS_MAX};
use crate::record::RecordError;

/// Who is to be handed over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransferWish {
    /// Whose caseload they leave.
    pub from: PersonId,
    /// Whose caseload they enter.
    pub to: PersonId,
    /// The patients; absent: the whole caseload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patients: Option<BTreeSet<PatientId>>,
    /// When they leave the first; absent: when it is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_when: Option<Timestamp>,
}

/// A wish that somebody looked at and decides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransferAct {
    /// The act's id, from the preview: sent again, it is done once.
    pub act: TransferId,
    /// What the preview showed; the act is refused if that has changed.
    pub state: Digest,
    /// Who is to be handed over.
    pub wish: TransferWish,
    /// Who decides it.
    pub by: PersonId,
    /// Why.
    pub reason: String,
}

/// One patient of a preview.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PatientRow {
    /// The patient.
    pub patient: PatientId,
    /// The patient's name.
    pub name: String,
    /// Episodes of care.
    pub episodes: u64,
    /// Visits.
    pub notes: u64,
    /// Visits nobody has signed as their author.
    pub unsigned: u64,
    /// Notes on which work is held or waits for something missing.
    pub held: u64,
}

/// A tablet of the person who hands over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TabletRow {
    /// The tablet.
    pub device: DeviceId,
    /// What people call it.
    pub name: String,
    /// Whether a line to it is open.
    pub connected: bool,
    /// When it was last heard: it may hold edits made since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heard_at: Option<Timestamp>,
    /// The place of the feed up to which it was sent everything.
    pub known_through: u64,
    /// How many of the documents changed behind that place: it does not know their heads.
    pub behind: u64,
    /// Whether it was revoked: all it still brings is held.
    pub revoked: bool,
}

/// What a transfer would move.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransferPreview {
    /// The id for the act.
    pub act: TransferId,
    /// What is shown here, as a digest for the act.
    pub state: Digest,
    /// Whose caseload they leave.
    pub from: PersonId,
    /// Whose caseload they enter.
    pub to: PersonId,
    /// When they leave the first.
    pub from_when: Timestamp,
    /// The patients.
    pub patients: Vec<PatientRow>,
    /// Tablets that may hold edits nobody has sent.
    pub tablets: Vec<TabletRow>,
}

/// What was found of the patients of a wish.
#[derive(Default)]
struct Found {
    patients: Vec<PatientRow>,
    /// The last entry of each document.
    through: Vec<u64>,
    /// Tablets that brought the first person's work on them.
    brought: BTreeSet<DeviceId>,
    state: blake3::Hasher,
}

impl Hub {
    /// What a transfer would move, and the tablets that may hold edits about it which nobody has sent.
    ///
    /// # Errors
    /// When the wish does not fit, or the record cannot be read.
    pub fn preview_transfer(
        &mut self,
        now: Timestamp,
        entropy: &mut dyn Entropy,
        reader: &dyn StoreReader,
        wish: &TransferWish,
    ) -> Result<TransferPreview, HubError> {
        let patients = self.check_wish(wish)?;
        let found = self.find(reader, wish, &patients)?;
        let tablets = self.tablets_of(reader, wish.from, &found);
        Ok(TransferPreview {
            act: TransferId::random(entropy),
            state: Digest::from_bytes(*found.state.finalize().as_bytes()),
            from: wish.from,
            to: wish.to,
            from_when: wish.from_when.unwrap_or(now),
            patients: found.patients,
            tablets,
        })
    }

    /// Hands patients over. The ticket ends when the one entry that says so is durable; the same act again
    /// changes nothing.
    ///
    /// # Errors
    /// When the person may not decide it, the wish does not fit, or what was shown has changed since.
    pub fn transfer(
        &mut self,
        now: Timestamp,
        entropy: &mut dyn Entropy,
        reader: &dyn StoreReader,
        act: TransferAct,
    ) -> Result<Ticket, HubError> {
        self.must_be_writable()?;
        if let Some(done) = self.directory.transfers.get(&act.act) {
            if !is_same(done, &act) {
                return Err(refused("this act was done before, and with other patients or people"));
            }
            let ticket = self.ticket();
            self.push_after(After::Done(ticket));
            return Ok(ticket);
        }
        self.check_decision(act.by, &act.reason)?;
        let patients = self.check_wish(&act.wish)?;
        let found = self.find(reader, &act.wish, &patients)?;
        if *found.state.finalize().as_bytes() != *act.state.as_bytes() {
            return Err(refused(
                "the caseload has changed since it was looked at; look at the preview again",
            ));
        }
        let TransferWish { from, to, from_when, .. } = act.wish;
        let from_when = from_when.unwrap_or(now);
        let finishes = self.unfinished(reader, &patients, from)?;
        let transfer = Transfer {
            id: act.act,
            patients,
            from,
            to,
            from_when,
            finishes,
            by: act.by,
            reason: act.reason,
            at: now,
            left: from_when <= now,
            settled: false,
        };
        let ticket = self.ticket();
        self.write_transfer(entropy, transfer, vec![After::Done(ticket)])?;
        Ok(ticket)
    }

    fn check_decision(&self, by: PersonId, reason: &str) -> Result<(), HubError> {
        let decides = [Role::Supervisor, Role::ClinicAdmin, Role::FrontDesk];
        let person = self.directory.people.get(&by).filter(|person| !person.inactive);
        if !person.is_some_and(|person| person.roles.iter().any(|role| decides.contains(role))) {
            let sentence =
                "a supervisor, the front desk or the clinic's administrator decides who treats whom";
            return Err(refused(sentence));
        }
        if reason.trim().is_empty() || reason.len() > REASON_BYTES_MAX {
            return Err(HubError::Refused(format!("a reason has between 1 and {REASON_BYTES_MAX} bytes")));
        }
        Ok(())
    }

    /// The patients of a wish, if it can be done.
    fn check_wish(&self, wish: &TransferWish) -> Result<BTreeSet<PatientId>, HubError> {
        let TransferWish { from, to, patients, .. } = wish;
        if from == to {
            return Err(refused("a caseload is handed to somebody else"));
        }
        if !self.directory.people.contains_key(from) {
            return Err(refused("the therapist who hands over is not known here"));
        }
        let treats = [Role::Therapist, Role::Assistant, Role::Student, Role::Supervisor];
        match self.directory.people.get(to) {
            Some(person) if !person.inactive && person.roles.iter().any(|role| treats.contains(role)) => {}
            Some(_) => return Err(refused("the therapist who is to take over may not write notes here")),
            None if self.directory.person(*to).is_some() => {
                let sentence = "that therapist works at another clinic: share the patients with it, where \
                                they are put on the therapist's caseload";
                return Err(refused(sentence));
            }
            None => return Err(refused("the therapist who is to take over is not known here")),
        }
        let theirs = |patient: &&chart::reference::Patient| patient.care_team.contains(from);
        let patients: BTreeSet<PatientId> = match patients {
            Some(patients) => patients.clone(),
            None => self.directory.patients.values().filter(theirs).map(|patient| patient.id).collect(),
        };
        if patients.is_empty() {
            return Err(refused("there is nobody on this caseload"));
        }
        if patients.len() > TRANSFER_PATIENTS_MAX {
            let sentence = format!("one act hands over at most {TRANSFER_PATIENTS_MAX} patients");
            return Err(HubError::Refused(sentence));
        }
        for patient in &patients {
            let known = self.directory.patients.get(patient);
            let Some(known) = known else { return Err(refused("there is no such patient")) };
            if !theirs(&known) {
                return Err(HubError::Refused(format!("patient {patient} is not on this caseload")));
            }
            let waiting = self.directory.moved.get(&(*from, *patient));
            let waiting = waiting.and_then(|act| self.directory.transfers.get(act));
            if let Some(act) = waiting.filter(|act| !act.left) {
                let sentence = format!("patient {patient} leaves this caseload on {} already", act.from_when);
                return Err(HubError::Refused(sentence));
            }
        }
        Ok(patients)
    }

    fn find(
        &mut self,
        reader: &dyn StoreReader,
        wish: &TransferWish,
        patients: &BTreeSet<PatientId>,
    ) -> Result<Found, RecordError> {
        let mut found = Found::default();
        found.state.update(b"gaitway transfer 1\0");
        found.state.update(wish.from.as_bytes());
        found.state.update(wish.to.as_bytes());
        for patient in patients {
            self.find_patient(reader, wish.from, *patient, &mut found)?;
            self.let_documents_go();
        }
        Ok(found)
    }

    fn find_patient(
        &mut self,
        reader: &dyn StoreReader,
        from: PersonId,
        patient: PatientId,
        found: &mut Found,
    ) -> Result<(), RecordError> {
        let Some(known) = self.directory.patients.get(&patient) else { return Ok(()) };
        let name = known.name.clone();
        found.state.update(patient.as_bytes());
        found.state.update(&(known.care_team.len() as u64).to_le_bytes());
        known.care_team.iter().for_each(|person| _ = found.state.update(person.as_bytes()));
        let mut row = PatientRow { patient, name, episodes: 0, notes: 0, unsigned: 0, held: 0 };
        for document in self.documents_of(reader, patient)? {
            let Some(resident) = self.residents.load(&mut self.record, reader, document, None)? else {
                continue;
            };
            let signed = resident.shown().visit.as_ref().is_some_and(|visit| visit.facts.signed);
            match resident.note.kind() {
                Kind::Episode => row.episodes += 1,
                Kind::Visit => {
                    row.notes += 1;
                    row.unsigned += u64::from(!signed);
                }
            }
            row.held += u64::from(resident.ledger.has_unsettled_holds());
            found.through.push(resident.ledger.through);
            let theirs = resident.ledger.works.values().filter(|work| work.person == from);
            found.brought.extend(theirs.map(|work| work.device));
            found.state.update(document.as_bytes());
            for head in resident.note.heads() {
                found.state.update(head.as_bytes());
            }
            found.state.update(&[u8::from(signed), u8::from(resident.ledger.has_unsettled_holds())]);
        }
        found.patients.push(row);
        Ok(())
    }

    /// The documents of a patient.
    fn documents_of(
        &mut self,
        reader: &dyn StoreReader,
        patient: PatientId,
    ) -> Result<BTreeSet<DocumentId>, RecordError> {
        let mut all = self.members(reader, keys::patient(&self.record.vault, patient))?;
        all.extend(self.residents.placed_with(patient));
        let mut theirs = BTreeSet::new();
        for document in all {
            let resident = self.residents.load(&mut self.record, reader, document, None)?;
            if resident.is_some_and(|resident| resident.shown().patient == Some(patient)) {
                theirs.insert(document);
            }
        }
        Ok(theirs)
    }

    /// The unsigned notes of a person about some patients: they stay theirs to finish.
    pub(crate) fn unfinished(
        &mut self,
        reader: &dyn StoreReader,
        patients: &BTreeSet<PatientId>,
        person: PersonId,
    ) -> Result<BTreeSet<DocumentId>, RecordError> {
        let mut unfinished = BTreeSet::new();
        for patient in patients {
            for document in self.documents_of(reader, *patient)? {
                let Some(resident) = self.residents.load(&mut self.record, reader, document, None)? else {
                    continue;
                };
                let shown = resident.shown();
                let treated = shown.slice.as_ref().map(facts::providers).unwrap_or_default();
                let signed = shown.visit.as_ref().is_some_and(|visit| visit.facts.signed);
                if treated.contains(&person) && !signed {
                    unfinished.insert(document);
                }
            }
            self.let_documents_go();
        }
        Ok(unfinished)
    }

    /// The tablets on which a person works, or has worked on what is handed over.
    fn tablets_of(&self, reader: &dyn StoreReader, person: PersonId, found: &Found) -> Vec<TabletRow> {
        let mut rows: Vec<TabletRow> = Vec::new();
        for device in self.directory.devices.values() {
            let heard = self.last_heard(reader, device.id);
            let worked = heard.as_ref().is_some_and(|heard| heard.people.contains(&person));
            if !worked && !device.people.contains(&person) && !found.brought.contains(&device.id) {
                continue;
            }
            let known_through = heard.as_ref().map_or(0, |heard| heard.through);
            rows.push(TabletRow {
                device: device.id,
                name: device.name.clone(),
                connected: self.is_connected(device.id),
                heard_at: heard.map(|heard| heard.at),
                known_through,
                behind: found.through.iter().filter(|through| **through > known_through).count() as u64,
                revoked: device.revoked_at.is_some(),
            });
        }
        rows
    }

    /// Every act, the newest first.
    pub fn transfers(&self) -> Vec<Transfer> {
        let by_time: BTreeMap<_, &Transfer> = self
            .directory
            .transfers
            .values()
            .map(|transfer| ((transfer.at, transfer.id), transfer))
            .collect();
        by_time.into_values().rev().cloned().collect()
    }
}

fn is_same(done: &Transfer, act: &TransferAct) -> bool {
    let TransferWish { from, to, patients, from_when } = &act.wish;
    done.from == *from
        && done.to == *to
        && patients.as_ref().is_none_or(|patients| *patients == done.patients)
        && from_when.is_none_or(|from_when| from_when == done.from_when)
}

fn refused(sentence: &str) -> HubError {
    HubError::Refused(sentence.to_owned())
}
