//! A real note of a clinic as the ground for attacks: begun by the rogue device itself with honest work.

use automerge::legacy::{OpId, OpType};
use automerge::{ActorId as Actor, Automerge, Change, ROOT, ReadDoc};
use chart::ids::{ActorId, CommandId, DocumentId};
use chart::time::Timestamp;
use serde_json::{Value, json};
use session_note::schema::{Kind, genesis_bytes};
use session_note::{Author, Issued, NoteDocument};
use sync_protocol::Outcome;

use super::attacks::{Ground, field, op};
use crate::kill::ward::Ward;
use crate::rogue::{Answer, Rogue};

const DOCUMENT: DocumentId = DocumentId::from_bytes([0x66; 16]);
const NOON: i64 = 1_773_748_800_000;

/// The note.
pub(crate) struct Victim {
    pub(crate) document: DocumentId,
    pub(crate) note: NoteDocument,
    /// The bytes of its sound change.
    pub(crate) sound: Vec<u8>,
}

impl Victim {
    /// Begins the note at the server.
    #[track_caller]
    pub(crate) fn make(rogue: &mut Rogue) -> Self {
        let mut note = NoteDocument::new(DOCUMENT, Kind::Visit);
        let actor = ActorId::from_bytes([0x55; 16]);
        let author = Author { person: rogue.person(), device: rogue.device(), actor };
        let commands = [
            json!({ "command": "open_visit", "facts": { "provider": rogue.person(), "date": "2026-03-17" } }),
            json!({ "command": "splice_text", "field": "subjective", "position": 0, "insert": "gait training" }),
            json!({ "command": "set_field", "field": "response", "value": "left" }),
            json!({ "command": "set_field", "field": "education", "value": "given" }),
        ];
        let issue = |(number, command): (u8, Value)| Issued {
            id: CommandId::from_bytes([number; 16]),
            command: serde_json::from_value(command).unwrap(),
        };
        let issued: Vec<Issued> = (1..).zip(commands).map(issue).collect();
        let (seen, at) = (note.heads(), Timestamp::from_unix_ms(NOON));
        let made = note.commit(&author, actor, at, &seen, &issued).unwrap();
        assert_eq!(rogue.offer(DOCUMENT, made.hash, made.bytes.clone()), Answer::Receipt);
        assert_eq!(rogue.fate_of(made.hash).outcome, Outcome::Admitted);
        Self { document: DOCUMENT, note, sound: made.bytes }
    }

    fn engine(&self) -> Automerge {
        let mut document = Automerge::new();
        let genesis = Change::from_bytes(genesis_bytes(Kind::Visit).to_vec()).unwrap();
        document.apply_changes([genesis, Change::from_bytes(self.sound.clone()).unwrap()]).unwrap();
        document
    }

    /// The first operation number that is free.
    fn start_op(&self) -> u64 {
        self.engine().get_changes(&[]).iter().map(Change::max_op).max().unwrap() + 1
    }

    /// Where attacks land, for the actor of this number: each attack is the first change of its actor.
    pub(crate) fn ground(&self, rogue: &Rogue, number: usize) -> Ground {
        let document = self.engine();
        let child = |parent: &automerge::ObjId, key: &str| document.get(parent, key).unwrap().unwrap().1;
        let name = |id: &automerge::ObjId| match id {
            automerge::ObjId::Id(counter, actor, _) => OpId(*counter, actor.clone()),
            automerge::ObjId::Root => panic!("the root has no name"),
        };
        let text = child(&child(&ROOT, "text"), "subjective");
        let letter = |at: usize| name(&document.get(&text, at).unwrap().unwrap().1);
        let map = child(&ROOT, "fields");
        let mut bytes = [0xa0; 16];
        bytes[0] = u8::try_from(number % 251).unwrap();
        let actor = Actor::from(bytes);
        let mut ground = Ground {
            heads: document.get_heads(),
            start_op: self.start_op(),
            actor,
            time: NOON + 60_000,
            first: Vec::new(),
            letter: letter(12),
            other_letter: letter(11),
            text: name(&text),
            value: name(&child(&map, "response")),
            other_value: name(&child(&map, "education")),
            map: name(&map),
            field: "response".to_owned(),
        };
        ground.first = vec![self.naming(rogue, &ground.actor)];
        ground
    }

    /// What an actor's first change begins with: whose it is.
    fn naming(&self, rogue: &Rogue, actor: &Actor) -> automerge::legacy::Op {
        let document = self.engine();
        let automerge::ObjId::Id(counter, maker, _) = document.get(ROOT, "actors").unwrap().unwrap().1 else {
            panic!("a note names its actors");
        };
        let who = format!("{} {}", rogue.person(), rogue.device());
        let actor = ActorId::from_bytes(actor.to_bytes().try_into().unwrap());
        let key = field(&actor.to_string());
        op(Some(&OpId(counter, maker)), key, OpType::Put(who.into()), &[])
    }

    /// The note as the server shows it.
    #[track_caller]
    pub(crate) fn on(&self, ward: &Ward) -> Value {
        ward.server_note(self.document).expect("the note is there")
    }
}
