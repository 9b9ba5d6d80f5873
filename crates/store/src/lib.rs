//! The contract of the record: an append-only log of entries, the keys to find them by, and a place
//! for derived values that may be thrown away.
//!
//! This crate says what a store promises and how it is told apart from one that does not (the
//! conformance suite); it never opens a file. What stands behind each promise:
//!
//! - **Durable.** When [`Store::commit`] returns `Ok`, the batch survives power loss.
//!   *If violated:* a tablet says "Safe at clinic" for work that is gone.
//! - **Atomic.** After a crash a batch is there whole or not at all.
//!   *If violated:* a verdict without its work, a receipt without its entry.
//! - **Latched.** After one failed commit the store refuses every later one until it is opened again.
//!   *If violated:* an `fsync` that failed once is believed the second time.
//! - **Sealed.** Entries are ciphertext before they come here (see the vault); keys are keyed hashes.
//!   *If violated:* whoever takes the disk reads the chart.
//! - **Chained.** Every entry's chain value hashes the one before and the entry's bytes, unkeyed, so
//!   anyone can verify the files and nobody can read them.
//! - **Expendable derivations.** [`Store::keep`] promises nothing: a kept value may be gone after any
//!   restart, and whoever kept it can compute it again.

#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod contract;
mod memory;
pub mod vault;

pub use contract::{
    BATCH_LIMIT, Batch, Chain, EpochStart, KEYS_LIMIT, Key, NewEntry, Position, Retained, Store, StoreError,
    StoreReader, StoredEntry, Tip, chain_after,
};
pub use memory::MemoryStore;
pub use vault::{DocumentKey, Head, Vault, VaultError};
