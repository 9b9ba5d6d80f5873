//! What comes to the hub's thread, and what a piece of work finds there. Runs nothing.

use chart::entropy::Entropy;
use chart::ids::ClinicId;
use chart::time::Timestamp;
use hub::{ConnectionId, Hub, Ticket};
use store::StoreReader;
use tokio::sync::oneshot;

use super::outbox::Outbox;

/// What a piece of work on the hub's thread has at hand.
pub struct Desk<'a> {
    /// The hub.
    pub hub: &'a mut Hub,
    /// The record, for reading.
    pub reader: &'a dyn StoreReader,
    /// The server's clock.
    pub now: Timestamp,
    /// The system's randomness.
    pub entropy: &'a mut dyn Entropy,
}

/// A piece of work for the hub's thread; what it begins is told to who waits for it.
pub(super) type Work = Box<dyn FnOnce(&mut Desk<'_>) -> Option<Pending> + Send>;
/// Told how a commit ended.
pub(super) type Ended = Box<dyn FnOnce(Result<(), String>) + Send>;

/// An act that was begun: who is told when its commit has ended.
pub(super) struct Pending {
    pub(super) ticket: Ticket,
    pub(super) ended: Ended,
}

/// What comes to the hub's thread.
pub(super) enum Event {
    Connect {
        outbox: Outbox,
        reply: oneshot::Sender<ConnectionId>,
    },
    /// A line to another clinic: both sides serve and follow over it.
    ConnectClinic {
        clinic: ClinicId,
        outbox: Outbox,
        reply: oneshot::Sender<Option<ConnectionId>>,
    },
    Frame(ConnectionId, Vec<u8>),
    Heard(ConnectionId),
    Disconnect(ConnectionId),
    Work(Work),
}
