//! People, patients, tablets and settings as the log last said. Appointments and claims stay in the log:
//! there is one for every note, and memory must not grow with notes.

use std::collections::{BTreeMap, BTreeSet};

use chart::ids::{ClinicId, DeviceId, PatientId, PersonId, TransferId};
use chart::reference::{
    ClinicSettings, DayClosed, Device, Patient, Peer, Person, Reference, Role, Scope, Sharing, Transfer,
};
use chart::time::Date;

use crate::entry::kind_and_id;

/// What the clinic knows beside the charts.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    /// Staff.
    pub people: BTreeMap<PersonId, Person>,
    /// Patients.
    pub patients: BTreeMap<PatientId, Patient>,
    /// Tablets.
    pub devices: BTreeMap<DeviceId, Device>,
    /// The clinic's settings.
    pub settings: Option<ClinicSettings>,
    /// Other clinics, paired with this one.
    pub peers: BTreeMap<ClinicId, Peer>,
    /// Patients treated at several clinics.
    pub sharings: BTreeMap<PatientId, Sharing>,
    /// Clinics that a paired one told of; the first word about a key stays.
    pub introduced: BTreeMap<ClinicId, Peer>,
    /// The last word of each clinic, this one too, that its charting is complete.
    pub closed: BTreeMap<ClinicId, DayClosed>,
    /// What other clinics told of themselves.
    pub abroad: BTreeMap<ClinicId, Abroad>,
    /// Caseloads that were handed over.
    pub transfers: BTreeMap<TransferId, Transfer>,
    /// Whose caseload a patient left by which act, and has not come back to since.
    pub(crate) moved: BTreeMap<(PersonId, PatientId), TransferId>,
    /// The clinics that a patient was ever shared among: what one of them wrote meanwhile is still taken in.
    shared_ever: BTreeMap<PatientId, BTreeSet<ClinicId>>,
    /// The epoch and the place of each clinic's last word for each thing.
    written: BTreeMap<(ClinicId, u16, [u8; 16]), (u32, u64)>,
}

/// What another clinic told of itself: who works there and on which tablets. None of them may do anything
/// here by it.
#[derive(Clone, Debug, Default)]
pub struct Abroad {
    /// Its staff.
    pub people: BTreeMap<PersonId, Person>,
    /// Its tablets.
    pub devices: BTreeMap<DeviceId, Device>,
    /// Its settings.
    pub settings: Option<ClinicSettings>,
    /// Who treats a shared patient there.
    pub teams: BTreeMap<PatientId, BTreeSet<PersonId>>,
}

impl Directory {
    /// Notes where in its record a clinic wrote a thing last.
    pub(crate) fn note_written(&mut self, origin: ClinicId, reference: &Reference, place: (u32, u64)) {
        if matches!(reference, Reference::Appointment(_) | Reference::Claim(_) | Reference::Transfer(_)) {
            // They never travel, and there is one for every note.
            return;
        }
        let (kind, id) = kind_and_id(reference);
        let last = self.written.entry((origin, kind, id)).or_default();
        *last = place.max(*last);
    }

    /// Whether a clinic's word for a thing is later than all that is known. Words come by several ways.
    pub(crate) fn is_later(&self, origin: ClinicId, reference: &Reference, place: (u32, u64)) -> bool {
        let (kind, id) = kind_and_id(reference);
        self.written.get(&(origin, kind, id)).is_none_or(|last| *last < place)
    }

    /// Whether a clinic may write in a patient's notes: it is or was one of those that treat the patient.
    pub(crate) fn may_write(&self, clinic: ClinicId, patient: PatientId) -> bool {
        self.shared_ever.get(&patient).is_some_and(|clinics| clinics.contains(&clinic))
    }

    /// The clinics that treated a patient once and do no more by what a sharing says.
    pub(crate) fn formerly(&self, sharing: &Sharing) -> BTreeSet<ClinicId> {
        let ever = self.shared_ever.get(&sharing.patient).into_iter().flatten().copied();
        ever.filter(|clinic| !sharing.is_treated_at(*clinic)).collect()
    }

    fn share(&mut self, sharing: Sharing) {
        self.shared_ever.entry(sharing.patient).or_default().extend(sharing.ever());
        self.sharings.insert(sharing.patient, sharing);
    }

    pub(crate) fn take(&mut self, reference: Reference) {
        match reference {
            Reference::Person(person) => _ = self.people.insert(person.id, person),
            Reference::Patient(patient) => {
                self.come_back(&patient);
                self.patients.insert(patient.id, patient);
            }
            Reference::Transfer(transfer) => self.hand_over(transfer),
            Reference::Device(device) => _ = self.devices.insert(device.id, device),
            Reference::Settings(settings) => self.settings = Some(settings),
            Reference::Peer(peer) => _ = self.peers.insert(peer.clinic, peer),
            Reference::Sharing(sharing) => self.share(sharing),
            Reference::DayClosed(closed) => self.close(closed),
            Reference::Appointment(_) | Reference::Claim(_) => {}
        }
    }

    fn close(&mut self, closed: DayClosed) {
        let before = self.closed.get(&closed.clinic);
        if before.is_none_or(|before| before.through <= closed.through) {
            self.closed.insert(closed.clinic, closed);
        }
    }

    /// Of the clinics that treat a patient, those that have not said that their charting of these days is
    /// complete; nobody for a patient who is treated here alone.
    pub(crate) fn unheard(
        &self,
        here: ClinicId,
        patient: Option<PatientId>,
        dates: &BTreeSet<Date>,
    ) -> BTreeSet<ClinicId> {
        let mut sites = self.sites_of(here, patient);
        if !sites.is_empty() {
            sites.insert(here);
        }
        let last = dates.last();
        let complete = |site: &ClinicId| {
            let closed = self.closed.get(site);
            last.is_some_and(|last| closed.is_some_and(|closed| *last <= closed.through))
        };
        sites.retain(|site| !complete(site));
        sites
    }

    /// Takes what another clinic wrote. A patient's file is what its home says; who treats the patient where,
    /// each clinic says of itself.
    pub(crate) fn take_from(&mut self, origin: ClinicId, reference: Reference) {
        let abroad = self.abroad.entry(origin).or_default();
        match reference {
            Reference::Person(person) => _ = abroad.people.insert(person.id, person),
            Reference::Device(device) => _ = abroad.devices.insert(device.id, device),
            Reference::Settings(settings) => abroad.settings = Some(settings),
            Reference::Patient(patient) => {
                abroad.teams.insert(patient.id, patient.care_team.clone());
                if self.sharings.get(&patient.id).is_some_and(|sharing| sharing.home == origin) {
                    let patient = self.with_own_team(patient);
                    self.patients.insert(patient.id, patient);
                }
            }
            Reference::Sharing(sharing) => self.share(sharing),
            Reference::Peer(peer) => _ = self.introduced.entry(peer.clinic).or_insert(peer),
            Reference::DayClosed(closed) => self.close(closed),
            Reference::Appointment(_) | Reference::Claim(_) | Reference::Transfer(_) => {}
        }
    }

    /// Whether a clinic may say this: of itself everything, of a patient only what it keeps the file of.
    pub(crate) fn may_tell(&self, here: ClinicId, origin: ClinicId, reference: &Reference) -> bool {
        match reference {
            Reference::Person(_) | Reference::Device(_) => true,
            Reference::Settings(settings) => settings.clinic == origin,
            Reference::Peer(peer) => peer.clinic != here,
            Reference::DayClosed(closed) => closed.clinic == origin,
            Reference::Sharing(sharing) => {
                // A patient who is known here and was not shared is this clinic's own.
                let before = self.sharings.get(&sharing.patient);
                let known = self.patients.contains_key(&sharing.patient);
                sharing.home == origin && before.map_or(!known, |before| before.home == origin)
            }
            Reference::Patient(patient) => {
                let sharing = self.sharings.get(&patient.id);
                sharing.is_some_and(|sharing| sharing.home == origin || sharing.clinics.contains(&origin))
            }
            Reference::Appointment(_) | Reference::Claim(_) | Reference::Transfer(_) => false,
        }
    }

    /// A patient with everybody who treats them, at any clinic that does so at this moment: the same people
    /// wherever the sharing is known.
    pub(crate) fn with_every_team(&self, patient: PatientId) -> Option<Patient> {
        let mut patient = self.patients.get(&patient)?.clone();
        let sharing = self.sharings.get(&patient.id).filter(|sharing| !sharing.clinics.is_empty());
        let treats = |clinic: &ClinicId| sharing.is_some_and(|sharing| sharing.is_treated_at(*clinic));
        let abroad = self.abroad.iter().filter(|(clinic, _)| treats(clinic));
        patient.care_team.extend(abroad.filter_map(|(_, of)| of.teams.get(&patient.id)).flatten());
        Some(patient)
    }

    fn with_own_team(&self, patient: Patient) -> Patient {
        let here = self.patients.get(&patient.id);
        Patient { care_team: here.map(|here| here.care_team.clone()).unwrap_or_default(), ..patient }
    }

    /// A clinic that is paired with this one and was not ended.
    pub(crate) fn peer(&self, clinic: ClinicId) -> Option<&Peer> {
        self.peers.get(&clinic).filter(|peer| peer.ended_at.is_none())
    }

    /// The other clinics that are to hold a patient's notes.
    pub(crate) fn sites_of(&self, here: ClinicId, patient: Option<PatientId>) -> BTreeSet<ClinicId> {
        let sharing = patient.and_then(|patient| self.sharings.get(&patient));
        sharing.map(|sharing| sharing.others(here)).unwrap_or_default()
    }

    /// Everybody known by name, for a note of a clinic: who works there is as that clinic says, everybody
    /// else as the clinic with the smallest id says that knows them.
    pub(crate) fn people_for(&self, here: ClinicId, of: ClinicId) -> BTreeMap<PersonId, &Person> {
        let mut rows: BTreeMap<ClinicId, &BTreeMap<PersonId, Person>> =
            self.abroad.iter().map(|(clinic, abroad)| (*clinic, &abroad.people)).collect();
        rows.insert(here, &self.people);
        let first = rows.get(&of).copied();
        let mut people = BTreeMap::new();
        for row in rows.into_values().rev().chain(first) {
            people.extend(row.iter().map(|(id, person)| (*id, person)));
        }
        people
    }

    /// The settings of a clinic.
    pub(crate) fn settings_for(&self, here: ClinicId, of: ClinicId) -> Option<&ClinicSettings> {
        match self.abroad.get(&of) {
            Some(abroad) if of != here => abroad.settings.as_ref(),
            _ => self.settings.as_ref(),
        }
    }

    /// A person of this clinic or of another one.
    pub fn person(&self, person: PersonId) -> Option<&Person> {
        let abroad = || self.abroad.values().find_map(|of| of.people.get(&person));
        self.people.get(&person).or_else(abroad)
    }

    /// A tablet of this clinic or of another one.
    pub fn device(&self, device: DeviceId) -> Option<&Device> {
        let abroad = || self.abroad.values().find_map(|of| of.devices.get(&device));
        self.devices.get(&device).or_else(abroad)
    }

    /// Whether a person works here.
    pub fn active(&self, person: PersonId) -> bool {
        self.people.get(&person).is_some_and(|person| !person.inactive)
    }

    /// Whether a person may work on a tablet.
    pub fn may_use(&self, person: PersonId, device: DeviceId) -> bool {
        self.active(person)
            && self
                .devices
                .get(&device)
                .is_some_and(|device| device.people.is_empty() || device.people.contains(&person))
    }

    /// The scopes a person may follow on a tablet.
    pub(crate) fn granted(&self, device: DeviceId, person: Option<PersonId>) -> BTreeSet<Scope> {
        let Some(tablet) = self.devices.get(&device) else { return BTreeSet::new() };
        if tablet.revoked_at.is_some() {
            return BTreeSet::new();
        }
        let users: Vec<&Person> = match person {
            Some(person) => self.people.get(&person).into_iter().collect(),
            None => tablet.people.iter().filter_map(|person| self.people.get(person)).collect(),
        };
        let mut granted = BTreeSet::new();
        for user in users.into_iter().filter(|user| self.may_use(user.id, device)) {
            granted.insert(Scope::Caseload(user.id));
            if user.roles.contains(&Role::Supervisor) || user.roles.contains(&Role::Auditor) {
                granted.insert(Scope::Clinic);
            }
        }
        granted
    }
}
