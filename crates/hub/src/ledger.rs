//! What is known of one document's changes: where in the log they lie, what they build on, what became
//! of them. Pure bookkeeping; it holds no content.

use std::collections::{BTreeMap, BTreeSet};

use chart::facts::Arrival;
use chart::ids::{ChangeHash, DeviceId, PersonId};
use chart::time::Timestamp;
use session_note::admit::ChangeSketch;
use store::Key;
use sync_protocol::ReasonCode;

/// What became of a change so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// No verdict yet.
    Unjudged,
    /// Part of the note.
    Admitted,
    /// Kept back.
    Held(ReasonCode),
    /// Never applied.
    Rejected(ReasonCode),
}

/// One change.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    /// The entry of its work; `None` until that entry is durable.
    pub(crate) seq: Option<u64>,
    pub(crate) deps: Vec<ChangeHash>,
    pub(crate) fate: Fate,
    /// Whether it and all it builds on are durable.
    pub(crate) whole: bool,
}

/// One piece of work of the document.
#[derive(Clone, Debug)]
pub(crate) struct WorkNote {
    pub(crate) person: PersonId,
    pub(crate) device: DeviceId,
    pub(crate) hashes: Vec<ChangeHash>,
}

/// All changes of one document.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) changes: BTreeMap<ChangeHash, Known>,
    pub(crate) works: BTreeMap<u64, WorkNote>,
    pub(crate) arrivals: BTreeMap<DeviceId, Arrival>,
    pub(crate) caseloads: BTreeSet<PersonId>,
    /// Who was told that the document left their caseload, or never was on it.
    pub(crate) told_left: BTreeSet<PersonId>,
    /// The keys under which it was placed, ever.
    pub(crate) place_keys: BTreeSet<Key>,
    /// The last entry that is folded in.
    pub(crate) through: u64,
    genesis: Option<ChangeHash>,
}

impl Ledger {
    pub(crate) fn new(genesis: ChangeHash) -> Self {
        Self { genesis: Some(genesis), ..Self::default() }
    }

    pub(crate) fn knows(&self, hash: &ChangeHash) -> bool {
        self.genesis.as_ref() == Some(hash) || self.changes.contains_key(hash)
    }

    /// Notes a change that passed the door and is on its way into the log.
    pub(crate) fn arrive(&mut self, sketch: &ChangeSketch) {
        self.changes.entry(sketch.hash).or_insert_with(|| Known {
            seq: None,
            deps: sketch.deps.clone(),
            fate: Fate::Unjudged,
            whole: false,
        });
    }

    /// Notes that a piece of work is durable at this entry.
    pub(crate) fn durable(&mut self, seq: u64, work: WorkNote, received_at: Timestamp, clock_ahead_ms: i64) {
        for hash in &work.hashes {
            if let Some(known) = self.changes.get_mut(hash) {
                known.seq.get_or_insert(seq);
            }
        }
        self.arrivals.insert(work.device, Arrival { device: work.device, clock_ahead_ms, received_at });
        let hashes = work.hashes.clone();
        self.works.insert(seq, work);
        self.through = self.through.max(seq);
        self.spread_whole(hashes);
    }

    /// A change is whole when it is durable and everything it builds on is whole.
    fn spread_whole(&mut self, hashes: Vec<ChangeHash>) {
        let mut candidates = hashes;
        let mut progressed = true;
        while progressed {
            progressed = false;
            let mut rest = Vec::new();
            for hash in candidates {
                if self.is_now_whole(&hash) {
                    if let Some(known) = self.changes.get_mut(&hash) {
                        known.whole = true;
                    }
                    progressed = true;
                } else {
                    rest.push(hash);
                }
            }
            candidates = rest;
            if progressed {
                // What was waiting for one of these may be complete with it.
                candidates.extend(self.changes.iter().filter_map(|(hash, known)| {
                    (!known.whole && known.seq.is_some() && !known.deps.is_empty()).then_some(*hash)
                }));
                candidates.sort();
                candidates.dedup();
            }
        }
    }

    fn is_now_whole(&self, hash: &ChangeHash) -> bool {
        self.changes.get(hash).is_some_and(|known| {
            !known.whole && known.seq.is_some() && known.deps.iter().all(|dep| self.is_whole(dep))
        })
    }

    pub(crate) fn is_whole(&self, hash: &ChangeHash) -> bool {
        self.genesis.as_ref() == Some(hash) || self.changes.get(hash).is_some_and(|known| known.whole)
    }

    /// Which of these the log lacks entirely.
    pub(crate) fn missing<'a>(
        &self,
        hashes: impl IntoIterator<Item = &'a ChangeHash>,
    ) -> BTreeSet<ChangeHash> {
        hashes.into_iter().filter(|hash| !self.knows(hash)).copied().collect()
    }

    pub(crate) fn fate(&self, hash: &ChangeHash) -> Option<Fate> {
        if self.genesis.as_ref() == Some(hash) {
            return Some(Fate::Admitted);
        }
        self.changes.get(hash).map(|known| known.fate)
    }

    /// Folds a verdict in: admitted outweighs rejected outweighs held.
    pub(crate) fn judge(&mut self, hash: &ChangeHash, fate: Fate) {
        let weight = |fate: Fate| match fate {
            Fate::Unjudged => 0,
            Fate::Held(_) => 1,
            Fate::Rejected(_) => 2,
            Fate::Admitted => 3,
        };
        if let Some(known) = self.changes.get_mut(hash)
            && weight(fate) >= weight(known.fate)
        {
            known.fate = fate;
        }
    }

    /// Notes whose caseloads it entered and left.
    pub(crate) fn moved(&mut self, entered: &[PersonId], left: &[PersonId]) {
        self.told_left.extend(left);
        self.told_left.retain(|person| !entered.contains(person));
    }

    /// Whether something stays back although everything was judged: held, or waiting for what it builds
    /// on. Work that is only on its way into the log, or next to be judged, does not count: its verdict
    /// follows at once, and nothing would take the word back from the reports of other notes.
    pub(crate) fn has_unsettled_holds(&self) -> bool {
        let stays = |known: &Known| match known.fate {
            Fate::Held(_) => true,
            Fate::Unjudged => known.seq.is_some() && !known.whole,
            Fate::Admitted | Fate::Rejected(_) => false,
        };
        self.changes.values().any(stays)
    }

    /// The durable, unjudged changes by work, in log order.
    pub(crate) fn unjudged(&self) -> Vec<(u64, Vec<ChangeHash>)> {
        let mut found = Vec::new();
        for (seq, work) in &self.works {
            let hashes: Vec<ChangeHash> = work
                .hashes
                .iter()
                .filter(|hash| {
                    self.changes
                        .get(*hash)
                        .is_some_and(|known| known.seq == Some(*seq) && known.fate == Fate::Unjudged)
                })
                .copied()
                .collect();
            if !hashes.is_empty() {
                found.push((*seq, hashes));
            }
        }
        found
    }

    /// When work on the document last came.
    pub(crate) fn last_received(&self) -> Option<Timestamp> {
        self.arrivals.values().map(|arrival| arrival.received_at).max()
    }
}
