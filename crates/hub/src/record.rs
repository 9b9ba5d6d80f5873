//! Reading and sealing entries of the log: the one place that knows keys and ciphers.

use std::collections::BTreeMap;

use chart::entropy::Entropy;
use chart::ids::DocumentId;
use store::vault::{DocumentKey, Vault};
use store::{Key, NewEntry, StoreError, StoreReader};

use crate::entry::{self, EntryError, Head};
use crate::fingerprint::range_of;
use crate::keys;

/// Why the record could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The store refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An entry cannot be opened with the clinic's keys, or not be understood.
    #[error("{0}")]
    Entry(String),
    /// A document's key is not in the log.
    #[error("the key of a document is missing from the record")]
    KeyMissing,
}

impl From<EntryError> for RecordError {
    fn from(error: EntryError) -> Self {
        Self::Entry(error.to_string())
    }
}

impl From<store::vault::VaultError> for RecordError {
    fn from(error: store::vault::VaultError) -> Self {
        Self::Entry(error.to_string())
    }
}

/// An entry with its head opened.
pub(crate) struct Opened {
    pub(crate) seq: u64,
    pub(crate) document: Option<DocumentId>,
    pub(crate) keys: Vec<Key>,
    /// `None` for a kind a newer version wrote.
    pub(crate) head: Option<Head>,
    bytes: Vec<u8>,
}

/// The vault and the document keys in use.
pub(crate) struct Record {
    pub(crate) vault: Vault,
    document_keys: BTreeMap<DocumentId, DocumentKey>,
}

impl Record {
    pub(crate) fn new(vault: Vault) -> Self {
        Self { vault, document_keys: BTreeMap::new() }
    }

    /// Forgets document keys that can be read from the log again; only called when nothing waits to be
    /// committed.
    pub(crate) fn trim(&mut self, keys_max: usize) {
        if self.document_keys.len() > keys_max {
            self.document_keys.clear();
        }
    }

    pub(crate) fn open(&self, reader: &dyn StoreReader, seq: u64) -> Result<Option<Opened>, RecordError> {
        match reader.entry(seq)? {
            Some(stored) => {
                let head = self.vault.open_head(&stored.bytes)?;
                let decoded = entry::decode_head(&head.bytes).ok();
                Ok(Some(Opened {
                    seq,
                    document: head.document,
                    keys: stored.keys,
                    head: decoded,
                    bytes: stored.bytes,
                }))
            }
            None => Ok(None),
        }
    }

    /// Every entry under a key, over `after`, in order.
    pub(crate) fn each(
        &self,
        reader: &dyn StoreReader,
        key: Key,
        after: u64,
        mut take: impl FnMut(Opened) -> Result<(), RecordError>,
    ) -> Result<(), RecordError> {
        let mut after = after;
        loop {
            let seqs = reader.find(key, after, 256)?;
            let Some(last) = seqs.last().copied() else { return Ok(()) };
            for seq in seqs {
                if let Some(opened) = self.open(reader, seq)? {
                    take(opened)?;
                }
            }
            after = last;
        }
    }

    pub(crate) fn body(&mut self, reader: &dyn StoreReader, opened: &Opened) -> Result<Vec<u8>, RecordError> {
        match opened.document {
            Some(document) => {
                let key = self.document_key(reader, document)?.ok_or(RecordError::KeyMissing)?;
                Ok(self.vault.open_body(&opened.bytes, Some(&key))?)
            }
            None => Ok(self.vault.open_body(&opened.bytes, None)?),
        }
    }

    pub(crate) fn document_key(
        &mut self,
        reader: &dyn StoreReader,
        document: DocumentId,
    ) -> Result<Option<DocumentKey>, RecordError> {
        if let Some(key) = self.document_keys.get(&document) {
            return Ok(Some(key.clone()));
        }
        let Some(seq) = reader.find_last(keys::document_key(&self.vault, document), u64::MAX)? else {
            return Ok(None);
        };
        let Some(Opened { head: Some(Head::DocumentKey(wrapped)), .. }) = self.open(reader, seq)? else {
            return Ok(None);
        };
        let key = self.vault.unwrap(document, &wrapped)?;
        self.document_keys.insert(document, key.clone());
        Ok(Some(key))
    }

    /// The document's key, or a new one with the entry that records it.
    pub(crate) fn ensure_document_key(
        &mut self,
        reader: &dyn StoreReader,
        entropy: &mut dyn Entropy,
        document: DocumentId,
    ) -> Result<(DocumentKey, Option<NewEntry>), RecordError> {
        if let Some(key) = self.document_key(reader, document)? {
            return Ok((key, None));
        }
        let key = self.vault.new_document_key(entropy);
        let wrapped = self.vault.wrap(entropy, document, &key)?;
        let head = entry::encode_head(&Head::DocumentKey(wrapped.into()));
        let bytes = self.vault.seal(entropy, Some((document, &key)), &head, &[])?;
        let names = vec![
            keys::document_key(&self.vault, document),
            keys::document(&self.vault, document),
            keys::documents(&self.vault),
            keys::range(&self.vault, range_of(document)),
        ];
        self.document_keys.insert(document, key.clone());
        Ok((key, Some(NewEntry { keys: names, bytes })))
    }

    /// Seals an entry of a document whose key exists.
    pub(crate) fn seal(
        &mut self,
        reader: &dyn StoreReader,
        entropy: &mut dyn Entropy,
        document: DocumentId,
        names: Vec<Key>,
        head: &Head,
        body: &[u8],
    ) -> Result<NewEntry, RecordError> {
        let key = self.document_key(reader, document)?.ok_or(RecordError::KeyMissing)?;
        let bytes = self.vault.seal(entropy, Some((document, &key)), &entry::encode_head(head), body)?;
        Ok(NewEntry { keys: names, bytes })
    }

    /// Seals an entry that belongs to no document.
    pub(crate) fn seal_plain(
        &self,
        entropy: &mut dyn Entropy,
        names: Vec<Key>,
        head: &Head,
        body: &[u8],
    ) -> Result<NewEntry, RecordError> {
        let bytes = self.vault.seal(entropy, None, &entry::encode_head(head), body)?;
        Ok(NewEntry { keys: names, bytes })
    }

    /// Seals a derived value, bound to its own name.
    pub(crate) fn seal_kept(
        &mut self,
        entropy: &mut dyn Entropy,
        document: DocumentId,
        value: &[u8],
    ) -> Option<Vec<u8>> {
        let key = self.document_keys.get(&document)?;
        self.vault.seal(entropy, Some((document, key)), &[], value).ok()
    }

    /// Opens a derived value; one that cannot be opened counts as not kept.
    pub(crate) fn open_kept(
        &mut self,
        reader: &dyn StoreReader,
        document: DocumentId,
        name: Key,
    ) -> Option<Vec<u8>> {
        let bytes = reader.kept(name).ok().flatten()?;
        let key = self.document_key(reader, document).ok().flatten()?;
        let head = self.vault.open_head(&bytes).ok()?;
        (head.document == Some(document)).then(|| self.vault.open_body(&bytes, Some(&key)).ok()).flatten()
    }
}
