//! The verbs of a store and the shapes they carry. No I/O, no ciphers.

use chart::ids::EpochId;

/// A name under which entries are found: a keyed hash, so that it says nothing by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(pub [u8; 16]);

/// The chain value after an entry: BLAKE3 over the value before and the entry's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Chain(pub [u8; 32]);

/// A place in a log: the epoch and the entry's number in it.
///
/// Numbers start at 1 and go on through epochs without gaps: an epoch begins at the number after its
/// parent's last. 0 means "before everything".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The epoch's number, from 1.
    pub epoch: u32,
    /// The entry's number.
    pub seq: u64,
}

/// Where a log ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tip {
    /// The current epoch's number, from 1.
    pub epoch: u32,
    /// The current epoch's random id.
    pub epoch_id: EpochId,
    /// The last entry's number; 0 while the log is empty.
    pub seq: u64,
    /// The chain value after the last entry.
    pub chain: Chain,
}

/// Where an epoch of the log began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochStart {
    /// The epoch's number, from 1.
    pub epoch: u32,
    /// The epoch's random id.
    pub epoch_id: EpochId,
    /// The number of the last entry before it; its own first entry has the next number.
    pub parent_seq: u64,
    /// The chain value before its first entry.
    pub parent_chain: Chain,
}

impl Tip {
    /// The end of a log that holds nothing yet.
    pub const fn empty(epoch_id: EpochId) -> Self {
        Self { epoch: 1, epoch_id, seq: 0, chain: Chain::START }
    }
    /// The end as a place.
    pub const fn position(&self) -> Position {
        Position { epoch: self.epoch, seq: self.seq }
    }
}

impl Chain {
    /// The chain value before the first entry.
    pub const START: Self = Self([0; 32]);
}

/// An entry on its way into the log: sealed bytes and the keys to find it by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEntry {
    /// The keys; an entry is found under each.
    pub keys: Vec<Key>,
    /// The sealed bytes.
    pub bytes: Vec<u8>,
}

/// An entry read back from the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEntry {
    /// Its number.
    pub seq: u64,
    /// The epoch it was written in.
    pub epoch: u32,
    /// Its keys.
    pub keys: Vec<Key>,
    /// Its sealed bytes.
    pub bytes: Vec<u8>,
    /// The chain value after it.
    pub chain: Chain,
}

/// What lands together or not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// The entries, in order.
    pub entries: Vec<NewEntry>,
    /// Begins a new epoch with this random id before the first entry.
    pub new_epoch: Option<EpochId>,
}

/// A derived value to keep (`Some`) or forget (`None`).
pub type Retained = (Key, Option<Vec<u8>>);

/// Why a store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk refused; nothing of the batch counts as written, and the store is latched.
    #[error("the disk refused to {doing}: {reason}")]
    Disk {
        /// What was being done.
        doing: &'static str,
        /// What the system said.
        reason: String,
    },
    /// The disk is full; the store is latched, everything acknowledged is safe.
    #[error(
        "the disk is full: nothing new can be saved until space is freed and the server is started again"
    )]
    Full,
    /// An earlier commit failed; only reading is possible until the store is opened again.
    #[error("an earlier write failed, so the store only reads until it is opened again")]
    Latched,
    /// Another process has the store open.
    #[error("another process is already using the store in {0}")]
    InUse(String),
    /// The files are damaged in a way that neither half could repair.
    #[error("the record is damaged: {0}")]
    Damaged(String),
    /// The batch is larger than the store takes at once.
    #[error("a batch of {bytes} bytes is over the limit of {limit}")]
    TooLarge {
        /// The size asked for, in bytes.
        bytes: usize,
        /// The limit, in bytes.
        limit: usize,
    },
    /// The files were written by a newer version.
    #[error("the store has format {found}, this version reads up to {known}: use a newer gaitway")]
    NewerFormat {
        /// The format on disk.
        found: u32,
        /// The newest one known here.
        known: u32,
    },
}

/// Reading: what a pure machine may be handed.
pub trait StoreReader {
    /// Where the log ends.
    fn tip(&self) -> Tip;
    /// Every epoch of this log, oldest first; empty from a reader that does not know them, which no
    /// store may be.
    fn epochs(&self) -> Vec<EpochStart> {
        Vec::new()
    }
    /// One entry by number.
    fn entry(&self, seq: u64) -> Result<Option<StoredEntry>, StoreError>;
    /// Up to `limit` entries with numbers over `after`, in order.
    fn scan(&self, after: u64, limit: usize) -> Result<Vec<StoredEntry>, StoreError>;
    /// Numbers of up to `limit` entries under a key, over `after`, in order.
    fn find(&self, key: Key, after: u64, limit: usize) -> Result<Vec<u64>, StoreError>;
    /// Number of the last entry under a key that is not over `at_most`.
    fn find_last(&self, key: Key, at_most: u64) -> Result<Option<u64>, StoreError>;
    /// A derived value, if it is still kept.
    fn kept(&self, key: Key) -> Result<Option<Vec<u8>>, StoreError>;
}

/// Writing: one owner at a time.
pub trait Store: StoreReader {
    /// Writes a batch; durable when this returns `Ok` with the number of its first entry.
    ///
    /// An empty batch without a new epoch writes nothing and returns the next number.
    fn commit(&mut self, batch: &Batch) -> Result<u64, StoreError>;
    /// Keeps or forgets derived values; promises nothing about a restart.
    fn keep(&mut self, values: &[Retained]) -> Result<(), StoreError>;
}

impl Batch {
    /// What the batch weighs against a store's limit: 16 bytes for each key, and the bytes.
    pub fn weight(&self) -> usize {
        self.entries
            .iter()
            .map(|entry| entry.keys.len().saturating_mul(16).saturating_add(entry.bytes.len()))
            .sum()
    }
    /// Refuses a batch that weighs more than `limit` bytes or has an entry with over [`KEYS_LIMIT`] keys.
    /// A refused batch changes nothing and does not latch the store.
    pub fn check(&self, limit: usize) -> Result<(), StoreError> {
        let most = self.entries.iter().map(|entry| entry.keys.len()).max().unwrap_or(0);
        if most > KEYS_LIMIT {
            return Err(StoreError::TooLarge { bytes: most.saturating_mul(16), limit: KEYS_LIMIT * 16 });
        }
        let bytes = self.weight();
        if bytes > limit { Err(StoreError::TooLarge { bytes, limit }) } else { Ok(()) }
    }
}

/// The most a batch may weigh unless a store was told otherwise, in bytes.
pub const BATCH_LIMIT: usize = 16 * 1024 * 1024;
/// The most keys one entry may have.
pub const KEYS_LIMIT: usize = 1024;

/// The chain value after an entry: unkeyed BLAKE3 over the previous value, the number, the keys and
/// the bytes, each with its length.
pub fn chain_after(previous: Chain, seq: u64, keys: &[Key], bytes: &[u8]) -> Chain {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"gaitway chain 1");
    hasher.update(&previous.0);
    hasher.update(&seq.to_le_bytes());
    hasher.update(&(keys.len() as u64).to_le_bytes());
    for key in keys {
        hasher.update(&key.0);
    }
    hasher.update(&(bytes.len() as u64).to_le_bytes());
    hasher.update(bytes);
    Chain(*hasher.finalize().as_bytes())
}
