//! The tablet: everything it does between a tap and the clinic's receipt, as a machine without a
//! file, a socket, a clock or a random source.
//!
//! A person's edit becomes a change and an entry of the tablet's own log; once the log is on the disk
//! the edit is *saved*; it is pushed; once the clinic's server has it on its disk the edit is *safe*.
//! Whatever the server says of it later is shown for what it is, and nothing of it is ever dropped.
//! `docs/tablet.md` has the states of a change and the words on the screen.
//!
//! **The contract with the driver, who owns the store and the transport:**
//! - **Write.** After every call, ask [`Tablet::poll_commit`]; if it gives a batch, commit it and call
//!   [`Tablet::committed`] or [`Tablet::commit_failed`]. At most one batch is under way. *Nothing is
//!   saved, nothing is sent and no draft is dropped before `committed`.*
//! - **Send.** [`Tablet::poll_transmit`] until it is empty.
//! - **Tell.** [`Tablet::poll_event`] until it is empty.
//! - **Keep.** [`Tablet::poll_keep`] gives snapshots for `Store::keep`; losing them costs only time.
//! - **Wait.** [`Tablet::poll_timeout`] says when to call [`Tablet::handle_timeout`], and why.
//!
//! The machine never writes: it reads through the `&dyn StoreReader` it is handed, which must be the
//! store the batches went into.

mod commit;
pub mod config;
mod documents;
mod drafts;
mod edit;
mod entry;
mod error;
mod event;
pub mod limits;
mod outbox;
mod replay;
mod report;
mod sealed;
mod state;
mod status;
mod sync;
mod take;
mod view;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use chart::facts::DaySlice;
use chart::ids::{ActorId, ChangeHash, DocumentId, PersonId};
use compliance::Rulebook;
use ed25519_dalek::SigningKey;
use store::{Retained, StoreReader};

pub use config::TabletConfig;
pub use drafts::Keystroke;
pub use edit::Edit;
pub use error::TabletError;
pub use event::{Event, Ticket};
pub use status::{DocumentSummary, SaveState, Status, WorkNote};
pub use view::{DraftView, NoteView};

use commit::Pipeline;
use documents::Shelf;
use drafts::Typing;
use entry::{CounterReserved, Entry};
use sealed::Seals;
use state::State;
use sync::Link;

/// One tablet of a clinic.
pub struct Tablet {
    config: TabletConfig,
    signer: SigningKey,
    rulebook: Rulebook,
    seals: Seals,
    /// What is written down.
    state: State,
    /// What is on its way to the disk.
    pipeline: Pipeline,
    /// Documents in memory, with what is on its way.
    shelf: Shelf,
    typing: BTreeMap<(DocumentId, PersonId), Typing>,
    /// Who speaks here since the app was started.
    actors: BTreeMap<(DocumentId, PersonId), ActorId>,
    /// What was made here since the app was started, and by whom.
    mine: BTreeMap<DocumentId, BTreeMap<ChangeHash, PersonId>>,
    slices: BTreeMap<DocumentId, (BTreeSet<ChangeHash>, DaySlice)>,
    link: Link,
    events: VecDeque<Event>,
    keeps: Vec<Retained>,
    /// The next envelope counter.
    counter: u64,
    next_ticket: u64,
}

impl Tablet {
    /// Opens a tablet on its log: an empty one, or one left in any state by a crash.
    ///
    /// # Errors
    /// When the log cannot be read or opened with this key, or was written by a newer version.
    pub fn open(mut config: TabletConfig, reader: &dyn StoreReader) -> Result<Self, TabletError> {
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
            link: Link::default(),
            events: VecDeque::new(),
            keeps: Vec::new(),
            counter: 0,
            next_ticket: 1,
        };
        tablet.read_log(reader)?;
        tablet.counter = tablet.state.counter_through.saturating_add(1);
        tablet.reserve_counters();
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
    fn reserve_counters(&mut self) {
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

    fn tell(&mut self, event: Event) {
        let repeated = matches!(event, Event::Changed { .. }) && self.events.back() == Some(&event);
        if !repeated {
            self.events.push_back(event);
        }
    }
}
