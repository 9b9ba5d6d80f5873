//! The record as the server holds it: opened once, written by one thread, read beside it.
//!
//! Reads take turns with commits: a reader waits at most for one commit to reach the disk.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use store::{Batch, EpochStart, Key, Retained, Store, StoreError, StoreReader, StoredEntry, Tip};
use store_sled::{Options, SledStore};

use crate::edge::OsEntropy;
use crate::faults::{Faults, KillPoint};

/// The record of one clinic, shared between who writes and who reads.
#[derive(Clone, Debug)]
pub struct Record {
    store: Arc<RwLock<Option<SledStore>>>,
    latched: Arc<AtomicBool>,
}

/// After closing there is nothing to read or write.
fn closed() -> StoreError {
    StoreError::Disk { doing: "use the record", reason: "it is closed".to_owned() }
}

impl Record {
    /// Opens the record in a directory, or makes one; the sentences say what opening had to do.
    pub fn open(dir: &Path, faults: &Faults) -> Result<(Self, Vec<String>), StoreError> {
        let (mut store, report) = SledStore::open(dir, Options::default(), &mut OsEntropy)?;
        if faults.watches(KillPoint::BetweenSyncAndIndex) {
            let faults = faults.clone();
            store.between_sync_and_index(move || faults.pass(KillPoint::BetweenSyncAndIndex));
        }
        let record = Self { store: Arc::new(RwLock::new(Some(store))), latched: Arc::default() };
        Ok((record, report.sentences()))
    }

    /// Commits a batch; durable when this returns `Ok`.
    pub fn commit(&self, batch: &Batch) -> Result<u64, StoreError> {
        let mut store = self.store.write().unwrap_or_else(PoisonError::into_inner);
        let store = store.as_mut().ok_or_else(closed)?;
        let committed = store.commit(batch);
        self.note_latch(store);
        committed
    }

    /// Keeps derived values.
    pub fn keep(&self, values: &[Retained]) -> Result<(), StoreError> {
        let mut store = self.store.write().unwrap_or_else(PoisonError::into_inner);
        let store = store.as_mut().ok_or_else(closed)?;
        let kept = store.keep(values);
        self.note_latch(store);
        kept
    }

    /// Whether the record takes nothing more until it is opened again, as far as the last use of it showed.
    /// Waits for nobody.
    pub fn is_latched(&self) -> bool {
        self.latched.load(Ordering::Acquire)
    }

    fn note_latch(&self, store: &SledStore) {
        if store.is_latched() {
            self.latched.store(true, Ordering::Release);
        }
    }

    /// Closes the record in order. Whoever reads afterwards is told that it is closed.
    pub fn close(&self) -> Result<(), StoreError> {
        let store = self.store.write().unwrap_or_else(PoisonError::into_inner).take();
        store.map_or(Ok(()), SledStore::close)
    }

    fn read<T>(&self, read: impl FnOnce(&SledStore) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let store = self.store.read().unwrap_or_else(PoisonError::into_inner);
        let store = store.as_ref().ok_or_else(closed)?;
        let read = read(store);
        if read.is_err() {
            self.note_latch(store);
        }
        read
    }
}

impl StoreReader for Record {
    fn tip(&self) -> Tip {
        let none = Tip::empty(chart::ids::EpochId::from_bytes([0; 16]));
        self.read(|store| Ok(store.tip())).unwrap_or(none)
    }
    fn epochs(&self) -> Vec<EpochStart> {
        self.read(|store| Ok(store.epochs())).unwrap_or_default()
    }
    fn entry(&self, seq: u64) -> Result<Option<StoredEntry>, StoreError> {
        self.read(|store| store.entry(seq))
    }
    fn scan(&self, after: u64, limit: usize) -> Result<Vec<StoredEntry>, StoreError> {
        self.read(|store| store.scan(after, limit))
    }
    fn find(&self, key: Key, after: u64, limit: usize) -> Result<Vec<u64>, StoreError> {
        self.read(|store| store.find(key, after, limit))
    }
    fn find_last(&self, key: Key, at_most: u64) -> Result<Option<u64>, StoreError> {
        self.read(|store| store.find_last(key, at_most))
    }
    fn kept(&self, key: Key) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(|store| store.kept(key))
    }
}
