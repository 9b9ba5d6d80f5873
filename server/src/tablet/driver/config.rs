//! What a tablet's driver is started with. Starts nothing.

use std::path::PathBuf;

use chart::ids::{ClinicId, DeviceId, PersonId};
use compliance::Rulebook;
use sync_protocol::message::ScopeName;
use tablet::Event;

use crate::tablet::address::ServerAddress;
use crate::tablet::home::{Home, Identity};
use crate::tablet::kill::KillPoints;
use crate::tablet::planted::Planted;

/// Called on the driver's thread with everything the machine tells, before anybody else hears of it.
pub type Observer = Box<dyn FnMut(&Event) + Send>;

/// What a driver is started with. Holds keys: not printable.
pub struct DriverConfig {
    /// The clinic.
    pub clinic: ClinicId,
    /// The tablet.
    pub device: DeviceId,
    /// The device's Ed25519 key.
    pub signing_key: [u8; 32],
    /// The key the log is sealed under.
    pub disk_key: [u8; 32],
    /// The directory of the log.
    pub log: PathBuf,
    /// The file in which it is noted whether the document engine is at work.
    pub engine: PathBuf,
    /// Who works on it.
    pub person: Option<PersonId>,
    /// What it asks to see; empty: the caseload of the person.
    pub scopes: Vec<ScopeName>,
    /// The server, if one is known.
    pub server: Option<ServerAddress>,
    /// Whether to connect from the start.
    pub online: bool,
    /// How wrong the tablet's clock goes, in milliseconds; ahead if positive.
    pub clock_offset_ms: i64,
    /// The rules; the built-in ones if absent.
    pub rulebook: Option<Rulebook>,
    /// Where a test has it die.
    pub kill: KillPoints,
    /// What a test has planted for its document engine.
    pub planted: Planted,
    /// Told everything that happens.
    pub observer: Option<Observer>,
}

impl DriverConfig {
    /// The driver of an enrolled tablet, offline.
    ///
    /// # Errors
    /// When the server's address in the key file is none.
    pub fn of(home: &Home, identity: &Identity) -> Result<Self, String> {
        Ok(Self {
            clinic: identity.clinic,
            device: identity.device,
            signing_key: *identity.signing_key.as_bytes(),
            disk_key: *identity.disk_key.as_bytes(),
            log: home.log(),
            engine: home.engine(),
            person: identity.only_person(),
            scopes: Vec::new(),
            server: Some(ServerAddress::parse(&identity.server)?),
            online: false,
            clock_offset_ms: 0,
            rulebook: None,
            kill: KillPoints::default(),
            planted: Planted::default(),
            observer: None,
        })
    }
}
