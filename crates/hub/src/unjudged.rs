//! Documents with durable work and no verdict: by the log, so that none waits until an opening would no longer find
//! its work, and by document, so that they take turns. Knows no content.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use chart::ids::DocumentId;

/// Pieces of work, each by its entry and its document.
#[derive(Debug, Default)]
pub(crate) struct Unjudged {
    by_entry: BTreeSet<(u64, DocumentId)>,
    by_document: BTreeMap<DocumentId, BTreeSet<u64>>,
}

impl Unjudged {
    pub(crate) fn insert(&mut self, seq: u64, document: DocumentId) {
        self.by_entry.insert((seq, document));
        self.by_document.entry(document).or_default().insert(seq);
    }

    /// Takes a document out with all its work.
    pub(crate) fn take(&mut self, document: DocumentId) {
        for seq in self.by_document.remove(&document).unwrap_or_default() {
            self.by_entry.remove(&(seq, document));
        }
    }

    pub(crate) fn contains(&self, document: DocumentId) -> bool {
        self.by_document.contains_key(&document)
    }

    /// How many pieces of work wait.
    pub(crate) fn len(&self) -> usize {
        self.by_entry.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.by_entry.is_empty()
    }

    /// What has waited longest.
    pub(crate) fn oldest(&self) -> Option<(u64, DocumentId)> {
        self.by_entry.first().copied()
    }

    /// The document whose turn it is after that of another, of those that are wanted.
    pub(crate) fn after(&self, last: DocumentId, wanted: impl Fn(&DocumentId) -> bool) -> Option<DocumentId> {
        let later = self.by_document.range((Bound::Excluded(last), Bound::Unbounded));
        let all = later.chain(&self.by_document).map(|(document, _)| *document);
        all.into_iter().find(wanted)
    }
}
