//! People, patients, tablets and settings as the log last said. Appointments and claims stay in the log:
//! there is one for every note, and memory must not grow with notes.

use std::collections::{BTreeMap, BTreeSet};

use chart::ids::{DeviceId, PatientId, PersonId};
use chart::reference::{ClinicSettings, Device, Patient, Person, Reference, Role, Scope};

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
}

impl Directory {
    pub(crate) fn take(&mut self, reference: Reference) {
        match reference {
            Reference::Person(person) => _ = self.people.insert(person.id, person),
            Reference::Patient(patient) => _ = self.patients.insert(patient.id, patient),
            Reference::Device(device) => _ = self.devices.insert(device.id, device),
            Reference::Settings(settings) => self.settings = Some(settings),
            Reference::Appointment(_) | Reference::Claim(_) => {}
        }
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

    /// The clinic's offset from UTC in minutes.
    pub(crate) fn offset_minutes(&self) -> i16 {
        self.settings.as_ref().map_or(0, |settings| settings.utc_offset_minutes)
    }
}
