//! Verdicts as entries: signed, written under every name they are looked for, with what follows from them
//! for where the document belongs. Decides nothing.

use std::collections::{BTreeMap, BTreeSet};

use chart::entropy::Entropy;
use chart::ids::{ChangeHash, ClinicId, DocumentId, PatientId, PersonId};
use chart::reference::Scope;
use ed25519_dalek::Signer;
use minicbor::bytes::ByteArray;
use session_note::admission::GATE_VERSION;
use session_note::facts;
use store::{Key, StoreReader};
use sync_protocol::Outcome as WireOutcome;

use crate::entry::{self, Head, Id, Places, Verdict};
use crate::hub::{After, Hub};
use crate::keys;
use crate::ledger::{Fate, Ledger};
use crate::limits::SNAPSHOT_EVERY_ENTRIES;
use crate::record::RecordError;
use crate::resident::Resident;
use crate::ruling::{Docket, Ruling};
use crate::shown::Shown;

impl Hub {
    /// Gives back the room of work that is judged to its end; what waits for something missing keeps it.
    pub(crate) fn settle_costs(&mut self, ledger: &Ledger, works: impl Iterator<Item = u64>) {
        works.filter(|seq| !ledger.is_open(*seq)).for_each(|seq| self.give_back(seq));
    }

    /// Gives back the room of a piece of work.
    pub(crate) fn give_back(&mut self, seq: u64) {
        self.fresh.forget(seq);
        if let Some((device, cost, changes)) = self.unjudged_cost.remove(&seq)
            && let Some(waiting) = self.backlog.get_mut(&device)
        {
            waiting.bytes = waiting.bytes.saturating_sub(cost);
            waiting.changes = waiting.changes.saturating_sub(changes);
        }
    }

    pub(crate) fn write_verdicts(
        &mut self,
        entropy: &mut dyn Entropy,
        reader: &dyn StoreReader,
        shown: &Shown,
        mut resident: Resident,
        docket: &Docket,
    ) -> Result<(), RecordError> {
        let Docket { rulings, authors, .. } = docket;
        let document = resident.note.id();
        resident.shown = None;
        resident.shown();
        let admitted = rulings.values().any(|ruling| ruling.outcome == WireOutcome::Admitted.number());
        let written_by: Vec<PersonId> = authors.values().map(|(person, _)| *person).collect();
        let before = (resident.ledger.caseloads.clone(), resident.ledger.sites.clone());
        let places = if admitted { self.places(&mut resident, &written_by) } else { None };
        let mut scope_keys = self.scope_keys(&resident.ledger, &before);
        let patient = resident.shown().patient;
        let still_told = self.still_told(&resident.ledger, patient);
        scope_keys.extend(still_told.map(|home| keys::scope(&self.record.vault, Scope::Site(home))));
        let rejection_keys = self.rejection_keys(&resident.ledger);
        let sites = resident.ledger.sites.clone();
        for (seq, hashes) in docket.in_order() {
            let mut groups: BTreeMap<&Ruling, Vec<ChangeHash>> = BTreeMap::new();
            for hash in hashes {
                if let Some(ruling) = rulings.get(&hash) {
                    groups.entry(ruling).or_default().push(hash);
                }
            }
            for (ruling, hashes) in groups {
                self.count(ruling, hashes.len() as u64);
                let device = authors.get(&seq).map(|(_, device)| *device);
                let verdict = self.signed(document, seq, ruling, &hashes);
                let vault = &self.record.vault;
                let mut names = vec![keys::document(vault, document), keys::verdicts(vault)];
                names.extend(device.map(|device| keys::device(vault, device)));
                if ruling.fate() == Fate::Admitted {
                    names.extend(&scope_keys);
                } else {
                    names.push(keys::quarantine(vault));
                    if matches!(ruling.fate(), Fate::Rejected(_)) {
                        names.extend(&rejection_keys);
                    }
                    // Other clinics hear that something is held back, and nothing of what it says.
                    names.extend(sites.iter().map(|site| keys::scope(vault, Scope::Site(*site))));
                }
                let head = Head::Verdict(verdict);
                let entry = self.record.seal(reader, entropy, document, names, &head, &[])?;
                self.push_entry(Some(document), entry, Vec::new());
            }
        }
        self.write_places(entropy, reader, document, places)?;
        self.touch(shown, &resident);
        if admitted {
            let due = resident.ledger.through >= resident.snapshot_through + SNAPSHOT_EVERY_ENTRIES;
            if due || resident.snapshot_through == 0 {
                self.snapshots_due.insert(document);
            }
        }
        self.residents.put(document, resident);
        Ok(())
    }

    /// The scopes whose feeds an admitted change of a document stands in: those that see it or saw it.
    pub(crate) fn scope_keys(
        &self,
        ledger: &Ledger,
        (caseloads, sites): &(BTreeSet<PersonId>, BTreeSet<ClinicId>),
    ) -> Vec<Key> {
        let people = ledger.caseloads.iter().chain(caseloads).map(|person| Scope::Caseload(*person));
        let sites = ledger.sites.iter().chain(sites).map(|site| Scope::Site(*site));
        let scopes: BTreeSet<Scope> = people.chain(sites).chain([Scope::Clinic]).collect();
        scopes.into_iter().map(|scope| keys::scope(&self.record.vault, scope)).collect()
    }

    /// The clinic that keeps a patient's file, if it holds a note that is not shared with it any more: what is
    /// still written here is told to it, so that nothing stays where nobody looks for it.
    pub(crate) fn still_told(&self, ledger: &Ledger, patient: Option<PatientId>) -> Option<ClinicId> {
        let home = self.directory.sharings.get(&patient?)?.home;
        (ledger.sites_ever.contains(&home) && !ledger.sites.contains(&home)).then_some(home)
    }

    /// Writes where a document belongs from here on, if that has changed.
    pub(crate) fn write_places(
        &mut self,
        entropy: &mut dyn Entropy,
        reader: &dyn StoreReader,
        document: DocumentId,
        places: Option<(Places, Vec<Key>)>,
    ) -> Result<(), RecordError> {
        let Some((places, names)) = places else { return Ok(()) };
        let entry = self.record.seal(reader, entropy, document, names, &Head::Places(places), &[])?;
        self.uncommitted_places += 1;
        self.push_entry(Some(document), entry, vec![After::Places]);
        Ok(())
    }

    fn count(&mut self, ruling: &Ruling, changes: u64) {
        match ruling.fate() {
            Fate::Admitted => self.metrics.admitted += changes,
            Fate::Held(_) => self.metrics.held += changes,
            Fate::Rejected(_) => self.metrics.rejected += changes,
            Fate::Unjudged => {}
        }
    }

    pub(crate) fn signed(
        &self,
        document: DocumentId,
        work: u64,
        ruling: &Ruling,
        hashes: &[ChangeHash],
    ) -> Verdict {
        let mut verdict = Verdict {
            work,
            outcome: ruling.outcome,
            reason: ruling.reason,
            sentence: ruling.sentence.clone(),
            hashes: entry::hashes(hashes),
            gate: GATE_VERSION,
            signature: ByteArray::from([0; 64]),
            origin: None,
        };
        let signature = self.signer.sign(&entry::verdict_statement(document, &verdict));
        verdict.signature = ByteArray::from(signature.to_bytes());
        verdict
    }

    /// Where the document belongs from here on, if that has changed.
    pub(crate) fn places(&self, resident: &mut Resident, authors: &[PersonId]) -> Option<(Places, Vec<Key>)> {
        let vault = &self.record.vault;
        let document = resident.note.id();
        let shown = resident.shown().clone();
        let mut treating = shown.slice.as_ref().map(facts::providers).unwrap_or_default();
        let mut names = shown.days(vault);
        if let Some(patient) = shown.patient {
            names.insert(keys::patient(vault, patient));
            let signed = shown.visit.as_ref().is_some_and(|visit| visit.facts.signed);
            treating.retain(|person| !(signed && self.directory.has_left(*person, patient)));
            if let Some(patient) = self.directory.patients.get(&patient) {
                treating.extend(&patient.care_team);
            }
        }
        let sites = self.directory.sites_of(self.config.clinic, shown.patient);
        if treating.is_empty() {
            treating.extend(authors.first());
        }
        let ledger = &mut resident.ledger;
        let first = ledger.place_keys.is_empty();
        let new_names = names.iter().any(|name| !ledger.place_keys.contains(name));
        // Whoever wrote in a note or carried it without following it is told so, once: it is not theirs to keep.
        let carrying = self.carrying_people(ledger);
        let strangers: BTreeSet<PersonId> = authors
            .iter()
            .chain(&carrying)
            .filter(|author| !treating.contains(author) && !ledger.told_left.contains(author))
            .copied()
            .collect();
        let same_readers = treating == ledger.caseloads && sites == ledger.sites;
        if !first && !new_names && strangers.is_empty() && same_readers {
            return None;
        }
        let sites_entered: Vec<ClinicId> = sites.difference(&ledger.sites).copied().collect();
        let entered: Vec<PersonId> = treating.difference(&ledger.caseloads).copied().collect();
        let left: BTreeSet<PersonId> =
            ledger.caseloads.difference(&treating).copied().chain(strangers).collect();
        let left: Vec<PersonId> = left.into_iter().collect();
        let mut all: Vec<Key> = vec![keys::document(vault, document)];
        all.extend(&names);
        // The first verdict itself lies in the feed of those who follow the note from the start.
        let entered_later = entered.iter().filter(|_| !first);
        let moved = entered_later.chain(&left);
        all.extend(moved.map(|person| keys::scope(vault, Scope::Caseload(*person))));
        // A clinic that is given the document has none of what came before; one that is given it no more reads
        // that nothing more comes. What a clinic reads is what both compare.
        let sites_changed = sites.symmetric_difference(&ledger.sites);
        all.extend(sites_changed.map(|site| keys::scope(vault, Scope::Site(*site))));
        ledger.place_keys.extend(&all);
        ledger.placed_at(sites);
        ledger.moved(&entered, &left);
        ledger.caseloads = treating;
        let ids = |people: &[PersonId]| people.iter().map(|person| Id::from(*person.as_bytes())).collect();
        let caseloads: Vec<PersonId> = ledger.caseloads.iter().copied().collect();
        let places = Places {
            entered: ids(&entered),
            left: ids(&left),
            caseloads: ids(&caseloads),
            first,
            kind: resident.note.kind().number(),
            sites_entered: site_ids(sites_entered),
            sites: site_ids(resident.ledger.sites.iter().copied().collect()),
        };
        Some((places, all))
    }

    /// Writes new places for documents of a patient whose care team changed.
    pub(crate) fn replace_patient(
        &mut self,
        entropy: &mut dyn Entropy,
        reader: &dyn StoreReader,
        patient: chart::ids::PatientId,
    ) -> Result<(), RecordError> {
        let mut documents = self.members(reader, keys::patient(&self.record.vault, patient))?;
        // What was placed a moment ago is in no index before it is durable; until then it stays in memory.
        documents.extend(self.residents.placed_with(patient));
        for document in documents {
            let Some(resident) = self.residents.load(&mut self.record, reader, document, None)? else {
                continue;
            };
            let mut resident = resident.clone();
            let places = self.places(&mut resident, &[]);
            if places.is_some() {
                self.write_places(entropy, reader, document, places)?;
                self.residents.put(document, resident);
            }
        }
        Ok(())
    }

    pub(crate) fn keep_snapshots(&mut self, entropy: &mut dyn Entropy, reader: &dyn StoreReader) {
        let (due, later): (BTreeSet<DocumentId>, BTreeSet<DocumentId>) =
            std::mem::take(&mut self.snapshots_due)
                .into_iter()
                .partition(|document| self.is_at_rest(*document));
        self.snapshots_due = later;
        for document in due {
            let name = keys::snapshot(&self.record.vault, document);
            let Some(resident) = self.residents.get_mut(document) else { continue };
            // At rest everything of the document is in the log as far as it goes: the verdicts too, without
            // which a restored log would not vouch for what is in the snapshot.
            let through = self.tip.seq;
            let Ok(Some(entry)) = reader.entry(through) else { continue };
            let Some(snapshot) = resident.snapshot(through, entry.chain) else { continue };
            resident.snapshot_through = through;
            if let Some(sealed) = self.record.seal_kept(entropy, document, &snapshot) {
                self.keep.push((name, Some(sealed)));
            }
        }
    }
}

fn site_ids(sites: Vec<ClinicId>) -> Option<Vec<Id>> {
    let ids = sites.into_iter().map(|site| Id::from(*site.as_bytes())).collect::<Vec<_>>();
    (!ids.is_empty()).then_some(ids)
}
