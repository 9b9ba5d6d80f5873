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
