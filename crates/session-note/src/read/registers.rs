//! The versions of billing facts as the document holds them: JSON under `<fact>/<version id>`.
//!
//! Shared by reading and by editing, so that an edit replaces exactly the versions a reader shows.

use std::collections::{BTreeMap, BTreeSet};

use automerge::{ObjId, ROOT, ReadDoc, ScalarValue, Value};
use chart::Attribution;
use chart::ids::VersionId;
use chart::register::Version;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::schema::{FactName, root};

/// One version as stored.
#[derive(Clone, Debug)]
pub(crate) struct RawVersion {
    pub(crate) id: VersionId,
    pub(crate) content: VersionContent,
    pub(crate) written_by: ObjId,
}

/// The stored JSON of a version. Unknown members of `value` stay where they are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct VersionContent {
    pub(crate) value: serde_json::Value,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) replaces: BTreeSet<VersionId>,
}

impl RawVersion {
    /// The version with its value in the type the reader expects.
    pub(crate) fn typed<T: DeserializeOwned>(self, by: Attribution) -> Option<Version<T>> {
        Some(Version {
            id: self.id,
            value: serde_json::from_value(self.content.value).ok()?,
            by,
            reason: self.content.reason,
            replaces: self.content.replaces,
        })
    }
}

/// Every version of every fact. Two contents written concurrently under one id are two versions.
pub(crate) fn all<R: ReadDoc>(doc: &R, problems: &mut Vec<String>) -> BTreeMap<FactName, Vec<RawVersion>> {
    let mut facts: BTreeMap<FactName, Vec<RawVersion>> = BTreeMap::new();
    let Ok(Some((Value::Object(_), registers))) = doc.get(ROOT, root::REGISTERS) else {
        return facts;
    };
    for key in doc.keys(&registers).collect::<Vec<_>>() {
        let Some((name, id)) = FactName::split_key(&key) else {
            problems.push("registers: an entry is not named by a fact and a version id".to_owned());
            continue;
        };
        for (value, written_by) in doc.get_all(&registers, key.as_str()).unwrap_or_default() {
            let content = match &value {
                Value::Scalar(scalar) => match scalar.as_ref() {
                    ScalarValue::Str(text) => serde_json::from_str::<VersionContent>(text).ok(),
                    _ => None,
                },
                Value::Object(_) => None,
            };
            match content {
                Some(content) => {
                    facts.entry(name.clone()).or_default().push(RawVersion { id, content, written_by });
                }
                None => problems.push(format!("registers/{name}: a version cannot be read")),
            }
        }
    }
    facts
}

/// The versions of one fact that nobody replaced.
pub(crate) fn open(versions: &[RawVersion]) -> Vec<&RawVersion> {
    let replaced: BTreeSet<VersionId> =
        versions.iter().flat_map(|version| version.content.replaces.iter().copied()).collect();
    versions.iter().filter(|version| !replaced.contains(&version.id)).collect()
}
