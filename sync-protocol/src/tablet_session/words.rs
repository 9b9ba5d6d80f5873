//! What a tablet's machine is given and what it says.

use chart::ids::{ClinicId, DeviceId, PersonId};

use crate::message::{
    Cursor, DigestDiff, DigestOffer, LogPosition, Need, Page, ReceiptItem, Refuse, ReportBody, Revoked,
    ScopeName, Supply, Verdict, Welcome,
};
use crate::session::Failure;
#[cfg(doc)]
use crate::{code::Standing, statement};

/// What a tablet brings to a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TabletConfig {
    /// The versions it speaks; [`crate::VERSIONS`] unless a test wants otherwise.
    pub versions: Vec<u16>,
    /// The clinic it is enrolled at; a server of another clinic gets no proof.
    pub site: ClinicId,
    /// The tablet.
    pub device: DeviceId,
    /// Who has unlocked it, if anybody.
    pub person: Option<PersonId>,
    /// The highest place it holds a receipt for.
    pub receipted: Option<LogPosition>,
    /// Where it stands in the feed.
    pub cursor: Option<Cursor>,
    /// What it asks to see.
    pub scopes: Vec<ScopeName>,
    /// Optional abilities it knows.
    pub features: Vec<String>,
    /// Name and version of the program.
    pub app: String,
    /// Asks for verdicts it may have missed.
    pub ask_verdicts: bool,
}

/// What a tablet's machine tells its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TabletEvent {
    /// Sign these bytes with the device's key and call [`prove`](crate::TabletSession::prove).
    Sign {
        /// The bytes, as [`statement::hello`] gives them.
        statement: Vec<u8>,
    },
    /// The server let the tablet in. On [`Standing::Rewound`]: take "safe" back, offer everything
    /// again, and pull from the start (pages of the earlier pull are dropped).
    Welcomed(Box<Welcome>),
    /// Pushes are durable.
    Receipted {
        /// Which, and which of their heads are covered.
        items: Vec<ReceiptItem>,
        /// Up to where the record was durable.
        position: LogPosition,
    },
    /// A push was turned away; nothing of it was stored.
    Refused(Refuse),
    /// What became of work.
    Verdict(Verdict),
    /// A piece of the feed.
    Page(Page),
    /// Changes that were asked for.
    Supply(Supply),
    /// A report that was asked for.
    Report(ReportBody),
    /// The server misses changes: push or supply them.
    ServerNeeds(Need),
    /// This device or person may not go on.
    Revoked(Revoked),
    /// What another clinic holds, in answer to a digest.
    Digest(DigestOffer),
    /// In what another clinic differs, in answer to a digest.
    DigestDiff(DigestDiff),
    /// Something went wrong; if it is fatal the connection is over.
    Failed(Failure),
}

/// Why a push was not taken. Nothing of it was sent, nothing of it is lost.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueueError {
    /// The connection is over.
    #[error("the connection is over")]
    Closed,
    /// It holds no change.
    #[error("a push without changes says nothing")]
    Empty,
    /// A push of this id is under way already.
    #[error("a push of this id is under way already")]
    Repeated,
    /// One change is too large.
    #[error("a change of {bytes} bytes is over the limit of {limit}")]
    ChangeTooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The push is too large: split it into several, each with heads and a signature of its own.
    #[error("a push of {bytes} bytes is over the limit of {limit}")]
    PushTooLarge {
        /// Its cost.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// It names too many heads or replaced changes.
    #[error("a push names more hashes than the protocol allows")]
    TooManyHashes,
}
