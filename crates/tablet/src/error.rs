//! Why the tablet could not do what it was asked. No sentence repeats what a note says.

use chart::ids::DocumentId;
use session_note::CommandError;
use store::{StoreError, VaultError};

/// Why the tablet could not do what it was asked; nothing was changed then.
#[derive(Debug, thiserror::Error)]
pub enum TabletError {
    /// The store could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An entry did not open, or could not be sealed.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// An entry says something this version cannot read.
    #[error("entry {seq} of this tablet's log cannot be read: {reason}")]
    Damaged {
        /// The entry's number.
        seq: u64,
        /// Why.
        reason: String,
    },
    /// The log was written by a newer version.
    #[error("this tablet's log was written by a newer version of the app: update the app")]
    NewerFormat,
    /// A command does not fit the note.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// The tablet does not hold the document.
    #[error("this tablet does not hold {0}")]
    UnknownDocument(DocumentId),
    /// The document is of the other kind.
    #[error("{0} is not of this kind")]
    WrongKind(DocumentId),
    /// There is no such appointment.
    #[error("this tablet knows no appointment {0}")]
    UnknownAppointment(DocumentId),
    /// More at once than one change can carry.
    #[error("this is too much for one edit: {0}")]
    TooMuchAtOnce(String),
    /// The document's own bytes do not fit together.
    #[error("{0} cannot be shown by this version of the app; nothing of it is lost")]
    CannotBeShown(DocumentId),
    /// The rules that ship with the app cannot be read.
    #[error("the rulebook cannot be read: {0}")]
    Rulebook(String),
    /// No command was given.
    #[error("no command was given")]
    Empty,
}
