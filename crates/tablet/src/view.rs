//! A note as the screen shows it: plain values, the disputes in the open, what is still a draft, and
//! where it stands. Reading never fails on what the note says.

use std::collections::BTreeSet;

use chart::episode::Episode;
use chart::ids::{ChangeHash, DocumentId, PersonId};
use chart::visit::Visit;
use serde::Serialize;
use session_note::dispute::{Dispute, disputes};
use session_note::history::HistoryEntry;
use session_note::schema::Kind;
use store::StoreReader;

use crate::error::TabletError;
use crate::machine::Tablet;
use crate::status::{CANNOT_BE_SHOWN, Status};

/// Typed text that is not a change yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DraftView {
    /// Who typed it.
    pub person: PersonId,
    /// Into which text.
    pub field: String,
    /// The text as its author sees it.
    pub text: String,
    /// Why it could not be placed, if that is so: the author may copy it into an addendum.
    pub stuck: Option<String>,
}

/// A note.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NoteView {
    /// Which.
    pub document: DocumentId,
    /// `visit` or `episode`.
    pub kind: &'static str,
    /// The heads shown; commands name them as what was seen.
    pub heads: BTreeSet<ChangeHash>,
    /// The visit, if it is one.
    pub visit: Option<Visit>,
    /// The episode, if it is one.
    pub episode: Option<Episode>,
    /// Why a part of it is not shown by this version, if that is so; nothing of it is lost.
    pub cannot_be_shown: Option<String>,
    /// Parts that could not be read, each in one sentence.
    pub problems: Vec<String>,
    /// Plain fields and texts that two tablets changed at once.
    pub concurrent: Vec<String>,
    /// Contested billing facts.
    pub disputes: Vec<Dispute>,
    /// Who did what, oldest first.
    pub history: Vec<HistoryEntry>,
    /// What is still a draft.
    pub drafts: Vec<DraftView>,
    /// Where it stands.
    pub status: Status,
}

impl Tablet {
    /// A note as the screen shows it.
    ///
    /// # Errors
    /// When the tablet does not hold it, or the store cannot be read.
    pub fn note(&mut self, reader: &dyn StoreReader, document: DocumentId) -> Result<NoteView, TabletError> {
        self.load(reader, document)?;
        let loaded = self.shelf.get(document).ok_or(TabletError::UnknownDocument(document))?;
        let status = self.status(document).ok_or(TabletError::UnknownDocument(document))?;
        let (mut visit, mut episode, contested) = (None, None, Vec::new());
        let mut contested: Vec<Dispute> = contested;
        let (mut problems, concurrent) = match loaded.note.kind() {
            Kind::Visit => {
                let reading = loaded.note.read_visit().clone();
                contested.extend(disputes(&reading.value));
                visit = Some(reading.value);
                (reading.problems, reading.concurrent)
            }
            Kind::Episode => {
                let reading = loaded.note.read_episode().clone();
                episode = Some(reading.value);
                (reading.problems, reading.concurrent)
            }
        };
        let aside =
            self.state.documents.get(&document).is_some_and(|record| record.set_aside().next().is_some());
        let cannot_be_shown = match &loaded.problem {
            _ if aside => Some(CANNOT_BE_SHOWN.to_owned()),
            Some(problem) => {
                Some(format!("A part of this note cannot be shown by this version of the app: {problem}"))
            }
            None => None,
        };
        problems.extend(cannot_be_shown.clone());
        if !loaded.waiting.is_empty() {
            problems.push("Some of this note has not arrived yet".to_owned());
        }
        Ok(NoteView {
            document,
            kind: loaded.note.kind().name(),
            heads: loaded.note.heads(),
            visit,
            episode,
            cannot_be_shown,
            problems,
            concurrent,
            disputes: contested,
            history: loaded.note.history(),
            drafts: self.drafts(document),
            status,
        })
    }

    fn drafts(&self, document: DocumentId) -> Vec<DraftView> {
        let phrases = self.state.phrases.values().filter(|phrase| phrase.document == document);
        phrases
            .map(|phrase| {
                let note = self.note_at(document, &phrase.base).ok();
                let text = note.and_then(|note| match note.kind() {
                    Kind::Visit => note.read_visit().value.text.get(&phrase.field).cloned(),
                    Kind::Episode => note.read_episode().value.text.get(&phrase.field).cloned(),
                });
                DraftView {
                    person: phrase.person,
                    field: phrase.field.clone(),
                    text: phrase.preview(&text.unwrap_or_default()),
                    stuck: phrase.stuck.clone(),
                }
            })
            .collect()
    }
}
