//! Who wrote a value, on which tablet, and when by that tablet's clock.

use serde::{Deserialize, Serialize};

use crate::ids::{ChangeHash, DeviceId, PersonId};
use crate::time::Timestamp;

/// The author of one value: person, tablet, time on the tablet, and the change that wrote it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Attribution {
    /// The person who wrote it.
    pub person: PersonId,
    /// The tablet it was written on.
    pub device: DeviceId,
    /// When, by the tablet's clock.
    pub at: Timestamp,
    /// The change that carries it, once it is part of a document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<ChangeHash>,
}
