//! A visit: the note of one session, as plain values read from its document.
//!
//! Billing facts are [`Register`]s; everything else is the shown value. Nothing is ever absent because
//! it was deleted: what was recorded by mistake says so.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::attribution::Attribution;
use crate::code::{Discipline, Mode, PayerId, ServiceCode};
use crate::ids::{
    ActivityId, ChangeHash, ClinicId, Digest, DocumentId, EntryId, GoalId, PatientId, PersonId, SegmentId,
};
use crate::register::Register;
use crate::time::{ClockTime, Minutes};

/// The note of one session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Visit {
    /// The visit's id: its appointment's, or random for a walk-in.
    pub id: DocumentId,
    /// The version of the document's layout.
    #[serde(default)]
    pub schema: u32,
    /// Whose visit it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patient: Option<PatientId>,
    /// The episode of care it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub episode: Option<DocumentId>,
    /// The clinic it took place in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clinic: Option<ClinicId>,
    /// The plan of care it is given under.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub discipline: Option<Discipline>,
    /// The treating provider (billing fact).
    #[serde(default)]
    pub provider: Register<PersonId>,
    /// The clinic-local date of service (billing fact).
    #[serde(default)]
    pub date: Register<NaiveDate>,
    /// The place of service code, two digits (billing fact).
    #[serde(default)]
    pub place: Register<String>,
    /// Who pays (billing fact).
    #[serde(default)]
    pub payer: Register<PayerId>,
    /// Diagnosis codes in pointer order (billing fact).
    #[serde(default)]
    pub diagnoses: Register<Vec<String>>,
    /// Which of several acceptable allocations the clinician chose (billing fact).
    #[serde(default)]
    pub tie_pick: Register<BTreeMap<ServiceCode, u32>>,
    /// Units the clinician entered, as typed: evidence, never what is billed (billing fact).
    #[serde(default)]
    pub billed_units: Register<BTreeMap<ServiceCode, String>>,
    /// Totals the clinician entered (billing fact).
    #[serde(default)]
    pub totals: Register<TypedTotals>,
    /// When the patient came in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check_in: Option<ClockTime>,
    /// When the patient left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check_out: Option<ClockTime>,
    /// What was done.
    #[serde(default)]
    pub activities: BTreeMap<ActivityId, Activity>,
    /// Activities that are one and the same, started on two tablets: pairs, symmetric and transitive.
    #[serde(default)]
    pub same_activities: BTreeSet<(ActivityId, ActivityId)>,
    /// The four texts of the note and any other text field, by name.
    #[serde(default)]
    pub text: BTreeMap<String, String>,
    /// Plain fields of the note that no bill depends on, by name (see [`field`]).
    #[serde(default)]
    pub fields: BTreeMap<String, String>,
    /// Measurements.
    #[serde(default)]
    pub measures: BTreeMap<EntryId, Measure>,
    /// How each goal stands after this visit.
    #[serde(default)]
    pub goal_status: BTreeMap<GoalId, String>,
    /// Confirmations that a value is right although it was not changed.
    #[serde(default)]
    pub attestations: BTreeMap<EntryId, Attestation>,
    /// Comments.
    #[serde(default)]
    pub comments: BTreeMap<EntryId, Comment>,
    /// Signatures, all of them.
    #[serde(default)]
    pub signatures: BTreeMap<EntryId, Signature>,
    /// What was added after signing.
    #[serde(default)]
    pub amendments: BTreeMap<EntryId, Amendment>,
}

/// Names of the plain fields the engine reads from [`Visit::fields`].
pub mod field {
    /// Where the note stands: `scheduled`, `in_progress`, `ready_to_sign`, `needs_review`.
    pub const STATUS: &str = "status";
    /// The impairment treated.
    pub const IMPAIRMENT: &str = "necessity.impairment";
    /// The function it limits.
    pub const FUNCTION: &str = "necessity.function";
    /// Why skilled care is needed.
    pub const REASON: &str = "necessity.reason";
    /// The task the patient could do before and is retrained for.
    pub const LOST_TASK: &str = "necessity.lost_task";
    /// Examination findings, separated by semicolons.
    pub const EXAM_FINDINGS: &str = "exam.findings";
    /// How the patient responded to the visit as a whole.
    pub const RESPONSE: &str = "response";
    /// Education given.
    pub const EDUCATION: &str = "education";
    /// The home program.
    pub const HOME_PROGRAM: &str = "home_program";
    /// What kind of note it is: `evaluation`, `reevaluation`, `progress_report`, `discharge`; absent for a
    /// treatment note.
    pub const KIND: &str = "note.kind";
    /// Why a re-evaluation was needed.
    pub const REEVALUATION_REASON: &str = "reevaluation.reason";
    /// Personal factors and comorbidities that bear on the plan, as a number (evaluation).
    pub const EVALUATION_FACTORS: &str = "evaluation.factors";
    /// Body structures, functions and activities examined, as a number (evaluation).
    pub const EVALUATION_ELEMENTS: &str = "evaluation.elements";
    /// Clinical presentation: `stable`, `evolving`, `unstable` (evaluation).
    pub const EVALUATION_PRESENTATION: &str = "evaluation.presentation";
    /// Complexity of the decisions: `low`, `moderate`, `high` (evaluation).
    pub const EVALUATION_DECISIONS: &str = "evaluation.decisions";
    /// Days of readings in the period (remote monitoring).
    pub const MONITORING_DAYS: &str = "monitoring.days";
    /// Minutes of management in the month (remote monitoring).
    pub const MONITORING_MINUTES: &str = "monitoring.minutes";
    /// Whether there was a live contact in the month: `yes` (remote monitoring).
    pub const MONITORING_CONTACT: &str = "monitoring.live_contact";
    /// How the service reached the patient: absent or `in_person`, `video`, `audio`.
    pub const DELIVERY: &str = "delivery";
    /// Elements of a spinal examination that were found, out of `P`, `A`, `R`, `T`.
    pub const EXAM_PART: &str = "exam.part";
    /// Why services over the yearly threshold are necessary.
    pub const THRESHOLD_REASON: &str = "threshold.reason";
    /// Something that went wrong in the visit.
    pub const ADVERSE_EVENT: &str = "adverse.event";
    /// What was done about it.
    pub const ADVERSE_ACTION: &str = "adverse.action";
    /// Fields copied from an earlier note begin so: `carried.text/plan` says that the plan was copied.
    pub const CARRIED: &str = "carried.";
    /// Who or what typed for the author: a scribe's name, or the tool's.
    pub const SCRIBE: &str = "scribe";
    /// Says that the note was written late: `yes`.
    pub const LATE_ENTRY: &str = "late_entry";
    /// Modifiers of a code stand under this and the code, separated by spaces.
    pub const MODIFIERS: &str = "modifiers.";
}

/// Names of the text fields of a visit.
pub const TEXT_FIELDS: [&str; 4] = ["subjective", "objective", "assessment", "plan"];

/// Minute totals as a person typed them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TypedTotals {
    /// Total minutes of timed services.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timed: Option<Minutes>,
    /// Total treatment minutes, timed and untimed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub treatment: Option<Minutes>,
}

/// One thing done in a visit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Activity {
    /// Techniques, in the order they were chosen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub techniques: Vec<String>,
    /// Plain fields by name: see [`activity_field`].
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, String>,
    /// The goal it serves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub goal: Option<GoalId>,
    /// Its stretches of time (billing facts).
    #[serde(default)]
    pub segments: BTreeMap<SegmentId, Register<SegmentValue>>,
}

/// Names of the plain fields the engine reads from [`Activity::fields`].
pub mod activity_field {
    /// What was done, in words.
    pub const DESCRIPTION: &str = "description";
    /// The device used.
    pub const DEVICE: &str = "device";
    /// The body region treated.
    pub const REGION: &str = "region";
    /// Why it was done.
    pub const PURPOSE: &str = "purpose";
    /// The cues given.
    pub const CUEING: &str = "cueing";
    /// The assistance given.
    pub const ASSISTANCE: &str = "assistance";
    /// Sets, repetitions, surface, load or distance.
    pub const DOSE: &str = "dose";
    /// How the patient responded.
    pub const RESPONSE: &str = "response";
    /// The neuromuscular element trained.
    pub const ELEMENT: &str = "element";
}

/// The group of values of one stretch of time: agreed or disputed as a whole.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SegmentValue {
    /// The service.
    pub code: ServiceCode,
    /// When it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<ClockTime>,
    /// When it ended; none while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<ClockTime>,
    /// Minutes typed without times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub typed_minutes: Option<Minutes>,
    /// How the time was spent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// Who did it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub performer: Option<PersonId>,
    /// The licensed provider present and directing throughout, for a student's time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directed_by: Option<PersonId>,
    /// The supervising clinician, for an assistant's time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supervised_by: Option<PersonId>,
    /// The minutes this provider bills of a co-treatment, when two provide it together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub co_treatment_share: Option<Minutes>,
    /// Whether it counts, where a person said so against what its mode would mean.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counted: Option<bool>,
    /// Recorded by mistake: kept, never billed.
    #[serde(default, skip_serializing_if = "is_false")]
    pub entered_in_error: bool,
    /// Evidence, never billed: the seconds of the start and end that the minutes cut off, and the
    /// monotonic elapsed time, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elapsed_ms: Option<u64>,
}

impl SegmentValue {
    /// A segment of this code that nothing else is known of.
    pub const fn of(code: ServiceCode) -> Self {
        Self {
            code,
            start: None,
            end: None,
            typed_minutes: None,
            mode: None,
            performer: None,
            directed_by: None,
            supervised_by: None,
            co_treatment_share: None,
            counted: None,
            entered_in_error: false,
            elapsed_ms: None,
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

/// A measurement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measure {
    /// What was measured, in the clinic's words.
    pub name: String,
    /// The value with its unit, as written.
    pub value: String,
}

/// A person's word that a value is right as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attestation {
    /// Which fact, as a path.
    pub anchor: String,
    /// Who confirmed it.
    pub by: Attribution,
}

/// A comment anchored to a field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comment {
    /// The path it is anchored to.
    pub anchor: String,
    /// The text.
    pub text: String,
    /// Who wrote it.
    pub by: Attribution,
}

/// A signature over what its author saw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    /// Who signed, where, when.
    pub by: Attribution,
    /// What the signature means: `author`, `co_sign`.
    pub meaning: String,
    /// The signer's professional designation as printed.
    pub credentials: String,
    /// The heads the signer saw.
    pub heads: BTreeSet<ChangeHash>,
    /// SHA-256 of the canonical clinical content.
    pub content_digest: Digest,
    /// The canonical clinical content, byte for byte as signed.
    pub content: String,
    /// The digest of the report shown to the signer, if one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report_digest: Option<Digest>,
    /// The units shown to the signer, in words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub billing_view: String,
    /// How many disputes were open and shown when it was signed.
    #[serde(default)]
    pub open_disputes: u32,
}

/// What was added after a signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amendment {
    /// `addendum`, `late_entry` or `correction`.
    pub kind: String,
    /// The text.
    pub text: String,
    /// Why.
    pub reason: String,
    /// Who wrote it.
    pub by: Attribution,
}

impl Visit {
    /// A visit of which nothing is known yet.
    pub fn empty(id: DocumentId) -> Self {
        Self {
            id,
            schema: 0,
            patient: None,
            episode: None,
            clinic: None,
            discipline: None,
            provider: Register::default(),
            date: Register::default(),
            place: Register::default(),
            payer: Register::default(),
            diagnoses: Register::default(),
            tie_pick: Register::default(),
            billed_units: Register::default(),
            totals: Register::default(),
            check_in: None,
            check_out: None,
            activities: BTreeMap::new(),
            same_activities: BTreeSet::new(),
            text: BTreeMap::new(),
            fields: BTreeMap::new(),
            measures: BTreeMap::new(),
            goal_status: BTreeMap::new(),
            attestations: BTreeMap::new(),
            comments: BTreeMap::new(),
            signatures: BTreeMap::new(),
            amendments: BTreeMap::new(),
        }
    }
}
