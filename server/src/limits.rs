//! Every bound of the server's edge, in one place; docs/operations.md and docs/http-api.md state them.
//! Hitting one gives a clear word and loses nothing.

use std::time::Duration;

/// Connections at once, unless configured.
pub const CONNECTIONS: usize = 512;
/// Documents kept in memory at once, unless configured.
pub const DOCUMENTS_RESIDENT: usize = 256;
/// Bytes of a request's body.
pub const BODY_BYTES: usize = 64 * 1024;
/// How long a client may take to send a request's head.
pub const HEAD_TIME: Duration = Duration::from_secs(10);
/// How long a request may take from its head to its answer.
pub const REQUEST_TIME: Duration = Duration::from_secs(15);
/// Between two pings on a WebSocket.
pub const PING_EVERY: Duration = Duration::from_secs(20);
/// How long one frame may take to leave for a slow reader.
pub const WRITE_TIME: Duration = Duration::from_secs(30);
/// Bytes of one frame between clinics: the protocol's, and the byte that says which end speaks.
pub const LINE_FRAME_BYTES: usize = sync_protocol::limits::FRAME_BYTES_MAX + 1;
/// How often the server looks which clinics it should be calling.
pub const LOOK_FOR_CLINICS_EVERY: Duration = Duration::from_secs(1);
/// How long after a line to a clinic ended it is called again at first.
pub const CALL_AGAIN_AFTER: Duration = Duration::from_millis(250);
/// How long at most it waits before it calls a clinic again.
pub const CALL_AGAIN_AT_MOST: Duration = Duration::from_secs(30);
/// How long saying goodbye on a WebSocket may take.
pub const CLOSE_TIME: Duration = Duration::from_secs(2);
/// How long to wait after the system refused a connection (no file handles left, say).
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(200);
/// How long stopping waits for connections to close.
pub const DRAIN_TIME: Duration = Duration::from_secs(5);
/// Events that wait for the driver: each holds at most one frame.
pub const INBOX: usize = 64;
/// Events the driver takes before it lets the hub work and commit.
pub const EVENTS_IN_A_ROW: usize = 64;
/// Steps of recomputing between two looks at the inbox.
pub const WORK_STEPS: usize = 8;
/// No further step is begun after this long.
pub const WORK_TIME: Duration = Duration::from_millis(4);
/// Bytes waiting to leave for one connection; above it its session waits.
pub const OUTBOX_BYTES: usize = 1 << 20;
/// Bytes waiting to leave for all connections; above it each may have only one frame waiting.
pub const OUTBOX_ALL_BYTES: usize = 128 << 20;
/// The driver's stack: documents are nested, and judging them recurses.
pub const DRIVER_STACK_BYTES: usize = 64 << 20;
/// How far judging stands back behind what answers tablets: a Unix niceness, 0 (not at all) to 19.
pub const JUDGE_NICENESS: i32 = 10;
/// A note whose case took this long is heavy, and heavy notes rest after each such case.
pub const LONG_CASE: Duration = Duration::from_millis(10);
/// For how many times as long, so that they take a twenty-fifth of a core: less than the twentieth of others' edits
/// that a 95th percentile leaves out.
pub const RESTS: u32 = 24;
/// But never longer than this.
pub const LONGEST_REST: Duration = Duration::from_secs(5);
/// They rest only while others are served: when a case that was not long ended this lately.
pub const OTHERS_LATELY: Duration = Duration::from_millis(250);
/// Heavy notes that are remembered as such.
pub const HEAVY_NOTES_MAX: usize = 1_000;
/// How often the server may die of one note's work before it is held untried.
pub const DEATHS_MAX: u32 = 3;
/// How long the judge may take for one case. Cases are small, so a longer one never ends: the server ends
/// itself, and the next start tries the case apart.
pub const JUDGING_TIME: Duration = Duration::from_secs(60);
/// How often the watch looks whether a report is still being computed.
pub const RECKONING_LOOK: Duration = Duration::from_secs(1);
/// Looks in a row that find the same report: then the process ends itself, and the next start tries it apart.
pub const RECKONING_LOOKS: u32 = 20;
/// Children that took long over one note and failed; after these it is not tried again before the next start.
pub const RECKONED_SLOW_MAX: u32 = 3;
/// How long a child may judge one case, and how much processor time it gets.
pub const APART_TIME: Duration = Duration::from_secs(10);
/// How long all children of one case may take together.
pub const APART_ALL_TIME: Duration = Duration::from_secs(45);
/// Address space of a child, its stacks included.
pub const APART_MEMORY_BYTES: u64 = 1 << 30;
/// Notes whose reports are tried apart at once.
pub const RECKONED_APART_MAX: usize = 1_000;
/// Bytes of a case.
pub const APART_BYTES: u64 = 256 << 20;
/// Rows of a list, unless asked for fewer.
pub const ROWS: usize = 50;
/// Most rows of a list.
pub const ROWS_MAX: usize = 200;
/// Sessions of people at once.
pub const SESSIONS: usize = 1_000;
/// A session ends this long after it was last used.
pub const SESSION_IDLE: Duration = Duration::from_secs(15 * 60);
/// A session ends this long after it began.
pub const SESSION_LIFE: Duration = Duration::from_secs(12 * 60 * 60);
/// Failed proofs (tokens, codes) allowed in [`FAILURES_WINDOW`], over all clients.
pub const FAILURES: u32 = 30;
/// See [`FAILURES`].
pub const FAILURES_WINDOW: Duration = Duration::from_secs(60);
/// How long a person's access token lives.
pub const TOKEN_DAYS: i64 = 90;
/// Access tokens kept.
pub const TOKENS: usize = 10_000;
