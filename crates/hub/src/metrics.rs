//! Counters of the hub: numbers only, nothing about anybody.

use serde::Serialize;

/// What has been counted since the start, and what stands now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Metrics {
    /// Connections open.
    pub connections: u64,
    /// Frames taken in.
    pub frames_in: u64,
    /// Frames sent.
    pub frames_out: u64,
    /// Bytes taken in.
    pub bytes_in: u64,
    /// Bytes sent.
    pub bytes_out: u64,
    /// Pushes that passed the door.
    pub pushes: u64,
    /// Changes that passed the door for the first time.
    pub changes: u64,
    /// Pushes that held nothing new.
    pub repeated_pushes: u64,
    /// Pushes turned away at the door.
    pub refused: u64,
    /// Receipts sent.
    pub receipts: u64,
    /// Changes admitted.
    pub admitted: u64,
    /// Changes held.
    pub held: u64,
    /// Changes rejected.
    pub rejected: u64,
    /// Changes that other clinics admitted and that were taken in.
    pub imported: u64,
    /// Lines to other clinics that ended because what came could not be taken.
    pub links_failed: u64,
    /// Comparisons with other clinics that found the same notes.
    pub digests_equal: u64,
    /// Comparisons that found different notes though each clinic had read all the other had.
    pub digests_different: u64,
    /// Notes fetched again because of that.
    pub notes_fetched_again: u64,
    /// Changes that wait for something they build on.
    pub waiting: u64,
    /// Pieces of work without a verdict.
    pub unjudged: u64,
    /// Reports computed.
    pub recomputed: u64,
    /// Reports that differed from the one before and were published.
    pub published: u64,
    /// Reports waiting to be computed.
    pub stale_reports: u64,
    /// Documents in memory.
    pub resident: u64,
    /// Documents built from the log because no snapshot was kept.
    pub replayed: u64,
    /// Batches committed.
    pub commits: u64,
    /// The last entry's number.
    pub seq: u64,
    /// The epoch's number.
    pub epoch: u64,
    /// 1 when the record can no longer be written.
    pub read_only: u64,
}
