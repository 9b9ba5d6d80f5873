//! The rows of rules about the record itself: levels of evaluations, monitoring, payers' terms,
//! measures, diagnoses.

use std::collections::BTreeMap;

use chart::code::ServiceCode;
use chrono::NaiveDate;
use serde::Deserialize;

/// What the level of an evaluation must show at least.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvaluationLevel {
    /// The code of the level.
    pub code: ServiceCode,
    /// Personal factors and comorbidities that bear on the plan.
    pub factors: u32,
    /// Structures, functions, activities or deficits examined.
    pub elements: u32,
    /// Clinical presentation, a word of the list `presentations`; absent where the level does not ask.
    #[serde(default)]
    pub presentation: Option<String>,
    /// Complexity of decisions, a word of the list `decisions`.
    pub decisions: String,
    /// First day.
    pub from: NaiveDate,
    /// Citation key.
    pub source: String,
}

/// What remote monitoring must reach before it is billed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Monitoring {
    /// The codes.
    pub codes: Vec<ServiceCode>,
    /// Fewest days of readings.
    #[serde(default)]
    pub days_from: Option<u32>,
    /// Most days of readings.
    #[serde(default)]
    pub days_to: Option<u32>,
    /// Fewest minutes in the month.
    #[serde(default)]
    pub minutes_from: Option<u32>,
    /// Whether a live contact in the month is needed.
    #[serde(default)]
    pub live_contact: bool,
    /// First day.
    pub from: NaiveDate,
    /// Citation key.
    pub source: String,
}

/// What a payer's contract or law says beside its policies on services.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PayerTerms {
    /// The payer's id.
    pub payer: String,
    /// Treatment needs an authorisation, unless the patient's file says otherwise.
    #[serde(default)]
    pub authorization: bool,
    /// Days after the date of service in which a claim must be sent.
    #[serde(default)]
    pub filing_days: Option<u32>,
    /// Days after which it is asked for.
    #[serde(default)]
    pub filing_remind_days: Option<u32>,
    /// Days in which improvement must be expected.
    #[serde(default)]
    pub improvement_days: Option<u32>,
    /// The claim names the certifying professional.
    #[serde(default)]
    pub referring: bool,
    /// Years a record is kept from the date of service.
    #[serde(default)]
    pub retention_years: Option<u32>,
    /// First day.
    pub from: NaiveDate,
    /// Citation key.
    pub source: String,
}

/// The smallest change of a measure that is more than its error.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SmallestChange {
    /// Words that name the measure.
    pub names: Vec<String>,
    /// The change, in hundredths of the measure's own unit.
    pub hundredths: u32,
    /// First day.
    pub from: NaiveDate,
    /// Citation key.
    pub source: String,
}

/// What is worth knowing of a diagnosis code.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Diagnosis {
    /// The code.
    pub code: String,
    /// Last day it was valid as it stands.
    #[serde(default)]
    pub ended: Option<NaiveDate>,
    /// Whether it leaves the side or the site open although codes that name it exist.
    #[serde(default)]
    pub open: bool,
    /// Codes to look at instead.
    pub instead: String,
    /// First day.
    pub from: NaiveDate,
    /// Citation key.
    pub source: String,
}

/// All of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct RecordRows {
    pub(crate) levels: BTreeMap<ServiceCode, EvaluationLevel>,
    pub(crate) monitoring: Vec<Monitoring>,
    pub(crate) terms: BTreeMap<String, PayerTerms>,
    pub(crate) changes: Vec<SmallestChange>,
    pub(crate) diagnoses: BTreeMap<String, Diagnosis>,
}

/// As they stand in a rule file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RecordFile {
    level: Vec<EvaluationLevel>,
    monitoring: Vec<Monitoring>,
    terms: Vec<PayerTerms>,
    smallest_change: Vec<SmallestChange>,
    diagnosis: Vec<Diagnosis>,
}

impl RecordRows {
    /// Takes the rows of a file and answers the sources they cite.
    pub(super) fn take(&mut self, file: RecordFile) -> Vec<String> {
        let mut cited = Vec::new();
        for row in file.level {
            cited.push(row.source.clone());
            self.levels.insert(row.code.clone(), row);
        }
        for row in file.terms {
            cited.push(row.source.clone());
            self.terms.insert(row.payer.clone(), row);
        }
        for row in file.diagnosis {
            cited.push(row.source.clone());
            self.diagnoses.insert(plain_code(&row.code), row);
        }
        cited.extend(file.monitoring.iter().map(|row| row.source.clone()));
        cited.extend(file.smallest_change.iter().map(|row| row.source.clone()));
        self.monitoring.extend(file.monitoring);
        self.changes.extend(file.smallest_change);
        cited
    }
}

/// A diagnosis code without its dot, in capitals.
pub(crate) fn plain_code(code: &str) -> String {
    code.chars().filter(|c| *c != '.' && !c.is_whitespace()).collect::<String>().to_ascii_uppercase()
}
