//! Writing down: the queue becomes batches, one at a time, and nothing is true before it is written.

use chart::entropy::Entropy;
use chart::time::Timestamp;
use store::{Batch, Retained, StoreReader};
use sync_protocol::Outcome;

use crate::entry::{Entry, VerdictSeen};
use crate::event::Event;
use crate::limits::{COMMIT_BYTES, COMMIT_ENTRIES, LAZY_ENTRIES};
use crate::machine::Tablet;
use crate::pipeline::{Queued, Waiting};
use crate::record::WorkState;

impl Tablet {
    pub(crate) fn enqueue(&mut self, entry: Entry) {
        self.enqueue_with(entry, false, None);
    }

    pub(crate) fn enqueue_with(&mut self, entry: Entry, joined: bool, waiting: Option<Waiting>) {
        self.pipeline.count(&entry, true);
        self.pipeline.queue.push_back(Queued { entry, joined, waiting });
    }

    /// Somebody waits for the last entry of the queue.
    pub(crate) fn await_last(&mut self, waiting: Waiting) {
        if let Some(last) = self.pipeline.queue.back_mut() {
            last.waiting = Some(waiting);
        }
    }

    /// Takes an entry whose loss would only cost a repetition: it is true at once and written later.
    pub(crate) fn enqueue_lazy(&mut self, now: Timestamp, entry: Entry) {
        self.state.fold(0, &entry);
        if matches!(entry, Entry::Cursor(_)) {
            self.pipeline.drop_lazy_cursor();
        }
        self.pipeline.lazy.push(entry);
        self.pipeline.lazy_since.get_or_insert(now);
        if self.pipeline.lazy.len() >= LAZY_ENTRIES {
            self.pipeline.lazy_ripe = true;
        }
    }

    pub(crate) fn ripen(&mut self, now: Timestamp) {
        if self.pipeline.lazy_due().is_some_and(|due| due <= now) {
            self.pipeline.lazy_ripe = true;
        }
    }

    /// Everything that waits to be written, if anything does and no batch is under way.
    pub fn poll_commit(&mut self, entropy: &mut dyn Entropy) -> Option<Batch> {
        let ripe = self.pipeline.lazy_ripe && !self.pipeline.lazy.is_empty();
        let something = ripe || !self.pipeline.queue.is_empty();
        if !something || self.pipeline.in_flight.is_some() || self.pipeline.failed.is_some() {
            return None;
        }
        let taken = self.next_batch();
        let mut batch = Batch::default();
        for queued in &taken {
            match self.seals.seal(entropy, &queued.entry) {
                Ok(entry) => batch.entries.push(entry),
                Err(error) => {
                    self.put_back(taken);
                    self.fail(&error.to_string());
                    return None;
                }
            }
        }
        self.pipeline.in_flight = Some(taken);
        Some(batch)
    }

    fn next_batch(&mut self) -> Vec<Queued> {
        let mut taken: Vec<Queued> = Vec::new();
        let mut bytes = 0usize;
        while let Some(queued) = self.pipeline.queue.pop_front() {
            bytes = bytes.saturating_add(queued.entry.body().len());
            let joined = queued.joined;
            taken.push(queued);
            if !joined && (taken.len() >= COMMIT_ENTRIES || bytes >= COMMIT_BYTES) {
                break;
            }
        }
        // Receipts and cursors go last: a cursor must not come before what it stands behind.
        if self.pipeline.queue.is_empty() {
            let lazy = std::mem::take(&mut self.pipeline.lazy);
            self.pipeline.lazy_since = None;
            self.pipeline.lazy_ripe = false;
            for entry in lazy {
                self.pipeline.count(&entry, true);
                taken.push(Queued { entry, joined: false, waiting: None });
            }
        }
        taken
    }

    /// The batch is on the disk; `first_seq` is the number of its first entry.
    pub fn committed(&mut self, now: Timestamp, first_seq: u64, reader: &dyn StoreReader) {
        let Some(written) = self.pipeline.in_flight.take() else { return };
        let mut marked = false;
        for (seq, queued) in (first_seq..).zip(written) {
            self.pipeline.count(&queued.entry, false);
            self.pipeline.written_through = seq;
            if !(matches!(queued.entry, Entry::Rewound(_)) && std::mem::take(&mut self.pipeline.rewound)) {
                self.state.fold(seq, &queued.entry);
            }
            if let Some(waiting) = queued.waiting {
                let Waiting { ticket, document, heads, change } = waiting;
                self.tell(Event::Saved { ticket, document, heads, change });
            }
            match &queued.entry {
                Entry::Applying(_) => marked = true,
                Entry::Verdict(seen) => self.tell_verdict(seen),
                Entry::Reference(_) => self.tell(Event::ReferenceChanged),
                Entry::Report(report) => self.tell(Event::ReportPublished { document: report.document }),
                Entry::Work(work) => self.tell(Event::Changed { document: work.document }),
                Entry::NotReplayed(failed) if failed.signature => {
                    if let Some(person) = self.person_of(reader, failed.document, failed.hash) {
                        self.tell(Event::SignAgain { document: failed.document, person });
                    }
                }
                Entry::NotReplayed(failed) => {
                    let (document, sentence) = (failed.document, failed.sentence.clone());
                    self.tell(Event::NeedsSupervisor { document, sentence });
                }
                _ => {}
            }
        }
        if marked {
            self.join_marked(reader);
            self.ask(reader);
        }
        self.reserve_counters();
        self.shelve();
        self.offer(now, reader);
    }

    /// The batch could not be written. It is kept and written again after [`Tablet::retry_commit`].
    pub fn commit_failed(&mut self, sentence: &str) {
        if let Some(taken) = self.pipeline.in_flight.take() {
            self.put_back(taken);
        }
        self.fail(sentence);
    }

    /// The store was opened again, or has room again: what could not be written is written.
    pub fn retry_commit(&mut self) {
        self.pipeline.failed = None;
    }

    fn put_back(&mut self, taken: Vec<Queued>) {
        for queued in taken.into_iter().rev() {
            self.pipeline.queue.push_front(queued);
        }
    }

    fn fail(&mut self, sentence: &str) {
        let waiting = self.pipeline.queue.iter().filter_map(|queued| queued.waiting.as_ref());
        let tickets = waiting.map(|waiting| waiting.ticket).collect();
        self.pipeline.failed = Some(sentence.to_owned());
        self.tell(Event::NotSaved { tickets, sentence: sentence.to_owned() });
    }

    /// Why nothing is written at the moment, if that is so.
    pub fn commit_failure(&self) -> Option<&str> {
        self.pipeline.failed.as_deref()
    }

    fn tell_verdict(&mut self, seen: &VerdictSeen) {
        let document = seen.document;
        for item in &seen.items {
            let work = self.state.documents.get(&document).and_then(|record| record.work.get(&item.hash));
            let sentence = item.sentence.clone();
            match work.map(|work| &work.state) {
                Some(WorkState::Held(_)) => self.tell(Event::Held { document, sentence }),
                Some(WorkState::Rejected(_)) if item.outcome == Outcome::Rejected.number() => {
                    self.tell(Event::Rejected { document, sentence })
                }
                Some(WorkState::NeedsSupervisor(_)) => {
                    self.tell(Event::NeedsSupervisor { document, sentence })
                }
                _ => {}
            }
        }
        self.tell(Event::Changed { document });
    }

    /// Snapshots for `Store::keep`.
    pub fn poll_keep(&mut self, entropy: &mut dyn Entropy) -> Vec<Retained> {
        self.snapshot(entropy);
        std::mem::take(&mut self.keeps)
    }
}
