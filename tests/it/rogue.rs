//! A device that is enrolled, proves itself and signs correctly, and sends whatever a test gives it. What it
//! hears from the server it writes down. Real socket, real keys; only its honesty is missing.

use std::collections::BTreeMap;
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use chart::ids::{ChangeHash, DocumentId, PersonId, PushId};
use chart::time::Timestamp;
use ed25519_dalek::{Signer, SigningKey};
use gaitway::tablet::home::{Home, Identity};
use sync_protocol::message::{
    DocumentPush, Envelope, FeedBody, Hello, Message, Pull, Push, ScopeName, Verdict,
};
use sync_protocol::{DocumentKind, Outcome, Priority, ReasonCode, RefuseCode, codec, statement};
use tokio_tungstenite::tungstenite::{self, WebSocket};

use crate::support::PATIENCE;

/// What the server said to a push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Receipt,
    Refused(RefuseCode, String),
}

/// What became of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fate {
    pub(crate) outcome: Outcome,
    pub(crate) reason: ReasonCode,
    pub(crate) sentence: String,
}

/// The device, connected and let in.
pub(crate) struct Rogue {
    socket: WebSocket<TcpStream>,
    identity: Identity,
    person: PersonId,
    counter: u64,
    answers: BTreeMap<PushId, Answer>,
    pub(crate) fates: BTreeMap<ChangeHash, Fate>,
    /// The error the connection ended with, if it did.
    pub(crate) last_word: Option<String>,
}

fn now() -> Timestamp {
    let ms = std::time::UNIX_EPOCH.elapsed().unwrap().as_millis();
    Timestamp::from_unix_ms(i64::try_from(ms).unwrap())
}

/// Opens a WebSocket to the server and says nothing.
pub(crate) fn line_to(url: &str) -> WebSocket<TcpStream> {
    let address = url.trim_start_matches("http://").to_owned();
    let stream = TcpStream::connect(&address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(60))).unwrap();
    tungstenite::client(format!("ws://{address}/v1/sync"), stream).unwrap().0
}

impl Rogue {
    /// Connects the device of an enrolled directory.
    #[track_caller]
    pub(crate) fn connect(url: &str, dir: &Path, person: &str) -> Self {
        let identity = Home::new(dir).identity().map_err(|error| error.to_string()).unwrap();
        let person: PersonId = person.parse().unwrap();
        let mut socket = line_to(url);
        let challenge = match codec::decode(&socket.read().unwrap().into_data()) {
            Ok(Message::Challenge(challenge)) => challenge,
            other => panic!("no challenge: {other:?}"),
        };
        let key = SigningKey::from_bytes(identity.signing_key.as_bytes());
        let signed = statement::hello(&challenge.nonce, identity.clinic, identity.device, 1, Some(person));
        let hello = Hello {
            version: 1,
            device: identity.device,
            person: Some(person),
            proof: key.sign(&signed).to_bytes(),
            receipted: None,
            cursor: None,
            scopes: vec![ScopeName::Caseload(person)],
            features: Vec::new(),
            app: "rogue".to_owned(),
            device_time: now(),
            ask_verdicts: true,
        };
        let counter = u64::try_from(now().unix_ms()).unwrap();
        let (answers, fates) = (BTreeMap::new(), BTreeMap::new());
        let mut rogue = Self { socket, identity, person, counter, answers, fates, last_word: None };
        rogue.say(&Message::Hello(Box::new(hello)));
        let scopes = vec![ScopeName::Caseload(person)];
        rogue.say(&Message::Pull(Pull {
            cursor: None,
            scopes,
            priority: Priority::All,
            page_bytes: 256 << 10,
            live: true,
            pull: 1,
        }));
        rogue
    }

    pub(crate) const fn person(&self) -> PersonId {
        self.person
    }

    pub(crate) const fn device(&self) -> chart::ids::DeviceId {
        self.identity.device
    }

    /// The bare stream, for bytes that are no message.
    pub(crate) fn stream(&mut self) -> &mut TcpStream {
        self.socket.get_mut()
    }

    /// The socket, for what happens to it.
    pub(crate) fn into_socket(self) -> WebSocket<TcpStream> {
        self.socket
    }

    /// Sends a message; a connection that the server has ended takes none.
    pub(crate) fn say(&mut self, message: &Message) {
        let frame = codec::encode(message).unwrap();
        if let Err(error) = self.socket.send(tungstenite::Message::Binary(frame.into())) {
            self.last_word.get_or_insert_with(|| error.to_string());
        }
    }

    /// Signs and sends work; gives the push's name.
    pub(crate) fn push(
        &mut self,
        document: DocumentId,
        heads: Vec<ChangeHash>,
        changes: Vec<Vec<u8>>,
    ) -> PushId {
        self.counter += 1;
        let Identity { clinic, device, .. } = self.identity;
        let key = SigningKey::from_bytes(self.identity.signing_key.as_bytes());
        let signed = statement::push(clinic, document, &heads, device, self.person, self.counter);
        let mut push_id = [7u8; 16];
        push_id[..8].copy_from_slice(&self.counter.to_le_bytes());
        let push = DocumentPush {
            push_id: PushId::from_bytes(push_id),
            document,
            kind: DocumentKind::Visit,
            base_heads: Vec::new(),
            heads,
            changes,
            envelope: Envelope {
                device,
                person: self.person,
                counter: self.counter,
                signature: key.sign(&signed).to_bytes(),
            },
            replaces: Vec::new(),
            part: 0,
            more: false,
        };
        let push_id = push.push_id;
        self.say(&Message::Push(Push { documents: vec![push] }));
        push_id
    }

    /// Sends one change by itself, and waits for the server's answer.
    #[track_caller]
    pub(crate) fn offer(&mut self, document: DocumentId, hash: ChangeHash, change: Vec<u8>) -> Answer {
        let push_id = self.push(document, vec![hash], vec![change]);
        self.answer_to(push_id)
    }

    /// The answer to a push.
    #[track_caller]
    pub(crate) fn answer_to(&mut self, push_id: PushId) -> Answer {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(answer) = self.answers.remove(&push_id) {
                return answer;
            }
            assert!(Instant::now() < deadline, "a push was not answered");
            self.hear();
        }
    }

    /// What became of a change.
    #[track_caller]
    pub(crate) fn fate_of(&mut self, hash: ChangeHash) -> Fate {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(fate) = self.fates.get(&hash) {
                return fate.clone();
            }
            assert!(Instant::now() < deadline, "a change has no verdict");
            self.hear();
        }
    }

    /// Takes the next frame.
    #[track_caller]
    fn hear(&mut self) {
        let frame = match self.socket.read() {
            Ok(tungstenite::Message::Binary(frame)) => frame,
            Ok(_) => return,
            Err(error) => panic!("the server ended the connection: {error}, {:?}", self.last_word),
        };
        match codec::decode(&frame).unwrap() {
            Message::Receipt(receipt) => {
                for item in receipt.items {
                    self.answers.insert(item.push_id, Answer::Receipt);
                }
            }
            Message::Refuse(refuse) => {
                self.answers.insert(refuse.push_id, Answer::Refused(refuse.code, refuse.sentence));
            }
            Message::Verdict(verdict) => self.note(&verdict),
            Message::Page(page) => {
                for entry in page.entries {
                    if let FeedBody::Verdict(verdict) = entry.body {
                        self.note(&verdict);
                    }
                }
            }
            Message::Error(error) => self.last_word = Some(error.sentence),
            _ => {}
        }
    }

    fn note(&mut self, verdict: &Verdict) {
        for item in &verdict.items {
            for hash in &item.hashes {
                let (outcome, reason, sentence) = (item.outcome, item.reason, item.sentence.clone());
                self.fates.insert(*hash, Fate { outcome, reason, sentence });
            }
        }
    }
}
