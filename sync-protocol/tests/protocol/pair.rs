//! Two machines joined in memory: a tablet with a real key, a clinic that checks the proof and keeps
//! what it receipts, and a clock that is pushed. The clinic's answers can be switched off to see what
//! the machines do meanwhile.

use std::collections::BTreeMap;

use chart::ids::{Digest, PushId};
use chart::time::Timestamp;
use ed25519_dalek::{Signature, Signer, SigningKey, Verifier};
use sync_protocol::message::*;
use sync_protocol::*;

use crate::samples::{DEVICE, EPOCH, PERSON, SITE, at};

/// What crossed the link in one direction before the other side spoke.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flight {
    pub(crate) up: bool,
    pub(crate) frames: Vec<Vec<u8>>,
}

impl Flight {
    pub(crate) fn names(&self) -> Vec<&'static str> {
        self.frames.iter().map(|frame| codec::decode(frame).expect("a frame of ours").name()).collect()
    }
    pub(crate) fn bytes(&self) -> usize {
        self.frames.iter().map(Vec::len).sum()
    }
}

pub(crate) struct Pair {
    pub(crate) tablet: TabletSession,
    pub(crate) server: ServerSession,
    pub(crate) now: Timestamp,
    pub(crate) key: SigningKey,
    /// Which signature the tablet gives; the right one unless a test wants otherwise.
    pub(crate) signs_with: SigningKey,
    pub(crate) standing: Standing,
    pub(crate) judges: bool,
    /// What the clinic says that both sides will use.
    pub(crate) features: Vec<String>,
    pub(crate) answers_pushes: bool,
    pub(crate) flights: Vec<Flight>,
    pub(crate) tablet_heard: Vec<TabletEvent>,
    pub(crate) server_heard: Vec<ServerEvent>,
    /// The clinic's record: by push, the changes, in the order they arrived.
    pub(crate) record: BTreeMap<PushId, Vec<Vec<u8>>>,
    pub(crate) seq: u64,
}

pub(crate) fn tablet_config() -> TabletConfig {
    TabletConfig {
        versions: VERSIONS.to_vec(),
        site: SITE,
        device: DEVICE,
        person: Some(PERSON),
        receipted: Some(crate::samples::position(41)),
        cursor: Some(crate::samples::cursor(40)),
        scopes: vec![ScopeName::Caseload(PERSON)],
        features: Vec::new(),
        app: "gaitway 0.0.0".to_owned(),
        ask_verdicts: false,
    }
}

pub(crate) fn server_config() -> ServerConfig {
    ServerConfig { site: SITE, nonce: [0x11; 32], versions: VERSIONS.to_vec(), limits: Limits::default() }
}

impl Pair {
    pub(crate) fn new() -> Self {
        Self::with(tablet_config(), server_config())
    }

    pub(crate) fn with(tablet: TabletConfig, server: ServerConfig) -> Self {
        let key = SigningKey::from_bytes(&[0x42; 32]);
        Self {
            tablet: TabletSession::new(tablet, at(0)),
            server: ServerSession::new(server, at(0)),
            now: at(0),
            signs_with: key.clone(),
            key,
            standing: Standing::Continues,
            judges: true,
            features: Vec::new(),
            answers_pushes: true,
            flights: Vec::new(),
            tablet_heard: Vec::new(),
            server_heard: Vec::new(),
            record: BTreeMap::new(),
            seq: 41,
        }
    }

    /// Greets and lets everything settle.
    pub(crate) fn open() -> Self {
        Self::open_with(&[])
    }

    /// The same, with abilities that both sides have.
    pub(crate) fn open_with(features: &[&str]) -> Self {
        let features: Vec<String> = features.iter().map(|name| (*name).to_owned()).collect();
        let mut pair =
            Self::with(TabletConfig { features: features.clone(), ..tablet_config() }, server_config());
        pair.features = features;
        pair.settle();
        assert!(
            matches!(pair.tablet_heard.first(), Some(TabletEvent::Welcomed(_))),
            "{:?}",
            pair.tablet_heard
        );
        pair.flights.clear();
        pair.tablet_heard.clear();
        pair.server_heard.clear();
        pair
    }

    /// Carries frames to and fro until neither side has more to say.
    pub(crate) fn settle(&mut self) {
        loop {
            let down = self.carry_down();
            let up = self.carry_up();
            if !down && !up {
                return;
            }
        }
    }

    pub(crate) fn carry_down(&mut self) -> bool {
        let frames: Vec<_> = std::iter::from_fn(|| self.server.poll_transmit()).collect();
        for frame in &frames {
            self.hand_tablet(frame);
        }
        self.note(false, frames)
    }

    pub(crate) fn carry_up(&mut self) -> bool {
        let frames: Vec<_> = std::iter::from_fn(|| self.tablet.poll_transmit()).collect();
        for frame in &frames {
            self.hand_server(frame);
        }
        self.note(true, frames)
    }

    fn note(&mut self, up: bool, frames: Vec<Vec<u8>>) -> bool {
        let any = !frames.is_empty();
        if any {
            self.flights.push(Flight { up, frames });
        }
        any
    }

    pub(crate) fn hand_tablet(&mut self, frame: &[u8]) {
        self.tablet.handle_message(self.now, frame);
        self.drain_tablet();
    }

    pub(crate) fn hand_server(&mut self, frame: &[u8]) {
        self.server.handle_message(self.now, frame);
        self.drain_server();
    }

    pub(crate) fn drain_tablet(&mut self) {
        while let Some(event) = self.tablet.poll_event() {
            match event {
                TabletEvent::Sign { statement } => {
                    let signature = self.signs_with.sign(&statement).to_bytes();
                    self.tablet.prove(self.now, signature);
                }
                event => self.tablet_heard.push(event),
            }
        }
    }

    pub(crate) fn drain_server(&mut self) {
        while let Some(event) = self.server.poll_event() {
            match &event {
                ServerEvent::Hello { hello, statement } if self.judges => self.judge(hello, statement),
                ServerEvent::Push(push) if self.answers_pushes => self.keep(push),
                ServerEvent::Pull(pull) => {
                    let next = pull.cursor.unwrap_or(crate::samples::cursor(0));
                    let page = Page { entries: Vec::new(), next, more: false, pull: pull.pull, chain: None };
                    self.server.page(page).expect("room");
                }
                _ => {}
            }
            self.server_heard.push(event);
        }
    }

    pub(crate) fn judge(&mut self, hello: &Hello, statement: &[u8]) {
        let proof = Signature::from_bytes(&hello.proof);
        if self.key.verifying_key().verify(statement, &proof).is_err() {
            return self.server.refuse(
                ErrorCode::ProofRefused,
                "the proof of this tablet does not hold",
                None,
            );
        }
        let acceptance = Acceptance {
            tip: self.tip(),
            standing: self.standing,
            backup_covers_through: None,
            features: self.features.clone(),
            scopes: hello.scopes.clone(),
        };
        self.server.accept(self.now, acceptance);
    }

    /// Writes the push into the record, then gives its receipt. A repeated push changes nothing.
    fn keep(&mut self, push: &DocumentPush) {
        self.record.entry(push.push_id).or_insert_with(|| {
            self.seq += push.changes.len() as u64;
            push.changes.clone()
        });
        let item = ReceiptItem { push_id: push.push_id, document: push.document, covers: push.heads.clone() };
        let tip = self.tip();
        self.server.receipt(vec![item], tip).expect("open");
    }

    fn tip(&self) -> LogPosition {
        LogPosition { epoch: 1, epoch_id: EPOCH, seq: self.seq, chain: Digest::from_bytes([0xaa; 32]) }
    }

    pub(crate) fn push_clock(&mut self, ms: i64) {
        self.now = self.now.plus_ms(ms);
        self.tablet.handle_timeout(self.now);
        self.drain_tablet();
        self.server.handle_timeout(self.now);
        self.drain_server();
    }

    pub(crate) fn tablet_failure(&self) -> Option<&Failure> {
        self.tablet_heard.iter().find_map(|event| match event {
            TabletEvent::Failed(failure) => Some(failure),
            _ => None,
        })
    }

    pub(crate) fn server_failure(&self) -> Option<&Failure> {
        self.server_heard.iter().find_map(|event| match event {
            ServerEvent::Failed(failure) => Some(failure),
            _ => None,
        })
    }

    pub(crate) fn receipted(&self) -> Vec<PushId> {
        let receipts = self.tablet_heard.iter().filter_map(|event| match event {
            TabletEvent::Receipted { items, .. } => Some(items.iter().map(|item| item.push_id)),
            _ => None,
        });
        receipts.flatten().collect()
    }
}
