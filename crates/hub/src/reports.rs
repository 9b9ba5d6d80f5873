//! Reports: derived after the verdict, for every note an edit touches and for no other.
//!
//! A report that comes out equal is not published again. The engine is the same as on the tablet; what
//! only a server knows goes in by value and travels with the report.

use std::collections::BTreeSet;

use chart::entropy::Entropy;
use chart::facts::{ClaimFacts, DaySlice, Facts, Standing};
use chart::ids::{ClinicId, DocumentId};
use chart::reference::{Claim, Patient, Reference, Scope};
use chart::report::{BillState, Confirmed, PoolOutcome, Published, Severity};
use session_note::course::{Course, course};
use session_note::facts::{self, Around};
use session_note::schema::{Kind, genesis_hash};
use store::{Key, StoreReader};

use crate::entry::{Hash, Head, Marker};
use crate::hub::Hub;
use crate::keys;
use crate::limits::DAY_NOTES_MAX;
use crate::reckoner::Reckoner;
use crate::record::{Opened, RecordError};
use crate::resident::Resident;
use crate::shown::Shown;

impl Hub {
    /// Has reports computed by this instead of the engine alone.
    pub fn set_reckoner(&mut self, reckoner: Box<dyn Reckoner>) {
        self.reckoner = reckoner;
    }

    /// Notes that a document was judged: its own report is stale, and, if what other notes see of it
    /// has changed, those of every day it is or was part of.
    pub(crate) fn touch(&mut self, before: &Shown, resident: &Resident) {
        let vault = &self.record.vault;
        match resident.note.kind() {
            Kind::Visit => {
                self.stale.insert(resident.note.id());
                if let Some(after) = resident.shown.as_ref().filter(|after| *after != before) {
                    self.touched.extend(before.days(vault));
                    self.touched.extend(after.days(vault));
                }
            }
            Kind::Episode => _ = self.touched.insert(keys::episode(vault, resident.note.id())),
        }
    }

    /// One step of the work on reports; whether anything was done.
    pub(crate) fn work_on_reports(&mut self, entropy: &mut dyn Entropy, reader: &dyn StoreReader) -> bool {
        if self.uncommitted_places > 0 {
            return false;
        }
        if let Some(day) = self.touched.pop_first() {
            if let Ok(members) = self.members(reader, day) {
                self.stale.extend(members);
            }
            return true;
        }
        let Some(document) = self.stale.pop_first() else { return false };
        // A report that cannot be computed stays as it was published, with its inputs named; the note
        // itself is untouched.
        _ = self.recompute(entropy, reader, document);
        true
    }

    fn recompute(
        &mut self,
        entropy: &mut dyn Entropy,
        reader: &dyn StoreReader,
        document: DocumentId,
    ) -> Result<(), RecordError> {
        let Some(facts) = self.facts_of(reader, document)? else { return Ok(()) };
        let published = self.compute(&facts);
        let body = serde_json::to_vec(&published).map_err(|error| RecordError::Entry(error.to_string()))?;
        let digest = *facts::digest_of(&published).as_bytes();
        self.metrics.recomputed += 1;
        if self.last_digest(reader, document)? == Some(digest) {
            return Ok(());
        }
        self.metrics.published += 1;
        let marker = marker_of(&published, digest, self.tip.seq);
        let Some(resident) = self.residents.load(&mut self.record, reader, document, None)? else {
            return Ok(());
        };
        let caseloads = resident.ledger.caseloads.clone();
        let vault = &self.record.vault;
        let mut names =
            vec![keys::marker(vault, document), keys::markers(vault), keys::scope(vault, Scope::Clinic)];
        names.extend(caseloads.into_iter().map(|person| keys::scope(vault, Scope::Caseload(person))));
        let entry = self.record.seal(reader, entropy, document, names, &Head::Marker(marker), &[])?;
        self.push_entry(Some(document), entry, Vec::new());
        self.marked.insert(document, digest);
        if let Some(sealed) = self.record.seal_kept(entropy, document, &body) {
            self.keep.push((keys::report(&self.record.vault, document), Some(sealed)));
        }
        Ok(())
    }

    pub(crate) fn compute(&mut self, facts: &Facts) -> Published {
        let report = self.reckoner.reckon(facts, &self.config.rulebook);
        let documents = |slices: &[DaySlice]| slices.iter().map(|slice| slice.document).collect();
        let confirmed = Confirmed {
            as_of: facts.as_of,
            standing: facts.standing.clone(),
            patient_day: documents(&facts.patient_day),
            provider_day: documents(&facts.provider_day),
            arrivals: facts.arrivals.clone(),
            claim: facts.claim.clone(),
            patient: facts.patient.clone(),
            provider_history: facts.provider_history.clone(),
            unheard: self.unheard(facts),
        };
        Published { report, confirmed }
    }

    fn unheard(&self, facts: &Facts) -> BTreeSet<ClinicId> {
        let slice = &facts.note.slice;
        self.directory.unheard(self.config.clinic, slice.patient, &facts::dates(slice))
    }

    /// What was last published of a note, though its marker may still be on its way into the log: a report
    /// that changes back meanwhile differs from that one and not from the one before.
    fn last_digest(
        &mut self,
        reader: &dyn StoreReader,
        document: DocumentId,
    ) -> Result<Option<[u8; 32]>, RecordError> {
        self.marked.retain(|document, _| self.uncommitted.contains_key(document));
        if let Some(digest) = self.marked.get(&document) {
            return Ok(Some(*digest));
        }
        Ok(self.last_marker(reader, document)?.map(|marker| *marker.digest))
    }

    pub(crate) fn last_marker(
        &self,
        reader: &dyn StoreReader,
        document: DocumentId,
    ) -> Result<Option<Marker>, RecordError> {
        let Some(seq) = reader.find_last(keys::marker(&self.record.vault, document), u64::MAX)? else {
            return Ok(None);
        };
        match self.record.open(reader, seq)? {
            Some(Opened { head: Some(Head::Marker(marker)), .. }) => Ok(Some(marker)),
            _ => Ok(None),
        }
    }

    /// The facts of a visit's report; `None` for what has none.
    pub(crate) fn facts_of(
        &mut self,
        reader: &dyn StoreReader,
        document: DocumentId,
    ) -> Result<Option<Facts>, RecordError> {
        let Some(slice) = self.slice_of(reader, document)? else { return Ok(None) };
        let Some(resident) = self.residents.load(&mut self.record, reader, document, None)? else {
            return Ok(None);
        };
        if resident.unshowable || resident.note.heads().is_empty() {
            return Ok(None);
        }
        let note = resident.note.clone();
        let mut pending = resident.ledger.has_unsettled_holds();
        let arrivals = resident.ledger.arrivals();
        let received = arrivals.iter().map(|arrival| arrival.received_at).max().unwrap_or_default();
        let home = resident.ledger.home(self.config.clinic);
        let episode = resident.shown().episode;
        let mut around = Around { arrivals, ..Around::default() };
        for fellow in self.day_fellows(reader, &slice, false)? {
            pending |= self.is_pending(reader, fellow.document)?;
            around.patient_day.push(fellow);
        }
        around.provider_day = self.day_fellows(reader, &slice, true)?;
        around.claim = self.claim_of(reader, document, &around.patient_day)?;
        let patient = slice.patient.and_then(|id| self.directory.with_every_team(id));
        around.patient = patient.as_ref().map(facts::patient);
        around.episode = self.episode_facts(reader, episode, &slice)?;
        // People and settings as the clinic says where the note was begun, so that every clinic that holds
        // it computes from the same.
        let here = self.config.clinic;
        let people = self.directory.people_for(here, home);
        around.people = people.into_iter().map(|(id, person)| (id, facts::person(person))).collect();
        let settings = self.directory.settings_for(here, home);
        if let Some(settings) = settings {
            around.settings.clone_from(&settings.rules);
        }
        let offset = settings.map_or(0, |settings| settings.utc_offset_minutes);
        let unheard = self.directory.unheard(here, slice.patient, &facts::dates(&slice));
        let standing = match (pending, unheard.is_empty()) {
            (true, _) => Standing::Pending,
            (false, false) => Standing::Provisional,
            (false, true) => Standing::Complete,
        };
        let as_of = received.clock_time(offset).local_date();
        Ok(Some(facts::gather(&note, around, as_of, standing)))
    }

    fn is_pending(&mut self, reader: &dyn StoreReader, document: DocumentId) -> Result<bool, RecordError> {
        let resident = self.residents.load(&mut self.record, reader, document, None)?;
        Ok(resident.is_some_and(|resident| resident.ledger.has_unsettled_holds()))
    }

    /// The other notes of the day: of the patient, or of any provider of this note.
    fn day_fellows(
        &mut self,
        reader: &dyn StoreReader,
        slice: &DaySlice,
        of_providers: bool,
    ) -> Result<Vec<DaySlice>, RecordError> {
        let (dates, providers) = (facts::dates(slice), facts::providers(slice));
        let mut documents = BTreeSet::new();
        for date in &dates {
            let vault = &self.record.vault;
            let names: Vec<Key> = if of_providers {
                providers.iter().map(|person| keys::provider_day(vault, *person, *date)).collect()
            } else {
                slice.patient.iter().map(|patient| keys::patient_day(vault, *patient, *date)).collect()
            };
            for name in names {
                documents.extend(self.members(reader, name)?);
            }
        }
        documents.remove(&slice.document);
        let mut fellows = Vec::new();
        for document in documents.into_iter().take(DAY_NOTES_MAX) {
            let Some(fellow) = self.slice_of(reader, document)? else { continue };
            let same_date = facts::dates(&fellow).iter().any(|date| dates.contains(date));
            let related = if of_providers {
                facts::providers(&fellow).iter().any(|person| providers.contains(person))
            } else {
                fellow.patient.is_some() && fellow.patient == slice.patient
            };
            if same_date && related {
                fellows.push(fellow);
            }
        }
        Ok(fellows)
    }

    fn episode_facts(
        &mut self,
        reader: &dyn StoreReader,
        episode: Option<DocumentId>,
        slice: &DaySlice,
    ) -> Result<Option<Course>, RecordError> {
        let Some(id) = episode else { return Ok(None) };
        let Some(resident) = self.residents.load(&mut self.record, reader, id, None)? else {
            return Ok(None);
        };
        if resident.note.kind() != Kind::Episode {
            return Ok(None);
        }
        let heads = resident.note.heads();
        // Of a plan whose work is all held back nobody else knows anything.
        if heads == BTreeSet::from([genesis_hash(Kind::Episode)]) {
            return Ok(None);
        }
        let read = resident.note.read_episode().value.clone();
        let mut visits = Vec::new();
        for document in self.members(reader, keys::episode(&self.record.vault, id))? {
            let resident = self.residents.load(&mut self.record, reader, document, None)?;
            visits.extend(resident.and_then(|resident| resident.shown().visit.clone()));
        }
        Ok(Some(course(&read, heads, slice, visits)))
    }

    /// The documents that were ever placed under a key.
    pub(crate) fn members(
        &mut self,
        reader: &dyn StoreReader,
        name: Key,
    ) -> Result<BTreeSet<DocumentId>, RecordError> {
        self.members.under(&self.record, reader, name)
    }

    /// What other notes' reports see of a visit.
    pub(crate) fn slice_of(
        &mut self,
        reader: &dyn StoreReader,
        document: DocumentId,
    ) -> Result<Option<DaySlice>, RecordError> {
        let Some(resident) = self.residents.load(&mut self.record, reader, document, None)? else {
            return Ok(None);
        };
        Ok(resident.shown().slice.clone())
    }

    /// The reports that read a piece of reference data, where these are not all.
    pub(crate) fn touch_by_reference(
        &mut self,
        reader: &dyn StoreReader,
        reference: &Reference,
    ) -> Result<(), RecordError> {
        match reference {
            Reference::Patient(patient) => {
                let told = |patient: &Patient| facts::patient(patient);
                let before = self.directory.patients.get(&patient.id).map(told);
                if before != Some(told(patient)) {
                    let members = self.members(reader, keys::patient(&self.record.vault, patient.id))?;
                    self.stale.extend(members);
                }
            }
            Reference::Claim(claim) => {
                self.stale.insert(claim.visit);
                if let Some(slice) = self.slice_of(reader, claim.visit)? {
                    let fellows = self.day_fellows(reader, &slice, false)?;
                    self.stale.extend(fellows.into_iter().map(|fellow| fellow.document));
                }
            }
            Reference::Person(_)
            | Reference::Settings(_)
            | Reference::Appointment(_)
            | Reference::Device(_)
            | Reference::Peer(_)
            | Reference::Sharing(_)
            | Reference::DayClosed(_)
            | Reference::Transfer(_) => {}
        }
        Ok(())
    }

    /// The last claim made for a visit, and beside it the lines already sent for its fellows of the day.
    fn claim_of(
        &mut self,
        reader: &dyn StoreReader,
        document: DocumentId,
        fellows: &[DaySlice],
    ) -> Result<Option<ClaimFacts>, RecordError> {
        let Some(mut claim) = self.last_claim(reader, document)? else { return Ok(None) };
        for fellow in fellows {
            if let Some(other) = self.last_claim(reader, fellow.document)?.filter(|other| !other.draft) {
                claim.sent_beside.extend(other.lines);
            }
        }
        Ok(Some(claim))
    }

    fn last_claim(
        &mut self,
        reader: &dyn StoreReader,
        document: DocumentId,
    ) -> Result<Option<ClaimFacts>, RecordError> {
        let name = keys::claim(&self.record.vault, document);
        let Some(seq) = reader.find_last(name, u64::MAX)? else { return Ok(None) };
        let Some(opened) = self.record.open(reader, seq)? else { return Ok(None) };
        let body = self.record.body(reader, &opened)?;
        match serde_json::from_slice(&body) {
            Ok(Reference::Claim(Claim { claim, .. })) => Ok(Some(claim)),
            _ => Ok(None),
        }
    }

    /// The reports of patients treated at several clinics: one of them has said how far it is complete.
    pub(crate) fn touch_shared(&mut self, reader: &dyn StoreReader) -> Result<(), RecordError> {
        let patients: Vec<_> = self.directory.sharings.keys().copied().collect();
        for patient in patients {
            let members = self.members(reader, keys::patient(&self.record.vault, patient))?;
            self.stale.extend(members);
        }
        Ok(())
    }

    /// Every visit's report may be touched: the rulebook, a person or the settings changed.
    pub(crate) fn touch_everything(&mut self, reader: &dyn StoreReader) -> Result<(), RecordError> {
        let mut documents = Vec::new();
        self.record.each(reader, keys::documents(&self.record.vault), 0, |opened| {
            documents.extend(opened.document);
            Ok(())
        })?;
        self.stale.extend(documents);
        Ok(())
    }
}

fn marker_of(published: &Published, digest: [u8; 32], through: u64) -> Marker {
    let report = &published.report;
    let count = |severity: Severity| {
        u32::try_from(report.findings.iter().filter(|finding| finding.severity == severity).count())
            .unwrap_or(u32::MAX)
    };
    let counts = [count(Severity::Blocker), count(Severity::Warning), count(Severity::Advice)];
    let worst = match counts {
        [0, 0, 0] => 0,
        [0, 0, _] => 1,
        [0, _, _] => 2,
        _ => 3,
    };
    Marker {
        digest: Hash::from(digest),
        through,
        rulebook: report.rulebook.fingerprint.clone(),
        worst,
        counts,
        disputed: report.pools.iter().any(|pool| matches!(pool.outcome, PoolOutcome::Disputed { .. })),
        ready: matches!(report.bill, BillState::Ready),
    }
}
