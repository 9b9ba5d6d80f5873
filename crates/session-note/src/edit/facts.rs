//! Edits of billing facts: each adds a version that replaces exactly the open ones its author saw.

use std::collections::{BTreeMap, BTreeSet};

use automerge::ReadDoc;
use automerge::transaction::Transactable;
use chart::ids::{ActivityId, SegmentId, VersionId};
use chart::visit::SegmentValue;

use super::{CommandError, Editor, TEXT_BYTES_MAX, container};
use crate::command::{Command, Issued, SegmentPatch};
use crate::read::registers::{self, RawVersion, VersionContent};
use crate::schema::{FactName, fact, root};

impl Editor<'_, '_> {
    pub(super) fn apply_fact(&mut self, issued: &Issued) -> Result<(), CommandError> {
        match &issued.command {
            Command::StartSegment { activity, segment, code, start, mode, performer } => {
                let mut value = SegmentValue::of(code.clone());
                value.start = Some(*start);
                value.mode.clone_from(mode);
                value.performer = Some(performer.unwrap_or(self.author.person));
                self.new_segment(issued, *activity, *segment, &value)
            }
            Command::RecordSegment { activity, segment, value } => {
                let mut value = value.clone();
                value.performer = Some(value.performer.unwrap_or(self.author.person));
                self.new_segment(issued, *activity, *segment, &value)
            }
            Command::StopSegment { activity, segment, end, elapsed_ms } => {
                let name = FactName::Segment(*activity, *segment);
                let open = self.open_versions(&name)?;
                let mut value = agreed(&open)?;
                if !value.get("end").is_none_or(serde_json::Value::is_null) {
                    return Err(CommandError::NotRunning);
                }
                put(&mut value, "end", end)?;
                if let Some(elapsed) = elapsed_ms {
                    put(&mut value, "elapsed_ms", elapsed)?;
                }
                self.add_version(issued, 0, &name, value, None, ids(&open))
            }
            Command::CorrectSegment { activity, segment, set, reason } => {
                if reason.trim().is_empty() {
                    return Err(CommandError::ReasonMissing);
                }
                let name = FactName::Segment(*activity, *segment);
                let open = self.open_versions(&name)?;
                let mut value = agreed(&open)?;
                patch(&mut value, set)?;
                self.add_version(issued, 0, &name, value, Some(reason), ids(&open))
            }
            Command::SetFact { fact, value, reason } => {
                self.set_fact(issued, 0, fact, value, reason.as_deref())
            }
            Command::Resolve { fact, choose, reason } => self.resolve(issued, fact, *choose, reason),
            other => Err(CommandError::WrongKind(other.name())),
        }
    }

    pub(super) fn put_facts(
        &mut self,
        issued: &Issued,
        facts: &BTreeMap<String, serde_json::Value>,
    ) -> Result<(), CommandError> {
        for (n, (name, value)) in (0..).zip(facts) {
            self.set_fact(issued, n, name, value, None)?;
        }
        Ok(())
    }

    fn set_fact(
        &mut self,
        issued: &Issued,
        n: u32,
        name: &str,
        value: &serde_json::Value,
        reason: Option<&str>,
    ) -> Result<(), CommandError> {
        if !fact::ALL.contains(&name) {
            return Err(CommandError::NotFound("billing fact"));
        }
        if !fits(name, value) {
            return Err(CommandError::WrongValue(name.to_owned()));
        }
        let name = FactName::Note(name.to_owned());
        let open = match self.open_versions(&name) {
            Ok(open) => open,
            Err(CommandError::NotFound(_)) => Vec::new(),
            Err(error) => return Err(error),
        };
        self.add_version(issued, n, &name, value.clone(), reason, ids(&open))
    }

    fn resolve(
        &mut self,
        issued: &Issued,
        name: &str,
        choose: VersionId,
        reason: &str,
    ) -> Result<(), CommandError> {
        if reason.trim().is_empty() {
            return Err(CommandError::ReasonMissing);
        }
        let name = FactName::parse(name).ok_or(CommandError::NotFound("billing fact"))?;
        let open = self.open_versions(&name)?;
        if open.len() < 2 {
            return Err(CommandError::NoDispute);
        }
        let chosen = open.iter().find(|version| version.id == choose);
        let value = chosen.ok_or(CommandError::NotFound("open version"))?.content.value.clone();
        self.add_version(issued, 0, &name, value, Some(reason), ids(&open))
    }

    fn new_segment(
        &mut self,
        issued: &Issued,
        activity: Option<ActivityId>,
        segment: Option<SegmentId>,
        value: &SegmentValue,
    ) -> Result<(), CommandError> {
        let activity = issued.activity_id(activity);
        let name = FactName::Segment(activity, issued.segment_id(segment));
        if self.open_versions(&name).is_ok() {
            return Err(CommandError::AlreadyThere("segment"));
        }
        self.ensure_activity(activity)?;
        let value = serde_json::to_value(value).map_err(|_| CommandError::WrongValue(name.to_string()))?;
        self.add_version(issued, 0, &name, value, None, BTreeSet::new())
    }

    /// The open versions of a fact; an error if there is none.
    fn open_versions(&self, name: &FactName) -> Result<Vec<RawVersion>, CommandError> {
        let mut facts = registers::all(self.tx, &mut Vec::new());
        let versions = facts.remove(name).ok_or(CommandError::NotFound("billing fact"))?;
        Ok(registers::open(&versions).into_iter().cloned().collect())
    }

    fn add_version(
        &mut self,
        issued: &Issued,
        n: u32,
        name: &FactName,
        value: serde_json::Value,
        reason: Option<&str>,
        replaces: BTreeSet<VersionId>,
    ) -> Result<(), CommandError> {
        let content = VersionContent { value, reason: reason.map(str::to_owned), replaces };
        let text = serde_json::to_string(&content).map_err(|_| CommandError::WrongValue(name.to_string()))?;
        if text.len() > TEXT_BYTES_MAX {
            return Err(CommandError::TooLong { what: "a value", limit: TEXT_BYTES_MAX });
        }
        let registers = container(self.tx, root::REGISTERS)?;
        let key = name.version_key(issued.version_id(n));
        if self.tx.get(&registers, key.as_str())?.is_some() {
            return Err(CommandError::AlreadyThere("version"));
        }
        Ok(self.tx.put(&registers, key, text)?)
    }
}

fn ids(versions: &[RawVersion]) -> BTreeSet<VersionId> {
    versions.iter().map(|version| version.id).collect()
}

/// The one value all open versions agree on, with members this version does not know left in.
fn agreed(open: &[RawVersion]) -> Result<serde_json::Value, CommandError> {
    let first = open.first().ok_or(CommandError::NotFound("billing fact"))?;
    if open.iter().any(|version| version.content.value != first.content.value) {
        return Err(CommandError::Disputed);
    }
    Ok(first.content.value.clone())
}

fn put<T: serde::Serialize>(value: &mut serde_json::Value, key: &str, part: T) -> Result<(), CommandError> {
    let part = serde_json::to_value(part).map_err(|_| CommandError::WrongValue(key.to_owned()))?;
    let members = value.as_object_mut().ok_or_else(|| CommandError::WrongValue(key.to_owned()))?;
    members.insert(key.to_owned(), part);
    Ok(())
}

fn patch(value: &mut serde_json::Value, set: &SegmentPatch) -> Result<(), CommandError> {
    let set = serde_json::to_value(set).map_err(|_| CommandError::WrongValue("segment".to_owned()))?;
    let members =
        set.as_object().filter(|members| !members.is_empty()).ok_or(CommandError::NothingChanged)?;
    for (key, part) in members {
        put(value, key, part)?;
    }
    Ok(())
}

/// Whether a value has the JSON form of its fact.
fn fits(name: &str, value: &serde_json::Value) -> bool {
    use chart::code::{PayerId, ServiceCode};
    let value = value.clone();
    match name {
        fact::PROVIDER => serde_json::from_value::<chart::ids::PersonId>(value).is_ok(),
        fact::DATE => serde_json::from_value::<chart::time::Date>(value).is_ok(),
        fact::PLACE => value.as_str().is_some_and(|text| text.len() == 2),
        fact::PAYER => serde_json::from_value::<PayerId>(value).is_ok(),
        fact::DIAGNOSES => serde_json::from_value::<Vec<String>>(value).is_ok(),
        fact::TIE_PICK => serde_json::from_value::<BTreeMap<ServiceCode, u32>>(value).is_ok(),
        fact::BILLED_UNITS => serde_json::from_value::<BTreeMap<ServiceCode, String>>(value).is_ok(),
        fact::TOTALS => serde_json::from_value::<chart::visit::TypedTotals>(value).is_ok(),
        _ => false,
    }
}
