//! The names of things: 16 random bytes each, one type per kind, so that no two can be mixed up.
//!
//! Ids are never made here; they are made from bytes that the edge drew (see [`crate::entropy`]).

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::entropy::{Entropy, draw};

/// A text that is not the id it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {what}")]
pub struct IdError {
    text: String,
    what: &'static str,
}

macro_rules! id_type {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// Takes the id from its 16 bytes.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }
            /// Makes a new id from random bytes (UUID version 4).
            pub fn random(entropy: &mut dyn Entropy) -> Self {
                Self(uuid::Builder::from_random_bytes(draw(entropy)).into_uuid())
            }
            /// Reads the hyphenated form.
            pub fn parse(text: &str) -> Result<Self, IdError> {
                Uuid::try_parse(text)
                    .map(Self)
                    .map_err(|_| IdError { text: text.chars().take(64).collect(), what: $what })
            }
            /// The 16 bytes of the id.
            pub fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0.hyphenated())
            }
        }
        impl std::str::FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::parse(text)
            }
        }
    };
}

id_type!(/** A visit or an episode of care: one document. A visit's id is its appointment's id. */
    DocumentId, "a document id");
id_type!(/** A clinic: one organisation's site with a server of its own. */ ClinicId, "a clinic id");
id_type!(/** A patient. */ PatientId, "a patient id");
id_type!(/** A member of staff. */ PersonId, "a person id");
id_type!(/** A tablet. */ DeviceId, "a device id");
id_type!(/** An activity of a visit: what was done, over one or several segments of time. */
    ActivityId, "an activity id");
id_type!(/** A segment: one stretch of time of one activity. */ SegmentId, "a segment id");
id_type!(/** A version of a billing fact. */ VersionId, "a version id");
id_type!(/** A goal of an episode. */ GoalId, "a goal id");
id_type!(/** A smaller entry of a note: a measure, a comment, a signature, an amendment. */
    EntryId, "an entry id");
id_type!(/** One command a person gave. */ CommandId, "a command id");
id_type!(/** One handing over of patients. */ TransferId, "a transfer id");
id_type!(/** One push of work from a tablet. */ PushId, "a push id");
id_type!(/** The random half of a log epoch's name. */ EpochId, "an epoch id");

macro_rules! hex_type {
    ($(#[$doc:meta])* $name:ident, $len:literal, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; $len]);

        impl $name {
            /// Takes the value from its bytes.
            pub const fn from_bytes(bytes: [u8; $len]) -> Self {
                Self(bytes)
            }
            /// Takes the value from a slice, if its length is right.
            pub fn from_slice(bytes: &[u8]) -> Option<Self> {
                bytes.try_into().ok().map(Self)
            }
            /// Reads lower- or upper-case hexadecimal.
            pub fn parse(text: &str) -> Result<Self, IdError> {
                let wrong = || IdError { text: text.chars().take(80).collect(), what: $what };
                let digits = text.as_bytes();
                if digits.len() != $len * 2 {
                    return Err(wrong());
                }
                let mut bytes = [0u8; $len];
                for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
                    let pair = std::str::from_utf8(pair).map_err(|_| wrong())?;
                    *byte = u8::from_str_radix(pair, 16).map_err(|_| wrong())?;
                }
                Ok(Self(bytes))
            }
            /// The bytes.
            pub fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }
        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Self::parse(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}

hex_type!(/** The hash of one change: SHA-256 over its chunk, as the document engine computes it. */
    ChangeHash, 32, "a change hash");
hex_type!(/** A digest of some content (BLAKE3 or SHA-256; the context says which). */
    Digest, 32, "a digest");
hex_type!(/** Who speaks inside a document: random for every (tablet, person, document, app start). */
    ActorId, 16, "an actor id");

impl ActorId {
    /// Makes a new actor from random bytes.
    pub fn random(entropy: &mut dyn Entropy) -> Self {
        Self(draw(entropy))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_read_back_what_they_print() {
        let id = PatientId::from_bytes([7; 16]);
        assert_eq!(PatientId::parse(&id.to_string()), Ok(id));
        let hash = ChangeHash::from_bytes([0xab; 32]);
        assert_eq!(ChangeHash::parse(&hash.to_string()), Ok(hash));
    }

    #[test]
    fn a_wrong_id_says_what_it_should_have_been() {
        assert_eq!(PatientId::parse("x").unwrap_err().to_string(), "`x` is not a patient id");
        assert!(ChangeHash::parse("zz").is_err());
        assert!(ActorId::parse(&"é".repeat(16)).is_err());
    }
}
