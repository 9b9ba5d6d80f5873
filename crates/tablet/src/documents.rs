//! Putting documents on the shelf and taking them off: what is not on it is built again from the log,
//! or from a kept snapshot that says the same as the log.

use std::collections::BTreeSet;

use chart::entropy::Entropy;
use chart::ids::{ChangeHash, DocumentId};
use minicbor::Decoder;
use session_note::admission::Submitted;
use session_note::schema::Kind;
use session_note::{CommandError, NoteDocument, facts};
use store::StoreReader;

use crate::arrivals::ASIDE;
use crate::entry::codec::{Bytes, Cell, Out, record};
use crate::entry::{Entry, KeyMade, Keys};
use crate::error::TabletError;
use crate::event::Event;
use crate::limits::{LOADED_MAX, SCAN, SNAPSHOT_AFTER, WAITING_CHANGES};
use crate::machine::Tablet;
use crate::record::Record;
use crate::shelf::Loaded;

record! {
    /// A kept snapshot.
    Snapshot {
        /// Entries up to this number are in it.
        through: u64,
        /// [`Record::purges`] when it was taken.
        purges: u32,
        /// The document.
        bytes: Bytes,
    }
}

const SNAPSHOT_FORMAT: u8 = 1;

impl Tablet {
    /// Makes a document known here, with a key of its own.
    pub(crate) fn begin_document(
        &mut self,
        entropy: &mut dyn Entropy,
        document: DocumentId,
        kind: Kind,
    ) -> Result<(), TabletError> {
        if let Some(record) = self.state.documents.get(&document) {
            return if record.kind == kind { Ok(()) } else { Err(TabletError::WrongKind(document)) };
        }
        let key = self.seals.vault.new_document_key(entropy);
        let wrapped = self.seals.vault.wrap(entropy, document, &key)?;
        let made = Entry::Key(KeyMade { document, kind: kind.number(), wrapped: Bytes(wrapped) });
        self.seals.keys.insert(document, key);
        // The record is empty until its first entry is written; the key alone says nothing.
        self.state.fold(0, &made);
        self.enqueue(made);
        let note = NoteDocument::new(document, kind);
        self.shelf.put(document, Loaded::of(note, 0));
        Ok(())
    }

    /// Takes back the beginning of a document in which nothing was done after all.
    pub(crate) fn forget_document(&mut self, document: DocumentId) {
        self.state.documents.remove(&document);
        self.seals.keys.remove(&document);
        self.shelf.loaded.remove(&document);
        self.pipeline.take_back_key(document);
    }

    /// Puts a document on the shelf.
    pub(crate) fn load(&mut self, reader: &dyn StoreReader, document: DocumentId) -> Result<(), TabletError> {
        let record = self.state.documents.get(&document).ok_or(TabletError::UnknownDocument(document))?;
        let pending = self.pipeline.is_pending(document);
        if let Some(loaded) = self.shelf.get_mut(document)
            && (loaded.purges == record.purges || pending)
        {
            return Ok(());
        }
        let built = self.build(reader, document, record, &BTreeSet::new())?;
        if let Some(sentence) = built.problem.clone() {
            self.tell(Event::CannotBeShown { document, sentence });
        }
        if let Some(record) = self.state.documents.get_mut(&document) {
            record.heads = Some(built.note.heads());
        }
        self.shelf.put(document, built);
        Ok(())
    }

    /// Builds a document from the log, leaving out what is excluded and `without`.
    pub(crate) fn build(
        &self,
        reader: &dyn StoreReader,
        document: DocumentId,
        record: &Record,
        without: &BTreeSet<ChangeHash>,
    ) -> Result<Loaded, TabletError> {
        let kept = if without.is_empty() { self.kept(reader, document, record)? } else { None };
        let (mut loaded, after) = match kept {
            Some((note, through)) => (Loaded::of(note, record.purges), through),
            None => (Loaded::of(NoteDocument::new(document, record.kind), record.purges), 0),
        };
        let mut submitted = Vec::new();
        self.each_entry(reader, document, after, &mut |seq, entry| {
            let outside = record.is_outside(seq);
            match entry {
                Entry::Work(work)
                    if !record.excluded.contains(&work.hash) && !without.contains(&work.hash) =>
                {
                    loaded.submit(&mut submitted, &work.change.0, work.person, self.config.device);
                }
                other if !outside => {
                    if let Some(feed) = other.into_feed() {
                        for change in &feed.changes {
                            loaded.submit(&mut submitted, change, feed.person, feed.device);
                        }
                    }
                }
                _ => {}
            }
            Ok(())
        })?;
        submitted.retain(|one: &Submitted| {
            let hash = one.candidate.sketch().hash;
            !record.excluded.contains(&hash) && !without.contains(&hash)
        });
        loaded.take_in(submitted);
        // All of the log was looked at.
        loaded.grown = false;
        if record.set_aside().next().is_some() {
            loaded.problem.get_or_insert_with(|| ASIDE.to_owned());
        }
        Ok(loaded)
    }

    /// Looks through the log for changes that wait there alone, as long as some of them join the document.
    pub(crate) fn look_again(
        &mut self,
        reader: &dyn StoreReader,
        document: DocumentId,
    ) -> Result<(), TabletError> {
        while self.shelf.get(document).is_some_and(Loaded::should_look_again) {
            let Some(record) = self.state.documents.get(&document) else { break };
            let Some(mut loaded) = self.shelf.loaded.remove(&document) else { break };
            (loaded.more_waits, loaded.grown) = (false, false);
            let mut found = Vec::new();
            let looked = self.each_entry(reader, document, 0, &mut |seq, entry| {
                let Some(feed) = entry.into_feed().filter(|_| !record.is_outside(seq)) else { return Ok(()) };
                for change in &feed.changes {
                    loaded.submit(&mut found, change, feed.person, feed.device);
                }
                found.retain(|one: &Submitted| {
                    let hash = one.candidate.sketch().hash;
                    !loaded.note.contains(&hash) && !record.excluded.contains(&hash)
                });
                if found.len() >= WAITING_CHANGES {
                    loaded.take_in(std::mem::take(&mut found));
                }
                Ok(())
            });
            loaded.take_in(found);
            self.shelf.put(document, loaded);
            looked?;
        }
        Ok(())
    }

    /// Calls `each` for every entry of a document after a number, in order.
    pub(crate) fn each_entry(
        &self,
        reader: &dyn StoreReader,
        document: DocumentId,
        mut after: u64,
        each: &mut dyn FnMut(u64, Entry) -> Result<(), TabletError>,
    ) -> Result<(), TabletError> {
        let name = self.seals.document_name(document);
        loop {
            let numbers = reader.find(name, after, SCAN)?;
            let Some(last) = numbers.last().copied() else { return Ok(()) };
            for seq in numbers {
                if let Some(stored) = reader.entry(seq)? {
                    each(seq, self.seals.open(&stored)?)?;
                }
            }
            after = last;
        }
    }

    fn kept(
        &self,
        reader: &dyn StoreReader,
        document: DocumentId,
        record: &Record,
    ) -> Result<Option<(NoteDocument, u64)>, TabletError> {
        let Some(bytes) = reader.kept(self.seals.snapshot_name(document))? else { return Ok(None) };
        let opened = self.seals.vault.open_body(&bytes, self.seals.keys.get(&document));
        let snapshot = opened.ok().and_then(|body| Snapshot::take(&mut Decoder::new(&body)).ok());
        let current = snapshot.filter(|snapshot| snapshot.purges == record.purges);
        Ok(current.and_then(|snapshot| {
            let note = NoteDocument::load(document, record.kind, &snapshot.bytes.0).ok()?;
            Some((note, snapshot.through))
        }))
    }

    /// Takes the longest unused documents off the shelf; never one that has something on its way.
    pub(crate) fn shelve(&mut self) {
        while self.shelf.loaded.len() > LOADED_MAX {
            let idle = self.shelf.loaded.iter().filter(|(id, _)| {
                !self.pipeline.is_pending(**id) && !self.typing.keys().any(|(document, _)| document == *id)
            });
            let Some(oldest) = idle.min_by_key(|(_, loaded)| loaded.used).map(|(id, _)| *id) else { return };
            self.shelf.loaded.remove(&oldest);
            self.mine.remove(&oldest);
        }
    }

    /// Prepares snapshots of documents that have grown and have nothing on its way.
    pub(crate) fn snapshot(&mut self, entropy: &mut dyn Entropy) {
        let through = self.pipeline.written_through;
        let grown: Vec<DocumentId> = self
            .shelf
            .loaded
            .iter()
            .filter(|(id, loaded)| loaded.unkept >= SNAPSHOT_AFTER && !self.pipeline.is_pending(**id))
            .map(|(id, _)| *id)
            .collect();
        for document in grown {
            let record = self.state.documents.get(&document);
            // A snapshot says that every entry up to its number is in it.
            let all_in = record.is_some_and(|record| record.arriving.is_empty() && record.aside.is_empty());
            let purges = record.filter(|_| all_in).map(|record| record.purges);
            let (Some(loaded), Some(key)) =
                (self.shelf.loaded.get_mut(&document), self.seals.keys.get(&document))
            else {
                continue;
            };
            loaded.unkept = 0;
            if Some(loaded.purges) != purges || !loaded.is_whole() {
                continue;
            }
            let mut out = Out::new(Vec::new());
            Snapshot { through, purges: loaded.purges, bytes: Bytes(loaded.note.save()) }.put(&mut out);
            let sealed =
                self.seals.vault.seal(entropy, Some((document, key)), &[SNAPSHOT_FORMAT], &out.into_writer());
            if let Ok(sealed) = sealed {
                self.keeps.push((self.seals.snapshot_name(document), Some(sealed)));
            }
        }
    }

    /// The heads of a document on the shelf, with what is on its way.
    pub(crate) fn heads_of(&self, document: DocumentId) -> BTreeSet<ChangeHash> {
        self.shelf.get(document).map(|loaded| loaded.note.heads()).unwrap_or_default()
    }

    /// A document on the shelf as it was at some heads.
    pub(crate) fn note_at(
        &self,
        document: DocumentId,
        heads: &BTreeSet<ChangeHash>,
    ) -> Result<NoteDocument, TabletError> {
        let loaded = self.shelf.get(document).ok_or(TabletError::UnknownDocument(document))?;
        if loaded.note.heads() == *heads {
            return Ok(loaded.note.clone());
        }
        Ok(loaded.note.at(heads).ok_or(CommandError::UnknownHeads)?)
    }
}

/// What a note says of itself.
pub(crate) fn keys_of(note: &NoteDocument) -> Keys {
    match note.kind() {
        Kind::Visit => {
            let visit = &note.read_visit().value;
            let slice = facts::slice(visit);
            Keys {
                patient: visit.patient,
                episode: visit.episode,
                dates: facts::dates(&slice),
                providers: facts::providers(&slice),
            }
        }
        Kind::Episode => {
            let patient = note.read_episode().value.patient;
            Keys { patient, episode: None, dates: BTreeSet::new(), providers: BTreeSet::new() }
        }
    }
}
