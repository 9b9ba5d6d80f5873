//! What a change may write into a note, and the step from submitted changes to a new document.
//!
//! The structural gate is [`crate::admit`]; here stand the rules of the note itself: versions and
//! entries are written once, an actor speaks for one person, a signed note is only amended. Every rule
//! reads the change and its ancestry, never the document's present state.

use std::collections::BTreeMap;
use std::sync::Arc;

use chart::ids::{ChangeHash, DeviceId, PersonId};

use crate::admit::{
    Candidate, ContentRefusal, ContentRule, ContentView, Edit, IndexError, Outcome, Policy, Roots, Scalar,
    judge,
};
use crate::document::NoteDocument;
use crate::schema::{genesis_hash, root};

/// The version of the rules: structure, limits and content. It is part of every verdict.
pub const GATE_VERSION: u16 = 1;

/// A change with the author its envelope proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submitted {
    /// The change, past the door.
    pub candidate: Candidate,
    /// Whose it is.
    pub person: PersonId,
    /// Where it was made.
    pub device: DeviceId,
}

/// What came of a set of submitted changes.
#[derive(Clone, Debug)]
pub struct Admission {
    /// The note with everything admitted.
    pub note: NoteDocument,
    /// One outcome for each change.
    pub outcomes: Vec<(ChangeHash, Outcome)>,
}

/// Codes of the content rules, from 300 up.
pub mod code {
    /// The change names another actor, person or tablet than its own.
    pub const NOT_ITS_AUTHOR: u16 = 301;
    /// It overwrites a version of a billing fact.
    pub const VERSION_REWRITTEN: u16 = 302;
    /// It overwrites a signature, comment, attestation or amendment.
    pub const ENTRY_REWRITTEN: u16 = 303;
    /// Its author had seen the note signed, and it does more than amend.
    pub const SIGNED_FROZEN: u16 = 304;
    /// It replaces one of the note's own containers.
    pub const CONTAINER_REPLACED: u16 = 305;
    /// It removes something: recorded values are marked as errors instead.
    pub const REMOVAL: u16 = 306;
}

impl NoteDocument {
    /// Judges submitted changes, in log order, on a copy of this note.
    ///
    /// # Errors
    /// When the note's own index cannot be built, which means the note itself is damaged.
    pub fn admit(&self, submitted: &[Submitted]) -> Result<Admission, IndexError> {
        let mut authors = BTreeMap::new();
        for one in submitted {
            authors.entry(one.candidate.sketch().hash).or_insert((one.person, one.device));
        }
        self.judged(submitted, &mut |view| match authors.get(&view.sketch().hash) {
            Some((person, device)) => may_write(view, *person, *device),
            None => Err(refuse(code::NOT_ITS_AUTHOR, "the change has no proven author")),
        })
    }

    /// Takes in changes that their origin has admitted: structure and limits are checked, what may be
    /// written is not judged a second time, so that a later version of the rules splits no replicas.
    ///
    /// # Errors
    /// As [`NoteDocument::admit`].
    pub fn take_in(&self, submitted: &[Submitted]) -> Result<Admission, IndexError> {
        self.judged(submitted, &mut |_| Ok(()))
    }

    fn judged(
        &self,
        submitted: &[Submitted],
        content: &mut ContentRule<'_>,
    ) -> Result<Admission, IndexError> {
        let index = self.ancestry()?;
        let policy = Policy { roots: Roots::Only([genesis_hash(self.kind())].into()), ..Policy::default() };
        let waiting: Vec<Candidate> = submitted.iter().map(|one| one.candidate.clone()).collect();
        let judged = judge(self.engine(), &index, &waiting, &policy, content)?;
        let outcomes = judged.outcomes().to_vec();
        if judged.saved().is_none() {
            return Ok(Admission { note: self.clone(), outcomes });
        }
        let saved = judged.saved().map(Arc::from);
        let (document, index, _) = judged.into_document();
        let note = NoteDocument::from_engine(self.id(), self.kind(), document, index, saved);
        Ok(Admission { note, outcomes })
    }
}

fn refuse(code: u16, sentence: &str) -> ContentRefusal {
    ContentRefusal { code, sentence: sentence.to_owned() }
}

fn may_write(view: &ContentView<'_>, person: PersonId, device: DeviceId) -> Result<(), ContentRefusal> {
    let signed = view.has_seen_keys_at(&[root::SIGNATURES]);
    let actor = view.sketch().actor.to_string();
    let mut named_itself = false;
    for op in view.ops() {
        let path: Vec<&str> = op.path().collect();
        if matches!(op.edit, Edit::Delete { .. }) {
            return Err(refuse(code::REMOVAL, "the change removes a recorded value"));
        }
        match path.as_slice() {
            [root::ACTORS, key] => {
                let written = format!("{person} {device}");
                let fits = matches!(op.edit, Edit::Put { value: Scalar::Str(text), .. } if text == written);
                if *key != actor || !fits || op.overwrites_existing_in_ancestry {
                    return Err(refuse(code::NOT_ITS_AUTHOR, "the change speaks for somebody else"));
                }
                named_itself = true;
                continue;
            }
            [root::REGISTERS, _] if op.overwrites_existing_in_ancestry => {
                return Err(refuse(
                    code::VERSION_REWRITTEN,
                    "the change overwrites a version of a billing fact",
                ));
            }
            [root::SIGNATURES | root::COMMENTS | root::ATTESTATIONS | root::AMENDMENTS, _]
                if op.overwrites_existing_in_ancestry =>
            {
                return Err(refuse(code::ENTRY_REWRITTEN, "the change overwrites an entry"));
            }
            [_] if op.overwrites_existing_in_ancestry => {
                return Err(refuse(
                    code::CONTAINER_REPLACED,
                    "the change replaces a part of the note itself",
                ));
            }
            _ => {}
        }
        if signed && !amends(&path, &op.edit) {
            return Err(refuse(code::SIGNED_FROZEN, "the note was signed: it can only be amended"));
        }
    }
    if view.sketch().seq == 1 && !named_itself {
        return Err(refuse(code::NOT_ITS_AUTHOR, "the actor's first change does not say whose it is"));
    }
    Ok(())
}

/// Whether an operation is an amendment: an entry of its own, or a version that gives its reason.
fn amends(path: &[&str], edit: &Edit<'_>) -> bool {
    match path {
        [root::SIGNATURES | root::COMMENTS | root::ATTESTATIONS | root::AMENDMENTS, _] => true,
        [root::REGISTERS, _] => match edit {
            Edit::Put { value: Scalar::Str(text), .. } => {
                serde_json::from_str::<crate::read::registers::VersionContent>(text)
                    .is_ok_and(|version| version.reason.is_some_and(|reason| !reason.trim().is_empty()))
            }
            _ => false,
        },
        _ => false,
    }
}
