//! The rows of the rule files. Every row carries the day it starts to hold and where it comes from.

use chart::code::{Discipline, ServiceCode};
use chart::reference::Profession;
use chart::report::{Severity, UnitRule};
use chrono::NaiveDate;
use serde::Deserialize;

/// What a citation stands for.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The short name other rows use.
    pub key: String,
    /// The source in words.
    pub text: String,
    /// `read`, `copy` (a public copy was read), `knowledge` or `own`.
    pub read: String,
}

/// How a code's time counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// In units of the counting rule's block; these form the pool.
    Timed,
    /// In blocks of its own length; never in the pool.
    LongTimed,
    /// One unit whatever the time.
    Untimed,
    /// One unit; needs a description.
    Unlisted,
    /// By treated area.
    Area,
    /// Once an episode.
    PerEpisode,
    /// Once in 30 days.
    #[serde(rename = "per_30_days")]
    Per30Days,
    /// By minutes of a calendar month.
    CalendarMonth,
}

/// Whose presence a code needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Contact {
    /// One provider with one patient.
    OneOnOne,
    /// Nobody beside the patient.
    Supervised,
    /// Two or more patients at once, constant attendance.
    Group,
    /// With a caregiver.
    Caregiver,
    /// With a group of caregivers.
    CaregiverGroup,
    /// From afar.
    Remote,
}

/// Whether a code is always, sometimes or never a therapy service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Therapy {
    /// Always.
    Always,
    /// Under a therapy plan.
    Sometimes,
    /// Never, or by payer.
    Never,
}

/// What part a code plays in rules about kinds of services.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServiceRole {
    /// First evaluation.
    Evaluation,
    /// Re-evaluation.
    Reevaluation,
    /// Spinal or extraspinal adjustment.
    Manipulation,
}

/// Medically unlikely edit.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mue {
    /// Units a day.
    pub units: u32,
    /// 1 line edit, 2 absolute day limit, 3 day limit that documents can overcome.
    pub indicator: u8,
    /// The table's quarter.
    pub edition: String,
}

/// Relative values, in hundredths.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fee {
    /// Payment status letter.
    pub status: String,
    /// Multiple-procedure indicator; 5 is the therapy reduction.
    pub reduction: u8,
    /// Work.
    pub work: u32,
    /// Practice expense, non-facility.
    pub practice: u32,
    /// Malpractice.
    pub malpractice: u32,
    /// The file's quarter.
    pub edition: String,
}

/// A service code.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Code {
    /// Five letters and digits.
    pub number: ServiceCode,
    /// Our own short label.
    pub label: String,
    /// First day this rulebook vouches for it.
    pub from: NaiveDate,
    /// How its time counts.
    pub basis: Basis,
    /// Length of its block in minutes.
    #[serde(default)]
    pub base_minutes: Option<u32>,
    /// Whose presence it needs.
    pub contact: Contact,
    /// Whether it is a therapy service.
    pub therapy: Therapy,
    /// Plan modifiers it may carry.
    pub plan_modifiers: Vec<String>,
    /// Daily limit.
    #[serde(default)]
    pub mue: Option<Mue>,
    /// Relative values.
    #[serde(default)]
    pub fee: Option<Fee>,
    /// First-part codes it adds to.
    #[serde(default)]
    pub add_on_to: Vec<ServiceCode>,
    /// A first-part code: once a day.
    #[serde(default)]
    pub once_a_day: bool,
    /// Which content checks read its words.
    #[serde(default)]
    pub content_family: Option<String>,
    /// Its part in rules about kinds of services.
    #[serde(default)]
    pub role: Option<ServiceRole>,
    /// Fewest and most body regions it stands for.
    #[serde(default)]
    pub regions: Option<(u32, u32)>,
    /// Professions that usually furnish it; empty where nobody asks.
    #[serde(default)]
    pub professions: Vec<Profession>,
    /// The only discipline it belongs to.
    #[serde(default)]
    pub discipline: Option<Discipline>,
    /// The code to use where a payer does not take this one.
    #[serde(default)]
    pub swap: Option<ServiceCode>,
    /// Citation key.
    pub source: String,
}

/// Codes that ended.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retired {
    /// First code of the range.
    pub first: ServiceCode,
    /// Last code of the range.
    pub last: ServiceCode,
    /// First day.
    pub from: NaiveDate,
    /// Last day.
    pub ended: NaiveDate,
    /// What replaced it.
    #[serde(default)]
    pub successor: Option<ServiceCode>,
    /// Citation key.
    pub source: String,
}

/// How minutes become units.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnitRuleRow {
    /// Which rule.
    pub id: UnitRule,
    /// Its name in words.
    pub label: String,
    /// Whether the total or each service fixes the units.
    pub method: Method,
    /// Length of one unit.
    pub unit_minutes: u32,
    /// Minutes of a block from which it is a unit.
    pub unit_from: u32,
    /// First day.
    pub from: NaiveDate,
    /// Citation key.
    pub source: String,
}

impl UnitRuleRow {
    /// Whether the day's total fixes the units.
    pub fn by_total(&self) -> bool {
        self.method == Method::Total
    }
}

/// What fixes the number of units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// The day's total.
    Total,
    /// Each service alone.
    Each,
}

/// Two codes that are one service to the counter.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pooled {
    /// Carries the first unit.
    pub first: ServiceCode,
    /// Carries the rest.
    pub more: ServiceCode,
    /// First day.
    pub from: NaiveDate,
    /// Citation key.
    pub source: String,
}

/// The text of a finding.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FindingText {
    /// Catalogue id.
    pub id: String,
    /// The engine's check that raises it, where its name differs from the id.
    #[serde(default)]
    pub check: Option<String>,
    /// Catalogue group.
    pub group: String,
    /// How much it weighs.
    pub severity: Severity,
    /// How much it weighs where its check says the case is worse (or milder).
    #[serde(default)]
    pub otherwise: Option<Severity>,
    /// When it is raised, in one sentence, for the documentation.
    pub when: String,
    /// What is wrong; `{name}` stands for a value.
    pub message: String,
    /// What to do.
    pub remedy: String,
    /// First day.
    pub from: NaiveDate,
    /// Citation key.
    pub source: String,
}

impl FindingText {
    /// The engine's name of the check.
    pub fn check(&self) -> &str {
        self.check.as_deref().unwrap_or(&self.id)
    }
}

/// A list of words.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WordList {
    /// Its name.
    pub name: String,
    /// Its words.
    pub words: Vec<String>,
    /// First day.
    pub from: NaiveDate,
    /// Citation key.
    pub source: String,
}

/// A threshold a clinic may change.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setting {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: i64,
    /// First day.
    pub from: NaiveDate,
    /// Citation key.
    pub source: String,
}
