//! The tablet's state in one place, and its opening on the log. What is done with it stands in files of
//! their own, one for each subject.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use chart::facts::DaySlice;
use chart::ids::{ActorId, ChangeHash, DocumentId, PersonId};
use compliance::Rulebook;
use ed25519_dalek::SigningKey;
use session_note::course::EpisodeVisit;
use store::{Retained, StoreReader};

use crate::arrivals::Arrivals;
use crate::config::TabletConfig;
use crate::entry::{CounterReserved, Entry};
use crate::error::TabletError;
use crate::event::Event;
use crate::fence::LastEnd;
use crate::limits;
use crate::link::Link;
use crate::pipeline::Pipeline;
use crate::sealed::Seals;
use crate::shelf::Shelf;
use crate::state::State;
use crate::typing::Typing;

/// One tablet of a clinic.
pub struct Tablet {
    pub(crate) config: TabletConfig,
    pub(crate) signer: SigningKey,
    pub(crate) rulebook: Rulebook,
    pub(crate) seals: Seals,
    /// What is written down.
    pub(crate) state: State,
    /// What is on its way to the disk.
    pub(crate) pipeline: Pipeline,
    /// Documents in memory, with what is on its way.
    pub(crate) shelf: Shelf,
    pub(crate) typing: BTreeMap<(DocumentId, PersonId), Typing>,
    /// Who speaks here since the app was started.
    pub(crate) actors: BTreeMap<(DocumentId, PersonId), ActorId>,
    /// What was made here since the app was started, and by whom.
    pub(crate) mine: BTreeMap<DocumentId, BTreeMap<ChangeHash, PersonId>>,
    pub(crate) slices: BTreeMap<DocumentId, (BTreeSet<ChangeHash>, (DaySlice, EpisodeVisit))>,
    pub(crate) arrivals: Arrivals,
    pub(crate) link: Link,
    pub(crate) events: VecDeque<Event>,
    pub(crate) keeps: Vec<Retained>,
    /// The next envelope counter.
    pub(crate) counter: u64,
    pub(crate) next_ticket: u64,
}

impl Tablet {
    /// Opens a tablet on its log: an empty one, or one left in any state by a crash.
    ///
    /// # Errors
    /// When the log cannot be read or opened with this key, or was written by a newer version.
    pub fn open(config: TabletConfig, reader: &dyn StoreReader) -> Result<Self, TabletError> {
        Self::open_after(LastEnd::Unknown, config, reader)
    }

    /// The same, when the driver knows how the app ended the last time.
    ///
    /// # Errors
    /// As [`Tablet::open`].
    pub fn open_after(
        end: LastEnd,
        mut config: TabletConfig,
        reader: &dyn StoreReader,
    ) -> Result<Self, TabletError> {
        let rulebook = match config.rulebook.take() {
            Some(rulebook) => rulebook,
            None => Rulebook::builtin().map_err(|error| TabletError::Rulebook(error.to_string()))?,
        };
        let mut tablet = Self {
            signer: SigningKey::from_bytes(&config.signing_key),
            seals: Seals::new(config.disk_key),
            rulebook,
            config,
            state: State::default(),
            pipeline: Pipeline::default(),
            shelf: Shelf::default(),
            typing: BTreeMap::new(),
            actors: BTreeMap::new(),
            mine: BTreeMap::new(),
            slices: BTreeMap::new(),
            arrivals: Arrivals::default(),
            link: Link::default(),
            events: VecDeque::new(),
            keeps: Vec::new(),
            counter: 0,
            next_ticket: 1,
        };
        tablet.read_log(reader)?;
        tablet.counter = tablet.state.counter_through.saturating_add(1);
        tablet.reserve_counters();
        tablet.find_arrivals(end);
        Ok(tablet)
    }

    fn read_log(&mut self, reader: &dyn StoreReader) -> Result<(), TabletError> {
        let mut after = 0;
        loop {
            let entries = reader.scan(after, limits::SCAN)?;
            let Some(last) = entries.last().map(|entry| entry.seq) else { return Ok(()) };
            for stored in entries {
                let entry = self.seals.open(&stored)?;
                self.take_key(&entry)?;
                self.state.fold(stored.seq, &entry);
            }
            after = last;
            self.pipeline.written_through = last;
        }
    }

    fn take_key(&mut self, entry: &Entry) -> Result<(), TabletError> {
        if let Entry::Key(made) = entry
            && !self.seals.keys.contains_key(&made.document)
        {
            let key = self.seals.vault.unwrap(made.document, &made.wrapped.0)?;
            self.seals.keys.insert(made.document, key);
        }
        Ok(())
    }

    /// Makes sure that a counter is on the disk before it is used.
    pub(crate) fn reserve_counters(&mut self) {
        let reserved = self.state.counter_through.max(self.pipeline.counter_through);
        if reserved.saturating_sub(self.counter) < limits::COUNTER_LOW {
            let through = self.counter.saturating_add(limits::COUNTER_BLOCK);
            self.pipeline.counter_through = through;
            self.enqueue(Entry::Counter(CounterReserved { through }));
        }
    }

    /// The next thing to tell, if any.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Says who has unlocked the tablet from here on; the next connection speaks for this person.
    pub fn unlock(&mut self, person: Option<PersonId>) {
        self.config.person = person;
    }

    /// How far the server's clock is ahead of this tablet's, in milliseconds, once it is known.
    pub fn clock_offset_ms(&self) -> Option<i64> {
        self.link.clock_offset_ms
    }

    pub(crate) fn tell(&mut self, event: Event) {
        let repeated = matches!(event, Event::Changed { .. }) && self.events.back() == Some(&event);
        if !repeated {
            self.events.push_back(event);
        }
    }
}
