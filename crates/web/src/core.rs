//! What the worker calls. Every call is short, takes the time as an argument and hands out bytes or JSON.
//! A refusal is thrown as a sentence, a plain text; whatever else is thrown is the module's death.

use chart::entropy::Entropy;
use chart::ids::{DocumentId, PersonId};
use chart::time::Timestamp;
use serde_json::{Value, json};
use session_note::Command;
use session_note::schema::Kind;
use store::{Batch, Store};
use tablet::{Edit, Event, LastEnd, Tablet};
#[cfg(target_family = "wasm")]
use wasm_bindgen::prelude::wasm_bindgen;

use crate::fence::Told;
use crate::identity;
use crate::record::{self, Log};

/// The browser's source of random bytes.
struct Random;

impl Entropy for Random {
    fn fill(&mut self, bytes: &mut [u8]) {
        // Without randomness no actor and no key may be made: ending here is the only safe answer.
        if getrandom::fill(bytes).is_err() {
            std::process::abort();
        }
    }
}

/// A tablet and its log.
#[cfg_attr(target_family = "wasm", wasm_bindgen)]
pub struct Core {
    tablet: Option<Tablet>,
    log: Log,
    person: Option<PersonId>,
    in_flight: Option<Batch>,
}

fn at(ms: f64) -> Timestamp {
    Timestamp::from_unix_ms(ms as i64)
}

fn told(error: impl std::fmt::Display) -> String {
    error.to_string()
}

#[cfg_attr(target_family = "wasm", wasm_bindgen)]
impl Core {
    /// An empty core; `epoch` is the 16 random bytes the log was begun with.
    ///
    /// # Errors
    /// When these are not 16 bytes.
    #[cfg_attr(target_family = "wasm", wasm_bindgen(constructor))]
    pub fn new(epoch: &[u8]) -> Result<Self, String> {
        let epoch = epoch.try_into().map_err(|_| "the log's id is damaged".to_owned())?;
        Ok(Self { tablet: None, log: Log::new(epoch), person: None, in_flight: None })
    }

    /// Takes a record of the log, in order, before the tablet is opened.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn record(&mut self, record: &[u8]) -> Result<(), String> {
        let batch = record::decode(record)?;
        self.log.add(&batch).map(|_| ()).map_err(told)
    }

    /// Opens the tablet of a key file for a person. `engine_died`: the last run ended between the fence's
    /// two calls.
    ///
    /// # Errors
    /// When the key file is none, or the log does not open.
    pub fn open(&mut self, keys: &str, person: &str, engine_died: bool) -> Result<(), String> {
        let config = identity::config(keys, person)?;
        self.person = config.person;
        let end = if engine_died { LastEnd::InEngine } else { LastEnd::Unknown };
        let mut tablet = Tablet::open_after(end, config, &self.log.store).map_err(told)?;
        tablet.set_fence(Box::new(Told));
        self.tablet = Some(tablet);
        Ok(())
    }

    /// The next record to make durable, if any; then [`Core::committed`] or [`Core::commit_failed`].
    pub fn poll_commit(&mut self) -> Option<Vec<u8>> {
        let batch = self.tablet.as_mut()?.poll_commit(&mut Random)?;
        let record = record::encode(&batch);
        self.in_flight = Some(batch);
        Some(record)
    }

    /// The record is durable.
    ///
    /// # Errors
    /// When the log in memory does not take it, which ends this run.
    pub fn committed(&mut self, now: f64) -> Result<(), String> {
        let (Some(batch), Some(tablet)) = (self.in_flight.take(), &mut self.tablet) else { return Ok(()) };
        let first = self.log.add(&batch).map_err(told)?;
        tablet.committed(at(now), first, &self.log.store);
        let keeps = tablet.poll_keep(&mut Random);
        // Losing them costs only time.
        let _ = self.log.store.keep(&keeps);
        Ok(())
    }

    /// The browser's store did not take the record; it is kept in memory and not called saved.
    pub fn commit_failed(&mut self, sentence: &str) {
        self.in_flight = None;
        if let Some(tablet) = &mut self.tablet {
            tablet.commit_failed(sentence);
        }
    }

    /// The browser's store may work again.
    pub fn retry_commit(&mut self) {
        if let Some(tablet) = &mut self.tablet {
            tablet.retry_commit();
        }
    }

    /// The socket stands.
    pub fn connected(&mut self, now: f64) {
        if let Some(tablet) = &mut self.tablet {
            tablet.connected(at(now), &self.log.store);
        }
    }

    /// A frame came.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn frame(&mut self, now: f64, bytes: &[u8]) -> Result<(), String> {
        let Some(tablet) = &mut self.tablet else { return Ok(()) };
        tablet.handle_frame(at(now), &mut Random, &self.log.store, bytes).map_err(told)
    }

    /// The socket is gone.
    pub fn disconnected(&mut self, now: f64) {
        if let Some(tablet) = &mut self.tablet {
            tablet.disconnected(at(now), &mut Random);
        }
    }

    /// The next frame to send, if any.
    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.tablet.as_mut()?.poll_transmit()
    }

    /// When to call [`Core::timeout`], in milliseconds since 1970.
    pub fn poll_timeout(&self) -> Option<f64> {
        let (at, _) = self.tablet.as_ref()?.poll_timeout()?;
        Some(at.unix_ms() as f64)
    }

    /// The time has come.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn timeout(&mut self, now: f64) -> Result<(), String> {
        let Some(tablet) = &mut self.tablet else { return Ok(()) };
        tablet.handle_timeout(at(now), &mut Random, &self.log.store).map_err(told)
    }

    /// What happened since the last call, as a JSON list.
    pub fn events(&mut self) -> String {
        let mut events = Vec::new();
        while let Some(event) = self.tablet.as_mut().and_then(Tablet::poll_event) {
            events.push(event_json(&event));
        }
        Value::Array(events).to_string()
    }

    /// Every note of this tablet with where it stands, as a JSON list.
    pub fn list(&self) -> String {
        let Some(tablet) = &self.tablet else { return "[]".to_owned() };
        let rows = tablet.documents().into_iter().map(|row| {
            let status = tablet.status(row.document);
            let words = status.as_ref().map(|status| status.words);
            let told = status.map(|status| status.notes).unwrap_or_default();
            json!({
                "document": row.document, "kind": row.kind, "dates": row.dates, "words": words, "told": told,
                "cannot_be_shown": row.cannot_be_shown,
            })
        });
        Value::Array(rows.collect()).to_string()
    }

    /// A note as JSON.
    ///
    /// # Errors
    /// When the tablet does not hold it.
    pub fn note(&mut self, document: &str) -> Result<String, String> {
        let Some(tablet) = &mut self.tablet else { return Err("the tablet is not open".to_owned()) };
        let document = DocumentId::parse(document).map_err(told)?;
        let view = tablet.note(&self.log.store, document).map_err(told)?;
        serde_json::to_string(&view).map_err(told)
    }

    /// Makes an edit of a visit; `commands` is a JSON list. The number is that of the `saved` event.
    ///
    /// # Errors
    /// When it does not fit; nothing is changed then.
    pub fn edit(&mut self, now: f64, document: &str, commands: &str) -> Result<f64, String> {
        let (Some(tablet), Some(person)) = (&mut self.tablet, self.person) else {
            return Err("the tablet is not open".to_owned());
        };
        let document = DocumentId::parse(document).map_err(told)?;
        let commands: Vec<Command> =
            serde_json::from_str(commands).map_err(|_| "these are no commands".to_owned())?;
        let edit = Edit { person, document, kind: Kind::Visit, seen: None, commands };
        let ticket = tablet.apply(at(now), &mut Random, &self.log.store, &edit).map_err(told)?;
        Ok(ticket.0 as f64)
    }
}

fn event_json(event: &Event) -> Value {
    match event {
        Event::Saved { ticket, document, .. } => {
            json!({ "event": "saved", "ticket": ticket.0, "document": document })
        }
        Event::NotSaved { sentence, .. } => json!({ "event": "not_saved", "sentence": sentence }),
        Event::Changed { document } => json!({ "event": "changed", "document": document }),
        Event::CannotBeShown { document, sentence } => {
            json!({ "event": "cannot_be_shown", "document": document, "sentence": sentence })
        }
        Event::Online { .. } => json!({ "event": "online" }),
        Event::Offline { sentence, .. } => json!({ "event": "offline", "sentence": sentence }),
        Event::Connect => json!({ "event": "connect" }),
        Event::Close => json!({ "event": "close" }),
        Event::Revoked { sentence } => json!({ "event": "revoked", "sentence": sentence }),
        _ => json!({ "event": "other" }),
    }
}
