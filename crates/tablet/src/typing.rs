//! What is being typed: keystrokes that are not a change yet, and where a person types. Knows no document
//! and never decides when a phrase becomes a change.

use std::collections::BTreeSet;

use chart::ids::{ChangeHash, CommandId, DocumentId, PersonId};
use chart::time::Timestamp;
use session_note::Command;

use crate::entry::Draft;

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
    pub(crate) fn begin(draft: &Draft) -> Self {
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
    pub(crate) fn add(&mut self, draft: &Draft) {
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
