//! Questions and single words: `Need`, `Supply`, reports, errors, revocation, digests.

use chart::ids::{ChangeHash, Digest, DocumentId};
use minicbor::{Decode, Encode};

use super::{Cursor, FeedChanges, ScopeName};
use crate::code::{ErrorCode, RevokeReason};
use crate::field::derived;
use crate::limits::DIGEST_ROWS_MAX;

/// Asks for changes of a document: those named, or all beyond what one has.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Need {
    /// The document.
    #[cbor(n(0), with = "crate::field", has_nil)]
    pub document: DocumentId,
    /// The heads the asking side has.
    #[cbor(n(1), with = "crate::field", has_nil)]
    pub have: Vec<ChangeHash>,
    /// The changes it misses, if it knows their names.
    #[cbor(n(2), with = "crate::field", has_nil)]
    pub hashes: Vec<ChangeHash>,
}

/// Answers a `Need`.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Supply {
    /// The document.
    #[cbor(n(0), with = "crate::field", has_nil)]
    pub document: DocumentId,
    /// The changes, with who made them.
    #[cbor(n(1), with = "crate::field", has_nil)]
    pub entries: Vec<FeedChanges>,
    /// Whether another `Supply` to the same question follows.
    #[n(2)]
    pub more: bool,
}

/// Asks for the report of a note.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct FetchReport {
    /// The note.
    #[cbor(n(0), with = "crate::field", has_nil)]
    pub document: DocumentId,
}

/// The report of a note.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ReportBody {
    /// The note.
    #[cbor(n(0), with = "crate::field", has_nil)]
    pub document: DocumentId,
    /// The digest of the body; of the empty string if there is none.
    #[cbor(n(1), with = "crate::field", has_nil)]
    pub digest: Digest,
    /// The report; absent when none has been computed yet.
    #[cbor(n(2), with = "crate::field", has_nil)]
    pub body: Option<Vec<u8>>,
}

/// Something could not go on.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ErrorMessage {
    /// What.
    #[n(0)]
    pub code: ErrorCode,
    /// What, in one sentence.
    #[n(1)]
    pub sentence: String,
    /// Whether the connection ends with it.
    #[n(2)]
    pub fatal: bool,
    /// When to come back, in milliseconds.
    #[n(3)]
    pub retry_after_ms: Option<u64>,
    /// With `UnknownVersion`: the versions the sender speaks.
    #[cbor(n(4), with = "crate::field", has_nil)]
    pub versions: Vec<u16>,
    /// The document it is about, if it is about one.
    #[cbor(n(5), with = "crate::field", has_nil)]
    pub document: Option<DocumentId>,
}

/// This device or person may not go on. Work that waits on it stays there until a person decides.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Revoked {
    /// Why.
    #[n(0)]
    pub reason: RevokeReason,
    /// Why, in one sentence.
    #[n(1)]
    pub sentence: String,
}

/// A fingerprint of all documents of a scope and their admitted changes, as proof of convergence. Whoever
/// follows asks with its own, and is answered with the other's.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct DigestOffer {
    /// The scope.
    #[n(0)]
    pub scope: ScopeName,
    /// How many documents.
    #[n(1)]
    pub count: u64,
    /// The fingerprint.
    #[cbor(n(2), with = "crate::field", has_nil)]
    pub fingerprint: Digest,
    /// How far the sender has taken the other's feed; absent if it never has.
    #[n(3)]
    pub taken: Option<Cursor>,
    /// In an answer: how many documents of the sender's feed lie behind what the question said was taken.
    #[n(4)]
    pub waiting: Option<u64>,
}

/// In what the documents of a scope differ. Whoever follows asks with `sums`; the answers list the documents
/// of one range each.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct DigestDiff {
    /// The scope.
    #[n(0)]
    pub scope: ScopeName,
    /// In a question: the first 8 bytes of the sum of each of the 256 ranges, in order.
    #[cbor(n(1), with = "crate::field", has_nil)]
    pub sums: Option<Vec<u8>>,
    /// In an answer: the range, unless no range differs.
    #[n(2)]
    pub range: Option<u8>,
    /// In an answer: every document of the range.
    #[cbor(n(3), with = "crate::field", has_nil)]
    pub documents: Vec<DigestRow>,
    /// In an answer: whether another to the same question follows.
    #[n(4)]
    pub more: bool,
}

/// A document and the fingerprint of its admitted changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct DigestRow {
    /// The document.
    #[cbor(n(0), with = "crate::field", has_nil)]
    pub document: DocumentId,
    /// The first 16 bytes of the sum of its changes.
    #[cbor(n(1), with = "crate::field", has_nil)]
    pub sum: [u8; 16],
}

derived!(DigestRow: DIGEST_ROWS_MAX);
