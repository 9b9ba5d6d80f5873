//! Every bound of this crate, in one place. Reaching one is said in the report and loses nothing.

/// Combinations of open choices a pool's units are listed for; beyond it only a range is given.
pub const POOL_COMBINATIONS: usize = 64;
/// Combinations of open choices findings are evaluated for; beyond it one choice is varied at a time.
pub const FINDING_COMBINATIONS: usize = 32;
/// Choices that are varied one at a time when there are too many combinations.
pub const FINDING_SITES_ALONE: usize = 64;
/// Acceptable allocations that are listed; whether a pick is acceptable never depends on the list.
pub const ACCEPTABLE_LISTED: usize = 512;
/// Bytes of one line given to [`crate::assess_line`].
pub const ASSESS_BYTES: usize = 1 << 20;
/// Services in one line given to [`crate::assess_line`].
pub const ASSESS_SERVICES: usize = 1_000;
/// Minutes one service may have in a line given to [`crate::assess_line`]: a day.
pub const ASSESS_MINUTES: u64 = 1_440;
/// Segments of one patient-day whose overlaps are named one by one; all are counted.
pub const OVERLAPS_NAMED: usize = 50;
/// Findings of one id in a report; the last one says how many more there were.
pub const FINDINGS_OF_ONE_ID: usize = 100;
/// Cases in one vector file.
pub const VECTOR_CASES: usize = 100_000;
