//! What the clinic's offices hold of a patient beside the chart: coverage, yearly amounts, requests,
//! holds, who looked. Kept as reference data; never part of a note, never merged.
//!
//! Absent means unknown and raises nothing.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::code::{PayerId, ServiceCode};
use crate::ids::PersonId;

/// The file of one patient.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PatientFile {
    /// The member number with the usual payer; `None` if unknown, empty if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<String>,
    /// Whether this patient's plan wants an authorisation; `None` leaves it to the payer's terms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorization_required: Option<bool>,
    /// Authorisations on file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub authorizations: Vec<Authorization>,
    /// The plan's limit of visits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visit_limit: Option<VisitLimit>,
    /// Amounts allowed so far, by year and bucket, over all providers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed: Vec<AllowedAmount>,
    /// Days on which somebody asked for records or denied a claim.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub record_requests: BTreeSet<NaiveDate>,
    /// Nothing may be destroyed while this stands.
    #[serde(default, skip_serializing_if = "is_false")]
    pub legal_hold: bool,
    /// When somebody asked to destroy the record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion_asked_on: Option<NaiveDate>,
    /// Openings of the record that are to be looked at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accesses: Vec<Access>,
    /// Exports made of the record.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exports: Vec<Export>,
    /// Breaks found in the audit trail of the record, each in one sentence without patient words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub audit_breaks: Vec<String>,
}

/// A payer's consent to treatment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Authorization {
    /// Its number.
    pub number: String,
    /// The payer; `None` for the usual one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payer: Option<PayerId>,
    /// First day.
    pub from: NaiveDate,
    /// Last day.
    pub to: NaiveDate,
    /// The services; empty for all.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub codes: BTreeSet<ServiceCode>,
    /// Visits it covers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visits: Option<u32>,
    /// Visits used outside this episode of care.
    #[serde(default)]
    pub visits_elsewhere: u32,
    /// Units it covers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub units: Option<u32>,
    /// Units used before this visit.
    #[serde(default)]
    pub units_used: u32,
}

/// How many visits a plan pays in a year.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VisitLimit {
    /// The calendar year.
    pub year: i32,
    /// Most visits.
    pub most: u32,
    /// Visits used outside this episode of care.
    #[serde(default)]
    pub elsewhere: u32,
}

/// What a payer allowed in a year before this visit, deductible and coinsurance included.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AllowedAmount {
    /// The calendar year.
    pub year: i32,
    /// The bucket, as the rulebook names it.
    pub bucket: String,
    /// The amount in cents.
    pub cents: u64,
}

/// Somebody opened the record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Access {
    /// Who.
    pub person: PersonId,
    /// When.
    pub on: NaiveDate,
    /// Whether a reason was given.
    #[serde(default)]
    pub reasoned: bool,
}

/// Somebody took a part of the record out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Export {
    /// When.
    pub on: NaiveDate,
    /// The parts that were asked for.
    pub asked: BTreeSet<String>,
    /// The parts it holds.
    pub holds: BTreeSet<String>,
}

/// A patient, as far as rules ask.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PatientFacts {
    /// Date of birth.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub born_on: Option<NaiveDate>,
    /// Who treats the patient.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub care_team: BTreeSet<PersonId>,
    /// The file.
    #[serde(default)]
    pub file: PatientFile,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}
