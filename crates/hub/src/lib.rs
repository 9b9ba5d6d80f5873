//! The clinic's machine: what a server does with frames, batches and time, without a socket or a disk.
//!
//! **The contract of the loop.** The owner hands in time, randomness, a [`store::StoreReader`] and what
//! happened; after every call it drains: [`Hub::poll_commit`] (at most one batch is in flight; its end
//! comes back through [`Hub::committed`] or [`Hub::commit_failed`]), [`Hub::poll_keep`],
//! [`Hub::poll_transmit`], [`Hub::poll_closed`], [`Hub::poll_done`]; while nothing else is ready it calls
//! [`Hub::work`] (or [`Hub::derive`], with [`Hub::next_case`] and [`Hub::take_judgement`] beside it, if
//! it has cases judged on another thread), and at [`Hub::poll_timeout`] it calls [`Hub::handle_timeout`].
//!
//! **Durable first, judged second, derived last.** A push passes the door ([`door`]), becomes an entry of
//! the next batch, and is receipted when that batch is durable. Only then is it judged ([`judging`]); the
//! verdict is an entry too. What follows from it ([`reports`]) is derived, published by a marker, and can
//! be computed again at any time. Nothing is sent or shown before its commit; no document is touched
//! before its receipt.
//!
//! The log alone is the record: everything here but open connections can be built from it again, and is,
//! when [`Hub::open`] finds work without a verdict or verdicts without their reports.

mod acts;
mod batch;
mod carried;
mod case;
mod caseload;
mod connection;
mod cursors;
mod differences;
mod digests;
mod directory;
mod door;
mod entry;
mod feed;
mod fingerprint;
mod follow;
mod fresh;
mod heard;
mod hub;
mod import;
mod judging;
mod keys;
mod ledger;
pub mod limits;
mod links;
mod members;
mod metrics;
mod moved;
mod overruled;
mod pairing;
mod reckoner;
mod record;
mod release;
mod reports;
mod resident;
mod review;
mod ruling;
mod settle;
mod shown;
mod sites;
mod startup;
mod supply;
mod told;
mod twins;
mod unjudged;
mod verdicts;
mod views;

pub use case::{Case, CaseError, Gate, Judgement};
pub use caseload::{PatientRow, TabletRow, TransferAct, TransferPreview, TransferWish};
pub use directory::{Abroad, Directory};
pub use heard::PutBack;
pub use hub::{ConnectionId, Enrolment, Hub, HubConfig, HubError, Ticket};
pub use links::SiteStatus;
pub use metrics::Metrics;
pub use pairing::Introduction;
pub use reckoner::{Reckoner, withheld};
pub use views::{QuarantineRow, QuarantinedChange, QuarantinedWork, QueueRow, ReviewHistory, ReviewNote};
