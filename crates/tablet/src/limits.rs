//! Every bound of the tablet in one place. Hitting one gives a clear word and loses nothing.

/// Longest time typed text stays a draft before it becomes a change, in milliseconds.
pub const PHRASE_MS: i64 = 2_000;
/// Documents held ready in memory; others are built again from the log when they are asked for.
pub const LOADED_MAX: usize = 64;
/// Changes of one document that wait in memory for what they build on; more wait in the log alone.
pub const WAITING_CHANGES: usize = 256;
/// What they weigh together, in bytes.
pub const WAITING_BYTES: usize = 4 * 1024 * 1024;
/// Slices of other notes kept in memory for reports.
pub const SLICES_MAX: usize = 512;
/// Characters one change may insert and delete; longer pastes become several changes. Below the
/// gate's 5,000 operations with room for what a change writes beside its text.
pub const CHANGE_CHARS_MAX: usize = 3_500;
/// Largest sum of changes in one push, in bytes.
pub const PUSH_BYTES: usize = 400 * 1024;
/// Most changes in one push.
pub const PUSH_CHANGES: usize = 500;
/// Pushes handed to a connection and not answered.
pub const PUSHES_WAITING: usize = 128;
/// Bytes of pushes handed to a connection and not answered.
pub const PUSHES_WAITING_BYTES: usize = 4 * 1024 * 1024;
/// Questions for missing changes that wait for their answer at one time.
pub const NEEDS_WAITING: usize = 64;
/// Reports asked for at the start of a connection because an earlier one did not bring them.
pub const REPORTS_ASKED: usize = 64;
/// Wanted size of a page of the feed, in bytes.
pub const PAGE_BYTES: u32 = 256 * 1024;
/// Entries in one commit.
pub const COMMIT_ENTRIES: usize = 2_000;
/// Bytes of entries in one commit, before they are sealed.
pub const COMMIT_BYTES: usize = 8 * 1024 * 1024;
/// Longest time a receipt or a cursor waits for company before it is written, in milliseconds.
pub const LAZY_MS: i64 = 5_000;
/// As many receipts and cursors are written without waiting.
pub const LAZY_ENTRIES: usize = 64;
/// Envelope counters reserved at a time.
pub const COUNTER_BLOCK: u64 = 1_024;
/// A new block is reserved when fewer are left.
pub const COUNTER_LOW: u64 = 128;
/// Wait before work is offered again that the server stored but could not cover, in milliseconds.
pub const UNCOVERED_RETRY_MS: i64 = 30_000;
/// Wait before work is offered again that the server turned away without naming a time, in milliseconds.
pub const TURNED_AWAY_RETRY_MS: i64 = 10_000;
/// Wait before work is offered again whose author the server does not know, in milliseconds.
pub const UNKNOWN_AUTHOR_RETRY_MS: i64 = 600_000;
/// A document's snapshot is kept after this many changes.
pub const SNAPSHOT_AFTER: u32 = 16;
/// How often what was received is tried again, alone, where the app died with it under way and nobody
/// knows of what.
pub const TRIES_MAX: u32 = 2;
/// Entries read from the log at a time.
pub const SCAN: usize = 512;
