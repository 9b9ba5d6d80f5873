//! The reference store: what every other back end is compared with. Keeps everything in memory and
//! loses it with the process; never for a clinic.

use std::collections::{BTreeMap, BTreeSet};

use chart::ids::EpochId;

use crate::contract::{
    BATCH_LIMIT, Batch, EpochStart, Key, Retained, Store, StoreError, StoreReader, StoredEntry, Tip,
    chain_after,
};

/// A store in memory. `Clone` copies the whole log.
#[derive(Clone, Debug)]
pub struct MemoryStore {
    tip: Tip,
    epochs: Vec<EpochStart>,
    entries: BTreeMap<u64, StoredEntry>,
    by_key: BTreeSet<(Key, u64)>,
    kept: BTreeMap<Key, Vec<u8>>,
    limit: usize,
    fail_next: bool,
    latched: bool,
}

impl MemoryStore {
    /// An empty log in epoch 1 with this id.
    pub fn new(epoch_id: EpochId) -> Self {
        let tip = Tip::empty(epoch_id);
        Self {
            tip,
            epochs: vec![EpochStart { epoch: 1, epoch_id, parent_seq: 0, parent_chain: tip.chain }],
            entries: BTreeMap::new(),
            by_key: BTreeSet::new(),
            kept: BTreeMap::new(),
            limit: BATCH_LIMIT,
            fail_next: false,
            latched: false,
        }
    }

    /// Makes the next commit fail as a full disk would; the store is latched after it.
    pub fn fail_next_commit(&mut self) {
        self.fail_next = true;
    }

    /// Opens the store again: lifts the latch and forgets derived values, as a restart may.
    pub fn reopen(&mut self) {
        self.latched = false;
        self.fail_next = false;
        self.kept.clear();
    }
}

impl StoreReader for MemoryStore {
    fn tip(&self) -> Tip {
        self.tip
    }
    fn epochs(&self) -> Vec<EpochStart> {
        self.epochs.clone()
    }
    fn entry(&self, seq: u64) -> Result<Option<StoredEntry>, StoreError> {
        Ok(self.entries.get(&seq).cloned())
    }
    fn scan(&self, after: u64, limit: usize) -> Result<Vec<StoredEntry>, StoreError> {
        let Some(first) = after.checked_add(1) else { return Ok(Vec::new()) };
        Ok(self.entries.range(first..).take(limit).map(|(_, entry)| entry.clone()).collect())
    }
    fn find(&self, key: Key, after: u64, limit: usize) -> Result<Vec<u64>, StoreError> {
        let Some(first) = after.checked_add(1) else { return Ok(Vec::new()) };
        Ok(self.by_key.range((key, first)..=(key, u64::MAX)).take(limit).map(|(_, seq)| *seq).collect())
    }
    fn find_last(&self, key: Key, at_most: u64) -> Result<Option<u64>, StoreError> {
        Ok(self.by_key.range((key, 0)..=(key, at_most)).next_back().map(|(_, seq)| *seq))
    }
    fn kept(&self, key: Key) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.kept.get(&key).cloned())
    }
}

impl Store for MemoryStore {
    fn commit(&mut self, batch: &Batch) -> Result<u64, StoreError> {
        if self.latched {
            return Err(StoreError::Latched);
        }
        batch.check(self.limit)?;
        if self.fail_next {
            self.latched = true;
            return Err(StoreError::Full);
        }
        let first = self.tip.seq.saturating_add(1);
        if let Some(epoch_id) = batch.new_epoch {
            self.tip.epoch = self.tip.epoch.saturating_add(1);
            self.tip.epoch_id = epoch_id;
            self.epochs.push(EpochStart {
                epoch: self.tip.epoch,
                epoch_id,
                parent_seq: self.tip.seq,
                parent_chain: self.tip.chain,
            });
        }
        for entry in &batch.entries {
            let seq = self.tip.seq.saturating_add(1);
            self.tip.chain = chain_after(self.tip.chain, seq, &entry.keys, &entry.bytes);
            self.tip.seq = seq;
            self.by_key.extend(entry.keys.iter().map(|key| (*key, seq)));
            let stored = StoredEntry {
                seq,
                epoch: self.tip.epoch,
                keys: entry.keys.clone(),
                bytes: entry.bytes.clone(),
                chain: self.tip.chain,
            };
            self.entries.insert(seq, stored);
        }
        Ok(first)
    }

    fn keep(&mut self, values: &[Retained]) -> Result<(), StoreError> {
        if self.latched {
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
