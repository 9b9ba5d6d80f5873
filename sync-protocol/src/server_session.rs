//! The server's end of one tablet's connection, as a machine without a socket.
//!
//! It challenges, holds back whatever comes before the proof is judged, puts split pushes together,
//! watches the credit, and sends what its owner says. It never says that work is durable, judges a
//! change, or checks a signature: these words are its owner's.

mod intake;
mod words;

use std::collections::VecDeque;

use chart::time::Timestamp;

use self::intake::{Intake, Taken};
pub use self::words::{Acceptance, ServerConfig, ServerEvent};
use crate::code::ErrorCode;
use crate::limits::{
    HANDSHAKE_TIMEOUT_MS, HASHES_MAX, IDLE_TIMEOUT_MS, OUTGOING_BYTES_MAX, OUTGOING_PAUSE_BYTES,
    PUSH_DOCUMENTS_MAX, UNJUDGED_BYTES_MAX, UNJUDGED_FRAMES_MAX,
};
use crate::message::{
    Challenge, DigestDiff, DigestOffer, DocumentPush, LogPosition, Message, Need, Page, Receipt, ReceiptItem,
    Refuse, ReportBody, Revoked, Supply, Verdict, Welcome, kind,
};
use crate::session::{FEATURE_PACKED, Failure, Outgoing, SendError, Unread, judge_unread, read, unsupported};
use crate::{codec, statement};

#[derive(Debug)]
enum Phase {
    AwaitHello,
    Judging { version: u16 },
    Open,
    Closed,
}

/// The server's machine. One lives as long as one connection.
#[derive(Debug)]
pub struct ServerSession {
    config: ServerConfig,
    phase: Phase,
    started_at: Timestamp,
    heard_at: Timestamp,
    /// Frames that came behind the hello, unread until the owner has judged it.
    unjudged: VecDeque<Vec<u8>>,
    unjudged_bytes: usize,
    intake: Intake,
    outgoing: Outgoing,
    events: VecDeque<ServerEvent>,
}

impl ServerSession {
    /// Begins when the transport is connected: the challenge is ready to be sent.
    pub fn new(config: ServerConfig, now: Timestamp) -> Self {
        let config = ServerConfig { limits: config.limits.clamped(), ..config };
        let challenge = Message::Challenge(Challenge {
            nonce: config.nonce,
            versions: config.versions.clone(),
            site: config.site,
            server_time: now,
        });
        let mut session = Self {
            config,
            phase: Phase::AwaitHello,
            started_at: now,
            heard_at: now,
            unjudged: VecDeque::new(),
            unjudged_bytes: 0,
            intake: Intake::default(),
            outgoing: Outgoing::default(),
            events: VecDeque::new(),
        };
        if let Err(error) = session.outgoing.send(&challenge) {
            session.fail(Failure::fatal(ErrorCode::Internal, error.to_string()));
        }
        session
    }

    /// Takes a frame from the transport.
    pub fn handle_message(&mut self, now: Timestamp, frame: &[u8]) {
        self.heard(now);
        match self.phase {
            Phase::Closed => {}
            Phase::Judging { .. } => self.hold_back(frame),
            Phase::AwaitHello => self.handle_greeting(frame),
            Phase::Open => self.handle_open(frame),
        }
    }

    /// Notes that the other side is alive (a pong, say) although it sent no frame.
    pub fn heard(&mut self, now: Timestamp) {
        self.heard_at = now;
    }

    /// Is called when [`Self::poll_timeout`]'s time has come; calling it early does nothing.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        let due = self.poll_timeout().is_some_and(|(at, _)| at <= now);
        if !due {
            return;
        }
        self.fail(match self.phase {
            Phase::AwaitHello => Failure::fatal(ErrorCode::HandshakeTimeout, "no hello came in time"),
            Phase::Judging { .. } | Phase::Open | Phase::Closed => {
                Failure::fatal(ErrorCode::IdleTimeout, "the tablet fell silent")
            }
        });
    }

    /// The next frame to send, if any. May change after every other call. Take one only when the
    /// transport has room, so that [`Self::outgoing_bytes`] tells the truth.
    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.outgoing.pop()
    }

    /// The next thing to tell the owner, if any. May change after every other call.
    pub fn poll_event(&mut self) -> Option<ServerEvent> {
        self.events.pop_front()
    }

    /// When to call [`Self::handle_timeout`] next, and why.
    pub fn poll_timeout(&self) -> Option<(Timestamp, &'static str)> {
        match self.phase {
            Phase::AwaitHello => Some((self.started_at.plus_ms(HANDSHAKE_TIMEOUT_MS), "no hello comes")),
            Phase::Open => Some((self.heard_at.plus_ms(IDLE_TIMEOUT_MS), "the tablet falls silent")),
            // The tablet waits for the owner here; the owner needs no timer to remind itself.
            Phase::Judging { .. } | Phase::Closed => None,
        }
    }

    /// Whether the connection is over; what [`Self::poll_transmit`] still holds is to be sent.
    pub const fn is_closed(&self) -> bool {
        matches!(self.phase, Phase::Closed)
    }

    /// Lets the tablet in and hands out what came behind its hello. Does nothing unless a hello waits.
    pub fn accept(&mut self, now: Timestamp, acceptance: Acceptance) {
        let Phase::Judging { version } = self.phase else { return };
        let packs = acceptance.features.iter().any(|name| name == FEATURE_PACKED);
        let welcome = Message::Welcome(Box::new(Welcome {
            version,
            server_time: now,
            tip: acceptance.tip,
            standing: acceptance.standing,
            limits: self.config.limits,
            backup_covers_through: acceptance.backup_covers_through,
            features: acceptance.features,
            scopes: acceptance.scopes,
        }));
        if let Err(error) = self.outgoing.send(&welcome) {
            return self.fail(Failure::fatal(ErrorCode::Internal, error.to_string()));
        }
        self.outgoing.packs = packs;
        self.phase = Phase::Open;
        self.heard_at = now;
        self.unjudged_bytes = 0;
        for frame in std::mem::take(&mut self.unjudged) {
            if !self.is_closed() {
                self.handle_open(&frame);
            }
        }
    }

    /// Turns the tablet away; what came behind its hello is thrown away unread.
    pub fn refuse(&mut self, code: ErrorCode, sentence: &str, retry_after_ms: Option<u64>) {
        if !self.is_closed() {
            self.fail(Failure { retry_after_ms, ..Failure::fatal(code, sentence) });
        }
    }

    /// Says that pushes are durable, in as many messages as it takes. **Only to be called after the
    /// commit that holds them has returned**; `covers` may name only hashes whose whole ancestry is
    /// durable, and everything of `items` lies at or below `position`.
    pub fn receipt(&mut self, items: Vec<ReceiptItem>, position: LogPosition) -> Result<(), SendError> {
        self.must_be_open()?;
        let mut rest = items.into_iter().peekable();
        while rest.peek().is_some() {
            let mut batch: Vec<ReceiptItem> = Vec::new();
            let mut hashes = 0usize;
            while let Some(item) = rest.next_if(|item| {
                let fits = hashes + item.covers.len() <= HASHES_MAX && batch.len() < PUSH_DOCUMENTS_MAX;
                batch.is_empty() || fits
            }) {
                hashes += item.covers.len();
                batch.push(item);
            }
            let answered: Vec<_> = batch.iter().map(|item| item.push_id).collect();
            self.send(&Message::Receipt(Receipt { items: batch, position }))?;
            answered.into_iter().for_each(|push_id| self.intake.answered(push_id));
        }
        Ok(())
    }

    /// Turns a push away at the door.
    pub fn refuse_push(&mut self, refuse: Refuse) -> Result<(), SendError> {
        self.must_be_open()?;
        let push_id = refuse.push_id;
        self.send(&Message::Refuse(refuse))?;
        self.intake.answered(push_id);
        Ok(())
    }

    /// Says what became of work.
    pub fn verdict(&mut self, verdict: Verdict) -> Result<(), SendError> {
        self.must_be_open()?;
        self.send(&Message::Verdict(verdict))
    }

    /// Sends a piece of the feed.
    pub fn page(&mut self, page: Page) -> Result<(), SendError> {
        self.must_have_room()?;
        self.send(&Message::Page(page))
    }

    /// Answers a need.
    pub fn supply(&mut self, supply: Supply) -> Result<(), SendError> {
        self.must_have_room()?;
        self.send(&Message::Supply(supply))
    }

    /// Answers [`ServerEvent::FetchReport`].
    pub fn report(&mut self, report: ReportBody) -> Result<(), SendError> {
        self.must_have_room()?;
        self.send(&Message::ReportBody(report))
    }

    /// Answers [`ServerEvent::Digest`].
    pub fn digest(&mut self, offer: DigestOffer) -> Result<(), SendError> {
        self.must_be_open()?;
        self.send(&Message::Digest(offer))
    }

    /// Answers [`ServerEvent::DigestDiff`].
    pub fn digest_diff(&mut self, diff: DigestDiff) -> Result<(), SendError> {
        self.must_have_room()?;
        self.send(&Message::DigestDiff(diff))
    }

    /// Answers a message of this number, which this reader may not send.
    pub fn unsupported(&mut self, number: u16) {
        self.answer_unsupported(number);
    }

    /// Asks the tablet for changes.
    pub fn need(&mut self, need: Need) -> Result<(), SendError> {
        self.must_be_open()?;
        self.send(&Message::Need(need))
    }

    /// Tells the tablet that it, or its person, may not go on. Closing is a further step
    /// ([`Self::error`]), so that work that is under way can still be answered.
    pub fn revoked(&mut self, revoked: Revoked) -> Result<(), SendError> {
        self.must_be_open()?;
        self.send(&Message::Revoked(revoked))
    }

    /// Says that something could not go on; if it is fatal, ends the connection after what waits to be
    /// sent.
    pub fn error(&mut self, failure: Failure) -> Result<(), SendError> {
        if self.is_closed() {
            return Err(SendError::Closed);
        }
        self.send(&failure.to_message())?;
        if failure.fatal {
            self.close(failure);
        }
        Ok(())
    }

    /// Tells the machine that the transport is gone.
    pub fn connection_lost(&mut self) {
        if !self.is_closed() {
            self.close(Failure::fatal(ErrorCode::ConnectionLost, "the connection to the tablet was lost"));
        }
    }

    /// Bytes of frames waiting to be sent.
    pub fn outgoing_bytes(&self) -> usize {
        self.outgoing.bytes()
    }

    /// Whether the owner should go on sending pages, or wait until the tablet has read more.
    pub fn writable(&self) -> bool {
        matches!(self.phase, Phase::Open) && self.outgoing.bytes() < OUTGOING_PAUSE_BYTES
    }

    /// Cost of the pushes that were taken and not answered.
    pub fn unanswered_bytes(&self) -> usize {
        self.intake.unanswered_bytes()
    }

    fn handle_greeting(&mut self, frame: &[u8]) {
        let hello = match codec::decode(frame) {
            Ok(Message::Hello(hello)) => hello,
            Ok(Message::Unread { kind: number }) if number & kind::OPTIONAL != 0 => return,
            Ok(Message::Error(error)) => return self.close(Failure::told(error)),
            Ok(other) => return self.fail(Failure::out_of_turn(other.name())),
            Err(error) => return self.fail_reading(error),
        };
        if !self.config.versions.contains(&hello.version) {
            let sentence = format!("version {} of the protocol is not spoken here", hello.version);
            let versions = self.config.versions.clone();
            return self.fail(Failure { versions, ..Failure::fatal(ErrorCode::UnknownVersion, sentence) });
        }
        let ServerConfig { site, nonce, .. } = &self.config;
        let statement = statement::hello(nonce, *site, hello.device, hello.version, hello.person);
        self.phase = Phase::Judging { version: hello.version };
        self.events.push_back(ServerEvent::Hello { hello, statement });
    }

    fn hold_back(&mut self, frame: &[u8]) {
        self.unjudged_bytes = self.unjudged_bytes.saturating_add(frame.len());
        if self.unjudged_bytes > UNJUDGED_BYTES_MAX || self.unjudged.len() >= UNJUDGED_FRAMES_MAX {
            let sentence = "more was sent before the welcome than the first credit allows";
            return self.fail(Failure::fatal(ErrorCode::OverCredit, sentence));
        }
        self.unjudged.push_back(frame.to_vec());
    }

    fn handle_open(&mut self, frame: &[u8]) {
        let limit = self.config.limits.frame_bytes_max as usize;
        if frame.len() > limit {
            return self.fail_reading(codec::DecodeError::TooLarge { bytes: frame.len(), limit });
        }
        match read(frame, self.outgoing.packs) {
            Ok(Message::Push(push)) => push.documents.into_iter().for_each(|part| self.take_part(part)),
            Ok(Message::Pull(pull)) => self.events.push_back(ServerEvent::Pull(pull)),
            Ok(Message::Need(need)) => self.events.push_back(ServerEvent::Need(need)),
            Ok(Message::Supply(supply)) => self.events.push_back(ServerEvent::Supply(supply)),
            Ok(Message::FetchReport(fetch)) => {
                self.events.push_back(ServerEvent::FetchReport { document: fetch.document });
            }
            Ok(Message::Digest(offer)) => self.events.push_back(ServerEvent::Digest(offer)),
            Ok(Message::DigestDiff(diff)) => self.events.push_back(ServerEvent::DigestDiff(diff)),
            Ok(Message::Error(error)) if error.fatal => self.close(Failure::told(error)),
            Ok(Message::Error(error)) => self.events.push_back(ServerEvent::Failed(Failure::told(error))),
            Ok(Message::Unread { kind }) => match judge_unread(kind) {
                Unread::Ignore => {}
                Unread::AnswerUnsupported => self.answer_unsupported(kind),
                Unread::Fail(failure) => self.fail(failure),
            },
            Ok(other) => self.fail(Failure::out_of_turn(other.name())),
            Err(error) => self.fail_reading(error),
        }
    }

    fn take_part(&mut self, part: DocumentPush) {
        if self.is_closed() {
            return;
        }
        match self.intake.take(part, &self.config.limits) {
            Ok(Taken::Whole(push)) => self.events.push_back(ServerEvent::Push(push)),
            Ok(Taken::Waiting) => {}
            Ok(Taken::Refused(refuse)) => {
                let _ = self.send(&Message::Refuse(refuse));
            }
            Err(failure) => self.fail(failure),
        }
    }

    fn answer_unsupported(&mut self, number: u16) {
        let _ = self.send(&unsupported(number).to_message());
    }

    fn must_be_open(&self) -> Result<(), SendError> {
        match self.phase {
            Phase::Open => Ok(()),
            Phase::Closed => Err(SendError::Closed),
            Phase::AwaitHello | Phase::Judging { .. } => Err(SendError::NotOpen),
        }
    }

    fn must_have_room(&self) -> Result<(), SendError> {
        self.must_be_open()?;
        let waiting_bytes = self.outgoing.bytes();
        if waiting_bytes > OUTGOING_BYTES_MAX { Err(SendError::Full { waiting_bytes }) } else { Ok(()) }
    }

    /// Queues a frame. A tablet that asks and never reads is cut off: answers are small, so this many
    /// bytes of them means that nobody takes them.
    fn send(&mut self, message: &Message) -> Result<(), SendError> {
        self.outgoing.send(message)?;
        if self.outgoing.bytes() > 2 * OUTGOING_BYTES_MAX {
            self.fail(Failure::fatal(ErrorCode::SlowReader, "the tablet reads too slowly"));
            return Err(SendError::Closed);
        }
        Ok(())
    }

    fn fail_reading(&mut self, error: codec::DecodeError) {
        let versions = match error.code() {
            ErrorCode::UnknownVersion => self.config.versions.clone(),
            _ => Vec::new(),
        };
        self.fail(Failure { versions, ..Failure::from(error) });
    }

    /// Ends the connection and tells the other side why, after what was already said.
    fn fail(&mut self, failure: Failure) {
        let message = failure.to_message();
        if failure.code == ErrorCode::SlowReader {
            self.outgoing.replace_all(&message);
        } else {
            let _ = self.outgoing.send(&message);
        }
        self.close(failure);
    }

    fn close(&mut self, failure: Failure) {
        self.phase = Phase::Closed;
        self.unjudged.clear();
        self.unjudged_bytes = 0;
        self.intake = Intake::default();
        self.events.push_back(ServerEvent::Failed(Failure { fatal: true, ..failure }));
    }
}
