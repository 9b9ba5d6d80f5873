//! Keystrokes: each is on the disk at once, and a phrase of them becomes one change.
//!
//! Positions count from the text as its author saw it: the heads the phrase was begun on, with the
//! phrase's own keystrokes. A phrase is never moved: it is committed at those heads, whatever was
//! merged or signed in the meantime.

use std::collections::BTreeSet;

use chart::entropy::Entropy;
use chart::ids::{ChangeHash, CommandId, DocumentId, PersonId};
use chart::time::Timestamp;
use session_note::schema::Kind;
use session_note::{CommandError, NoteDocument, TEXT_BYTES_MAX};
use store::StoreReader;

use crate::edit::Doing;
use crate::entry::{Draft, Entry};
use crate::error::TabletError;
use crate::event::Event;
use crate::limits::{CHANGE_CHARS_MAX, PHRASE_MS};
use crate::machine::Tablet;
use crate::state::State;
use crate::typing::{Phrase, Typing};

/// What a person typed at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keystroke {
    /// Who.
    pub person: PersonId,
    /// In which document.
    pub document: DocumentId,
    /// Into which text.
    pub field: String,
    /// Where, in code points of the text as the person sees it.
    pub position: usize,
    /// How many code points are taken out there.
    pub delete: usize,
    /// What is put in.
    pub insert: String,
    /// The heads that are on the screen; absent: those of the last keystroke, or else the current ones.
    pub seen: Option<BTreeSet<ChangeHash>>,
}

impl State {
    pub(crate) fn fold_draft(&mut self, draft: &Draft) {
        if self.taken.contains(&draft.phrase) {
            return;
        }
        let phrase = self.phrases.entry(draft.phrase).or_insert_with(|| Phrase::begin(draft));
        if draft.number >= phrase.count {
            phrase.add(draft);
        }
    }
}

impl Tablet {
    /// Takes a keystroke: durable with the next commit, a change within two seconds.
    ///
    /// # Errors
    /// When the place does not exist in what the person sees, or the note shown is signed.
    pub fn keystroke(
        &mut self,
        now: Timestamp,
        entropy: &mut dyn Entropy,
        reader: &dyn StoreReader,
        typed: &Keystroke,
    ) -> Result<(), TabletError> {
        let who = (typed.document, typed.person);
        if typed.field.len() > session_note::NAME_BYTES_MAX || typed.insert.len() > TEXT_BYTES_MAX {
            return Err(CommandError::TooLong { what: "a text", limit: TEXT_BYTES_MAX }.into());
        }
        self.load(reader, typed.document)?;
        self.end_phrase_if_other(now, entropy, reader, typed)?;
        let heads = self.heads_of(typed.document);
        let open = self.typing.get(&who).is_some_and(|typing| typing.phrase.is_some());
        if !open {
            let fallback = typed.seen.clone().unwrap_or(heads);
            let begun = self.typing.get(&who);
            let seen = begun.map_or_else(|| fallback.clone(), |typing| typing.seen.clone());
            let shown = begun.map_or(fallback, |typing| typing.shown.clone());
            let length = self.text_length(typed.document, &shown, &typed.field)?;
            self.typing.insert(who, Typing { seen, shown, phrase: None, length });
        }
        let Some(typing) = self.typing.get_mut(&who) else { return Err(TabletError::Empty) };
        let inserted = typed.insert.chars().count();
        if typed.position.saturating_add(typed.delete) > typing.length {
            return Err(CommandError::BeyondText { position: typed.position, delete: typed.delete }.into());
        }
        if typed.delete == 0 && inserted == 0 {
            return Ok(());
        }
        typing.length = typing.length.saturating_sub(typed.delete).saturating_add(inserted);
        let phrase = *typing.phrase.get_or_insert_with(|| CommandId::random(entropy));
        let draft = Draft {
            document: typed.document,
            phrase,
            number: self.state.phrases.get(&phrase).map_or(0, |phrase| phrase.count),
            person: typed.person,
            at: now,
            field: typed.field.clone(),
            base: typing.shown.clone(),
            position: typed.position as u64,
            delete: typed.delete as u64,
            insert: typed.insert.clone(),
        };
        self.state.fold_draft(&draft);
        self.enqueue(Entry::Draft(draft));
        let long = self.state.phrases.get(&phrase).is_some_and(|phrase| {
            phrase.splices.iter().map(|splice| splice.insert.len()).sum::<usize>() > CHANGE_CHARS_MAX
        });
        if long { self.flush(now, entropy, reader, typed.document) } else { Ok(()) }
    }

    /// Turns what was typed into a document into changes: on blur, before signing, on leaving a note.
    ///
    /// # Errors
    /// When the store cannot be read. A phrase that cannot be placed stays a draft and is shown.
    pub fn flush(
        &mut self,
        now: Timestamp,
        entropy: &mut dyn Entropy,
        reader: &dyn StoreReader,
        document: DocumentId,
    ) -> Result<(), TabletError> {
        let of_document = |phrase: &Phrase| phrase.document == document && phrase.stuck.is_none();
        let phrases: Vec<CommandId> =
            self.state.phrases.iter().filter(|(_, phrase)| of_document(phrase)).map(|(id, _)| *id).collect();
        for phrase in phrases {
            self.flush_phrase(now, entropy, reader, phrase)?;
        }
        Ok(())
    }

    /// Ends a person's typing in a document: the next keystroke counts from what is shown then.
    ///
    /// # Errors
    /// As [`Tablet::flush`].
    pub fn blur(
        &mut self,
        now: Timestamp,
        entropy: &mut dyn Entropy,
        reader: &dyn StoreReader,
        person: PersonId,
        document: DocumentId,
    ) -> Result<(), TabletError> {
        self.flush(now, entropy, reader, document)?;
        self.typing.remove(&(document, person));
        Ok(())
    }

    /// Another field, another screen, or two seconds: the open phrase is complete.
    fn end_phrase_if_other(
        &mut self,
        now: Timestamp,
        entropy: &mut dyn Entropy,
        reader: &dyn StoreReader,
        typed: &Keystroke,
    ) -> Result<(), TabletError> {
        let who = (typed.document, typed.person);
        let Some(typing) = self.typing.get(&who) else { return Ok(()) };
        let other_screen =
            typed.seen.as_ref().is_some_and(|seen| *seen != typing.seen && *seen != typing.shown);
        let phrase = typing.phrase.and_then(|id| Some((id, self.state.phrases.get(&id)?)));
        if let Some((id, phrase)) = phrase
            && (other_screen || phrase.field != typed.field || is_over(phrase, now))
        {
            self.flush_phrase(now, entropy, reader, id)?;
        }
        if other_screen {
            self.typing.remove(&who);
        }
        Ok(())
    }

    pub(crate) fn flush_phrase(
        &mut self,
        now: Timestamp,
        entropy: &mut dyn Entropy,
        reader: &dyn StoreReader,
        id: CommandId,
    ) -> Result<(), TabletError> {
        let Some(phrase) = self.state.phrases.get(&id).cloned() else { return Ok(()) };
        let who = (phrase.document, phrase.person);
        self.load(reader, phrase.document)?;
        let commands = phrase.commands();
        let at = phrase.last_at.min(now);
        let result = if commands.is_empty() {
            // Typed and taken back again: there is nothing to change.
            Ok(phrase.base.clone())
        } else {
            let (document, person, seen) = (phrase.document, phrase.person, &self.standing(&phrase));
            let made = self.make(entropy, Doing { document, person, at, seen, commands, phrase: Some(id) });
            made.map(|made| [made.hash].into())
        };
        let shown = match result {
            Ok(shown) => shown,
            // What it was typed upon is being made again: then it is placed there.
            Err(error) if error.is_refusal() && self.state.replay_due.contains(&phrase.document) => {
                return Ok(());
            }
            Err(error) if error.is_refusal() => {
                let sentence = error.to_string();
                if let Some(phrase) = self.state.phrases.get_mut(&id) {
                    phrase.stuck = Some(sentence.clone());
                }
                self.typing.remove(&who);
                self.tell(Event::DraftStuck { document: phrase.document, sentence });
                return Ok(());
            }
            Err(other) => return Err(other),
        };
        self.state.phrases.remove(&id);
        self.state.taken.insert(id);
        if let Some(typing) = self.typing.get_mut(&who)
            && typing.phrase == Some(id)
        {
            typing.phrase = None;
            typing.shown = shown;
        }
        self.tell(Event::Changed { document: phrase.document });
        Ok(())
    }

    /// Turns phrases that are due into changes: two seconds old, or left over from before a crash.
    pub(crate) fn flush_due(
        &mut self,
        now: Timestamp,
        entropy: &mut dyn Entropy,
        reader: &dyn StoreReader,
    ) -> Result<(), TabletError> {
        let ripe = |tablet: &Self, id: &CommandId| {
            let due = tablet.phrase_due(*id);
            let put_back = || tablet.state.phrases.get(id).is_some_and(|phrase| is_over(phrase, now));
            due.is_some_and(|due| due <= now || put_back())
        };
        while let Some(id) = self.state.phrases.keys().copied().find(|id| ripe(self, id)) {
            self.flush_phrase(now, entropy, reader, id)?;
        }
        Ok(())
    }

    /// When a phrase is to become a change.
    pub(crate) fn phrase_due(&self, id: CommandId) -> Option<Timestamp> {
        let phrase = self.state.phrases.get(&id)?;
        if self.state.replay_due.contains(&phrase.document) {
            return None;
        }
        let being_typed = self.typing.values().any(|typing| typing.phrase == Some(id));
        match (&phrase.stuck, being_typed) {
            (Some(_), _) => None,
            (None, true) => Some(phrase.first_at.plus_ms(PHRASE_MS)),
            (None, false) => Some(phrase.first_at.min(phrase.last_at)),
        }
    }

    fn text_length(
        &self,
        document: DocumentId,
        heads: &BTreeSet<ChangeHash>,
        field: &str,
    ) -> Result<usize, TabletError> {
        let note = self.note_at(document, heads)?;
        let text = open_text(&note, field)?;
        Ok(text.chars().count())
    }
}

/// Whether a phrase has been open for long enough, or the clock was put back since it began and says nothing.
fn is_over(phrase: &Phrase, now: Timestamp) -> bool {
    !(0..PHRASE_MS).contains(&now.since_ms(phrase.first_at))
}

/// A text of a note that is not signed.
fn open_text(note: &NoteDocument, field: &str) -> Result<String, CommandError> {
    let found = match note.kind() {
        Kind::Visit => {
            let visit = &note.read_visit().value;
            if !visit.signatures.is_empty() {
                return Err(CommandError::Signed("splice_text"));
            }
            visit.text.get(field)
        }
        Kind::Episode => note.read_episode().value.text.get(field),
    };
    found.cloned().ok_or(CommandError::NotFound("text"))
}
