//! The fence around the computing of reports: a mark of the note whose report is being computed, and a list of
//! those a process died of, whose reports are tried in a child first. What the child does not survive, or does
//! not come to an end with, has its report withheld with a plain reason; the note itself stays readable. Nothing here decides about content.

use std::collections::BTreeMap;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use chart::facts::Facts;
use chart::ids::{Digest, DocumentId};
use chart::report::Report;
use compliance::Rulebook;
use hub::{Reckoner, withheld};

use super::JudgeConfig;
use super::apart;
use super::mark::Mark;
use super::planted::Planted;
use super::watch::{self, Turns};
use crate::limits;

/// The list's first line.
const FORMAT: &str = "gaitway reckoned apart 1";

/// Computes reports, marked.
pub(crate) struct Reckoning {
    mark: Mark,
    list: Option<PathBuf>,
    /// Notes that processes died of, with how often.
    suspects: BTreeMap<DocumentId, u32>,
    /// What children said of facts, so that reading a report again tries nothing.
    tried: BTreeMap<Digest, Result<(), String>>,
    /// How often a child took long over a note and failed, since this process began: the driver waits for each.
    slow: BTreeMap<DocumentId, u32>,
    turns: Arc<Turns>,
    rules: Option<PathBuf>,
    planted: Planted,
}

impl Reckoning {
    /// Reads what a dead process left.
    pub(crate) fn open(config: &JudgeConfig) -> std::io::Result<Self> {
        let list = config.reckoning.as_ref().map(|path| path.with_extension("apart"));
        let mut suspects = list.as_deref().map(read).unwrap_or_default();
        let (mut mark, died) = match &config.reckoning {
            Some(path) => Mark::open(path)?,
            None => (Mark::none(), None),
        };
        if let Some(died) = died {
            let document = died.document;
            tracing::error!(%document, "the server died while it computed the report of this note");
            // Who is forgotten costs one more restart.
            bounded(&mut suspects, document, died.times);
            write(list.as_deref(), &suspects)?;
            mark.clear();
        }
        let (rules, planted) = (config.rules.clone(), config.planted.clone());
        let turns = watch::start(limits::RECKONING_LOOK, limits::RECKONING_LOOKS, || {
            tracing::error!("a report does not end: the server ends itself and must be started again");
            std::process::abort();
        })?;
        let (tried, slow) = Default::default();
        Ok(Self { mark, list, suspects, tried, slow, turns, rules, planted })
    }

    /// Whether these facts may bring a process down, after a child has tried them; `Err` says how.
    fn try_apart(&mut self, facts: &Facts) -> Result<(), String> {
        let bytes = serde_json::to_vec(facts).map_err(|error| error.to_string())?;
        let digest = Digest::from_bytes(*blake3::hash(&bytes).as_bytes());
        if let Some(said) = self.tried.get(&digest) {
            return said.clone();
        }
        let document = facts.note.slice.document;
        let slow = self.slow.get(&document).copied().unwrap_or(0);
        if slow >= limits::RECKONED_SLOW_MAX {
            return Err("did not come to an end again and again".to_owned());
        }
        let began = Instant::now();
        let said = apart::survives_reckoning(facts, self.rules.as_deref());
        if said.is_err() && began.elapsed() >= limits::APART_TIME / 2 {
            bounded(&mut self.slow, document, slow.saturating_add(1));
        }
        let survived = said.is_ok();
        tracing::warn!(%document, survived, "the report was tried in a process apart");
        bounded(&mut self.tried, digest, said.clone());
        said
    }

    /// A process has survived the note.
    fn acquit(&mut self, document: DocumentId) {
        if self.suspects.remove(&document).is_some()
            && let Err(error) = write(self.list.as_deref(), &self.suspects)
        {
            tracing::warn!(reason = %error, "the notes whose reports are tried apart could not be listed");
        }
    }

    fn is_suspect(&self, facts: &Facts) -> bool {
        let fellows = facts.patient_day.iter().chain(&facts.provider_day).map(|slice| slice.document);
        let mut named = fellows.chain([facts.note.slice.document]);
        named.any(|document| self.suspects.contains_key(&document))
    }
}

impl Reckoner for Reckoning {
    fn reckon(&mut self, facts: &Facts, rulebook: &Rulebook) -> Report {
        let document = facts.note.slice.document;
        let times = self.suspects.get(&document).copied().unwrap_or(0);
        if times >= limits::DEATHS_MAX || (self.is_suspect(facts) && self.try_apart(facts).is_err()) {
            // The same words whatever the end was, so that equal facts give an equal report.
            let reason = "computing this report stopped the clinic's server; it is withheld and the note is \
                          not to be billed until whoever looks after the server has seen to it";
            return withheld(facts, rulebook, reason);
        }
        self.mark.set(document, times.saturating_add(1));
        self.turns.next();
        let computed = catch_unwind(AssertUnwindSafe(|| {
            self.planted.strike_reckoning(facts);
            compliance::recompute(facts, rulebook)
        }));
        self.turns.next();
        self.mark.clear();
        self.acquit(document);
        computed.unwrap_or_else(|_| {
            tracing::error!(%document, "computing the report of this note failed");
            let reason = "computing this report failed; it is withheld and the note is not to be billed until \
                          whoever looks after the server has seen to it";
            withheld(facts, rulebook, reason)
        })
    }
}

fn bounded<K: Ord, V>(map: &mut BTreeMap<K, V>, key: K, value: V) {
    if map.len() >= limits::RECKONED_APART_MAX {
        map.pop_first();
    }
    map.insert(key, value);
}

fn read(path: &Path) -> BTreeMap<DocumentId, u32> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let lines = text.strip_prefix(FORMAT).unwrap_or_default().lines();
    let suspect = |line: &str| {
        let (document, times) = line.split_once(' ')?;
        Some((document.parse().ok()?, times.parse().ok()?))
    };
    lines.filter_map(suspect).collect()
}

/// Without a sync: losing the list costs one more restart.
fn write(path: Option<&Path>, suspects: &BTreeMap<DocumentId, u32>) -> std::io::Result<()> {
    let Some(path) = path else { return Ok(()) };
    let new = path.with_extension("apart-new");
    let mut file = std::fs::File::create(&new)?;
    writeln!(file, "{FORMAT}")?;
    for (document, times) in suspects {
        writeln!(file, "{document} {times}")?;
    }
    drop(file);
    std::fs::rename(new, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_process_died_of_is_listed_over_every_start_until_it_is_survived() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("reckoning");
        let config = JudgeConfig { reckoning: Some(path.clone()), ..JudgeConfig::default() };
        let (one, other) = (DocumentId::from_bytes([1; 16]), DocumentId::from_bytes([2; 16]));
        let left = || Reckoning::open(&config).unwrap().suspects;
        assert_eq!(left(), BTreeMap::new());
        Reckoning::open(&config).unwrap().mark.set(one, 1);
        assert_eq!(left(), BTreeMap::from([(one, 1)]));
        Reckoning::open(&config).unwrap().mark.set(other, 2);
        assert_eq!(left(), BTreeMap::from([(one, 1), (other, 2)]));
        assert_eq!(
            left(),
            BTreeMap::from([(one, 1), (other, 2)]),
            "a start without a death takes nobody off"
        );
        Reckoning::open(&config).unwrap().acquit(one);
        assert_eq!(left(), BTreeMap::from([(other, 2)]));
        std::fs::write(path.with_extension("apart"), "something else\n").unwrap();
        assert_eq!(left(), BTreeMap::new());
    }
}
