//! The exact bytes that get signed. Never signs and never verifies: that is the business of whoever
//! holds the keys.
//!
//! Every statement begins with a context of its own, so that a signature over one kind can never be
//! passed off as another; every field has a fixed length or is preceded by its count. Numbers are
//! little-endian.

use std::collections::BTreeSet;

use chart::ids::{ChangeHash, ClinicId, DeviceId, DocumentId, PersonId};

/// Begins the statement a device signs to prove itself.
pub const HELLO_CONTEXT: &[u8] = b"gaitway hello 1\0";
/// Begins the statement a device signs over pushed work.
pub const PUSH_CONTEXT: &[u8] = b"gaitway push 1\0";
/// Begins the statement a clinic signs over its reference data.
pub const REFERENCE_CONTEXT: &[u8] = b"gaitway reference 1\0";

/// What a clinic signs over a piece of reference data it wrote: context, clinic, the epoch (4 bytes) and the
/// place (8 bytes) in its record, then the content, which names its kind and its id itself.
pub fn reference(clinic: ClinicId, epoch: u32, seq: u64, body: &[u8]) -> Vec<u8> {
    let mut bytes = REFERENCE_CONTEXT.to_vec();
    bytes.extend_from_slice(clinic.as_bytes());
    bytes.extend_from_slice(&epoch.to_le_bytes());
    bytes.extend_from_slice(&seq.to_le_bytes());
    bytes.extend_from_slice(body);
    bytes
}

/// What a device signs in a `Hello`: context, nonce, site, device, version, and who has unlocked it
/// (one byte 0 or 1, then the person).
pub fn hello(
    nonce: &[u8; 32],
    site: ClinicId,
    device: DeviceId,
    version: u16,
    person: Option<PersonId>,
) -> Vec<u8> {
    let mut bytes = HELLO_CONTEXT.to_vec();
    bytes.extend_from_slice(nonce);
    bytes.extend_from_slice(site.as_bytes());
    bytes.extend_from_slice(device.as_bytes());
    bytes.extend_from_slice(&version.to_le_bytes());
    bytes.push(u8::from(person.is_some()));
    if let Some(person) = person {
        bytes.extend_from_slice(person.as_bytes());
    }
    bytes
}

/// What a device signs over pushed work: context, clinic, document, the number of heads (4 bytes) and
/// the heads sorted and without repeats, device, person, counter (8 bytes).
///
/// Heads cover all their ancestry, so the signature proves the author of every change under them that
/// nobody else has signed for.
pub fn push(
    clinic: ClinicId,
    document: DocumentId,
    heads: &[ChangeHash],
    device: DeviceId,
    person: PersonId,
    counter: u64,
) -> Vec<u8> {
    let heads: BTreeSet<&ChangeHash> = heads.iter().collect();
    let mut bytes = PUSH_CONTEXT.to_vec();
    bytes.extend_from_slice(clinic.as_bytes());
    bytes.extend_from_slice(document.as_bytes());
    bytes.extend_from_slice(&(heads.len() as u32).to_le_bytes());
    for head in heads {
        bytes.extend_from_slice(head.as_bytes());
    }
    bytes.extend_from_slice(device.as_bytes());
    bytes.extend_from_slice(person.as_bytes());
    bytes.extend_from_slice(&counter.to_le_bytes());
    bytes
}
