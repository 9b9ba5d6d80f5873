//! What the compliance engine answers: units with their reasons, findings with their rules, and
//! whether the day may go on the bill.
//!
//! A report is derived: it can be thrown away and computed again to the same bytes. It says what it
//! read, so that two replicas with the same inputs can be held to the same answer.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::billing::BillingView;
use crate::code::{Discipline, PayerId, ServiceCode};
use crate::facts::{Input, Standing};
use crate::ids::{DocumentId, PatientId, SegmentId, VersionId};

/// The version of the report's own layout.
pub const REPORT_FORMAT: u32 = 1;

/// Units and findings of one note.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Layout version: [`REPORT_FORMAT`].
    pub format: u32,
    /// The note.
    pub document: DocumentId,
    /// The date the question was asked for.
    pub as_of: NaiveDate,
    /// Whether the whole day was known.
    pub standing: Standing,
    /// The rulebook, by name and edition.
    pub rulebook: RulebookName,
    /// What was read.
    pub inputs: Vec<Input>,
    /// Units of the patient-day, one pool for each discipline and payer rule of the note.
    pub pools: Vec<Pool>,
    /// Findings, worst first.
    pub findings: Vec<Finding>,
    /// Whether it may go on the bill, and if not, why.
    pub bill: BillState,
    /// The claim lines of the note's pool.
    #[serde(default, skip_serializing_if = "BillingView::is_empty")]
    pub billing: BillingView,
}

/// Which rules were used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RulebookName {
    /// Edition, such as `2024q3`.
    pub edition: String,
    /// BLAKE3 of all rule data, hexadecimal.
    pub fingerprint: String,
}

/// The minutes that are counted together: one patient, one date, one discipline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pool {
    /// The patient, if known.
    pub patient: Option<PatientId>,
    /// The date, if agreed.
    pub date: Option<NaiveDate>,
    /// The plan of care.
    pub discipline: Option<Discipline>,
    /// Who pays, if agreed.
    pub payer: Option<PayerId>,
    /// The notes counted together.
    pub documents: BTreeSet<DocumentId>,
    /// What came of it.
    pub outcome: PoolOutcome,
}

/// The units of a pool, or why there are none to bill.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum PoolOutcome {
    /// The units.
    Counted(Counted),
    /// People disagree: nothing of this pool is billed until somebody chooses.
    Disputed {
        /// What the units would be under each combination of choices.
        alternatives: Vec<PoolAlternative>,
        /// Fewest and most units over all combinations; a bound where there are too many to list.
        total_units_min: u32,
        /// See `total_units_min`.
        total_units_max: u32,
        /// Whether the list of alternatives is complete.
        complete: bool,
    },
    /// Held for another reason: a running segment, unknown times.
    Held {
        /// Why, in one sentence.
        reason: String,
        /// The units of what is known so far, for the screen only.
        so_far: Counted,
    },
}

/// The units of a pool under one combination of choices.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolAlternative {
    /// The combination in plain words, such as `97112 ends 09:20`.
    pub label: String,
    /// The versions chosen.
    pub versions: BTreeSet<VersionId>,
    /// The units it gives.
    pub counted: Counted,
}

/// How minutes become units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnitRule {
    /// The day's total fixes the number of units.
    #[serde(rename = "cms_8_minute")]
    Cms8Minute,
    /// Each code alone, a unit from its midpoint on.
    CptMidpoint,
    /// Whole fifteen minutes only.
    #[serde(rename = "full_15")]
    Full15,
}

/// Units of a pool.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// The counting rule; `None` if the payer's is not set, and then the units are CMS's, not billable.
    pub rule: Option<UnitRule>,
    /// Counted minutes by code.
    pub minutes: BTreeMap<ServiceCode, u32>,
    /// Sum of the timed codes' minutes.
    pub timed_minutes: u32,
    /// Timed and untimed units together.
    pub total_units: u32,
    /// Units by code, zeros included.
    pub per_code: BTreeMap<ServiceCode, u32>,
    /// Every allocation the rule accepts; `per_code` is one of them.
    pub acceptable: Vec<BTreeMap<ServiceCode, u32>>,
    /// How `per_code` was chosen.
    pub choice: Choice,
    /// The reasoning in plain words, step by step.
    pub trace: Vec<String>,
}

/// How one of several acceptable allocations was chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    /// There is only one.
    #[default]
    Only,
    /// The clinician recorded it.
    Recorded,
    /// Nobody chose: the code with more minutes, then the lower code.
    Default,
}

/// How much a finding weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Stops the bill.
    Blocker,
    /// An auditor would ask.
    Warning,
    /// Good to know.
    Advice,
}

/// Whether a finding holds whatever people choose.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Certainty {
    /// In every alternative.
    InAll,
    /// Only if these are chosen: labels of the alternatives in plain words.
    If(Vec<String>),
}

/// One finding, with everything needed to argue with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The catalogue id, such as `time-overlap-two-patients`.
    pub id: String,
    /// How much it weighs here.
    pub severity: Severity,
    /// Whether it depends on an open choice.
    pub certainty: Certainty,
    /// What is wrong, in one sentence.
    pub message: String,
    /// What to do.
    pub remedy: String,
    /// The source of the rule.
    pub source: String,
    /// The values it used, by name.
    pub values: BTreeMap<String, String>,
    /// The segments it is about.
    #[serde(default)]
    pub segments: BTreeSet<SegmentId>,
    /// Other notes it is about, never by a patient's name.
    #[serde(default)]
    pub documents: BTreeSet<DocumentId>,
}

/// Whether the note may be billed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum BillState {
    /// Nothing stands against it.
    Ready,
    /// Something does.
    Held {
        /// Each reason in one sentence.
        reasons: Vec<String>,
    },
}

/// A report as the server publishes it: with the facts only a server knows, by value, so that a tablet
/// that holds the same notes can compute the same bytes itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    /// The report.
    pub report: Report,
    /// What only the server knew.
    pub confirmed: Confirmed,
}

/// Facts of a report that only a server knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirmed {
    /// The date the question was asked for.
    pub as_of: NaiveDate,
    /// Whether the whole day was known.
    pub standing: Standing,
    /// The other notes of the patient-day.
    pub patient_day: BTreeSet<DocumentId>,
    /// The other notes of the provider-day.
    pub provider_day: BTreeSet<DocumentId>,
    /// How the note's edits arrived.
    #[serde(default)]
    pub arrivals: Vec<crate::facts::Arrival>,
    /// The last claim.
    #[serde(default)]
    pub claim: Option<crate::facts::ClaimFacts>,
    /// What the offices hold of the patient: a tablet may hold a note without following its patient.
    #[serde(default)]
    pub patient: Option<crate::patient_file::PatientFacts>,
    /// The provider's habits.
    #[serde(default)]
    pub provider_history: Option<crate::facts::ProviderHistory>,
    /// The clinics that treat the patient as well, or this one, that have not said yet that their charting of
    /// the day is complete: until they have, the report is provisional.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub unheard: BTreeSet<crate::ids::ClinicId>,
}
