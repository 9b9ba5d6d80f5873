//! Entries on their way into the log and back: sealed under the right key, found by the right names.
//! Never keeps a key anywhere but in memory.

use std::collections::BTreeMap;

use chart::entropy::Entropy;
use chart::ids::DocumentId;
use store::{DocumentKey, Key, NewEntry, StoredEntry, Vault, VaultError};

use crate::entry::{Entry, FORMAT};
use crate::error::TabletError;

/// The vault and the documents' keys.
pub(crate) struct Seals {
    pub(crate) vault: Vault,
    pub(crate) keys: BTreeMap<DocumentId, DocumentKey>,
}

impl Seals {
    pub(crate) fn new(disk_key: [u8; 32]) -> Self {
        Self { vault: Vault::new(disk_key), keys: BTreeMap::new() }
    }

    /// The name under which all entries of a document are found.
    pub(crate) fn document_name(&self, document: DocumentId) -> Key {
        self.vault.key("tablet document", &[document.as_bytes()])
    }

    /// The name under which a document's snapshot is kept.
    pub(crate) fn snapshot_name(&self, document: DocumentId) -> Key {
        self.vault.key("tablet snapshot", &[document.as_bytes()])
    }

    fn names(&self, entry: &Entry) -> Vec<Key> {
        entry.document().map(|document| self.document_name(document)).into_iter().collect()
    }

    fn key_of(&self, entry: &Entry) -> Result<Option<(DocumentId, &DocumentKey)>, VaultError> {
        match entry.document() {
            None => Ok(None),
            Some(document) => {
                let key = self.keys.get(&document).ok_or(VaultError::NeedsDocumentKey)?;
                Ok(Some((document, key)))
            }
        }
    }

    pub(crate) fn seal(&self, entropy: &mut dyn Entropy, entry: &Entry) -> Result<NewEntry, VaultError> {
        let head = [FORMAT, entry.number()];
        let bytes = self.vault.seal(entropy, self.key_of(entry)?, &head, &entry.body())?;
        Ok(NewEntry { keys: self.names(entry), bytes })
    }

    pub(crate) fn open(&self, stored: &StoredEntry) -> Result<Entry, TabletError> {
        let damaged = |reason: String| TabletError::Damaged { seq: stored.seq, reason };
        let head = self.vault.open_head(&stored.bytes)?;
        let number = match head.bytes.as_slice() {
            [FORMAT, number, ..] if Entry::known(*number) => *number,
            [0, ..] | [] | [_] => return Err(damaged("it has no format".to_owned())),
            _ => return Err(TabletError::NewerFormat),
        };
        let key = head.document.and_then(|document| self.keys.get(&document));
        let body = self.vault.open_body(&stored.bytes, key)?;
        Entry::read(number, &body).map_err(|error| damaged(error.to_string()))
    }
}
