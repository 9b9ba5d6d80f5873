//! Taking in what another clinic admitted: proven by its author's envelope and its origin's verdict, written
//! into this clinic's log as it came, never judged again.
//!
//! Work is durable first and merged second, as everywhere: its entry is written, and only when that is
//! durable the origin's verdict follows, with what follows from it for places and reports.

use std::collections::{BTreeMap, BTreeSet};

use chart::entropy::Entropy;
use chart::ids::{ActorId, ChangeHash, ClinicId, DeviceId, DocumentId, PatientId};
use chart::reference::Device;
use ed25519_dalek::{Signature, VerifyingKey};
use minicbor::bytes::ByteArray;
use session_note::admission::Submitted;
use session_note::admit::{Candidate, Limits};
use session_note::schema::Kind;
use store::StoreReader;
use sync_protocol::message::{Envelope, FeedChanges};
use sync_protocol::statement;

use crate::entry::{self, Head, Id, Verdict, Work};
use crate::hub::{After, Hub};
use crate::keys;
use crate::ledger::{Fate, WorkNote};
use crate::links::Import;
use crate::record::RecordError;
use crate::resident::{Resident, fate_of, submitted_of, work_note};
use crate::sites::{site_key, verdict_of};

/// Why a line to another clinic cannot go on. Nothing is lost: it begins again where it stood.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Trouble {
    #[error("it sent something that cannot be read")]
    Unreadable,
    #[error("it sent work of a clinic this one has not heard of")]
    OriginUnknown,
    #[error("it sent work of a tablet or person it has not told of")]
    AuthorUnknown,
    #[error("it sent work whose signature does not hold")]
    BadSignature,
    #[error("it sent work that does not fit what its verdict names")]
    Mismatch,
    #[error("it sent work of a clinic with which the patient was never shared")]
    NotShared,
    #[error("it sent changes without those they build on")]
    Incomplete,
    #[error("it does not send changes that it announced")]
    Withheld,
    #[error("the line was closed")]
    Closed,
    #[error(transparent)]
    Record(#[from] RecordError),
}

/// What became of a piece of another clinic's feed.
pub(crate) enum Taken {
    /// It is here, or on its way into the log.
    Done,
    /// It builds on changes that are not here.
    Lacks(BTreeSet<ChangeHash>),
    /// It is on its way into the log by another way; then there is more to say.
    Later,
}

impl Hub {
    /// Every change of a document, as often as the log holds it: for whoever checks that it is there once.
    ///
    /// # Errors
    /// When the record cannot be read.
    pub fn logged_changes(
        &self,
        reader: &dyn StoreReader,
        document: DocumentId,
    ) -> Result<Vec<ChangeHash>, crate::hub::HubError> {
        let mut found = Vec::new();
        self.record.each(reader, keys::document(&self.record.vault, document), 0, |opened| {
            if let Some(Head::Work(work)) = &opened.head {
                found.extend(entry::change_hashes(&work.hashes));
            }
            Ok(())
        })?;
        Ok(found)
    }

    /// Which of these changes are neither here nor on their way, and the heads that are here.
    pub(crate) fn lacking(
        &mut self,
        reader: &dyn StoreReader,
        document: DocumentId,
        hashes: &BTreeSet<ChangeHash>,
    ) -> Result<(Vec<ChangeHash>, Vec<ChangeHash>), Trouble> {
        let resident = self.residents.load(&mut self.record, reader, document, None)?;
        Ok(match resident {
            Some(resident) => {
                let lacks = |hash: &&ChangeHash| !resident.ledger.is_settled(hash);
                let missing = hashes.iter().filter(lacks).copied().collect();
                (missing, resident.note.heads().into_iter().collect())
            }
            None => (hashes.iter().copied().collect(), Vec::new()),
        })
    }

    /// Whether all of these changes are in the log or on their way into it.
    pub(crate) fn all_known(
        &mut self,
        reader: &dyn StoreReader,
        document: DocumentId,
        hashes: &BTreeSet<ChangeHash>,
    ) -> Result<bool, Trouble> {
        let resident = self.residents.load(&mut self.record, reader, document, None)?;
        Ok(resident.is_some_and(|resident| hashes.iter().all(|hash| resident.ledger.knows(hash))))
    }

    /// Whether a piece of the feed says that its origin admitted the work, under a signature that holds.
    pub(crate) fn is_admission(&self, changes: &FeedChanges) -> Result<bool, Trouble> {
        let (verdict, _) = verdict_of(changes).ok_or(Trouble::Unreadable)?;
        Ok(fate_of(verdict.outcome, verdict.reason) == Fate::Admitted)
    }

    pub(crate) fn origin_key(&self, origin: ClinicId) -> Result<VerifyingKey, Trouble> {
        if origin == self.config.clinic {
            return Ok(self.signer.verifying_key());
        }
        let peer = self.directory.peers.get(&origin).or_else(|| self.directory.introduced.get(&origin));
        peer.and_then(|peer| site_key(&peer.public_key)).ok_or(Trouble::OriginUnknown)
    }

    pub(crate) fn proven_verdict(
        &self,
        peer: ClinicId,
        changes: &FeedChanges,
    ) -> Result<(ClinicId, Verdict, BTreeSet<ChangeHash>), Trouble> {
        let origin = changes.origin.unwrap_or(peer);
        let (verdict, hashes) = verdict_of(changes).ok_or(Trouble::Unreadable)?;
        let signed = entry::verdict_statement(changes.document, &verdict);
        let signature = Signature::from_bytes(&verdict.signature);
        let holds = self.origin_key(origin)?.verify_strict(&signed, &signature).is_ok();
        if holds { Ok((origin, verdict, hashes)) } else { Err(Trouble::BadSignature) }
    }

    fn device_at(&self, origin: ClinicId, device: DeviceId) -> Option<&Device> {
        match origin == self.config.clinic {
            true => self.directory.devices.get(&device),
            false => self.directory.abroad.get(&origin)?.devices.get(&device),
        }
    }

    fn check_author(&self, origin: ClinicId, changes: &FeedChanges) -> Result<Envelope, Trouble> {
        let envelope = changes.envelope.clone().ok_or(Trouble::AuthorUnknown)?;
        let device = self.device_at(origin, envelope.device).ok_or(Trouble::AuthorUnknown)?;
        let key = site_key(&device.public_key).ok_or(Trouble::AuthorUnknown)?;
        let Envelope { device, person, counter, .. } = envelope;
        let signed = statement::push(origin, changes.document, &changes.heads, device, person, counter);
        let holds = key.verify_strict(&signed, &Signature::from_bytes(&envelope.signature)).is_ok();
        if holds { Ok(envelope) } else { Err(Trouble::BadSignature) }
    }

    /// Takes work that its origin admitted.
    pub(crate) fn take_changes(
        &mut self,
        entropy: &mut dyn Entropy,
        reader: &dyn StoreReader,
        peer: ClinicId,
        changes: &FeedChanges,
    ) -> Result<Taken, Trouble> {
        let (origin, verdict, hashes) = self.proven_verdict(peer, changes)?;
        if fate_of(verdict.outcome, verdict.reason) != Fate::Admitted {
            return Err(Trouble::Mismatch);
        }
        let kind = Hub::kind_of(changes.kind.number()).ok_or(Trouble::Unreadable)?;
        let envelope = self.check_author(origin, changes)?;
        let mut scanned = Vec::with_capacity(changes.changes.len());
        for bytes in &changes.changes {
            let candidate = Candidate::scan(bytes.clone(), &Limits::V1).map_err(|_| Trouble::Unreadable)?;
            scanned.push(Submitted { candidate, person: envelope.person, device: envelope.device });
        }
        let brought: BTreeSet<ChangeHash> = scanned.iter().map(hash_of).collect();
        if brought != hashes {
            return Err(Trouble::Mismatch);
        }
        let resident = self.residents.load(&mut self.record, reader, changes.document, Some(kind))?;
        let resident = resident.ok_or(RecordError::KeyMissing)?;
        if resident.note.kind() != kind {
            return Err(Trouble::Mismatch);
        }
        if hashes.iter().all(|hash| resident.ledger.knows(hash)) {
            return self.honour(reader, peer, changes);
        }
        if origin != self.config.clinic
            && let Some(patient) = patient_of(resident, &scanned)
            && !self.directory.may_write(origin, patient)
        {
            if resident.ledger.changes.is_empty() {
                self.residents.let_go(&[changes.document]);
            }
            return Err(Trouble::NotShared);
        }
        let ledger = &mut resident.ledger;
        let deps: BTreeSet<ChangeHash> = scanned
            .iter()
            .flat_map(|one| one.candidate.sketch().deps.iter().copied())
            .filter(|dep| !hashes.contains(dep))
            .collect();
        let missing: BTreeSet<ChangeHash> = deps.into_iter().filter(|dep| !ledger.is_settled(dep)).collect();
        if !missing.is_empty() {
            return Ok(Taken::Lacks(missing));
        }
        for one in &scanned {
            ledger.arrive(one.candidate.sketch());
            ledger.expect_verdict(&hash_of(one));
        }
        self.write_import(entropy, reader, kind, changes, origin, &envelope, verdict, scanned)?;
        Ok(Taken::Done)
    }

    /// The origin's verdict on work that is here already: this clinic's own, from before its record was put
    /// back, or another's whose verdict was not written before this server stopped.
    pub(crate) fn honour(
        &mut self,
        reader: &dyn StoreReader,
        peer: ClinicId,
        changes: &FeedChanges,
    ) -> Result<Taken, Trouble> {
        let (origin, verdict, hashes) = self.proven_verdict(peer, changes)?;
        let document = changes.document;
        let Some(resident) = self.residents.load(&mut self.record, reader, document, None)? else {
            return Ok(Taken::Done);
        };
        let mut by_work: BTreeMap<u64, BTreeSet<ChangeHash>> = BTreeMap::new();
        for hash in hashes.into_iter().filter(|hash| !resident.ledger.is_settled(hash)) {
            match resident.ledger.changes.get(&hash).and_then(|known| known.seq) {
                Some(seq) => _ = by_work.entry(seq).or_default().insert(hash),
                // It is on its way into the log at this moment.
                None => return Ok(Taken::Later),
            }
        }
        for (seq, hashes) in by_work {
            let Some(opened) = self.record.open(reader, seq)? else { continue };
            let Some(Head::Work(work)) = opened.head.clone() else { continue };
            let mut submitted = submitted_of(&mut self.record, reader, &opened, &work)?;
            submitted.retain(|one| hashes.contains(&hash_of(one)));
            let (note, received_at) = work_note(&work);
            if let Some(resident) = self.residents.get_mut(document) {
                hashes.iter().for_each(|hash| resident.ledger.expect_verdict(hash));
            }
            let hashes: Vec<ChangeHash> = hashes.into_iter().collect();
            self.lines.imports.push(Import {
                document,
                note,
                received_at,
                clock_ahead_ms: work.clock_ahead_ms,
                changes: submitted,
                honoured: hashes,
                verdict: Box::new(verdict.clone()),
                origin,
                seq,
            });
        }
        Ok(Taken::Done)
    }

    #[expect(clippy::too_many_arguments, reason = "one entry is made of all of these")]
    fn write_import(
        &mut self,
        entropy: &mut dyn Entropy,
        reader: &dyn StoreReader,
        kind: Kind,
        changes: &FeedChanges,
        origin: ClinicId,
        envelope: &Envelope,
        verdict: Verdict,
        scanned: Vec<Submitted>,
    ) -> Result<(), Trouble> {
        let document = changes.document;
        let (_, key_entry) = self.record.ensure_document_key(reader, entropy, document)?;
        if let Some(key_entry) = key_entry {
            self.push_entry(Some(document), key_entry, Vec::new());
        }
        let hashes: Vec<ChangeHash> = scanned.iter().map(hash_of).collect();
        let clock_ahead_ms = changes.clock_ahead_ms.unwrap_or(0);
        let head = Head::Work(Work {
            push: Id::from([0; 16]),
            kind: kind.number(),
            person: Id::from(*envelope.person.as_bytes()),
            device: Id::from(*envelope.device.as_bytes()),
            counter: envelope.counter,
            signature: ByteArray::from(envelope.signature),
            heads: entry::hashes(&changes.heads),
            received_at_ms: changes.received_at.unix_ms(),
            clock_ahead_ms,
            hashes: entry::hashes(&hashes),
            replaces: Vec::new(),
            carrier: None,
            origin: Some(Id::from(*origin.as_bytes())),
        });
        let vault = &self.record.vault;
        let mut names = vec![keys::document(vault, document)];
        let actors: BTreeSet<ActorId> = scanned.iter().map(|one| one.candidate.sketch().actor).collect();
        names.extend(actors.into_iter().map(|actor| keys::actor(vault, actor)));
        let body = entry::encode_changes(&changes.changes);
        let entry = self.record.seal(reader, entropy, document, names, &head, &body)?;
        let note = WorkNote {
            person: envelope.person,
            device: envelope.device,
            hashes,
            replaces: Vec::new(),
            origin: Some(origin),
        };
        let import = Import {
            document,
            received_at: changes.received_at,
            clock_ahead_ms,
            honoured: note.hashes.clone(),
            note,
            changes: scanned,
            verdict: Box::new(verdict),
            origin,
            seq: 0,
        };
        self.push_entry(Some(document), entry, vec![After::Imported(Box::new(import))]);
        Ok(())
    }
}

/// Whose note it is, or becomes with changes that can be merged at once.
fn patient_of(resident: &mut Resident, changes: &[Submitted]) -> Option<PatientId> {
    let known = resident.shown().patient;
    let own: BTreeSet<ChangeHash> = changes.iter().map(hash_of).collect();
    let mut deps = changes.iter().flat_map(|one| &one.candidate.sketch().deps);
    if known.is_some() || !deps.all(|dep| own.contains(dep) || resident.note.contains(dep)) {
        return known;
    }
    let mut begun = resident.clone();
    begun.apply_admitted(changes);
    begun.shown = None;
    begun.shown().patient
}

pub(crate) fn hash_of(one: &Submitted) -> ChangeHash {
    one.candidate.sketch().hash
}
