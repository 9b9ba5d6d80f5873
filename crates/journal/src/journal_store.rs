//! A store over a journal with its index in memory: for tablets and for simulations. Entry bytes stay
//! on the disk; derived values live in memory only and are gone after a restart.

use std::collections::{BTreeMap, BTreeSet};

use chart::entropy::Entropy;
use store::{
    Batch, Chain, EpochStart, Key, Retained, Store, StoreError, StoreReader, StoredEntry, Tip, chain_after,
};

use crate::frame::{FrameEntry, Place};
use crate::journal::{Journal, Options, Stats};
use crate::recover::{NoSource, RepairSource};
use crate::report::OpenReport;
use crate::vfs::Vfs;

#[derive(Clone, Copy, Debug)]
struct Row {
    epoch: u32,
    chain: Chain,
    place: Place,
}

#[derive(Debug, Default)]
struct Index {
    rows: BTreeMap<u64, Row>,
    by_key: BTreeSet<(Key, u64)>,
}

impl Index {
    fn add(&mut self, epoch: u32, entries: &[FrameEntry]) {
        for FrameEntry { seq, keys, chain, place, .. } in entries {
            self.by_key.extend(keys.iter().map(|key| (*key, *seq)));
            self.rows.insert(*seq, Row { epoch, chain: *chain, place: *place });
        }
    }
}

/// A journal and an index over it in memory.
#[derive(Debug)]
pub struct JournalStore<V: Vfs> {
    journal: Journal<V>,
    index: Index,
    kept: BTreeMap<Key, Vec<u8>>,
}

impl<V: Vfs> JournalStore<V> {
    /// Opens the journal in `vfs`, or makes one; the report says what had to be done. `entropy` names
    /// the epoch that may begin.
    pub fn open(
        vfs: V,
        options: Options,
        entropy: &mut dyn Entropy,
    ) -> Result<(Self, OpenReport), StoreError> {
        Self::open_with(vfs, options, entropy, &mut NoSource)
    }

    /// Opens with a second copy to mend damage from.
    pub fn open_with(
        vfs: V,
        options: Options,
        entropy: &mut dyn Entropy,
        source: &mut dyn RepairSource,
    ) -> Result<(Self, OpenReport), StoreError> {
        let mut index = Index::default();
        let (journal, report) = Journal::open(vfs, options, entropy, source, None, &mut |frame| {
            index.add(frame.epoch, &frame.entries);
            Ok(())
        })?;
        Ok((Self { journal, index, kept: BTreeMap::new() }, report))
    }

    /// Closes the journal, noting durably how far it has come.
    pub fn close(mut self) -> Result<(), StoreError> {
        self.journal.write_mark()
    }

    /// What was done since opening.
    pub fn stats(&self) -> Stats {
        self.journal.stats()
    }

    /// The journal underneath.
    pub fn journal(&self) -> &Journal<V> {
        &self.journal
    }

    fn stored(&self, seq: u64, row: &Row) -> Result<StoredEntry, StoreError> {
        let before = match seq.checked_sub(1).and_then(|seq| self.index.rows.get(&seq)) {
            Some(row) => row.chain,
            None => Chain::START,
        };
        match self.journal.read(seq, row.place)? {
            Some((keys, bytes)) if chain_after(before, seq, &keys, &bytes) == row.chain => {
                Ok(StoredEntry { seq, epoch: row.epoch, keys, bytes, chain: row.chain })
            }
            _ => Err(StoreError::Damaged(format!("entry {seq} no longer reads as it was written"))),
        }
    }
}

impl<V: Vfs> StoreReader for JournalStore<V> {
    fn tip(&self) -> Tip {
        self.journal.tip()
    }
    fn epochs(&self) -> Vec<EpochStart> {
        self.journal.epochs().to_vec()
    }
    fn entry(&self, seq: u64) -> Result<Option<StoredEntry>, StoreError> {
        self.index.rows.get(&seq).map(|row| self.stored(seq, row)).transpose()
    }
    fn scan(&self, after: u64, limit: usize) -> Result<Vec<StoredEntry>, StoreError> {
        let Some(first) = after.checked_add(1) else { return Ok(Vec::new()) };
        self.index.rows.range(first..).take(limit).map(|(seq, row)| self.stored(*seq, row)).collect()
    }
    fn find(&self, key: Key, after: u64, limit: usize) -> Result<Vec<u64>, StoreError> {
        let Some(first) = after.checked_add(1) else { return Ok(Vec::new()) };
        Ok(self.index.by_key.range((key, first)..=(key, u64::MAX)).take(limit).map(|(_, seq)| *seq).collect())
    }
    fn find_last(&self, key: Key, at_most: u64) -> Result<Option<u64>, StoreError> {
        Ok(self.index.by_key.range((key, 0)..=(key, at_most)).next_back().map(|(_, seq)| *seq))
    }
    fn kept(&self, key: Key) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.kept.get(&key).cloned())
    }
}

impl<V: Vfs> Store for JournalStore<V> {
    fn commit(&mut self, batch: &Batch) -> Result<u64, StoreError> {
        let first = self.journal.tip().seq.saturating_add(1);
        let entries = self.journal.append(batch)?;
        self.index.add(self.journal.tip().epoch, &entries);
        Ok(first)
    }

    fn keep(&mut self, values: &[Retained]) -> Result<(), StoreError> {
        if self.journal.is_latched() {
            return Err(StoreError::Latched);
        }
        for (key, value) in values {
            match value {
                Some(value) => self.kept.insert(*key, value.clone()),
                None => self.kept.remove(key),
            };
        }
        Ok(())
    }
}
