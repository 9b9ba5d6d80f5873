//! `Verdict`: what became of work. Alone on the wire or inside a page.

use chart::ids::{ChangeHash, DocumentId};
use minicbor::{Decode, Encode};

use crate::code::{Outcome, ReasonCode};
use crate::field::derived;
use crate::limits::HASHES_MAX;

/// What became of work the tablet pushed.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Verdict {
    /// The document.
    #[cbor(n(0), with = "crate::field", has_nil)]
    pub document: DocumentId,
    /// What became of which changes.
    #[cbor(n(1), with = "crate::field", has_nil)]
    pub items: Vec<VerdictItem>,
    /// The place of the verdict in the record.
    #[n(2)]
    pub seq: u64,
}

/// What became of some changes.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct VerdictItem {
    /// The changes.
    #[cbor(n(0), with = "crate::field", has_nil)]
    pub hashes: Vec<ChangeHash>,
    /// What became of them.
    #[n(1)]
    pub outcome: Outcome,
    /// Why.
    #[n(2)]
    pub reason: ReasonCode,
    /// Why, in one sentence a person can act on.
    #[n(3)]
    pub sentence: String,
}

derived!(VerdictItem: HASHES_MAX);
