//! What the compliance engine is told about a visit, its patient-day, provider-day and episode.
//!
//! Plain values gathered by whoever asks; never a document, never a clock. A contested value arrives
//! as [`Fact::Disputed`], never as a winner. Serialised, these are the portable visit JSON.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::code::{Discipline, PayerId, ServiceCode};
use crate::episode::Goal;
use crate::history::{NoteHistory, SignatureProof};
use crate::ids::{
    ActivityId, ChangeHash, ClinicId, DeviceId, Digest, DocumentId, EntryId, GoalId, PatientId, PersonId,
    SegmentId,
};
use crate::patient_file::PatientFacts;
use crate::reference::{Profession, Role};
use crate::register::Fact;
use crate::time::{ClockTime, Timestamp};
use crate::visit::{Activity, Measure, SegmentValue, TypedTotals};

pub use crate::claim::ClaimFacts;

/// Everything a report is computed from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// The clinic-local date for which the question is asked.
    pub as_of: NaiveDate,
    /// Whether whoever gathered these knows every note of the day.
    #[serde(default)]
    pub standing: Standing,
    /// The note the report is about.
    pub note: NoteFacts,
    /// The other notes of the same patient on the same date, any discipline.
    #[serde(default)]
    pub patient_day: Vec<DaySlice>,
    /// The other notes of that date in which a provider of this note treated somebody.
    #[serde(default)]
    pub provider_day: Vec<DaySlice>,
    /// The episode of care.
    #[serde(default)]
    pub episode: Option<EpisodeFacts>,
    /// The people named in the notes.
    #[serde(default)]
    pub people: BTreeMap<PersonId, PersonFacts>,
    /// The clinic's settings by name.
    #[serde(default)]
    pub settings: BTreeMap<String, String>,
    /// The last claim made for this note, if one was.
    #[serde(default)]
    pub claim: Option<ClaimFacts>,
    /// What the clinic's offices hold of the patient; `None` where it is not known.
    #[serde(default)]
    pub patient: Option<PatientFacts>,
    /// The provider's recent habits, where a server knows them.
    #[serde(default)]
    pub provider_history: Option<ProviderHistory>,
    /// What only a server knows of how the note's edits arrived.
    #[serde(default)]
    pub arrivals: Vec<Arrival>,
    /// Where these facts were read from.
    #[serde(default)]
    pub inputs: Vec<Input>,
}

/// Whether a report may be relied on for the whole day.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Other notes of this day may exist that were not seen.
    #[default]
    Provisional,
    /// Every note of the day known to the clinic was seen; nothing waits for a verdict.
    Complete,
    /// All notes were seen, but some work on them is not judged or is held back.
    Pending,
}

/// One source a report was computed from. Equal inputs give equal reports.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Input {
    /// A whole document at these heads.
    Document {
        /// The document.
        document: DocumentId,
        /// The heads it was read at.
        heads: BTreeSet<ChangeHash>,
    },
    /// The billing slice of another note of the day.
    Slice {
        /// The document it was cut from.
        document: DocumentId,
        /// SHA-256 of the slice's JSON.
        digest: Digest,
    },
    /// Any other fact by value: people, settings, claim, arrivals.
    Values {
        /// What they are.
        name: String,
        /// SHA-256 of their JSON.
        digest: Digest,
    },
}

/// The part of a note that other notes' reports depend on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DaySlice {
    /// The note.
    pub document: DocumentId,
    /// The patient; `None` where the reader may not know who it is.
    #[serde(default)]
    pub patient: Option<PatientId>,
    /// The plan of care.
    #[serde(default)]
    pub discipline: Option<Discipline>,
    /// Date of service.
    #[serde(default)]
    pub date: Fact<NaiveDate>,
    /// Treating provider.
    #[serde(default)]
    pub provider: Fact<PersonId>,
    /// Who pays.
    #[serde(default)]
    pub payer: Fact<PayerId>,
    /// The recorded choice among acceptable allocations.
    #[serde(default)]
    pub tie_pick: Fact<BTreeMap<ServiceCode, u32>>,
    /// Units as typed.
    #[serde(default)]
    pub billed_units: Fact<BTreeMap<ServiceCode, String>>,
    /// Every stretch of time.
    #[serde(default)]
    pub segments: Vec<SegmentFacts>,
}

/// One stretch of time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentFacts {
    /// The activity it belongs to; united activities share the smallest id.
    pub activity: ActivityId,
    /// The segment; united segments share the smallest id.
    pub segment: SegmentId,
    /// Its group of values.
    pub value: Fact<SegmentValue>,
    /// The tablets that wrote its open versions.
    #[serde(default)]
    pub devices: BTreeSet<DeviceId>,
}

/// The note the report is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoteFacts {
    /// What other notes see of it too.
    #[serde(flatten)]
    pub slice: DaySlice,
    /// The clinic.
    #[serde(default)]
    pub clinic: Option<ClinicId>,
    /// Place of service.
    #[serde(default)]
    pub place: Fact<String>,
    /// Diagnosis codes in pointer order.
    #[serde(default)]
    pub diagnoses: Fact<Vec<String>>,
    /// Totals as typed.
    #[serde(default)]
    pub totals: Fact<TypedTotals>,
    /// When the patient came in.
    #[serde(default)]
    pub check_in: Option<ClockTime>,
    /// When the patient left.
    #[serde(default)]
    pub check_out: Option<ClockTime>,
    /// What was done, without its times (those are in the slice).
    #[serde(default)]
    pub activities: BTreeMap<ActivityId, Activity>,
    /// The texts of the note.
    #[serde(default)]
    pub text: BTreeMap<String, String>,
    /// Plain fields of the note.
    #[serde(default)]
    pub fields: BTreeMap<String, String>,
    /// Measurements.
    #[serde(default)]
    pub measures: BTreeMap<EntryId, Measure>,
    /// How each goal stands.
    #[serde(default)]
    pub goal_status: BTreeMap<GoalId, String>,
    /// Signatures.
    #[serde(default)]
    pub signatures: Vec<SignatureFacts>,
    /// Texts and plain fields that two tablets changed at once.
    #[serde(default)]
    pub concurrent_text: Vec<String>,
    /// Parts of the document that could not be read, each in one sentence.
    #[serde(default)]
    pub problems: Vec<String>,
    /// Who wrote it, what was added after signing.
    #[serde(default)]
    pub history: NoteHistory,
}

/// One signature, as far as rules ask.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignatureFacts {
    /// Which signature.
    pub id: EntryId,
    /// Who signed.
    pub person: PersonId,
    /// `author` or `co_sign`.
    pub meaning: String,
    /// Credentials as printed.
    pub credentials: String,
    /// When, by the tablet's clock.
    pub at: Timestamp,
    /// Whether the clinical content is still, byte for byte, what was signed.
    pub current: bool,
    /// Changes of clinical content that the signer had not seen.
    #[serde(default)]
    pub unseen: BTreeSet<ChangeHash>,
    /// How it was given, and what became of what it covers.
    #[serde(default)]
    pub proof: SignatureProof,
}

/// A person, as far as rules ask.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonFacts {
    /// What the person may do.
    #[serde(default)]
    pub roles: BTreeSet<Role>,
    /// Profession.
    #[serde(default)]
    pub profession: Option<Profession>,
    /// National provider identifier.
    #[serde(default)]
    pub npi: Option<String>,
    /// The last day the licence is valid.
    #[serde(default)]
    pub license_valid_to: Option<NaiveDate>,
    /// The first day on the exclusion list.
    #[serde(default)]
    pub excluded_from: Option<NaiveDate>,
}

/// The episode, as far as rules ask.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EpisodeFacts {
    /// Diagnoses of the plan.
    #[serde(default)]
    pub diagnoses: Vec<String>,
    /// Goals.
    #[serde(default)]
    pub goals: BTreeMap<GoalId, Goal>,
    /// Visits in which each code was given, this one counted.
    #[serde(default)]
    pub visits_by_code: BTreeMap<ServiceCode, u32>,
    /// When treatment began.
    #[serde(default)]
    pub started_on: Option<NaiveDate>,
    /// Weeks since then, where the start itself is not known.
    #[serde(default)]
    pub weeks: Option<u32>,
    /// Whether a therapist took part in the current progress period; `None` if not known.
    #[serde(default)]
    pub therapist_took_part: Option<bool>,
    /// Plain fields of the plan.
    #[serde(default)]
    pub fields: BTreeMap<String, String>,
    /// The episode's visits up to the note's date, this one counted, in order of date.
    #[serde(default)]
    pub visits: Vec<VisitFacts>,
    /// How much of the last signed note's text this note repeats.
    #[serde(default)]
    pub repeats: Option<Repeats>,
}

/// One visit of an episode, as far as the rules of its course ask.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VisitFacts {
    /// The note.
    pub document: DocumentId,
    /// Date of service, where one is agreed.
    #[serde(default)]
    pub date: Option<NaiveDate>,
    /// What kind of note it is; empty for a treatment note (see [`crate::visit::field::KIND`]).
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// Whether its author signed it.
    #[serde(default)]
    pub signed: bool,
    /// Who treated.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub performers: BTreeSet<PersonId>,
    /// What was measured: the value as written, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub measures: BTreeMap<String, String>,
    /// How each goal stood after it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub goal_status: BTreeMap<GoalId, String>,
    /// Whether a home program stands in it.
    #[serde(default)]
    pub home_program: bool,
}

/// A comparison of two notes' texts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repeats {
    /// The earlier note.
    pub document: DocumentId,
    /// How alike the texts are, in percent of their runs of three words.
    pub percent: u32,
    /// Words of this note's text.
    pub words: u32,
}

/// A provider's recent habits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderHistory {
    /// Minutes of the last timed segments, newest last, at most 50.
    #[serde(default)]
    pub recent_segment_minutes: Vec<u32>,
    /// Timed minutes of the last 30 days.
    #[serde(default)]
    pub timed_minutes_30_days: u32,
    /// Timed units of the last 30 days.
    #[serde(default)]
    pub timed_units_30_days: u32,
}

/// How a tablet's work on the note arrived.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Arrival {
    /// The tablet.
    pub device: DeviceId,
    /// How far its clock ran ahead of the server's (negative: behind), in milliseconds.
    pub clock_ahead_ms: i64,
    /// When its last change of this note was received, by the origin's clock.
    pub received_at: Timestamp,
}
