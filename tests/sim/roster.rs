//! Who treats whom at a clinic, as its log says and nothing else: care teams, caseloads that changed hands,
//! with whom patients are shared.

use std::collections::{BTreeMap, BTreeSet};

use chart::ids::{ClinicId, PatientId, PersonId, TransferId};
use chart::reference::{Patient, Reference, Sharing, Transfer};

use crate::log::Log;

/// Who treats whom.
#[derive(Debug, Default)]
pub(crate) struct Roster {
    /// Patients with the clinic's own care team.
    pub(crate) patients: BTreeMap<PatientId, Patient>,
    /// Who treats them at other clinics.
    abroad: BTreeMap<(usize, PatientId), BTreeSet<PersonId>>,
    /// The last word on whom a patient is shared with.
    pub(crate) sharings: BTreeMap<PatientId, Sharing>,
    /// Every clinic a patient was ever shared with.
    pub(crate) shared_ever: BTreeMap<PatientId, BTreeSet<ClinicId>>,
    transfers: BTreeMap<TransferId, Transfer>,
    moved: BTreeMap<(PersonId, PatientId), TransferId>,
}

impl Roster {
    /// What a clinic's log says.
    pub(crate) fn of(site: usize, log: &Log) -> Self {
        let mut roster = Self::default();
        for (origin, reference) in &log.words {
            match reference {
                Reference::Patient(patient) => roster.take_patient(site == *origin, *origin, patient),
                Reference::Sharing(sharing) => {
                    let ever = roster.shared_ever.entry(sharing.patient).or_default();
                    ever.extend(sharing.clinics.iter().chain(&sharing.formerly).chain([&sharing.home]));
                    roster.sharings.insert(sharing.patient, sharing.clone());
                }
                Reference::Transfer(transfer) => roster.hand_over(transfer),
                _ => {}
            }
        }
        roster
    }

    fn take_patient(&mut self, own: bool, origin: usize, patient: &Patient) {
        if own {
            for person in &patient.care_team {
                let key = (*person, patient.id);
                let act = self.moved.get(&key).and_then(|act| self.transfers.get(act));
                if act.is_some_and(|act| act.left) {
                    self.moved.remove(&key);
                }
            }
            self.patients.insert(patient.id, patient.clone());
            return;
        }
        self.abroad.insert((origin, patient.id), patient.care_team.clone());
        let sharing = self.sharings.get(&patient.id);
        if sharing.is_some_and(|sharing| crate::clinic::site_of(sharing.home) == origin) {
            let known = self.patients.get(&patient.id);
            let care_team = known.map(|known| known.care_team.clone()).unwrap_or_default();
            self.patients.insert(patient.id, Patient { care_team, ..patient.clone() });
        }
    }

    fn hand_over(&mut self, transfer: &Transfer) {
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
        self.transfers.insert(transfer.id, transfer.clone());
    }

    /// Whether a patient has left a person's caseload by an act.
    pub(crate) fn has_left(&self, person: PersonId, patient: PatientId) -> bool {
        let act = self.moved.get(&(person, patient)).and_then(|act| self.transfers.get(act));
        act.is_some_and(|act| act.left)
    }

    /// A patient with everybody who treats them, at any clinic that does so at this moment.
    pub(crate) fn with_every_team(&self, patient: PatientId) -> Option<Patient> {
        let mut patient = self.patients.get(&patient)?.clone();
        let treating = self.treating(patient.id);
        let treats = |site: usize| treating.contains(&crate::clinic::clinic(site));
        let abroad = self.abroad.iter().filter(|((site, id), _)| *id == patient.id && treats(*site));
        patient.care_team.extend(abroad.flat_map(|(_, team)| team));
        Some(patient)
    }

    /// The clinics that are to hold a patient's notes; nobody for one who is treated at one clinic alone.
    pub(crate) fn treating(&self, patient: PatientId) -> BTreeSet<ClinicId> {
        let sharing = self.sharings.get(&patient).filter(|sharing| !sharing.clinics.is_empty());
        let all = |sharing: &Sharing| sharing.clinics.iter().copied().chain([sharing.home]).collect();
        sharing.map(all).unwrap_or_default()
    }
}
