//! What is known of one document without opening it, as the log says it. Folds no entry by itself.

use std::collections::{BTreeMap, BTreeSet};

use chart::ids::{ChangeHash, DocumentId};
use session_note::schema::Kind;

use crate::entry::Keys;

/// What became of a change made here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum WorkState {
    /// On this tablet's disk only.
    Queued,
    /// On the server's disk.
    Receipted,
    /// Kept by the server until a supervisor decides.
    Held(String),
    /// Refused for good; its replay is due.
    Rejected(String),
    /// A signature that was refused, or could not be carried over: only its signer can give it again.
    SignAgain(String),
    /// Nothing more can be done without a supervisor.
    NeedsSupervisor(String),
}

/// A change made here that is not settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unsettled {
    /// The number of its entry.
    pub(crate) seq: u64,
    pub(crate) state: WorkState,
    /// Whether it is itself a replay.
    pub(crate) replay: bool,
}

/// What stands for a change that was made again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Replayed {
    /// The change that does.
    pub(crate) by: ChangeHash,
    /// The number of the original's entry, if it was work that was not settled.
    pub(crate) seq: Option<u64>,
    /// Whether the original was a replay itself.
    pub(crate) replay: bool,
}

/// What was received in one entry and ended the document engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Aside {
    pub(crate) hashes: Vec<ChangeHash>,
    /// The version of the app it ended.
    pub(crate) app: String,
}

/// The document engine is at work, or was when the app ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    /// The number of its entry: everything received before it is under way.
    pub(crate) seq: u64,
    /// The documents whose work is not known to stand.
    pub(crate) documents: BTreeSet<DocumentId>,
    /// Whether it was set for one document only.
    pub(crate) alone: bool,
    pub(crate) tries: u32,
}

/// What is known of a document without opening it.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) kind: Kind,
    /// Its heads; none when they must be computed again.
    pub(crate) heads: Option<BTreeSet<ChangeHash>>,
    pub(crate) keys: Keys,
    pub(crate) work: BTreeMap<ChangeHash, Unsettled>,
    /// Admitted work made here, with the numbers of its entries.
    pub(crate) settled: BTreeMap<ChangeHash, (u64, bool)>,
    /// Changes that are never applied.
    pub(crate) excluded: BTreeSet<ChangeHash>,
    /// How often a change was taken out or let in again: what was built before is out of date.
    pub(crate) purges: u32,
    /// Rejected changes and what stands for them.
    pub(crate) replayed: BTreeMap<ChangeHash, Replayed>,
    /// Replays whose work is part of the note without them, with the original where that is it.
    pub(crate) superseded: BTreeMap<ChangeHash, Option<ChangeHash>>,
    /// Others' work that is not known to stand in the document, by the number of its entry.
    pub(crate) arriving: BTreeMap<u64, Vec<ChangeHash>>,
    /// Others' work that this version of the app does not touch, by the number of its entry.
    pub(crate) aside: BTreeMap<u64, Aside>,
    /// Whether work that another version of the app has set aside is among what is arriving.
    pub(crate) once_more: bool,
    /// Changes that others' work here builds on and that are not here.
    pub(crate) missing: BTreeSet<ChangeHash>,
    /// Heads at the server that were announced and not reached.
    pub(crate) wanted: BTreeSet<ChangeHash>,
    /// The number of the entry of the last published report.
    pub(crate) report: Option<u64>,
    /// Whether a newer one was announced and is not here.
    pub(crate) report_due: bool,
    pub(crate) out_of_scope: bool,
    /// Whether the server has said something of it since the record was last found rewound.
    pub(crate) confirmed: bool,
}

impl Record {
    pub(crate) fn new(kind: Kind) -> Self {
        let keys = Keys { patient: None, episode: None, dates: BTreeSet::new(), providers: BTreeSet::new() };
        Self {
            kind,
            heads: None,
            keys,
            work: BTreeMap::new(),
            settled: BTreeMap::new(),
            excluded: BTreeSet::new(),
            purges: 0,
            replayed: BTreeMap::new(),
            superseded: BTreeMap::new(),
            arriving: BTreeMap::new(),
            aside: BTreeMap::new(),
            once_more: false,
            missing: BTreeSet::new(),
            wanted: BTreeSet::new(),
            report: None,
            report_due: false,
            out_of_scope: false,
            confirmed: true,
        }
    }

    pub(crate) fn exclude(&mut self, hash: ChangeHash) {
        if self.excluded.insert(hash) {
            self.purges += 1;
        }
    }

    /// The clinic has admitted a change. If it was made again here meanwhile, what stands for it goes,
    /// unless that was admitted too.
    pub(crate) fn admit(&mut self, hash: ChangeHash) {
        if let Some(work) = self.work.remove(&hash) {
            self.settled.insert(hash, (work.seq, work.replay));
        }
        if self.excluded.remove(&hash) {
            self.heads = None;
            self.purges += 1;
        }
        let Some(replayed) = self.replayed.remove(&hash) else { return };
        if let Some(seq) = replayed.seq {
            self.settled.insert(hash, (seq, replayed.replay));
        }
        if !self.settled.contains_key(&replayed.by) {
            self.superseded.insert(replayed.by, Some(hash));
            self.supersede(replayed.by, "the clinic took the work it was made again from");
        }
    }

    /// The clinic has rejected a change. A replay goes to a person, unless it only follows another.
    pub(crate) fn reject(&mut self, hash: ChangeHash, sentence: &str, follows: bool) {
        self.exclude(hash);
        self.heads = None;
        if let Some((seq, replay)) = self.settled.remove(&hash) {
            self.work.insert(hash, Unsettled { seq, replay, state: WorkState::Queued });
        }
        if let Some(work) = self.work.get_mut(&hash) {
            let sentence = sentence.to_owned();
            work.state = if work.replay && !follows {
                WorkState::NeedsSupervisor(sentence)
            } else {
                WorkState::Rejected(sentence)
            };
        }
    }

    /// Whether a rejection says anything new: of what is in the note, or was offered again since the last one.
    pub(crate) fn would_reject(&self, hash: &ChangeHash) -> bool {
        let offered = |work: &Unsettled| matches!(work.state, WorkState::Queued | WorkState::Receipted);
        !self.excluded.contains(hash) || self.work.get(hash).is_some_and(offered)
    }

    /// Takes a replay out whose work is in the note without it.
    pub(crate) fn supersede(&mut self, replay: ChangeHash, sentence: &str) {
        self.superseded.entry(replay).or_insert(None);
        self.exclude(replay);
        self.heads = None;
        if let Some(work) = self.work.get_mut(&replay) {
            work.state = WorkState::Rejected(sentence.to_owned());
        }
    }

    /// Whether a change was received and does not stand in the document.
    pub(crate) fn has_outside(&self, hash: &ChangeHash) -> bool {
        let aside = self.aside.values().map(|aside| &aside.hashes);
        self.arriving.values().chain(aside).any(|hashes| hashes.contains(hash))
    }

    /// Whether what stands in this entry is not to be built into the document.
    pub(crate) fn is_outside(&self, seq: u64) -> bool {
        self.arriving.contains_key(&seq) || self.aside.contains_key(&seq)
    }

    /// Changes that are set aside and not rejected by the clinic.
    pub(crate) fn set_aside(&self) -> impl Iterator<Item = &ChangeHash> {
        let hashes = self.aside.values().flat_map(|aside| &aside.hashes);
        hashes.filter(|hash| !self.excluded.contains(hash))
    }

    pub(crate) fn settle_through(&mut self, through: u64, aside: bool) {
        self.arriving.retain(|seq, _| *seq > through);
        self.aside.retain(|seq, _| !aside || *seq > through);
        self.once_more = false;
    }

    /// Lets what another version of the app has set aside be tried by this one.
    pub(crate) fn try_once_more(&mut self) {
        let aside = std::mem::take(&mut self.aside).into_iter();
        self.arriving.extend(aside.map(|(seq, aside)| (seq, aside.hashes)));
        self.once_more = true;
    }

    pub(crate) fn put_aside(&mut self, through: u64, app: &str) {
        let later = self.arriving.split_off(&through.saturating_add(1));
        for (seq, hashes) in std::mem::replace(&mut self.arriving, later) {
            self.aside.insert(seq, Aside { hashes, app: app.to_owned() });
        }
        for (_, aside) in self.aside.range_mut(..=through) {
            app.clone_into(&mut aside.app);
        }
    }

    /// Whether the server's record was put back and has said nothing of it since.
    pub(crate) fn is_silent(&self) -> bool {
        !self.confirmed && !self.out_of_scope
    }

    pub(crate) fn has_queued(&self) -> bool {
        self.work.values().any(|work| work.state == WorkState::Queued)
    }

    pub(crate) fn replay_due(&self) -> bool {
        self.work.values().any(|work| matches!(work.state, WorkState::Rejected(_)))
    }
}
