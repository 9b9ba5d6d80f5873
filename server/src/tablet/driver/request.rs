//! What comes to the tablet's thread, what a piece of work finds there, and what is answered. Runs
//! nothing.

use std::collections::BTreeSet;
use std::time::Duration;

use chart::entropy::Entropy;
use chart::ids::{ChangeHash, DocumentId};
use chart::time::Timestamp;
use serde_json::Value;
use store::StoreReader;
use tablet::{Tablet, Ticket};
use tokio::sync::oneshot;

use super::error::DriverError;
use super::wait::{Until, Waited};
use crate::tablet::address::ServerAddress;

/// What a piece of work on the tablet's thread has at hand.
pub struct Desk<'a> {
    /// The machine.
    pub tablet: &'a mut Tablet,
    /// Its log, for reading.
    pub reader: &'a dyn StoreReader,
    /// The tablet's clock, or what the caller said it shows.
    pub now: Timestamp,
    /// The system's randomness.
    pub entropy: &'a mut dyn Entropy,
}

/// An edit that is on this tablet's disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saved {
    /// In which document.
    pub document: DocumentId,
    /// The document's heads with it.
    pub heads: BTreeSet<ChangeHash>,
    /// The change it became; of a long text the last one.
    pub change: ChangeHash,
}

/// What is told when the work's commit has ended.
pub(super) type Told = Box<dyn FnOnce(Result<Option<Saved>, DriverError>) + Send>;
/// What the caller waits for, if the work went well.
pub(super) type Done = (Option<Ticket>, Told);
/// A piece of work for the tablet's thread.
pub(super) type Work = Box<dyn FnOnce(&mut Desk<'_>) -> Option<Done> + Send>;

/// What comes to the tablet's thread.
pub(super) enum Request {
    Work { at: Option<Timestamp>, work: Work },
    Wait { until: Until, timeout: Duration, reply: oneshot::Sender<Result<Waited, DriverError>> },
    Connect(ServerChoice),
    Disconnect,
    Standing(oneshot::Sender<Result<Standing, DriverError>>),
    Stop,
}

/// Which server to connect to.
pub(super) enum ServerChoice {
    Known,
    Other(ServerAddress),
}

/// How the connection stands, and what a person should have been told.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Standing {
    /// Whether the clinic's server has let the tablet in.
    pub online: bool,
    /// Whether the tablet tries to be.
    pub wants_online: bool,
    /// Why it is not, in one sentence.
    pub offline_because: Option<String>,
    /// How far the server's clock is ahead, in milliseconds.
    pub clock_offset_ms: Option<i64>,
    /// The last things a person should know: held, rejected, sign again and their kin.
    pub told: Vec<Value>,
}
