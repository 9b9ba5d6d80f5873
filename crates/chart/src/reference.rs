//! Reference data: what the clinic's server knows beside the chart and sends to every tablet.
//!
//! Written by the server only, versioned by its place in the log, never merged.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::claim::ClaimFacts;
use crate::code::{Discipline, PayerId};
use crate::ids::{ClinicId, DeviceId, DocumentId, PatientId, PersonId, TransferId};
use crate::patient_file::PatientFile;
use crate::time::{ClockTime, Timestamp};

crate::open_enum! {
    /// What a person may do in the clinic.
    Role {
        /// Treats and signs.
        Therapist = "therapist",
        /// Treats under supervision.
        Assistant = "assistant",
        /// Learns; every entry is co-signed.
        Student = "student",
        /// Reviews, resolves, releases.
        Supervisor = "supervisor",
        /// Appointments and patients.
        FrontDesk = "front_desk",
        /// Runs the clinic's server.
        ClinicAdmin = "clinic_admin",
        /// Reads and proves.
        Auditor = "auditor",
    }
}

crate::open_enum! {
    /// A person's profession, as payers know it.
    Profession {
        /// Physical therapist.
        PhysicalTherapist = "physical_therapist",
        /// Physical therapist assistant.
        PhysicalTherapistAssistant = "physical_therapist_assistant",
        /// Occupational therapist.
        OccupationalTherapist = "occupational_therapist",
        /// Occupational therapy assistant.
        OccupationalTherapyAssistant = "occupational_therapy_assistant",
        /// Speech-language pathologist.
        SpeechLanguagePathologist = "speech_language_pathologist",
        /// Chiropractor.
        Chiropractor = "chiropractor",
        /// Massage therapist.
        MassageTherapist = "massage_therapist",
        /// Student of one of these.
        Student = "student",
        /// Aide or technician without a licence.
        Aide = "aide",
    }
}

/// A member of staff.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// The person's id.
    pub id: PersonId,
    /// The name as the note prints it.
    pub name: String,
    /// The professional designation as printed after the name.
    #[serde(default)]
    pub credentials: String,
    /// What the person may do.
    pub roles: BTreeSet<Role>,
    /// Profession.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profession: Option<Profession>,
    /// National provider identifier, ten digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub npi: Option<String>,
    /// The last day the licence is valid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub license_valid_to: Option<NaiveDate>,
    /// The first day on the exclusion list, if on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub excluded_from: Option<NaiveDate>,
    /// No longer works here.
    #[serde(default)]
    pub inactive: bool,
}

/// A patient and the people who treat them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Patient {
    /// The patient's id.
    pub id: PatientId,
    /// The name.
    pub name: String,
    /// Date of birth.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub born_on: Option<NaiveDate>,
    /// The usual payer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payer: Option<PayerId>,
    /// Whose caseload the patient is on.
    pub care_team: BTreeSet<PersonId>,
    /// What the offices hold of the patient.
    #[serde(default)]
    pub file: PatientFile,
}

/// An appointment; its id becomes the visit's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Appointment {
    /// The visit's id.
    pub id: DocumentId,
    /// Who comes.
    pub patient: PatientId,
    /// The episode of care.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub episode: Option<DocumentId>,
    /// Who treats.
    pub provider: PersonId,
    /// When.
    pub at: ClockTime,
    /// Under which plan.
    pub discipline: Discipline,
    /// Who pays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payer: Option<PayerId>,
}

/// A tablet known to the clinic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// The tablet's id.
    pub id: DeviceId,
    /// What people call it.
    pub name: String,
    /// Its Ed25519 public key, 64 hexadecimal digits.
    pub public_key: String,
    /// Who may work on it; empty means every active person of the clinic.
    #[serde(default)]
    pub people: BTreeSet<PersonId>,
    /// When it was enrolled, by the server's clock.
    pub enrolled_at: Timestamp,
    /// When it was revoked, if it was: what it still sends is held, nothing is sent to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
}

/// Settings of the clinic that rules ask for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClinicSettings {
    /// The clinic.
    pub clinic: ClinicId,
    /// Its name.
    pub name: String,
    /// Offset of the clinic's clock from UTC in minutes.
    pub utc_offset_minutes: i16,
    /// Settings by name, such as `assistant_method`; the rulebook lists them.
    #[serde(default)]
    pub rules: BTreeMap<String, String>,
}

/// The last claim made for a visit; the server's business alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The visit.
    pub visit: DocumentId,
    /// The claim.
    pub claim: ClaimFacts,
}

/// Another clinic that this one exchanges patients' notes with. Pinned at pairing; its key never changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peer {
    /// The clinic.
    pub clinic: ClinicId,
    /// What people call it.
    pub name: String,
    /// The Ed25519 public key of its site, 64 hexadecimal digits: it proves a connection and signs verdicts.
    pub public_key: String,
    /// Where its server is reached, such as `https://riverside.example`; absent where it calls this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// When they were paired, by this server's clock.
    pub paired_at: Timestamp,
    /// When it was ended, if it was: nothing is sent to it or taken from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
}

/// A patient who is treated at several clinics. Written where the patient's file is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sharing {
    /// The patient.
    pub patient: PatientId,
    /// The clinic that keeps the patient's file.
    pub home: ClinicId,
    /// The other clinics that treat the patient; empty takes the sharing back for what is written later.
    pub clinics: BTreeSet<ClinicId>,
    /// Clinics that treated the patient before and do no more: what they wrote then is still part of the notes.
    /// Filled in by the home's server.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub formerly: BTreeSet<ClinicId>,
}

/// A clinic's word that its charting of some days is complete: every tablet has brought what it had. It
/// stands in the clinic's log behind everything it is about, and travels behind it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayClosed {
    /// The clinic.
    pub clinic: ClinicId,
    /// The last day it is about.
    pub through: NaiveDate,
    /// When it was given, by the clinic's clock.
    pub at: Timestamp,
    /// The signature of the clinic's site over [`DayClosed::statement`], 128 hexadecimal digits.
    pub signature: String,
}

impl DayClosed {
    /// The bytes that are signed.
    pub fn statement(clinic: ClinicId, through: NaiveDate, at: Timestamp) -> Vec<u8> {
        let mut bytes = b"gaitway day closed 1\0".to_vec();
        bytes.extend_from_slice(clinic.as_bytes());
        bytes.extend_from_slice(through.to_string().as_bytes());
        bytes.extend_from_slice(&at.unix_ms().to_le_bytes());
        bytes
    }
}

impl Sharing {
    /// A patient of a home, treated at these clinics as well.
    pub const fn new(patient: PatientId, home: ClinicId, clinics: BTreeSet<ClinicId>) -> Self {
        Self { patient, home, clinics, formerly: BTreeSet::new() }
    }

    /// The clinics, other than `here`, that are to hold the patient's notes; nobody if `here` is not one of
    /// those that treat the patient: what is written there later stays there, but for notes the home has held.
    pub fn others(&self, here: ClinicId) -> BTreeSet<ClinicId> {
        if self.clinics.is_empty() || !self.is_treated_at(here) {
            return BTreeSet::new();
        }
        self.clinics.iter().copied().chain([self.home]).filter(|clinic| *clinic != here).collect()
    }

    /// Whether a clinic treats the patient.
    pub fn is_treated_at(&self, clinic: ClinicId) -> bool {
        clinic == self.home || self.clinics.contains(&clinic)
    }

    /// Every clinic that treats the patient or ever did.
    pub fn ever(&self) -> impl Iterator<Item = ClinicId> {
        self.clinics.iter().chain(&self.formerly).copied().chain([self.home])
    }
}

/// Patients who go from one therapist's caseload to another's, in one act. The newest word on an act stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transfer {
    /// The act: done twice, it is done once.
    pub id: TransferId,
    /// Who moves.
    pub patients: BTreeSet<PatientId>,
    /// Whose caseload they leave.
    pub from: PersonId,
    /// Whose caseload they enter, at once.
    pub to: PersonId,
    /// When they leave the first: what that person writes about them later waits for a supervisor.
    pub from_when: Timestamp,
    /// Unsigned notes of the first that stay theirs to finish.
    #[serde(default)]
    pub finishes: BTreeSet<DocumentId>,
    /// Who decided it.
    pub by: PersonId,
    /// Why.
    pub reason: String,
    /// When it was decided, by the server's clock.
    pub at: Timestamp,
    /// Whether the time has come and the first has left.
    #[serde(default)]
    pub left: bool,
    /// Whether every note has been given its new place since.
    #[serde(default)]
    pub settled: bool,
}

/// One piece of reference data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Reference {
    /// A member of staff.
    Person(Person),
    /// A patient.
    Patient(Patient),
    /// An appointment.
    Appointment(Appointment),
    /// A tablet.
    Device(Device),
    /// The clinic's settings.
    Settings(ClinicSettings),
    /// A claim.
    Claim(Claim),
    /// Another clinic.
    Peer(Peer),
    /// A patient treated at several clinics.
    Sharing(Sharing),
    /// A clinic's charting of some days is complete.
    DayClosed(DayClosed),
    /// A caseload was handed over.
    Transfer(Transfer),
}

/// What a tablet follows: the feed is cut by these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Everything of the clinic: for supervisors.
    Clinic,
    /// The patients of one person's caseload.
    Caseload(PersonId),
    /// The patients who are treated at another clinic as well.
    Site(ClinicId),
}
