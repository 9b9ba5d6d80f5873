//! Units and findings, computed on the tablet by the same engine as the server's, with no server at
//! hand. Never *complete* by its own word: only when the server has listed the day and the tablet holds
//! exactly what the server read is the answer the server's own, byte for byte.

use std::collections::BTreeSet;

use chart::facts::{DaySlice, Facts, Standing};
use chart::ids::DocumentId;
use chart::reference::Reference;
use chart::report::{Confirmed, Published, Report};
use chart::time::Date;
use session_note::course::{Course, EpisodeVisit, course};
use session_note::facts::{self, Around};
use session_note::schema::Kind;
use store::StoreReader;

use crate::entry::Entry;
use crate::error::TabletError;
use crate::limits::SLICES_MAX;
use crate::machine::Tablet;

impl Tablet {
    /// The report of a visit as of a date, from what this tablet holds. Provisional, unless the server
    /// has published one from exactly the same inputs: then that one, as of the server's date.
    ///
    /// # Errors
    /// When the tablet does not hold the visit, or the store cannot be read.
    pub fn report(
        &mut self,
        reader: &dyn StoreReader,
        document: DocumentId,
        today: Date,
    ) -> Result<Report, TabletError> {
        if let Some(published) = self.published(reader, document)? {
            let confirmed = &published.confirmed;
            if let Some(facts) = self.facts(reader, document, confirmed.as_of, Some(confirmed))? {
                let report = compliance::recompute(&facts, &self.rulebook);
                if report.inputs == published.report.inputs && report.rulebook == published.report.rulebook {
                    return Ok(report);
                }
            }
        }
        let facts = self.facts(reader, document, today, None)?;
        let facts = facts.ok_or(TabletError::UnknownDocument(document))?;
        Ok(compliance::recompute(&facts, &self.rulebook))
    }

    /// The report the server last published of a note, if it did.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn published(
        &self,
        reader: &dyn StoreReader,
        document: DocumentId,
    ) -> Result<Option<Published>, TabletError> {
        let seq = self.state.documents.get(&document).and_then(|record| record.report);
        let Some(stored) = seq.map(|seq| reader.entry(seq)).transpose()?.flatten() else { return Ok(None) };
        match self.seals.open(&stored)? {
            Entry::Report(report) => Ok(serde_json::from_slice(&report.body.0).ok()),
            _ => Ok(None),
        }
    }

    /// The facts of a report. With `confirmed`: for exactly the notes and facts the server named, and
    /// `None` if the tablet does not hold all of these notes.
    fn facts(
        &mut self,
        reader: &dyn StoreReader,
        document: DocumentId,
        as_of: Date,
        confirmed: Option<&Confirmed>,
    ) -> Result<Option<Facts>, TabletError> {
        let slice = self.slice(reader, document)?.ok_or(TabletError::WrongKind(document))?;
        let (patient_day, provider_day) = match confirmed {
            Some(confirmed) => (confirmed.patient_day.clone(), confirmed.provider_day.clone()),
            None => self.fellows(&slice),
        };
        let Some(patient_day) = self.slices(reader, &patient_day)? else { return Ok(None) };
        let Some(provider_day) = self.slices(reader, &provider_day)? else { return Ok(None) };
        let mut around = Around { patient_day, provider_day, ..Around::default() };
        let mut standing = Standing::Provisional;
        if let Some(confirmed) = confirmed {
            standing = confirmed.standing.clone();
            around.arrivals.clone_from(&confirmed.arrivals);
            around.claim.clone_from(&confirmed.claim);
            around.provider_history.clone_from(&confirmed.provider_history);
        }
        for reference in self.state.reference.values() {
            match reference {
                Reference::Person(person) => _ = around.people.insert(person.id, facts::person(person)),
                Reference::Settings(settings) => around.settings.clone_from(&settings.rules),
                Reference::Patient(patient) if Some(patient.id) == slice.patient => {
                    around.patient = Some(facts::patient(patient));
                }
                Reference::Patient(_)
                | Reference::Appointment(_)
                | Reference::Device(_)
                | Reference::Claim(_)
                | Reference::Peer(_)
                | Reference::Sharing(_)
                | Reference::DayClosed(_)
                | Reference::Transfer(_) => {}
            }
        }
        if let Some(confirmed) = confirmed {
            around.patient.clone_from(&confirmed.patient);
        }
        around.episode = self.episode_facts(reader, document, &slice)?;
        self.load(reader, document)?;
        let loaded = self.shelf.get(document).ok_or(TabletError::UnknownDocument(document))?;
        Ok(Some(facts::gather(&loaded.note, around, as_of, standing)))
    }

    /// The other notes of the day that this tablet knows: of the patient, and of the providers.
    fn fellows(&self, slice: &DaySlice) -> (BTreeSet<DocumentId>, BTreeSet<DocumentId>) {
        let (dates, providers) = (facts::dates(slice), facts::providers(slice));
        let (mut patient_day, mut provider_day) = (BTreeSet::new(), BTreeSet::new());
        let same_day = dates.iter().filter_map(|date| self.state.by_date.get(date)).flatten();
        for document in same_day.filter(|document| **document != slice.document) {
            let Some(record) = self.state.documents.get(document) else { continue };
            if record.keys.patient.is_some() && record.keys.patient == slice.patient {
                patient_day.insert(*document);
            }
            if record.keys.providers.iter().any(|person| providers.contains(person)) {
                provider_day.insert(*document);
            }
        }
        (patient_day, provider_day)
    }

    fn slices(
        &mut self,
        reader: &dyn StoreReader,
        documents: &BTreeSet<DocumentId>,
    ) -> Result<Option<Vec<DaySlice>>, TabletError> {
        let mut slices = Vec::new();
        for document in documents {
            match self.slice(reader, *document)? {
                Some(slice) => slices.push(slice),
                None => return Ok(None),
            }
        }
        Ok(Some(slices))
    }

    /// What other notes' reports see of a visit; remembered until its heads change.
    fn slice(
        &mut self,
        reader: &dyn StoreReader,
        document: DocumentId,
    ) -> Result<Option<DaySlice>, TabletError> {
        Ok(self.seen(reader, document)?.map(|(slice, _)| slice))
    }

    /// The slice, and what the visit's episode sees of it.
    fn seen(
        &mut self,
        reader: &dyn StoreReader,
        document: DocumentId,
    ) -> Result<Option<(DaySlice, EpisodeVisit)>, TabletError> {
        let Some(record) = self.state.documents.get(&document) else { return Ok(None) };
        if record.kind != Kind::Visit {
            return Ok(None);
        }
        let heads = match self.shelf.get(document) {
            Some(loaded) => Some(loaded.note.heads()),
            None => record.heads.clone(),
        };
        if let (Some(heads), Some((at, seen))) = (&heads, self.slices.get(&document))
            && heads == at
        {
            return Ok(Some(seen.clone()));
        }
        self.load(reader, document)?;
        let Some(loaded) = self.shelf.get(document) else { return Ok(None) };
        let visit = &loaded.note.read_visit().value;
        let slice = facts::slice(visit);
        let seen = (slice.clone(), EpisodeVisit::of(visit, &slice));
        if self.slices.len() >= SLICES_MAX {
            self.slices.pop_first();
        }
        self.slices.insert(document, (loaded.note.heads(), seen.clone()));
        Ok(Some(seen))
    }

    fn episode_facts(
        &mut self,
        reader: &dyn StoreReader,
        document: DocumentId,
        slice: &DaySlice,
    ) -> Result<Option<Course>, TabletError> {
        self.load(reader, document)?;
        let note = self.shelf.get(document).map(|loaded| &loaded.note.read_visit().value);
        let Some(id) = note.and_then(|visit| visit.episode) else { return Ok(None) };
        let is_episode = self.state.documents.get(&id).is_some_and(|record| record.kind == Kind::Episode);
        if !is_episode {
            return Ok(None);
        }
        self.load(reader, id)?;
        let Some(loaded) = self.shelf.get(id) else { return Ok(None) };
        let heads = loaded.note.heads();
        let episode = loaded.note.read_episode().value.clone();
        let visits = self.state.documents.iter().filter(|(_, record)| record.keys.episode == Some(id));
        let mut visits: BTreeSet<DocumentId> = visits.map(|(document, _)| *document).collect();
        visits.insert(document);
        let mut seen = Vec::new();
        for visit in visits {
            seen.extend(self.seen(reader, visit)?.map(|(_, visit)| visit));
        }
        Ok(Some(course(&episode, heads, slice, seen)))
    }
}
