//! Who carries others' work, and what they hear of it: a rejection as its author does, and that a note is not
//! theirs to keep. Judges nothing.
//!
//! A tablet brings others' work when the record was put back to an older state. In the record's new course
//! the tablet may have no part in that note, and the feed of its people would be silent about it for ever.

use std::collections::BTreeSet;

use chart::entropy::Entropy;
use chart::ids::{ChangeHash, DeviceId, DocumentId, PersonId};
use chart::reference::Scope;
use store::{Key, StoreReader};
use sync_protocol::message::VerdictItem;
use sync_protocol::{Outcome, ReasonCode};

use crate::hub::{ConnectionId, Hub};
use crate::keys;
use crate::ledger::{Fate, Ledger};
use crate::record::RecordError;

impl Hub {
    /// Notes that a tablet brought work that is not its own.
    pub(crate) fn note_carrier(&mut self, connection: ConnectionId, document: DocumentId, author: DeviceId) {
        let carrier = self.connections.get(&connection).and_then(|connection| connection.device);
        if let Some(carrier) = carrier.filter(|carrier| *carrier != author) {
            self.carried.entry(document).or_default().insert(carrier);
        }
    }

    /// Tells whoever carried a note that they do not follow that it is not theirs to keep, once all of it is
    /// judged. While nothing of a note is admitted nobody knows whom it belongs to.
    pub(crate) fn tell_carriers(&mut self, entropy: &mut dyn Entropy, reader: &dyn StoreReader) {
        let due: Vec<DocumentId> =
            self.carried.keys().filter(|document| self.is_at_rest(**document)).copied().collect();
        for document in due {
            // Where the record cannot be read the carrier stays noted.
            _ = self.tell_carriers_of(entropy, reader, document);
        }
    }

    fn tell_carriers_of(
        &mut self,
        entropy: &mut dyn Entropy,
        reader: &dyn StoreReader,
        document: DocumentId,
    ) -> Result<(), RecordError> {
        let Some(resident) = self.residents.load(&mut self.record, reader, document, None)? else {
            return Ok(());
        };
        if resident.ledger.place_keys.is_empty() {
            return Ok(());
        }
        let mut resident = resident.clone();
        resident.ledger.carriers.extend(self.carried.remove(&document).unwrap_or_default());
        let stay: Vec<PersonId> = resident.ledger.caseloads.iter().copied().collect();
        let places = self.places(&mut resident, &stay);
        self.write_places(entropy, reader, document, places)?;
        self.residents.put(document, resident);
        Ok(())
    }

    /// The people of the tablets that carried a document.
    pub(crate) fn carrying_people(&self, ledger: &Ledger) -> BTreeSet<PersonId> {
        let tablets = ledger.carriers.iter().filter_map(|device| self.directory.devices.get(device));
        tablets.flat_map(|tablet| tablet.people.iter().copied()).collect()
    }

    /// Under which names those find a rejection who may hold what it is about, beside its author. What never
    /// was admitted was sent to nobody: only in a record that was put back can others hold it.
    pub(crate) fn rejection_keys(&self, ledger: &Ledger) -> Vec<Key> {
        let vault = &self.record.vault;
        let mut names: Vec<Key> = ledger.carriers.iter().map(|device| keys::device(vault, *device)).collect();
        if self.tip.epoch > 1 {
            let people = ledger.caseloads.iter().map(|person| Scope::Caseload(*person));
            names.extend(people.chain([Scope::Clinic]).map(|scope| keys::scope(vault, scope)));
        }
        names
    }
}

/// What was decided of these changes, one item for each outcome and reason.
pub(crate) fn decided(ledger: &Ledger, hashes: impl Iterator<Item = ChangeHash>) -> Vec<VerdictItem> {
    let mut items: Vec<VerdictItem> = Vec::new();
    for hash in hashes {
        let (outcome, reason) = match ledger.fate(&hash) {
            Some(Fate::Admitted) => (Outcome::Admitted, ReasonCode::None),
            Some(Fate::Held(reason)) => (Outcome::Held, reason),
            Some(Fate::Rejected(reason)) => (Outcome::Rejected, reason),
            Some(Fate::Unjudged) | None => continue,
        };
        match items.iter_mut().find(|item| item.outcome == outcome && item.reason == reason) {
            Some(item) => item.hashes.push(hash),
            None => {
                items.push(VerdictItem { hashes: vec![hash], outcome, reason, sentence: String::new() });
            }
        }
    }
    items
}
