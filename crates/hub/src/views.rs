//! What a supervisor is shown, as plain values. Names of people are resolved; patients' names appear only
//! where the note is the patient's own.

use std::collections::{BTreeMap, BTreeSet};

use chart::ids::{ActorId, ChangeHash, DeviceId, DocumentId, PatientId, PersonId};
use chart::report::Severity;
use chart::time::Timestamp;
use serde::Serialize;
use session_note::dispute::Dispute;
use session_note::history::HistoryEntry;

/// One line of the review queue.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct QueueRow {
    /// The note.
    pub document: DocumentId,
    /// Its patient's name, if it names one.
    pub patient: Option<String>,
    /// Its providers' names.
    pub providers: Vec<String>,
    /// Its dates, several while they are disputed.
    pub dates: Vec<String>,
    /// The worst finding.
    pub worst: Option<Severity>,
    /// How many blockers, warnings and pieces of advice.
    pub counts: [u32; 3],
    /// Whether two tablets disagree.
    pub disputed: bool,
    /// Whether it may be billed.
    pub ready: bool,
    /// Where the report lies in the log: pass the smallest one as `before` for the next lines.
    pub seq: u64,
}

/// A note as a supervisor reads it.
#[derive(Clone, Debug, Serialize)]
pub struct ReviewNote {
    /// The note.
    pub document: DocumentId,
    /// `visit` or `episode`.
    pub kind: &'static str,
    /// The heads it is read at.
    pub heads: BTreeSet<ChangeHash>,
    /// All values: a visit or an episode.
    pub content: serde_json::Value,
    /// Contested billing facts with every side and its author.
    pub disputes: Vec<Dispute>,
    /// What could not be read, each in one sentence.
    pub problems: Vec<String>,
    /// Fields and texts that two tablets changed at once.
    pub concurrent: Vec<String>,
    /// Who did what, oldest first.
    pub history: Vec<ReviewHistory>,
    /// Signatures that no longer cover the content.
    pub stale_signatures: Vec<chart::ids::EntryId>,
    /// Names of the people in it.
    pub people: BTreeMap<PersonId, String>,
    /// Names of the tablets in it.
    pub devices: BTreeMap<DeviceId, String>,
    /// Names of the patients in it.
    pub patients: BTreeMap<PatientId, String>,
    /// Work on it that is held or rejected.
    pub quarantine: Vec<QuarantineRow>,
    /// Set when something admitted could not be applied here.
    pub cannot_be_shown: bool,
}

/// One change of the history.
#[derive(Clone, Debug, Serialize)]
pub struct ReviewHistory {
    /// What, by whom, on which tablet, when by its clock.
    #[serde(flatten)]
    pub entry: HistoryEntry,
    /// When it was received, by this server's clock.
    pub received_at: Option<Timestamp>,
}

/// Something that was not admitted.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct QuarantineRow {
    /// The document.
    pub document: DocumentId,
    /// The changes.
    pub hashes: Vec<ChangeHash>,
    /// `held` or `rejected`.
    pub outcome: &'static str,
    /// The reason's name.
    pub reason: String,
    /// Why, in one sentence.
    pub sentence: String,
    /// Whose work.
    pub person: PersonId,
    /// That person's name.
    pub person_name: String,
    /// From which tablet.
    pub device: DeviceId,
    /// When it was received, by this server's clock.
    pub received_at: Timestamp,
    /// Whether it is still so: a release or a later verdict settles it.
    pub open: bool,
    /// Where the work lies in the log.
    pub work: u64,
    /// Where the verdict lies in the log.
    pub seq: u64,
}

/// Something that was not admitted, with the evidence: what was signed, and every byte of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct QuarantinedWork {
    /// What became of it.
    #[serde(flatten)]
    pub row: QuarantineRow,
    /// The tablet that brought it, if not its author's.
    pub carrier: Option<DeviceId>,
    /// The counter of the signed envelope.
    pub counter: u64,
    /// The heads that were signed.
    pub heads: Vec<ChangeHash>,
    /// Rejected work of which it is the replay.
    pub replaces: Vec<ChangeHash>,
    /// The changes.
    pub changes: Vec<QuarantinedChange>,
}

/// A change that was not admitted.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct QuarantinedChange {
    /// Its hash.
    pub hash: ChangeHash,
    /// Who speaks in it.
    pub actor: ActorId,
    /// Which of the actor's changes it is, from 1.
    pub number: u64,
    /// When it was made, by the tablet's clock.
    pub made_at: Timestamp,
    /// How many operations it has.
    pub operations: u64,
    /// The changes it builds on.
    pub builds_on: Vec<ChangeHash>,
    /// Its bytes as they came, hexadecimal.
    pub bytes: String,
}
