//! The messages, their numbers and their shapes. Values only: reading and writing them is
//! [`crate::codec`], when they may be sent is the sessions' business.
//!
//! Every shape is a CBOR array; an index, once given, keeps its meaning; a newer peer may append
//! fields, which older ones skip. `docs/wire.md` holds the same tables for other implementations.

mod ask;
mod feed;
mod greeting;
mod place;
mod push;
mod verdict;

pub use ask::{
    DigestDiff, DigestOffer, DigestRow, ErrorMessage, FetchReport, Need, ReportBody, Revoked, Supply,
};
pub use feed::{
    FeedBody, FeedChanges, FeedEntry, FeedReference, FeedReport, Page, Pull, ScopeChange, ScopeDocument, Word,
};
pub use greeting::{Challenge, Hello, Welcome};
pub use place::{Cursor, LogPosition, ScopeName};
pub use push::{DocumentPush, Envelope, Push, Receipt, ReceiptItem, Refuse, RefusedChange};
pub use verdict::{Verdict, VerdictItem};

/// The numbers of the messages.
pub mod kind {
    /// A message with this bit may be ignored by a peer that does not know it.
    pub const OPTIONAL: u16 = 0x8000;

    /// [`super::Challenge`], server to tablet.
    pub const CHALLENGE: u16 = 1;
    /// [`super::Hello`], tablet to server.
    pub const HELLO: u16 = 2;
    /// [`super::Welcome`], server to tablet.
    pub const WELCOME: u16 = 3;
    /// [`super::Push`], tablet to server.
    pub const PUSH: u16 = 4;
    /// [`super::Receipt`], server to tablet.
    pub const RECEIPT: u16 = 5;
    /// [`super::Refuse`], server to tablet.
    pub const REFUSE: u16 = 6;
    /// [`super::Verdict`], server to tablet.
    pub const VERDICT: u16 = 7;
    /// [`super::Pull`], tablet to server.
    pub const PULL: u16 = 8;
    /// [`super::Page`], server to tablet.
    pub const PAGE: u16 = 9;
    /// [`super::Need`], both ways.
    pub const NEED: u16 = 10;
    /// [`super::Supply`], both ways.
    pub const SUPPLY: u16 = 11;
    /// [`super::FetchReport`], tablet to server.
    pub const FETCH_REPORT: u16 = 12;
    /// [`super::ReportBody`], server to tablet.
    pub const REPORT_BODY: u16 = 13;
    /// [`super::ErrorMessage`], both ways.
    pub const ERROR: u16 = 14;
    /// [`super::Revoked`], server to tablet.
    pub const REVOKED: u16 = 15;
    /// [`super::DigestOffer`], between clinics, both ways; a tablet's is answered by `Unsupported`.
    pub const DIGEST: u16 = 16;
    /// [`super::DigestDiff`], between clinics, both ways; a tablet's is answered by `Unsupported`.
    pub const DIGEST_DIFF: u16 = 17;
    /// Reserved: the scopes of the connection have changed.
    pub const SCOPE_CHANGED: u16 = 18;
    /// Reserved: who else has a note open.
    pub const PRESENCE: u16 = OPTIONAL | 1;
}

/// A message of any kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// See [`Challenge`].
    Challenge(Challenge),
    /// See [`Hello`].
    Hello(Box<Hello>),
    /// See [`Welcome`].
    Welcome(Box<Welcome>),
    /// See [`Push`].
    Push(Push),
    /// See [`Receipt`].
    Receipt(Receipt),
    /// See [`Refuse`].
    Refuse(Refuse),
    /// See [`Verdict`].
    Verdict(Verdict),
    /// See [`Pull`].
    Pull(Pull),
    /// See [`Page`].
    Page(Page),
    /// See [`Need`].
    Need(Need),
    /// See [`Supply`].
    Supply(Supply),
    /// See [`FetchReport`].
    FetchReport(FetchReport),
    /// See [`ReportBody`].
    ReportBody(ReportBody),
    /// See [`ErrorMessage`].
    Error(ErrorMessage),
    /// See [`Revoked`].
    Revoked(Revoked),
    /// See [`DigestOffer`].
    Digest(DigestOffer),
    /// See [`DigestDiff`].
    DigestDiff(DigestDiff),
    /// A message whose number is reserved, or unknown; its body was not read.
    Unread {
        /// The number.
        kind: u16,
    },
}

impl Message {
    /// The number of the message.
    pub const fn kind(&self) -> u16 {
        match self {
            Self::Challenge(_) => kind::CHALLENGE,
            Self::Hello(_) => kind::HELLO,
            Self::Welcome(_) => kind::WELCOME,
            Self::Push(_) => kind::PUSH,
            Self::Receipt(_) => kind::RECEIPT,
            Self::Refuse(_) => kind::REFUSE,
            Self::Verdict(_) => kind::VERDICT,
            Self::Pull(_) => kind::PULL,
            Self::Page(_) => kind::PAGE,
            Self::Need(_) => kind::NEED,
            Self::Supply(_) => kind::SUPPLY,
            Self::FetchReport(_) => kind::FETCH_REPORT,
            Self::ReportBody(_) => kind::REPORT_BODY,
            Self::Error(_) => kind::ERROR,
            Self::Revoked(_) => kind::REVOKED,
            Self::Digest(_) => kind::DIGEST,
            Self::DigestDiff(_) => kind::DIGEST_DIFF,
            Self::Unread { kind } => *kind,
        }
    }

    /// The name of the message, for sentences.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Challenge(_) => "Challenge",
            Self::Hello(_) => "Hello",
            Self::Welcome(_) => "Welcome",
            Self::Push(_) => "Push",
            Self::Receipt(_) => "Receipt",
            Self::Refuse(_) => "Refuse",
            Self::Verdict(_) => "Verdict",
            Self::Pull(_) => "Pull",
            Self::Page(_) => "Page",
            Self::Need(_) => "Need",
            Self::Supply(_) => "Supply",
            Self::FetchReport(_) => "FetchReport",
            Self::ReportBody(_) => "ReportBody",
            Self::Error(_) => "Error",
            Self::Revoked(_) => "Revoked",
            Self::Digest(_) => "Digest",
            Self::DigestDiff(_) => "DigestDiff",
            Self::Unread { .. } => "a message of unknown kind",
        }
    }
}
