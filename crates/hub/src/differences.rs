//! What two clinics do when their sums differ though each has read all the other had: they list the notes of
//! the ranges in which they differ, and each fetches again what it lacks. Gives nothing away and takes
//! nothing back.

use std::collections::{BTreeMap, BTreeSet};

use chart::ids::{ClinicId, DocumentId};
use store::StoreReader;
use sync_protocol::limits::DIGEST_ROWS_MAX;
use sync_protocol::message::{DigestDiff, DigestRow, ScopeName};

use crate::connection::ConnectionId;
use crate::hub::Hub;
use crate::keys;
use crate::limits::DIGEST_GAP_MS;
use crate::links::Item;
use crate::record::RecordError;

impl Hub {
    /// Asks a clinic in which notes it differs.
    pub(crate) fn ask_for_differences(&mut self, clinic: ClinicId) {
        let Some(converging) = self.lines.converging.get_mut(&clinic) else { return };
        converging.counting = 0;
        // Whatever becomes of the question, it is not the last one.
        converging.ask_at = converging.asked_at.map(|at| at.plus_ms(DIGEST_GAP_MS));
        let sums = converging.own.as_ref().map(|own| own.ranges.short_sums());
        let scope = ScopeName::Site(self.config.clinic);
        let question = DigestDiff { scope, sums, range: None, documents: Vec::new(), more: false };
        if let Some(link) = self.lines.links.get_mut(&clinic) {
            _ = link.session.digest_diff(question);
        }
    }

    /// A clinic asks in which notes this one differs.
    pub(crate) fn note_difference_question(&mut self, connection: ConnectionId, question: DigestDiff) {
        if let Some(clinic) = self.connections.get(&connection).and_then(|state| state.site) {
            let sums = question.sums.unwrap_or_default();
            self.lines.converging.entry(clinic).or_default().listing = Some((connection, sums, None));
        }
    }

    /// A clinic has listed a range.
    pub(crate) fn note_difference_answer(&mut self, clinic: ClinicId, answer: DigestDiff) {
        self.lines.converging.entry(clinic).or_default().listed.push_back(answer);
    }

    /// One step: lists a range, or compares one that was listed.
    pub(crate) fn work_on_differences(
        &mut self,
        reader: &dyn StoreReader,
        clinic: ClinicId,
    ) -> Result<(), RecordError> {
        let Some(converging) = self.lines.converging.get_mut(&clinic) else { return Ok(()) };
        if let Some((connection, sums, after)) = converging.listing.take() {
            let differing =
                converging.own.as_ref().map(|own| own.ranges.differing(&sums)).unwrap_or_default();
            let mut left = differing.into_iter().filter(|range| after.is_none_or(|after| *range > after));
            let (range, more) = (left.next(), left.next().is_some());
            if let Some(range) = range.filter(|_| more) {
                converging.listing = Some((connection, sums, Some(range)));
            }
            return self.list_range(reader, clinic, connection, range, more);
        }
        match converging.listed.pop_front() {
            Some(answer) => self.compare(reader, clinic, answer),
            None => Ok(()),
        }
    }

    fn list_range(
        &mut self,
        reader: &dyn StoreReader,
        clinic: ClinicId,
        connection: ConnectionId,
        range: Option<u8>,
        more: bool,
    ) -> Result<(), RecordError> {
        let rows = match range {
            Some(range) => self.rows_of(reader, clinic, range)?,
            None => BTreeMap::new(),
        };
        let documents = rows.into_iter().map(|(document, sum)| DigestRow { document, sum });
        let documents = documents.take(DIGEST_ROWS_MAX).collect();
        let answer = DigestDiff { scope: ScopeName::Site(clinic), sums: None, range, documents, more };
        if let Some(connection) = self.connections.get_mut(&connection) {
            _ = connection.session.digest_diff(answer);
        }
        Ok(())
    }

    /// The notes of a range that are shared with a clinic.
    fn rows_of(
        &self,
        reader: &dyn StoreReader,
        clinic: ClinicId,
        range: u8,
    ) -> Result<BTreeMap<DocumentId, [u8; 16]>, RecordError> {
        let through = reader.tip().seq;
        let mut documents: BTreeSet<DocumentId> = BTreeSet::new();
        self.record.each(reader, keys::range(&self.record.vault, range), 0, |opened| {
            documents.extend(opened.document);
            Ok(())
        })?;
        let mut rows = BTreeMap::new();
        for document in documents {
            let part = self.part_of(reader, document, clinic, through)?;
            if part.present {
                rows.insert(document, part.sum.short());
            }
        }
        Ok(rows)
    }

    /// Fetches what differs in a range; what only this clinic has the other one finds itself.
    fn compare(
        &mut self,
        reader: &dyn StoreReader,
        clinic: ClinicId,
        answer: DigestDiff,
    ) -> Result<(), RecordError> {
        let own = match answer.range {
            Some(range) => self.rows_of(reader, clinic, range)?,
            None => BTreeMap::new(),
        };
        let theirs: BTreeMap<_, _> = answer.documents.iter().map(|row| (row.document, row.sum)).collect();
        let differing = |(document, sum): &(&DocumentId, &[u8; 16])| own.get(*document) != Some(*sum);
        let fetched: Vec<DocumentId> =
            theirs.iter().filter(differing).map(|(document, _)| *document).collect();
        let lacking = own.keys().filter(|document| !theirs.contains_key(document)).count();
        self.metrics.notes_fetched_again += fetched.len() as u64;
        if let Some(converging) = self.lines.converging.get_mut(&clinic) {
            converging.counting += (fetched.len() + lacking) as u64;
            if !answer.more {
                converging.differing = converging.counting;
            }
        }
        if let Some(link) = self.lines.links.get_mut(&clinic) {
            link.inbox.extend(fetched.into_iter().map(Item::Fetch));
        }
        Ok(())
    }
}
