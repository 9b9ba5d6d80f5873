//! An episode of care: why the patient is treated, toward what, under which plan, who pays.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::code::{Discipline, PayerId};
use crate::ids::{DocumentId, GoalId, PatientId};
use crate::register::Register;

/// An episode of care with its plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Episode {
    /// The episode's id.
    pub id: DocumentId,
    /// The version of the document's layout.
    #[serde(default)]
    pub schema: u32,
    /// The patient.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patient: Option<PatientId>,
    /// The discipline of the plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub discipline: Option<Discipline>,
    /// Diagnosis codes in order (billing fact).
    #[serde(default)]
    pub diagnoses: Register<Vec<String>>,
    /// Who pays (billing fact).
    #[serde(default)]
    pub payer: Register<PayerId>,
    /// Goals.
    #[serde(default)]
    pub goals: BTreeMap<GoalId, Goal>,
    /// Plain fields by name: type, amount, frequency and duration of the plan, authorisation.
    #[serde(default)]
    pub fields: BTreeMap<String, String>,
    /// When treatment began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_on: Option<NaiveDate>,
    /// Longer texts by name.
    #[serde(default)]
    pub text: BTreeMap<String, String>,
}

/// Names of the plain fields the engine reads from [`Episode::fields`]. Dates read as `2026-03-17`.
pub mod field {
    /// Services the plan names, separated by semicolons: codes or our labels.
    pub const SERVICES: &str = "poc.services";
    /// Visits a week, beginning with the number.
    pub const FREQUENCY: &str = "poc.frequency";
    /// How long the plan runs: a number of weeks, or of days if it says so.
    pub const DURATION: &str = "poc.duration";
    /// When the plan was established.
    pub const ESTABLISHED: &str = "poc.established";
    /// When the first treatment under it was.
    pub const FIRST_TREATMENT: &str = "poc.first_treatment";
    /// When the plan was certified.
    pub const SIGNED: &str = "poc.signed";
    /// When it was certified again.
    pub const RECERTIFIED: &str = "poc.recertified";
    /// When long-term goals were last changed significantly.
    pub const GOALS_CHANGED: &str = "poc.goals_changed";
    /// What the care is for: absent or `restore`, `maintenance`, `plateau`.
    pub const CARE_GOAL: &str = "care.goal";
    /// Why maintenance needs a therapist's skill.
    pub const MAINTENANCE_REASON: &str = "care.maintenance_reason";
    /// When the episode was closed.
    pub const CLOSED: &str = "episode.closed";
    /// When an order or referral was signed.
    pub const REFERRAL: &str = "referral.signed";
    /// The certifying or referring professional's ten digits.
    pub const REFERRING: &str = "referral.npi";
    /// When the patient signed a notice of non-coverage.
    pub const NOTICE_SIGNED: &str = "notice.signed";
    /// By when improvement is expected; `no` if none is.
    pub const IMPROVEMENT_BY: &str = "improvement.expected_by";
    /// The home program of the episode.
    pub const HOME_PROGRAM: &str = "home_program";
    /// When a progress report was last written, where this is not among the notes.
    pub const LAST_REPORT: &str = "progress.last_report";
}

/// A goal of the plan.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Goal {
    /// What the patient shall be able to do.
    #[serde(default)]
    pub task: String,
    /// Where it starts, with its unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<String>,
    /// What counts as met, with its unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// By when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<NaiveDate>,
    /// `active`, `met`, `dropped`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
}

impl Episode {
    /// An episode of which nothing is known yet.
    pub fn empty(id: DocumentId) -> Self {
        Self {
            id,
            schema: 0,
            patient: None,
            discipline: None,
            diagnoses: Register::default(),
            payer: Register::default(),
            goals: BTreeMap::new(),
            fields: BTreeMap::new(),
            started_on: None,
            text: BTreeMap::new(),
        }
    }
}
