//! The clinics of every world: fictional people, patients, tablets and appointments, as servers are told of
//! them. Who of them is in a world, `cast` says.

use std::collections::BTreeSet;

use chart::code::{Discipline, PayerId};
use chart::ids::{ClinicId, DeviceId, Digest, DocumentId, PatientId, PersonId};
use chart::reference::{
    Appointment, ClinicSettings, Device, Patient, Peer, Person, Profession, Reference, Role,
};
use chart::time::{ClockTime, Date, Timestamp};
use compliance::Rulebook;
use ed25519_dalek::SigningKey;
use hub::HubConfig;
use sync_protocol::message::ScopeName;
use tablet::TabletConfig;

/// A therapist with two tablets.
pub(crate) const ANNA: PersonId = PersonId::from_bytes([0xa1; 16]);
/// An assistant.
pub(crate) const BEN: PersonId = PersonId::from_bytes([0xb1; 16]);
/// A supervisor, who sees the whole clinic.
pub(crate) const CORA: PersonId = PersonId::from_bytes([0xc0; 16]);
/// The patients.
pub(crate) const PATIENTS: [PatientId; 2] =
    [PatientId::from_bytes([0x91; 16]), PatientId::from_bytes([0x92; 16])];
/// The episode of the first patient.
pub(crate) const EPISODE: DocumentId = DocumentId::from_bytes([0xe1; 16]);
/// The appointments.
pub(crate) const VISITS: [DocumentId; 3] = [
    DocumentId::from_bytes([0x11; 16]),
    DocumentId::from_bytes([0x12; 16]),
    DocumentId::from_bytes([0x13; 16]),
];
/// Offset of the first clinic's clock from UTC in minutes.
pub(crate) const OFFSET_MINUTES: i16 = -300;
/// When every world begins, in milliseconds: 2026-03-17T08:00 by the clinic's clock.
pub(crate) const DAWN: i64 = 1_773_752_400_000;

fn nth(base: u8, site: usize) -> u8 {
    base.wrapping_add(u8::try_from(site).unwrap_or(15))
}

/// A clinic.
pub(crate) fn clinic(site: usize) -> ClinicId {
    ClinicId::from_bytes([nth(0xc1, site); 16])
}

/// The number of a clinic.
pub(crate) fn site_of(clinic: ClinicId) -> usize {
    usize::from(clinic.as_bytes().first().copied().unwrap_or(0xc1).saturating_sub(0xc1))
}

/// The key a clinic's record is sealed under.
pub(crate) fn clinic_key(site: usize) -> [u8; 32] {
    [nth(0x5e, site); 32]
}

/// The seed of the key a clinic's server signs with.
pub(crate) fn site_key(site: usize) -> [u8; 32] {
    [nth(0x51, site); 32]
}

/// The therapist of a clinic.
pub(crate) fn therapist(site: usize) -> PersonId {
    PersonId::from_bytes([nth(0xa1, site); 16])
}

/// The supervisor of a clinic, who sees all of it.
pub(crate) fn supervisor(site: usize) -> PersonId {
    PersonId::from_bytes([nth(0xc0, site); 16])
}

/// Whether a person sees everything where they work.
pub(crate) fn sees_all(person: PersonId) -> bool {
    person.as_bytes().first().is_some_and(|byte| byte & 0xf0 == 0xc0)
}

/// Offset of a clinic's clock from UTC in minutes: each lies an hour further west.
pub(crate) fn offset_minutes(site: usize) -> i16 {
    OFFSET_MINUTES.saturating_sub(60 * i16::try_from(site).unwrap_or(0))
}

/// How a clinic's hub is set up.
pub(crate) fn hub_config(site: usize, rulebook: &Rulebook, resident: usize) -> HubConfig {
    HubConfig {
        clinic: clinic(site),
        clinic_key: clinic_key(site),
        site_key: site_key(site),
        rulebook: rulebook.clone(),
        documents_resident_max: resident,
    }
}

/// A day of the calendar that visits are of.
pub(crate) fn day(number: u64) -> Date {
    let dawn = Timestamp::from_unix_ms(DAWN).clock_time(OFFSET_MINUTES).local_date();
    dawn.checked_add_days(chrono::Days::new(number)).unwrap_or(dawn)
}

/// A time of a day as the clinic's clocks show it.
pub(crate) fn clock(date: Date, minute: u64) -> ClockTime {
    let (hour, minute) = (u32::try_from(minute / 60).unwrap_or(0), u32::try_from(minute % 60).unwrap_or(0));
    let fallback = Timestamp::from_unix_ms(DAWN).clock_time(OFFSET_MINUTES);
    ClockTime::on(date, hour, minute, OFFSET_MINUTES).unwrap_or(fallback)
}

/// The id of a tablet.
pub(crate) fn device(index: usize) -> DeviceId {
    DeviceId::from_bytes([0xd0 | u8::try_from(index).unwrap_or(15); 16])
}

fn signing_key(index: usize) -> [u8; 32] {
    [0x30 | u8::try_from(index).unwrap_or(15); 32]
}

/// How a tablet is set up.
pub(crate) fn config(site: usize, index: usize, person: PersonId, rulebook: &Rulebook) -> TabletConfig {
    let scopes = if sees_all(person) { vec![ScopeName::Clinic] } else { Vec::new() };
    TabletConfig {
        clinic: clinic(site),
        device: device(index),
        signing_key: signing_key(index),
        disk_key: [0x40 | u8::try_from(index).unwrap_or(15); 32],
        person: Some(person),
        scopes,
        app: "simulated 1".to_owned(),
        rulebook: Some(rulebook.clone()),
    }
}

/// A patient with a care team.
pub(crate) fn patient(index: usize, care_team: BTreeSet<PersonId>) -> Option<Reference> {
    let id = *PATIENTS.get(index)?;
    let name = format!("Fictional Patient {index}");
    Some(Reference::Patient(Patient {
        id,
        name,
        born_on: None,
        payer: None,
        care_team,
        file: chart::patient_file::PatientFile::default(),
    }))
}

/// A clinic's settings in their n-th form.
pub(crate) fn settings(site: usize, number: u64) -> Reference {
    let rules = [("edition_note".to_owned(), number.to_string())].into();
    let name = if site == 0 { "Riverbend Therapy".to_owned() } else { format!("Riverbend Therapy {site}") };
    let utc_offset_minutes = offset_minutes(site);
    Reference::Settings(ClinicSettings { clinic: clinic(site), name, utc_offset_minutes, rules })
}

fn person(id: PersonId, name: &str, roles: &[Role], profession: Profession) -> Reference {
    Reference::Person(Person {
        id,
        name: name.to_owned(),
        credentials: "PT".to_owned(),
        roles: roles.iter().cloned().collect(),
        profession: Some(profession),
        npi: None,
        license_valid_to: None,
        excluded_from: None,
        inactive: false,
    })
}

/// A person who may write notes, or works at the front desk for now.
pub(crate) fn person_with(id: PersonId, at_the_desk: bool) -> Reference {
    let pt = Profession::PhysicalTherapist;
    let name = |name: &str| match id.as_bytes().first() {
        Some(0xa1 | 0xb1 | 0xc0) | None => format!("{name} Example"),
        Some(number) => format!("{name} Example {}", number & 0x0f),
    };
    let (name, role, profession) = match id {
        BEN => (name("Ben"), Role::Assistant, Profession::PhysicalTherapistAssistant),
        id if sees_all(id) => {
            return person(id, &name("Cora"), &[Role::Therapist, Role::Supervisor], pt);
        }
        _ => (name("Anna"), Role::Therapist, pt),
    };
    person(id, &name, &[if at_the_desk { Role::FrontDesk } else { role }], profession)
}

/// A tablet as its clinic is told of it.
pub(crate) fn enrolled(index: usize, person: PersonId) -> Reference {
    let key = SigningKey::from_bytes(&signing_key(index)).verifying_key();
    Reference::Device(Device {
        id: device(index),
        name: format!("tablet {index}"),
        public_key: Digest::from_bytes(key.to_bytes()).to_string(),
        people: [person].into(),
        enrolled_at: Timestamp::from_unix_ms(DAWN),
        revoked_at: None,
    })
}

/// An appointment of the first day.
pub(crate) fn appointment(
    id: DocumentId,
    patient: PatientId,
    provider: PersonId,
    episode: Option<DocumentId>,
    hour: u64,
) -> Reference {
    let payer = Some(PayerId("medicare_ffs".to_owned()));
    let discipline = Discipline::PhysicalTherapy;
    let at = clock(day(0), hour * 60);
    Reference::Appointment(Appointment { id, patient, episode, provider, at, discipline, payer })
}

/// A clinic as others are told of it at pairing.
pub(crate) fn peer(site: usize) -> Reference {
    let key = SigningKey::from_bytes(&site_key(site)).verifying_key();
    Reference::Peer(Peer {
        clinic: clinic(site),
        name: format!("clinic {site}"),
        public_key: Digest::from_bytes(key.to_bytes()).to_string(),
        address: None,
        paired_at: Timestamp::from_unix_ms(DAWN),
        ended_at: None,
    })
}
