//! Who speaks inside a document.

use chart::ids::{ActorId, DeviceId, PersonId};

/// Who speaks: a person on a tablet, under the actor of this app start and document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Author {
    /// The person.
    pub person: PersonId,
    /// The tablet.
    pub device: DeviceId,
    /// The actor.
    pub actor: ActorId,
}

impl Author {
    /// Stands in where a document names nobody for an actor; the gate admits no such change.
    pub(crate) const fn unknown() -> Self {
        Self {
            person: PersonId::from_bytes([0; 16]),
            device: DeviceId::from_bytes([0; 16]),
            actor: ActorId::from_bytes([0; 16]),
        }
    }
}
