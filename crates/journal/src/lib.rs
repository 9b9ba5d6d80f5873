//! The record on disk: an append-only journal of segments, synced once per batch, chained from the
//! first entry to the last. Knows no cipher and no chart; what it carries is sealed already.
//!
//! - [`Vfs`] is the handful of file operations it needs; [`RealFiles`] and the modelled [`SimDisk`]
//!   provide them.
//! - [`Journal`] appends, reads by place, and on opening cuts, mends or refuses.
//! - [`JournalStore`] is a journal with an index in memory: a complete store.
//! - [`verify()`] reads a journal from its files alone and names the first bad entry.
//!
//! The promise: a batch whose append returned `Ok` is there after any crash, whole and in order.
//! *If violated:* work that a tablet calls "Safe at clinic" is gone. The crash suite in `tests/` walks
//! every point at which the power can go.

mod frame;
mod journal;
mod journal_store;
#[cfg(not(target_family = "wasm"))]
mod real_files;
mod recover;
mod report;
mod scan;
pub mod sim_disk;
mod verify;
mod vfs;

pub use frame::{FORMAT, Frame, FrameEntry, KeysAndBytes, Mark, Place, decode_epoch, encode_epoch};
pub use journal::{Journal, Options, Stats};
pub use journal_store::JournalStore;
#[cfg(not(target_family = "wasm"))]
pub use real_files::RealFiles;
pub use recover::{EachFrame, NoSource, RepairSource, Start};
pub use report::{Cut, OpenReport};
pub use sim_disk::{Crash, Dirs, Fault, Seeded, SimDisk};
pub use verify::{FirstBad, Verified, verify};
pub use vfs::{Vfs, replace};
