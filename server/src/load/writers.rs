//! Writers: tablets' connections through which notes are begun and changed as fast as a server takes them, without
//! the tablets' own work, so that a clinic can be filled. A note is known by its number; what was written of it is
//! kept as bytes.

use std::collections::BTreeMap;
use std::path::PathBuf;

use chart::ids::{ActorId, ChangeHash, CommandId, DeviceId, DocumentId, PersonId};
use chart::time::Timestamp;
use session_note::admission::Submitted;
use session_note::admit::{Candidate, Limits};
use session_note::schema::Kind;
use session_note::{Author, Command, Issued, NoteDocument};

use super::stage::{Stage, text};
use super::wire::Wire;
use crate::edge::{OsEntropy, now};

/// Connections at once: their work shares the server's commits.
const WRITERS: usize = 16;

/// What is to be written into a note.
pub(super) type Edit = (usize, Command);

/// The tablets, and what they wrote.
pub(super) struct Writers {
    homes: Vec<PathBuf>,
    person: PersonId,
    /// The changes of each note, each after what it builds on.
    written: BTreeMap<usize, Vec<Vec<u8>>>,
}

/// A note's number as its name.
pub(super) fn visit(number: usize) -> DocumentId {
    DocumentId::from_bytes((0xa000_0000_u128 + number as u128).to_be_bytes())
}

impl Writers {
    /// Lets so many tablets in, with directories beside each other in `dir`.
    pub(super) fn enrol(stage: &Stage, dir: &std::path::Path, person: PersonId) -> Result<Self, String> {
        let homes: Vec<PathBuf> = (0..WRITERS).map(|number| dir.join(format!("writer-{number}"))).collect();
        homes.iter().try_for_each(|home| stage.enrol(home))?;
        Ok(Self { homes, person, written: BTreeMap::new() })
    }

    /// Writes one change for each edit and comes back when every one is safe at the clinic.
    pub(super) fn write(&mut self, stage: &Stage, edits: Vec<Edit>) -> Result<(), String> {
        let address = stage.address()?;
        let mut piles: Vec<Vec<Edit>> = (0..self.homes.len()).map(|_| Vec::new()).collect();
        for (place, edit) in edits.into_iter().enumerate() {
            let pile = place % piles.len().max(1);
            piles.get_mut(pile).into_iter().for_each(|pile| pile.push(edit.clone()));
        }
        let (written, person) = (&self.written, self.person);
        let made = std::thread::scope(|scope| {
            let work = self.homes.iter().zip(piles).filter(|(_, pile)| !pile.is_empty());
            let at_work: Vec<_> = work
                .map(|(home, pile)| {
                    let address = &address;
                    scope.spawn(move || write_pile(Wire::connect(address, home, person)?, written, pile))
                })
                .collect();
            let ends = at_work.into_iter().map(|one| one.join().map_err(|_| "a thread died".to_owned())?);
            ends.collect::<Result<Vec<_>, String>>()
        })?;
        for (number, bytes) in made.into_iter().flatten() {
            self.written.entry(number).or_default().push(bytes);
        }
        Ok(())
    }
}

fn write_pile(
    mut wire: Wire,
    written: &BTreeMap<usize, Vec<Vec<u8>>>,
    pile: Vec<Edit>,
) -> Result<Vec<(usize, Vec<u8>)>, String> {
    let mut made = Vec::with_capacity(pile.len());
    for (number, command) in pile {
        let before = written.get(&number).map(Vec::as_slice).unwrap_or_default();
        let (head, bytes) = change(number, before, (wire.person, wire.device), now(), command)?;
        wire.push(visit(number), head, vec![bytes.clone()])?;
        made.push((number, bytes));
    }
    Ok(made)
}

/// One more change of a note, under an actor of its own.
fn change(
    number: usize,
    before: &[Vec<u8>],
    (person, device): (PersonId, DeviceId),
    at: Timestamp,
    command: Command,
) -> Result<(ChangeHash, Vec<u8>), String> {
    let candidates = before.iter().map(|bytes| Candidate::scan(bytes.clone(), &Limits::V1).map_err(text));
    let submitted = candidates.map(|one| one.map(|candidate| Submitted { candidate, person, device }));
    let note = NoteDocument::new(visit(number), Kind::Visit);
    let mut note = note.take_in(&submitted.collect::<Result<Vec<_>, _>>()?).map_err(text)?.note;
    let actor = ActorId::random(&mut OsEntropy);
    let author = Author { person, device, actor };
    let issued = [Issued { id: CommandId::random(&mut OsEntropy), command }];
    let seen = note.heads();
    let made = note.commit(&author, actor, at, &seen, &issued).map_err(text)?;
    Ok((made.hash, made.bytes))
}
