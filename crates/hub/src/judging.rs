//! Judging: after the receipt, each change against its own ancestry, on one clone.
//!
//! Policy (a revoked tablet, a role that may not write) holds work back; the gate admits or rejects the
//! rest. The hub hands out cases and takes judgements back, so that the owner chooses where they are
//! reached; every verdict is signed and becomes an entry; after a crash before that it is reached again,
//! equal. Nothing here answers a tablet: what it decides is read from the feed.

use std::collections::BTreeMap;

use chart::entropy::Entropy;
use chart::ids::{ChangeHash, DeviceId, DocumentId, PersonId};
use chart::reference::Role;
use chart::time::Timestamp;
use session_note::admission::Submitted;
use store::StoreReader;
use sync_protocol::{Outcome as WireOutcome, ReasonCode};

use crate::case::{Case, Judgement};
use crate::entry::{Head, Work};
use crate::fresh::FreshWork;
use crate::hub::{Arrived, ConnectionId, Hub};
use crate::ledger::Fate;
use crate::limits::{CASE_BYTES, CASE_CHANGES_MAX, CASE_OPS, FAIR_ENTRIES};
use crate::moved::{Came, moved_ruling};
use crate::overruled::claims_place;
use crate::record::RecordError;
use crate::resident::{submitted_of, work_note};
use crate::ruling::{Docket, Ruling, follows, made_twice, ruling_of};

/// A piece of work that is being looked at.
#[derive(Default)]
struct OpenWork {
    /// Why all of it is held back, if it is.
    held: Option<Ruling>,
    /// Who wrote it and when it came.
    by: Option<Came>,
    /// Its changes with their places in it.
    changes: BTreeMap<ChangeHash, (usize, Submitted)>,
}

impl OpenWork {
    fn new(held: Option<Ruling>, work: &Work, changes: Vec<Submitted>) -> Self {
        let placed = changes.into_iter().enumerate();
        let placed = placed.map(|(place, change)| (change.candidate.sketch().hash, (place, change)));
        Self { held, by: Some(Came::of(work)), changes: placed.collect() }
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
        let Arrived { document, work, cost_bytes } = work;
        let (note, received_at) = work_note(&work.head);
        let clock_ahead_ms = work.head.clock_ahead_ms;
        self.fresh.keep(seq, work);
        self.unjudged_cost.insert(seq, (note.device, cost_bytes, note.hashes.len()));
        if let Some(connection) = self.connections.get_mut(&connection) {
            connection.brought.insert(seq);
        }
        match self.residents.load(&mut self.record, reader, document, None) {
            Ok(Some(resident)) => {
                let ledger = &mut resident.ledger;
                ledger.carriers.extend(self.carried.get(&document).into_iter().flatten());
                let waits = |hash: &&ChangeHash| !ledger.is_whole(hash);
                self.metrics.waiting += note.hashes.iter().filter(waits).count() as u64;
                let waited = ledger.has_followers() && ledger.has_unsettled_holds();
                ledger.durable(seq, note, received_at, clock_ahead_ms);
                let open = ledger.is_open(seq);
                if waited && !ledger.has_unsettled_holds() {
                    // Reports of other notes said that this one waits.
                    resident.shown = None;
                    self.touched.extend(resident.shown().days(&self.record.vault));
                }
                if !open {
                    // Another push brought all of it first.
                    self.give_back(seq);
                    return;
                }
            }
            // Without the document the work stays in the log; the next start judges it.
            _ => return,
        }
        self.unjudged.insert(seq, document);
    }

    /// Does up to `steps` pieces of the work that follows receipts: verdicts first, then reports.
    /// Returns whether more waits.
    pub fn work(&mut self, entropy: &mut dyn Entropy, reader: &dyn StoreReader, steps: usize) -> bool {
        for _ in 0..steps {
            if let Some(case) = self.next_case(reader, &|_| false) {
                let judgement = case.judge();
                self.take_judgement(entropy, reader, judgement);
            } else if self.read_only.is_some() || !self.work_on_reports(entropy, reader) {
                break;
            }
        }
        let more = self.after_work(entropy, reader);
        more || self.cases_wait()
    }

    /// [`Hub::work`] without the verdicts, for an owner who has cases judged elsewhere and asks for the next
    /// one itself. Returns whether more waits beside them.
    pub fn derive(&mut self, entropy: &mut dyn Entropy, reader: &dyn StoreReader, steps: usize) -> bool {
        for _ in 0..steps {
            if self.read_only.is_some() || !self.work_on_reports(entropy, reader) {
                break;
            }
        }
        self.after_work(entropy, reader)
    }

    fn after_work(&mut self, entropy: &mut dyn Entropy, reader: &dyn StoreReader) -> bool {
        if self.read_only.is_some() {
            return false;
        }
        let digests_wait = self.work_on_digests(entropy, reader);
        self.take_inboxes(entropy, reader);
        self.settle_imports(entropy, reader);
        let transfers_wait = self.follow_transfers(entropy, reader);
        self.keep_heard(entropy, reader);
        self.tell_carriers(entropy, reader);
        self.keep_snapshots(entropy, reader);
        self.let_documents_go();
        self.pump(reader);
        let reports_wait = !self.stale.is_empty() || !self.touched.is_empty();
        let readers_wait = self
            .woken
            .iter()
            .any(|id| self.connections.get(id).is_some_and(|connection| connection.session.writable()));
        transfers_wait || digests_wait || (reports_wait && self.uncommitted_places == 0) || readers_wait
    }

    /// Lets documents go that are not needed. One whose verdict is decided and not yet durable stays:
    /// built again from the log it would lack what was just admitted, and nothing would judge that again.
    pub(crate) fn let_documents_go(&mut self) {
        let leaving = self.residents.surplus(|document| self.is_at_rest(document));
        self.residents.let_go(&leaving);
    }

    /// Whether a case waits for [`Hub::next_case`].
    pub fn cases_wait(&self) -> bool {
        let waits = !(self.unjudged.is_empty() && self.releases.is_empty());
        waits && self.judged_now.is_none() && self.read_only.is_none()
    }

    /// The next case to be judged, if none is being judged. Its [`Judgement`] goes to
    /// [`Hub::take_judgement`]; until then the document's notes and reports stay as they are. Documents that
    /// `rest` are passed over for a while, except what a supervisor releases and what has waited for long.
    pub fn next_case(
        &mut self,
        reader: &dyn StoreReader,
        rests: &dyn Fn(DocumentId) -> bool,
    ) -> Option<Case> {
        if self.read_only.is_some() || self.judged_now.is_some() {
            return None;
        }
        while let Some(release) = self.releases.pop_front() {
            let document = release.document;
            match self.open_release(reader, release) {
                Ok(case) => return Some(self.begins(document, case)),
                Err((ticket, sentence)) => self.fail(ticket, sentence),
            }
        }
        while let Some(document) = self.next_document(rests) {
            self.unjudged.take(document);
            // Where the record cannot be read the work stays in the log without a verdict; the next start
            // tries again.
            if let Ok(Some(case)) = self.open_case(reader, document) {
                return Some(self.begins(document, case));
            }
        }
        None
    }

    fn begins(&mut self, document: DocumentId, (docket, case): (Docket, Case)) -> Case {
        self.judged_now = Some((document, docket));
        case
    }

    /// Documents in turn, so that a busy one holds up no other; but none waits until an opening would no
    /// longer find its work.
    fn next_document(&mut self, rests: &dyn Fn(DocumentId) -> bool) -> Option<DocumentId> {
        let (oldest, first) = self.unjudged.oldest()?;
        let next = self.unjudged.after(self.judged_last, |document| !rests(*document));
        let next = if self.tip.seq.saturating_sub(oldest) > FAIR_ENTRIES { Some(first) } else { next };
        self.judged_last = next.unwrap_or(self.judged_last);
        next
    }

    fn open_case(
        &mut self,
        reader: &dyn StoreReader,
        document: DocumentId,
    ) -> Result<Option<(Docket, Case)>, RecordError> {
        let Some(resident) = self.residents.load(&mut self.record, reader, document, None)? else {
            return Ok(None);
        };
        let patient = resident.shown().patient;
        let (note, ledger) = (resident.note.clone(), resident.ledger.clone());
        let mut docket = Docket::default();
        let mut moved = BTreeMap::new();
        let mut submitted: Vec<(u64, usize, Submitted)> = Vec::new();
        let mut opened: BTreeMap<u64, OpenWork> = BTreeMap::new();
        let (mut bytes, mut ops) = (0usize, 0u64);
        for (seq, hash) in ledger.next_to_judge(CASE_CHANGES_MAX) {
            if let std::collections::btree_map::Entry::Vacant(vacant) = opened.entry(seq) {
                vacant.insert(self.open_work(reader, seq)?);
            }
            let Some(work) = opened.get_mut(&seq) else { continue };
            let Some((place, change)) = work.changes.remove(&hash) else { continue };
            let sketch = change.candidate.sketch();
            let over = bytes.saturating_add(sketch.bytes_len) > CASE_BYTES
                || ops.saturating_add(sketch.ops) > CASE_OPS;
            // Of a change and what was made again from it the second is judged when the first has its verdict.
            let rivals = ledger.rivals(&hash);
            let with_rival = rivals.iter().any(|rival| docket.builds_on.contains_key(rival));
            if (over && !submitted.is_empty()) || with_rival {
                break;
            }
            docket.add(seq, (change.person, change.device), hash, &sketch.deps);
            let away = work.by.map(|came| self.directory.moved_from(came, sketch.time, document));
            let away = away.unwrap_or_default();
            let ruled = made_twice(&ledger, &hash).or_else(|| work.held.clone());
            let ruled = ruled.or_else(|| claims_place(&ledger, sketch));
            let ruled = ruled.or_else(|| follows(&ledger, &docket.rulings, &sketch.deps));
            match ruled.or_else(|| patient.filter(|one| away.contains(one)).map(|_| moved_ruling())) {
                Some(ruling) => _ = docket.rulings.insert(hash, ruling),
                None => {
                    if patient.is_none() && !away.is_empty() {
                        moved.insert(hash, away);
                    }
                    bytes = bytes.saturating_add(sketch.bytes_len);
                    ops = ops.saturating_add(sketch.ops);
                    submitted.push((seq, place, change));
                }
            }
        }
        if docket.works.is_empty() {
            return Ok(None);
        }
        // Of two changes that claim one place the earlier in the log stays.
        submitted.sort_by_key(|(seq, place, _)| (*seq, *place));
        let submitted = submitted.into_iter().map(|(_, _, change)| change).collect();
        Ok(Some((docket, Case::new(note, submitted, false).with_moved(moved))))
    }

    fn open_work(&mut self, reader: &dyn StoreReader, seq: u64) -> Result<OpenWork, RecordError> {
        if let Some(FreshWork { head, changes }) = self.fresh.get(seq) {
            return Ok(OpenWork::new(self.policy(head), head, changes.clone()));
        }
        let Some(opened) = self.record.open(reader, seq)? else { return Ok(OpenWork::default()) };
        let Some(Head::Work(work)) = opened.head.clone() else { return Ok(OpenWork::default()) };
        let changes = submitted_of(&mut self.record, reader, &opened, &work)?;
        Ok(OpenWork::new(self.policy(&work), &work, changes))
    }

    /// Takes a case's end: its verdicts become entries, and what follows from them becomes due.
    pub fn take_judgement(
        &mut self,
        entropy: &mut dyn Entropy,
        reader: &dyn StoreReader,
        judgement: Judgement,
    ) {
        let document = judgement.document();
        let Some((judged, docket)) = self.judged_now.take() else { return };
        if judged != document {
            self.judged_now = Some((judged, docket));
            return;
        }
        let ticket = docket.release.as_ref().map(|release| release.ticket);
        let ended = self.conclude(entropy, reader, docket, judgement);
        if let (Err(error), Some(ticket)) = (ended, ticket) {
            self.fail(ticket, error.to_string());
        }
    }

    fn conclude(
        &mut self,
        entropy: &mut dyn Entropy,
        reader: &dyn StoreReader,
        mut docket: Docket,
        judgement: Judgement,
    ) -> Result<(), RecordError> {
        let document = judgement.document();
        let Judgement { note, outcomes, held, moved } = judgement;
        let outcomes = outcomes.map_err(RecordError::Entry)?;
        let Some(resident) = self.residents.load(&mut self.record, reader, document, None)? else {
            return Ok(());
        };
        let mut resident = resident.clone();
        let shown = resident.shown().clone();
        resident.note = note;
        for (hash, sentence) in held {
            let reason =
                if moved.contains(&hash) { ReasonCode::CaseloadMoved } else { ReasonCode::NeedsAttention };
            docket.rulings.insert(hash, Ruling::new(WireOutcome::Held, reason, &sentence));
        }
        let released = docket.release.is_some();
        for (hash, outcome) in &outcomes {
            if let Some(ruling) = ruling_of(outcome) {
                let admitted = ruling.fate() == Fate::Admitted;
                docket.rulings.insert(*hash, if released && admitted { released_ruling() } else { ruling });
            }
        }
        docket.rule_followers(&resident.ledger);
        for (hash, ruling) in &docket.rulings {
            resident.ledger.judge(hash, ruling.fate());
        }
        self.settle_costs(&resident.ledger, docket.works.keys().copied());
        if !docket.rulings.is_empty()
            && let Some((seq, _)) = resident.ledger.next_to_judge(1).first()
        {
            self.unjudged.insert(*seq, document);
        }
        self.write_verdicts(entropy, reader, &shown, resident, &docket)?;
        match docket.release.take() {
            Some(release) => self.released(entropy, &release, &docket),
            None => Ok(()),
        }
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
}

fn released_ruling() -> Ruling {
    Ruling::new(WireOutcome::Admitted, ReasonCode::Released, "a supervisor released it")
}
