//! What is on its way to the disk: the queue, the batch under way, and what is known of both. Writes
//! nothing and makes nothing true.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use chart::ids::{ChangeHash, DocumentId};
use chart::time::Timestamp;

use crate::entry::Entry;
use crate::event::Ticket;
use crate::limits::LAZY_MS;

/// An edit somebody waits to hear of.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    pub(crate) ticket: Ticket,
    pub(crate) document: DocumentId,
    pub(crate) heads: BTreeSet<ChangeHash>,
    pub(crate) change: ChangeHash,
}

/// An entry in the queue.
#[derive(Clone, Debug)]
pub(crate) struct Queued {
    pub(crate) entry: Entry,
    /// Whether the next one must land with it.
    pub(crate) joined: bool,
    pub(crate) waiting: Option<Waiting>,
}

/// The queue.
#[derive(Debug, Default)]
pub(crate) struct Pipeline {
    pub(crate) queue: VecDeque<Queued>,
    /// Receipts and cursors: written with the next batch, or after a while without one.
    pub(crate) lazy: Vec<Entry>,
    pub(crate) lazy_since: Option<Timestamp>,
    pub(crate) lazy_ripe: bool,
    pub(crate) in_flight: Option<Vec<Queued>>,
    /// Why nothing is written until the driver says so.
    pub(crate) failed: Option<String>,
    /// Entries on their way, by document.
    pending: BTreeMap<DocumentId, u32>,
    /// Those of them a person made.
    pending_own: BTreeMap<DocumentId, u32>,
    pub(crate) counter_through: u64,
    /// The rewind on its way is true already, and nothing before it on its way says otherwise.
    pub(crate) rewound: bool,
    /// The number of the last entry known to be written.
    pub(crate) written_through: u64,
}

impl Pipeline {
    pub(crate) fn is_pending(&self, document: DocumentId) -> bool {
        self.pending.contains_key(&document)
    }
    pub(crate) fn is_saving(&self, document: DocumentId) -> bool {
        self.pending_own.contains_key(&document)
    }
    /// Whether word of the server is on its way to the disk.
    pub(crate) fn has_verdicts(&self) -> bool {
        let queued = self.queue.iter().chain(self.in_flight.iter().flatten());
        queued
            .map(|queued| &queued.entry)
            .any(|entry| matches!(entry, Entry::Verdict(_) | Entry::Receipted(_)))
    }
    /// Forgets a cursor that a newer one overtakes.
    pub(crate) fn drop_lazy_cursor(&mut self) {
        self.lazy.retain(|entry| !matches!(entry, Entry::Cursor(_)));
    }
    /// Takes the last entry back if it is the beginning of this document.
    pub(crate) fn take_back_key(&mut self, document: DocumentId) {
        let is_key = |queued: &Queued| matches!(&queued.entry, Entry::Key(made) if made.document == document);
        if self.queue.back().is_some_and(is_key) {
            self.queue.pop_back();
        }
    }
    /// Forgets a cursor and receipts that no longer hold.
    pub(crate) fn drop_lazy(&mut self) {
        self.lazy.clear();
        self.lazy_since = None;
    }
    pub(crate) fn lazy_due(&self) -> Option<Timestamp> {
        self.lazy_since
            .filter(|_| !self.lazy_ripe && self.in_flight.is_none())
            .map(|since| since.plus_ms(LAZY_MS))
    }
    /// Counts an entry of a document that begins or ends its way.
    pub(crate) fn count(&mut self, entry: &Entry, up: bool) {
        let Some(document) = entry.document() else { return };
        step(&mut self.pending, document, up);
        if entry.is_own() {
            step(&mut self.pending_own, document, up);
        }
    }
}

fn step(counts: &mut BTreeMap<DocumentId, u32>, document: DocumentId, up: bool) {
    let count = counts.entry(document).or_insert(0);
    *count = if up { count.saturating_add(1) } else { count.saturating_sub(1) };
    if *count == 0 {
        counts.remove(&document);
    }
}
