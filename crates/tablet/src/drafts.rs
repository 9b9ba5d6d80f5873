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
use session_note::{Command, CommandError, NoteDocument, TEXT_BYTES_MAX};
use store::StoreReader;

use crate::Tablet;
use crate::edit::Doing;
use crate::entry::{Draft, Entry};
use crate::error::TabletError;
use crate::event::Event;
use crate::limits::{CHANGE_CHARS_MAX, PHRASE_MS};
use crate::state::State;

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

/// One replacement in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Splice {
    pub(crate) position: usize,
    pub(crate) delete: usize,
    pub(crate) insert: String,
}

/// Keystrokes of one person into one text that are not a change yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Phrase {
    pub(crate) document: DocumentId,
    pub(crate) person: PersonId,
    pub(crate) field: String,
    pub(crate) base: BTreeSet<ChangeHash>,
    pub(crate) first_at: Timestamp,
    pub(crate) last_at: Timestamp,
    pub(crate) count: u32,
    pub(crate) splices: Vec<Splice>,
    /// Why it could not be placed.
    pub(crate) stuck: Option<String>,
}

/// Where a person types.
#[derive(Clone, Debug)]
pub(crate) struct Typing {
    /// The heads on the screen when the person began.
    pub(crate) seen: BTreeSet<ChangeHash>,
    /// The same with what the person has typed since.
    pub(crate) shown: BTreeSet<ChangeHash>,
    pub(crate) phrase: Option<CommandId>,
    /// Length of the text in code points, the phrase included.
    pub(crate) length: usize,
}

impl Phrase {
    fn begin(draft: &Draft) -> Self {
        Self {
            document: draft.document,
            person: draft.person,
            field: draft.field.clone(),
            base: draft.base.clone(),
            first_at: draft.at,
            last_at: draft.at,
            count: 0,
            splices: Vec::new(),
            stuck: None,
        }
    }

    /// Adds a keystroke; typing on, and taking back what was just typed, stay one replacement.
    fn add(&mut self, draft: &Draft) {
        self.count = draft.number.saturating_add(1);
        self.last_at = draft.at;
        let (position, delete) = (to_usize(draft.position), to_usize(draft.delete));
        if let Some(last) = self.splices.last_mut() {
            let typed = last.insert.chars().count();
            let end = last.position.saturating_add(typed);
            if delete == 0 && position == end {
                last.insert.push_str(&draft.insert);
                return;
            }
            if draft.insert.is_empty() && position >= last.position && position.saturating_add(delete) == end
            {
                let kept = typed.saturating_sub(delete);
                last.insert = last.insert.chars().take(kept).collect();
                return;
            }
        }
        self.splices.push(Splice { position, delete, insert: draft.insert.clone() });
    }

    pub(crate) fn commands(&self) -> Vec<Command> {
        let real = self.splices.iter().filter(|splice| splice.delete > 0 || !splice.insert.is_empty());
        real.map(|splice| Command::SpliceText {
            field: self.field.clone(),
            position: splice.position,
            delete: splice.delete,
            insert: splice.insert.clone(),
        })
        .collect()
    }

    /// What it makes of a text.
    pub(crate) fn preview(&self, text: &str) -> String {
        let mut chars: Vec<char> = text.chars().collect();
        for splice in &self.splices {
            let start = splice.position.min(chars.len());
            let end = splice.position.saturating_add(splice.delete).min(chars.len());
            chars.splice(start..end.max(start), splice.insert.chars());
        }
        chars.into_iter().collect()
    }
}

fn to_usize(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
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
            && (other_screen || phrase.field != typed.field || now.since_ms(phrase.first_at) >= PHRASE_MS)
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
            let (document, person, seen) = (phrase.document, phrase.person, &phrase.base);
            let made = self.make(entropy, Doing { document, person, at, seen, commands, phrase: Some(id) });
            made.map(|made| [made.hash].into())
        };
        let shown = match result {
            Ok(shown) => shown,
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
        while let Some(id) =
            self.state.phrases.keys().copied().find(|id| self.phrase_due(*id).is_some_and(|due| due <= now))
        {
            self.flush_phrase(now, entropy, reader, id)?;
        }
        Ok(())
    }

    /// When a phrase is to become a change.
    pub(crate) fn phrase_due(&self, id: CommandId) -> Option<Timestamp> {
        let phrase = self.state.phrases.get(&id)?;
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

/// A text of a note that is not signed.
fn open_text(note: &NoteDocument, field: &str) -> Result<String, CommandError> {
    let found = match note.kind() {
        Kind::Visit => {
            let mut visit = note.read_visit().value;
            if !visit.signatures.is_empty() {
                return Err(CommandError::Signed("splice_text"));
            }
            visit.text.remove(field)
        }
        Kind::Episode => note.read_episode().value.text.remove(field),
    };
    found.ok_or(CommandError::NotFound("text"))
}
