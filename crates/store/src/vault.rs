//! Sealing: entries become ciphertext before they reach any store. Knows no entry's meaning, keeps no
//! key on disk, prints no key.
//!
//! From the clinic key come sub-keys by BLAKE3 key derivation: one hashes index keys, one seals heads,
//! one seals bodies that belong to no document, one wraps document keys. An entry has a *head* under
//! the clinic's key (what look-ups need) and a *body* under its document's key, so that forgetting a
//! document's key makes its bodies unreadable while the log, its chain and its heads stay whole.
//!
//! Frame v1, little-endian:
//! `"GWS"` ‖ 1 ‖ key id (4) ‖ body key (1: 0 clinic, 1 document) ‖ head length (4) ‖
//! head nonce (24) ‖ head ‖ body nonce (24) ‖ body.
//! The cipher is XChaCha20-Poly1305 with random nonces: no counter that a restored backup could repeat.
//! The head binds the document; the body is bound to the document and to this very head, so neither a
//! record nor half of one can be moved.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use chart::entropy::{Entropy, draw};
use chart::ids::DocumentId;
use zeroize::Zeroizing;

use crate::contract::Key;

const MAGIC: [u8; 3] = *b"GWS";
const WRAP_MAGIC: [u8; 3] = *b"GWW";
const FORMAT: u8 = 1;
const PREFIX: usize = 13;
const NONCE: usize = 24;

/// Why a sealed record did not open.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// The bytes are no sealed record.
    #[error("these bytes are not a sealed record")]
    Malformed,
    /// The record was sealed by a newer version.
    #[error("the record has seal format {0}, this version reads 1: use a newer gaitway")]
    NewerFormat(u8),
    /// The record belongs to another clinic key.
    #[error("the record is sealed under clinic key {found:08x}, this is key {have:08x}")]
    OtherKey {
        /// The key's id in the record.
        found: u32,
        /// The id of the key at hand.
        have: u32,
    },
    /// The record does not open: changed, moved, or the wrong key.
    #[error("the record was changed or moved, or the key is not its own")]
    NotAuthentic,
    /// The body is under a document's key and none was given.
    #[error("the record's body needs its document's key")]
    NeedsDocumentKey,
    /// The record is too long to seal.
    #[error("the record is too long to seal")]
    TooLong,
}

/// The key of one document. Not printable; wiped when dropped.
#[derive(Clone)]
pub struct DocumentKey(Zeroizing<[u8; 32]>);

impl DocumentKey {
    /// Takes the key from its bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }
    fn body_cipher(&self) -> XChaCha20Poly1305 {
        cipher("gaitway 1 document body", &self.0)
    }
}

/// The head of a sealed record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The document the record belongs to, if any.
    pub document: Option<DocumentId>,
    /// The head's bytes.
    pub bytes: Vec<u8>,
    /// The id of the clinic key it is sealed under.
    pub key_id: u32,
}

/// Seals and opens with the keys of one clinic. Not printable; wiped when dropped.
#[derive(Clone)]
pub struct Vault {
    key_id: u32,
    index: Zeroizing<[u8; 32]>,
    head: XChaCha20Poly1305,
    body: XChaCha20Poly1305,
    wrap: XChaCha20Poly1305,
}

impl Vault {
    /// The vault of the clinic with this key. The key is wiped once the sub-keys are derived.
    pub fn new(clinic_key: [u8; 32]) -> Self {
        let clinic_key = Zeroizing::new(clinic_key);
        let [a, b, c, d, ..] = blake3::derive_key("gaitway 1 clinic key id", clinic_key.as_slice());
        Self {
            key_id: u32::from_be_bytes([a, b, c, d]),
            index: derive("gaitway 1 index", &clinic_key),
            head: cipher("gaitway 1 clinic head", &clinic_key),
            body: cipher("gaitway 1 clinic body", &clinic_key),
            wrap: cipher("gaitway 1 clinic wrap", &clinic_key),
        }
    }

    /// Names the clinic key without telling anything about it.
    pub fn key_id(&self) -> u32 {
        self.key_id
    }

    /// The key under which an entry is found: keyed BLAKE3 over the kind and the parts, each with its
    /// length, cut to 16 bytes.
    pub fn key(&self, kind: &str, parts: &[&[u8]]) -> Key {
        let mut hasher = blake3::Hasher::new_keyed(&self.index);
        for part in std::iter::once(kind.as_bytes()).chain(parts.iter().copied()) {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        let mut key = [0; 16];
        hasher.finalize_xof().fill(&mut key);
        Key(key)
    }

    /// Draws a key for a new document.
    pub fn new_document_key(&self, entropy: &mut dyn Entropy) -> DocumentKey {
        DocumentKey(Zeroizing::new(draw(entropy)))
    }

    /// Seals a record: the head under the clinic's key, the body under the document's (or the clinic's
    /// when it belongs to none).
    pub fn seal(
        &self,
        entropy: &mut dyn Entropy,
        document: Option<(DocumentId, &DocumentKey)>,
        head: &[u8],
        body: &[u8],
    ) -> Result<Vec<u8>, VaultError> {
        let id = document.map(|(id, _)| id);
        let mut plain_head = Zeroizing::new(document_bytes(id));
        plain_head.extend_from_slice(head);
        let sealed_len = plain_head.len().checked_add(16).and_then(|len| u32::try_from(len).ok());
        let mut out = Vec::with_capacity(PREFIX + 2 * (NONCE + 16) + plain_head.len() + body.len());
        out.extend_from_slice(&MAGIC);
        out.push(FORMAT);
        out.extend_from_slice(&self.key_id.to_le_bytes());
        out.push(u8::from(document.is_some()));
        out.extend_from_slice(&sealed_len.ok_or(VaultError::TooLong)?.to_le_bytes());
        let head_aad = aad(b"gaitway seal 1 head", &[&out]);
        let sealed_head = encrypt(entropy, &self.head, &plain_head, &head_aad)?;
        let body_aad = body_aad(&out, id, &sealed_head);
        let sealed_body = match document {
            Some((_, key)) => encrypt(entropy, &key.body_cipher(), body, &body_aad)?,
            None => encrypt(entropy, &self.body, body, &body_aad)?,
        };
        out.extend_from_slice(&sealed_head);
        out.extend_from_slice(&sealed_body);
        Ok(out)
    }

    /// Opens a record's head.
    pub fn open_head(&self, bytes: &[u8]) -> Result<Head, VaultError> {
        let parts = self.split(bytes)?;
        let head_aad = aad(b"gaitway seal 1 head", &[parts.prefix]);
        let plain = Zeroizing::new(decrypt(&self.head, parts.head, &head_aad)?);
        let (document, head) = match plain.split_first() {
            Some((0, head)) => (None, head),
            Some((1, rest)) => {
                let (id, head) = rest.split_first_chunk::<16>().ok_or(VaultError::Malformed)?;
                (Some(DocumentId::from_bytes(*id)), head)
            }
            _ => return Err(VaultError::Malformed),
        };
        Ok(Head { document, bytes: head.to_vec(), key_id: self.key_id })
    }

    /// Opens a record's body, with its document's key if it has one.
    pub fn open_body(&self, bytes: &[u8], key: Option<&DocumentKey>) -> Result<Vec<u8>, VaultError> {
        let head = self.open_head(bytes)?;
        let parts = self.split(bytes)?;
        let aad = body_aad(parts.prefix, head.document, parts.head);
        match (parts.under_document, key) {
            (false, _) => decrypt(&self.body, parts.body, &aad),
            (true, Some(key)) => decrypt(&key.body_cipher(), parts.body, &aad),
            (true, None) => Err(VaultError::NeedsDocumentKey),
        }
    }

    /// Wraps a document's key under the clinic's: `"GWW"` ‖ 1 ‖ key id (4) ‖ nonce (24) ‖ ciphertext,
    /// bound to the document.
    pub fn wrap(
        &self,
        entropy: &mut dyn Entropy,
        document: DocumentId,
        key: &DocumentKey,
    ) -> Result<Vec<u8>, VaultError> {
        let mut out = WRAP_MAGIC.to_vec();
        out.push(FORMAT);
        out.extend_from_slice(&self.key_id.to_le_bytes());
        let aad = aad(b"gaitway wrap 1", &[&out, document.as_bytes()]);
        out.extend_from_slice(&encrypt(entropy, &self.wrap, key.0.as_slice(), &aad)?);
        Ok(out)
    }

    /// Unwraps a document's key.
    pub fn unwrap(&self, document: DocumentId, bytes: &[u8]) -> Result<DocumentKey, VaultError> {
        let (prefix, sealed) = bytes.split_at_checked(8).ok_or(VaultError::Malformed)?;
        self.check_prefix(prefix, WRAP_MAGIC)?;
        let aad = aad(b"gaitway wrap 1", &[prefix, document.as_bytes()]);
        let plain = Zeroizing::new(decrypt(&self.wrap, sealed, &aad)?);
        let key: [u8; 32] = plain.as_slice().try_into().map_err(|_| VaultError::Malformed)?;
        Ok(DocumentKey(Zeroizing::new(key)))
    }

    fn check_prefix(&self, prefix: &[u8], magic: [u8; 3]) -> Result<(), VaultError> {
        let (found, rest) = prefix.split_first_chunk::<4>().ok_or(VaultError::Malformed)?;
        let [m0, m1, m2, format] = *found;
        if [m0, m1, m2] != magic || format == 0 {
            return Err(VaultError::Malformed);
        }
        if format > FORMAT {
            return Err(VaultError::NewerFormat(format));
        }
        let id = rest.first_chunk::<4>().ok_or(VaultError::Malformed)?;
        match u32::from_le_bytes(*id) {
            id if id == self.key_id => Ok(()),
            found => Err(VaultError::OtherKey { found, have: self.key_id }),
        }
    }

    fn split<'a>(&self, bytes: &'a [u8]) -> Result<Parts<'a>, VaultError> {
        let (prefix, rest) = bytes.split_at_checked(PREFIX).ok_or(VaultError::Malformed)?;
        self.check_prefix(prefix, MAGIC)?;
        let under_document = match prefix.get(8) {
            Some(0) => false,
            Some(1) => true,
            _ => return Err(VaultError::Malformed),
        };
        let len =
            prefix.last_chunk::<4>().map(|len| u32::from_le_bytes(*len)).ok_or(VaultError::Malformed)?;
        let len =
            usize::try_from(len).ok().and_then(|len| len.checked_add(NONCE)).ok_or(VaultError::Malformed)?;
        let (head, body) = rest.split_at_checked(len).ok_or(VaultError::Malformed)?;
        Ok(Parts { prefix, under_document, head, body })
    }
}

struct Parts<'a> {
    prefix: &'a [u8],
    under_document: bool,
    head: &'a [u8],
    body: &'a [u8],
}

fn derive(context: &'static str, key: &[u8; 32]) -> Zeroizing<[u8; 32]> {
    Zeroizing::new(blake3::derive_key(context, key))
}

fn cipher(context: &'static str, key: &[u8; 32]) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new((&*derive(context, key)).into())
}

fn document_bytes(document: Option<DocumentId>) -> Vec<u8> {
    match document {
        Some(id) => [&[1], id.as_bytes().as_slice()].concat(),
        None => vec![0],
    }
}

fn aad(label: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut out = label.to_vec();
    for part in parts {
        out.extend_from_slice(part);
    }
    out
}

fn body_aad(prefix: &[u8], document: Option<DocumentId>, sealed_head: &[u8]) -> Vec<u8> {
    let head_hash = blake3::hash(sealed_head);
    aad(b"gaitway seal 1 body", &[prefix, &document_bytes(document), head_hash.as_bytes()])
}

fn encrypt(
    entropy: &mut dyn Entropy,
    cipher: &XChaCha20Poly1305,
    plain: &[u8],
    aad: &[u8],
) -> Result<Vec<u8>, VaultError> {
    let nonce: [u8; NONCE] = draw(entropy);
    let sealed = cipher
        .encrypt(XNonce::from_slice(&nonce), Payload { msg: plain, aad })
        .map_err(|_| VaultError::TooLong)?;
    Ok([nonce.as_slice(), &sealed].concat())
}

fn decrypt(cipher: &XChaCha20Poly1305, sealed: &[u8], aad: &[u8]) -> Result<Vec<u8>, VaultError> {
    let (nonce, sealed) = sealed.split_at_checked(NONCE).ok_or(VaultError::Malformed)?;
    cipher
        .decrypt(XNonce::from_slice(nonce), Payload { msg: sealed, aad })
        .map_err(|_| VaultError::NotAuthentic)
}

#[cfg(test)]
mod tests;
