//! Which documents were ever placed under a key (a day, an episode, a patient), read from the log once and
//! afterwards only from where the last reading ended: the log only grows. Decides nothing about content.

use std::collections::{BTreeMap, BTreeSet};

use chart::ids::DocumentId;
use store::{Key, StoreReader};

use crate::entry::Head;
use crate::limits::MEMBERS_KEYS_MAX;
use crate::record::{Record, RecordError};

/// What was read so far.
#[derive(Debug, Default)]
pub(crate) struct Members(BTreeMap<Key, Placed>);

#[derive(Debug, Default)]
struct Placed {
    documents: BTreeSet<DocumentId>,
    /// The last entry that was read.
    through: u64,
}

impl Members {
    /// The documents that were ever placed under a key.
    pub(crate) fn under(
        &mut self,
        record: &Record,
        reader: &dyn StoreReader,
        name: Key,
    ) -> Result<BTreeSet<DocumentId>, RecordError> {
        let Self(read) = self;
        if read.len() >= MEMBERS_KEYS_MAX && !read.contains_key(&name) {
            read.clear();
        }
        let Placed { documents, through } = read.entry(name).or_default();
        let after = *through;
        record.each(reader, name, after, |opened| {
            if let (Some(document), Some(Head::Places(_))) = (opened.document, &opened.head) {
                documents.insert(document);
            }
            *through = opened.seq;
            Ok(())
        })?;
        Ok(documents.clone())
    }
}
