//! What is between the network and the documents: received, and not known to stand in its document. Joins
//! nothing.

use std::collections::{BTreeMap, BTreeSet};

use chart::ids::{ChangeHash, DocumentId};

use crate::error::TabletError;
use crate::fence::Fence;

/// What a person is told of work that is set aside.
pub(crate) const ASIDE: &str = "showing it made the app stop";

/// What is between the network and the documents.
#[derive(Default)]
pub(crate) struct Arrivals {
    /// Received and not written down yet, or not joined.
    pub(crate) coming: BTreeMap<DocumentId, BTreeSet<ChangeHash>>,
    /// Documents with something to join.
    pub(crate) waiting: BTreeSet<DocumentId>,
    /// Documents that are tried alone, with how often the app died of what they may have done.
    pub(crate) suspects: BTreeMap<DocumentId, u32>,
    /// Whether a mark stands or is on its way to the disk.
    pub(crate) marked: bool,
    /// Why the last joining failed, until somebody is told.
    pub(crate) trouble: Option<TabletError>,
    pub(crate) fence: Option<Box<dyn Fence>>,
}

impl Arrivals {
    /// Whether a change was received and is on its way into its document.
    pub(crate) fn is_coming(&self, document: DocumentId, hash: &ChangeHash) -> bool {
        self.coming.get(&document).is_some_and(|hashes| hashes.contains(hash))
    }
}
