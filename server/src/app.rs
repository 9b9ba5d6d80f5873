//! What every request has at hand.

use std::sync::Arc;
use std::time::Instant;

use chart::ids::ClinicId;
use tokio::sync::Semaphore;

use crate::access::Access;
use crate::driver::Driver;

/// The running server, as its request handlers see it.
pub struct App {
    /// The way to the hub.
    pub driver: Driver,
    /// Whose proofs are accepted.
    pub access: Access,
    /// The clinic.
    pub clinic: ClinicId,
    /// Whether cookies may travel over TLS only.
    pub secure_cookies: bool,
    /// Places for tablets' WebSockets.
    pub sockets: Arc<Semaphore>,
    /// When the server started.
    pub started: Instant,
    /// The rulebook's edition.
    pub rulebook: String,
}
