//! A machine's disk: the real journal store on the modelled disk, with crashes, copies and faults.
//! Decides nothing about what is written; the wrong answers it can give are planted on purpose.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;

use chart::entropy::Entropy;
use journal::{Crash, Fault, JournalStore, OpenReport, Options, SimDisk, Vfs};
use store::{Batch, EpochStart, Key, Retained, Store, StoreError, StoreReader, StoredEntry, Tip};

use crate::dice::Dice;

/// Small segments, so that a short run has several.
const OPTIONS: Options = Options { segment_bytes: 24 * 1024, batch_bytes: store::BATCH_LIMIT };

/// The file system of a machine: the modelled disk, and the lie it may tell.
#[derive(Clone, Debug)]
pub(crate) struct Files {
    disk: SimDisk,
    /// Says "synced" without syncing.
    lies: bool,
    /// Writes and syncs until one fails, and how.
    failing: std::rc::Rc<std::cell::Cell<Option<(u64, Fault)>>>,
}

impl Files {
    fn maybe_fail(&self) {
        match self.failing.take() {
            Some((0, fault)) => self.disk.fail_call(self.disk.calls(), fault),
            Some((left, fault)) => self.failing.set(Some((left - 1, fault))),
            None => {}
        }
    }
}

/// Answers of an index, by question.
type Answers = BTreeMap<(Key, u64), Vec<u64>>;

/// A store with the disk under it. Without a store while the machine is off.
pub(crate) struct Disk {
    files: Files,
    store: Option<JournalStore<Files>>,
    kept: BTreeMap<Key, Vec<u8>>,
    /// Answers of `find` that are given again for ever, if that is planted.
    frozen: Option<RefCell<Answers>>,
}

impl Disk {
    /// An empty disk.
    pub(crate) fn new(lies: bool, frozen: bool) -> Self {
        let files = Files { disk: SimDisk::default(), lies, failing: std::rc::Rc::default() };
        let frozen = frozen.then(|| RefCell::new(BTreeMap::new()));
        Self { files, store: None, kept: BTreeMap::new(), frozen }
    }

    /// Opens the store.
    ///
    /// # Errors
    /// What the store says.
    pub(crate) fn open(&mut self, dice: &mut Dice) -> Result<OpenReport, StoreError> {
        let (store, report) = JournalStore::open(self.files.clone(), OPTIONS, dice)?;
        self.store = Some(store);
        Ok(report)
    }

    /// Opens the store; where an injected fault stands in the way, the machine is switched off and on.
    ///
    /// # Errors
    /// What the store says the second time.
    pub(crate) fn open_at_last(&mut self, dice: &mut Dice) -> Result<OpenReport, StoreError> {
        if dice.chance(1, 8) {
            self.cut_power_soon(dice);
        }
        self.open_again(dice)
    }

    /// As [`Disk::open_at_last`], without a power cut of its own.
    ///
    /// # Errors
    /// What the store says the second time.
    pub(crate) fn open_again(&mut self, dice: &mut Dice) -> Result<OpenReport, StoreError> {
        match self.open(dice) {
            Ok(report) => Ok(report),
            Err(_) => {
                self.heal();
                self.crash(dice);
                self.open(dice)
            }
        }
    }

    /// Lets the store go, keeping what the system would still write: no power was lost.
    pub(crate) fn close(&mut self) {
        self.store = None;
    }

    /// The power goes: what was not synced is at the mercy of the disk. Derived values may go too.
    pub(crate) fn crash(&mut self, dice: &mut Dice) {
        self.store = None;
        let mode = dice.pick(&Crash::ALL).copied().unwrap_or(Crash::Drop);
        self.files.disk.crash(mode, dice);
        if dice.chance(1, 2) {
            self.kept.clear();
        }
    }

    /// Cuts the power within the next few calls.
    pub(crate) fn cut_power_soon(&self, dice: &mut Dice) {
        self.files.disk.cut_power_at(self.files.disk.calls() + dice.below(6));
    }

    /// Makes one of the next writes or syncs fail.
    pub(crate) fn fail_soon(&self, dice: &mut Dice) {
        let faults = [Fault::Io, Fault::Full, Fault::ShortWrite];
        let fault = dice.pick(&faults).copied().unwrap_or(Fault::Io);
        self.files.failing.set(Some((dice.below(4), fault)));
    }

    /// No write fails any more.
    pub(crate) fn heal(&self) {
        self.files.failing.set(None);
    }

    /// A copy of what is durable.
    pub(crate) fn copy(&self, dice: &mut Dice) -> SimDisk {
        let copy = self.files.disk.snapshot();
        copy.crash(Crash::Drop, dice);
        copy
    }

    /// Puts a copy in the place of the disk; derived values may survive, as they do when only the
    /// record is restored.
    pub(crate) fn put_back(&mut self, copy: &SimDisk, keep_derived: bool) {
        self.store = None;
        self.files.disk = copy.snapshot();
        if !keep_derived {
            self.kept.clear();
        }
    }

    /// Writes a batch.
    ///
    /// # Errors
    /// What the store says.
    pub(crate) fn commit(&mut self, batch: &Batch) -> Result<u64, StoreError> {
        match &mut self.store {
            Some(store) => store.commit(batch),
            None => Err(StoreError::Latched),
        }
    }

    /// Keeps derived values.
    pub(crate) fn keep(&mut self, values: Vec<Retained>) {
        for (key, value) in values {
            match value {
                Some(value) => _ = self.kept.insert(key, value),
                None => _ = self.kept.remove(&key),
            }
        }
    }
}

impl StoreReader for Disk {
    fn tip(&self) -> Tip {
        match &self.store {
            Some(store) => store.tip(),
            None => Tip::empty(chart::ids::EpochId::from_bytes([0; 16])),
        }
    }
    fn epochs(&self) -> Vec<EpochStart> {
        self.store.as_ref().map(StoreReader::epochs).unwrap_or_default()
    }
    fn entry(&self, seq: u64) -> Result<Option<StoredEntry>, StoreError> {
        self.store.as_ref().ok_or(StoreError::Latched)?.entry(seq)
    }
    fn scan(&self, after: u64, limit: usize) -> Result<Vec<StoredEntry>, StoreError> {
        self.store.as_ref().ok_or(StoreError::Latched)?.scan(after, limit)
    }
    fn find(&self, key: Key, after: u64, limit: usize) -> Result<Vec<u64>, StoreError> {
        let found = self.store.as_ref().ok_or(StoreError::Latched)?.find(key, after, limit)?;
        match &self.frozen {
            // Only questions from the start of the log, so that feeds and walks still get on.
            Some(frozen) if after == 0 && !found.is_empty() => {
                Ok(frozen.borrow_mut().entry((key, after)).or_insert(found).clone())
            }
            _ => Ok(found),
        }
    }
    fn find_last(&self, key: Key, at_most: u64) -> Result<Option<u64>, StoreError> {
        self.store.as_ref().ok_or(StoreError::Latched)?.find_last(key, at_most)
    }
    fn kept(&self, key: Key) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.kept.get(&key).cloned())
    }
}

/// Begins a new epoch on a closed disk, as the command that restores a backup does.
///
/// # Errors
/// What the store says.
pub(crate) fn begin_epoch(disk: &mut Disk, dice: &mut Dice) -> Result<(), StoreError> {
    let epoch = chart::ids::EpochId::random(dice as &mut dyn Entropy);
    disk.commit(&Batch { entries: Vec::new(), new_epoch: Some(epoch) }).map(|_| ())
}

impl Vfs for Files {
    fn lock(&self) -> io::Result<()> {
        self.disk.lock()
    }
    fn place(&self) -> String {
        self.disk.place()
    }
    fn list(&self) -> io::Result<Vec<String>> {
        self.disk.list()
    }
    fn len(&self, name: &str) -> io::Result<Option<u64>> {
        self.disk.len(name)
    }
    fn create(&self, name: &str) -> io::Result<()> {
        self.disk.create(name)
    }
    fn read_at(&self, name: &str, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.disk.read_at(name, offset, buffer)
    }
    fn write_at(&self, name: &str, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.maybe_fail();
        self.disk.write_at(name, offset, bytes)
    }
    fn truncate(&self, name: &str, len: u64) -> io::Result<()> {
        self.disk.truncate(name, len)
    }
    fn sync_data(&self, name: &str) -> io::Result<()> {
        if self.lies {
            return Ok(());
        }
        self.maybe_fail();
        self.disk.sync_data(name)
    }
    fn sync_dir(&self) -> io::Result<()> {
        self.disk.sync_dir()
    }
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.disk.rename(from, to)
    }
    fn remove(&self, name: &str) -> io::Result<()> {
        self.disk.remove(name)
    }
}
