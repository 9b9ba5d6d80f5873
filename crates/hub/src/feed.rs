//! The feed: what a tablet's scopes have brought since its cursor, in log order, page by page.
//!
//! A change's place is that of the verdict that admitted it. A page carries the bytes as they were
//! received, with the author's envelope and the signed verdict; it is built only from durable entries,
//! and only for a reader that keeps up.

use std::collections::BTreeSet;

use chart::ids::{ChangeHash, ClinicId, DeviceId, Digest, DocumentId, PersonId};
use chart::reference::Scope;
use chart::time::Timestamp;
use store::StoreReader;
use sync_protocol::message::{
    Cursor, Envelope, FeedBody, FeedChanges, FeedEntry, FeedReference, FeedReport, LogPosition, Page, Pull,
    ScopeChange, ScopeDocument, ScopeName, Verdict as WireVerdict, VerdictItem,
};
use sync_protocol::{DocumentKind, Outcome as WireOutcome, ReasonCode, ReferenceKind};

use crate::carried::decided;
use crate::connection::Following;
use crate::entry::{self, Head, Marker, Places, Verdict, Work};
use crate::hub::{ConnectionId, Hub, set_of};
use crate::keys;
use crate::ledger::Fate;
use crate::limits::{INLINE_REPORT_BYTES_MAX, PAGE_BYTES_MAX, PAGE_SEQS_MAX};
use crate::record::{Opened, RecordError};
use crate::resident::fate_of;

/// For whom a page is made.
struct Reading {
    device: DeviceId,
    site: Option<ClinicId>,
    scopes: BTreeSet<Scope>,
    brought: BTreeSet<u64>,
}

impl Hub {
    pub(crate) fn take_pull(&mut self, reader: &dyn StoreReader, connection: ConnectionId, pull: &Pull) {
        let tip = self.tip;
        let Some(connection_state) = self.connections.get_mut(&connection) else { return };
        // A cursor of another branch, or from beyond its end, starts over: pages repeat, nothing is missed.
        let after = pull.cursor.as_ref().filter(|cursor| on_this_branch(reader, cursor, tip.seq));
        let after = after.map_or(0, |cursor| cursor.seq);
        let page_bytes =
            usize::try_from(pull.page_bytes).unwrap_or(PAGE_BYTES_MAX).clamp(1_024, PAGE_BYTES_MAX);
        connection_state.pull =
            Some(Following { number: pull.pull, after, page_bytes, live: pull.live, answered: false });
        self.woken.insert(connection);
    }

    /// Sends what the woken connections have coming, as far as each keeps up.
    pub(crate) fn pump(&mut self, reader: &dyn StoreReader) {
        for id in std::mem::take(&mut self.woken) {
            while let Some(connection) = self.connections.get(&id) {
                let Some(following) = connection.pull else { break };
                if !connection.session.writable() {
                    self.woken.insert(id);
                    break;
                }
                let for_clinic = connection.site.is_some();
                let Ok((entries, next, more)) = self.page(reader, id, following) else { break };
                if entries.is_empty() && !more && following.answered {
                    if let Some(connection) = self.connections.get_mut(&id)
                        && let Some(following) = &mut connection.pull
                    {
                        following.after = next;
                    }
                    break;
                }
                let cursor = Cursor { epoch: self.tip.epoch, epoch_id: self.tip.epoch_id, seq: next };
                let at = if for_clinic { reader.entry(next).ok().flatten() } else { None };
                let chain = at.map(|entry| Digest::from_bytes(entry.chain.0));
                let page = Page { entries, next: cursor, more, pull: following.number, chain };
                let Some(connection) = self.connections.get_mut(&id) else { break };
                if connection.session.page(page).is_err() {
                    break;
                }
                connection.pull = (more || following.live).then_some(Following {
                    after: next,
                    answered: true,
                    ..following
                });
                if !more {
                    break;
                }
            }
        }
    }

    /// The next page after a cursor: entries, where it ends, and whether more is there.
    fn page(
        &mut self,
        reader: &dyn StoreReader,
        connection: ConnectionId,
        following: Following,
    ) -> Result<(Vec<FeedEntry>, u64, bool), RecordError> {
        let Some(state) = self.connections.get(&connection) else {
            return Ok((Vec::new(), following.after, false));
        };
        let Some(device) = state.device else { return Ok((Vec::new(), following.after, false)) };
        let reading = Reading {
            device,
            site: state.site,
            scopes: state.scopes.clone(),
            brought: state.brought.clone(),
        };
        let mut seqs: BTreeSet<u64> = BTreeSet::new();
        // Where a key has more than fits, later entries of other keys must wait for it.
        let mut until = u64::MAX;
        for key in state.follows.clone() {
            let found = reader.find(key, following.after, PAGE_SEQS_MAX)?;
            if found.len() == PAGE_SEQS_MAX {
                until = until.min(found.last().copied().unwrap_or(u64::MAX));
            }
            seqs.extend(found);
        }
        let mut more = until != u64::MAX;
        let mut entries = Vec::new();
        let mut bytes = 0usize;
        let mut next = following.after;
        for seq in seqs.range(..=until).copied().collect::<Vec<_>>() {
            if let Some(body) = self.body_of(reader, seq, &reading)? {
                let size = size_of_body(&body);
                if !entries.is_empty() && bytes.saturating_add(size) > following.page_bytes {
                    more = true;
                    return Ok((entries, next, more));
                }
                bytes = bytes.saturating_add(size);
                entries.push(FeedEntry { seq, body });
            }
            next = seq;
        }
        if !more {
            next = next.max(self.tip.seq);
        }
        Ok((entries, next, more))
    }

    fn body_of(
        &mut self,
        reader: &dyn StoreReader,
        seq: u64,
        reading: &Reading,
    ) -> Result<Option<FeedBody>, RecordError> {
        let Some(opened) = self.record.open(reader, seq)? else { return Ok(None) };
        if let Some(clinic) = reading.site {
            return self.body_for_site(reader, &opened, clinic);
        }
        match (&opened.head, opened.document) {
            (Some(Head::Verdict(verdict)), Some(document)) => {
                self.verdict_body(reader, seq, document, verdict, reading)
            }
            (Some(Head::Places(places)), Some(document)) => {
                self.places_body(reader, document, places, reading)
            }
            (Some(Head::Marker(marker)), Some(document)) => self.report_body(reader, seq, document, marker),
            (Some(Head::Reference(reference)), None) => {
                let kind = ReferenceKind::from_number(reference.kind);
                let id = reference.id.to_vec();
                let body = Some(self.record.body(reader, &opened)?);
                Ok(Some(FeedBody::Reference(FeedReference { kind, id, body, origin: None, word: None })))
            }
            _ => Ok(None),
        }
    }

    fn verdict_body(
        &mut self,
        reader: &dyn StoreReader,
        seq: u64,
        document: DocumentId,
        verdict: &Verdict,
        reading: &Reading,
    ) -> Result<Option<FeedBody>, RecordError> {
        let Some(opened) = self.record.open(reader, verdict.work)? else { return Ok(None) };
        let Some(Head::Work(work)) = opened.head.clone() else { return Ok(None) };
        let own = DeviceId::from_bytes(*work.device) == reading.device;
        let admitted = fate_of(verdict.outcome, verdict.reason) == Fate::Admitted;
        if own && !admitted {
            return Ok(Some(FeedBody::Verdict(wire_verdict(document, seq, verdict))));
        }
        if own && reading.brought.contains(&verdict.work) {
            let part = self.standing_part(document, verdict);
            return Ok(part.map(|part| FeedBody::Verdict(wire_verdict(document, seq, &part))));
        }
        if !admitted {
            // It was admitted once, in a record that was put back: whoever was sent it then takes it out.
            let rejected = matches!(fate_of(verdict.outcome, verdict.reason), Fate::Rejected(_));
            return Ok(rejected.then(|| FeedBody::Verdict(wire_verdict(document, seq, verdict))));
        }
        self.standing_body(reader, &opened, document, &work, verdict).map(|body| body.map(FeedBody::Changes))
    }

    /// What a tablet is sent of a piece of work: what is part of the note.
    pub(crate) fn standing_body(
        &mut self,
        reader: &dyn StoreReader,
        opened: &Opened,
        document: DocumentId,
        work: &Work,
        verdict: &Verdict,
    ) -> Result<Option<FeedChanges>, RecordError> {
        let Some(part) = self.standing_part(document, verdict) else { return Ok(None) };
        let mut body = self.changes_body(reader, opened, document, work, &part)?;
        // The proof is of all that was admitted.
        body.verdict = minicbor::to_vec(entry::at_origin(verdict)).unwrap_or_default();
        Ok(Some(body))
    }

    /// The admitted changes of one piece of work, as they travel.
    pub(crate) fn changes_body(
        &mut self,
        reader: &dyn StoreReader,
        opened: &Opened,
        document: DocumentId,
        work: &Work,
        verdict: &Verdict,
    ) -> Result<FeedChanges, RecordError> {
        let all = entry::decode_changes(&self.record.body(reader, opened)?)?;
        let hashes = entry::change_hashes(&work.hashes);
        let admitted = set_of(&entry::change_hashes(&verdict.hashes));
        let changes = hashes
            .iter()
            .zip(all)
            .filter(|(hash, _)| admitted.contains(hash))
            .map(|(_, change)| change)
            .collect();
        Ok(FeedChanges {
            document,
            kind: DocumentKind::from_number(u16::from(work.kind)),
            person: PersonId::from_bytes(*work.person),
            device: DeviceId::from_bytes(*work.device),
            received_at: Timestamp::from_unix_ms(work.received_at_ms),
            changes,
            envelope: Some(envelope_of(work)),
            heads: entry::change_hashes(&work.heads),
            verdict: minicbor::to_vec(entry::at_origin(verdict)).unwrap_or_default(),
            origin: work.origin.map(|clinic| ClinicId::from_bytes(*clinic)),
            clock_ahead_ms: None,
        })
    }

    fn places_body(
        &mut self,
        reader: &dyn StoreReader,
        document: DocumentId,
        places: &Places,
        reading: &Reading,
    ) -> Result<Option<FeedBody>, RecordError> {
        if reading.scopes.contains(&Scope::Clinic) {
            return Ok(None);
        }
        let mine = |ids: &[entry::Id]| {
            ids.iter()
                .map(|id| PersonId::from_bytes(**id))
                .find(|person| reading.scopes.contains(&Scope::Caseload(*person)))
        };
        let stays = mine(&places.caseloads);
        if let Some(person) = mine(&places.entered) {
            let heads = self.admitted_heads(reader, document)?;
            let documents = vec![ScopeDocument { document, heads }];
            let scope = ScopeName::Caseload(person);
            return Ok(Some(FeedBody::Entered(ScopeChange { scope, documents })));
        }
        match (mine(&places.left), stays) {
            (Some(person), None) => {
                let documents = vec![ScopeDocument { document, heads: Vec::new() }];
                let scope = ScopeName::Caseload(person);
                Ok(Some(FeedBody::Left(ScopeChange { scope, documents })))
            }
            _ => Ok(None),
        }
    }

    pub(crate) fn admitted_heads(
        &mut self,
        reader: &dyn StoreReader,
        document: DocumentId,
    ) -> Result<Vec<ChangeHash>, RecordError> {
        let resident = self.residents.load(&mut self.record, reader, document, None)?;
        Ok(resident.map(|resident| resident.note.heads().into_iter().collect()).unwrap_or_default())
    }

    fn report_body(
        &mut self,
        reader: &dyn StoreReader,
        seq: u64,
        document: DocumentId,
        marker: &Marker,
    ) -> Result<Option<FeedBody>, RecordError> {
        // Only the newest report of a note is worth sending.
        let newest = reader.find_last(keys::marker(&self.record.vault, document), u64::MAX)?;
        if newest != Some(seq) {
            return Ok(None);
        }
        let body = self.published_body(reader, document, marker)?;
        let body = body.filter(|body| body.len() <= INLINE_REPORT_BYTES_MAX);
        Ok(Some(FeedBody::Report(FeedReport { document, digest: entry::digest(marker.digest), body })))
    }

    /// The body a marker names: kept, or computed again.
    pub(crate) fn published_body(
        &mut self,
        reader: &dyn StoreReader,
        document: DocumentId,
        marker: &Marker,
    ) -> Result<Option<Vec<u8>>, RecordError> {
        let is_it = |body: &Vec<u8>| *session_note::sign::digest_bytes(body).as_bytes() == *marker.digest;
        let name = keys::report(&self.record.vault, document);
        if let Some(body) = self.record.open_kept(reader, document, name).filter(is_it) {
            return Ok(Some(body));
        }
        let Some(facts) = self.facts_of(reader, document)? else { return Ok(None) };
        let body = serde_json::to_vec(&self.compute(&facts)).ok();
        Ok(body.filter(is_it))
    }

    /// What was decided before about work that came again.
    pub(crate) fn repeat_verdicts(
        &mut self,
        reader: &dyn StoreReader,
        connection: ConnectionId,
        push: &sync_protocol::message::DocumentPush,
    ) -> Result<(), RecordError> {
        let Some(resident) = self.residents.load(&mut self.record, reader, push.document, None)? else {
            return Ok(());
        };
        let limits = session_note::admit::Limits::V1;
        let sketches =
            push.changes.iter().filter_map(|bytes| session_note::admit::prescan(bytes, &limits).ok());
        let items = decided(&resident.ledger, sketches.map(|sketch| sketch.hash));
        let seq = resident.ledger.through;
        if !items.is_empty()
            && let Some(connection) = self.connections.get_mut(&connection)
        {
            _ = connection.session.verdict(WireVerdict { document: push.document, items, seq });
        }
        Ok(())
    }

    /// Whether this log holds what a tablet was told is safe.
    pub(crate) fn holds(
        &self,
        reader: &dyn StoreReader,
        receipted: &LogPosition,
    ) -> Result<bool, RecordError> {
        if receipted.seq == 0 {
            return Ok(true);
        }
        // Equal chain values mean equal logs up to there.
        Ok(reader.entry(receipted.seq)?.is_some_and(|entry| entry.chain.0 == *receipted.chain.as_bytes()))
    }
}

/// Whether a cursor names a place of this log: its epoch is known here under the same random id, and the
/// place lies before that epoch's end.
pub(crate) fn on_this_branch(reader: &dyn StoreReader, cursor: &Cursor, tip_seq: u64) -> bool {
    let epochs = reader.epochs();
    let Some(index) =
        epochs.iter().position(|start| start.epoch == cursor.epoch && start.epoch_id == cursor.epoch_id)
    else {
        return false;
    };
    let end = epochs.get(index + 1).map_or(tip_seq, |next| next.parent_seq);
    cursor.seq <= end
}

fn wire_verdict(document: DocumentId, seq: u64, verdict: &Verdict) -> WireVerdict {
    let item = VerdictItem {
        hashes: entry::change_hashes(&verdict.hashes),
        outcome: WireOutcome::from_number(verdict.outcome),
        reason: ReasonCode::from_number(verdict.reason),
        sentence: verdict.sentence.clone(),
    };
    WireVerdict { document, items: vec![item], seq }
}

pub(crate) fn envelope_of(work: &Work) -> Envelope {
    Envelope {
        device: DeviceId::from_bytes(*work.device),
        person: PersonId::from_bytes(*work.person),
        counter: work.counter,
        signature: *work.signature,
    }
}

fn size_of_body(body: &FeedBody) -> usize {
    let content = match body {
        FeedBody::Changes(changes) => {
            changes.changes.iter().map(Vec::len).sum::<usize>()
                + 40 * changes.heads.len()
                + changes.verdict.len()
        }
        FeedBody::Reference(reference) => reference.body.as_ref().map_or(0, Vec::len),
        FeedBody::Report(report) => report.body.as_ref().map_or(0, Vec::len),
        FeedBody::Verdict(verdict) => verdict.items.iter().map(|item| 40 * item.hashes.len() + 80).sum(),
        FeedBody::Entered(change) | FeedBody::Left(change) => 100 * change.documents.len(),
        FeedBody::Other(_) => 0,
    };
    content.saturating_add(200)
}
