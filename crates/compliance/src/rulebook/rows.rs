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

/// A switch of a payer profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Flag {
    /// Applies procedure-to-procedure edits.
    Ncci,
    /// Applies daily limits.
    Mue,
    /// Reduces further units' practice expense.
    Mppr,
    /// Wants the assistant modifiers.
    AssistantModifiers,
    /// Wants the plan modifiers.
    DisciplineModifiers,
    /// Has the yearly threshold.
    Kx,
    /// Wants start and end times.
    RequiresStartEnd,
    /// Wants timed and treatment totals in the note.
    RequiresTotalMinutes,
    /// Wants minutes for each code.
    RequiresMinutesPerCode,
    /// Wants progress reports by treatment days.
    ProgressReports,
    /// Wants a certified plan.
    Certification,
    /// Students' time counts only under a present professional.
    StudentsNeedPresence,
    /// Local contractors publish policies.
    ContractorPolicies,
    /// Wants the plan modifier from chiropractors too.
    DisciplineModifierFromChiropractors,
    /// No claim is sent.
    NoClaim,
}

/// A profession whose services a payer does not take.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExcludedProfession {
    /// The profession.
    pub profession: Profession,
    /// The codes it does take.
    pub except: Vec<ServiceCode>,
    /// The modifier that says so on the claim.
    pub modifier: String,
}

/// Codes a payer does not pay.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NotPayable {
    /// The codes.
    pub codes: Vec<ServiceCode>,
    /// What to use instead.
    #[serde(default)]
    pub swap: Option<ServiceCode>,
}

/// The modifier that marks active treatment.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActiveTreatment {
    /// The codes it belongs on.
    pub codes: Vec<ServiceCode>,
    /// The modifier.
    pub modifier: String,
}

/// A payer profile.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Payer {
    /// Its id.
    pub id: String,
    /// Other names it is known by.
    pub aliases: Vec<String>,
    /// In words.
    pub label: String,
    /// Its counting rule; none is assumed where it is absent.
    #[serde(default)]
    pub unit_rule: Option<UnitRule>,
    /// Its switches.
    pub flags: Vec<Flag>,
    /// Professions it does not take.
    #[serde(default)]
    pub excluded_professions: Vec<ExcludedProfession>,
    /// Codes it does not pay.
    #[serde(default)]
    pub not_payable: Vec<NotPayable>,
    /// Its active-treatment modifier.
    #[serde(default)]
    pub active_treatment_modifier: Option<ActiveTreatment>,
    /// Most timed units or procedures of a day.
    #[serde(default)]
    pub day_cap: Option<u32>,
    /// Most patients in a group.
    #[serde(default)]
    pub group_max: Option<u32>,
    /// Average payment for one unit, an estimate.
    #[serde(default)]
    pub rate_cents: Option<u32>,
    /// When its sources were last read.
    pub reviewed: NaiveDate,
    /// First day.
    pub from: NaiveDate,
    /// Citation key.
    pub source: String,
}

impl Payer {
    /// Whether a switch is on.
    pub fn has(&self, flag: Flag) -> bool {
        self.flags.contains(&flag)
    }
}

/// What kind of policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PolicyKind {
    /// Which patients it is for.
    Indication,
    /// How long it usually lasts.
    Duration,
    /// The payer calls it experimental.
    Experimental,
}

/// What a payer says about a family of services.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// The payer's id.
    pub payer: String,
    /// The family of services.
    pub family: String,
    /// What kind.
    pub kind: PolicyKind,
    /// Which finding it raises.
    pub check: String,
    /// Word list of accepted causes.
    #[serde(default)]
    pub causes: Option<String>,
    /// List of diagnosis prefixes of accepted causes.
    #[serde(default)]
    pub cause_codes: Option<String>,
    /// Word list of accepted impairments.
    #[serde(default)]
    pub impairments: Option<String>,
    /// Visits from which it is worth knowing.
    #[serde(default)]
    pub visits_usual: Option<u32>,
    /// Most usual visits.
    #[serde(default)]
    pub visits_max: Option<u32>,
    /// Weeks from which it is worth knowing.
    #[serde(default)]
    pub weeks_usual: Option<u32>,
    /// Most usual weeks.
    #[serde(default)]
    pub weeks_max: Option<u32>,
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

/// What one code bundles.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pair {
    /// The code that is paid.
    pub first: ServiceCode,
    /// First day.
    pub from: NaiveDate,
    /// Codes it bundles unless a modifier says distinct.
    pub modifier: Vec<ServiceCode>,
    /// Codes it bundles always.
    pub never: Vec<ServiceCode>,
    /// Citation key.
    pub source: String,
}
