//! What leaves: work that is on the disk and not at the clinic, in pushes that each stand for
//! themselves. Sends nothing that is not written, and repeats nothing that is under way.

use std::collections::BTreeSet;

use chart::ids::{ChangeHash, DocumentId, PersonId, PushId};
use chart::time::{Date, Timestamp};
use ed25519_dalek::Signer as _;
use session_note::admit::{Limits, prescan};
use session_note::schema::Kind;
use store::StoreReader;
use sync_protocol::message::{DocumentPush, Envelope};
use sync_protocol::{DocumentKind, statement};

use crate::entry::{Entry, Work};
use crate::error::TabletError;
use crate::limits::{PUSH_BYTES, PUSH_CHANGES, PUSHES_WAITING, PUSHES_WAITING_BYTES};
use crate::link::Flight;
use crate::machine::Tablet;
use crate::record::WorkState;

/// Changes on their way into one push.
#[derive(Default)]
struct Parcel {
    person: Option<PersonId>,
    works: Vec<(Work, Vec<ChangeHash>)>,
    bytes: usize,
}

impl Tablet {
    /// Hands to the connection what waits, as far as there is room; today's documents first.
    pub(crate) fn offer(&mut self, now: Timestamp, reader: &dyn StoreReader) {
        if !self.link.takes_pushes() {
            return;
        }
        self.link.retry_at.retain(|_, at| *at > now);
        for document in self.outbox_order(now) {
            let full = self.link.flights.len() >= PUSHES_WAITING
                || self.link.flights.values().map(|flight| flight.bytes).sum::<usize>()
                    >= PUSHES_WAITING_BYTES;
            if full {
                return;
            }
            if !self.link.retry_at.contains_key(&document)
                && let Err(error) = self.offer_document(now, reader, document)
            {
                self.link.turned_away.insert(document, (ChangeHash::from_bytes([0; 32]), error.to_string()));
                self.link.retry_at.insert(document, now.plus_ms(crate::limits::UNCOVERED_RETRY_MS));
            }
        }
    }

    fn outbox_order(&self, now: Timestamp) -> Vec<DocumentId> {
        let today = self.today(now);
        let mut order: Vec<(bool, DocumentId)> = self
            .state
            .queued
            .iter()
            .map(|document| {
                let record = self.state.documents.get(document);
                (!record.is_some_and(|record| record.keys.dates.contains(&today)), *document)
            })
            .collect();
        order.sort();
        order.into_iter().map(|(_, document)| document).collect()
    }

    /// The date on the clinic's calendar.
    pub(crate) fn today(&self, now: Timestamp) -> Date {
        let offset = self.state.reference.values().find_map(|reference| match reference {
            chart::reference::Reference::Settings(settings) => Some(settings.utc_offset_minutes),
            _ => None,
        });
        now.clock_time(offset.unwrap_or(0)).local_date()
    }

    fn offer_document(
        &mut self,
        now: Timestamp,
        reader: &dyn StoreReader,
        document: DocumentId,
    ) -> Result<(), TabletError> {
        let Some(record) = self.state.documents.get(&document) else { return Ok(()) };
        let under_way = &self.link.under_way;
        let waiting = record
            .work
            .iter()
            .filter(|(hash, work)| work.state == WorkState::Queued && !under_way.contains(hash));
        let mut numbers: Vec<u64> = waiting.map(|(_, work)| work.seq).collect();
        numbers.sort_unstable();
        let kind = record.kind;
        let mut parcel = Parcel::default();
        for seq in numbers {
            let Some(work) = self.work_at(reader, seq)? else { continue };
            let deps = prescan(&work.change.0, &Limits::V1).map(|sketch| sketch.deps).unwrap_or_default();
            let size = work.change.0.len();
            // What was made again goes by itself, each change beside its original.
            let again = parcel
                .works
                .first()
                .is_some_and(|(first, _)| first.replaces.is_empty() != work.replaces.is_empty());
            let other = again || parcel.person.is_some_and(|person| person != work.person);
            let full = parcel.bytes.saturating_add(size) > PUSH_BYTES || parcel.works.len() >= PUSH_CHANGES;
            if other || (full && !parcel.works.is_empty()) {
                self.send(now, document, kind, std::mem::take(&mut parcel));
            }
            parcel.person = Some(work.person);
            parcel.bytes = parcel.bytes.saturating_add(size);
            parcel.works.push((work, deps));
        }
        self.send(now, document, kind, parcel);
        Ok(())
    }

    pub(crate) fn work_at(&self, reader: &dyn StoreReader, seq: u64) -> Result<Option<Work>, TabletError> {
        let Some(stored) = reader.entry(seq)? else { return Ok(None) };
        Ok(match self.seals.open(&stored)? {
            Entry::Work(work) => Some(work),
            _ => None,
        })
    }

    /// Who made a change here.
    pub(crate) fn person_of(
        &self,
        reader: &dyn StoreReader,
        document: DocumentId,
        hash: ChangeHash,
    ) -> Option<PersonId> {
        let seq = self.state.documents.get(&document)?.work.get(&hash)?.seq;
        self.work_at(reader, seq).ok().flatten().map(|work| work.person)
    }

    fn send(&mut self, now: Timestamp, document: DocumentId, kind: Kind, parcel: Parcel) {
        let Some(person) = parcel.person else { return };
        // A counter is used only once it is known to be on the disk.
        if parcel.works.is_empty() || self.counter > self.state.counter_through {
            return;
        }
        let counter = self.counter;
        let inside: BTreeSet<ChangeHash> = parcel.works.iter().map(|(work, _)| work.hash).collect();
        let below: BTreeSet<ChangeHash> = parcel.works.iter().flat_map(|(_, deps)| deps).copied().collect();
        let heads: Vec<ChangeHash> = inside.difference(&below).copied().collect();
        let seen: BTreeSet<ChangeHash> =
            parcel.works.iter().flat_map(|(work, _)| &work.base).copied().collect();
        let base_heads: Vec<ChangeHash> = seen.difference(&inside).copied().collect();
        let device = self.config.device;
        let signed = statement::push(self.config.clinic, document, &heads, device, person, counter);
        let signature = self.signer.sign(&signed).to_bytes();
        let push = DocumentPush {
            push_id: self.push_id(counter),
            document,
            kind: wire_kind(kind),
            base_heads,
            heads,
            changes: parcel.works.iter().map(|(work, _)| work.change.0.clone()).collect(),
            envelope: Envelope { device, person, counter, signature },
            replaces: parcel.works.iter().flat_map(|(work, _)| work.replaces.clone()).collect(),
            part: 0,
            more: false,
        };
        let push_id = push.push_id;
        let changes = parcel.works.into_iter().map(|(work, deps)| (work.hash, deps)).collect();
        let taken = self.link.session.as_mut().is_some_and(|session| session.queue_push(now, push).is_ok());
        if taken {
            self.counter = self.counter.saturating_add(1);
            self.link.under_way.extend(inside);
            self.link.flights.insert(push_id, Flight { document, changes, bytes: parcel.bytes });
            self.reserve_counters();
        }
    }

    /// A counter is never used twice by a device, so neither is a name made of both.
    fn push_id(&self, counter: u64) -> PushId {
        let mut hasher = blake3::Hasher::new_derive_key("gaitway tablet push id 1");
        hasher.update(self.config.device.as_bytes());
        hasher.update(&counter.to_le_bytes());
        let mut id = [0; 16];
        hasher.finalize_xof().fill(&mut id);
        PushId::from_bytes(id)
    }
}

pub(crate) const fn wire_kind(kind: Kind) -> DocumentKind {
    match kind {
        Kind::Visit => DocumentKind::Visit,
        Kind::Episode => DocumentKind::Episode,
    }
}
