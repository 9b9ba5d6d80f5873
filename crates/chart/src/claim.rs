//! A claim as the billing office made or sent it: what findings on claims are asked of.
//!
//! Plain values. What was not handed over is `None` and raises nothing; nothing here builds a claim.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::code::ServiceCode;
use crate::ids::PersonId;

/// The last claim made for a note.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimFacts {
    /// The day it was sent, or made where it was not sent yet.
    pub sent_on: NaiveDate,
    /// Units by code.
    pub units: BTreeMap<ServiceCode, u32>,
    /// Made, and not sent yet.
    #[serde(default, skip_serializing_if = "is_false")]
    pub draft: bool,
    /// Its lines, where they are known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<ClaimLine>,
    /// The total it states, in cents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_cents: Option<u64>,
    /// How many diagnoses it names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diagnoses: Option<u32>,
    /// 1 original, 7 replacement, 8 void.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frequency: Option<u8>,
    /// The payer's number of the claim it replaces or voids.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub original_reference: Option<String>,
    /// Whether it goes out on paper.
    #[serde(default, skip_serializing_if = "is_false")]
    pub paper: bool,
    /// Lines already sent for other notes of the patient's day.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sent_beside: Vec<ClaimLine>,
    /// What stands in its header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<ClaimHeader>,
}

/// What a claim says beside its lines. Absent members are missing on the claim.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimHeader {
    /// The payer's identifier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payer: Option<String>,
    /// The patient's member number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<String>,
    /// Place of service, two digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// The certifying or referring professional's ten digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub referring: Option<String>,
    /// The first day of this course of treatment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_treatment: Option<NaiveDate>,
}

/// One line of a claim.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimLine {
    /// The service.
    pub code: ServiceCode,
    /// Units.
    pub units: u32,
    /// Modifiers in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub modifiers: Vec<String>,
    /// Charge in cents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub charge_cents: Option<u64>,
    /// Diagnoses it points to, counted from 1.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub pointers: BTreeSet<u32>,
    /// Who rendered it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<PersonId>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}
