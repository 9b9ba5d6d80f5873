//! A verdict before it is written, and what is known of a case while it is being judged. Decides nothing
//! about content.

use std::collections::{BTreeMap, BTreeSet};

use chart::ids::{ChangeHash, DeviceId, DocumentId, PersonId};
use chart::time::Timestamp;
use session_note::admission::code;
use session_note::admit::Outcome;
use sync_protocol::{Outcome as WireOutcome, ReasonCode};

use crate::ledger::{Fate, Ledger};
use crate::resident::fate_of;

/// A verdict before it is written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ruling {
    pub(crate) outcome: u16,
    pub(crate) reason: u16,
    pub(crate) sentence: String,
}

impl Ruling {
    pub(crate) fn new(outcome: WireOutcome, reason: ReasonCode, sentence: &str) -> Self {
        Self { outcome: outcome.number(), reason: reason.number(), sentence: sentence.to_owned() }
    }

    pub(crate) fn fate(&self) -> Fate {
        fate_of(self.outcome, self.reason)
    }
}

/// What a case is about, kept by the hub while it is judged.
#[derive(Clone, Debug, Default)]
pub(crate) struct Docket {
    /// The changes of it by the entry of their work, in log order.
    pub(crate) works: BTreeMap<u64, Vec<ChangeHash>>,
    pub(crate) authors: BTreeMap<u64, (PersonId, DeviceId)>,
    pub(crate) rulings: BTreeMap<ChangeHash, Ruling>,
    pub(crate) builds_on: BTreeMap<ChangeHash, Vec<ChangeHash>>,
    /// Set when a supervisor asked for it.
    pub(crate) release: Option<Release>,
}

impl Docket {
    pub(crate) fn add(
        &mut self,
        seq: u64,
        author: (PersonId, DeviceId),
        hash: ChangeHash,
        deps: &[ChangeHash],
    ) {
        self.works.entry(seq).or_default().push(hash);
        self.authors.insert(seq, author);
        self.builds_on.insert(hash, deps.to_vec());
    }

    /// What is rejected passes on to what was held for following it.
    pub(crate) fn rule_rejected(&mut self) {
        let sentence = "it builds on work that was not admitted";
        let ruling = Ruling::new(WireOutcome::Rejected, ReasonCode::DependsOn, sentence);
        loop {
            let unruled = self.builds_on.iter().filter(|(hash, _)| !self.rulings.contains_key(hash));
            let follows = |deps: &[ChangeHash]| deps.iter().any(|dep| self.rulings.contains_key(dep));
            let found: Vec<ChangeHash> =
                unruled.filter(|(_, deps)| follows(deps)).map(|(hash, _)| *hash).collect();
            if found.is_empty() {
                return self.works.values_mut().for_each(|hashes| {
                    hashes.retain(|hash| self.rulings.contains_key(hash));
                });
            }
            self.rulings.extend(found.into_iter().map(|hash| (hash, ruling.clone())));
        }
    }

    /// The changes by their work, each after what it builds on: whoever reads the verdicts in their order can
    /// take one after the other. Work stands in parts where others' work lies between them, as when tablets
    /// offer again what a record has lost.
    pub(crate) fn in_order(&self) -> Vec<(u64, Vec<ChangeHash>)> {
        let mut waiting: Vec<(u64, ChangeHash)> = Vec::new();
        for (seq, hashes) in &self.works {
            waiting.extend(hashes.iter().map(|hash| (*seq, *hash)));
        }
        let mut open: BTreeSet<ChangeHash> = waiting.iter().map(|(_, hash)| *hash).collect();
        let mut parts: Vec<(u64, Vec<ChangeHash>)> = Vec::new();
        while !waiting.is_empty() {
            let before = waiting.len();
            waiting.retain(|(seq, hash)| {
                let deps = self.builds_on.get(hash).into_iter().flatten();
                if deps.into_iter().any(|dep| open.contains(dep)) {
                    return true;
                }
                open.remove(hash);
                match parts.last_mut() {
                    Some((last, part)) if last == seq => part.push(*hash),
                    _ => parts.push((*seq, vec![*hash])),
                }
                false
            });
            if waiting.len() == before {
                // No change builds on itself, so there is always one that can go first.
                open.clear();
            }
        }
        parts
    }

    /// What is held or rejected passes on to what follows it.
    pub(crate) fn rule_followers(&mut self, ledger: &Ledger) {
        loop {
            let unruled = self.builds_on.iter().filter(|(hash, _)| !self.rulings.contains_key(hash));
            let found: Vec<(ChangeHash, Ruling)> = unruled
                .filter_map(|(hash, deps)| Some((*hash, follows(ledger, &self.rulings, deps)?)))
                .collect();
            if found.is_empty() {
                return;
            }
            self.rulings.extend(found);
        }
    }
}

/// A supervisor's wish to admit what is held.
#[derive(Clone, Debug)]
pub(crate) struct Release {
    pub(crate) ticket: u64,
    pub(crate) document: DocumentId,
    pub(crate) hashes: Vec<ChangeHash>,
    pub(crate) by: PersonId,
    pub(crate) reason: String,
    pub(crate) at: Timestamp,
}

/// What follows from what a change builds on: held and rejected pass on to what follows them.
pub(crate) fn follows(
    ledger: &Ledger,
    rulings: &BTreeMap<ChangeHash, Ruling>,
    deps: &[ChangeHash],
) -> Option<Ruling> {
    let fate = |dep: &ChangeHash| match rulings.get(dep) {
        Some(ruling) => Some(fate_of(ruling.outcome, ruling.reason)),
        None => ledger.fate(dep),
    };
    let fates: Vec<Fate> = deps.iter().filter_map(fate).collect();
    let sentence = "it builds on work that was not admitted";
    if fates.iter().any(|fate| matches!(fate, Fate::Rejected(_))) {
        return Some(Ruling::new(WireOutcome::Rejected, ReasonCode::DependsOn, sentence));
    }
    if fates.iter().any(|fate| matches!(fate, Fate::Held(_))) {
        return Some(Ruling::new(WireOutcome::Held, ReasonCode::DependsOn, sentence));
    }
    None
}

/// Work that is part of the note is not taken a second time: neither an original after its replay, nor a
/// replay after its original or after another replay.
pub(crate) fn made_twice(ledger: &Ledger, hash: &ChangeHash) -> Option<Ruling> {
    let sentence = "the same work is part of the note already";
    ledger.is_made_twice(hash).then(|| Ruling::new(WireOutcome::Rejected, ReasonCode::MadeTwice, sentence))
}

pub(crate) fn ruling_of(outcome: &Outcome) -> Option<Ruling> {
    match outcome {
        Outcome::Admitted | Outcome::AlreadyKnown => {
            Some(Ruling::new(WireOutcome::Admitted, ReasonCode::None, ""))
        }
        Outcome::Waiting { .. } => None,
        Outcome::Rejected { code, sentence } => {
            Some(Ruling::new(WireOutcome::Rejected, reason_of(*code), sentence))
        }
    }
}

fn reason_of(gate_code: u16) -> ReasonCode {
    match gate_code {
        201 => ReasonCode::Equivocation,
        202..=204 => ReasonCode::OutOfSequence,
        211 => ReasonCode::DependsOn,
        212 | 213 => ReasonCode::Unapplicable,
        code::SIGNED_FROZEN => ReasonCode::SignedFrozen,
        code::VERSION_REWRITTEN | code::ENTRY_REWRITTEN => ReasonCode::VersionRewritten,
        _ => ReasonCode::Structure,
    }
}
