//! The door: everything that is checked before work enters the log, and nothing that needs a document.
//!
//! Bounds, the author's signature, the binding of actors, the quota. What passes becomes one entry and is
//! receipted when that entry is durable; what does not is refused with a word for each change, and the
//! tablet keeps it.

use std::collections::BTreeSet;

use chart::entropy::Entropy;
use chart::ids::{ActorId, ChangeHash, DeviceId, DocumentId, PersonId};
use chart::time::Timestamp;
use ed25519_dalek::{Signature, VerifyingKey};
use minicbor::bytes::ByteArray;
use session_note::admission::Submitted;
use session_note::admit::{Candidate, ChangeSketch, DoorRefusal, Limits};
use session_note::schema::Kind;
use store::StoreReader;
use sync_protocol::message::{DocumentPush, Need, ReceiptItem, Refuse, RefusedChange};
use sync_protocol::{RefuseCode, statement};

use crate::entry::{self, Head, Id, Work};
use crate::fresh::FreshWork;
use crate::hub::{After, Arrived, ConnectionId, Hub};
use crate::keys;
use crate::limits::{
    LATER_MS, UNJUDGED_BYTES_PER_DEVICE_MAX, UNJUDGED_CHANGES_PER_DEVICE_MAX, UNJUDGED_WORKS_MAX,
};
use crate::record::{Opened, RecordError};

/// A refusal at the door.
struct Refusal {
    code: RefuseCode,
    sentence: String,
    per_change: Vec<RefusedChange>,
    retry_after_ms: Option<u64>,
}

impl Refusal {
    fn whole(code: RefuseCode, sentence: &str) -> Self {
        Self { code, sentence: sentence.to_owned(), per_change: Vec::new(), retry_after_ms: None }
    }
}

impl From<RecordError> for Refusal {
    fn from(_: RecordError) -> Self {
        let retry_after_ms = Some(LATER_MS);
        Self {
            retry_after_ms,
            ..Self::whole(RefuseCode::Internal, "the record could not be read; send it again")
        }
    }
}

impl Hub {
    pub(crate) fn take_push(
        &mut self,
        now: Timestamp,
        entropy: &mut dyn Entropy,
        reader: &dyn StoreReader,
        connection: ConnectionId,
        push: DocumentPush,
    ) {
        let (push_id, document) = (push.push_id, push.document);
        if let Err(refusal) = self.through_the_door(now, entropy, reader, connection, push) {
            self.metrics.refused += 1;
            let Refusal { code, sentence, per_change, retry_after_ms } = refusal;
            if let Some(connection) = self.connections.get_mut(&connection) {
                let refuse = Refuse { push_id, document, code, sentence, per_change, retry_after_ms };
                _ = connection.session.refuse_push(refuse);
            }
        }
    }

    fn through_the_door(
        &mut self,
        now: Timestamp,
        entropy: &mut dyn Entropy,
        reader: &dyn StoreReader,
        connection: ConnectionId,
        push: DocumentPush,
    ) -> Result<(), Refusal> {
        if self.read_only.is_some() {
            return Err(Refusal::whole(
                RefuseCode::ReadOnly,
                "the clinic's record cannot be written at the moment",
            ));
        }
        let kind = Hub::kind_of(push.kind.number()).ok_or_else(|| {
            Refusal::whole(RefuseCode::KindUnknown, "this kind of document is not known here")
        })?;
        self.check_envelope(&push)?;
        let candidates = scan(&push)?;
        let sketches: Vec<&ChangeSketch> = candidates.iter().map(Candidate::sketch).collect();
        check_heads(&push, &sketches)?;
        let resident = self.residents.load(&mut self.record, reader, push.document, Some(kind))?;
        let resident = resident
            .ok_or_else(|| Refusal::whole(RefuseCode::Internal, "the document could not be opened"))?;
        if resident.note.kind() != kind {
            return Err(Refusal::whole(RefuseCode::KindUnknown, "the document is of another kind"));
        }
        let fresh: Vec<bool> = sketches.iter().map(|sketch| !resident.ledger.knows(&sketch.hash)).collect();
        let covers = push.heads.clone();
        let item = ReceiptItem { push_id: push.push_id, document: push.document, covers };
        self.metrics.pushes += 1;
        if !fresh.contains(&true) {
            self.metrics.repeated_pushes += 1;
            self.push_after(After::Receipt { connection, item });
            self.note_carrier(connection, push.document, push.envelope.device);
            self.repeat_verdicts(reader, connection, &push)?;
            return Ok(());
        }
        self.check_quota(&push)?;
        let new_actors = self.check_actors(reader, &push, &sketches)?;
        let missing = self.note_arrival(reader, &push, &sketches, &fresh)?;
        self.write_work(now, entropy, reader, connection, kind, &push, candidates, new_actors)?;
        self.push_after(After::Receipt { connection, item });
        self.note_carrier(connection, push.document, push.envelope.device);
        if !missing.is_empty()
            && let Some(connection) = self.connections.get_mut(&connection)
        {
            let need =
                Need { document: push.document, have: Vec::new(), hashes: missing.into_iter().collect() };
            _ = connection.session.need(need);
        }
        Ok(())
    }

    /// The author is verified, not the carrier: a tablet may bring another's signed work.
    fn check_envelope(&self, push: &DocumentPush) -> Result<(), Refusal> {
        let envelope = &push.envelope;
        let unknown =
            || Refusal::whole(RefuseCode::AuthorUnknown, "the tablet or person of this work is not known");
        let device = self.directory.devices.get(&envelope.device).ok_or_else(unknown)?;
        self.directory.people.get(&envelope.person).ok_or_else(unknown)?;
        let key = chart::ids::Digest::parse(&device.public_key).map_err(|_| unknown())?;
        let key = VerifyingKey::from_bytes(key.as_bytes()).map_err(|_| unknown())?;
        let signed = statement::push(
            self.config.clinic,
            push.document,
            &push.heads,
            envelope.device,
            envelope.person,
            envelope.counter,
        );
        key.verify_strict(&signed, &Signature::from_bytes(&envelope.signature))
            .map_err(|_| Refusal::whole(RefuseCode::BadSignature, "the tablet's signature does not hold"))
    }

    fn check_quota(&self, push: &DocumentPush) -> Result<(), Refusal> {
        let waiting = self.backlog.get(&push.envelope.device).copied().unwrap_or_default();
        let over = waiting.bytes.saturating_add(push.cost_bytes()) > UNJUDGED_BYTES_PER_DEVICE_MAX
            || waiting.changes.saturating_add(push.changes.len()) > UNJUDGED_CHANGES_PER_DEVICE_MAX;
        if over || self.unjudged.len() >= UNJUDGED_WORKS_MAX {
            let later = "much work still waits to be judged; send it again later";
            return Err(Refusal {
                retry_after_ms: Some(LATER_MS),
                ..Refusal::whole(RefuseCode::Later, later)
            });
        }
        Ok(())
    }

    /// An actor belongs to the first (device, person, document) that used it in the log.
    fn check_actors(
        &mut self,
        reader: &dyn StoreReader,
        push: &DocumentPush,
        sketches: &[&ChangeSketch],
    ) -> Result<BTreeSet<ActorId>, Refusal> {
        let owner = (push.envelope.device, push.envelope.person, push.document);
        let mut new = BTreeSet::new();
        let mut taken = Vec::new();
        for actor in sketches.iter().map(|sketch| sketch.actor).collect::<BTreeSet<_>>() {
            match self.bound(reader, actor)? {
                Some(bound) if bound != owner => {
                    let of_actor = sketches.iter().filter(|sketch| sketch.actor == actor);
                    let refused = |sketch: &&ChangeSketch| RefusedChange {
                        hash: sketch.hash,
                        code: RefuseCode::NewActor,
                    };
                    taken.extend(of_actor.map(refused));
                }
                Some(_) => {}
                None => _ = new.insert(actor),
            }
        }
        if taken.is_empty() {
            self.binding.extend(new.iter().map(|actor| (*actor, owner)));
            return Ok(new);
        }
        let sentence = "the work speaks under a name that belongs to another tablet, person or note";
        Err(Refusal { per_change: taken, ..Refusal::whole(RefuseCode::NewActor, sentence) })
    }

    fn bound(
        &self,
        reader: &dyn StoreReader,
        actor: ActorId,
    ) -> Result<Option<(DeviceId, PersonId, DocumentId)>, RecordError> {
        if let Some(bound) = self.binding.get(&actor) {
            return Ok(Some(*bound));
        }
        let first = reader.find(keys::actor(&self.record.vault, actor), 0, 1)?;
        let Some(seq) = first.first().copied() else { return Ok(None) };
        match self.record.open(reader, seq)? {
            Some(Opened { document: Some(document), head: Some(Head::Work(work)), .. }) => {
                Ok(Some((DeviceId::from_bytes(*work.device), PersonId::from_bytes(*work.person), document)))
            }
            _ => Ok(None),
        }
    }

    fn note_arrival(
        &mut self,
        reader: &dyn StoreReader,
        push: &DocumentPush,
        sketches: &[&ChangeSketch],
        fresh: &[bool],
    ) -> Result<BTreeSet<ChangeHash>, Refusal> {
        let Some(resident) = self.residents.load(&mut self.record, reader, push.document, None)? else {
            return Ok(BTreeSet::new());
        };
        for sketch in sketches {
            resident.ledger.arrive(sketch);
        }
        self.metrics.changes += fresh.iter().filter(|fresh| **fresh).count() as u64;
        Ok(resident.ledger.missing(sketches.iter().flat_map(|sketch| &sketch.deps)))
    }

    #[expect(clippy::too_many_arguments, reason = "one entry is made of all of these")]
    fn write_work(
        &mut self,
        now: Timestamp,
        entropy: &mut dyn Entropy,
        reader: &dyn StoreReader,
        connection: ConnectionId,
        kind: Kind,
        push: &DocumentPush,
        candidates: Vec<Candidate>,
        new_actors: BTreeSet<ActorId>,
    ) -> Result<(), Refusal> {
        let (_, key_entry) = self.record.ensure_document_key(reader, entropy, push.document)?;
        if let Some(key_entry) = key_entry {
            self.push_entry(Some(push.document), key_entry, Vec::new());
        }
        let (carrier, clock_ahead_ms) = match self.connections.get(&connection) {
            Some(connection) => (connection.device, connection.clock_ahead_ms),
            None => (None, 0),
        };
        let carrier = carrier.filter(|device| *device != push.envelope.device);
        let hashes: Vec<ChangeHash> = candidates.iter().map(|one| one.sketch().hash).collect();
        let work = Work {
            push: Id::from(*push.push_id.as_bytes()),
            kind: kind.number(),
            person: Id::from(*push.envelope.person.as_bytes()),
            device: Id::from(*push.envelope.device.as_bytes()),
            counter: push.envelope.counter,
            signature: ByteArray::from(push.envelope.signature),
            heads: entry::hashes(&push.heads),
            received_at_ms: now.unix_ms(),
            clock_ahead_ms: if carrier.is_none() { clock_ahead_ms } else { 0 },
            hashes: entry::hashes(&hashes),
            replaces: entry::hashes(&push.replaces),
            carrier: carrier.map(|device| Id::from(*device.as_bytes())),
            origin: None,
        };
        let vault = &self.record.vault;
        let mut names = vec![keys::document(vault, push.document), keys::work(vault)];
        names.extend(new_actors.into_iter().map(|actor| keys::actor(vault, actor)));
        let body = entry::encode_changes(&push.changes);
        let head = Head::Work(work.clone());
        let entry = self.record.seal(reader, entropy, push.document, names, &head, &body)?;
        let backlog = self.backlog.entry(push.envelope.device).or_default();
        backlog.bytes = backlog.bytes.saturating_add(push.cost_bytes());
        backlog.changes = backlog.changes.saturating_add(push.changes.len());
        let (person, device) = (push.envelope.person, push.envelope.device);
        let changes = candidates.into_iter().map(|candidate| Submitted { candidate, person, device });
        let work = FreshWork { head: work, changes: changes.collect() };
        let work = Arrived { document: push.document, work, cost_bytes: push.cost_bytes() };
        self.push_entry(Some(push.document), entry, vec![After::Work { connection, work: Box::new(work) }]);
        Ok(())
    }
}

fn scan(push: &DocumentPush) -> Result<Vec<Candidate>, Refusal> {
    let mut candidates = Vec::with_capacity(push.changes.len());
    let mut refused = Vec::new();
    let mut first: Option<DoorRefusal> = None;
    for bytes in &push.changes {
        match Candidate::scan(bytes.clone(), &Limits::V1) {
            Ok(candidate) => candidates.push(candidate),
            Err(refusal) => {
                // The hash of bytes that are no change is only a name for the answer.
                let hash = ChangeHash::from_bytes(*blake3::hash(bytes).as_bytes());
                refused.push(RefusedChange { hash, code: wire_code(&refusal) });
                first.get_or_insert(refusal);
            }
        }
    }
    match first {
        None if candidates.is_empty() => {
            Err(Refusal::whole(RefuseCode::ChangeMalformed, "the push holds no change"))
        }
        None => Ok(candidates),
        Some(refusal) => {
            Err(Refusal { per_change: refused, ..Refusal::whole(wire_code(&refusal), &refusal.to_string()) })
        }
    }
}

fn wire_code(refusal: &DoorRefusal) -> RefuseCode {
    match refusal {
        DoorRefusal::TooLarge { .. } => RefuseCode::ChangeTooLarge,
        DoorRefusal::TooManyOps(_) => RefuseCode::TooManyOperations,
        DoorRefusal::WrongKind(_) => RefuseCode::ChangeNotPlain,
        _ => RefuseCode::ChangeMalformed,
    }
}

/// The signed heads are exactly the changes of this push that no other change of it builds on.
fn check_heads(push: &DocumentPush, sketches: &[&ChangeSketch]) -> Result<(), Refusal> {
    let built_on: BTreeSet<ChangeHash> =
        sketches.iter().flat_map(|sketch| sketch.deps.iter().copied()).collect();
    let heads: BTreeSet<ChangeHash> =
        sketches.iter().map(|sketch| sketch.hash).filter(|hash| !built_on.contains(hash)).collect();
    let signed: BTreeSet<ChangeHash> = push.heads.iter().copied().collect();
    if heads == signed {
        return Ok(());
    }
    Err(Refusal::whole(RefuseCode::HeadsMismatch, "the signed heads are not those of the work"))
}
