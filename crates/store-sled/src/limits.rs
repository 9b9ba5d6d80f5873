//! The sizes and times this store keeps to.

use std::time::Duration;

/// The newest layout of the directory this version reads, and the one it writes.
pub(crate) const FORMAT: u32 = 1;
/// A record up to this many bytes lies in its index row; a longer one in pieces of this size. sled keeps
/// large values in files it never syncs.
pub(crate) const INLINE: usize = 4096;
/// How long sled may take to open before it is given up and rebuilt.
pub(crate) const OPEN_WITHIN: Duration = Duration::from_secs(30);
/// How long another user of the index (a thread of an earlier opening) may take to let go of it.
pub(crate) const RELEASE_WITHIN: Duration = Duration::from_secs(5);
/// Room that is left on the file system when nothing more is taken, in bytes: enough for the index to write
/// out what it holds (its own segments are half a MiB, and it writes twice a second), for a checkpoint, and
/// for closing in order. Filled to the last byte, a file system breaks the index and with it reading.
pub(crate) const RESERVE_BYTES: u64 = 64 * 1024 * 1024;
/// How often sled writes out what it holds, in milliseconds.
pub(crate) const FLUSH_EVERY_MS: u64 = 500;

/// What can be chosen about the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// The journal's choices.
    pub journal: journal::Options,
    /// Memory for sled's cache, in bytes.
    pub cache_bytes: u64,
    /// A checkpoint is written after this many bytes of journal.
    pub checkpoint_bytes: u64,
    /// A commit that finds less room than this on the file system is refused as [`store::StoreError::Full`],
    /// in bytes.
    pub reserve_bytes: u64,
    /// Opening reads the whole journal, mends it and builds the index anew, whatever the checkpoint says.
    pub full_check: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            journal: journal::Options::default(),
            cache_bytes: 64 * 1024 * 1024,
            checkpoint_bytes: 64 * 1024 * 1024,
            reserve_bytes: RESERVE_BYTES,
            full_check: false,
        }
    }
}
