//! What the tablet tells its driver, in words a screen can show. Never a patient's name or text.

use std::collections::BTreeSet;

use chart::ids::{ChangeHash, DocumentId, PersonId};
use chart::time::Timestamp;

/// Names one edit until it is on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// Something happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// An edit is on this tablet's disk.
    Saved {
        /// Which.
        ticket: Ticket,
        /// In which document.
        document: DocumentId,
        /// The document's heads with it.
        heads: BTreeSet<ChangeHash>,
        /// The change it became; of a long text the last one.
        change: ChangeHash,
    },
    /// Edits could not be written; they are kept in memory and are written again after
    /// [`crate::Tablet::retry_commit`].
    NotSaved {
        /// Which.
        tickets: Vec<Ticket>,
        /// Why, in one sentence.
        sentence: String,
    },
    /// A document or its status changed: read it again.
    Changed {
        /// Which.
        document: DocumentId,
    },
    /// Reference data changed.
    ReferenceChanged,
    /// The server published a report.
    ReportPublished {
        /// Of which note.
        document: DocumentId,
    },
    /// The server keeps work until a supervisor decides; it waits on both sides.
    Held {
        /// In which document.
        document: DocumentId,
        /// Why, in one sentence.
        sentence: String,
    },
    /// Work was rejected; it is made again by itself where that can be done.
    Rejected {
        /// In which document.
        document: DocumentId,
        /// Why, in one sentence.
        sentence: String,
    },
    /// A signature could not be carried over: its signer must sign again.
    SignAgain {
        /// Which document.
        document: DocumentId,
        /// Who.
        person: PersonId,
    },
    /// Work was rejected twice, or cannot be made again: a supervisor must look.
    NeedsSupervisor {
        /// In which document.
        document: DocumentId,
        /// Why, in one sentence.
        sentence: String,
    },
    /// Typed text could not be placed; it stays on this tablet's disk and in the note's view.
    DraftStuck {
        /// In which document.
        document: DocumentId,
        /// Why, in one sentence.
        sentence: String,
    },
    /// A part of a document cannot be shown by this version; nothing of it is lost.
    CannotBeShown {
        /// Which.
        document: DocumentId,
        /// Why, in one sentence.
        sentence: String,
    },
    /// The clinic's server let the tablet in.
    Online {
        /// How far the server's clock is ahead of this tablet's, in milliseconds.
        clock_offset_ms: i64,
    },
    /// There is no connection.
    Offline {
        /// Why, in one sentence.
        sentence: String,
        /// When it will be tried again.
        retry_at: Timestamp,
    },
    /// Connect now: open a transport, then call [`crate::Tablet::connected`].
    Connect,
    /// The connection is over: send what is left, drop the transport, then call
    /// [`crate::Tablet::disconnected`].
    Close,
    /// The server's record does not hold what it had receipted; everything is offered again.
    Rewound,
    /// This tablet or person may not go on; what waits stays here.
    Revoked {
        /// Why, in one sentence.
        sentence: String,
    },
}
