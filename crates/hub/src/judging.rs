//! Judging: after the receipt, in log order, each change against its own ancestry, on one clone.
//!
//! Policy (a revoked tablet, a role that may not write) holds work back; the gate admits or rejects the
//! rest. Every verdict is signed and becomes an entry; after a crash before that it is reached again,
//! equal. Nothing here answers a tablet: what it decides is read from the feed.

use std::collections::{BTreeMap, BTreeSet};

use chart::entropy::Entropy;
use chart::ids::{ChangeHash, DeviceId, DocumentId, PersonId};
use chart::reference::{Role, Scope};
use chart::time::Timestamp;
use ed25519_dalek::Signer;
use minicbor::bytes::ByteArray;
use session_note::admission::{GATE_VERSION, Submitted, code};
use session_note::admit::Outcome;
use session_note::facts;
use store::{Key, StoreReader};
use sync_protocol::{Outcome as WireOutcome, ReasonCode};

use crate::entry::{self, Head, Id, Places, Verdict, Work};
use crate::hub::{After, Arrived, ConnectionId, Hub};
use crate::keys;
use crate::ledger::Fate;
use crate::limits::SNAPSHOT_EVERY_ENTRIES;
use crate::record::RecordError;
use crate::resident::{Resident, fate_of, submitted_of};
use crate::shown::Shown;

/// A verdict before it is written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Ruling {
    outcome: u16,
    reason: u16,
    sentence: String,
}

impl Ruling {
    fn new(outcome: WireOutcome, reason: ReasonCode, sentence: &str) -> Self {
        Self { outcome: outcome.number(), reason: reason.number(), sentence: sentence.to_owned() }
    }
}

impl Hub {
    pub(crate) fn work_is_durable(
        &mut self,
        reader: &dyn StoreReader,
        connection: ConnectionId,
        work: Arrived,
        seq: u64,
    ) {
        let Arrived { document, note, received_at, clock_ahead_ms, cost_bytes } = work;
        self.unjudged_cost.insert(seq, (note.device, cost_bytes));
        if let Some(connection) = self.connections.get_mut(&connection) {
            connection.brought.insert(seq);
        }
        match self.residents.load(&mut self.record, reader, document, None) {
            Ok(Some(resident)) => resident.ledger.durable(seq, note, received_at, clock_ahead_ms),
            // Without the document the work stays in the log; the next start judges it.
            _ => return,
        }
        self.unjudged.insert((seq, document));
    }

    /// Does up to `steps` pieces of the work that follows receipts: verdicts first, then reports.
    /// Returns whether more waits.
    pub fn work(&mut self, entropy: &mut dyn Entropy, reader: &dyn StoreReader, steps: usize) -> bool {
        for _ in 0..steps {
            if self.read_only.is_some() {
                return false;
            }
            if let Some((_, document)) = self.unjudged.first().copied() {
                if self.judge_document(entropy, reader, document).is_err() {
                    // Kept in the log without a verdict; the next start tries again.
                    self.unjudged.retain(|(_, waiting)| *waiting != document);
                }
            } else if !self.work_on_reports(entropy, reader) {
                break;
            }
        }
        self.keep_snapshots(entropy, reader);
        self.let_documents_go();
        self.pump(reader);
        let reports_wait = !self.stale.is_empty() || !self.touched.is_empty();
        let readers_wait = self
            .woken
            .iter()
            .any(|id| self.connections.get(id).is_some_and(|connection| connection.session.writable()));
        !self.unjudged.is_empty() || (reports_wait && self.uncommitted_places == 0) || readers_wait
    }

    /// Lets documents go that are not needed. One whose verdict is decided and not yet durable stays:
    /// built again from the log it would lack what was just admitted, and nothing would judge that again.
    fn let_documents_go(&mut self) {
        let leaving = self.residents.surplus(|document| self.is_at_rest(document));
        self.residents.let_go(&leaving);
    }

    fn judge_document(
        &mut self,
        entropy: &mut dyn Entropy,
        reader: &dyn StoreReader,
        document: DocumentId,
    ) -> Result<(), RecordError> {
        self.unjudged.retain(|(_, waiting)| *waiting != document);
        let Some(resident) = self.residents.load(&mut self.record, reader, document, None)? else {
            return Ok(());
        };
        let mut resident = resident.clone();
        let shown = resident.shown().clone();
        let mut rulings: BTreeMap<ChangeHash, Ruling> = BTreeMap::new();
        let mut submitted: Vec<Submitted> = Vec::new();
        let mut authors: BTreeMap<u64, (PersonId, DeviceId)> = BTreeMap::new();
        let works = resident.ledger.unjudged();
        for (seq, hashes) in &works {
            let Some(opened) = self.record.open(reader, *seq)? else { continue };
            let Some(Head::Work(work)) = opened.head.clone() else { continue };
            let held = self.policy(&work);
            authors.insert(*seq, (PersonId::from_bytes(*work.person), DeviceId::from_bytes(*work.device)));
            for change in submitted_of(&mut self.record, reader, &opened, &work)? {
                let sketch = change.candidate.sketch();
                if !hashes.contains(&sketch.hash) {
                    continue;
                }
                match held.clone().or_else(|| follows(&resident, &rulings, &sketch.deps)) {
                    Some(ruling) => _ = rulings.insert(sketch.hash, ruling),
                    None => submitted.push(change),
                }
            }
        }
        if !submitted.is_empty() {
            let admission =
                resident.note.admit(&submitted).map_err(|error| RecordError::Entry(error.to_string()))?;
            resident.note = admission.note;
            for (hash, outcome) in &admission.outcomes {
                match ruling_of(outcome) {
                    Some(ruling) => _ = rulings.insert(*hash, ruling),
                    None => self.metrics.waiting += 1,
                }
            }
        }
        for (hash, ruling) in &rulings {
            resident.ledger.judge(hash, fate_of(ruling.outcome, ruling.reason));
        }
        self.settle_costs(works.iter().map(|(seq, _)| *seq));
        self.write_verdicts(entropy, reader, &shown, resident, &works, &rulings, &authors)
    }

    /// Why a piece of work is held back whatever it says: read from entries below its own.
    fn policy(&self, work: &Work) -> Option<Ruling> {
        let device = self.directory.devices.get(&DeviceId::from_bytes(*work.device))?;
        let received = Timestamp::from_unix_ms(work.received_at_ms);
        if device.revoked_at.is_some_and(|revoked| revoked <= received) {
            let sentence = "the tablet was revoked before this work arrived; a supervisor decides";
            return Some(Ruling::new(WireOutcome::Held, ReasonCode::DeviceRevoked, sentence));
        }
        let person = self.directory.people.get(&PersonId::from_bytes(*work.person))?;
        let writes = [Role::Therapist, Role::Assistant, Role::Student, Role::Supervisor];
        if person.inactive || !person.roles.iter().any(|role| writes.contains(role)) {
            let sentence = "this person may not write notes here; a supervisor decides";
            return Some(Ruling::new(WireOutcome::Held, ReasonCode::Role, sentence));
        }
        None
    }

    /// Judges held changes as if the policy that held them did not stand, under their original authors,
    /// with what follows them. Returns how many were admitted.
    pub(crate) fn release_held(
        &mut self,
        entropy: &mut dyn Entropy,
        reader: &dyn StoreReader,
        document: DocumentId,
        hashes: &[ChangeHash],
    ) -> Result<usize, RecordError> {
        let Some(resident) = self.residents.load(&mut self.record, reader, document, None)? else {
            return Ok(0);
        };
        let mut resident = resident.clone();
        let shown = resident.shown().clone();
        let mut works: Vec<(u64, Vec<ChangeHash>)> = Vec::new();
        let mut authors = BTreeMap::new();
        let mut submitted = Vec::new();
        let mut released: BTreeSet<ChangeHash> = hashes.iter().copied().collect();
        for (seq, note) in resident.ledger.works.clone() {
            let Some(opened) = self.record.open(reader, seq)? else { continue };
            let Some(Head::Work(work)) = opened.head.clone() else { continue };
            let mut of_work = Vec::new();
            for change in submitted_of(&mut self.record, reader, &opened, &work)? {
                let sketch = change.candidate.sketch().clone();
                let fate = resident.ledger.fate(&sketch.hash);
                let follows = sketch.deps.iter().any(|dep| released.contains(dep))
                    && fate == Some(Fate::Held(ReasonCode::DependsOn));
                let asked = released.contains(&sketch.hash) && matches!(fate, Some(Fate::Held(_)));
                if asked || follows {
                    released.insert(sketch.hash);
                    of_work.push(sketch.hash);
                    submitted.push(change);
                }
            }
            if !of_work.is_empty() {
                authors.insert(seq, (note.person, note.device));
                works.push((seq, of_work));
            }
        }
        if submitted.is_empty() {
            return Ok(0);
        }
        let admission =
            resident.note.admit(&submitted).map_err(|error| RecordError::Entry(error.to_string()))?;
        resident.note = admission.note;
        let mut rulings = BTreeMap::new();
        for (hash, outcome) in &admission.outcomes {
            let ruling = match ruling_of(outcome) {
                Some(ruling) if ruling.outcome == WireOutcome::Admitted.number() => {
                    Ruling::new(WireOutcome::Admitted, ReasonCode::Released, "a supervisor released it")
                }
                Some(ruling) => ruling,
                None => continue,
            };
            resident.ledger.judge(hash, fate_of(ruling.outcome, ruling.reason));
            rulings.insert(*hash, ruling);
        }
        let admitted =
            rulings.values().filter(|ruling| ruling.outcome == WireOutcome::Admitted.number()).count();
        self.write_verdicts(entropy, reader, &shown, resident, &works, &rulings, &authors)?;
        Ok(admitted)
    }

    fn settle_costs(&mut self, works: impl Iterator<Item = u64>) {
        for seq in works {
            if let Some((device, cost)) = self.unjudged_cost.remove(&seq)
                && let Some(waiting) = self.unjudged_bytes.get_mut(&device)
            {
                *waiting = waiting.saturating_sub(cost);
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "a verdict is made of all of these")]
    fn write_verdicts(
        &mut self,
        entropy: &mut dyn Entropy,
        reader: &dyn StoreReader,
        shown: &Shown,
        mut resident: Resident,
        works: &[(u64, Vec<ChangeHash>)],
        rulings: &BTreeMap<ChangeHash, Ruling>,
        authors: &BTreeMap<u64, (PersonId, DeviceId)>,
    ) -> Result<(), RecordError> {
        let document = resident.note.id();
        resident.shown = None;
        resident.shown();
        let admitted = rulings.values().any(|ruling| ruling.outcome == WireOutcome::Admitted.number());
        let written_by: Vec<PersonId> = authors.values().map(|(person, _)| *person).collect();
        let before = resident.ledger.caseloads.clone();
        let places = if admitted { self.places(&mut resident, &written_by) } else { None };
        let mut scopes: BTreeSet<Scope> =
            resident.ledger.caseloads.iter().chain(&before).map(|person| Scope::Caseload(*person)).collect();
        scopes.insert(Scope::Clinic);
        let scope_keys: Vec<Key> =
            scopes.into_iter().map(|scope| keys::scope(&self.record.vault, scope)).collect();
        for (seq, hashes) in works {
            let mut groups: BTreeMap<&Ruling, Vec<ChangeHash>> = BTreeMap::new();
            for hash in hashes {
                if let Some(ruling) = rulings.get(hash) {
                    groups.entry(ruling).or_default().push(*hash);
                }
            }
            for (ruling, hashes) in groups {
                self.count(ruling, hashes.len() as u64);
                let device = authors.get(seq).map(|(_, device)| *device);
                let verdict = self.signed(document, *seq, ruling, &hashes);
                let vault = &self.record.vault;
                let mut names = vec![keys::document(vault, document), keys::verdicts(vault)];
                names.extend(device.map(|device| keys::device(vault, device)));
                if fate_of(ruling.outcome, ruling.reason) == Fate::Admitted {
                    names.extend(&scope_keys);
                } else {
                    names.push(keys::quarantine(vault));
                }
                let head = Head::Verdict(verdict);
                let entry = self.record.seal(reader, entropy, document, names, &head, &[])?;
                self.push_entry(Some(document), entry, Vec::new());
            }
        }
        if let Some((places, names)) = places {
            let entry = self.record.seal(reader, entropy, document, names, &Head::Places(places), &[])?;
            self.uncommitted_places += 1;
            self.push_entry(Some(document), entry, vec![After::Places]);
        }
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

    fn count(&mut self, ruling: &Ruling, changes: u64) {
        match fate_of(ruling.outcome, ruling.reason) {
            Fate::Admitted => self.metrics.admitted += changes,
            Fate::Held(_) => self.metrics.held += changes,
            Fate::Rejected(_) => self.metrics.rejected += changes,
            Fate::Unjudged => {}
        }
    }

    fn signed(&self, document: DocumentId, work: u64, ruling: &Ruling, hashes: &[ChangeHash]) -> Verdict {
        let mut verdict = Verdict {
            work,
            outcome: ruling.outcome,
            reason: ruling.reason,
            sentence: ruling.sentence.clone(),
            hashes: entry::hashes(hashes),
            gate: GATE_VERSION,
            signature: ByteArray::from([0; 64]),
        };
        let signature = self.signer.sign(&entry::verdict_statement(document, &verdict));
        verdict.signature = ByteArray::from(signature.to_bytes());
        verdict
    }

    /// Where the document belongs from here on, if that has changed.
    fn places(&self, resident: &mut Resident, authors: &[PersonId]) -> Option<(Places, Vec<Key>)> {
        let vault = &self.record.vault;
        let document = resident.note.id();
        let shown = resident.shown().clone();
        let mut treating = shown.slice.as_ref().map(facts::providers).unwrap_or_default();
        let mut names = shown.days(vault);
        if let Some(patient) = shown.patient {
            names.insert(keys::patient(vault, patient));
            if let Some(patient) = self.directory.patients.get(&patient) {
                treating.extend(&patient.care_team);
            }
        }
        if treating.is_empty() {
            treating.extend(authors.first());
        }
        let ledger = &mut resident.ledger;
        let first = ledger.place_keys.is_empty();
        let new_names = names.iter().any(|name| !ledger.place_keys.contains(name));
        // Whoever wrote in a note without following it is told so, once: it is not theirs to keep.
        let strangers: BTreeSet<PersonId> = authors
            .iter()
            .filter(|author| !treating.contains(author) && !ledger.told_left.contains(author))
            .copied()
            .collect();
        if !first && !new_names && strangers.is_empty() && treating == ledger.caseloads {
            return None;
        }
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
        ledger.place_keys.extend(&all);
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
        for document in self.members(reader, keys::patient(&self.record.vault, patient))? {
            let Some(resident) = self.residents.load(&mut self.record, reader, document, None)? else {
                continue;
            };
            let mut resident = resident.clone();
            if let Some((places, names)) = self.places(&mut resident, &[]) {
                let entry = self.record.seal(reader, entropy, document, names, &Head::Places(places), &[])?;
                self.uncommitted_places += 1;
                self.push_entry(Some(document), entry, vec![After::Places]);
                self.residents.put(document, resident);
            }
        }
        Ok(())
    }

    fn keep_snapshots(&mut self, entropy: &mut dyn Entropy, reader: &dyn StoreReader) {
        let (due, later): (BTreeSet<DocumentId>, BTreeSet<DocumentId>) =
            std::mem::take(&mut self.snapshots_due)
                .into_iter()
                .partition(|document| self.is_at_rest(*document));
        self.snapshots_due = later;
        for document in due {
            let name = keys::snapshot(&self.record.vault, document);
            let Some(resident) = self.residents.get_mut(document) else { continue };
            let through = resident.ledger.through;
            let Ok(Some(entry)) = reader.entry(through) else { continue };
            let Some(snapshot) = resident.snapshot(entry.chain) else { continue };
            resident.snapshot_through = through;
            if let Some(sealed) = self.record.seal_kept(entropy, document, &snapshot) {
                self.keep.push((name, Some(sealed)));
            }
        }
    }
}

/// What follows from what a change builds on: held and rejected pass on to what follows them.
fn follows(
    resident: &Resident,
    rulings: &BTreeMap<ChangeHash, Ruling>,
    deps: &[ChangeHash],
) -> Option<Ruling> {
    let fate = |dep: &ChangeHash| match rulings.get(dep) {
        Some(ruling) => Some(fate_of(ruling.outcome, ruling.reason)),
        None => resident.ledger.fate(dep),
    };
    let fates: Vec<Fate> = deps.iter().filter_map(fate).collect();
    let sentence = "it builds on work that was not admitted";
    if fates.iter().any(|fate| matches!(fate, Fate::Rejected(_))) {
        return Some(Ruling::new(WireOutcome::Rejected, ReasonCode::DependsOn, sentence));
    }
    if fates.iter().any(|fate| matches!(fate, Fate::Held(_))) {
        return Some(Ruling::new(WireOutcome::Held, ReasonCode::DependsOn, sentence));
    }
    None
}

fn ruling_of(outcome: &Outcome) -> Option<Ruling> {
    match outcome {
        Outcome::Admitted | Outcome::AlreadyKnown => {
            Some(Ruling::new(WireOutcome::Admitted, ReasonCode::None, ""))
        }
        Outcome::Waiting { .. } => None,
        Outcome::Rejected { code, sentence } => {
            Some(Ruling::new(WireOutcome::Rejected, reason_of(*code), sentence))
        }
    }
}

fn reason_of(gate_code: u16) -> ReasonCode {
    match gate_code {
        201 => ReasonCode::Equivocation,
        202..=204 => ReasonCode::OutOfSequence,
        211 => ReasonCode::DependsOn,
        212 | 213 => ReasonCode::Unapplicable,
        code::SIGNED_FROZEN => ReasonCode::SignedFrozen,
        code::VERSION_REWRITTEN | code::ENTRY_REWRITTEN => ReasonCode::VersionRewritten,
        _ => ReasonCode::Structure,
    }
}
