//! What the tablet knows, as a fold over its log: nothing here is true before it is written down.
//!
//! Opening and running use the same fold, and folding an entry twice changes nothing, so that a crash
//! at any point, or a batch written twice after an unclear failure, leaves the same state. Small on
//! purpose: of a document only its heads, its names and the work that is not settled.

use std::collections::{BTreeMap, BTreeSet};

use chart::ids::{ChangeHash, CommandId, DocumentId, PatientId};
use chart::reference::Reference;
use chart::time::Date;
use session_note::schema::Kind;
use sync_protocol::Outcome;
use sync_protocol::message::{Cursor, LogPosition};

use crate::entry::{Entry, FOLLOWS, Keys, LET_GO, MADE_TWICE, Receipted, Remote, VerdictSeen, Work};
use crate::typing::Phrase;

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
            missing: BTreeSet::new(),
            wanted: BTreeSet::new(),
            report: None,
            report_due: false,
            out_of_scope: false,
            confirmed: true,
        }
    }

    fn exclude(&mut self, hash: ChangeHash) {
        if self.excluded.insert(hash) {
            self.purges += 1;
        }
    }

    /// The clinic has admitted a change. If it was made again here meanwhile, what stands for it goes,
    /// unless that was admitted too.
    fn admit(&mut self, hash: ChangeHash) {
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
    fn reject(&mut self, hash: ChangeHash, sentence: &str, follows: bool) {
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

    /// Takes a replay out whose work is in the note without it.
    fn supersede(&mut self, replay: ChangeHash, sentence: &str) {
        self.superseded.entry(replay).or_insert(None);
        self.exclude(replay);
        self.heads = None;
        if let Some(work) = self.work.get_mut(&replay) {
            work.state = WorkState::Rejected(sentence.to_owned());
        }
    }

    pub(crate) fn has_queued(&self) -> bool {
        self.work.values().any(|work| work.state == WorkState::Queued)
    }

    pub(crate) fn replay_due(&self) -> bool {
        self.work.values().any(|work| matches!(work.state, WorkState::Rejected(_)))
    }
}

/// Everything the log says.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) documents: BTreeMap<DocumentId, Record>,
    /// Documents that left the scope and are not here: one of them begun here is not for keeping.
    pub(crate) left: BTreeSet<DocumentId>,
    pub(crate) by_date: BTreeMap<Date, BTreeSet<DocumentId>>,
    pub(crate) by_patient: BTreeMap<PatientId, BTreeSet<DocumentId>>,
    /// Documents with work that waits to be sent.
    pub(crate) queued: BTreeSet<DocumentId>,
    /// Documents with rejected work whose replay is due.
    pub(crate) replay_due: BTreeSet<DocumentId>,
    /// Documents announced and not here at all.
    pub(crate) wanted: BTreeMap<DocumentId, BTreeSet<ChangeHash>>,
    pub(crate) phrases: BTreeMap<CommandId, Phrase>,
    /// Phrases whose change is made but perhaps not written: their late drafts are no news.
    pub(crate) taken: BTreeSet<CommandId>,
    pub(crate) reference: BTreeMap<(u16, Vec<u8>), Reference>,
    pub(crate) receipted: Option<LogPosition>,
    pub(crate) cursor: Option<Cursor>,
    pub(crate) counter_through: u64,
}

impl State {
    /// Takes in what entry `seq` says.
    pub(crate) fn fold(&mut self, seq: u64, entry: &Entry) {
        match entry {
            Entry::Key(key) => {
                if let Some(kind) = key.kind() {
                    let wanted = self.wanted.remove(&key.document);
                    let record = self.documents.entry(key.document).or_insert_with(|| Record::new(kind));
                    record.out_of_scope |= self.left.remove(&key.document);
                    record.report_due |= wanted.is_some();
                    record.wanted.extend(wanted.unwrap_or_default());
                }
            }
            Entry::Work(work) => self.fold_work(seq, work),
            Entry::Draft(draft) => self.fold_draft(draft),
            Entry::Remote(remote) => self.fold_remote(remote),
            Entry::Receipted(receipted) => self.fold_receipt(receipted),
            Entry::Verdict(verdict) => self.fold_verdict(verdict),
            Entry::Reference(reference) => {
                let name = (reference.kind, reference.id.0.clone());
                let body = reference.body.as_ref().and_then(|body| serde_json::from_slice(&body.0).ok());
                match body {
                    Some(value) => _ = self.reference.insert(name, value),
                    None => _ = self.reference.remove(&name),
                }
            }
            Entry::Report(report) => {
                if let Some(record) = self.documents.get_mut(&report.document) {
                    record.report = Some(seq);
                    record.report_due = false;
                }
            }
            Entry::ReportDue(due) => {
                if let Some(record) = self.documents.get_mut(&due.document) {
                    record.report_due = true;
                }
            }
            Entry::Cursor(at) => self.cursor = Some(at.cursor),
            Entry::Rewound(_) => self.fold_rewind(),
            Entry::Counter(counter) => self.counter_through = self.counter_through.max(counter.through),
            Entry::Wanted(wanted) => match self.documents.get_mut(&wanted.document) {
                Some(record) => {
                    record.out_of_scope = false;
                    record.confirmed = true;
                    record.report_due = true;
                    record.wanted.clone_from(&wanted.heads);
                }
                None => {
                    self.left.remove(&wanted.document);
                    self.wanted.insert(wanted.document, wanted.heads.clone());
                }
            },
            Entry::Left(left) => {
                self.wanted.remove(&left.document);
                match self.documents.get_mut(&left.document) {
                    Some(record) => record.out_of_scope = true,
                    None => _ = self.left.insert(left.document),
                }
            }
            Entry::NotReplayed(failed) => {
                let record = self.documents.get_mut(&failed.document);
                if let Some(work) = record.and_then(|record| record.work.get_mut(&failed.hash)) {
                    let sentence = failed.sentence.clone();
                    work.state = if failed.signature {
                        WorkState::SignAgain(sentence)
                    } else {
                        WorkState::NeedsSupervisor(sentence)
                    };
                }
                self.sort_work(failed.document);
            }
        }
    }

    fn fold_work(&mut self, seq: u64, work: &Work) {
        if let Some(phrase) = work.phrase {
            self.phrases.remove(&phrase);
            self.taken.remove(&phrase);
        }
        let Some(record) = self.documents.get_mut(&work.document) else { return };
        let known = record.work.contains_key(&work.hash) || record.settled.contains_key(&work.hash);
        if !known && !record.superseded.contains_key(&work.hash) {
            let replay = !work.replaces.is_empty();
            record.work.insert(work.hash, Unsettled { seq, state: WorkState::Queued, replay });
            record.heads = Some(work.heads.clone());
            for old in &work.replaces {
                let was = record.work.remove(old);
                record.exclude(*old);
                let (seq, replay) = (was.as_ref().map(|was| was.seq), was.is_some_and(|was| was.replay));
                record.replayed.insert(*old, Replayed { by: work.hash, seq, replay });
            }
        }
        self.name(work.document, &work.keys);
        self.sort_work(work.document);
    }

    fn fold_remote(&mut self, remote: &Remote) {
        let document = remote.feed.document;
        let Some(record) = self.documents.get_mut(&document) else { return };
        record.heads = Some(remote.heads.clone());
        record.missing.clone_from(&remote.missing);
        record.confirmed = true;
        if record.wanted.is_subset(&remote.heads) {
            record.wanted.clear();
        }
        self.name(document, &remote.keys);
    }

    fn fold_receipt(&mut self, receipted: &Receipted) {
        let newer = self
            .receipted
            .is_none_or(|old| (old.epoch, old.seq) <= (receipted.position.epoch, receipted.position.seq));
        if newer {
            self.receipted = Some(receipted.position);
        }
        if let Some(record) = self.documents.get_mut(&receipted.document) {
            record.confirmed = true;
            for hash in &receipted.hashes {
                if let Some(work) = record.work.get_mut(hash)
                    && work.state == WorkState::Queued
                {
                    work.state = WorkState::Receipted;
                }
            }
        }
        self.sort_work(receipted.document);
    }

    fn fold_verdict(&mut self, seen: &VerdictSeen) {
        let Some(record) = self.documents.get_mut(&seen.document) else { return };
        record.confirmed = true;
        for item in &seen.items {
            let outcome = Outcome::from_number(item.outcome);
            if record.replayed.contains_key(&item.hash) && outcome != Outcome::Admitted {
                continue;
            }
            match outcome {
                Outcome::Admitted => record.admit(item.hash),
                Outcome::Other(MADE_TWICE) => record.supersede(item.hash, &item.sentence),
                Outcome::Other(LET_GO) => _ = record.work.remove(&item.hash),
                Outcome::Held => {
                    if let Some(work) = record.work.get_mut(&item.hash)
                        && matches!(work.state, WorkState::Queued | WorkState::Receipted | WorkState::Held(_))
                    {
                        work.state = WorkState::Held(item.sentence.clone());
                    }
                }
                Outcome::Rejected | Outcome::Other(FOLLOWS) if !record.excluded.contains(&item.hash) => {
                    record.reject(item.hash, &item.sentence, outcome != Outcome::Rejected);
                }
                Outcome::Rejected | Outcome::Other(_) => {}
            }
        }
        self.sort_work(seen.document);
    }

    /// Takes "safe" back: everything made here waits to be sent again.
    fn fold_rewind(&mut self) {
        self.receipted = None;
        self.cursor = None;
        for record in self.documents.values_mut() {
            record.confirmed = false;
            for (hash, (seq, replay)) in std::mem::take(&mut record.settled) {
                record.work.insert(hash, Unsettled { seq, replay, state: WorkState::Queued });
            }
            for work in record.work.values_mut() {
                if matches!(work.state, WorkState::Receipted | WorkState::Held(_)) {
                    work.state = WorkState::Queued;
                }
            }
        }
        let all: Vec<DocumentId> = self.documents.keys().copied().collect();
        all.into_iter().for_each(|document| self.sort_work(document));
    }

    /// Keeps the lists of what is to be done true for one document.
    fn sort_work(&mut self, document: DocumentId) {
        let Some(record) = self.documents.get(&document) else { return };
        let (queued, due) = (record.has_queued(), record.replay_due());
        set(&mut self.queued, document, queued);
        set(&mut self.replay_due, document, due);
    }

    /// Notes under which names a document is found.
    pub(crate) fn name(&mut self, document: DocumentId, keys: &Keys) {
        let Some(record) = self.documents.get_mut(&document) else { return };
        let old = std::mem::replace(&mut record.keys, keys.clone());
        for date in old.dates.difference(&keys.dates) {
            self.by_date.entry(*date).or_default().remove(&document);
        }
        for date in &keys.dates {
            self.by_date.entry(*date).or_default().insert(document);
        }
        if let Some(patient) = old.patient.filter(|old| Some(*old) != keys.patient) {
            self.by_patient.entry(patient).or_default().remove(&document);
        }
        if let Some(patient) = keys.patient {
            self.by_patient.entry(patient).or_default().insert(document);
        }
    }
}

fn set(list: &mut BTreeSet<DocumentId>, document: DocumentId, on: bool) {
    if on {
        list.insert(document);
    } else {
        list.remove(&document);
    }
}
