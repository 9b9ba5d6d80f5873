//! How a note came to be, as far as rules ask: who wrote it, how it was signed, what was added after.
//!
//! Plain values read from the document's own history. Empty means that nothing is known.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::ids::{DeviceId, EntryId, PersonId};
use crate::time::Timestamp;

/// What is known of a note's writing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoteHistory {
    /// Everyone who wrote content; signing and commenting are no content.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub contributors: BTreeSet<PersonId>,
    /// Changes of content whose author the document does not name.
    #[serde(default)]
    pub nameless_changes: u32,
    /// When content was last written before anybody had signed, by the writer's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written_until: Option<Timestamp>,
    /// Who reviewed it: attestations anchored to [`REVIEW_ANCHOR`].
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub reviewed_by: BTreeSet<PersonId>,
    /// The fields somebody confirmed as right, by their paths.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub attested: BTreeSet<String>,
    /// What was added after signing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub amendments: Vec<AmendmentFacts>,
    /// Times a reviewer gave the note back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub returns: Vec<ReturnFacts>,
}

/// One addition to a signed note.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AmendmentFacts {
    /// Which.
    pub id: EntryId,
    /// `addendum`, `late_entry` or `correction`.
    pub kind: String,
    /// Who wrote it; `None` where the document does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<PersonId>,
    /// When, by the writer's clock.
    pub at: Timestamp,
    /// Whether it says why.
    pub reasoned: bool,
}

/// A note given back by a reviewer: a comment anchored to [`RETURN_ANCHOR`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReturnFacts {
    /// Which comment.
    pub id: EntryId,
    /// Who gave it back.
    pub person: PersonId,
    /// When, by the reviewer's clock.
    pub at: Timestamp,
    /// Whether somebody else answered, amended or signed having seen it.
    pub answered: bool,
}

/// The anchor of a comment by which a reviewer gives a note back.
pub const RETURN_ANCHOR: &str = "review/return";
/// The anchor of the comment that answers it.
pub const ANSWER_ANCHOR: &str = "review/answer";
/// The anchor of an attestation by which a reviewer says that the note was looked at.
pub const REVIEW_ANCHOR: &str = "review";

/// How a signature was given, and what became of what it covers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignatureProof {
    /// The tablet it was given on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<DeviceId>,
    /// Changes of content by people who had seen the signature.
    #[serde(default)]
    pub changed_after: u32,
    /// Whether the content as signed can still be shown; `None` where nobody looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub original_kept: Option<bool>,
}
