//! Reading the rule files: strict, and every complaint is one sentence naming the file.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use serde::Deserialize;

use super::book::Rulebook;
use super::claim_rows::{
    AssistantModifier, AssistantSplit, Bucket, Conversion, Deadline, Edition, Limit, ModifierOrder,
    ModifierSet, Pair, PlanModifier, YearAmounts,
};
use super::editions::{LimitTable, PairTable};
use super::payer_rows::{Payer, Policy};
use super::record_rows::{RecordFile, RecordRows};
use super::rows::{Code, FindingText, Pooled, Retired, Setting, Source, UnitRuleRow, WordList};

/// Why rule data was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}{}: {sentence}", line.map_or(String::new(), |line| format!(", line {line}")))]
pub struct RulebookError {
    /// The file at fault.
    pub file: String,
    /// The line, from 1, where one is known.
    pub line: Option<usize>,
    /// What is wrong, in one sentence.
    pub sentence: String,
}

/// Any rule file: each holds some of these tables.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    overrides: bool,
    name: Option<String>,
    from: Option<NaiveDate>,
    #[serde(rename = "source")]
    source_or_sources: Option<SourceField>,
    code: Vec<Code>,
    retired: Vec<Retired>,
    rule: Vec<UnitRuleRow>,
    pooled: Vec<Pooled>,
    payer: Vec<Payer>,
    policy: Vec<Policy>,
    finding: Vec<FindingText>,
    list: Vec<WordList>,
    setting: Vec<Setting>,
    bucket: Vec<Bucket>,
    year: Vec<YearAmounts>,
    conversion: Vec<Conversion>,
    assistant_modifier: Vec<AssistantModifier>,
    modifier_set: Vec<ModifierSet>,
    plan_modifier: Vec<PlanModifier>,
    assistant_split: Vec<AssistantSplit>,
    deadline: Vec<Deadline>,
    modifier_order: Vec<ModifierOrder>,
    edition: Vec<Edition>,
    pair: Vec<Pair>,
    limit_edition: Vec<Edition>,
    limit: Vec<Limit>,
    records: RecordFile,
}

/// `source = "key"` in the edition file, `[[source]]` in the file of sources.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum SourceField {
    Key(String),
    Table(Vec<Source>),
}

/// Names of the modifier sets the checks read.
const MODIFIER_SETS_READ: &[&str] = &[
    "distinct",
    "distinct-exact",
    "plan",
    "attestation",
    "notice-voluntary",
    "notice-excluded",
    "notice-signed",
    "notice-none",
];

struct Loader {
    book: Rulebook,
    cited: Vec<(String, String)>,
    file: String,
    /// The text of the file, to find a row's line.
    text: String,
    /// Whether the file's rows take the place of earlier ones.
    overriding: bool,
}

pub(super) fn load(files: &[(&str, &str)]) -> Result<Rulebook, RulebookError> {
    let mut loader = Loader {
        book: empty(),
        cited: Vec::new(),
        file: String::new(),
        text: String::new(),
        overriding: false,
    };
    let mut hasher = blake3::Hasher::new();
    let mut sorted = files.to_vec();
    sorted.sort();
    let mut parsed: Vec<(&str, &str, File)> = Vec::new();
    for (name, text) in sorted {
        for part in [name, text] {
            hasher.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
            hasher.update(part.as_bytes());
        }
        parsed.push((name, text, parse(name, text)?));
    }
    // What overrides comes last; otherwise the order of the names.
    parsed.sort_by_key(|(.., file)| file.overrides);
    for (name, text, file) in parsed {
        name.clone_into(&mut loader.file);
        text.clone_into(&mut loader.text);
        loader.overriding = file.overrides;
        loader.take(file)?;
    }
    loader.book.fingerprint = hasher.finalize().to_hex().to_string();
    loader.check(files)?;
    Ok(loader.book)
}

fn parse(name: &str, text: &str) -> Result<File, RulebookError> {
    toml::from_str(text).map_err(|error| RulebookError {
        file: name.to_owned(),
        line: error
            .span()
            .and_then(|span| text.get(..span.start))
            .map(|before| before.matches('\n').count() + 1),
        sentence: error.message().replace('\n', " "),
    })
}

/// The last line of a text that holds a quoted word.
fn line_of(text: &str, word: &str) -> Option<usize> {
    let quoted = format!("\"{word}\"");
    text.lines().enumerate().filter(|(_, line)| line.contains(&quoted)).last().map(|(index, _)| index + 1)
}

fn empty() -> Rulebook {
    Rulebook {
        edition: String::new(),
        edition_from: NaiveDate::MIN,
        fingerprint: String::new(),
        sources: BTreeMap::new(),
        codes: BTreeMap::new(),
        retired: Vec::new(),
        unit_rules: BTreeMap::new(),
        pooled: Vec::new(),
        payers: BTreeMap::new(),
        payer_names: BTreeMap::new(),
        policies: Vec::new(),
        findings: BTreeMap::new(),
        lists: BTreeMap::new(),
        settings: BTreeMap::new(),
        buckets: Vec::new(),
        years: BTreeMap::new(),
        conversions: Vec::new(),
        assistant_modifiers: Vec::new(),
        modifier_sets: BTreeMap::new(),
        plan_modifiers: Vec::new(),
        assistant_splits: Vec::new(),
        deadlines: Vec::new(),
        modifier_orders: Vec::new(),
        pairs: Vec::new(),
        limits: Vec::new(),
        records: RecordRows::default(),
    }
}

impl Loader {
    fn wrong(&self, sentence: impl Into<String>) -> RulebookError {
        let sentence: String = sentence.into();
        RulebookError { file: self.file.clone(), line: None, sentence: sentence.replace('\n', " ") }
    }

    /// Wrong in the row that names a word.
    fn wrong_at(&self, word: &str, sentence: String) -> RulebookError {
        RulebookError { file: self.file.clone(), line: line_of(&self.text, word), sentence }
    }

    /// Whether a row that is there already is a mistake.
    fn twice(&self, word: &str, there: bool, what: &str) -> Result<(), RulebookError> {
        if there && !self.overriding {
            return Err(self.wrong_at(word, format!("the {what} `{word}` stands twice")));
        }
        Ok(())
    }

    fn cite(&mut self, source: &str) {
        self.cited.push((self.file.clone(), source.to_owned()));
    }

    fn take(&mut self, file: File) -> Result<(), RulebookError> {
        match file.source_or_sources {
            Some(SourceField::Table(sources)) => {
                for row in sources {
                    let key = row.key.clone();
                    let there = self.book.sources.insert(key.clone(), row).is_some();
                    self.twice(&key, there, "source")?;
                }
            }
            Some(SourceField::Key(key)) => self.cite(&key),
            None => {}
        }
        if let Some(name) = file.name {
            let Some(from) = file.from else { return Err(self.wrong("the edition has no start date")) };
            self.book.edition = name;
            self.book.edition_from = from;
        }
        for source in self.book.records.take(file.records) {
            self.cite(&source);
        }
        self.take_codes(file.code, file.retired, file.rule, file.pooled)?;
        self.take_payers(file.payer, file.policy)?;
        self.take_texts(file.finding, file.list, file.setting)?;
        for row in &file.bucket {
            self.cite(&row.source);
        }
        self.book.buckets.extend(file.bucket);
        for row in file.year {
            self.cite(&row.source);
            self.book.years.insert(row.year, row);
        }
        for row in &file.conversion {
            self.cite(&row.source);
        }
        self.book.conversions.extend(file.conversion);
        for row in &file.assistant_modifier {
            self.cite(&row.source);
        }
        self.book.assistant_modifiers.extend(file.assistant_modifier);
        for row in file.modifier_set {
            self.cite(&row.source);
            self.book.modifier_sets.insert(row.name.clone(), row);
        }
        for row in &file.plan_modifier {
            self.cite(&row.source);
        }
        self.book.plan_modifiers.extend(file.plan_modifier);
        for row in &file.assistant_split {
            self.cite(&row.source);
            if row.unit_minutes == 0 || row.small_share_percent > 100 {
                return Err(self
                    .wrong("an assistant's share must be of a unit longer than nothing, up to 100 percent"));
            }
        }
        self.book.assistant_splits.extend(file.assistant_split);
        for row in &file.deadline {
            self.cite(&row.source);
        }
        self.book.deadlines.extend(file.deadline);
        for row in &file.modifier_order {
            self.cite(&row.source);
        }
        self.book.modifier_orders.extend(file.modifier_order);
        self.take_pairs(file.edition, file.pair)?;
        self.take_limits(file.limit_edition, file.limit)
    }

    fn take_codes(
        &mut self,
        codes: Vec<Code>,
        retired: Vec<Retired>,
        rules: Vec<UnitRuleRow>,
        pooled: Vec<Pooled>,
    ) -> Result<(), RulebookError> {
        for row in codes {
            self.cite(&row.source);
            let number = row.number.clone();
            let there = self.book.codes.insert(number.clone(), row).is_some();
            self.twice(number.as_str(), there, "code")?;
        }
        for row in &retired {
            self.cite(&row.source);
        }
        self.book.retired.extend(retired);
        for row in rules {
            self.cite(&row.source);
            if row.unit_minutes == 0 || row.unit_from == 0 || row.unit_from > row.unit_minutes {
                return Err(self.wrong(format!(
                    "`{}`: a unit must begin between 1 and its {} minutes",
                    row.label, row.unit_minutes
                )));
            }
            self.book.unit_rules.insert(row.id, row);
        }
        for row in &pooled {
            self.cite(&row.source);
        }
        self.book.pooled.extend(pooled);
        Ok(())
    }

    fn take_payers(&mut self, payers: Vec<Payer>, policies: Vec<Policy>) -> Result<(), RulebookError> {
        for row in payers {
            self.cite(&row.source);
            if self.overriding {
                self.book.payer_names.retain(|_, id| *id != row.id);
            }
            for name in std::iter::once(&row.id).chain(&row.aliases) {
                if let Some(other) = self.book.payer_names.insert(name.clone(), row.id.clone()) {
                    let sentence = format!("the payer name `{name}` stands twice: `{other}` has it too");
                    return Err(self.wrong_at(name, sentence));
                }
            }
            self.book.payers.insert(row.id.clone(), row);
        }
        for row in &policies {
            self.cite(&row.source);
            if self.overriding {
                let same =
                    |old: &Policy| (&old.payer, &old.family, old.kind) == (&row.payer, &row.family, row.kind);
                self.book.policies.retain(|old| !same(old));
            }
        }
        self.book.policies.extend(policies);
        Ok(())
    }

    fn take_texts(
        &mut self,
        findings: Vec<FindingText>,
        lists: Vec<WordList>,
        settings: Vec<Setting>,
    ) -> Result<(), RulebookError> {
        for row in findings {
            self.cite(&row.source);
            let check = row.check().to_owned();
            let there = self.book.findings.insert(check.clone(), row).is_some();
            self.twice(&check, there, "finding of the check")?;
        }
        for row in lists {
            self.cite(&row.source);
            self.book.lists.insert(row.name.clone(), row);
        }
        for row in settings {
            self.cite(&row.source);
            self.book.settings.insert(row.name.clone(), row);
        }
        Ok(())
    }

    fn take_pairs(&mut self, editions: Vec<Edition>, pairs: Vec<Pair>) -> Result<(), RulebookError> {
        let edition = self.one_edition(&editions, !pairs.is_empty(), "pairs")?;
        let Some(edition) = edition else { return Ok(()) };
        if self.overriding {
            self.book.pairs.retain(|old| !same_edition(&old.edition, &edition));
        }
        if self.book.pairs.iter().any(|old| same_edition(&old.edition, &edition)) {
            return Err(self.wrong(format!("the {} pairs of {} stand twice", edition.setting, edition.name)));
        }
        let mut rows: BTreeMap<_, Vec<Pair>> = BTreeMap::new();
        for row in pairs {
            self.cite(&row.source);
            rows.entry(row.first.clone()).or_default().push(row);
        }
        self.book.pairs.push(PairTable { edition, rows });
        Ok(())
    }

    fn take_limits(&mut self, editions: Vec<Edition>, limits: Vec<Limit>) -> Result<(), RulebookError> {
        let Some(edition) = self.one_edition(&editions, !limits.is_empty(), "limits")? else { return Ok(()) };
        if self.overriding {
            self.book.limits.retain(|old| !same_edition(&old.edition, &edition));
        }
        if self.book.limits.iter().any(|old| same_edition(&old.edition, &edition)) {
            return Err(self.wrong(format!("the {} limits of {} stand twice", edition.setting, edition.name)));
        }
        for row in &limits {
            self.cite(&row.source);
        }
        self.book.limits.push(LimitTable::of(edition, limits));
        Ok(())
    }

    /// The one edition of a file, if it has rows of a table.
    fn one_edition(
        &mut self,
        editions: &[Edition],
        has_rows: bool,
        what: &str,
    ) -> Result<Option<Edition>, RulebookError> {
        for row in editions {
            self.cite(&row.source);
            if row.until < row.from {
                return Err(self.wrong(format!("the edition {} ends before it begins", row.name)));
            }
        }
        match editions {
            [] if has_rows => Err(self.wrong(format!("the {what} name no edition and setting"))),
            [] => Ok(None),
            [one] => Ok(Some(one.clone())),
            _ => Err(self.wrong(format!("a file holds the {what} of one edition only"))),
        }
    }

    /// What no single row can show: that everything named exists.
    fn check(&mut self, files: &[(&str, &str)]) -> Result<(), RulebookError> {
        if let Some((file, key)) =
            self.cited.iter().find(|(_, key)| !self.book.sources.contains_key(key.as_str()))
        {
            let text = files.iter().find(|(name, _)| name == file).map_or("", |(_, text)| text);
            return Err(RulebookError {
                file: file.clone(),
                line: line_of(text, key),
                sentence: format!("the citation `{key}` is in no list of sources"),
            });
        }
        let whole =
            |sentence: String| RulebookError { file: "the rulebook".to_owned(), line: None, sentence };
        if self.book.edition.is_empty() {
            return Err(whole("the edition has no name".to_owned()));
        }
        let ids: BTreeSet<&str> = self.book.findings.values().map(|row| row.id.as_str()).collect();
        if ids.len() != self.book.findings.len() {
            return Err(whole("a finding's id stands twice".to_owned()));
        }
        for check in crate::checks::pushed() {
            if !self.book.findings.contains_key(check) {
                return Err(whole(format!("the check `{check}` has no finding text")));
            }
        }
        for list in crate::words::LISTS_READ {
            if !self.book.lists.contains_key(*list) {
                return Err(whole(format!("the word list `{list}` is missing")));
            }
        }
        for setting in crate::checks::SETTINGS_READ {
            if !self.book.settings.contains_key(*setting) {
                return Err(whole(format!("the setting `{setting}` is missing")));
            }
        }
        if let Some(payer) = self.book.records.terms.keys().find(|id| !self.book.payers.contains_key(*id)) {
            return Err(whole(format!("terms are given for the unknown payer `{payer}`")));
        }
        let ordered = self.book.modifier_orders.iter().flat_map(|order| &order.sets).map(String::as_str);
        for set in MODIFIER_SETS_READ.iter().copied().chain(ordered) {
            if !self.book.modifier_sets.contains_key(set) {
                return Err(whole(format!("the modifier set `{set}` is missing")));
            }
        }
        self.check_policies().map_err(whole)
    }

    fn check_policies(&self) -> Result<(), String> {
        for policy in &self.book.policies {
            if !self.book.payers.contains_key(&policy.payer) {
                return Err(format!("a policy names the unknown payer `{}`", policy.payer));
            }
            if !self.book.findings.contains_key(&policy.check) {
                return Err(format!("a policy names the unknown finding `{}`", policy.check));
            }
            for list in [&policy.causes, &policy.cause_codes, &policy.impairments].into_iter().flatten() {
                if !self.book.lists.contains_key(list) {
                    return Err(format!("a policy names the unknown word list `{list}`"));
                }
            }
        }
        for pooled in &self.book.pooled {
            if !self.book.codes.contains_key(&pooled.first) || !self.book.codes.contains_key(&pooled.more) {
                return Err(format!("a pooled service names an unknown code beside {}", pooled.first));
            }
        }
        Ok(())
    }
}

fn same_edition(one: &Edition, other: &Edition) -> bool {
    (&one.setting, &one.name) == (&other.setting, &other.name)
}
