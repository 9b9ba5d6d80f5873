//! The server's store: the journal is the record, sled 0.34.7 the index over it. Knows no cipher and no
//! chart.
//!
//! A batch is written to the journal and synced, then applied to the index without a flush, then
//! acknowledged. The index holds a second copy of every entry, so each half can mend the other; it is
//! never believed without a checksum and the chain, opened in a thread of its own, and built anew from
//! the journal whenever it fails, panics, hangs, or was left open by a machine that stopped.
//!
//! The directory is described in docs/storage.md.

mod checkpoint;
mod index;
mod kept_files;
mod limits;
mod open;
mod report;
mod row;
mod store;

pub use limits::Options;
pub use report::{IndexReport, OpenReport};
pub use store::SledStore;
