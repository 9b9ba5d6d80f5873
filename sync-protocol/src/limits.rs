//! Every bound of the protocol, in one place. `docs/wire.md` states them for other implementations.
//!
//! Hitting a bound gives a clear word and loses nothing: what was not taken stays where it was.

use chart::entropy::{Entropy, draw};
use minicbor::{Decode, Encode};

/// Largest frame, in bytes, prefix included.
pub const FRAME_BYTES_MAX: usize = 1 << 20;
/// The smallest frame limit a server may announce: any push frame a tablet sends before it knows the
/// limit fits (a full frame of changes beside three full lists of hashes).
pub const FRAME_BYTES_MAX_LEAST: usize = 768 << 10;
/// Most CBOR items in one frame: what a decoder may be made to build is bounded by this.
pub const FRAME_ITEMS_MAX: usize = 32_768;
/// Frames smaller than this are never packed.
pub const PACKED_LEAST_BYTES: usize = 256;
/// Deepest nesting of a frame.
pub const FRAME_DEPTH_MAX: usize = 16;
/// Largest change, in bytes.
pub const CHANGE_BYTES_MAX: usize = 256 << 10;
/// Most changes of one document in one frame or entry.
pub const PUSH_CHANGES_MAX: usize = 4_096;
/// Most documents in one push frame.
pub const PUSH_DOCUMENTS_MAX: usize = 256;
/// Largest cost of one push ([`crate::message::DocumentPush::cost_bytes`]) over all its parts.
pub const PUSH_BYTES_MAX: usize = 4 << 20;
/// Most parts of one push.
pub const PUSH_PARTS_MAX: u16 = 64;
/// Cost of a push beside its changes: ids, heads, envelope.
pub const PUSH_COST_BASE_BYTES: usize = 512;
/// A push frame is closed when its changes reach this size; one change always fits.
pub const PUSH_FRAME_FILL_BYTES: usize = 288 << 10;
/// Most hashes in one list (heads, needs, verdicts).
pub const HASHES_MAX: usize = 4_096;
/// Most entries of one page or supply.
pub const PAGE_ENTRIES_MAX: usize = 1_024;
/// Most documents in one entry about a scope that was entered or left.
pub const SCOPE_DOCUMENTS_MAX: usize = 4_096;
/// Most documents of one range of a digest.
pub const DIGEST_ROWS_MAX: usize = 8_192;
/// Ranges of a digest.
pub const DIGEST_RANGES: usize = 256;
/// Bytes of a range's sum in a question.
pub const DIGEST_SUM_BYTES: usize = 8;
/// Most scopes in one list.
pub const SCOPES_MAX: usize = 256;
/// Most versions in one list.
pub const VERSIONS_MAX: usize = 64;
/// Most features in one list.
pub const FEATURES_MAX: usize = 64;

/// Cost of pushes a tablet may have unanswered before it has been welcomed.
pub const CREDIT_INITIAL_BYTES: usize = 512 << 10;
/// Cost of pushes a tablet may have unanswered afterwards, unless the welcome says less.
pub const CREDIT_BYTES: usize = 8 << 20;
/// Bytes of frames a server keeps, unread, while it judges a proof.
pub const UNJUDGED_BYTES_MAX: usize = 1 << 20;
/// Frames a server keeps, unread, while it judges a proof.
pub const UNJUDGED_FRAMES_MAX: usize = 1_024;
/// A server's session asks its owner to pause pages above this many bytes waiting to be sent.
pub const OUTGOING_PAUSE_BYTES: usize = 1 << 20;
/// A server's session takes no more pages above this many bytes waiting to be sent.
pub const OUTGOING_BYTES_MAX: usize = 4 << 20;

/// Longest wait for a challenge, a hello or a welcome, in milliseconds.
pub const HANDSHAKE_TIMEOUT_MS: i64 = 15_000;
/// Longest silence of the other side, in milliseconds.
pub const IDLE_TIMEOUT_MS: i64 = 60_000;
/// Longest wait of a tablet for the answer to a push, in milliseconds.
pub const ANSWER_TIMEOUT_MS: i64 = 30_000;
/// Shortest wait before connecting again, in milliseconds.
pub const BACKOFF_MIN_MS: i64 = 500;
/// Longest wait before connecting again, in milliseconds.
pub const BACKOFF_MAX_MS: i64 = 60_000;

/// The bounds a server announces; never above the constants of this module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Limits {
    /// Largest frame, in bytes.
    #[n(0)]
    pub frame_bytes_max: u32,
    /// Most changes of one document in one frame.
    #[n(1)]
    pub push_changes_max: u32,
    /// Largest change, in bytes.
    #[n(2)]
    pub change_bytes_max: u32,
    /// Cost of pushes that may be unanswered.
    #[n(3)]
    pub credit_bytes: u32,
    /// Largest cost of one push over all its parts; at most `credit_bytes`.
    #[n(4)]
    pub push_bytes_max: u32,
    /// Most documents in one push frame.
    #[n(5)]
    pub push_documents_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            frame_bytes_max: FRAME_BYTES_MAX as u32,
            push_changes_max: PUSH_CHANGES_MAX as u32,
            change_bytes_max: CHANGE_BYTES_MAX as u32,
            credit_bytes: CREDIT_BYTES as u32,
            push_bytes_max: PUSH_BYTES_MAX as u32,
            push_documents_max: PUSH_DOCUMENTS_MAX as u32,
        }
    }
}

impl Limits {
    /// What a tablet may rely on before it has been welcomed.
    pub fn before_welcome() -> Self {
        Self { credit_bytes: CREDIT_INITIAL_BYTES as u32, ..Self::default() }
    }

    /// The limits, none above what the protocol allows; the credit never below the first credit or the
    /// largest push, the frame never below [`FRAME_BYTES_MAX_LEAST`], so that whatever a tablet may
    /// send before it is welcomed, and every push that is allowed, gets through.
    pub fn clamped(self) -> Self {
        let most = Self::default();
        let push_bytes_max = self.push_bytes_max.min(most.push_bytes_max);
        Self {
            frame_bytes_max: self.frame_bytes_max.clamp(FRAME_BYTES_MAX_LEAST as u32, most.frame_bytes_max),
            push_changes_max: self.push_changes_max.clamp(1, most.push_changes_max),
            change_bytes_max: self.change_bytes_max.min(most.change_bytes_max),
            credit_bytes: self
                .credit_bytes
                .min(most.credit_bytes)
                .max(push_bytes_max)
                .max(CREDIT_INITIAL_BYTES as u32),
            push_bytes_max,
            push_documents_max: self.push_documents_max.clamp(1, most.push_documents_max),
        }
    }
}

/// How long to wait before the next try to connect, in milliseconds: doubling from
/// [`BACKOFF_MIN_MS`] to [`BACKOFF_MAX_MS`], the second half of each wait drawn at random so that a
/// clinic's tablets do not return all at once. `failures` counts tries since the last welcome.
pub fn backoff_ms(failures: u32, entropy: &mut dyn Entropy) -> i64 {
    let doubled = BACKOFF_MIN_MS.saturating_mul(1i64 << failures.min(20));
    let ceiling = doubled.clamp(BACKOFF_MIN_MS, BACKOFF_MAX_MS);
    let half = ceiling / 2;
    let drawn = i64::from(u32::from_le_bytes(draw(entropy)));
    half + drawn.rem_euclid(ceiling - half + 1)
}
