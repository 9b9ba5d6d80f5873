//! The index over the journal: sled, held at arm's length. Every call may fail or panic and says so;
//! nothing here is the record, all of it can be built again from the journal.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use chart::ids::EpochId;
use journal::{Frame, RepairSource};
use store::{EpochStart, Key, StoredEntry};

use crate::limits::{FLUSH_EVERY_MS, OPEN_WITHIN, RELEASE_WITHIN};
use crate::row::{self, Copy, Row};

/// Why the index cannot be used any more: a sentence for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Broken(pub(crate) String);

impl From<sled::Error> for Broken {
    fn from(error: sled::Error) -> Self {
        Self(format!("the index reported: {error}"))
    }
}

/// A row as found.
pub(crate) enum Found<T> {
    /// Not there.
    Missing,
    /// There, and not what was written.
    Damaged,
    /// Sound.
    Sound(T),
}

/// An open index.
#[derive(Debug)]
pub(crate) struct Index {
    path: PathBuf,
    db: sled::Db,
    rows: sled::Tree,
    pieces: sled::Tree,
    keys: sled::Tree,
    epochs: sled::Tree,
    kept: sled::Tree,
}

/// Runs something in sled's hands; a panic becomes an error.
pub(crate) fn guard<T>(run: impl FnOnce() -> Result<T, Broken>) -> Result<T, Broken> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| Err(Broken("the index panicked".to_owned())))
}

impl Index {
    /// Opens an index in a thread of its own: an error, a panic and a hang all come back as [`Broken`].
    pub(crate) fn open(path: &Path, cache_bytes: u64) -> Result<Self, Broken> {
        let (done, opened) = mpsc::channel();
        let path = path.to_owned();
        let open = move || {
            let opened = guard(|| Self::open_here(path, cache_bytes));
            let _ = done.send(opened);
        };
        std::thread::Builder::new()
            .name("index-open".to_owned())
            .spawn(open)
            .map_err(|error| Broken(format!("the index could not be opened: {error}")))?;
        opened
            .recv_timeout(OPEN_WITHIN)
            .unwrap_or_else(|_| Err(Broken("the index did not open in time".to_owned())))
    }

    fn open_here(path: PathBuf, cache_bytes: u64) -> Result<Self, Broken> {
        wait_until_free(&path, RELEASE_WITHIN);
        let db = sled::Config::default()
            .path(&path)
            .mode(sled::Mode::HighThroughput)
            .cache_capacity(cache_bytes)
            .flush_every_ms(Some(FLUSH_EVERY_MS))
            .open()?;
        Ok(Self {
            rows: db.open_tree("rows")?,
            pieces: db.open_tree("pieces")?,
            keys: db.open_tree("keys")?,
            epochs: db.open_tree("epochs")?,
            kept: db.open_tree("kept")?,
            path,
            db,
        })
    }

    /// Writes what a frame of the journal says. Not durable, and need not be.
    pub(crate) fn apply(&self, frame: &Frame) -> Result<(), Broken> {
        let (mut rows, mut pieces, mut keys) =
            (sled::Batch::default(), sled::Batch::default(), sled::Batch::default());
        for entry in &frame.entries {
            let encoded = row::encode(frame.epoch, entry);
            for (n, piece) in (0..).zip(encoded.pieces) {
                pieces.insert(&row::piece_name(entry.seq, n), piece);
            }
            for key in &entry.keys {
                let name = row::key_name(*key, entry.seq);
                keys.insert(&name, row::guarded(&name, &[]));
            }
            rows.insert(&entry.seq.to_be_bytes(), encoded.row);
        }
        guard(|| {
            self.pieces.apply_batch(pieces)?;
            self.keys.apply_batch(keys)?;
            self.rows.apply_batch(rows)?;
            Ok(())
        })
    }

    /// Notes the epochs, so that a second copy knows whose its entries are.
    pub(crate) fn note_epochs(&self, epochs: &[EpochStart]) -> Result<(), Broken> {
        guard(|| {
            for start in epochs {
                let name = start.epoch.to_be_bytes();
                self.epochs.insert(name, row::guarded(&name, &journal::encode_epoch(start)))?;
            }
            Ok(())
        })
    }

    pub(crate) fn row(&self, seq: u64) -> Result<Found<(Row, Copy)>, Broken> {
        let Some(stored) = guard(|| Ok(self.rows.get(seq.to_be_bytes())?))? else {
            return Ok(Found::Missing);
        };
        Ok(row::decode(seq, &stored).map_or(Found::Damaged, Found::Sound))
    }

    /// The record of an entry from its second copy; `None` if any of it is missing or damaged.
    pub(crate) fn record(&self, seq: u64, copy: &Copy) -> Result<Option<journal::KeysAndBytes>, Broken> {
        let count = match copy {
            Copy::Inline(record) => return Ok(row::decode_record(record)),
            Copy::Pieces(count) => *count,
        };
        let mut record = Vec::new();
        for piece in 0..count {
            let name = row::piece_name(seq, piece);
            let stored = guard(|| Ok(self.pieces.get(name)?))?;
            let Some(bytes) = stored.as_deref().and_then(|stored| row::unguarded(&name, stored)) else {
                return Ok(None);
            };
            record.extend_from_slice(bytes);
        }
        Ok(row::decode_record(&record))
    }

    /// Numbers under a key, over `after` and not over `at_most`, in order.
    pub(crate) fn find(&self, key: Key, after: u64, at_most: u64, limit: usize) -> Result<Vec<u64>, Broken> {
        let Some(first) = after.checked_add(1).filter(|first| *first <= at_most) else {
            return Ok(Vec::new());
        };
        guard(|| {
            let range = self.keys.range(row::key_name(key, first)..=row::key_name(key, at_most));
            range.take(limit).map(|row| sound_seq(row?)).collect()
        })
    }

    /// The last number under a key that is not over `at_most`.
    pub(crate) fn find_last(&self, key: Key, at_most: u64) -> Result<Option<u64>, Broken> {
        guard(|| {
            let mut range = self.keys.range(row::key_name(key, 0)..=row::key_name(key, at_most));
            range.next_back().map(|row| sound_seq(row?)).transpose()
        })
    }

    /// A kept value's row, if it is sound.
    pub(crate) fn kept(&self, key: Key) -> Result<Option<Vec<u8>>, Broken> {
        let stored = guard(|| Ok(self.kept.get(key.0)?))?;
        Ok(stored.as_deref().and_then(|stored| row::unguarded(&key.0, stored)).map(<[u8]>::to_vec))
    }

    /// Keeps or forgets a value's row.
    pub(crate) fn keep(&self, key: Key, value: Option<&[u8]>) -> Result<(), Broken> {
        guard(|| {
            match value {
                Some(value) => self.kept.insert(key.0, row::guarded(&key.0, value))?,
                None => self.kept.remove(key.0)?,
            };
            Ok(())
        })
    }

    /// Brings the sound kept values of another index over.
    pub(crate) fn take_kept(&self, other: &Index) -> Result<(), Broken> {
        guard(|| {
            for row in &other.kept {
                let (name, stored) = row?;
                if row::unguarded(&name, &stored).is_some() {
                    self.kept.insert(name, stored)?;
                }
            }
            Ok(())
        })
    }

    /// How many rows there are: of entries and of keys.
    pub(crate) fn counts(&self) -> Result<(u64, u64), Broken> {
        guard(|| Ok((self.rows.len() as u64, self.keys.len() as u64)))
    }

    /// Whether an index key's row for an entry is there and sound.
    pub(crate) fn has_key(&self, key: Key, seq: u64) -> Result<bool, Broken> {
        let name = row::key_name(key, seq);
        let stored = guard(|| Ok(self.keys.get(name)?))?;
        Ok(stored.is_some_and(|stored| row::unguarded(&name, &stored).is_some()))
    }

    /// Writes everything out and syncs it: sled's own flush does not.
    pub(crate) fn flush(&self) -> Result<(), Broken> {
        guard(|| {
            self.db.flush()?;
            let failed = |error| Broken(format!("the index could not be synced: {error}"));
            std::fs::File::open(self.path.join("db")).and_then(|file| file.sync_data()).map_err(failed)?;
            std::fs::File::open(&self.path).and_then(|dir| dir.sync_all()).map_err(failed)
        })
    }

    /// Closes the index; true once its files are no longer in use.
    pub(crate) fn close(self) -> bool {
        let path = self.path.clone();
        let _ = guard(|| {
            drop(self);
            Ok(())
        });
        wait_until_free(&path, RELEASE_WITHIN)
    }
}

fn sound_seq((name, stored): (sled::IVec, sled::IVec)) -> Result<u64, Broken> {
    row::unguarded(&name, &stored)
        .and_then(|_| row::seq_of(&name))
        .ok_or_else(|| Broken("a row of the index is damaged".to_owned()))
}

/// Waits until nobody holds the lock on an index's file; threads of an index that was dropped let go a
/// little later.
fn wait_until_free(path: &Path, within: Duration) -> bool {
    let until = Instant::now() + within;
    loop {
        let Ok(file) = std::fs::OpenOptions::new().read(true).write(true).open(path.join("db")) else {
            return true;
        };
        if file.try_lock().is_ok() {
            return true;
        }
        if Instant::now() >= until {
            return false;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// An index as the journal's second copy.
pub(crate) struct SecondCopy<'a>(pub(crate) Option<&'a Index>);

impl RepairSource for SecondCopy<'_> {
    fn entry(&mut self, seq: u64) -> Option<(StoredEntry, EpochId)> {
        let index = self.0?;
        let Ok(Found::Sound((row, copy))) = index.row(seq) else { return None };
        let (keys, bytes) = index.record(seq, &copy).ok().flatten()?;
        let name = row.epoch.to_be_bytes();
        let stored = guard(|| Ok(index.epochs.get(name)?)).ok().flatten()?;
        let start = row::unguarded(&name, &stored).and_then(journal::decode_epoch)?;
        Some((StoredEntry { seq, epoch: row.epoch, keys, bytes, chain: row.chain }, start.epoch_id))
    }
}

/// Damage for tests.
#[cfg(test)]
impl Index {
    pub(crate) fn spoil_row(&self, seq: u64, with: Option<&[u8]>) -> Result<(), Broken> {
        let name = seq.to_be_bytes();
        match with {
            Some(bytes) => self.rows.insert(name, bytes)?,
            None => self.rows.remove(name)?,
        };
        Ok(())
    }
    pub(crate) fn spoil_pieces(&self) -> Result<(), Broken> {
        Ok(self.pieces.clear()?)
    }
    pub(crate) fn spoil_key(&self, key: Key, seq: u64) -> Result<(), Broken> {
        self.keys.remove(row::key_name(key, seq))?;
        Ok(())
    }
}
