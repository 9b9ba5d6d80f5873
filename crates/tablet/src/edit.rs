//! What a person does: commands become a change at the heads the person saw, and an entry on its way
//! to the disk. Never waits for a network.

use std::collections::{BTreeMap, BTreeSet};

use chart::entropy::Entropy;
use chart::ids::{ActorId, ChangeHash, CommandId, DocumentId, PersonId};
use chart::reference::{Appointment, Reference};
use chart::time::Timestamp;
use session_note::admit::{Limits, prescan};
use session_note::command::OpenVisit;
use session_note::schema::{Kind, fact};
use session_note::{Author, Command, Issued};
use store::StoreReader;

use crate::documents::keys_of;
use crate::entry::codec::Bytes;
use crate::entry::{Entry, Work};
use crate::error::TabletError;
use crate::event::{Event, Ticket};
use crate::limits::CHANGE_CHARS_MAX;
use crate::machine::Tablet;
use crate::pipeline::Waiting;

/// One edit of one person.
#[derive(Clone, Debug)]
pub struct Edit {
    /// Who.
    pub person: PersonId,
    /// In which document; it is begun if the tablet does not hold it.
    pub document: DocumentId,
    /// What kind of document.
    pub kind: Kind,
    /// The heads that were on the screen; absent: the current ones.
    pub seen: Option<BTreeSet<ChangeHash>>,
    /// What the person did.
    pub commands: Vec<Command>,
}

/// A change that was made here.
pub(crate) struct Made {
    pub(crate) hash: ChangeHash,
    pub(crate) heads: BTreeSet<ChangeHash>,
}

/// What a person did, to be made into changes.
pub(crate) struct Doing<'a> {
    pub(crate) document: DocumentId,
    pub(crate) person: PersonId,
    pub(crate) at: Timestamp,
    pub(crate) seen: &'a BTreeSet<ChangeHash>,
    pub(crate) commands: Vec<Command>,
    pub(crate) phrase: Option<CommandId>,
}

/// What one change is made of.
pub(crate) struct Making<'a> {
    pub(crate) document: DocumentId,
    pub(crate) author: Author,
    pub(crate) fresh: ActorId,
    pub(crate) at: Timestamp,
    pub(crate) seen: &'a BTreeSet<ChangeHash>,
    pub(crate) issued: Vec<Issued>,
    pub(crate) phrase: Option<CommandId>,
    pub(crate) replaces: Vec<ChangeHash>,
}

impl Tablet {
    /// Makes an edit. The ticket is answered by [`Event::Saved`] once it is on the disk.
    ///
    /// What was typed before and is still a draft becomes a change first when the edit signs or changes
    /// a text. A text too long for one change becomes several, written together.
    ///
    /// # Errors
    /// When the edit does not fit what the person saw; nothing is changed then.
    pub fn apply(
        &mut self,
        now: Timestamp,
        entropy: &mut dyn Entropy,
        reader: &dyn StoreReader,
        edit: &Edit,
    ) -> Result<Ticket, TabletError> {
        if edit.commands.is_empty() {
            return Err(TabletError::Empty);
        }
        let new = !self.state.documents.contains_key(&edit.document);
        self.begin_document(entropy, edit.document, edit.kind)?;
        self.load(reader, edit.document)?;
        let mut seen = self.seen_by(edit.person, edit.document, edit.seen.clone());
        let texts = |command: &Command| matches!(command, Command::Sign { .. } | Command::SpliceText { .. });
        if edit.commands.iter().any(texts) {
            let current = seen == self.heads_of(edit.document);
            self.blur(now, entropy, reader, edit.person, edit.document)?;
            let screen = (!current).then_some(seen);
            seen = self.seen_by(edit.person, edit.document, screen);
        }
        let (document, person, commands) = (edit.document, edit.person, edit.commands.clone());
        let doing = Doing { document, person, at: now, seen: &seen, commands, phrase: None };
        let made = match self.make(entropy, doing) {
            Ok(made) => made,
            Err(error) => {
                if new {
                    self.forget_document(document);
                }
                return Err(error);
            }
        };
        let ticket = Ticket(self.next_ticket);
        self.next_ticket = self.next_ticket.saturating_add(1);
        let waiting = Waiting { ticket, document: edit.document, heads: made.heads, change: made.hash };
        self.await_last(waiting);
        self.tell(Event::Changed { document: edit.document });
        Ok(ticket)
    }

    /// Begins the visit of an appointment, under the appointment's id: two tablets that do so offline
    /// edit one document. `None` if the visit was begun already.
    ///
    /// # Errors
    /// When there is no such appointment.
    pub fn create_visit_from_appointment(
        &mut self,
        now: Timestamp,
        entropy: &mut dyn Entropy,
        reader: &dyn StoreReader,
        person: PersonId,
        appointment: DocumentId,
    ) -> Result<Option<Ticket>, TabletError> {
        let known = self.state.reference.values().find_map(|reference| match reference {
            Reference::Appointment(known) if known.id == appointment => Some(known.clone()),
            _ => None,
        });
        let known = known.ok_or(TabletError::UnknownAppointment(appointment))?;
        if self.state.documents.contains_key(&appointment) {
            self.load(reader, appointment)?;
            let loaded = self.shelf.get(appointment);
            if loaded.is_some_and(|loaded| loaded.note.read_visit().value.patient.is_some()) {
                return Ok(None);
            }
        }
        let open = Command::OpenVisit(self.opening(&known));
        let edit =
            Edit { person, document: appointment, kind: Kind::Visit, seen: None, commands: vec![open] };
        self.apply(now, entropy, reader, &edit).map(Some)
    }

    /// Begins a visit without an appointment, under a random id.
    ///
    /// # Errors
    /// When what is known of the visit does not have its form.
    pub fn create_visit(
        &mut self,
        now: Timestamp,
        entropy: &mut dyn Entropy,
        reader: &dyn StoreReader,
        person: PersonId,
        open: OpenVisit,
    ) -> Result<(DocumentId, Ticket), TabletError> {
        let document = DocumentId::random(entropy);
        let open = OpenVisit { clinic: Some(open.clinic.unwrap_or(self.config.clinic)), ..open };
        let commands = vec![Command::OpenVisit(open)];
        let edit = Edit { person, document, kind: Kind::Visit, seen: None, commands };
        let ticket = self.apply(now, entropy, reader, &edit)?;
        Ok((document, ticket))
    }

    fn opening(&self, appointment: &Appointment) -> OpenVisit {
        let mut facts = BTreeMap::from([
            (fact::PROVIDER.to_owned(), serde_json::json!(appointment.provider)),
            (fact::DATE.to_owned(), serde_json::json!(appointment.at.local_date())),
        ]);
        if let Some(payer) = &appointment.payer {
            facts.insert(fact::PAYER.to_owned(), serde_json::json!(payer));
        }
        OpenVisit {
            patient: Some(appointment.patient),
            episode: appointment.episode,
            clinic: Some(self.config.clinic),
            discipline: Some(appointment.discipline.clone()),
            facts,
        }
    }

    /// What a person saw: what was on the screen, and everything this person has done here since. A
    /// person has seen their own work, so it does not put a later edit beside it.
    fn seen_by(
        &self,
        person: PersonId,
        document: DocumentId,
        screen: Option<BTreeSet<ChangeHash>>,
    ) -> BTreeSet<ChangeHash> {
        let Some(loaded) = self.shelf.get(document) else { return screen.unwrap_or_default() };
        let heads = loaded.note.heads();
        let Some(screen) = screen else { return heads };
        let own = self.mine.get(&document);
        let is_own = |hash: &ChangeHash| own.and_then(|own| own.get(hash)) == Some(&person);
        let all_own = loaded.note.changes_since(&screen).iter().all(|(hash, _)| is_own(hash));
        if screen.iter().all(|head| loaded.note.contains(head)) && all_own { heads } else { screen }
    }

    /// Makes one change, or several that land together, of what one person did.
    pub(crate) fn make(&mut self, entropy: &mut dyn Entropy, doing: Doing<'_>) -> Result<Made, TabletError> {
        let Doing { document, person, at, seen, commands, phrase } = doing;
        let actor = *self.actors.entry((document, person)).or_insert_with(|| ActorId::random(entropy));
        let author = Author { person, device: self.config.device, actor };
        let before = self.shelf.get(document).cloned();
        let mut seen = seen.clone();
        let mut works = Vec::new();
        for group in split_long(commands) {
            let issue = |command| Issued { id: CommandId::random(entropy), command };
            let issued: Vec<Issued> = group.into_iter().map(issue).collect();
            let fresh = ActorId::random(entropy);
            let making =
                Making { document, author, fresh, at, seen: &seen, issued, phrase, replaces: Vec::new() };
            match self.make_one(making) {
                Ok(work) => {
                    seen = [work.hash].into();
                    works.push(work);
                }
                Err(error) => {
                    if let Some(before) = before {
                        self.shelf.put(document, before);
                    }
                    return Err(error);
                }
            }
        }
        let Some(last) = works.last() else { return Err(TabletError::Empty) };
        let made = Made { hash: last.hash, heads: last.heads.clone() };
        let count = works.len();
        for (index, work) in works.into_iter().enumerate() {
            self.keep_work(work, index + 1 < count);
        }
        Ok(made)
    }

    /// Makes one change in memory; the caller puts it on its way.
    pub(crate) fn make_one(&mut self, making: Making<'_>) -> Result<Work, TabletError> {
        let Making { document, author, fresh, at, seen, issued, phrase, replaces } = making;
        let loaded = self.shelf.get_mut(document).ok_or(TabletError::UnknownDocument(document))?;
        let mut note = loaded.note.clone();
        let committed = note.commit(&author, fresh, at, seen, &issued)?;
        // The server's door takes nothing larger; better to hear it here than after the fact.
        prescan(&committed.bytes, &Limits::V1)
            .map_err(|refusal| TabletError::TooMuchAtOnce(refusal.to_string()))?;
        let commands =
            serde_json::to_vec(&issued).map_err(|error| TabletError::TooMuchAtOnce(error.to_string()))?;
        loaded.note = note;
        loaded.unkept = loaded.unkept.saturating_add(1);
        Ok(Work {
            document,
            hash: committed.hash,
            change: Bytes(committed.bytes),
            commands: Bytes(commands),
            person: author.person,
            at,
            base: committed.base,
            actor: committed.actor,
            heads: loaded.note.heads(),
            keys: keys_of(&loaded.note),
            phrase,
            replaces,
        })
    }

    pub(crate) fn keep_work(&mut self, work: Work, joined: bool) {
        self.mine.entry(work.document).or_default().insert(work.hash, work.person);
        self.enqueue_with(Entry::Work(work), joined, None);
    }
}

/// Parts commands so that each part fits into one change: long texts are cut, signatures stand alone.
fn split_long(commands: Vec<Command>) -> Vec<Vec<Command>> {
    let mut groups: Vec<Vec<Command>> = Vec::new();
    let mut room = 0usize;
    for command in commands {
        for (cost, piece) in pieces(command) {
            match groups.last_mut() {
                Some(group) if cost <= room => {
                    room -= cost;
                    group.push(piece);
                }
                _ => {
                    room = CHANGE_CHARS_MAX.saturating_sub(cost);
                    groups.push(vec![piece]);
                }
            }
        }
    }
    groups
}

/// A command, cut where its text is too long, each piece with its cost in characters.
fn pieces(command: Command) -> Vec<(usize, Command)> {
    let Command::SpliceText { field, position, delete, insert } = command else { return vec![(0, command)] };
    let chars: Vec<char> = insert.chars().collect();
    if delete.saturating_add(chars.len()) <= CHANGE_CHARS_MAX {
        return vec![(delete + chars.len(), Command::SpliceText { field, position, delete, insert })];
    }
    let mut pieces = Vec::new();
    let mut left = delete;
    while left > 0 {
        let delete = left.min(CHANGE_CHARS_MAX);
        left -= delete;
        let splice = Command::SpliceText { field: field.clone(), position, delete, insert: String::new() };
        pieces.push((delete, splice));
    }
    let mut at = position;
    for part in chars.chunks(CHANGE_CHARS_MAX) {
        let insert: String = part.iter().collect();
        pieces.push((
            part.len(),
            Command::SpliceText { field: field.clone(), position: at, delete: 0, insert },
        ));
        at = at.saturating_add(part.len());
    }
    pieces
}

impl TabletError {
    /// Whether the edit itself is at fault, and not the tablet.
    pub const fn is_refusal(&self) -> bool {
        matches!(self, Self::Command(_) | Self::TooMuchAtOnce(_) | Self::Empty | Self::WrongKind(_))
    }
}
