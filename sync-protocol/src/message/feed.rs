//! What a tablet follows: `Pull` asks, `Page` brings the feed's entries.

use chart::ids::{ChangeHash, ClinicId, DeviceId, Digest, DocumentId, PersonId};
use chart::time::Timestamp;
use minicbor::decode::{Decoder, Error as DecodeError};
use minicbor::encode::{Encoder, Error as EncodeError, Write};
use minicbor::{Decode, Encode};

use super::{Cursor, Envelope, ScopeName, Verdict};
use crate::code::{DocumentKind, Priority, ReferenceKind};
use crate::field::{derived, put_kind, skip_items, take_body, take_kind};
use crate::limits::{PAGE_ENTRIES_MAX, SCOPE_DOCUMENTS_MAX};

/// Asks for the feed after a cursor. A later pull takes the place of an earlier one.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Pull {
    /// Where the tablet stands; absent: from the start.
    #[n(0)]
    pub cursor: Option<Cursor>,
    /// Which scopes.
    #[cbor(n(1), with = "crate::field", has_nil)]
    pub scopes: Vec<ScopeName>,
    /// What first.
    #[n(2)]
    pub priority: Priority,
    /// Wanted size of a page, in bytes; the server may send less.
    #[n(3)]
    pub page_bytes: u32,
    /// Whether pages go on coming as the feed grows.
    #[n(4)]
    pub live: bool,
    /// The number of this pull on this connection, from 1; its pages carry it.
    #[n(5)]
    pub pull: u32,
}

/// A piece of the feed.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Page {
    /// The entries, in the order they are to be taken over.
    #[cbor(n(0), with = "crate::field", has_nil)]
    pub entries: Vec<FeedEntry>,
    /// Where the tablet stands once it has taken them over.
    #[n(1)]
    pub next: Cursor,
    /// Whether more is waiting.
    #[n(2)]
    pub more: bool,
    /// The pull it answers.
    #[n(3)]
    pub pull: u32,
    /// The chain value at `next`, which proves which record was read; told to clinics only.
    #[cbor(n(4), with = "crate::field", has_nil)]
    pub chain: Option<Digest>,
}

/// One entry of the feed.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct FeedEntry {
    /// Its place: of an admitted change, the number of the verdict that admitted it.
    #[n(0)]
    pub seq: u64,
    /// What it says.
    #[n(1)]
    pub body: FeedBody,
}

/// What an entry says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FeedBody {
    /// Admitted changes.
    Changes(FeedChanges),
    /// A piece of reference data.
    Reference(FeedReference),
    /// A report was computed.
    Report(FeedReport),
    /// A verdict on the asking tablet's own work.
    Verdict(Verdict),
    /// Documents came into a scope; what enters is backfilled around this entry.
    Entered(ScopeChange),
    /// Documents left a scope.
    Left(ScopeChange),
    /// A kind of entry this version does not know.
    Other(u16),
}

impl<C> Encode<C> for FeedBody {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), EncodeError<W::Error>> {
        match self {
            Self::Changes(body) => put_kind(e, 1, body),
            Self::Reference(body) => put_kind(e, 2, body),
            Self::Report(body) => put_kind(e, 3, body),
            Self::Verdict(body) => put_kind(e, 4, body),
            Self::Entered(body) => put_kind(e, 5, body),
            Self::Left(body) => put_kind(e, 6, body),
            Self::Other(kind) => e.array(1)?.u16(*kind)?.ok(),
        }
    }
}

impl<'b, C> Decode<'b, C> for FeedBody {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, DecodeError> {
        let (kind, rest) = take_kind(d)?;
        Ok(match kind {
            1 => Self::Changes(take_body(d, rest)?),
            2 => Self::Reference(take_body(d, rest)?),
            3 => Self::Report(take_body(d, rest)?),
            4 => Self::Verdict(take_body(d, rest)?),
            5 => Self::Entered(take_body(d, rest)?),
            6 => Self::Left(take_body(d, rest)?),
            other => {
                skip_items(d, rest)?;
                Self::Other(other)
            }
        })
    }
}

/// Admitted changes with all that proves them: who made them, and the origin's signed verdict.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct FeedChanges {
    /// The document.
    #[cbor(n(0), with = "crate::field", has_nil)]
    pub document: DocumentId,
    /// What kind of document.
    #[n(1)]
    pub kind: DocumentKind,
    /// The person who made them.
    #[cbor(n(2), with = "crate::field", has_nil)]
    pub person: PersonId,
    /// The tablet they were made on.
    #[cbor(n(3), with = "crate::field", has_nil)]
    pub device: DeviceId,
    /// When the origin received them.
    #[cbor(n(4), with = "crate::field", has_nil)]
    pub received_at: Timestamp,
    /// The changes as they were received, each after those it depends on.
    #[cbor(n(5), with = "crate::field", has_nil)]
    pub changes: Vec<Vec<u8>>,
    /// The author's envelope; absent for constant changes that have no author.
    #[n(6)]
    pub envelope: Option<Envelope>,
    /// The heads the envelope's signature covers.
    #[cbor(n(7), with = "crate::field", has_nil)]
    pub heads: Vec<ChangeHash>,
    /// The origin's signed verdict, opaque bytes; empty in a supply of work not yet judged.
    #[cbor(n(8), with = "crate::field", has_nil)]
    pub verdict: Vec<u8>,
    /// The clinic that received them first, which the envelope's signature names; absent: this one.
    #[cbor(n(9), with = "crate::field", has_nil)]
    pub origin: Option<ClinicId>,
    /// How far the tablet's clock ran ahead of the origin's, in milliseconds; told to clinics only.
    #[n(10)]
    pub clock_ahead_ms: Option<i64>,
}

/// A piece of reference data.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct FeedReference {
    /// What kind.
    #[n(0)]
    pub kind: ReferenceKind,
    /// Its name within the kind.
    #[cbor(n(1), with = "crate::field", has_nil)]
    pub id: Vec<u8>,
    /// The content, opaque to the protocol; absent when it was taken away.
    #[cbor(n(2), with = "crate::field", has_nil)]
    pub body: Option<Vec<u8>>,
    /// The clinic that wrote it; absent: this one.
    #[cbor(n(3), with = "crate::field", has_nil)]
    pub origin: Option<ClinicId>,
    /// That clinic's word for it; between clinics only.
    #[n(4)]
    pub word: Option<Word>,
}

/// A clinic's word for a piece of reference data, signed over [`crate::statement::reference`]. Of two words
/// for the same thing the one of the later place holds.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Word {
    /// The epoch of the clinic's record in which it was written.
    #[n(0)]
    pub epoch: u32,
    /// The place in that record.
    #[n(1)]
    pub seq: u64,
    /// The Ed25519 signature of the clinic's site.
    #[cbor(n(2), with = "crate::field", has_nil)]
    pub signature: [u8; 64],
}

/// A report was computed.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct FeedReport {
    /// The note.
    #[cbor(n(0), with = "crate::field", has_nil)]
    pub document: DocumentId,
    /// The digest of the report's bytes.
    #[cbor(n(1), with = "crate::field", has_nil)]
    pub digest: Digest,
    /// The report, when it is small; otherwise it is fetched.
    #[cbor(n(2), with = "crate::field", has_nil)]
    pub body: Option<Vec<u8>>,
}

/// Documents that entered or left a scope.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ScopeChange {
    /// The scope.
    #[n(0)]
    pub scope: ScopeName,
    /// The documents.
    #[cbor(n(1), with = "crate::field", has_nil)]
    pub documents: Vec<ScopeDocument>,
}

/// One document of a scope.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ScopeDocument {
    /// The document.
    #[cbor(n(0), with = "crate::field", has_nil)]
    pub document: DocumentId,
    /// Its heads at that place in the feed; empty when it leaves.
    #[cbor(n(1), with = "crate::field", has_nil)]
    pub heads: Vec<ChangeHash>,
}

derived!(FeedEntry: PAGE_ENTRIES_MAX, FeedChanges: PAGE_ENTRIES_MAX, ScopeDocument: SCOPE_DOCUMENTS_MAX);
