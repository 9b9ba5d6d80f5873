//! Another clinic as a reader: who it is, what it is let see, and how that travels.
//!
//! What this clinic received itself travels whole. What it has from elsewhere is only announced, by its
//! hashes and its origin's signed verdict: the reader asks for what it lacks. So nothing travels in circles,
//! no body travels twice, and a clinic that lost its record is offered its own work again.

use std::collections::BTreeSet;

use chart::entropy::Entropy;
use chart::ids::{ClinicId, DeviceId, Digest, DocumentId, PersonId};
use chart::reference::{Reference, Scope};
use chart::time::Timestamp;
use ed25519_dalek::{Signature, Signer, VerifyingKey};
use store::StoreReader;
use sync_protocol::message::{
    FeedBody, FeedChanges, FeedReference, Hello, ScopeChange, ScopeDocument, ScopeName, Word,
};
use sync_protocol::{Acceptance, DocumentKind, ErrorCode, ReferenceKind};

use crate::digests;
use crate::entry::{self, Head, Places, ReferenceHead, Verdict, Work, Written};
use crate::feed::envelope_of;
use crate::hub::{ConnectionId, Hub, set_of};
use crate::keys;
use crate::ledger::Fate;
use crate::limits::CONNECTIONS_PER_DEVICE_MAX;
use crate::record::{Opened, RecordError};
use crate::resident::fate_of;

/// The name under which a clinic's site greets, where a tablet says its device.
pub(crate) fn device_of(clinic: ClinicId) -> DeviceId {
    DeviceId::from_bytes(*clinic.as_bytes())
}

/// The key a clinic's site proves itself and signs with.
pub(crate) fn site_key(text: &str) -> Option<VerifyingKey> {
    let key = Digest::parse(text).ok()?;
    VerifyingKey::from_bytes(key.as_bytes()).ok()
}

impl Hub {
    /// The paired clinic a greeting claims to come from.
    pub(crate) fn greeting_site(&self, hello: &Hello) -> Option<ClinicId> {
        let clinic = ClinicId::from_bytes(*hello.device.as_bytes());
        self.directory.peers.contains_key(&clinic).then_some(clinic)
    }

    pub(crate) fn greet_site(
        &mut self,
        now: Timestamp,
        entropy: &mut dyn Entropy,
        reader: &dyn StoreReader,
        connection: ConnectionId,
        (clinic, hello): (ClinicId, &Hello),
        statement: &[u8],
    ) {
        let Some(peer) = self.directory.peer(clinic) else {
            let sentence = "this clinic is not paired with yours any more";
            return self.turn_away(connection, ErrorCode::DeviceRevoked, sentence);
        };
        let proven = site_key(&peer.public_key)
            .is_some_and(|key| key.verify_strict(statement, &Signature::from_bytes(&hello.proof)).is_ok());
        if !proven {
            return self.turn_away(connection, ErrorCode::ProofRefused, "the clinic's proof does not hold");
        }
        let Ok(standing) = self.standing(entropy, reader, hello) else {
            let sentence = "the clinic's record could not be read; please try again";
            return self.turn_away(connection, ErrorCode::Internal, sentence);
        };
        let same = |other: &crate::connection::Connection| other.site == Some(clinic);
        if let Some(oldest) =
            crate::connection::one_too_many(&self.connections, CONNECTIONS_PER_DEVICE_MAX - 1, same)
        {
            self.turn_away(oldest, ErrorCode::Busy, "this clinic has opened newer connections");
        }
        let known = |feature: &String| hello.features.contains(feature);
        let offered = digests::features().into_iter().filter(known).collect();
        let acceptance = Acceptance {
            tip: self.position(),
            standing,
            backup_covers_through: None,
            features: offered,
            scopes: vec![ScopeName::Site(clinic)],
        };
        let vault = &self.record.vault;
        let follows = vec![keys::references(vault), keys::scope(vault, Scope::Site(clinic))];
        if let Some(state) = self.connections.get_mut(&connection) {
            state.device = Some(hello.device);
            state.site = Some(clinic);
            state.clock_ahead_ms = hello.device_time.since_ms(now);
            state.scopes = BTreeSet::from([Scope::Site(clinic)]);
            state.follows = follows;
            state.session.accept(now, acceptance);
        }
        // What came over the line beside it may be taken from here on.
        self.take_inboxes(entropy, reader);
    }

    /// An entry of the feed as another clinic gets it.
    pub(crate) fn body_for_site(
        &mut self,
        reader: &dyn StoreReader,
        opened: &Opened,
        clinic: ClinicId,
    ) -> Result<Option<FeedBody>, RecordError> {
        if let Some(document) = opened.document
            && !self.is_told(reader, document, clinic)?
        {
            // It is shared with that clinic no more: what could be asked for would not be given.
            return Ok(None);
        }
        match (&opened.head, opened.document) {
            (Some(Head::Verdict(verdict)), Some(document)) => {
                self.verdict_for_site(reader, document, verdict).map(Some)
            }
            (Some(Head::Places(places)), Some(document)) => {
                self.entered_site(reader, document, places, clinic)
            }
            (Some(Head::Reference(head)), None) => self.reference_for_site(reader, opened, head, clinic),
            _ => Ok(None),
        }
    }

    /// Whether a clinic is told of a document: it holds it, or keeps the file of its patient and did hold it.
    pub(crate) fn is_told(
        &mut self,
        reader: &dyn StoreReader,
        document: DocumentId,
        clinic: ClinicId,
    ) -> Result<bool, RecordError> {
        if self.residents.get_mut(document).is_none() {
            // Where it was last placed stands in a head; the note itself need not be read for that.
            let mut placed = false;
            self.record.each(reader, keys::document(&self.record.vault, document), 0, |opened| {
                if let Some(Head::Places(places)) = opened.head {
                    let mut sites = places.sites.iter().flatten();
                    placed = sites.any(|site| *site.as_slice() == *clinic.as_bytes());
                }
                Ok(())
            })?;
            if placed {
                return Ok(true);
            }
        }
        let Some(resident) = self.residents.load(&mut self.record, reader, document, None)? else {
            return Ok(false);
        };
        if resident.ledger.sites.contains(&clinic) {
            return Ok(true);
        }
        let patient = resident.shown().patient;
        let ledger = resident.ledger.clone();
        Ok(self.still_told(&ledger, patient) == Some(clinic))
    }

    fn verdict_for_site(
        &mut self,
        reader: &dyn StoreReader,
        document: DocumentId,
        verdict: &Verdict,
    ) -> Result<FeedBody, RecordError> {
        let opened = match verdict.work {
            0 => None,
            work => self.record.open(reader, work)?,
        };
        let work = match opened.as_ref().and_then(|opened| opened.head.clone()) {
            Some(Head::Work(work)) => Some(work),
            _ => None,
        };
        let admitted = fate_of(verdict.outcome, verdict.reason) == Fate::Admitted;
        Ok(FeedBody::Changes(match (opened, work) {
            (Some(opened), Some(work)) if admitted && work.origin.is_none() => {
                let whole = self.changes_body(reader, &opened, document, &work, verdict)?;
                FeedChanges { clock_ahead_ms: Some(work.clock_ahead_ms), ..whole }
            }
            (_, work) => announced(document, work.as_ref(), verdict),
        }))
    }

    fn entered_site(
        &mut self,
        reader: &dyn StoreReader,
        document: DocumentId,
        places: &Places,
        clinic: ClinicId,
    ) -> Result<Option<FeedBody>, RecordError> {
        let mut entered = places.sites_entered.iter().flatten();
        // The first verdict itself lies in the feed of those who hold the note from the start.
        if places.first || !entered.any(|id| *id.as_slice() == *clinic.as_bytes()) {
            return Ok(None);
        }
        let mut heads = self.admitted_heads(reader, document)?;
        if self.overruled.contains_key(&document)
            && let Some(resident) = self.residents.load(&mut self.record, reader, document, None)?
        {
            // With what is overruled, so that it draws the same conclusion.
            heads = resident.ledger.admitted_heads().into_iter().collect();
        }
        let documents = vec![ScopeDocument { document, heads }];
        Ok(Some(FeedBody::Entered(ScopeChange { scope: ScopeName::Site(clinic), documents })))
    }

    fn reference_for_site(
        &mut self,
        reader: &dyn StoreReader,
        opened: &Opened,
        head: &ReferenceHead,
        clinic: ClinicId,
    ) -> Result<Option<FeedBody>, RecordError> {
        let origin = head.origin.map(|origin| ClinicId::from_bytes(*origin));
        let body = self.record.body(reader, opened)?;
        // A clinic is told its own words too: it may have lost them.
        let travels = serde_json::from_slice(&body).is_ok_and(|reference| self.travels(&reference, clinic));
        if !travels {
            return Ok(None);
        }
        let word = match (origin, head.written) {
            (None, _) => Some(self.own_word(reader, opened.seq, &body)),
            (Some(_), Some(Written { epoch, seq, signature })) => {
                Some(Word { epoch, seq, signature: *signature })
            }
            // Nobody would believe it.
            (Some(_), None) => return Ok(None),
        };
        let kind = ReferenceKind::from_number(head.kind);
        let reference = FeedReference { kind, id: head.id.to_vec(), body: Some(body), origin, word };
        Ok(Some(FeedBody::Reference(reference)))
    }

    /// This clinic's word for what it wrote at a place of its record.
    fn own_word(&self, reader: &dyn StoreReader, seq: u64, body: &[u8]) -> Word {
        let epoch = epoch_of(reader, seq);
        let statement = sync_protocol::statement::reference(self.config.clinic, epoch, seq, body);
        Word { epoch, seq, signature: self.signer.sign(&statement).to_bytes() }
    }

    /// Whether another clinic is told a piece of reference data. Of patients it is told what it shares.
    fn travels(&self, reference: &Reference, clinic: ClinicId) -> bool {
        let shares = |patient| self.directory.sites_of(self.config.clinic, Some(patient)).contains(&clinic);
        match reference {
            Reference::Person(_)
            | Reference::Device(_)
            | Reference::Settings(_)
            | Reference::Peer(_)
            | Reference::DayClosed(_) => true,
            Reference::Sharing(sharing) => {
                sharing.home == self.config.clinic || sharing.ever().any(|known| known == clinic)
            }
            // The file is told by the clinic that keeps it.
            Reference::Patient(patient) => shares(patient.id),
            Reference::Appointment(_) | Reference::Claim(_) | Reference::Transfer(_) => false,
        }
    }
}

/// The epoch in which an entry was written.
pub(crate) fn epoch_of(reader: &dyn StoreReader, seq: u64) -> u32 {
    let begun = reader.epochs().into_iter().filter(|start| start.parent_seq < seq);
    begun.map(|start| start.epoch).max().unwrap_or_else(|| reader.tip().epoch)
}

/// A verdict without the work: its reader asks for what it lacks.
fn announced(document: DocumentId, work: Option<&Work>, verdict: &Verdict) -> FeedChanges {
    let id = |id: Option<entry::Id>| id.map_or([0; 16], |id| *id);
    FeedChanges {
        document,
        kind: DocumentKind::from_number(work.map_or(0, |work| u16::from(work.kind))),
        person: PersonId::from_bytes(id(work.map(|work| work.person))),
        device: DeviceId::from_bytes(id(work.map(|work| work.device))),
        received_at: Timestamp::from_unix_ms(work.map_or(0, |work| work.received_at_ms)),
        changes: Vec::new(),
        envelope: work.map(envelope_of),
        heads: work.map(|work| entry::change_hashes(&work.heads)).unwrap_or_default(),
        verdict: minicbor::to_vec(entry::at_origin(verdict)).unwrap_or_default(),
        origin: verdict.origin.map(|origin| ClinicId::from_bytes(*origin.clinic)),
        clock_ahead_ms: None,
    }
}

/// The verdict of a piece of the feed and the changes it is about.
pub(crate) fn verdict_of(changes: &FeedChanges) -> Option<(Verdict, BTreeSet<chart::ids::ChangeHash>)> {
    let verdict: Verdict = minicbor::decode(&changes.verdict).ok()?;
    let hashes = set_of(&entry::change_hashes(&verdict.hashes));
    Some((verdict, hashes))
}
