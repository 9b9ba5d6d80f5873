//! Questions and single words: `Need`, `Supply`, reports, errors, revocation, digests.

use chart::ids::{ChangeHash, Digest, DocumentId};
use minicbor::{Decode, Encode};

use super::{FeedChanges, ScopeName};
use crate::code::{ErrorCode, RevokeReason};

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

/// A fingerprint of all documents of a scope and their heads, as proof of convergence.
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
}
