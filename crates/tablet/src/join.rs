//! How others' work joins a document: written down first and marked, then given to the document engine,
//! then the mark is taken away. An engine that ends the app thus finds its mark at the next opening, and
//! what it was given is set aside.
//!
//! One mark stands at a time and covers everything that came since the last one, so that it is written
//! with the bytes it is about. After a death under a mark for several documents each is tried alone, so
//! that only the guilty one is set aside. Never judges: what does not pass the gate is [`crate::shelf`]'s
//! business.

use std::collections::BTreeSet;

use chart::ids::{ChangeHash, DocumentId};
use store::StoreReader;
use sync_protocol::message::FeedChanges;

use crate::arrivals::ASIDE;
use crate::documents::keys_of;
use crate::entry::{Applying, Entry, Joined, Received, SetAside};
use crate::error::TabletError;
use crate::event::Event;
use crate::fence::{Fence, LastEnd};
use crate::limits::TRIES_MAX;
use crate::machine::Tablet;

impl Tablet {
    /// Puts a fence around the document engine.
    pub fn set_fence(&mut self, fence: Box<dyn Fence>) {
        self.arrivals.fence = Some(fence);
    }

    /// Whether a change of others is on this tablet's disk, or on its way there, beside its document.
    pub(crate) fn is_outside(&self, document: DocumentId, hash: &ChangeHash) -> bool {
        let record = self.state.documents.get(&document);
        self.arrivals.is_coming(document, hash) || record.is_some_and(|record| record.has_outside(hash))
    }

    /// Takes others' work as it came, to be written down before anything else is done with it.
    pub(crate) fn receive(&mut self, feed: FeedChanges, hashes: Vec<ChangeHash>) {
        let document = feed.document;
        self.arrivals.coming.entry(document).or_default().extend(hashes.iter().copied());
        self.arrivals.waiting.insert(document);
        self.enqueue(Entry::Received(Received { feed, hashes }));
    }

    /// Marks what has come, unless a mark stands: it is joined when the mark is on the disk.
    pub(crate) fn mark_arrivals(&mut self) {
        let arrivals = &mut self.arrivals;
        if arrivals.marked || arrivals.trouble.is_some() {
            return;
        }
        let (documents, tries) = match arrivals.suspects.pop_first() {
            Some((document, tries)) => {
                arrivals.waiting.remove(&document);
                (BTreeSet::from([document]), tries)
            }
            None => (std::mem::take(&mut arrivals.waiting), 0),
        };
        if !documents.is_empty() {
            arrivals.marked = true;
            self.enqueue(Entry::Applying(Applying { documents, tries }));
        }
    }

    /// The mark is on the disk: what it covers joins its documents.
    pub(crate) fn join_marked(&mut self, reader: &dyn StoreReader) {
        let Some(mark) = self.state.mark.clone() else { return };
        self.arrivals.marked = false;
        for document in mark.documents {
            if let Err(error) = self.join(reader, document, mark.seq) {
                // Nothing is lost: it stays in the log, and is tried again on the next occasion.
                self.arrivals.waiting.insert(document);
                self.arrivals.trouble = Some(error);
            }
        }
        self.mark_arrivals();
    }

    fn join(
        &mut self,
        reader: &dyn StoreReader,
        document: DocumentId,
        through: u64,
    ) -> Result<(), TabletError> {
        self.load(reader, document)?;
        let Some(record) = self.state.documents.get(&document) else { return Ok(()) };
        let numbers: Vec<u64> = record.arriving.range(..=through).map(|(seq, _)| *seq).collect();
        let mut feeds = Vec::new();
        for seq in numbers {
            let stored = reader.entry(seq)?;
            let entry = stored.map(|stored| self.seals.open(&stored)).transpose()?;
            feeds.extend(entry.and_then(Entry::into_feed));
        }
        let Some(loaded) = self.shelf.get_mut(document) else { return Ok(()) };
        let mut submitted = Vec::new();
        for feed in &feeds {
            for change in &feed.changes {
                loaded.submit(&mut submitted, change, feed.person, feed.device);
            }
        }
        submitted.retain(|one| !record.excluded.contains(&one.candidate.sketch().hash));
        let changes: Vec<&[u8]> =
            feeds.iter().flat_map(|feed| feed.changes.iter().map(Vec::as_slice)).collect();
        if let Some(fence) = &mut self.arrivals.fence {
            fence.enter(document, &changes);
        }
        loaded.take_in(submitted);
        let looked = self.look_again(reader, document);
        let Some(loaded) = self.shelf.get_mut(document) else { return Ok(()) };
        let (heads, keys) = (loaded.note.heads(), keys_of(&loaded.note));
        if let Some(fence) = &mut self.arrivals.fence {
            fence.leave();
        }
        looked?;
        let (mut missing, problem) = (loaded.missing(), loaded.problem.clone());
        self.arrivals.coming.remove(&document);
        let Some(record) = self.state.documents.get(&document) else { return Ok(()) };
        missing.retain(|hash| !record.set_aside().any(|aside| aside == hash));
        let aside = record.once_more;
        if let Some(sentence) = problem {
            self.tell(Event::CannotBeShown { document, sentence });
        }
        if !missing.is_empty() {
            self.link.to_ask.insert(document);
        }
        self.enqueue(Entry::Joined(Joined { document, through, heads, keys, missing, aside }));
        self.tell(Event::Changed { document });
        Ok(())
    }

    /// Looks at opening for work that was received and does not stand in its document, and for a mark
    /// that was left standing.
    pub(crate) fn find_arrivals(&mut self, end: LastEnd) {
        let Self { state, arrivals, config, .. } = self;
        for (document, record) in &mut state.documents {
            if !record.arriving.is_empty() {
                arrivals.waiting.insert(*document);
            }
            let others = record.aside.values().any(|aside| aside.app != config.app);
            if others {
                // Another version of the app may manage it, and has one try.
                record.try_once_more();
                arrivals.suspects.insert(*document, TRIES_MAX);
            }
        }
        let Some(mark) = state.mark.take() else { return self.mark_arrivals() };
        let tries = mark.tries.saturating_add(1);
        for document in mark.documents {
            let guilty = mark.alone && (end == LastEnd::InEngine || tries > TRIES_MAX);
            if guilty {
                let aside = SetAside { document, through: mark.seq, app: self.config.app.clone() };
                let entry = Entry::SetAside(aside);
                // True at once, so that nobody is shown the note without the word.
                self.state.fold(0, &entry);
                self.enqueue(entry);
                self.arrivals.suspects.remove(&document);
                self.arrivals.waiting.remove(&document);
                self.tell(Event::CannotBeShown { document, sentence: ASIDE.to_owned() });
            } else if self.state.documents.contains_key(&document) {
                self.arrivals.suspects.insert(document, tries);
            }
        }
        self.mark_arrivals();
    }
}
