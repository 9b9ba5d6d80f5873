//! What opening the store found and did, in words.

use std::fmt;

/// What became of the index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IndexReport {
    /// There was none: the store is new, or came without it.
    New,
    /// It was used as it was, and this many entries of the journal were added.
    Trusted {
        /// Entries read from the journal.
        replayed: u64,
    },
    /// It was built anew from the journal.
    Rebuilt {
        /// Why it was not used.
        why: String,
    },
}

/// What opening found and did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenReport {
    /// About the journal, which is the record.
    pub journal: journal::OpenReport,
    /// About the index, which can always be built again.
    pub index: IndexReport,
}

impl OpenReport {
    /// The report in sentences, the most pressing first; none if there is nothing to say.
    pub fn sentences(&self) -> Vec<String> {
        let mut out = self.journal.sentences();
        if let IndexReport::Rebuilt { why } = &self.index {
            out.push(format!("The index was built anew from the journal: {why}."));
        }
        out
    }
}

impl fmt::Display for OpenReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentences().join(" "))
    }
}
