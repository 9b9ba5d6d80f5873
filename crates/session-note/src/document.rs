//! The one handle on a document: make changes, take in admitted ones, save, load.
//!
//! A change is committed at the heads its author saw. When the document has gone further in the
//! meantime, or the author's actor has, the change is made beside it under a fresh actor and merged:
//! so a signature never covers what was not shown and a splice never lands at a shifted place.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use automerge::transaction::CommitOptions;
use automerge::{ActorId as EngineActor, Automerge, Change, LoadOptions};
use chart::facts::NoteFacts;
use chart::ids::{ActorId, ChangeHash, DocumentId};
use chart::time::Timestamp;
use chart::{episode::Episode, visit::Visit};

use crate::admit::{AncestryIndex, IndexError};
use crate::author::Author;
use crate::command::{Command, Issued, message_of};
use crate::edit::{self, CommandError, Seen};
use crate::history::{self, HistoryEntry};
use crate::read::{self, Reading};
use crate::schema::{Kind, TEXT_ENCODING, genesis_bytes};

/// A change that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// Its hash.
    pub hash: ChangeHash,
    /// Its bytes, plain (uncompressed), as they are stored and sent.
    pub bytes: Vec<u8>,
    /// The actor it was made under: the author's, or the fresh one.
    pub actor: ActorId,
    /// The heads it was made at.
    pub base: BTreeSet<ChangeHash>,
}

/// A snapshot that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the snapshot of {document} cannot be loaded")]
pub struct SnapshotError {
    document: DocumentId,
}

/// A document of either kind. Copies share what they have in common until one of them changes.
#[derive(Clone, Debug)]
pub struct NoteDocument {
    id: DocumentId,
    kind: Kind,
    doc: Arc<Automerge>,
    /// Kept from one judgement to the next; whatever it lacks is caught up.
    index: Option<Arc<AncestryIndex>>,
    derived: Derived,
}

/// What follows from a document's state alone: worked out at most once for each state, by whoever asks first,
/// and shared by its copies.
#[derive(Clone, Debug, Default)]
struct Derived {
    visit: OnceLock<Arc<Reading<Visit>>>,
    episode: OnceLock<Arc<Reading<Episode>>>,
    facts: OnceLock<Arc<NoteFacts>>,
    /// The bytes from which the gate has loaded this state again.
    saved: Option<Arc<[u8]>>,
}

impl NoteDocument {
    /// A document that holds nothing but its genesis.
    pub fn new(id: DocumentId, kind: Kind) -> Self {
        let mut doc = Automerge::new_with_encoding(TEXT_ENCODING);
        if let Ok(genesis) = Change::from_bytes(genesis_bytes(kind).to_vec()) {
            // The genesis depends on nothing and is constant: a test holds that it applies.
            _ = doc.apply_changes([genesis]);
        }
        Self { id, kind, doc: Arc::new(doc), index: None, derived: Derived::default() }
    }

    /// Loads what [`NoteDocument::save`] wrote. Never for bytes from a network.
    ///
    /// # Errors
    /// When the bytes are damaged; the caller then replays the log.
    pub fn load(id: DocumentId, kind: Kind, snapshot: &[u8]) -> Result<Self, SnapshotError> {
        let options = LoadOptions::new().text_encoding(TEXT_ENCODING);
        let doc =
            Automerge::load_with_options(snapshot, options).map_err(|_| SnapshotError { document: id })?;
        Ok(Self { id, kind, doc: Arc::new(doc), index: None, derived: Derived::default() })
    }

    /// Wraps a document the gate has verified, with the bytes it was loaded again from.
    pub(crate) fn from_engine(
        id: DocumentId,
        kind: Kind,
        doc: Automerge,
        index: AncestryIndex,
        saved: Option<Arc<[u8]>>,
    ) -> Self {
        let derived = Derived { saved, ..Derived::default() };
        Self { id, kind, doc: Arc::new(doc), index: Some(Arc::new(index)), derived }
    }

    /// What every change of this document had seen.
    pub(crate) fn ancestry(&self) -> Result<AncestryIndex, IndexError> {
        match &self.index {
            Some(index) => {
                let mut index = AncestryIndex::clone(index);
                index.catch_up(&self.doc)?;
                Ok(index)
            }
            None => AncestryIndex::of(&self.doc),
        }
    }

    /// The whole document as bytes.
    pub fn save(&self) -> Vec<u8> {
        match &self.derived.saved {
            Some(saved) => saved.to_vec(),
            None => self.doc.save(),
        }
    }

    /// The whole document as bytes that load again as this document; `None` if it does not. What the gate has
    /// proven is not proven again.
    pub fn save_verified(&self) -> Option<Vec<u8>> {
        if let Some(saved) = &self.derived.saved {
            return Some(saved.to_vec());
        }
        let saved = self.doc.save();
        let loaded = Self::load(self.id, self.kind, &saved).ok()?;
        (loaded.heads() == self.heads()).then_some(saved)
    }

    /// The document's id.
    pub const fn id(&self) -> DocumentId {
        self.id
    }

    /// The document's kind.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    pub(crate) fn engine(&self) -> &Automerge {
        &self.doc
    }

    /// The heads: the changes nothing follows yet.
    pub fn heads(&self) -> BTreeSet<ChangeHash> {
        self.doc.get_heads().into_iter().map(|hash| ChangeHash::from_bytes(hash.0)).collect()
    }

    /// Whether a change is part of the document.
    pub fn contains(&self, hash: &ChangeHash) -> bool {
        self.doc.get_change_meta_by_hash(&automerge::ChangeHash(*hash.as_bytes())).is_some()
    }

    /// The bytes of every change that is not in the ancestry of `have`, each after its dependencies.
    /// Heads in `have` that the document does not hold count as nothing. The genesis, which every replica
    /// makes itself, is left out.
    pub fn changes_since(&self, have: &BTreeSet<ChangeHash>) -> Vec<(ChangeHash, Vec<u8>)> {
        let known: Vec<automerge::ChangeHash> = have
            .iter()
            .filter(|hash| self.contains(hash))
            .map(|hash| automerge::ChangeHash(*hash.as_bytes()))
            .collect();
        self.doc
            .get_changes(&known)
            .into_iter()
            .filter(|change| !change.deps().is_empty())
            .map(|change| (ChangeHash::from_bytes(change.hash().0), change.raw_bytes().to_vec()))
            .collect()
    }

    /// Makes one change out of commands given by one person on what `seen` showed.
    ///
    /// `at` is the tablet's time; `fresh` is a random actor never used before, taken when the author's
    /// own cannot speak at `seen`.
    ///
    /// # Errors
    /// When a command does not fit what was seen; nothing is changed then.
    pub fn commit(
        &mut self,
        author: &Author,
        fresh: ActorId,
        at: Timestamp,
        seen: &BTreeSet<ChangeHash>,
        commands: &[Issued],
    ) -> Result<Committed, CommandError> {
        let heads: Vec<automerge::ChangeHash> =
            seen.iter().map(|hash| automerge::ChangeHash(*hash.as_bytes())).collect();
        let beside = *seen != self.heads();
        let mut work = if beside {
            self.doc.fork_at(&heads).map_err(|_| CommandError::UnknownHeads)?
        } else {
            Automerge::clone(&self.doc)
        };
        let actor = if beside && !self.may_speak(&work, author.actor) { fresh } else { author.actor };
        work.set_actor(EngineActor::from(actor.as_bytes().as_slice()));
        let speaking = Author { actor, ..*author };
        let before = work.get_heads();
        let signs = commands.iter().any(|issued| matches!(issued.command, Command::Sign { .. }));
        let shown = signs.then(|| read::visit(self.id, &work).value);
        let shown = Seen { heads: seen, shown: shown.as_ref() };
        let hash = {
            let mut tx = work.transaction();
            if let Err(error) = edit::apply(&mut tx, self.kind, &speaking, at, &shown, commands) {
                tx.rollback();
                return Err(error);
            }
            let options = CommitOptions::default().with_time(at.unix_ms()).with_message(message_of(commands));
            let (hash, _) = tx.commit_with(options);
            hash.ok_or(CommandError::NothingChanged)?
        };
        let change = work
            .get_changes(&before)
            .into_iter()
            .find(|change| change.hash() == hash)
            .ok_or(CommandError::NothingChanged)?;
        let bytes = change.raw_bytes().to_vec();
        self.derived = Derived::default();
        if beside {
            let doc = Arc::make_mut(&mut self.doc);
            doc.apply_changes([change]).map_err(|error| CommandError::Engine(error.to_string()))?;
        } else {
            self.doc = Arc::new(work);
        }
        Ok(Committed { hash: ChangeHash::from_bytes(hash.0), bytes, actor, base: seen.clone() })
    }

    /// Whether an actor's last change is part of `work`, so that its next one would follow it.
    fn may_speak(&self, work: &Automerge, actor: ActorId) -> bool {
        let last = self
            .doc
            .get_changes_meta(&[])
            .into_iter()
            .filter(|meta| meta.actor.to_bytes() == actor.as_bytes())
            .max_by_key(|meta| meta.seq)
            .map(|meta| meta.hash);
        last.is_none_or(|hash| work.get_change_meta_by_hash(&hash).is_some())
    }

    /// Reads the visit; total.
    pub fn read_visit(&self) -> &Reading<Visit> {
        self.derived.visit.get_or_init(|| Arc::new(read::visit(self.id, &self.doc)))
    }

    /// Reads the episode; total.
    pub fn read_episode(&self) -> &Reading<Episode> {
        self.derived.episode.get_or_init(|| Arc::new(read::episode(self.id, &self.doc)))
    }

    /// What rules ask of the note, worked out by whoever asks first.
    pub(crate) fn facts_by(&self, work_out: impl FnOnce() -> NoteFacts) -> &NoteFacts {
        self.derived.facts.get_or_init(|| Arc::new(work_out()))
    }

    /// The history, oldest first.
    pub fn history(&self) -> Vec<HistoryEntry> {
        history::of(&self.doc)
    }

    /// The document as it was at earlier heads; `None` if it does not hold them.
    pub fn at(&self, heads: &BTreeSet<ChangeHash>) -> Option<NoteDocument> {
        let heads: Vec<automerge::ChangeHash> =
            heads.iter().map(|hash| automerge::ChangeHash(*hash.as_bytes())).collect();
        let doc = self.doc.fork_at(&heads).ok()?;
        let (doc, derived) = (Arc::new(doc), Derived::default());
        Some(Self { id: self.id, kind: self.kind, doc, index: None, derived })
    }
}
