//! The tablet's end of a connection, as a machine without a socket.
//!
//! It greets, sends what its owner queued in one flight with the greeting, keeps to the credit, and
//! tells its owner what came back. It never decides what is safe, never repeats a push, never signs.

mod outbox;
mod words;

use std::collections::VecDeque;

use chart::ids::{ChangeHash, DocumentId, PushId};
use chart::time::Timestamp;

use self::outbox::Outbox;
pub use self::words::{QueueError, TabletConfig, TabletEvent};
use crate::code::{ErrorCode, Priority, Standing};
use crate::limits::{ANSWER_TIMEOUT_MS, HANDSHAKE_TIMEOUT_MS, IDLE_TIMEOUT_MS, Limits};
use crate::message::{
    Challenge, Cursor, DigestDiff, DigestOffer, DocumentPush, FetchReport, Hello, Message, Need, Pull,
    Refuse, ScopeName, Supply, Welcome,
};
use crate::session::{FEATURE_PACKED, Failure, Outgoing, SendError, Unread, judge_unread, read, unsupported};
use crate::{codec, statement};

#[derive(Debug)]
enum Phase {
    AwaitChallenge,
    AwaitProof { version: u16 },
    AwaitWelcome,
    Open,
    Closed,
}

/// The tablet's machine. One lives as long as one connection.
#[derive(Debug)]
pub struct TabletSession {
    config: TabletConfig,
    phase: Phase,
    now: Timestamp,
    greeting_since: Timestamp,
    heard_at: Timestamp,
    answer_awaited_since: Timestamp,
    limits: Limits,
    outbox: Outbox,
    outgoing: Outgoing,
    /// What the owner asked before the greeting.
    deferred: Vec<Message>,
    pulls: u32,
    /// The pull whose pages are wanted.
    pull: Option<u32>,
    events: VecDeque<TabletEvent>,
}

impl TabletSession {
    /// Begins when the transport is connected.
    pub fn new(config: TabletConfig, now: Timestamp) -> Self {
        Self {
            config,
            phase: Phase::AwaitChallenge,
            now,
            greeting_since: now,
            heard_at: now,
            answer_awaited_since: now,
            limits: Limits::before_welcome(),
            outbox: Outbox::default(),
            outgoing: Outgoing::default(),
            deferred: Vec::new(),
            pulls: 0,
            pull: None,
            events: VecDeque::new(),
        }
    }

    /// Takes a frame from the transport.
    pub fn handle_message(&mut self, now: Timestamp, frame: &[u8]) {
        if self.is_closed() {
            return;
        }
        self.heard(now);
        match read(frame, self.outgoing.packs) {
            Ok(message) => self.handle(message),
            Err(error) => self.fail(Failure::from(error)),
        }
    }

    /// Notes that the other side is alive (a pong, say) although it sent no frame.
    pub fn heard(&mut self, now: Timestamp) {
        self.now = now;
        self.heard_at = now;
    }

    /// Is called when [`Self::poll_timeout`]'s time has come; calling it early does nothing.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.now = now;
        let due = self.poll_timeout().is_some_and(|(at, _)| at <= now);
        if !due {
            return;
        }
        let failure = match self.phase {
            Phase::Closed => return,
            Phase::Open if self.answer_due() == self.poll_timeout().map(|(at, _)| at) => {
                Failure::fatal(ErrorCode::AnswerTimeout, "the server did not answer a push in time")
            }
            Phase::Open => Failure::fatal(ErrorCode::IdleTimeout, "the server fell silent"),
            Phase::AwaitChallenge | Phase::AwaitProof { .. } | Phase::AwaitWelcome => {
                Failure::fatal(ErrorCode::HandshakeTimeout, "the greeting was not finished in time")
            }
        };
        self.fail(failure);
    }

    /// The next frame to send, if any. May change after every other call.
    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        if let Some(frame) = self.outgoing.pop() {
            return Some(frame);
        }
        if matches!(self.phase, Phase::AwaitWelcome | Phase::Open) {
            self.send_next_pushes();
        }
        self.outgoing.pop()
    }

    /// The next thing to tell the owner, if any. May change after every other call.
    pub fn poll_event(&mut self) -> Option<TabletEvent> {
        self.events.pop_front()
    }

    /// When to call [`Self::handle_timeout`] next, and why.
    pub fn poll_timeout(&self) -> Option<(Timestamp, &'static str)> {
        let idle = (self.heard_at.plus_ms(IDLE_TIMEOUT_MS), "the server falls silent");
        match self.phase {
            Phase::Closed => None,
            Phase::Open => {
                let answer = self.answer_due().map(|at| (at, "a push stays without an answer"));
                Some(answer.map_or(idle, |answer| answer.min(idle)))
            }
            Phase::AwaitChallenge | Phase::AwaitProof { .. } | Phase::AwaitWelcome => {
                Some((self.greeting_since.plus_ms(HANDSHAKE_TIMEOUT_MS), "the greeting takes too long"))
            }
        }
    }

    /// Whether the connection is over; what [`Self::poll_transmit`] still holds is to be sent.
    pub const fn is_closed(&self) -> bool {
        matches!(self.phase, Phase::Closed)
    }

    /// Hands in the signature over the statement of [`TabletEvent::Sign`]. The hello, the queued pushes
    /// as far as the first credit reaches, and the pull leave in one flight.
    pub fn prove(&mut self, now: Timestamp, signature: [u8; 64]) {
        self.now = now;
        let Phase::AwaitProof { version } = self.phase else { return };
        self.greeting_since = now;
        self.phase = Phase::AwaitWelcome;
        let hello = Message::Hello(Box::new(self.hello(version, signature)));
        if let Err(error) = self.outgoing.send(&hello) {
            self.fail(Failure::fatal(ErrorCode::Malformed, error.to_string()));
            return;
        }
        while self.send_next_pushes() {}
        for message in std::mem::take(&mut self.deferred) {
            let _ = self.send_now(&message);
        }
    }

    /// Queues work to be pushed. It leaves when the credit allows, in order.
    pub fn queue_push(&mut self, now: Timestamp, push: DocumentPush) -> Result<(), QueueError> {
        if self.is_closed() {
            return Err(QueueError::Closed);
        }
        self.now = now;
        let whole = DocumentPush { part: 0, more: false, ..push };
        self.outbox.queue(whole, &self.limits)
    }

    /// Asks for the feed; takes the place of an earlier pull, whose late pages are dropped.
    pub fn pull(
        &mut self,
        cursor: Option<Cursor>,
        scopes: Vec<ScopeName>,
        priority: Priority,
        page_bytes: u32,
        live: bool,
    ) -> Result<(), SendError> {
        self.pulls = self.pulls.saturating_add(1);
        self.pull = Some(self.pulls);
        self.deferred.retain(|message| !matches!(message, Message::Pull(_)));
        let pull = Pull { cursor, scopes, priority, page_bytes, live, pull: self.pulls };
        self.send(Message::Pull(pull))
    }

    /// Asks for changes of a document: those named, or all beyond `have`.
    pub fn need(
        &mut self,
        document: DocumentId,
        have: Vec<ChangeHash>,
        hashes: Vec<ChangeHash>,
    ) -> Result<(), SendError> {
        self.send(Message::Need(Need { document, have, hashes }))
    }

    /// Answers [`TabletEvent::ServerNeeds`] with others' work the tablet holds.
    pub fn supply(&mut self, supply: Supply) -> Result<(), SendError> {
        self.send(Message::Supply(supply))
    }

    /// Asks whether the other side holds the same documents of a scope: between clinics.
    pub fn digest(&mut self, offer: DigestOffer) -> Result<(), SendError> {
        self.send(Message::Digest(offer))
    }

    /// Asks in which documents of a scope the other side differs: between clinics.
    pub fn digest_diff(&mut self, diff: DigestDiff) -> Result<(), SendError> {
        self.send(Message::DigestDiff(diff))
    }

    /// Asks for the report of a note.
    pub fn fetch_report(&mut self, document: DocumentId) -> Result<(), SendError> {
        self.send(Message::FetchReport(FetchReport { document }))
    }

    /// Tells the machine that the transport is gone.
    pub fn connection_lost(&mut self, now: Timestamp) {
        self.now = now;
        if !self.is_closed() {
            self.close(Failure::fatal(ErrorCode::ConnectionLost, "the connection to the clinic was lost"));
        }
    }

    /// Every push without an answer, sent or not.
    pub fn unanswered(&self) -> Vec<PushId> {
        self.outbox.unanswered()
    }

    /// Cost of the pushes that were sent and not answered.
    pub fn in_flight_bytes(&self) -> usize {
        self.outbox.in_flight_bytes()
    }

    fn handle(&mut self, message: Message) {
        match (&self.phase, message) {
            (Phase::Closed, _) => {}
            (_, Message::Error(error)) => {
                let failure = Failure::told(error);
                if failure.fatal { self.close(failure) } else { self.tell(TabletEvent::Failed(failure)) }
            }
            (_, Message::Revoked(revoked)) => self.tell(TabletEvent::Revoked(revoked)),
            (_, Message::Unread { kind }) => match judge_unread(kind) {
                Unread::Ignore => {}
                Unread::AnswerUnsupported => self.answer_unsupported(kind),
                Unread::Fail(failure) => self.fail(failure),
            },
            (Phase::AwaitChallenge, Message::Challenge(challenge)) => self.handle_challenge(&challenge),
            (Phase::AwaitWelcome, Message::Welcome(welcome)) => self.handle_welcome(welcome),
            (Phase::Open, message) => self.handle_open(message),
            (_, message) => self.fail(Failure::out_of_turn(message.name())),
        }
    }

    fn handle_challenge(&mut self, challenge: &Challenge) {
        if challenge.site != self.config.site {
            let sentence = "this server keeps the record of another clinic";
            return self.fail(Failure::fatal(ErrorCode::WrongClinic, sentence));
        }
        let known = challenge.versions.iter().filter(|version| self.config.versions.contains(version));
        let Some(&version) = known.max() else {
            let sentence = format!(
                "the server speaks {}, this tablet {}: update the older of the two",
                versions_text(&challenge.versions),
                versions_text(&self.config.versions)
            );
            let failure = Failure::fatal(ErrorCode::UnknownVersion, sentence);
            return self.fail(Failure { versions: self.config.versions.clone(), ..failure });
        };
        let TabletConfig { site, device, person, .. } = self.config;
        let statement = statement::hello(&challenge.nonce, site, device, version, person);
        self.phase = Phase::AwaitProof { version };
        self.tell(TabletEvent::Sign { statement });
    }

    fn handle_welcome(&mut self, welcome: Box<Welcome>) {
        self.phase = Phase::Open;
        self.limits = welcome.limits.clamped();
        let packs = |features: &[String]| features.iter().any(|name| name == FEATURE_PACKED);
        self.outgoing.packs = packs(&welcome.features) && packs(&self.config.features);
        self.answer_awaited_since = self.now;
        if welcome.standing == Standing::Rewound {
            self.pull = None;
        }
        self.tell(TabletEvent::Welcomed(welcome));
        for (push, error) in self.outbox.take_unsendable(&self.limits) {
            self.tell(TabletEvent::Refused(Refuse {
                push_id: push.push_id,
                document: push.document,
                code: error.code(),
                sentence: error.to_string(),
                per_change: Vec::new(),
                retry_after_ms: None,
            }));
        }
    }

    fn handle_open(&mut self, message: Message) {
        match message {
            Message::Receipt(receipt) => {
                self.answer_awaited_since = self.now;
                receipt.items.iter().for_each(|item| self.outbox.answered(item.push_id));
                let (items, position) = (receipt.items, receipt.position);
                self.tell(TabletEvent::Receipted { items, position });
            }
            Message::Refuse(refuse) => {
                self.answer_awaited_since = self.now;
                self.outbox.answered(refuse.push_id);
                self.tell(TabletEvent::Refused(refuse));
            }
            Message::Page(page) if self.pull == Some(page.pull) => self.tell(TabletEvent::Page(page)),
            Message::Page(_) => {}
            Message::Verdict(verdict) => self.tell(TabletEvent::Verdict(verdict)),
            Message::Supply(supply) => self.tell(TabletEvent::Supply(supply)),
            Message::ReportBody(report) => self.tell(TabletEvent::Report(report)),
            Message::Need(need) => self.tell(TabletEvent::ServerNeeds(need)),
            Message::Digest(offer) => self.tell(TabletEvent::Digest(offer)),
            Message::DigestDiff(diff) => self.tell(TabletEvent::DigestDiff(diff)),
            other => self.fail(Failure::out_of_turn(other.name())),
        }
    }

    fn hello(&self, version: u16, proof: [u8; 64]) -> Hello {
        let config = self.config.clone();
        Hello {
            version,
            device: config.device,
            person: config.person,
            proof,
            receipted: config.receipted,
            cursor: config.cursor,
            scopes: config.scopes,
            features: config.features,
            app: config.app,
            device_time: self.now,
            ask_verdicts: config.ask_verdicts,
        }
    }

    fn send(&mut self, message: Message) -> Result<(), SendError> {
        match self.phase {
            Phase::Closed => Err(SendError::Closed),
            Phase::AwaitChallenge | Phase::AwaitProof { .. } => {
                codec::encode(&message)?;
                self.deferred.push(message);
                Ok(())
            }
            Phase::AwaitWelcome | Phase::Open => self.send_now(&message),
        }
    }

    fn send_now(&mut self, message: &Message) -> Result<(), SendError> {
        self.outgoing.send(message).map_err(SendError::from)
    }

    /// Moves what the credit allows into frames; says whether there was anything.
    fn send_next_pushes(&mut self) -> bool {
        let frames = self.outbox.next(&self.limits);
        let any = !frames.is_empty();
        if any {
            self.answer_awaited_since = self.now;
        }
        for frame in frames {
            // Queueing has checked every bound; if one is broken after all, the owner hears of it
            // and its work stays unanswered.
            if let Err(error) = self.outgoing.send(&Message::Push(frame)) {
                self.fail(Failure::fatal(ErrorCode::Internal, error.to_string()));
                return false;
            }
        }
        any
    }

    fn answer_due(&self) -> Option<Timestamp> {
        self.outbox.has_in_flight().then(|| self.answer_awaited_since.plus_ms(ANSWER_TIMEOUT_MS))
    }

    fn answer_unsupported(&mut self, kind: u16) {
        let _ = self.send_now(&unsupported(kind).to_message());
    }

    fn tell(&mut self, event: TabletEvent) {
        self.events.push_back(event);
    }

    /// Ends the connection and tells the other side why.
    fn fail(&mut self, failure: Failure) {
        self.outgoing.replace_all(&failure.to_message());
        self.close(failure);
    }

    fn close(&mut self, failure: Failure) {
        self.phase = Phase::Closed;
        let unanswered = self.outbox.unanswered();
        self.tell(TabletEvent::Failed(Failure { fatal: true, unanswered, ..failure }));
    }
}

fn versions_text(versions: &[u16]) -> String {
    let numbers: Vec<String> = versions.iter().map(u16::to_string).collect();
    format!("version {}", numbers.join(", "))
}
