//! The way of a batch: what waits becomes entries, and only when they are durable is anybody told.

use std::collections::{BTreeMap, BTreeSet};

use chart::ids::DocumentId;
use store::{Batch, Key, StoreReader};
use sync_protocol::message::ReceiptItem;
use sync_protocol::{ErrorCode, Failure};

use crate::hub::{After, ConnectionId, Flying, Hub, Pending, Ticket};
use crate::limits::{BATCH_BYTES_MAX, BATCH_ENTRIES_MAX};

impl Hub {
    /// The next batch to commit, if one waits and none is in flight.
    pub fn poll_commit(&mut self) -> Option<Batch> {
        if self.in_flight.is_some() || self.read_only.is_some() {
            return None;
        }
        if self.pending.is_empty() && self.new_epoch.is_none() {
            return None;
        }
        let mut batch = Batch { entries: Vec::new(), new_epoch: self.new_epoch.take() };
        let mut flight = Vec::new();
        let mut bytes = 0usize;
        while let Some(next) = self.pending.front() {
            let size = next.entry.as_ref().map_or(0, |entry| entry.bytes.len());
            let full =
                batch.entries.len() >= BATCH_ENTRIES_MAX || bytes.saturating_add(size) > BATCH_BYTES_MAX;
            if full && !batch.entries.is_empty() {
                break;
            }
            let Some(Pending { entry, document, after }) = self.pending.pop_front() else { break };
            bytes = bytes.saturating_add(size);
            match entry {
                Some(entry) => {
                    flight.push(Flying { document, after, keys: entry.keys.clone(), is_entry: true });
                    batch.entries.push(entry);
                }
                None => flight.push(Flying { document, after, keys: Vec::new(), is_entry: false }),
            }
        }
        self.in_flight = Some(flight);
        Some(batch)
    }

    /// The batch is durable, its first entry at `first_seq`: only here are receipts made.
    pub fn committed(&mut self, reader: &dyn StoreReader, first_seq: u64) {
        let Some(flight) = self.in_flight.take() else { return };
        self.tip = reader.tip();
        self.metrics.commits += 1;
        let position = self.position();
        let mut receipts: BTreeMap<ConnectionId, Vec<ReceiptItem>> = BTreeMap::new();
        let mut touched: BTreeSet<Key> = BTreeSet::new();
        let mut seq = first_seq;
        for Flying { document, after, keys, is_entry } in flight {
            touched.extend(keys);
            self.settle_entry(document);
            for step in after {
                match step {
                    After::Work { connection, work } => {
                        self.work_is_durable(reader, connection, *work, seq);
                    }
                    After::Receipt { connection, item } => {
                        let item = self.with_covers(reader, item);
                        receipts.entry(connection).or_default().push(item);
                    }
                    After::Places => self.uncommitted_places = self.uncommitted_places.saturating_sub(1),
                    After::Done(ticket) => self.done.push_back((ticket, Ok(()))),
                    After::Imported(import) => self.import_is_durable(reader, *import, seq),
                    After::Taken(reached) => self.note_taken(reached),
                    After::Followed(reached) => self.note_followed(reached),
                }
            }
            seq += u64::from(is_entry);
        }
        for (id, items) in receipts {
            self.metrics.receipts += items.len() as u64;
            if let Some(connection) = self.connections.get_mut(&id) {
                // A connection that closed in the meantime asks again when it comes back.
                _ = connection.session.receipt(items, position);
            }
        }
        for (id, connection) in &self.connections {
            if connection.follows.iter().any(|key| touched.contains(key)) {
                self.woken.insert(*id);
            }
        }
        if self.pending.is_empty() {
            self.binding.clear();
            self.record.trim(self.config.documents_resident_max.saturating_mul(4));
        }
        self.pump(reader);
    }

    fn settle_entry(&mut self, document: Option<DocumentId>) {
        let Some(document) = document else { return };
        if let Some(waiting) = self.uncommitted.get_mut(&document) {
            *waiting = waiting.saturating_sub(1);
            if *waiting == 0 {
                self.uncommitted.remove(&document);
            }
        }
    }

    /// The batch could not be written: from here on the record is only read.
    pub fn commit_failed(&mut self, sentence: &str) {
        self.read_only = Some(sentence.to_owned());
        self.in_flight = None;
        let pending = std::mem::take(&mut self.pending);
        for release in std::mem::take(&mut self.releases) {
            self.done.push_back((Ticket(release.ticket), Err(sentence.to_owned())));
        }
        for step in pending.into_iter().flat_map(|pending| pending.after) {
            if let After::Done(ticket) = step {
                self.done.push_back((ticket, Err(sentence.to_owned())));
            }
        }
        for connection in self.connections.values_mut() {
            let failure =
                Failure::fatal(ErrorCode::ReadOnly, "the clinic's record cannot be written at the moment");
            _ = connection.session.error(failure);
        }
    }

    /// `covers` names only heads whose whole ancestry is durable.
    fn with_covers(&mut self, reader: &dyn StoreReader, mut item: ReceiptItem) -> ReceiptItem {
        let loaded = self.residents.load(&mut self.record, reader, item.document, None);
        match loaded {
            Ok(Some(resident)) => item.covers.retain(|hash| resident.ledger.is_whole(hash)),
            _ => item.covers.clear(),
        }
        item
    }
}
