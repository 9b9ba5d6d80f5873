//! The store itself: journal first, index second, acknowledgement last. What the index says is checked;
//! what it does not say rightly is taken from the journal.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chart::entropy::Entropy;
use journal::{Frame, Journal, KeysAndBytes, RealFiles, Stats};
use store::{
    Batch, Chain, EpochStart, Key, Retained, Store, StoreError, StoreReader, StoredEntry, Tip, chain_after,
};

use crate::checkpoint::{Checkpoint, digest};
use crate::index::{Broken, Found, Index};
use crate::kept_files::KeptFiles;
use crate::limits::{INLINE, Options};
use crate::open::{build, disk, index_dir, open, remove_others, set_aside};
use crate::report::OpenReport;

const INLINE_VALUE: u8 = 0;
const FILE_VALUE: u8 = 1;

/// The index and the number in its directory's name.
#[derive(Debug)]
struct Slot {
    index: Option<Index>,
    generation: u32,
    /// Why there is no index until the store is opened again.
    gone: Option<String>,
}

/// What runs between a batch's sync and its index rows.
struct BetweenSyncAndIndex(Box<dyn Fn() + Send + Sync>);

impl std::fmt::Debug for BetweenSyncAndIndex {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("BetweenSyncAndIndex")
    }
}

/// A store of one clinic in one directory: a journal as the record, sled as the index over it.
#[derive(Debug)]
pub struct SledStore {
    root: RealFiles,
    journal: Journal<RealFiles>,
    slot: Mutex<Slot>,
    kept_files: KeptFiles,
    options: Options,
    boot: [u8; 32],
    since_checkpoint: u64,
    between: Option<BetweenSyncAndIndex>,
}

impl SledStore {
    /// Opens the store in `dir`, or makes one. `entropy` names the epoch that may begin.
    ///
    /// Fails with [`StoreError::InUse`], [`StoreError::Damaged`] when neither half can mend the other,
    /// [`StoreError::NewerFormat`], or what the disk says.
    pub fn open(
        dir: impl AsRef<Path>,
        options: Options,
        entropy: &mut dyn Entropy,
    ) -> Result<(Self, OpenReport), StoreError> {
        let opened = open(dir.as_ref(), &options, entropy)?;
        let store = Self {
            kept_files: KeptFiles::new(dir.as_ref().join("kept")),
            root: opened.root,
            journal: opened.journal,
            slot: Mutex::new(Slot { index: Some(opened.index), generation: opened.generation, gone: None }),
            options,
            boot: opened.boot,
            since_checkpoint: 0,
            between: None,
        };
        Ok((store, opened.report))
    }

    /// Has something run whenever a batch is durable in the journal and the index does not know it yet: the
    /// moment at which a test ends the process or copies the directory.
    pub fn between_sync_and_index(&mut self, run: impl Fn() + Send + Sync + 'static) {
        self.between = Some(BetweenSyncAndIndex(Box::new(run)));
    }

    /// Closes the store in order: the next opening reads nothing again and can tell any change of the
    /// files.
    pub fn close(mut self) -> Result<(), StoreError> {
        if !self.journal.is_latched() {
            self.journal.write_mark()?;
        }
        self.checkpoint()?;
        let start = self.journal.start();
        let Slot { index, generation, .. } = self.slot.into_inner().unwrap_or_else(PoisonError::into_inner);
        if index.is_some_and(Index::close) && !self.journal.is_latched() {
            let closed = digest(&index_dir(self.root.dir(), generation)).map_err(disk("read the index"))?;
            let checkpoint = Checkpoint { generation, closed: Some(closed), boot: self.boot, start };
            checkpoint.write(&self.root).map_err(disk("write the checkpoint"))?;
        }
        Ok(())
    }

    /// Writes a checkpoint: everything up to here need not be read again after the process dies.
    pub fn checkpoint(&mut self) -> Result<(), StoreError> {
        let tip = self.journal.tip();
        let generation = self.with_index(|index| {
            // An index that lost its last row is not one to rely on.
            if tip.seq > 0 && !matches!(index.row(tip.seq)?, Found::Sound((row, _)) if row.chain == tip.chain)
            {
                return Err(Broken("the index does not end where the journal does".to_owned()));
            }
            index.note_epochs(self.journal.epochs())?;
            index.flush()
        });
        generation?;
        let generation = self.slot().generation;
        let checkpoint =
            Checkpoint { generation, closed: None, boot: self.boot, start: self.journal.start() };
        checkpoint.write(&self.root).map_err(disk("write the checkpoint"))?;
        self.since_checkpoint = 0;
        Ok(())
    }

    /// What the journal has done since opening.
    pub fn stats(&self) -> Stats {
        self.journal.stats()
    }

    /// True after a write that failed, and when the index could not be built anew: nothing is taken until
    /// the store is opened again.
    pub fn is_latched(&self) -> bool {
        self.journal.is_latched() || self.slot().gone.is_some()
    }

    /// The journal underneath.
    pub fn journal(&self) -> &Journal<RealFiles> {
        &self.journal
    }

    /// Compares the whole index with the whole journal; returns the number of entries compared. An
    /// index that differs is built anew; a journal that does not read is [`StoreError::Damaged`]: open
    /// with [`Options::full_check`] to have it mended.
    pub fn check(&self) -> Result<u64, StoreError> {
        let compare = |index: &Index| {
            let (mut entries, mut keys) = (0u64, 0u64);
            let mut differs = None;
            let walked = self.journal.replay(None, &mut |frame| {
                for entry in &frame.entries {
                    entries = entries.saturating_add(1);
                    let mut distinct = entry.keys.clone();
                    distinct.sort_unstable();
                    distinct.dedup();
                    keys = keys.saturating_add(distinct.len() as u64);
                    if differs.is_none() {
                        differs = same(index, entry, &distinct).err();
                    }
                }
                Ok(())
            });
            match differs {
                Some(why) => Err(why),
                None if walked.is_ok() && index.counts()? != (entries, keys) => {
                    Err(Broken("the index has rows the journal does not know".to_owned()))
                }
                None => Ok(walked.map(|()| entries)),
            }
        };
        self.with_index(compare)?
    }

    fn slot(&self) -> MutexGuard<'_, Slot> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs something on the index. An index that fails is set aside, built anew from the journal, and
    /// asked once more. That is tried once: an index that cannot be built is gone until the store is opened
    /// again, and every call says so at once.
    fn with_index<T>(&self, run: impl Fn(&Index) -> Result<T, Broken>) -> Result<T, StoreError> {
        let mut slot = self.slot();
        if let Some(index) = &slot.index
            && let Ok(value) = run(index)
        {
            return Ok(value);
        }
        if let Some(reason) = &slot.gone {
            return Err(StoreError::Disk { doing: "use the index", reason: reason.clone() });
        }
        let anew = self.build_anew(&mut slot, run);
        if let (None, Err(why)) = (&slot.index, &anew) {
            slot.gone = Some(format!("it broke and could not be built anew ({why}); start again"));
        }
        anew
    }

    /// Sets the index aside, builds it anew and runs something on it.
    fn build_anew<T>(
        &self,
        slot: &mut Slot,
        run: impl Fn(&Index) -> Result<T, Broken>,
    ) -> Result<T, StoreError> {
        let dir = self.root.dir();
        if let Some(index) = slot.index.take() {
            index.close();
            set_aside(dir, slot.generation)?;
        }
        slot.generation = slot.generation.saturating_add(1);
        let index = build(dir, slot.generation, &self.journal, None, &self.options)?;
        let checkpoint = Checkpoint {
            generation: slot.generation,
            closed: None,
            boot: self.boot,
            start: self.journal.start(),
        };
        let value = run(&index).map_err(|Broken(reason)| StoreError::Disk { doing: "use the index", reason });
        if index.flush().is_ok() {
            checkpoint.write(&self.root).map_err(disk("write the checkpoint"))?;
            remove_others(dir, slot.generation)?;
        }
        slot.index = Some(index);
        value
    }

    /// An entry from the journal by reading through its segment; puts its row right.
    fn read_through(&self, seq: u64) -> Result<StoredEntry, StoreError> {
        let lost =
            || StoreError::Damaged(format!("entry {seq} reads neither from the journal nor from the index"));
        let frame: Frame = self.journal.locate(seq)?.ok_or_else(lost)?;
        self.with_index(|index| index.apply(&frame))?;
        let epoch = frame.epoch;
        let entry = frame.entries.into_iter().find(|entry| entry.seq == seq).ok_or_else(lost)?;
        Ok(StoredEntry { seq, epoch, keys: entry.keys, bytes: entry.bytes, chain: entry.chain })
    }

    /// The chain value before an entry, if the index knows it.
    fn chain_before(&self, seq: u64) -> Result<Option<Chain>, StoreError> {
        match seq.checked_sub(1) {
            None | Some(0) => Ok(Some(Chain::START)),
            Some(before) => self.with_index(|index| {
                Ok(match index.row(before)? {
                    Found::Sound((row, _)) => Some(row.chain),
                    _ => None,
                })
            }),
        }
    }

    /// Refuses what would leave too little room for the index. A file system that does not tell its room is
    /// taken to have some: the write itself will say.
    fn must_have_room(&self) -> Result<(), StoreError> {
        let room = rustix::fs::statvfs(self.root.dir())
            .map_or(u64::MAX, |told| told.f_bavail.saturating_mul(told.f_frsize));
        if room < self.options.reserve_bytes { Err(StoreError::Full) } else { Ok(()) }
    }

    fn after_append(&mut self, frame: &Frame, bytes: u64) {
        // The batch is durable and counts, whatever the index does; a store whose index cannot even be
        // built anew takes no more.
        let mut well = self.with_index(|index| index.apply(frame)).is_ok();
        self.since_checkpoint = self.since_checkpoint.saturating_add(bytes);
        if well && self.since_checkpoint >= self.options.checkpoint_bytes {
            well = self.checkpoint().is_ok();
        }
        if !well {
            self.journal.latch();
        }
    }
}

/// Whether the index says of an entry what the journal says.
fn same(index: &Index, entry: &journal::FrameEntry, keys: &[Key]) -> Result<(), Broken> {
    let differs = || Broken(format!("the index differs from the journal at entry {}", entry.seq));
    let Found::Sound((row, copy)) = index.row(entry.seq)? else { return Err(differs()) };
    let record: Option<KeysAndBytes> = index.record(entry.seq, &copy)?;
    let alike = record.is_some_and(|(keys, bytes)| keys == entry.keys && bytes == entry.bytes);
    if !alike || row.chain != entry.chain || row.place != entry.place {
        return Err(differs());
    }
    for key in keys {
        if !index.has_key(*key, entry.seq)? {
            return Err(differs());
        }
    }
    Ok(())
}

impl StoreReader for SledStore {
    fn tip(&self) -> Tip {
        self.journal.tip()
    }

    fn epochs(&self) -> Vec<EpochStart> {
        self.journal.epochs().to_vec()
    }

    fn entry(&self, seq: u64) -> Result<Option<StoredEntry>, StoreError> {
        if seq == 0 || seq > self.journal.tip().seq {
            return Ok(None);
        }
        let found = self.with_index(|index| {
            Ok(match index.row(seq)? {
                Found::Sound((row, copy)) => Some((row, index.record(seq, &copy)?)),
                Found::Missing | Found::Damaged => None,
            })
        })?;
        let (Some((row, copy)), Some(before)) = (found, self.chain_before(seq)?) else {
            return self.read_through(seq).map(Some);
        };
        let sound = |(keys, bytes): &KeysAndBytes| chain_after(before, seq, keys, bytes) == row.chain;
        let record = match copy.filter(sound) {
            Some(record) => Some(record),
            None => self.journal.read(seq, row.place)?.filter(sound),
        };
        match record {
            Some((keys, bytes)) => {
                Ok(Some(StoredEntry { seq, epoch: row.epoch, keys, bytes, chain: row.chain }))
            }
            None => self.read_through(seq).map(Some),
        }
    }

    fn scan(&self, after: u64, limit: usize) -> Result<Vec<StoredEntry>, StoreError> {
        let first = after.saturating_add(1);
        (first..=self.journal.tip().seq).take(limit).filter_map(|seq| self.entry(seq).transpose()).collect()
    }

    fn find(&self, key: Key, after: u64, limit: usize) -> Result<Vec<u64>, StoreError> {
        let last = self.journal.tip().seq;
        self.with_index(|index| index.find(key, after, last, limit))
    }

    fn find_last(&self, key: Key, at_most: u64) -> Result<Option<u64>, StoreError> {
        let last = self.journal.tip().seq.min(at_most);
        self.with_index(|index| index.find_last(key, last))
    }

    fn kept(&self, key: Key) -> Result<Option<Vec<u8>>, StoreError> {
        let stored = self.with_index(|index| index.kept(key))?;
        Ok(stored.and_then(|stored| match stored.split_first() {
            Some((&INLINE_VALUE, value)) => Some(value.to_vec()),
            Some((&FILE_VALUE, digest)) => self.kept_files.get(key, digest),
            _ => None,
        }))
    }
}

impl Store for SledStore {
    fn commit(&mut self, batch: &Batch) -> Result<u64, StoreError> {
        let first = self.journal.tip().seq.saturating_add(1);
        let before = self.journal.stats().bytes;
        if self.is_latched() {
            return Err(StoreError::Latched);
        }
        if let Err(full) = self.must_have_room() {
            self.journal.latch();
            return Err(full);
        }
        let entries = self.journal.append(batch)?;
        if entries.is_empty() && batch.new_epoch.is_none() {
            return Ok(first);
        }
        if let Some(BetweenSyncAndIndex(run)) = &self.between {
            run();
        }
        let tip = self.journal.tip();
        let frame = Frame { epoch: tip.epoch, epoch_id: tip.epoch_id, entries, end: self.journal.mark() };
        if batch.new_epoch.is_some() {
            let epochs = self.journal.epochs();
            let noted = self.with_index(|index| index.note_epochs(epochs));
            if noted.is_err() {
                self.journal.latch();
            }
        }
        self.after_append(&frame, self.journal.stats().bytes.saturating_sub(before));
        Ok(first)
    }

    fn keep(&mut self, values: &[Retained]) -> Result<(), StoreError> {
        if self.is_latched() {
            return Err(StoreError::Latched);
        }
        for (key, value) in values {
            let stored = match value {
                Some(value) if value.len() > INLINE => {
                    let digest = self.kept_files.put(*key, value).map_err(disk("keep a derived value"))?;
                    Some([&[FILE_VALUE], digest.as_slice()].concat())
                }
                Some(value) => Some([&[INLINE_VALUE], value.as_slice()].concat()),
                None => None,
            };
            self.with_index(|index| index.keep(*key, stored.as_deref()))?;
            if value.as_ref().is_none_or(|value| value.len() <= INLINE) {
                self.kept_files.forget(*key);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
