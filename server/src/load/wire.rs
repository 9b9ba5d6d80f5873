//! A tablet's connection reduced to the wire: it proves itself, pushes what it is given and waits for the
//! answer, so that what is measured is the server's time and not a tablet's.

use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use chart::ids::{ChangeHash, ClinicId, DeviceId, DocumentId, PersonId, PushId};
use ed25519_dalek::{Signer, SigningKey};
use sync_protocol::message::{DocumentPush, Envelope, Hello, Message, Push};
use sync_protocol::{DocumentKind, codec, statement};
use tokio_tungstenite::tungstenite::{self, WebSocket};

use super::stage::text;
use crate::edge::now;
use crate::tablet::address::ServerAddress;
use crate::tablet::home::Home;

/// How long the server may take to say anything.
const PATIENCE: Duration = Duration::from_secs(60);

/// The connection.
pub(super) struct Wire {
    socket: WebSocket<TcpStream>,
    key: SigningKey,
    clinic: ClinicId,
    pub(super) device: DeviceId,
    pub(super) person: PersonId,
    counter: u64,
}

impl Wire {
    /// Connects an enrolled tablet and proves who it is.
    pub(super) fn connect(address: &ServerAddress, home: &Path, person: PersonId) -> Result<Self, String> {
        let identity = Home::new(home).identity().map_err(text)?;
        let host = address.http("");
        let stream = TcpStream::connect(host.trim_start_matches("http://")).map_err(text)?;
        stream.set_nodelay(true).map_err(text)?;
        stream.set_read_timeout(Some(PATIENCE)).map_err(text)?;
        let (mut socket, _) = tungstenite::client(address.websocket(), stream).map_err(text)?;
        let challenge = match read(&mut socket)? {
            Message::Challenge(challenge) => challenge,
            _ => return Err("the server gave no challenge".to_owned()),
        };
        let key = SigningKey::from_bytes(identity.signing_key.as_bytes());
        let (clinic, device) = (identity.clinic, identity.device);
        let signed = statement::hello(&challenge.nonce, clinic, device, 1, Some(person));
        let hello = Hello {
            version: 1,
            device,
            person: Some(person),
            proof: key.sign(&signed).to_bytes(),
            receipted: None,
            cursor: None,
            scopes: Vec::new(),
            features: Vec::new(),
            app: "load".to_owned(),
            device_time: now(),
            ask_verdicts: false,
        };
        send(&mut socket, &Message::Hello(Box::new(hello)))?;
        match read(&mut socket)? {
            Message::Welcome(_) => Ok(Self { socket, key, clinic, device, person, counter: 0 }),
            _ => Err("the server let a tablet not in".to_owned()),
        }
    }

    /// Pushes changes of one visit and waits for the receipt.
    pub(super) fn push(
        &mut self,
        document: DocumentId,
        head: ChangeHash,
        changes: Vec<Vec<u8>>,
    ) -> Result<(), String> {
        self.counter += 1;
        let (device, person, counter) = (self.device, self.person, self.counter);
        let signed = statement::push(self.clinic, document, &[head], device, person, counter);
        let mut push_id = [0; 16];
        push_id.iter_mut().zip(counter.to_le_bytes()).for_each(|(to, from)| *to = from);
        let push = DocumentPush {
            push_id: PushId::from_bytes(push_id),
            document,
            kind: DocumentKind::Visit,
            base_heads: Vec::new(),
            heads: vec![head],
            changes,
            envelope: Envelope { device, person, counter, signature: self.key.sign(&signed).to_bytes() },
            replaces: Vec::new(),
            part: 0,
            more: false,
        };
        let push = Message::Push(Push { documents: vec![push] });
        while let Some(wait) = self.answer(&push)? {
            std::thread::sleep(Duration::from_millis(wait));
        }
        Ok(())
    }

    /// Sends a push and waits for its receipt, or for how long to wait before it is sent again.
    fn answer(&mut self, push: &Message) -> Result<Option<u64>, String> {
        send(&mut self.socket, push)?;
        loop {
            match read(&mut self.socket)? {
                Message::Receipt(_) => return Ok(None),
                Message::Refuse(refuse) => match refuse.retry_after_ms {
                    Some(wait) => return Ok(Some(wait)),
                    None => return Err(refuse.sentence),
                },
                Message::Error(error) => return Err(error.sentence),
                _ => {}
            }
        }
    }
}

fn send(socket: &mut WebSocket<TcpStream>, message: &Message) -> Result<(), String> {
    let frame = codec::encode(message).map_err(text)?;
    socket.send(tungstenite::Message::Binary(frame.into())).map_err(text)
}

fn read(socket: &mut WebSocket<TcpStream>) -> Result<Message, String> {
    loop {
        if let tungstenite::Message::Binary(frame) = socket.read().map_err(text)? {
            return codec::decode(&frame).map_err(text);
        }
    }
}
