//! From a data directory to an opened hub: keys, rules, record, in this order. Used by `init` and `serve`.

use std::path::Path;

use compliance::{Rulebook, RulebookError};
use hub::{Hub, HubConfig, HubError};
use store::{StoreError, StoreReader, Vault};

use crate::datadir::{DataDir, DataError, Keys};
use crate::faults::{Faults, KillPoint};
use crate::record::Record;

/// Why a clinic's directory does not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory or its keys.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The rules.
    #[error(transparent)]
    Rules(#[from] RulebookError),
    /// A directory of rules that cannot be read.
    #[error("the rule files in {0} cannot be read: {1}")]
    RuleFiles(String, String),
    /// The record.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The keys are not the record's.
    #[error("keys.toml is not this record's: {0}; put the right one back, nothing was changed")]
    OtherKeys(String),
    /// The hub over the record.
    #[error(transparent)]
    Hub(#[from] HubError),
}

/// An opened clinic.
pub struct Opened {
    /// The hub.
    pub hub: Hub,
    /// The record underneath.
    pub record: Record,
    /// What opening the record had to do, in sentences.
    pub sentences: Vec<String>,
    /// The rulebook's edition.
    pub edition: String,
}

/// Opens the record and the hub with these keys.
pub fn open(
    data: &DataDir,
    keys: Keys,
    rulebook: Rulebook,
    documents_resident_max: usize,
    faults: &Faults,
) -> Result<Opened, OpenError> {
    let (record, sentences) = Record::open(&data.record(), faults)?;
    faults.pass(KillPoint::DuringStart);
    if let Err(error) = check_keys(&record, &keys) {
        let _ = record.close();
        return Err(error);
    }
    let edition = rulebook.edition().to_owned();
    let config = HubConfig {
        clinic: keys.clinic,
        clinic_key: keys.clinic_key,
        site_key: keys.site_key,
        rulebook,
        documents_resident_max,
    };
    match Hub::open(config, &record) {
        Ok(hub) => {
            faults.pass(KillPoint::DuringStart);
            Ok(Opened { hub, record, sentences, edition })
        }
        Err(error) => {
            let _ = record.close();
            Err(error.into())
        }
    }
}

/// Fails unless the record's first entry opens with these keys: a look-up under other keys would find an
/// empty record and begin another one in it.
fn check_keys(record: &Record, keys: &Keys) -> Result<(), OpenError> {
    let Some(first) = record.entry(1)? else { return Ok(()) };
    let opened = Vault::new(keys.clinic_key).open_head(&first.bytes);
    opened.map(drop).map_err(|error| OpenError::OtherKeys(error.to_string()))
}

/// The built-in rules, with files of a directory beside them or in the place of those of the same name.
pub fn rulebook(overrides: Option<&Path>) -> Result<Rulebook, OpenError> {
    let files = rule_files(overrides)?;
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    Ok(Rulebook::parse(&files)?)
}

/// The rule files behind [`rulebook`]: names and texts.
pub fn rule_files(overrides: Option<&Path>) -> Result<Vec<(String, String)>, OpenError> {
    let built_in =
        Rulebook::builtin_files().iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    let Some(dir) = overrides else { return Ok(built_in.collect()) };
    let unreadable = |reason: String| OpenError::RuleFiles(dir.display().to_string(), reason);
    let mut found: Vec<(String, String)> = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(|error| unreadable(error.to_string()))? {
        let path = entry.map_err(|error| unreadable(error.to_string()))?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.ends_with(".toml") {
            let text = std::fs::read_to_string(&path).map_err(|error| unreadable(error.to_string()))?;
            found.push((name.to_owned(), text));
        }
    }
    if found.is_empty() {
        return Err(unreadable("there is no .toml file".to_owned()));
    }
    let kept: Vec<(String, String)> =
        built_in.filter(|(name, _)| found.iter().all(|(new, _)| new != name)).collect();
    found.extend(kept);
    found.sort_unstable();
    Ok(found)
}
