//! What a tablet is told when it is opened. Reads no file and no environment.

use chart::ids::{ClinicId, DeviceId, PersonId};
use compliance::Rulebook;
use sync_protocol::message::ScopeName;

/// Who this tablet is. Holds keys: not printable.
#[derive(Clone)]
pub struct TabletConfig {
    /// The clinic it is enrolled at.
    pub clinic: ClinicId,
    /// The tablet.
    pub device: DeviceId,
    /// The device's Ed25519 key, as its 32 secret bytes.
    pub signing_key: [u8; 32],
    /// The key everything on this tablet's disk is sealed under.
    pub disk_key: [u8; 32],
    /// Who has unlocked it, if anybody.
    pub person: Option<PersonId>,
    /// What it asks to see; empty: the caseload of whoever unlocked it.
    pub scopes: Vec<ScopeName>,
    /// Name and version of the program.
    pub app: String,
    /// The rules; the built-in ones if absent.
    pub rulebook: Option<Rulebook>,
}

impl TabletConfig {
    /// The scopes to ask for.
    pub(crate) fn scopes_wanted(&self) -> Vec<ScopeName> {
        if self.scopes.is_empty() {
            self.person.map(ScopeName::Caseload).into_iter().collect()
        } else {
            self.scopes.clone()
        }
    }
}
