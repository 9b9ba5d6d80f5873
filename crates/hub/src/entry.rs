//! The entries of the clinic's log: format 1, CBOR arrays with numbered members.
//!
//! An entry is a head (who, what, when, which hashes) under the clinic's key and a body (the content)
//! under the document's. Unknown members are skipped and unknown kinds are kept and passed over, so a
//! newer version may add to both. Numbers are never used twice.

use chart::ids::{ChangeHash, Digest, DocumentId};
use chart::reference::Reference;
use minicbor::bytes::{ByteArray, ByteVec};
use minicbor::{Decode, Encode};
use sync_protocol::ReferenceKind;

/// A head, by kind.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub(crate) enum Head {
    /// Work that passed the door; the body is its changes.
    #[n(1)]
    Work(#[n(0)] Work),
    /// What became of work; no body.
    #[n(2)]
    Verdict(#[n(0)] Verdict),
    /// The document's key, wrapped under the clinic's; no body.
    #[n(3)]
    DocumentKey(#[n(0)] ByteVec),
    /// Where a document belongs; no body.
    #[n(4)]
    Places(#[n(0)] Places),
    /// A report was published; no body, it is derived.
    #[n(5)]
    Marker(#[n(0)] Marker),
    /// Reference data; the body is its JSON.
    #[n(6)]
    Reference(#[n(0)] ReferenceHead),
    /// Something a person did to the server: enrolment, revocation, release; the body is JSON.
    #[n(7)]
    Audit(#[n(0)] Audit),
}

/// Sixteen bytes of an id.
pub(crate) type Id = ByteArray<16>;
/// Thirty-two bytes of a hash.
pub(crate) type Hash = ByteArray<32>;

/// Work as it passed the door.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub(crate) struct Work {
    /// The tablet's name for the push.
    #[n(0)]
    pub push: Id,
    /// The document's kind.
    #[n(1)]
    pub kind: u8,
    /// The author.
    #[n(2)]
    pub person: Id,
    /// The author's tablet.
    #[n(3)]
    pub device: Id,
    /// The envelope's counter.
    #[n(4)]
    pub counter: u64,
    /// The envelope's signature.
    #[n(5)]
    pub signature: ByteArray<64>,
    /// The heads that are signed.
    #[n(6)]
    pub heads: Vec<Hash>,
    /// When it came, by this server's clock, in milliseconds.
    #[n(7)]
    pub received_at_ms: i64,
    /// How far the tablet's clock ran ahead of this server's, in milliseconds.
    #[n(8)]
    pub clock_ahead_ms: i64,
    /// The changes in the order of the body.
    #[n(9)]
    pub hashes: Vec<Hash>,
    /// Work of which this is the replay.
    #[n(10)]
    pub replaces: Vec<Hash>,
    /// The device that carried it, if not the author's.
    #[n(11)]
    pub carrier: Option<Id>,
    /// The clinic that received it first, if not this one or not in this record.
    #[n(12)]
    pub origin: Option<Id>,
}

/// What became of some changes of one piece of work.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub(crate) struct Verdict {
    /// The work's entry.
    #[n(0)]
    pub work: u64,
    /// What became of them: the wire's number.
    #[n(1)]
    pub outcome: u16,
    /// Why: the wire's number.
    #[n(2)]
    pub reason: u16,
    /// Why, in one sentence without patient words.
    #[n(3)]
    pub sentence: String,
    /// The changes.
    #[n(4)]
    pub hashes: Vec<Hash>,
    /// The version of the gate's rules.
    #[n(5)]
    pub gate: u16,
    /// The origin's signature over all of the above and the document.
    #[n(6)]
    pub signature: ByteArray<64>,
    /// Where it was reached, if not here or not in this record.
    #[n(7)]
    pub origin: Option<Origin>,
}

/// Where a verdict was reached.
#[derive(Clone, Copy, Debug, PartialEq, Encode, Decode)]
pub(crate) struct Origin {
    /// The clinic.
    #[n(0)]
    pub clinic: Id,
    /// The work's entry in that clinic's record, which its signature covers.
    #[n(1)]
    pub work: u64,
}

/// Where a document belongs from here on.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub(crate) struct Places {
    /// Caseloads that see it from here on and did not before.
    #[n(0)]
    pub entered: Vec<Id>,
    /// Caseloads that saw it and do no more.
    #[n(1)]
    pub left: Vec<Id>,
    /// All caseloads that see it.
    #[n(2)]
    pub caseloads: Vec<Id>,
    /// Whether this is the document's first entry of the kind.
    #[n(3)]
    pub first: bool,
    /// The document's kind.
    #[n(4)]
    pub kind: u8,
    /// The other clinics that hold it from here on and did not before.
    #[n(5)]
    pub sites_entered: Option<Vec<Id>>,
    /// All other clinics that hold it.
    #[n(6)]
    pub sites: Option<Vec<Id>>,
}

/// A published report.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub(crate) struct Marker {
    /// SHA-256 of the body.
    #[n(0)]
    pub digest: Hash,
    /// Every verdict up to this entry is in it.
    #[n(1)]
    pub through: u64,
    /// BLAKE3 of the rulebook, hexadecimal.
    #[n(2)]
    pub rulebook: String,
    /// Worst severity: 0 none, 1 advice, 2 warning, 3 blocker.
    #[n(3)]
    pub worst: u8,
    /// Findings: blockers, warnings, advice.
    #[n(4)]
    pub counts: [u32; 3],
    /// Whether something is disputed.
    #[n(5)]
    pub disputed: bool,
    /// Whether it may be billed.
    #[n(6)]
    pub ready: bool,
}

/// What a piece of reference data is.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub(crate) struct ReferenceHead {
    /// The wire's number of the kind; 100 for devices, which do not travel.
    #[n(0)]
    pub kind: u16,
    /// Its id.
    #[n(1)]
    pub id: Id,
    /// The clinic that wrote it, if not this one or not in this record.
    #[n(2)]
    pub origin: Option<Id>,
    /// That clinic's word for it.
    #[n(3)]
    pub written: Option<Written>,
}

/// Where the clinic that wrote a piece of reference data has it, signed.
#[derive(Clone, Copy, Debug, PartialEq, Encode, Decode)]
pub(crate) struct Written {
    /// The epoch of that clinic's record.
    #[n(0)]
    pub epoch: u32,
    /// The place there.
    #[n(1)]
    pub seq: u64,
    /// The signature of its site.
    #[n(2)]
    pub signature: ByteArray<64>,
}

/// Something a person did to the server.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub(crate) struct Audit {
    /// What: `release`, `reject`, `enrol`, `revoke`, `code`.
    #[n(0)]
    pub act: String,
    /// When, by this server's clock, in milliseconds.
    #[n(1)]
    pub at_ms: i64,
}

/// The number of devices among reference kinds.
pub(crate) const DEVICE_KIND: u16 = 100;
/// The number of claims among reference data; they never travel.
pub(crate) const CLAIM_KIND: u16 = 101;

/// The number of other clinics among reference data.
pub(crate) const PEER_KIND: u16 = 102;
/// The number of patients treated at several clinics among reference data.
pub(crate) const SHARING_KIND: u16 = 103;

/// The number of a clinic's word that its charting is complete among reference data.
pub(crate) const CLOSED_KIND: u16 = 104;

/// The number of transfers among reference data; they never travel.
pub(crate) const TRANSFER_KIND: u16 = 105;

/// What a piece of reference data is found by: its kind and its id.
pub(crate) fn kind_and_id(reference: &Reference) -> (u16, [u8; 16]) {
    match reference {
        Reference::Person(person) => (ReferenceKind::Person.number(), *person.id.as_bytes()),
        Reference::Patient(patient) => (ReferenceKind::Patient.number(), *patient.id.as_bytes()),
        Reference::Appointment(appointment) => {
            (ReferenceKind::Appointment.number(), *appointment.id.as_bytes())
        }
        Reference::Settings(settings) => (ReferenceKind::Clinic.number(), *settings.clinic.as_bytes()),
        Reference::Device(device) => (DEVICE_KIND, *device.id.as_bytes()),
        Reference::Claim(claim) => (CLAIM_KIND, *claim.visit.as_bytes()),
        Reference::Peer(peer) => (PEER_KIND, *peer.clinic.as_bytes()),
        Reference::Sharing(sharing) => (SHARING_KIND, *sharing.patient.as_bytes()),
        Reference::DayClosed(closed) => (CLOSED_KIND, *closed.clinic.as_bytes()),
        Reference::Transfer(transfer) => (TRANSFER_KIND, *transfer.id.as_bytes()),
    }
}

/// Why an entry cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an entry of the log cannot be read: {0}")]
pub(crate) struct EntryError(pub(crate) String);

pub(crate) fn encode_head(head: &Head) -> Vec<u8> {
    // Writing to a vector cannot fail.
    minicbor::to_vec(head).unwrap_or_default()
}

pub(crate) fn decode_head(bytes: &[u8]) -> Result<Head, EntryError> {
    minicbor::decode(bytes).map_err(|error| EntryError(error.to_string()))
}

pub(crate) fn encode_changes(changes: &[Vec<u8>]) -> Vec<u8> {
    let changes: Vec<&minicbor::bytes::ByteSlice> =
        changes.iter().map(|change| change.as_slice().into()).collect();
    minicbor::to_vec(changes).unwrap_or_default()
}

pub(crate) fn decode_changes(bytes: &[u8]) -> Result<Vec<Vec<u8>>, EntryError> {
    let changes: Vec<ByteVec> = minicbor::decode(bytes).map_err(|error| EntryError(error.to_string()))?;
    Ok(changes.into_iter().map(Vec::from).collect())
}

pub(crate) fn hashes(hashes: &[ChangeHash]) -> Vec<Hash> {
    hashes.iter().map(|hash| Hash::from(*hash.as_bytes())).collect()
}

pub(crate) fn change_hashes(hashes: &[Hash]) -> Vec<ChangeHash> {
    hashes.iter().map(|hash| ChangeHash::from_bytes(**hash)).collect()
}

/// A verdict as its origin wrote it.
pub(crate) fn at_origin(verdict: &Verdict) -> Verdict {
    let work = verdict.origin.map_or(verdict.work, |origin| origin.work);
    Verdict { work, origin: None, ..verdict.clone() }
}

/// The bytes a verdict's signature covers.
pub(crate) fn verdict_statement(document: DocumentId, verdict: &Verdict) -> Vec<u8> {
    let unsigned = Verdict { signature: ByteArray::from([0; 64]), ..at_origin(verdict) };
    let mut bytes = b"gaitway verdict 1\0".to_vec();
    bytes.extend_from_slice(document.as_bytes());
    bytes.extend_from_slice(&minicbor::to_vec(unsigned).unwrap_or_default());
    bytes
}

pub(crate) fn digest(hash: Hash) -> Digest {
    Digest::from_bytes(*hash)
}
