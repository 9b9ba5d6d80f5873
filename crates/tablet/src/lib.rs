//! The tablet: everything it does between a tap and the clinic's receipt, as a machine without a
//! file, a socket, a clock or a random source.
//!
//! A person's edit becomes a change and an entry of the tablet's own log; once the log is on the disk
//! the edit is *saved*; it is pushed; once the clinic's server has it on its disk the edit is *safe*.
//! Whatever the server says of it later is shown for what it is, and nothing of it is ever dropped.
//! `docs/tablet.md` has the states of a change and the words on the screen.
//!
//! **The contract with the driver, who owns the store and the transport:**
//! - **Write.** After every call, ask [`Tablet::poll_commit`]; if it gives a batch, commit it and call
//!   [`Tablet::committed`] or [`Tablet::commit_failed`]. At most one batch is under way. *Nothing is
//!   saved, nothing is sent and no draft is dropped before `committed`.*
//! - **Send.** [`Tablet::poll_transmit`] until it is empty.
//! - **Tell.** [`Tablet::poll_event`] until it is empty.
//! - **Keep.** [`Tablet::poll_keep`] gives snapshots for `Store::keep`; losing them costs only time.
//! - **Wait.** [`Tablet::poll_timeout`] says when to call [`Tablet::handle_timeout`], and why.
//!
//! The machine never writes: it reads through the `&dyn StoreReader` it is handed, which must be the
//! store the batches went into.

mod arrivals;
mod commit;
pub mod config;
mod documents;
mod drafts;
mod edit;
mod entry;
mod error;
mod event;
mod fence;
mod join;
pub mod limits;
mod link;
mod machine;
mod outbox;
mod pipeline;
mod record;
mod replay;
mod report;
mod sealed;
mod shelf;
mod state;
mod status;
mod sync;
mod take;
mod typing;
mod view;

pub use config::TabletConfig;
pub use drafts::Keystroke;
pub use edit::Edit;
pub use error::TabletError;
pub use event::{Event, Ticket};
pub use fence::{Fence, LastEnd};
pub use machine::Tablet;
pub use status::{DocumentSummary, SaveState, Status, WorkNote};
pub use view::{DraftView, NoteView};
