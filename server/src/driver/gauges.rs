//! What the driver counts for the metrics page: numbers only, nothing of a chart.

use std::sync::atomic::{AtomicBool, AtomicU64};

/// Counters of the driver, read by the metrics page.
#[derive(Debug, Default)]
pub struct Gauges {
    /// Batches the disk has taken.
    pub commits: AtomicU64,
    /// Batches the disk has refused.
    pub commit_failures: AtomicU64,
    /// Time spent in commits, in microseconds.
    pub commit_us: AtomicU64,
    /// The longest commit, in microseconds.
    pub commit_max_us: AtomicU64,
    /// True from the first failed commit on.
    pub latched: AtomicBool,
    /// True while the driver takes events.
    pub running: AtomicBool,
}
