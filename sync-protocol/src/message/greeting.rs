//! The greeting: `Challenge`, `Hello`, `Welcome`.

use chart::ids::{ClinicId, DeviceId, PersonId};
use chart::time::Timestamp;
use minicbor::{Decode, Encode};

use super::{Cursor, LogPosition, ScopeName};
use crate::code::Standing;
use crate::limits::Limits;

/// The server's first word: prove who you are, to me, here and now.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Challenge {
    /// Random bytes, never used before; the proof covers them.
    #[cbor(n(0), with = "crate::field", has_nil)]
    pub nonce: [u8; 32],
    /// The versions of the protocol the server speaks.
    #[cbor(n(1), with = "crate::field", has_nil)]
    pub versions: Vec<u16>,
    /// The clinic the server keeps the record of; the proof covers it.
    #[cbor(n(2), with = "crate::field", has_nil)]
    pub site: ClinicId,
    /// The server's clock.
    #[cbor(n(3), with = "crate::field", has_nil)]
    pub server_time: Timestamp,
}

/// The tablet's answer.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Hello {
    /// The version both sides use from here on.
    #[n(0)]
    pub version: u16,
    /// The tablet.
    #[cbor(n(1), with = "crate::field", has_nil)]
    pub device: DeviceId,
    /// Who has unlocked it; absent when a locked tablet sends what waits.
    #[cbor(n(2), with = "crate::field", has_nil)]
    pub person: Option<PersonId>,
    /// The device's Ed25519 signature over [`crate::statement::hello`].
    #[cbor(n(3), with = "crate::field", has_nil)]
    pub proof: [u8; 64],
    /// The highest place the tablet holds a receipt for.
    #[n(4)]
    pub receipted: Option<LogPosition>,
    /// Where the tablet stands in the feed.
    #[n(5)]
    pub cursor: Option<Cursor>,
    /// What it asks to see.
    #[cbor(n(6), with = "crate::field", has_nil)]
    pub scopes: Vec<ScopeName>,
    /// Optional abilities it knows, by name.
    #[cbor(n(7), with = "crate::field", has_nil)]
    pub features: Vec<String>,
    /// Name and version of the program.
    #[n(8)]
    pub app: String,
    /// The tablet's clock.
    #[cbor(n(9), with = "crate::field", has_nil)]
    pub device_time: Timestamp,
    /// Asks for the verdicts on this tablet's own work that it may have missed.
    #[n(10)]
    pub ask_verdicts: bool,
}

/// The server lets the tablet in.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Welcome {
    /// The version both sides use.
    #[n(0)]
    pub version: u16,
    /// The server's clock; with the round trip it gives the tablet its offset.
    #[cbor(n(1), with = "crate::field", has_nil)]
    pub server_time: Timestamp,
    /// Where the record ends.
    #[n(2)]
    pub tip: LogPosition,
    /// Whether the record holds what the tablet was told is safe.
    #[n(3)]
    pub standing: Standing,
    /// The bounds that hold on this connection.
    #[n(4)]
    pub limits: Limits,
    /// Up to where backups reach; work up to there need not be kept on the tablet.
    #[n(5)]
    pub backup_covers_through: Option<LogPosition>,
    /// The optional abilities both sides will use.
    #[cbor(n(6), with = "crate::field", has_nil)]
    pub features: Vec<String>,
    /// The scopes that were granted.
    #[cbor(n(7), with = "crate::field", has_nil)]
    pub scopes: Vec<ScopeName>,
}
