//! The clinic of every world: fictional people, patients, tablets and appointments, and what the server
//! is told of them.

use std::collections::BTreeSet;

use chart::code::{Discipline, PayerId};
use chart::ids::{ClinicId, DeviceId, Digest, DocumentId, PatientId, PersonId};
use chart::reference::{Appointment, ClinicSettings, Device, Patient, Person, Profession, Reference, Role};
use chart::time::{ClockTime, Date, Timestamp};
use compliance::Rulebook;
use ed25519_dalek::SigningKey;
use sync_protocol::message::ScopeName;
use tablet::TabletConfig;

/// The clinic.
pub(crate) const CLINIC: ClinicId = ClinicId::from_bytes([0xc1; 16]);
/// The key its record is sealed under.
pub(crate) const CLINIC_KEY: [u8; 32] = [0x5e; 32];
/// The seed of the key its server signs with.
pub(crate) const SITE_KEY: [u8; 32] = [0x51; 32];
/// A therapist with two tablets.
pub(crate) const ANNA: PersonId = PersonId::from_bytes([0xa1; 16]);
/// An assistant.
pub(crate) const BEN: PersonId = PersonId::from_bytes([0xb1; 16]);
/// A supervisor, who sees the whole clinic.
pub(crate) const CORA: PersonId = PersonId::from_bytes([0xc0; 16]);
/// Who works on which tablet.
pub(crate) const TABLETS: [PersonId; 4] = [ANNA, BEN, CORA, ANNA];
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
/// Offset of the clinic's clock from UTC in minutes.
pub(crate) const OFFSET_MINUTES: i16 = -300;
/// When every world begins, in milliseconds: 2026-03-17T08:00 by the clinic's clock.
pub(crate) const DAWN: i64 = 1_773_752_400_000;

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
pub(crate) fn config(index: usize, person: PersonId, rulebook: &Rulebook) -> TabletConfig {
    let scopes = if person == CORA { vec![ScopeName::Clinic] } else { Vec::new() };
    TabletConfig {
        clinic: CLINIC,
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

/// The clinic's settings in their n-th form.
pub(crate) fn settings(number: u64) -> Reference {
    let rules = [("edition_note".to_owned(), number.to_string())].into();
    let name = "Riverbend Therapy".to_owned();
    Reference::Settings(ClinicSettings { clinic: CLINIC, name, utc_offset_minutes: OFFSET_MINUTES, rules })
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
    let (name, role, profession) = if id == BEN {
        ("Ben Example", Role::Assistant, Profession::PhysicalTherapistAssistant)
    } else {
        ("Anna Example", Role::Therapist, Profession::PhysicalTherapist)
    };
    person(id, name, &[if at_the_desk { Role::FrontDesk } else { role }], profession)
}

/// Everything the server is told before the first tablet comes.
pub(crate) fn references(tablets: usize) -> Vec<Reference> {
    let pt = Profession::PhysicalTherapist;
    let mut all = vec![
        settings(0),
        person_with(ANNA, false),
        person_with(BEN, false),
        person(CORA, "Cora Example", &[Role::Therapist, Role::Supervisor], pt),
    ];
    all.extend(patient(0, [ANNA, BEN].into()));
    all.extend(patient(1, [ANNA].into()));
    for (index, person) in TABLETS.iter().take(tablets).enumerate() {
        let key = SigningKey::from_bytes(&signing_key(index)).verifying_key();
        all.push(Reference::Device(Device {
            id: device(index),
            name: format!("tablet {index}"),
            public_key: Digest::from_bytes(key.to_bytes()).to_string(),
            people: [*person].into(),
            enrolled_at: Timestamp::from_unix_ms(DAWN),
            revoked_at: None,
        }));
    }
    let [first, second] = PATIENTS;
    let booked = [(first, ANNA, Some(EPISODE)), (first, BEN, Some(EPISODE)), (second, ANNA, None)];
    for ((id, (patient, provider, episode)), hour) in VISITS.into_iter().zip(booked).zip(9..) {
        let payer = Some(PayerId("medicare_ffs".to_owned()));
        let discipline = Discipline::PhysicalTherapy;
        let at = clock(day(0), hour * 60);
        all.push(Reference::Appointment(Appointment {
            id,
            patient,
            episode,
            provider,
            at,
            discipline,
            payer,
        }));
    }
    all
}
