//! Work that became durable a moment ago, in memory until it is judged, so that judging does not read back
//! from the record what has only just been written there. Bounded; what is not here is read from the record,
//! and says the same.

use std::collections::BTreeMap;

use session_note::admission::Submitted;

use crate::entry::Work;
use crate::limits::FRESH_BYTES_MAX;

/// A piece of work as it passed the door.
#[derive(Clone, Debug)]
pub(crate) struct FreshWork {
    pub(crate) head: Work,
    pub(crate) changes: Vec<Submitted>,
}

impl FreshWork {
    fn bytes(&self) -> usize {
        self.changes.iter().map(|one| one.candidate.bytes().len()).sum()
    }
}

/// Pieces of work by their entry.
#[derive(Debug, Default)]
pub(crate) struct Fresh {
    works: BTreeMap<u64, FreshWork>,
    bytes: usize,
}

impl Fresh {
    /// Keeps a piece of work; the oldest give way.
    pub(crate) fn keep(&mut self, seq: u64, work: FreshWork) {
        self.bytes = self.bytes.saturating_add(work.bytes());
        self.works.insert(seq, work);
        while self.bytes > FRESH_BYTES_MAX {
            let Some((oldest, _)) = self.works.first_key_value() else { return };
            self.forget(*oldest);
        }
    }

    pub(crate) fn get(&self, seq: u64) -> Option<&FreshWork> {
        self.works.get(&seq)
    }

    /// Lets a piece of work go that is judged to its end.
    pub(crate) fn forget(&mut self, seq: u64) {
        if let Some(work) = self.works.remove(&seq) {
            self.bytes = self.bytes.saturating_sub(work.bytes());
        }
    }
}
