//! How the values of entries stand in CBOR. Total over any bytes; a length is never believed before
//! the items behind it are read.

use std::collections::BTreeSet;

use chart::ids::{ActorId, ChangeHash, CommandId, DocumentId, PatientId, PersonId};
use chart::time::{Date, Timestamp};
use chrono::Datelike as _;
use minicbor::data::Type;
use minicbor::decode::{Decoder, Error};
use minicbor::encode::Encoder;
use sync_protocol::message::{Cursor, FeedChanges, LogPosition};

/// Where values are written; writing to memory cannot fail.
pub(crate) type Out = Encoder<Vec<u8>>;

/// A value that can stand in an entry.
pub(crate) trait Cell: Sized {
    fn put(&self, out: &mut Out);
    fn take(d: &mut Decoder<'_>) -> Result<Self, Error>;
}

macro_rules! numbers {
    ($($type:ident),+) => {$(
        impl Cell for $type {
            fn put(&self, out: &mut Out) {
                let _ = out.$type(*self);
            }
            fn take(d: &mut Decoder<'_>) -> Result<Self, Error> {
                d.$type()
            }
        }
    )+};
}
numbers!(u8, u16, u32, u64, i64, bool);

macro_rules! fixed {
    ($($type:ty = $len:literal),+ $(,)?) => {$(
        impl Cell for $type {
            fn put(&self, out: &mut Out) {
                let _ = out.bytes(self.as_bytes());
            }
            fn take(d: &mut Decoder<'_>) -> Result<Self, Error> {
                let bytes: [u8; $len] = d.bytes()?.try_into().map_err(|_| Error::message("a name has the wrong length"))?;
                Ok(Self::from_bytes(bytes))
            }
        }
    )+};
}
fixed!(ActorId = 16, ChangeHash = 32, CommandId = 16, DocumentId = 16, PatientId = 16, PersonId = 16);

macro_rules! on_the_wire {
    ($($type:ty),+) => {$(
        impl Cell for $type {
            fn put(&self, out: &mut Out) {
                let _ = out.encode(self);
            }
            fn take(d: &mut Decoder<'_>) -> Result<Self, Error> {
                d.decode()
            }
        }
    )+};
}
on_the_wire!(Cursor, FeedChanges, LogPosition);

impl Cell for String {
    fn put(&self, out: &mut Out) {
        let _ = out.str(self);
    }
    fn take(d: &mut Decoder<'_>) -> Result<Self, Error> {
        d.str().map(str::to_owned)
    }
}

/// Opaque bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bytes(pub(crate) Vec<u8>);

impl Cell for Bytes {
    fn put(&self, out: &mut Out) {
        let _ = out.bytes(&self.0);
    }
    fn take(d: &mut Decoder<'_>) -> Result<Self, Error> {
        d.bytes().map(|bytes| Self(bytes.to_vec()))
    }
}

impl Cell for Timestamp {
    fn put(&self, out: &mut Out) {
        self.unix_ms().put(out);
    }
    fn take(d: &mut Decoder<'_>) -> Result<Self, Error> {
        i64::take(d).map(Self::from_unix_ms)
    }
}

impl Cell for Date {
    fn put(&self, out: &mut Out) {
        i64::from(self.num_days_from_ce()).put(out);
    }
    fn take(d: &mut Decoder<'_>) -> Result<Self, Error> {
        let days = i32::try_from(i64::take(d)?).ok();
        days.and_then(Self::from_num_days_from_ce_opt).ok_or_else(|| Error::message("not a date"))
    }
}

impl<T: Cell> Cell for Option<T> {
    fn put(&self, out: &mut Out) {
        match self {
            Some(value) => value.put(out),
            None => _ = out.null(),
        }
    }
    fn take(d: &mut Decoder<'_>) -> Result<Self, Error> {
        if d.datatype()? == Type::Null {
            d.null()?;
            return Ok(None);
        }
        T::take(d).map(Some)
    }
}

impl<T: Cell> Cell for Vec<T> {
    fn put(&self, out: &mut Out) {
        let _ = out.array(self.len() as u64);
        self.iter().for_each(|value| value.put(out));
    }
    fn take(d: &mut Decoder<'_>) -> Result<Self, Error> {
        let count = count(d)?;
        let mut values = Self::new();
        for _ in 0..count {
            values.push(T::take(d)?);
        }
        Ok(values)
    }
}

impl<T: Cell + Ord> Cell for BTreeSet<T> {
    fn put(&self, out: &mut Out) {
        let _ = out.array(self.len() as u64);
        self.iter().for_each(|value| value.put(out));
    }
    fn take(d: &mut Decoder<'_>) -> Result<Self, Error> {
        Vec::take(d).map(|values: Vec<T>| values.into_iter().collect())
    }
}

pub(crate) fn count(d: &mut Decoder<'_>) -> Result<u64, Error> {
    d.array()?.ok_or_else(|| Error::message("a list does not say its length"))
}

/// Declares a value whose fields stand in an array, in order; fields a newer version appended are
/// skipped.
macro_rules! record {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty),+ $(,)? })+) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub(crate) struct $name {
            $($(#[$field_doc])* pub(crate) $field: $type,)+
        }
        impl $crate::entry::codec::Cell for $name {
            fn put(&self, out: &mut $crate::entry::codec::Out) {
                const COUNT: u64 = [$(stringify!($field)),+].len() as u64;
                let _ = out.array(COUNT);
                $($crate::entry::codec::Cell::put(&self.$field, out);)+
            }
            fn take(d: &mut minicbor::Decoder<'_>) -> Result<Self, minicbor::decode::Error> {
                const COUNT: u64 = [$(stringify!($field)),+].len() as u64;
                let count = $crate::entry::codec::count(d)?;
                let extra = count.checked_sub(COUNT).ok_or_else(|| minicbor::decode::Error::message("a field is missing"))?;
                let value = Self { $($field: $crate::entry::codec::Cell::take(d)?,)+ };
                (0..extra).try_for_each(|_| d.skip())?;
                Ok(value)
            }
        }
    )+};
}
pub(crate) use record;
