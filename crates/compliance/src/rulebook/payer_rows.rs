//! The rows of payers: their switches, what they do not take, what their policies say.

use chart::code::ServiceCode;
use chart::reference::Profession;
use chart::report::UnitRule;
use chrono::NaiveDate;
use serde::Deserialize;

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
