//! The rows of claims: yearly amounts, modifiers, tables of pairs.

use chart::code::{Discipline, ServiceCode};
use chrono::NaiveDate;
use serde::Deserialize;

/// Disciplines that share a yearly amount.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bucket {
    /// Its name.
    pub name: String,
    /// The disciplines.
    pub disciplines: Vec<Discipline>,
    /// First day.
    pub from: NaiveDate,
    /// Citation key.
    pub source: String,
}

/// Amounts of a year.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct YearAmounts {
    /// The year.
    pub year: i32,
    /// Above it a line needs the attestation.
    pub threshold_cents: u64,
    /// Above it claims may be reviewed.
    pub review_cents: u64,
    /// First day.
    pub from: NaiveDate,
    /// Citation key.
    pub source: String,
}

/// Dollars for one relative value unit, in ten-thousandths.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conversion {
    /// The factor.
    pub factor: u64,
    /// First day.
    pub from: NaiveDate,
    /// Citation key.
    pub source: String,
}

/// How units are shared out between a therapist and an assistant.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AssistantSplit {
    /// Length of one unit in minutes.
    pub unit_minutes: u32,
    /// Minutes of the last unit from which the therapist's own part makes it the therapist's; absent in
    /// the years in which no such rule held.
    #[serde(default)]
    pub midpoint: Option<u32>,
    /// The share in percent up to which an assistant's part does not matter.
    pub small_share_percent: u32,
    /// Percent the payer pays of its own share for an assistant's units; absent where it pays them whole.
    #[serde(default)]
    pub payment_percent: Option<u32>,
    /// The payer's own share of an allowed amount, in percent.
    #[serde(default)]
    pub payer_share_percent: Option<u32>,
    /// First day.
    pub from: NaiveDate,
    /// Citation key.
    pub source: String,
}

impl AssistantSplit {
    /// What is left of an allowed amount in cents after the payer has cut its own share.
    pub(crate) fn after_reduction(&self, cents: u64) -> u64 {
        let (Some(paid), Some(share)) = (self.payment_percent, self.payer_share_percent) else {
            return cents;
        };
        let cut = u64::from(100u32.saturating_sub(paid)) * u64::from(share.min(100));
        (cents.saturating_mul(10_000u64.saturating_sub(cut)) + 5_000) / 10_000
    }
}

/// So many days after which something must have been done.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deadline {
    /// Its name.
    pub name: String,
    /// The days.
    pub days: u32,
    /// First day.
    pub from: NaiveDate,
    /// Citation key.
    pub source: String,
}

/// The order of modifiers on a line, as modifier sets.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModifierOrder {
    /// The sets, first to last.
    pub sets: Vec<String>,
    /// First day.
    pub from: NaiveDate,
    /// Citation key.
    pub source: String,
}

/// The modifier of an assistant's units.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AssistantModifier {
    /// The modifier.
    pub modifier: String,
    /// The plan modifier it goes with.
    pub with: String,
    /// The plan it belongs to.
    pub discipline: Discipline,
    /// First day.
    pub from: NaiveDate,
    /// Citation key.
    pub source: String,
}

/// Modifiers that say one thing.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModifierSet {
    /// What they say.
    pub name: String,
    /// The modifiers.
    pub modifiers: Vec<String>,
    /// First day.
    pub from: NaiveDate,
    /// Citation key.
    pub source: String,
}

/// The modifier of a discipline's plan.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanModifier {
    /// The discipline.
    pub discipline: Discipline,
    /// The modifier.
    pub modifier: String,
    /// First day.
    pub from: NaiveDate,
    /// Citation key.
    pub source: String,
}

/// The quarter a table of pairs is vouched for.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edition {
    /// `practitioner` or `hospital`.
    pub setting: String,
    /// Its name.
    pub name: String,
    /// First day.
    pub from: NaiveDate,
    /// Last day.
    pub until: NaiveDate,
    /// Citation key.
    pub source: String,
}

impl Edition {
    /// Whether the table is vouched for on a date.
    pub fn covers(&self, date: NaiveDate) -> bool {
        (self.from..=self.until).contains(&date)
    }
}

/// A daily limit of units, of one code in one edition of the official table.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// The code.
    pub code: ServiceCode,
    /// Units a day.
    pub units: u32,
    /// 1 line edit, 2 absolute day limit, 3 day limit that documents can overcome.
    pub indicator: u8,
    /// First day.
    pub from: NaiveDate,
    /// Citation key.
    pub source: String,
}

/// What one code bundles.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pair {
    /// The code that is paid.
    pub first: ServiceCode,
    /// First day.
    pub from: NaiveDate,
    /// Last day, where the edit has ended.
    #[serde(default)]
    pub until: Option<NaiveDate>,
    /// Codes it bundles unless a modifier says distinct.
    pub modifier: Vec<ServiceCode>,
    /// Codes it bundles always.
    pub never: Vec<ServiceCode>,
    /// Citation key.
    pub source: String,
}
