//! How single fields stand on the wire: ids and hashes as byte strings of fixed length, instants as
//! milliseconds, lists with a bound that is checked before anything is allocated.
//!
//! Used by the derived codecs through `with = "crate::field"`. Never panics, never trusts a length.

use chart::ids::{ChangeHash, ClinicId, DeviceId, Digest, DocumentId, EpochId, PersonId, PushId};
use chart::time::Timestamp;
use minicbor::data::Type;
use minicbor::decode::{Decode, Decoder, Error as DecodeError};
use minicbor::encode::{Encode, Encoder, Error as EncodeError, Write};

use crate::limits;

/// A value that can stand in a field.
pub(crate) trait Field: Sized {
    fn put<W: Write>(&self, e: &mut Encoder<W>) -> Result<(), EncodeError<W::Error>>;
    fn take(d: &mut Decoder<'_>) -> Result<Self, DecodeError>;
    /// The value of a field that an older peer did not send.
    fn absent() -> Option<Self> {
        None
    }
    fn is_absent(&self) -> bool {
        false
    }
}

/// A value that can stand in a list, and how many of it one list may hold.
pub(crate) trait Listed: Field {
    const COUNT_MAX: usize;
}

pub(crate) fn encode<C, T: Field, W: Write>(
    value: &T,
    e: &mut Encoder<W>,
    _: &mut C,
) -> Result<(), EncodeError<W::Error>> {
    value.put(e)
}

pub(crate) fn decode<C, T: Field>(d: &mut Decoder<'_>, _: &mut C) -> Result<T, DecodeError> {
    T::take(d)
}

pub(crate) fn nil<T: Field>() -> Option<T> {
    T::absent()
}

pub(crate) fn is_nil<T: Field>(value: &T) -> bool {
    value.is_absent()
}

fn null_taken(d: &mut Decoder<'_>) -> Result<bool, DecodeError> {
    let null = matches!(d.datatype()?, Type::Null | Type::Undefined);
    if null {
        d.skip()?;
    }
    Ok(null)
}

macro_rules! fixed_bytes {
    ($($type:ty = $len:literal),+ $(,)?) => {$(
        impl Field for $type {
            fn put<W: Write>(&self, e: &mut Encoder<W>) -> Result<(), EncodeError<W::Error>> {
                e.bytes(self.as_bytes())?.ok()
            }
            fn take(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
                <[u8; $len]>::take(d).map(Self::from_bytes)
            }
        }
    )+};
}

fixed_bytes!(ClinicId = 16, DeviceId = 16, DocumentId = 16, EpochId = 16, PersonId = 16, PushId = 16);
fixed_bytes!(ChangeHash = 32, Digest = 32);

impl<const N: usize> Field for [u8; N] {
    fn put<W: Write>(&self, e: &mut Encoder<W>) -> Result<(), EncodeError<W::Error>> {
        e.bytes(self)?.ok()
    }
    fn take(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let wrong = DecodeError::message("a byte string has the wrong length");
        d.bytes()?.try_into().map_err(|_| wrong)
    }
}

impl Field for Timestamp {
    fn put<W: Write>(&self, e: &mut Encoder<W>) -> Result<(), EncodeError<W::Error>> {
        e.i64(self.unix_ms())?.ok()
    }
    fn take(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        d.i64().map(Self::from_unix_ms)
    }
}

/// Opaque bytes.
impl Field for Vec<u8> {
    fn put<W: Write>(&self, e: &mut Encoder<W>) -> Result<(), EncodeError<W::Error>> {
        e.bytes(self)?.ok()
    }
    fn take(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        d.bytes().map(<[u8]>::to_vec)
    }
}

impl<T: Field> Field for Option<T> {
    fn put<W: Write>(&self, e: &mut Encoder<W>) -> Result<(), EncodeError<W::Error>> {
        match self {
            Some(value) => value.put(e),
            None => e.null()?.ok(),
        }
    }
    fn take(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        if null_taken(d)? { Ok(None) } else { T::take(d).map(Some) }
    }
    fn absent() -> Option<Self> {
        Some(None)
    }
    fn is_absent(&self) -> bool {
        self.is_none()
    }
}

impl<T: Listed> Field for Vec<T> {
    fn put<W: Write>(&self, e: &mut Encoder<W>) -> Result<(), EncodeError<W::Error>> {
        if self.len() > T::COUNT_MAX {
            return Err(EncodeError::message("a list is longer than the protocol allows"));
        }
        e.array(self.len() as u64)?;
        self.iter().try_for_each(|value| value.put(e))
    }
    fn take(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        if null_taken(d)? {
            return Ok(Vec::new());
        }
        let indefinite = DecodeError::message("a list does not say its length");
        let count = d.array()?.ok_or(indefinite)?;
        if count > T::COUNT_MAX as u64 {
            return Err(DecodeError::message("a list is longer than the protocol allows"));
        }
        // Grown as elements are read: a length that lies costs nothing.
        let mut values = Vec::new();
        for _ in 0..count {
            values.push(T::take(d)?);
        }
        Ok(values)
    }
    fn absent() -> Option<Self> {
        Some(Vec::new())
    }
    fn is_absent(&self) -> bool {
        self.is_empty()
    }
}

/// Lets types with a codec of their own stand in fields and lists.
macro_rules! derived {
    ($($type:ty: $count_max:expr),+ $(,)?) => {$(
        impl crate::field::Field for $type {
            fn put<W: minicbor::encode::Write>(
                &self,
                e: &mut minicbor::Encoder<W>,
            ) -> Result<(), minicbor::encode::Error<W::Error>> {
                minicbor::Encode::encode(self, e, &mut ())
            }
            fn take(d: &mut minicbor::Decoder<'_>) -> Result<Self, minicbor::decode::Error> {
                minicbor::Decode::decode(d, &mut ())
            }
        }
        impl crate::field::Listed for $type {
            const COUNT_MAX: usize = $count_max;
        }
    )+};
}
pub(crate) use derived;

derived!(u16: limits::VERSIONS_MAX, String: limits::FEATURES_MAX);

impl Listed for ChangeHash {
    const COUNT_MAX: usize = limits::HASHES_MAX;
}
impl Listed for Vec<u8> {
    const COUNT_MAX: usize = limits::PUSH_CHANGES_MAX;
}

/// Encodes a pair of kind and body: how everything is written that may grow new kinds.
pub(crate) fn put_kind<W: Write, B: Encode<()>>(
    e: &mut Encoder<W>,
    kind: u16,
    body: &B,
) -> Result<(), EncodeError<W::Error>> {
    e.array(2)?.u16(kind)?;
    body.encode(e, &mut ())
}

/// Reads the kind of a pair and the number of items that follow it.
pub(crate) fn take_kind(d: &mut Decoder<'_>) -> Result<(u16, u64), DecodeError> {
    let wrong = || DecodeError::message("a kind and a body were expected");
    let count = d.array()?.ok_or_else(wrong)?;
    let rest = count.checked_sub(1).ok_or_else(wrong)?;
    Ok((d.u16()?, rest))
}

/// Reads the body of a pair and skips what a newer peer wrote behind it.
pub(crate) fn take_body<B: for<'b> Decode<'b, ()>>(d: &mut Decoder<'_>, rest: u64) -> Result<B, DecodeError> {
    let missing = DecodeError::message("a body is missing");
    let extra = rest.checked_sub(1).ok_or(missing)?;
    let body = B::decode(d, &mut ())?;
    skip_items(d, extra)?;
    Ok(body)
}

/// Skips items that this version does not know.
pub(crate) fn skip_items(d: &mut Decoder<'_>, count: u64) -> Result<(), DecodeError> {
    (0..count).try_for_each(|_| d.skip())
}
