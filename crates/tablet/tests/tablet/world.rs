//! A tablet on a real store in memory, and a clinic that speaks the real protocol and does what the
//! test tells it. No judgement of its own: whether a change is sound is the gate's business.

use std::collections::{BTreeMap, BTreeSet};

use chart::entropy::Entropy;
use chart::ids::{ChangeHash, ClinicId, DeviceId, Digest, DocumentId, EpochId, PersonId};
use chart::time::Timestamp;
use ed25519_dalek::{Signature, SigningKey, Verifier};
use session_note::Command;
use session_note::admit::{Limits as GateLimits, prescan};
use session_note::schema::Kind;
use store::{MemoryStore, Store};
use sync_protocol::message::{
    Cursor, DocumentPush, FeedBody, FeedChanges, FeedEntry, LogPosition, Need, Page, Pull, ReceiptItem,
    Refuse, Supply, Verdict, VerdictItem,
};
use sync_protocol::{
    Acceptance, Limits, Outcome, ReasonCode, RefuseCode, ServerConfig, ServerEvent, ServerSession, Standing,
    VERSIONS, statement,
};
use tablet::{Edit, Event, Keystroke, LastEnd, SaveState, Tablet, TabletConfig, TabletError, Ticket};

pub(crate) const CLINIC: ClinicId = ClinicId::from_bytes([0xc1; 16]);
pub(crate) const ANNA: PersonId = PersonId::from_bytes([0xa1; 16]);
pub(crate) const BEN: PersonId = PersonId::from_bytes([0xb1; 16]);
pub(crate) const VISIT: DocumentId = DocumentId::from_bytes([0x11; 16]);
pub(crate) const OTHER_VISIT: DocumentId = DocumentId::from_bytes([0x12; 16]);

/// Bytes that look random and are the same on every run.
#[derive(Clone)]
pub(crate) struct Dice {
    seed: u64,
    drawn: u64,
}

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, drawn: 0 }
    }
}

impl Entropy for Dice {
    fn fill(&mut self, bytes: &mut [u8]) {
        self.drawn += 1;
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.seed.to_le_bytes());
        hasher.update(&self.drawn.to_le_bytes());
        hasher.finalize_xof().fill(bytes);
    }
}

pub(crate) fn device(number: u8) -> DeviceId {
    DeviceId::from_bytes([0xd0 + number; 16])
}

pub(crate) fn config(number: u8) -> TabletConfig {
    TabletConfig {
        clinic: CLINIC,
        device: device(number),
        signing_key: [number; 32],
        disk_key: [0x50 + number; 32],
        person: Some(ANNA),
        scopes: Vec::new(),
        app: "test 1".to_owned(),
        rulebook: None,
    }
}

/// A tablet with its disk.
pub(crate) struct Rig {
    pub(crate) number: u8,
    pub(crate) tablet: Tablet,
    pub(crate) store: MemoryStore,
    pub(crate) dice: Dice,
    pub(crate) now: Timestamp,
    pub(crate) events: Vec<Event>,
    /// The disk after every commit, oldest first.
    pub(crate) disks: Vec<MemoryStore>,
}

impl Rig {
    pub(crate) fn new(number: u8) -> Self {
        let store = MemoryStore::new(EpochId::from_bytes([number; 16]));
        Self::on(number, store, 1)
    }

    /// The app started on a disk; `start` makes each start draw other random bytes.
    pub(crate) fn on(number: u8, store: MemoryStore, start: u64) -> Self {
        Self::after(LastEnd::Unknown, config(number), number, store, start)
    }

    /// The same, with a word of how the last run ended.
    pub(crate) fn after(
        end: LastEnd,
        config: TabletConfig,
        number: u8,
        store: MemoryStore,
        start: u64,
    ) -> Self {
        let tablet = Tablet::open_after(end, config, &store).unwrap();
        let dice = Dice::new(u64::from(number) * 1_000 + start);
        let now = Timestamp::from_unix_ms(1_790_000_000_000 + i64::try_from(start).unwrap() * 100_000);
        Self { number, tablet, store, dice, now, events: Vec::new(), disks: Vec::new() }
    }

    /// What a power cut leaves: the disk as it is, nothing else.
    pub(crate) fn restarted(&self, start: u64) -> Self {
        let mut store = self.store.clone();
        store.reopen();
        let mut rig = Self::on(self.number, store, start);
        rig.now = self.now.plus_ms(60_000);
        rig
    }

    pub(crate) fn edit(&mut self, person: PersonId, document: DocumentId, commands: Vec<Command>) -> Ticket {
        self.try_edit(person, document, None, commands).unwrap()
    }

    pub(crate) fn try_edit(
        &mut self,
        person: PersonId,
        document: DocumentId,
        seen: Option<BTreeSet<ChangeHash>>,
        commands: Vec<Command>,
    ) -> Result<Ticket, TabletError> {
        let edit = Edit { person, document, kind: Kind::Visit, seen, commands };
        self.tablet.apply(self.now, &mut self.dice, &self.store, &edit)
    }

    pub(crate) fn field(&mut self, document: DocumentId, value: &str) -> Ticket {
        self.edit(ANNA, document, vec![set_field("response", value)])
    }

    pub(crate) fn key(&mut self, document: DocumentId, position: usize, delete: usize, insert: &str) {
        self.try_key(document, position, delete, insert).unwrap();
    }

    pub(crate) fn try_key(
        &mut self,
        document: DocumentId,
        position: usize,
        delete: usize,
        insert: &str,
    ) -> Result<(), TabletError> {
        let typed = Keystroke {
            person: ANNA,
            document,
            field: "subjective".to_owned(),
            position,
            delete,
            insert: insert.to_owned(),
            seen: None,
        };
        self.tablet.keystroke(self.now, &mut self.dice, &self.store, &typed)
    }

    /// Types a text, letter by letter, each letter on the disk before the next.
    pub(crate) fn type_text(&mut self, document: DocumentId, position: usize, text: &str) {
        for (index, letter) in text.chars().enumerate() {
            self.key(document, position + index, 0, &letter.to_string());
            self.pump();
        }
    }

    /// Writes what waits and hears what there is to hear.
    pub(crate) fn pump(&mut self) {
        while let Some(batch) = self.tablet.poll_commit(&mut self.dice) {
            match self.store.commit(&batch) {
                Ok(first) => {
                    self.disks.push(self.store.clone());
                    self.tablet.committed(self.now, first, &self.store);
                }
                Err(error) => self.tablet.commit_failed(&error.to_string()),
            }
        }
        let kept = self.tablet.poll_keep(&mut self.dice);
        if !kept.is_empty() {
            self.store.keep(&kept).unwrap();
        }
        while let Some(event) = self.tablet.poll_event() {
            self.events.push(event);
        }
    }

    /// Lets time pass, with every timer served.
    pub(crate) fn wait(&mut self, ms: i64) {
        let until = self.now.plus_ms(ms);
        for _ in 0..10_000 {
            let Some((due, _)) = self.tablet.poll_timeout().filter(|(due, _)| *due <= until) else { break };
            self.now = self.now.max(due);
            self.tablet.handle_timeout(self.now, &mut self.dice, &self.store).unwrap();
            self.pump();
        }
        self.now = until;
    }

    pub(crate) fn save_state(&self, document: DocumentId) -> SaveState {
        self.tablet.status(document).unwrap().save
    }

    pub(crate) fn text(&mut self, document: DocumentId) -> String {
        let view = self.tablet.note(&self.store, document).unwrap();
        view.visit.unwrap().text.remove("subjective").unwrap_or_default()
    }

    pub(crate) fn response(&mut self, document: DocumentId) -> Option<String> {
        let view = self.tablet.note(&self.store, document).unwrap();
        view.visit.unwrap().fields.remove("response")
    }

    pub(crate) fn heads(&mut self, document: DocumentId) -> BTreeSet<ChangeHash> {
        self.tablet.note(&self.store, document).unwrap().heads
    }

    pub(crate) fn saw(&self, what: impl Fn(&Event) -> bool) -> bool {
        self.events.iter().any(what)
    }
}

pub(crate) fn set_field(field: &str, value: &str) -> Command {
    Command::SetField { field: field.to_owned(), value: value.to_owned() }
}

pub(crate) fn sign() -> Command {
    Command::Sign {
        meaning: "author".to_owned(),
        credentials: "PT".to_owned(),
        report_digest: None,
        billing_view: String::new(),
    }
}

/// The clinic's server: real sessions, a log of what it received, and answers as the test wants them.
pub(crate) struct Clinic {
    session: Option<ServerSession>,
    pub(crate) dice: Dice,
    pub(crate) epoch_id: EpochId,
    pub(crate) seq: u64,
    pub(crate) standing: Standing,
    /// Whether pushes are receipted as they come.
    pub(crate) receipts: bool,
    /// What the door says instead.
    pub(crate) refuse: Option<(RefuseCode, Option<u64>)>,
    pub(crate) pushes: Vec<DocumentPush>,
    pub(crate) needs: Vec<Need>,
    pub(crate) supplies: Vec<Supply>,
    pub(crate) pulls: Vec<Pull>,
    /// Reports that were asked for.
    pub(crate) fetches: Vec<DocumentId>,
    pub(crate) receipted_at_hello: Vec<Option<LogPosition>>,
    pub(crate) frames_in: usize,
    pub(crate) bytes_in: usize,
    pub(crate) have: BTreeMap<ChangeHash, DocumentPush>,
}

impl Clinic {
    pub(crate) fn new() -> Self {
        Self {
            session: None,
            dice: Dice::new(77),
            epoch_id: EpochId::from_bytes([0xee; 16]),
            seq: 0,
            standing: Standing::Continues,
            receipts: true,
            refuse: None,
            pushes: Vec::new(),
            needs: Vec::new(),
            supplies: Vec::new(),
            pulls: Vec::new(),
            fetches: Vec::new(),
            receipted_at_hello: Vec::new(),
            frames_in: 0,
            bytes_in: 0,
            have: BTreeMap::new(),
        }
    }

    pub(crate) fn position(&self) -> LogPosition {
        LogPosition { epoch: 1, epoch_id: self.epoch_id, seq: self.seq, chain: Digest::from_bytes([1; 32]) }
    }

    /// Connects a tablet and lets both talk until neither has anything to say.
    pub(crate) fn connect(&mut self, rig: &mut Rig) {
        let mut nonce = [0; 32];
        self.dice.fill(&mut nonce);
        let config =
            ServerConfig { site: CLINIC, nonce, versions: VERSIONS.to_vec(), limits: Limits::default() };
        self.session = Some(ServerSession::new(config, rig.now));
        self.frames_in = 0;
        self.bytes_in = 0;
        rig.tablet.connected(rig.now, &rig.store);
        self.talk(rig);
    }

    pub(crate) fn disconnect(&mut self, rig: &mut Rig) {
        self.session = None;
        rig.tablet.disconnected(rig.now, &mut rig.dice);
        rig.pump();
    }

    pub(crate) fn talk(&mut self, rig: &mut Rig) {
        loop {
            rig.pump();
            let mut quiet = true;
            while let Some(frame) = rig.tablet.poll_transmit() {
                quiet = false;
                self.frames_in += 1;
                self.bytes_in += frame.len();
                if let Some(session) = &mut self.session {
                    session.handle_message(rig.now, &frame);
                }
                self.answer(rig);
            }
            self.answer(rig);
            while let Some(frame) = self.session.as_mut().and_then(ServerSession::poll_transmit) {
                quiet = false;
                rig.tablet.handle_frame(rig.now, &mut rig.dice, &rig.store, &frame).unwrap();
                rig.pump();
            }
            if quiet {
                return;
            }
        }
    }

    fn answer(&mut self, rig: &Rig) {
        while let Some(event) = self.session.as_mut().and_then(ServerSession::poll_event) {
            match event {
                ServerEvent::Hello { hello, statement } => {
                    let key = SigningKey::from_bytes(&config(rig.number).signing_key).verifying_key();
                    key.verify(&statement, &Signature::from_bytes(&hello.proof)).unwrap();
                    self.receipted_at_hello.push(hello.receipted);
                    let acceptance = Acceptance {
                        tip: self.position(),
                        standing: self.standing,
                        backup_covers_through: None,
                        features: Vec::new(),
                        scopes: hello.scopes.clone(),
                    };
                    self.session.as_mut().unwrap().accept(rig.now, acceptance);
                }
                ServerEvent::Push(push) => self.take_push(rig, *push),
                ServerEvent::Pull(pull) => self.pulls.push(pull),
                ServerEvent::Need(need) => self.needs.push(need),
                ServerEvent::Supply(supply) => self.supplies.push(supply),
                ServerEvent::FetchReport { document } => self.fetches.push(document),
                ServerEvent::Digest(_) | ServerEvent::DigestDiff(_) => panic!("a tablet compares nothing"),
                ServerEvent::Failed(failure) => panic!("the session failed: {}", failure.sentence),
            }
        }
    }

    fn take_push(&mut self, rig: &Rig, push: DocumentPush) {
        let envelope = &push.envelope;
        let signed = statement::push(
            CLINIC,
            push.document,
            &push.heads,
            envelope.device,
            envelope.person,
            envelope.counter,
        );
        let key = SigningKey::from_bytes(&config(rig.number).signing_key).verifying_key();
        key.verify(&signed, &Signature::from_bytes(&envelope.signature)).unwrap();
        assert!(
            self.pushes.iter().all(|old| {
                (old.envelope.device, old.envelope.counter) != (envelope.device, envelope.counter)
            }),
            "a counter is never used twice"
        );
        self.pushes.push(push.clone());
        let session = self.session.as_mut().unwrap();
        if let Some((code, retry_after_ms)) = self.refuse {
            let refuse = Refuse {
                push_id: push.push_id,
                document: push.document,
                code,
                sentence: "the test says so".to_owned(),
                per_change: Vec::new(),
                retry_after_ms,
            };
            session.refuse_push(refuse).unwrap();
        } else if self.receipts {
            for change in &push.changes {
                self.have.insert(hash_of(change), push.clone());
            }
            self.seq += 1;
            let position = LogPosition {
                epoch: 1,
                epoch_id: self.epoch_id,
                seq: self.seq,
                chain: Digest::from_bytes([1; 32]),
            };
            let item =
                ReceiptItem { push_id: push.push_id, document: push.document, covers: push.heads.clone() };
            session.receipt(vec![item], position).unwrap();
        }
    }

    /// Everything pushed, as the feed brings it to others.
    pub(crate) fn feed(&self) -> Vec<FeedBody> {
        let changes = |push: &DocumentPush| FeedChanges {
            document: push.document,
            kind: push.kind,
            person: push.envelope.person,
            device: push.envelope.device,
            received_at: Timestamp::from_unix_ms(1_790_000_000_000),
            changes: push.changes.clone(),
            envelope: Some(push.envelope.clone()),
            heads: push.heads.clone(),
            verdict: b"signed verdict".to_vec(),
            origin: None,
            clock_ahead_ms: None,
        };
        self.pushes.iter().map(|push| FeedBody::Changes(changes(push))).collect()
    }

    pub(crate) fn page(&mut self, rig: &mut Rig, bodies: Vec<FeedBody>) {
        let mut entries = Vec::new();
        for body in bodies {
            self.seq += 1;
            entries.push(FeedEntry { seq: self.seq, body });
        }
        let pull = self.pulls.last().unwrap().pull;
        let next = Cursor { epoch: 1, epoch_id: self.epoch_id, seq: self.seq };
        self.session.as_mut().unwrap().page(Page { entries, next, more: false, pull, chain: None }).unwrap();
        self.talk(rig);
    }

    pub(crate) fn verdict(
        &mut self,
        rig: &mut Rig,
        hashes: Vec<ChangeHash>,
        outcome: Outcome,
        reason: ReasonCode,
    ) {
        self.seq += 1;
        let document = self.have.get(&hashes[0]).map_or(VISIT, |push| push.document);
        let sentence = format!("because of {reason}");
        let items = vec![VerdictItem { hashes, outcome, reason, sentence }];
        self.session.as_mut().unwrap().verdict(Verdict { document, items, seq: self.seq }).unwrap();
        self.talk(rig);
    }

    pub(crate) fn ask(&mut self, rig: &mut Rig, document: DocumentId, hashes: Vec<ChangeHash>) {
        self.session.as_mut().unwrap().need(Need { document, have: Vec::new(), hashes }).unwrap();
        self.talk(rig);
    }

    pub(crate) fn supply(&mut self, rig: &mut Rig, supply: Supply) {
        self.session.as_mut().unwrap().supply(supply).unwrap();
        self.talk(rig);
    }
}

pub(crate) fn hash_of(change: &[u8]) -> ChangeHash {
    prescan(change, &GateLimits::V1).unwrap().hash
}

pub(crate) fn hashes(push: &DocumentPush) -> Vec<ChangeHash> {
    push.changes.iter().map(|change| hash_of(change)).collect()
}
