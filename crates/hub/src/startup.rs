//! Opening: what the log says is taken up where it stopped. Durable work without a verdict is judged,
//! verdicts whose reports did not follow are reported on; reference data is read again.

use chart::ids::{ClinicId, DocumentId};
use chart::reference::Reference;
use store::StoreReader;
use store::vault::Vault;

use crate::directory::Directory;
use crate::entry::Head;
use crate::hub::{Hub, HubConfig, HubError};
use crate::keys;
use crate::record::{Record, RecordError};

impl Hub {
    /// Opens the hub over a store.
    ///
    /// # Errors
    /// When the record cannot be read, or not with this clinic's keys.
    pub fn open(config: HubConfig, reader: &dyn StoreReader) -> Result<Hub, HubError> {
        let record = Record::new(Vault::new(config.clinic_key));
        let mut hub = Hub::empty(config, record, reader.tip());
        hub.directory = hub.read_directory(reader)?;
        hub.find_overruled(reader)?;
        hub.find_unsettled_transfers();
        let judged_through = hub.find_unjudged(reader)?;
        hub.find_stale(reader, judged_through)?;
        Ok(hub)
    }

    fn read_directory(&mut self, reader: &dyn StoreReader) -> Result<Directory, RecordError> {
        let mut bodies = Vec::new();
        let name = keys::references(&self.record.vault);
        self.record.each(reader, name, 0, |opened| {
            bodies.push(opened);
            Ok(())
        })?;
        let mut directory = Directory::default();
        for opened in bodies {
            let body = self.record.body(reader, &opened)?;
            // A kind that a newer version added is kept in the log and passed over here.
            if let Ok(reference) = serde_json::from_slice::<Reference>(&body) {
                let Some(Head::Reference(head)) = &opened.head else { continue };
                let here = self.config.clinic;
                let origin = head.origin.map_or(here, |origin| ClinicId::from_bytes(*origin));
                let own = || (crate::sites::epoch_of(reader, opened.seq), opened.seq);
                let place = head.written.map_or_else(own, |written| (written.epoch, written.seq));
                directory.note_written(origin, &reference, place);
                match origin == here {
                    true => directory.take(reference),
                    false => directory.take_from(origin, reference),
                }
            }
        }
        Ok(directory)
    }

    /// Work is judged in log order, so everything up to the work of the last verdict has been looked at;
    /// what waits for a missing change is found again through the documents after it.
    fn find_unjudged(&mut self, reader: &dyn StoreReader) -> Result<u64, RecordError> {
        let verdicts = keys::verdicts(&self.record.vault);
        let last = reader.find_last(verdicts, u64::MAX)?;
        let judged = match last {
            Some(seq) => match self.record.open(reader, seq)?.and_then(|opened| opened.head) {
                Some(Head::Verdict(verdict)) => verdict.work,
                _ => 0,
            },
            None => 0,
        };
        // Verdicts of one judgement are written together; start a little before the last one's work, at
        // the first work whose document may have been left out.
        let mut waiting: Vec<(u64, DocumentId)> = Vec::new();
        self.record.each(
            reader,
            keys::work(&self.record.vault),
            judged.saturating_sub(WINDOW),
            |opened| {
                waiting.extend(opened.document.map(|document| (opened.seq, document)));
                Ok(())
            },
        )?;
        for (seq, document) in waiting {
            let Some(resident) = self.residents.load(&mut self.record, reader, document, None)? else {
                continue;
            };
            if resident.ledger.is_open(seq) {
                self.unjudged.insert(seq, document);
            }
        }
        let imported = reader.find_last(keys::imported(&self.record.vault), u64::MAX)?;
        Ok(last.max(imported).unwrap_or(0))
    }

    /// Notes whose newest verdict is younger than their newest report, looked for among the young.
    fn find_stale(&mut self, reader: &dyn StoreReader, last_verdict: u64) -> Result<(), RecordError> {
        let markers = keys::markers(&self.record.vault);
        let newest = match reader.find_last(markers, u64::MAX)? {
            Some(seq) => self.record.open(reader, seq)?.and_then(|opened| opened.head),
            None => None,
        };
        let Some(Head::Marker(newest)) = newest else {
            return self.touch_everything(reader);
        };
        if newest.rulebook != self.config.rulebook.fingerprint() {
            return self.touch_everything(reader);
        }
        if last_verdict <= newest.through.saturating_sub(WINDOW) {
            return Ok(());
        }
        let mut young = Vec::new();
        for verdicts in [keys::verdicts(&self.record.vault), keys::imported(&self.record.vault)] {
            self.record.each(reader, verdicts, newest.through.saturating_sub(WINDOW), |opened| {
                young.extend(opened.document);
                Ok(())
            })?;
        }
        for document in young {
            let Some(resident) = self.residents.load(&mut self.record, reader, document, None)? else {
                continue;
            };
            self.stale.insert(document);
            let names = resident.ledger.place_keys.clone();
            self.touched_at_start(reader, document, &names)?;
        }
        Ok(())
    }

    /// The fellows of a young note: their reports may not have followed it.
    fn touched_at_start(
        &mut self,
        reader: &dyn StoreReader,
        document: DocumentId,
        names: &std::collections::BTreeSet<store::Key>,
    ) -> Result<(), RecordError> {
        if let Some(resident) = self.residents.load(&mut self.record, reader, document, None)? {
            let days = resident.shown().days(&self.record.vault);
            self.touched.extend(days.intersection(names));
        }
        Ok(())
    }
}

/// How far before the last judged work opening looks again, in entries: more than one batch can hold.
const WINDOW: u64 = (crate::limits::UNJUDGED_WORKS_MAX + crate::limits::BATCH_ENTRIES_MAX) as u64;
