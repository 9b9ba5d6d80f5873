//! Reading for supervisors: the queue, a note with its history, its report, and what is held back.
//! Never changes anything.

use std::collections::BTreeMap;

use chart::ids::{ChangeHash, DeviceId, DocumentId, PersonId};
use chart::report::{Published, Severity};
use chart::time::Timestamp;
use session_note::dispute;
use session_note::facts;
use session_note::schema::Kind;
use store::StoreReader;

use crate::entry::{self, Head, Marker, Verdict};
use crate::hub::{Hub, HubError};
use crate::keys;
use crate::ledger::Fate;
use crate::record::RecordError;
use crate::resident::{fate_of, submitted_of, work_note};
use crate::views::{QuarantineRow, QuarantinedChange, QuarantinedWork, QueueRow, ReviewHistory, ReviewNote};

impl Hub {
    /// The newest reports before a place in the log, worst first among those returned.
    ///
    /// # Errors
    /// When the record cannot be read.
    pub fn queue(
        &mut self,
        reader: &dyn StoreReader,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<QueueRow>, HubError> {
        let markers = keys::markers(&self.record.vault);
        let mut at_most = before.map_or(u64::MAX, |before| before.saturating_sub(1));
        let mut rows = Vec::new();
        while rows.len() < limit {
            let Some(seq) = reader.find_last(markers, at_most)? else { break };
            at_most = seq.saturating_sub(1);
            let Some(opened) = self.record.open(reader, seq)? else { continue };
            let (Some(document), Some(Head::Marker(marker))) = (opened.document, opened.head) else {
                continue;
            };
            let newest = reader.find_last(keys::marker(&self.record.vault, document), u64::MAX)?;
            if newest == Some(seq) {
                rows.push(self.queue_row(reader, document, &marker, seq)?);
            }
            if at_most == 0 {
                break;
            }
        }
        rows.sort_by_key(|row| {
            (row.worst.unwrap_or(Severity::Advice), !row.disputed, std::cmp::Reverse(row.seq))
        });
        Ok(rows)
    }

    fn queue_row(
        &mut self,
        reader: &dyn StoreReader,
        document: DocumentId,
        marker: &Marker,
        seq: u64,
    ) -> Result<QueueRow, RecordError> {
        let slice = self.slice_of(reader, document)?;
        let patient = slice.as_ref().and_then(|slice| slice.patient);
        let patient =
            patient.and_then(|id| self.directory.patients.get(&id)).map(|patient| patient.name.clone());
        let providers = slice.as_ref().map(facts::providers).unwrap_or_default();
        let dates = slice.as_ref().map(facts::dates).unwrap_or_default();
        let worst = match marker.worst {
            3 => Some(Severity::Blocker),
            2 => Some(Severity::Warning),
            1 => Some(Severity::Advice),
            _ => None,
        };
        Ok(QueueRow {
            document,
            patient,
            providers: providers.iter().map(|person| self.name_of(*person)).collect(),
            dates: dates.iter().map(ToString::to_string).collect(),
            worst,
            counts: marker.counts,
            disputed: marker.disputed,
            ready: marker.ready,
            seq,
        })
    }

    fn name_of(&self, person: PersonId) -> String {
        self.directory.person(person).map_or_else(|| person.to_string(), |person| person.name.clone())
    }

    /// A note with its history, disputes and what is held back of it.
    ///
    /// # Errors
    /// When the record cannot be read.
    pub fn note(
        &mut self,
        reader: &dyn StoreReader,
        document: DocumentId,
    ) -> Result<Option<ReviewNote>, HubError> {
        let Some(resident) = self.residents.load(&mut self.record, reader, document, None)? else {
            return Ok(None);
        };
        let note = resident.note.clone();
        let cannot_be_shown = resident.unshowable;
        let received = self.received_times(reader, document)?;
        let history = note.history().into_iter().map(|entry| ReviewHistory {
            received_at: entry.by.change.and_then(|hash| received.get(&hash).copied()),
            entry,
        });
        let history: Vec<ReviewHistory> = history.collect();
        let (content, disputes, problems, concurrent) = match note.kind() {
            Kind::Visit => {
                let read = note.read_visit();
                let disputes = dispute::disputes(&read.value);
                (serde_json::to_value(&read.value), disputes, read.problems.clone(), read.concurrent.clone())
            }
            Kind::Episode => {
                let read = note.read_episode();
                (
                    serde_json::to_value(&read.value),
                    Vec::new(),
                    read.problems.clone(),
                    read.concurrent.clone(),
                )
            }
        };
        let stale_signatures = match note.kind() {
            Kind::Visit => facts::note(&note)
                .signatures
                .iter()
                .filter(|signature| !signature.current)
                .map(|signature| signature.id)
                .collect(),
            Kind::Episode => Vec::new(),
        };
        let quarantine = self.quarantine_of(reader, document)?;
        let people = self.directory.people_for(self.config.clinic, self.config.clinic);
        let people = people.into_iter().map(|(id, person)| (id, person.name.clone())).collect();
        let devices = history
            .iter()
            .filter_map(|line| self.directory.device(line.entry.by.device))
            .map(|device| (device.id, device.name.clone()))
            .collect();
        let patient = match note.kind() {
            Kind::Visit => note.read_visit().value.patient,
            Kind::Episode => note.read_episode().value.patient,
        };
        let patients = patient
            .and_then(|id| self.directory.patients.get(&id))
            .map(|patient| (patient.id, patient.name.clone()));
        Ok(Some(ReviewNote {
            document,
            kind: note.kind().name(),
            heads: note.heads(),
            content: content.map_err(|error| HubError::Refused(error.to_string()))?,
            disputes,
            problems,
            concurrent,
            history,
            stale_signatures,
            people,
            devices,
            patients: patients.into_iter().collect(),
            quarantine,
            cannot_be_shown,
        }))
    }

    fn received_times(
        &self,
        reader: &dyn StoreReader,
        document: DocumentId,
    ) -> Result<BTreeMap<ChangeHash, Timestamp>, RecordError> {
        let mut received = BTreeMap::new();
        self.record.each(reader, keys::document(&self.record.vault, document), 0, |opened| {
            if let Some(Head::Work(work)) = &opened.head {
                let (note, at) = work_note(work);
                for hash in note.hashes {
                    received.entry(hash).or_insert(at);
                }
            }
            Ok(())
        })?;
        Ok(received)
    }

    /// The newest published report of a note.
    ///
    /// # Errors
    /// When the record cannot be read.
    pub fn report(
        &mut self,
        reader: &dyn StoreReader,
        document: DocumentId,
    ) -> Result<Option<Published>, HubError> {
        let Some(marker) = self.last_marker(reader, document)? else { return Ok(None) };
        let body = self.published_body(reader, document, &marker)?;
        Ok(body.and_then(|body| serde_json::from_slice(&body).ok()))
    }

    /// The newest verdicts that kept something back, newest first.
    ///
    /// # Errors
    /// When the record cannot be read.
    pub fn quarantine(
        &mut self,
        reader: &dyn StoreReader,
        limit: usize,
    ) -> Result<Vec<QuarantineRow>, HubError> {
        self.quarantine_before(reader, None, limit)
    }

    /// The same before a place in the log, for the next page.
    ///
    /// # Errors
    /// When the record cannot be read.
    pub fn quarantine_before(
        &mut self,
        reader: &dyn StoreReader,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<QuarantineRow>, HubError> {
        let name = keys::quarantine(&self.record.vault);
        let mut rows = Vec::new();
        let mut at_most = before.map_or(u64::MAX, |before| before.saturating_sub(1));
        while rows.len() < limit {
            let Some(seq) = reader.find_last(name, at_most)? else { break };
            rows.extend(self.quarantine_row(reader, seq)?);
            match seq.checked_sub(1) {
                Some(0) | None => break,
                Some(earlier) => at_most = earlier,
            }
        }
        Ok(rows)
    }

    /// One of those verdicts with the work it is about; `None` if there is none at this place.
    ///
    /// # Errors
    /// When the record cannot be read.
    pub fn quarantined(
        &mut self,
        reader: &dyn StoreReader,
        seq: u64,
    ) -> Result<Option<QuarantinedWork>, HubError> {
        let Some(row) = self.quarantine_row(reader, seq)? else { return Ok(None) };
        let Some(opened) = self.record.open(reader, row.work)? else { return Ok(None) };
        let Some(Head::Work(work)) = opened.head.clone() else { return Ok(None) };
        let mut changes = Vec::new();
        for change in submitted_of(&mut self.record, reader, &opened, &work)? {
            let sketch = change.candidate.sketch();
            if row.hashes.contains(&sketch.hash) {
                changes.push(QuarantinedChange {
                    hash: sketch.hash,
                    actor: sketch.actor,
                    number: sketch.seq,
                    made_at: sketch.time,
                    operations: sketch.ops,
                    builds_on: sketch.deps.clone(),
                    bytes: change.candidate.bytes().iter().map(|byte| format!("{byte:02x}")).collect(),
                });
            }
        }
        let carrier = work.carrier.map(|carrier| DeviceId::from_bytes(*carrier));
        let replaces = entry::change_hashes(&work.replaces);
        let heads = entry::change_hashes(&work.heads);
        Ok(Some(QuarantinedWork { row, carrier, counter: work.counter, heads, replaces, changes }))
    }

    fn quarantine_of(
        &mut self,
        reader: &dyn StoreReader,
        document: DocumentId,
    ) -> Result<Vec<QuarantineRow>, RecordError> {
        let mut seqs = Vec::new();
        self.record.each(reader, keys::document(&self.record.vault, document), 0, |opened| {
            if let Some(Head::Verdict(verdict)) = &opened.head
                && fate_of(verdict.outcome, verdict.reason) != Fate::Admitted
            {
                seqs.push(opened.seq);
            }
            Ok(())
        })?;
        let mut rows = Vec::new();
        for seq in seqs {
            rows.extend(self.quarantine_row(reader, seq)?);
        }
        Ok(rows)
    }

    fn quarantine_row(
        &mut self,
        reader: &dyn StoreReader,
        seq: u64,
    ) -> Result<Option<QuarantineRow>, RecordError> {
        let Some(opened) = self.record.open(reader, seq)? else { return Ok(None) };
        let (Some(document), Some(Head::Verdict(verdict))) = (opened.document, opened.head) else {
            return Ok(None);
        };
        let number = verdict.work;
        let Some(work) = self.record.open(reader, number)? else { return Ok(None) };
        let Some(Head::Work(work)) = work.head else { return Ok(None) };
        let Verdict { outcome, reason, sentence, hashes, .. } = verdict;
        let fate = fate_of(outcome, reason);
        let (word, reason) = match fate {
            Fate::Held(reason) => ("held", reason.name()),
            Fate::Rejected(reason) => ("rejected", reason.name()),
            Fate::Admitted | Fate::Unjudged => return Ok(None),
        };
        let hashes = entry::change_hashes(&hashes);
        let resident = self.residents.load(&mut self.record, reader, document, None)?;
        let open = resident
            .is_some_and(|resident| hashes.iter().any(|hash| resident.ledger.fate(hash) == Some(fate)));
        let person = PersonId::from_bytes(*work.person);
        Ok(Some(QuarantineRow {
            document,
            hashes,
            outcome: word,
            reason: reason.to_owned(),
            sentence,
            person,
            person_name: self.name_of(person),
            device: DeviceId::from_bytes(*work.device),
            received_at: Timestamp::from_unix_ms(work.received_at_ms),
            open,
            work: number,
            seq,
        }))
    }
}
