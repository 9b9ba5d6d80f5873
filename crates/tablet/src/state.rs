//! What the tablet knows, as a fold over its log: nothing here is true before it is written down.
//!
//! Opening and running use the same fold, and folding an entry twice changes nothing, so that a crash
//! at any point, or a batch written twice after an unclear failure, leaves the same state. Small on
//! purpose: of a document only its heads, its names and the work that is not settled.

use std::collections::{BTreeMap, BTreeSet};

use chart::ids::{ChangeHash, CommandId, DocumentId, PatientId};
use chart::reference::Reference;
use chart::time::Date;
use sync_protocol::Outcome;
use sync_protocol::message::{Cursor, LogPosition};

use crate::entry::{Entry, FOLLOWS, Joined, Keys, LET_GO, MADE_TWICE, Receipted, Remote, VerdictSeen, Work};
use crate::record::{Mark, Record, Replayed, Unsettled, WorkState};
use crate::typing::Phrase;

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
    pub(crate) mark: Option<Mark>,
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
            Entry::Received(received) => {
                if let Some(record) = self.documents.get_mut(&received.feed.document) {
                    record.arriving.insert(seq, received.hashes.clone());
                    record.confirmed = true;
                }
            }
            Entry::Applying(mark) => {
                let (documents, tries) = (mark.documents.clone(), mark.tries);
                self.mark = Some(Mark { seq, alone: documents.len() == 1, documents, tries });
            }
            Entry::Joined(joined) => self.fold_joined(joined),
            Entry::SetAside(aside) => {
                self.unmark(aside.document);
                if let Some(record) = self.documents.get_mut(&aside.document) {
                    record.put_aside(aside.through, &aside.app);
                }
            }
        }
    }

    fn unmark(&mut self, document: DocumentId) {
        self.mark = self.mark.take().and_then(|mut mark| {
            mark.documents.remove(&document);
            (!mark.documents.is_empty()).then_some(mark)
        });
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
        if let Some(record) = self.documents.get_mut(&document) {
            record.confirmed = true;
        }
        self.fold_heads(document, &remote.heads, &remote.keys, &remote.missing);
    }

    fn fold_joined(&mut self, joined: &Joined) {
        self.unmark(joined.document);
        if let Some(record) = self.documents.get_mut(&joined.document) {
            record.settle_through(joined.through, joined.aside);
        }
        self.fold_heads(joined.document, &joined.heads, &joined.keys, &joined.missing);
    }

    fn fold_heads(
        &mut self,
        document: DocumentId,
        heads: &BTreeSet<ChangeHash>,
        keys: &Keys,
        missing: &BTreeSet<ChangeHash>,
    ) {
        let Some(record) = self.documents.get_mut(&document) else { return };
        record.heads = Some(heads.clone());
        record.missing.clone_from(missing);
        if record.wanted.is_subset(heads) {
            record.wanted.clear();
        }
        self.name(document, keys);
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
                Outcome::Rejected | Outcome::Other(FOLLOWS) if record.would_reject(&item.hash) => {
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
                // A rejection that the record has lost with the bytes is decided anew.
                let lost = work.replay && matches!(work.state, WorkState::NeedsSupervisor(_));
                if lost || matches!(work.state, WorkState::Receipted | WorkState::Held(_)) {
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
