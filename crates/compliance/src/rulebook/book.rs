//! All rule data once it is checked, and how it is asked. Reads no text.

use std::collections::BTreeMap;

use chart::code::{Discipline, ServiceCode};
use chart::report::{RulebookName, UnitRule};
use chrono::NaiveDate;

use super::claim_rows::{
    AssistantModifier, AssistantSplit, Bucket, Conversion, Deadline, Edition, ModifierOrder, ModifierSet,
    PlanModifier, YearAmounts,
};
use super::editions::{LimitTable, PairTable, choose};
use super::payer_rows::{Payer, Policy};
use super::record_rows::RecordRows;
use super::rows::{Code, FindingText, Mue, Pooled, Retired, Setting, Source, UnitRuleRow, WordList};

/// Whether a code may be used on a date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeState<'a> {
    /// In the table and valid on the date.
    Known(&'a Code),
    /// Was valid once, ended before the date.
    Retired(&'a Retired),
    /// Not in the table, or not yet valid on the date.
    Unknown,
}

/// All rule data, checked.
#[derive(Clone, Debug)]
pub struct Rulebook {
    pub(super) edition: String,
    pub(super) edition_from: NaiveDate,
    pub(super) fingerprint: String,
    pub(crate) sources: BTreeMap<String, Source>,
    pub(crate) codes: BTreeMap<ServiceCode, Code>,
    pub(crate) retired: Vec<Retired>,
    pub(crate) unit_rules: BTreeMap<UnitRule, UnitRuleRow>,
    pub(crate) pooled: Vec<Pooled>,
    pub(crate) payers: BTreeMap<String, Payer>,
    pub(crate) payer_names: BTreeMap<String, String>,
    pub(crate) policies: Vec<Policy>,
    pub(crate) findings: BTreeMap<String, FindingText>,
    pub(crate) lists: BTreeMap<String, WordList>,
    pub(crate) settings: BTreeMap<String, Setting>,
    pub(crate) buckets: Vec<Bucket>,
    pub(crate) years: BTreeMap<i32, YearAmounts>,
    pub(crate) conversions: Vec<Conversion>,
    pub(crate) assistant_modifiers: Vec<AssistantModifier>,
    pub(crate) modifier_sets: BTreeMap<String, ModifierSet>,
    pub(crate) plan_modifiers: Vec<PlanModifier>,
    pub(crate) assistant_splits: Vec<AssistantSplit>,
    pub(crate) records: RecordRows,
    pub(crate) deadlines: Vec<Deadline>,
    pub(crate) modifier_orders: Vec<ModifierOrder>,
    pub(crate) pairs: Vec<PairTable>,
    pub(crate) limits: Vec<LimitTable>,
}

impl Rulebook {
    /// The edition, such as `2024q3`.
    pub fn edition(&self) -> &str {
        &self.edition
    }

    /// The first day of the edition.
    pub fn edition_from(&self) -> NaiveDate {
        self.edition_from
    }

    /// BLAKE3 over the names and texts of all files, hexadecimal.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Edition and fingerprint together, as reports carry them.
    pub fn name(&self) -> RulebookName {
        RulebookName { edition: self.edition.clone(), fingerprint: self.fingerprint.clone() }
    }

    /// The row of a code, whatever the date.
    pub fn code(&self, code: &ServiceCode) -> Option<&Code> {
        self.codes.get(code)
    }

    /// Whether a code may be used on a date.
    pub fn code_on(&self, code: &ServiceCode, date: NaiveDate) -> CodeState<'_> {
        if let Some(known) = self.codes.get(code).filter(|row| row.from <= date) {
            return CodeState::Known(known);
        }
        let retired = self.retired.iter().find(|row| {
            (row.first.as_str()..=row.last.as_str()).contains(&code.as_str()) && row.from <= date
        });
        match retired {
            Some(row) => CodeState::Retired(row),
            None => CodeState::Unknown,
        }
    }

    /// The profile of a payer by its id or one of its aliases.
    pub fn payer(&self, id: &str) -> Option<&Payer> {
        self.payer_names.get(id).and_then(|name| self.payers.get(name))
    }

    /// Every payer profile by id.
    pub fn payers(&self) -> impl Iterator<Item = &Payer> {
        self.payers.values()
    }

    /// Every finding's text by catalogue id.
    pub fn findings(&self) -> impl Iterator<Item = &FindingText> {
        self.findings.values()
    }

    /// What a source key stands for, in words.
    pub fn source(&self, key: &str) -> &str {
        self.sources.get(key).map_or("", |source| source.text.as_str())
    }

    /// A counting rule in words: its name, its source, its first day.
    pub fn unit_rule_words(&self, rule: UnitRule) -> Option<(&str, &str, NaiveDate)> {
        self.unit_rules.get(&rule).map(|row| (row.label.as_str(), self.source(&row.source), row.from))
    }

    /// The words of a list; empty if there is no such list (loading checks that there is).
    pub(crate) fn words(&self, list: &str) -> &[String] {
        self.lists.get(list).map_or(&[], |list| &list.words)
    }

    /// The modifiers of a set; empty if there is no such set (loading checks that there is).
    pub(crate) fn modifiers(&self, set: &str) -> &[String] {
        self.modifier_sets.get(set).map_or(&[], |set| &set.modifiers)
    }

    /// The modifier of a discipline's plan.
    pub(crate) fn plan_modifier(&self, discipline: &Discipline) -> Option<&str> {
        self.plan_modifiers.iter().find(|row| row.discipline == *discipline).map(|row| row.modifier.as_str())
    }

    /// The table of pairs of a setting that holds on a date.
    pub(crate) fn pair_table(&self, setting: &str, date: Option<NaiveDate>) -> Option<&PairTable> {
        choose(self.pairs.iter(), |table| &table.edition, setting, date)
    }

    /// The edition of daily limits of a setting that holds on a date.
    pub(crate) fn limit_edition(&self, setting: &str, date: Option<NaiveDate>) -> Option<&Edition> {
        choose(self.limits.iter(), |table| &table.edition, setting, date).map(|table| &table.edition)
    }

    /// The daily limit of a code in a setting on a date. An edition without rows of its own, and a setting
    /// without editions, take the code table's.
    pub(crate) fn limit(&self, code: &ServiceCode, setting: &str, date: Option<NaiveDate>) -> Option<&Mue> {
        let table = choose(self.limits.iter(), |table| &table.edition, setting, date);
        match table.filter(|table| !table.rows.is_empty()) {
            Some(table) => table.rows.get(code),
            None => self.codes.get(code).and_then(|row| row.mue.as_ref()),
        }
    }

    /// How units are shared out with an assistant on a date.
    pub(crate) fn assistant_split(&self, date: NaiveDate) -> Option<&AssistantSplit> {
        self.assistant_splits.iter().filter(|row| row.from <= date).max_by_key(|row| row.from)
    }

    /// A deadline by its name, as it holds on a date.
    pub(crate) fn deadline(&self, name: &str, date: NaiveDate) -> Option<&Deadline> {
        let named = self.deadlines.iter().filter(|row| row.name == name && row.from <= date);
        named.max_by_key(|row| row.from)
    }

    /// The place of a modifier on a line; those no set names come last.
    pub(crate) fn modifier_rank(&self, modifier: &str) -> usize {
        let sets = self.modifier_orders.last().map_or(&[][..], |order| &order.sets);
        let holds = |set: &String| self.modifiers(set).iter().any(|one| one == modifier);
        sets.iter().position(holds).unwrap_or(sets.len())
    }

    /// Ten-thousandths of a dollar for one relative value unit on a date; by default that of the edition's
    /// first day.
    pub(crate) fn conversion(&self, date: Option<NaiveDate>) -> Option<&Conversion> {
        let date = date.unwrap_or(self.edition_from);
        self.conversions.iter().filter(|row| row.from <= date).max_by_key(|row| row.from)
    }

    /// A threshold: the clinic's own value if it set one that reads as a number, else the rulebook's.
    pub(crate) fn setting(&self, clinic: &BTreeMap<String, String>, name: &str) -> i64 {
        let own = clinic.get(name).and_then(|text| text.trim().parse().ok());
        own.or_else(|| self.settings.get(name).map(|setting| setting.value)).unwrap_or(i64::MAX)
    }
}
