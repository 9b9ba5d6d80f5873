//! Every bound of the hub in one place. Hitting one gives a clear word and loses nothing.

/// Bytes of one device's work that may wait for a verdict; above it the door answers "later".
pub const UNJUDGED_BYTES_PER_DEVICE_MAX: usize = 32 << 20;
/// Changes of one device that may wait for a verdict, or for what they build on; above it the door answers
/// "later".
pub const UNJUDGED_CHANGES_PER_DEVICE_MAX: usize = 16_384;
/// Pieces of work that may wait for a verdict, all devices together; above it the door answers "later".
/// Opening a server looks this far back for work without a verdict, and a batch more.
pub const UNJUDGED_WORKS_MAX: usize = 4_096;
/// Documents that are asked in one go whether they may leave the memory.
pub const ASKED_TO_LEAVE: usize = 64;
/// Days, episodes and patients whose notes are remembered between two looks into the log.
pub const MEMBERS_KEYS_MAX: usize = 4_096;
/// Bytes of changes kept in memory between their receipt and their verdict; what is more is read again.
pub const FRESH_BYTES_MAX: usize = 16 << 20;
/// Changes of one document that are judged together; more wait for the document's next turn.
pub const CASE_CHANGES_MAX: usize = 256;
/// Bytes of changes that are judged together; one change always fits.
pub const CASE_BYTES: usize = 512 << 10;
/// Operations that are judged together; one change always fits.
pub const CASE_OPS: u64 = 10_000;
/// A document whose work waits while the log grows by so many entries is judged before all others, so
/// that an opening finds it.
pub const FAIR_ENTRIES: u64 = 4_096;
/// Changes of one case that are found deadly one by one; above it the whole case is held.
pub const DEADLY_CHANGES_MAX: usize = 8;
/// Connections of one device at once; a further one ends the oldest.
pub const CONNECTIONS_PER_DEVICE_MAX: usize = 4;
/// Connections at once that have not proved who they are; a further one ends the oldest.
pub const UNPROVEN_CONNECTIONS_MAX: usize = 64;
/// Bytes of the reason a supervisor gives.
pub const REASON_BYTES_MAX: usize = 1_000;
/// How long a tablet that was told "later" should wait, in milliseconds.
pub const LATER_MS: u64 = 2_000;
/// Entries of one batch; more wait for the next.
pub const BATCH_ENTRIES_MAX: usize = 4_096;
/// Bytes of one batch; more wait for the next. One entry always fits.
pub const BATCH_BYTES_MAX: usize = 8 << 20;
/// Log entries looked at for one page of the feed.
pub const PAGE_SEQS_MAX: usize = 256;
/// Bytes of bodies in one page.
pub const PAGE_BYTES_MAX: usize = 512 << 10;
/// Reports up to this size travel inside the feed, in bytes; larger ones are fetched.
pub const INLINE_REPORT_BYTES_MAX: usize = 24 << 10;
/// How long a one-time enrolment code is good for, in milliseconds.
pub const CODE_LIFE_MS: i64 = 15 * 60_000;
/// Enrolment codes waiting at once.
pub const CODES_MAX: usize = 64;
/// Notes of one patient-day or provider-day that a report reads.
pub const DAY_NOTES_MAX: usize = 200;
/// Verdicts a document collects before its snapshot is kept anew.
pub const SNAPSHOT_EVERY_ENTRIES: u64 = 16;
/// A clock further off than this is reported, in milliseconds.
pub const CLOCK_NOTE_MS: i64 = 1_000;
/// Bytes of bodies in one page that is asked of another clinic: what is lost of a page when the line is cut in it
/// comes again, and at 30 kbit/s this much is on its way for some 9 s. One entry always fits.
pub const FOLLOWED_PAGE_BYTES: usize = 32 << 10;
/// Entries of another clinic's feed that wait to be taken; above it the line ends and they come again.
pub const LINK_INBOX_MAX: usize = 16_384;
/// How often another clinic is asked for the same changes of a document before the line ends.
pub const ASKED_AGAIN_MAX: usize = 3;
/// How long a clinic waits before it asks another one again whether both hold the same, in milliseconds, while
/// something has changed or differs.
pub const DIGEST_GAP_MS: i64 = 60_000;
/// And while nothing has.
pub const DIGEST_EVERY_MS: i64 = 15 * 60_000;
/// Entries of a scope summed up in one step.
pub const DIGEST_STEP: usize = 64;
/// Entries after which the sum of a scope is kept anew.
pub const DIGEST_KEPT_EVERY: u64 = 1_024;
/// Entries looked at in one go to say by how many notes a clinic is behind.
pub const BEHIND_ENTRIES_MAX: usize = 4_096;
/// Patients that one act may hand over.
pub const TRANSFER_PATIENTS_MAX: usize = 1_000;
/// How often it is kept when a tablet was last heard, in milliseconds.
pub const HEARD_EVERY_MS: i64 = 60_000;
