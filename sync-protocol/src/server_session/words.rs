//! What a server's machine is given and what it says.

use chart::ids::{ClinicId, DocumentId};

#[cfg(doc)]
use super::ServerSession;
use crate::code::Standing;
use crate::limits::Limits;
use crate::message::{
    DigestDiff, DigestOffer, DocumentPush, Hello, LogPosition, Need, Pull, ScopeName, Supply,
};
use crate::session::Failure;

/// What a server brings to a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerConfig {
    /// The clinic whose record it keeps.
    pub site: ClinicId,
    /// 32 random bytes, never used before.
    pub nonce: [u8; 32],
    /// The versions it speaks; [`crate::VERSIONS`] unless a test wants otherwise.
    pub versions: Vec<u16>,
    /// The bounds it announces; brought within those of the protocol.
    pub limits: Limits,
}

/// What the owner answers to a hello it believes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acceptance {
    /// Where the record ends.
    pub tip: LogPosition,
    /// Whether the record holds the tablet's receipted place.
    pub standing: Standing,
    /// Up to where backups reach.
    pub backup_covers_through: Option<LogPosition>,
    /// The optional abilities both sides will use.
    pub features: Vec<String>,
    /// The scopes that are granted.
    pub scopes: Vec<ScopeName>,
}

/// What a server's machine tells its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerEvent {
    /// Check the proof over these bytes and everything else about the device and person, then call
    /// [`ServerSession::accept`] or [`ServerSession::refuse`].
    Hello {
        /// What the tablet said.
        hello: Box<Hello>,
        /// The bytes its proof must be a signature over.
        statement: Vec<u8>,
    },
    /// Work, all its parts put together. Answer with `receipt` or `refuse_push`.
    Push(Box<DocumentPush>),
    /// The tablet asks for the feed. Answer with pages that carry its number, while
    /// [`ServerSession::writable`]; a later pull takes the place of an earlier one.
    Pull(Pull),
    /// The tablet misses changes. Answer with `supply`.
    Need(Need),
    /// Changes the server asked for, by whoever made them.
    Supply(Supply),
    /// The tablet asks for the report of a note. Answer with `report`.
    FetchReport {
        /// The note.
        document: DocumentId,
    },
    /// A clinic asks whether this one holds the same. Answer with `digest`; a tablet's with `unsupported`.
    Digest(DigestOffer),
    /// A clinic asks in what this one differs. Answer with `digest_diff`; a tablet's with `unsupported`.
    DigestDiff(DigestDiff),
    /// Something went wrong; if it is fatal the connection is over.
    Failed(Failure),
}
