//! Places in a log and names of scopes.

use chart::ids::{ClinicId, Digest, EpochId, PersonId};
use minicbor::decode::{Decoder, Error as DecodeError};
use minicbor::encode::{Encoder, Error as EncodeError, Write};
use minicbor::{Decode, Encode};

use crate::field::{Field, derived, skip_items, take_kind};
use crate::limits::SCOPES_MAX;

/// A place in the record of a clinic, with the chain value that proves which record is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct LogPosition {
    /// The number of the epoch, from 1.
    #[n(0)]
    pub epoch: u32,
    /// The random half of the epoch's name.
    #[cbor(n(1), with = "crate::field", has_nil)]
    pub epoch_id: EpochId,
    /// The number of the entry; 0 is before everything.
    #[n(2)]
    pub seq: u64,
    /// The chain value after the entry.
    #[cbor(n(3), with = "crate::field", has_nil)]
    pub chain: Digest,
}

/// A place in the feed: everything up to and including `seq` has been taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Cursor {
    /// The number of the epoch, from 1.
    #[n(0)]
    pub epoch: u32,
    /// The random half of the epoch's name.
    #[cbor(n(1), with = "crate::field", has_nil)]
    pub epoch_id: EpochId,
    /// The number of the last entry taken over; 0 is before everything.
    #[n(2)]
    pub seq: u64,
}

/// The name of a scope: which part of the clinic's notes is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ScopeName {
    /// Every note of the clinic.
    Clinic,
    /// The caseload of one person.
    Caseload(PersonId),
    /// What another clinic shares with this one.
    Site(ClinicId),
    /// A kind of scope this version does not know.
    Other(u16),
}

impl<C> Encode<C> for ScopeName {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), EncodeError<W::Error>> {
        match self {
            Self::Clinic => e.array(1)?.u16(1)?.ok(),
            Self::Caseload(person) => person.put(e.array(2)?.u16(2)?),
            Self::Site(clinic) => clinic.put(e.array(2)?.u16(3)?),
            Self::Other(kind) => e.array(1)?.u16(*kind)?.ok(),
        }
    }
}

impl<'b, C> Decode<'b, C> for ScopeName {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, DecodeError> {
        let (kind, rest) = take_kind(d)?;
        match (kind, rest) {
            (1, rest) => skip_items(d, rest).map(|()| Self::Clinic),
            (2, 0) => Err(DecodeError::message("a caseload without its person")),
            (2, rest) => {
                let person = PersonId::take(d)?;
                skip_items(d, rest - 1)?;
                Ok(Self::Caseload(person))
            }
            (3, 0) => Err(DecodeError::message("a clinic's scope without the clinic")),
            (3, rest) => {
                let clinic = ClinicId::take(d)?;
                skip_items(d, rest - 1)?;
                Ok(Self::Site(clinic))
            }
            (other, rest) => skip_items(d, rest).map(|()| Self::Other(other)),
        }
    }
}

derived!(LogPosition: 1, Cursor: 1, ScopeName: SCOPES_MAX);
