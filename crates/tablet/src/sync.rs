//! The connection: greeting, answers, timers. What a page brings is [`crate::take`]'s business, what
//! leaves is [`crate::outbox`]'s.

use std::collections::BTreeSet;

use chart::entropy::Entropy;
use chart::ids::{ChangeHash, DocumentId};
use chart::time::Timestamp;
use ed25519_dalek::Signer as _;
use store::StoreReader;
use sync_protocol::limits::backoff_ms;
use sync_protocol::message::{LogPosition, ReceiptItem, Refuse, Welcome};
use sync_protocol::{
    Failure, Outcome, Priority, RefuseCode, Standing, TabletConfig as SessionConfig, TabletEvent,
    TabletSession, VERSIONS,
};

use crate::entry::codec::Bytes;
use crate::entry::{Entry, Receipted, Rewound, VerdictItem, VerdictSeen};
use crate::error::TabletError;
use crate::event::Event;
use crate::limits::{PAGE_BYTES, TURNED_AWAY_RETRY_MS, UNCOVERED_RETRY_MS, UNKNOWN_AUTHOR_RETRY_MS};
use crate::machine::Tablet;
use crate::record::{Record, WorkState};

impl Tablet {
    /// The transport is connected. Hello, waiting work and the pull will leave in one flight as soon as
    /// the server's challenge is here.
    pub fn connected(&mut self, now: Timestamp, reader: &dyn StoreReader) {
        self.link.end();
        self.link.reconnect_at = None;
        self.link.closing = None;
        self.link.hello_at = now;
        let config = SessionConfig {
            versions: VERSIONS.to_vec(),
            site: self.config.clinic,
            device: self.config.device,
            person: self.config.person,
            receipted: self.state.receipted,
            cursor: self.state.cursor,
            scopes: self.config.scopes_wanted(),
            features: Vec::new(),
            app: self.config.app.clone(),
            ask_verdicts: self.awaits_verdicts(),
        };
        self.link.session = Some(TabletSession::new(config, now));
        self.pull();
        self.fetch_due_reports();
        self.offer(now, reader);
        let incomplete = self
            .state
            .documents
            .iter()
            .filter(|(_, record)| !record.missing.is_empty() || !record.wanted.is_empty());
        self.link.to_ask = incomplete.map(|(id, _)| *id).chain(self.state.wanted.keys().copied()).collect();
    }

    /// Whether the server has work of this tablet and has not said what became of it.
    fn awaits_verdicts(&self) -> bool {
        let mut unsettled = self.state.documents.values().flat_map(|record| record.work.values());
        unsettled.any(|work| matches!(work.state, WorkState::Receipted | WorkState::Held(_)))
    }

    fn pull(&mut self) {
        let (cursor, scopes) = (self.state.cursor, self.config.scopes_wanted());
        if let Some(session) = &mut self.link.session {
            // A session that has just begun, or is open, takes a pull; a closed one needs none.
            let _ = session.pull(cursor, scopes, Priority::Today, PAGE_BYTES, true);
        }
    }

    /// Takes a frame from the transport.
    ///
    /// # Errors
    /// When the store cannot be read; the frame's work is then repeated on the next connection.
    pub fn handle_frame(
        &mut self,
        now: Timestamp,
        entropy: &mut dyn Entropy,
        reader: &dyn StoreReader,
        bytes: &[u8],
    ) -> Result<(), TabletError> {
        if let Some(session) = &mut self.link.session {
            session.handle_message(now, bytes);
        }
        self.drain(now, entropy, reader)?;
        self.settle(now, entropy, reader)
    }

    /// The transport is gone, for whatever reason.
    pub fn disconnected(&mut self, now: Timestamp, entropy: &mut dyn Entropy) {
        let why = self.link.closing.take();
        self.link.end();
        let wait = backoff_ms(self.link.failures, entropy).max(self.link.retry_after_ms.take().unwrap_or(0));
        self.link.failures = self.link.failures.saturating_add(1);
        let retry_at = now.plus_ms(wait);
        self.link.reconnect_at = Some(retry_at);
        let sentence = why.unwrap_or_else(|| "the connection to the clinic was lost".to_owned());
        self.tell(Event::Offline { sentence, retry_at });
    }

    /// Is called when [`Tablet::poll_timeout`]'s time has come; calling it early does no harm.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn handle_timeout(
        &mut self,
        now: Timestamp,
        entropy: &mut dyn Entropy,
        reader: &dyn StoreReader,
    ) -> Result<(), TabletError> {
        if let Some(session) = &mut self.link.session {
            session.handle_timeout(now);
        }
        self.drain(now, entropy, reader)?;
        if self.link.reconnect_at.is_some_and(|at| at <= now) {
            self.link.reconnect_at = None;
            self.tell(Event::Connect);
        }
        self.settle(now, entropy, reader)
    }

    /// Does what has become due: drafts, replays, questions, offers, late receipts.
    fn settle(
        &mut self,
        now: Timestamp,
        entropy: &mut dyn Entropy,
        reader: &dyn StoreReader,
    ) -> Result<(), TabletError> {
        if let Some(trouble) = self.arrivals.trouble.take() {
            return Err(trouble);
        }
        self.mark_arrivals();
        self.ripen(now);
        self.flush_due(now, entropy, reader)?;
        self.replay_due(entropy, reader)?;
        self.ask(reader);
        self.offer(now, reader);
        self.shelve();
        Ok(())
    }

    /// The next frame to send, if any.
    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.link.session.as_mut().and_then(TabletSession::poll_transmit)
    }

    /// When to call [`Tablet::handle_timeout`] next, and why.
    pub fn poll_timeout(&self) -> Option<(Timestamp, &'static str)> {
        let phrases = self.state.phrases.keys().filter_map(|id| self.phrase_due(*id));
        let retry = self.link.retry_at.values().min().filter(|_| self.link.is_open());
        let replay = self.replayable().next().map(|_| Timestamp::default());
        let trouble = self.arrivals.trouble.as_ref().map(|_| Timestamp::default());
        [
            self.link.session.as_ref().and_then(TabletSession::poll_timeout),
            self.link.reconnect_at.map(|at| (at, "the connection is to be tried again")),
            phrases.min().map(|at| (at, "what was typed becomes a change")),
            retry.map(|at| (*at, "work is to be offered again")),
            self.pipeline.lazy_due().map(|at| (at, "receipts are to be written")),
            replay.map(|at| (at, "rejected work is to be made again")),
            trouble.map(|at| (at, "what arrived could not be shown")),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    fn drain(
        &mut self,
        now: Timestamp,
        entropy: &mut dyn Entropy,
        reader: &dyn StoreReader,
    ) -> Result<(), TabletError> {
        while let Some(event) = self.link.session.as_mut().and_then(TabletSession::poll_event) {
            match event {
                TabletEvent::Sign { statement } => {
                    let signature = self.signer.sign(&statement).to_bytes();
                    self.link.hello_at = now;
                    if let Some(session) = &mut self.link.session {
                        session.prove(now, signature);
                    }
                }
                TabletEvent::Welcomed(welcome) => self.welcomed(now, &welcome),
                TabletEvent::Receipted { items, position } => self.receipted(now, &items, position),
                TabletEvent::Refused(refuse) => self.refused(now, &refuse),
                TabletEvent::Verdict(verdict) => self.take_verdict(&verdict, Vec::new()),
                TabletEvent::Page(page) => self.take_page(now, entropy, reader, page)?,
                TabletEvent::Supply(supply) => self.take_supply(entropy, reader, supply)?,
                TabletEvent::Report(report) => self.take_report(report.document, report.body),
                TabletEvent::ServerNeeds(need) => self.supply(reader, &need)?,
                TabletEvent::Revoked(revoked) => self.tell(Event::Revoked { sentence: revoked.sentence }),
                // Only clinics ask, so only clinics are answered.
                TabletEvent::Digest(_) | TabletEvent::DigestDiff(_) => {}
                TabletEvent::Failed(failure) => self.failed(now, failure),
            }
        }
        Ok(())
    }

    fn welcomed(&mut self, now: Timestamp, welcome: &Welcome) {
        let round_trip = now.since_ms(self.link.hello_at).max(0);
        let offset = welcome.server_time.plus_ms(round_trip / 2).since_ms(now);
        self.link.clock_offset_ms = Some(offset);
        self.link.welcomed = true;
        self.link.failures = 0;
        self.tell(Event::Online { clock_offset_ms: offset });
        if welcome.standing == Standing::Rewound {
            self.pipeline.drop_lazy();
            // True at once, so that nothing is called safe that may be gone; written with the next batch.
            let rewound = Entry::Rewound(Rewound { tip: welcome.tip });
            self.state.fold(0, &rewound);
            self.pipeline.rewound = !self.pipeline.has_verdicts();
            self.enqueue(rewound);
            self.link.offer_others = true;
            self.link.offer_the_rest = false;
            self.link.brought_again.clear();
            self.link.retry_at.clear();
            self.pull();
            self.tell(Event::Rewound);
        } else if !self.link.offer_others && self.state.documents.values().any(Record::is_silent) {
            self.link.offer_others = true;
            self.link.offer_the_rest = true;
            self.link.brought_again.clear();
        }
    }

    fn receipted(&mut self, now: Timestamp, items: &[ReceiptItem], position: LogPosition) {
        for item in items {
            let Some(flight) = self.link.flights.remove(&item.push_id) else { continue };
            let hashes = flight.covered(&item.covers);
            for (hash, _) in &flight.changes {
                self.link.under_way.remove(hash);
            }
            self.link.turned_away.remove(&item.document);
            if hashes.len() < flight.changes.len() {
                // The rest is on the server's disk but something below it is not: the server asks.
                self.link.retry_at.insert(flight.document, now.plus_ms(UNCOVERED_RETRY_MS));
            }
            if !hashes.is_empty() {
                let document = flight.document;
                self.enqueue_lazy(now, Entry::Receipted(Receipted { document, hashes, position }));
                self.tell(Event::Changed { document });
            }
        }
    }

    /// The door turned a push away: sent again later, or treated as rejected.
    fn refused(&mut self, now: Timestamp, refuse: &Refuse) {
        let Some(flight) = self.link.flights.remove(&refuse.push_id) else { return };
        let document = flight.document;
        let asked = refuse.retry_after_ms.and_then(|ms| i64::try_from(ms).ok());
        let wait = match refuse.code {
            RefuseCode::Later | RefuseCode::ReadOnly | RefuseCode::Internal => {
                Some(asked.unwrap_or(TURNED_AWAY_RETRY_MS))
            }
            RefuseCode::CounterReused => {
                // This device's log is older than what it once sent: leave the used counters behind.
                self.counter = self.counter.saturating_add(crate::limits::COUNTER_BLOCK);
                self.reserve_counters();
                Some(0)
            }
            RefuseCode::AuthorUnknown
            | RefuseCode::BadSignature
            | RefuseCode::KindUnknown
            | RefuseCode::Other(_) => Some(asked.unwrap_or(UNKNOWN_AUTHOR_RETRY_MS)),
            _ => asked,
        };
        let first = flight.changes.first().map_or(ChangeHash::from_bytes([0; 32]), |(hash, _)| *hash);
        let named: BTreeSet<ChangeHash> = refuse.per_change.iter().map(|change| change.hash).collect();
        let rejected = |hash: &ChangeHash| wait.is_none() && (named.is_empty() || named.contains(hash));
        // What is rejected stays under way until that is written, so that it is not offered once more.
        for hash in flight.changes.iter().map(|(hash, _)| hash).filter(|hash| !rejected(hash)) {
            self.link.under_way.remove(hash);
        }
        if let Some(wait) = wait {
            self.link.retry_at.insert(document, now.plus_ms(wait.max(1)));
            self.link.turned_away.insert(document, (first, refuse.sentence.clone()));
            self.tell(Event::Changed { document });
            return;
        }
        let items = flight
            .changes
            .iter()
            .map(|(hash, _)| *hash)
            .filter(rejected)
            .map(|hash| VerdictItem {
                hash,
                outcome: Outcome::Rejected.number(),
                sentence: refuse.sentence.clone(),
            })
            .collect();
        self.renew_actors(document);
        self.enqueue(Entry::Verdict(VerdictSeen { document, items, proof: Bytes(Vec::new()) }));
    }

    /// Whoever speaks in this document next speaks under a new name.
    pub(crate) fn renew_actors(&mut self, document: DocumentId) {
        self.actors.retain(|(of, _), _| *of != document);
    }

    fn failed(&mut self, now: Timestamp, failure: Failure) {
        if let Some(document) = failure.document {
            self.link.asked.remove(&document);
        }
        if !failure.fatal {
            return;
        }
        self.link.welcomed = false;
        self.link.retry_after_ms = failure.retry_after_ms.and_then(|ms| i64::try_from(ms).ok());
        self.link.closing = Some(failure.sentence);
        self.link.retry_at.retain(|_, at| *at > now);
        self.tell(Event::Close);
    }
}
