//! Work on its way to the record: `Push`, and its answers `Receipt` and `Refuse`.

use chart::ids::{ChangeHash, DeviceId, DocumentId, PersonId, PushId};
use minicbor::{Decode, Encode};

use super::LogPosition;
use crate::code::{DocumentKind, RefuseCode};
use crate::field::derived;
use crate::limits::{HASHES_MAX, PUSH_COST_BASE_BYTES, PUSH_DOCUMENTS_MAX};

/// Who made the work, signed with the device's key over [`crate::statement::push`].
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Envelope {
    /// The tablet the work was made on.
    #[cbor(n(0), with = "crate::field", has_nil)]
    pub device: DeviceId,
    /// The person who made it.
    #[cbor(n(1), with = "crate::field", has_nil)]
    pub person: PersonId,
    /// Counts the device's envelopes; never used twice.
    #[n(2)]
    pub counter: u64,
    /// The Ed25519 signature.
    #[cbor(n(3), with = "crate::field", has_nil)]
    pub signature: [u8; 64],
}

/// Work of one person on one document.
///
/// On the wire a push may come in several parts, one after the other, which differ in `changes`,
/// `part` and `more` only; sessions take and hand out whole pushes (`part` 0, `more` false).
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct DocumentPush {
    /// Names this push in its answer.
    #[cbor(n(0), with = "crate::field", has_nil)]
    pub push_id: PushId,
    /// The document.
    #[cbor(n(1), with = "crate::field", has_nil)]
    pub document: DocumentId,
    /// What kind of document.
    #[n(2)]
    pub kind: DocumentKind,
    /// The heads the changes were made on, as far as the tablet knows them safe.
    #[cbor(n(3), with = "crate::field", has_nil)]
    pub base_heads: Vec<ChangeHash>,
    /// The heads with all changes; the signature covers them.
    #[cbor(n(4), with = "crate::field", has_nil)]
    pub heads: Vec<ChangeHash>,
    /// The changes, each after those it depends on. Opaque bytes.
    #[cbor(n(5), with = "crate::field", has_nil)]
    pub changes: Vec<Vec<u8>>,
    /// Who made them.
    #[n(6)]
    pub envelope: Envelope,
    /// For replayed work: the rejected changes it stands for.
    #[cbor(n(7), with = "crate::field", has_nil)]
    pub replaces: Vec<ChangeHash>,
    /// The number of this part, from 0.
    #[n(8)]
    pub part: u16,
    /// Whether another part follows.
    #[n(9)]
    pub more: bool,
}

impl DocumentPush {
    /// What the push takes of the credit, in bytes: its changes and a fixed sum for the rest.
    pub fn cost_bytes(&self) -> usize {
        self.changes.iter().map(Vec::len).sum::<usize>().saturating_add(PUSH_COST_BASE_BYTES)
    }
}

/// Pushes, to several documents if they are small.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Push {
    /// The pushes.
    #[cbor(n(0), with = "crate::field", has_nil)]
    pub documents: Vec<DocumentPush>,
}

/// The work is durable. Sent only after the commit that holds it has returned.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Receipt {
    /// What is durable.
    #[cbor(n(0), with = "crate::field", has_nil)]
    pub items: Vec<ReceiptItem>,
    /// Up to where the record was durable when this was sent; everything of `items` lies below.
    #[n(1)]
    pub position: LogPosition,
}

/// One push that is durable.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ReceiptItem {
    /// The push.
    #[cbor(n(0), with = "crate::field", has_nil)]
    pub push_id: PushId,
    /// Its document.
    #[cbor(n(1), with = "crate::field", has_nil)]
    pub document: DocumentId,
    /// The pushed heads whose whole ancestry is durable in this record.
    #[cbor(n(2), with = "crate::field", has_nil)]
    pub covers: Vec<ChangeHash>,
}

/// The push was turned away at the door; nothing of it was stored, nothing of it may be thrown away.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Refuse {
    /// The push.
    #[cbor(n(0), with = "crate::field", has_nil)]
    pub push_id: PushId,
    /// Its document.
    #[cbor(n(1), with = "crate::field", has_nil)]
    pub document: DocumentId,
    /// Why.
    #[n(2)]
    pub code: RefuseCode,
    /// Why, in one sentence.
    #[n(3)]
    pub sentence: String,
    /// Which changes, where it is about single ones.
    #[cbor(n(4), with = "crate::field", has_nil)]
    pub per_change: Vec<RefusedChange>,
    /// When to send it again, in milliseconds; absent: not as it is.
    #[n(5)]
    pub retry_after_ms: Option<u64>,
}

/// One change that was turned away.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct RefusedChange {
    /// The change.
    #[cbor(n(0), with = "crate::field", has_nil)]
    pub hash: ChangeHash,
    /// Why.
    #[n(1)]
    pub code: RefuseCode,
}

derived!(Envelope: 1, DocumentPush: PUSH_DOCUMENTS_MAX, ReceiptItem: PUSH_DOCUMENTS_MAX, RefusedChange: HASHES_MAX);
