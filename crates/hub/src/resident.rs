//! Documents in memory: built from a kept snapshot and the log, or from the log alone, and let go again.
//!
//! Memory does not grow with the number of notes: at most `documents_resident_max` stay, the least
//! recently used go first, and what goes can always be built again.

use std::collections::{BTreeMap, BTreeSet};

use chart::ids::{ChangeHash, ClinicId, DeviceId, DocumentId, PatientId, PersonId};
use chart::time::Timestamp;
use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};
use session_note::NoteDocument;
use session_note::admission::Submitted;
use session_note::admit::{Candidate, Limits, Outcome};
use session_note::schema::{Kind, genesis_hash};
use store::{Chain, StoreReader};
use sync_protocol::{Outcome as WireOutcome, ReasonCode};

use crate::entry::{self, Hash, Head, Work};
use crate::keys;
use crate::ledger::{Fate, Known, Ledger, WorkNote};
use crate::limits::ASKED_TO_LEAVE;
use crate::record::{Opened, Record, RecordError};
use crate::shown::Shown;

/// A document in memory.
#[derive(Clone)]
pub(crate) struct Resident {
    pub(crate) note: NoteDocument,
    pub(crate) ledger: Ledger,
    /// Something that was admitted cannot be applied here: the document is not shown, its bytes stay.
    pub(crate) unshowable: bool,
    pub(crate) snapshot_through: u64,
    /// What it shows beyond itself, once that was asked for in this state.
    pub(crate) shown: Option<Shown>,
    used: u64,
}

/// The documents in memory.
pub(crate) struct Residents {
    documents: BTreeMap<DocumentId, Resident>,
    /// The same by when they were last used.
    by_use: BTreeMap<u64, DocumentId>,
    clock: u64,
    max: usize,
    pub(crate) replayed: u64,
}

#[derive(Encode, Decode)]
struct Snapshot {
    #[n(0)]
    format: u32,
    #[n(1)]
    through: u64,
    #[n(2)]
    chain: Hash,
    #[n(3)]
    kind: u8,
    #[n(4)]
    note: ByteVec,
}

const SNAPSHOT_FORMAT: u32 = 1;

impl Residents {
    pub(crate) fn new(max: usize) -> Self {
        Self { documents: BTreeMap::new(), by_use: BTreeMap::new(), clock: 0, max: max.max(1), replayed: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.documents.len()
    }

    pub(crate) fn get_mut(&mut self, document: DocumentId) -> Option<&mut Resident> {
        self.documents.get_mut(&document)
    }

    pub(crate) fn put(&mut self, document: DocumentId, resident: Resident) {
        // A copy may not know of later uses of what it replaces.
        let used = self.documents.get(&document).map_or(0, |there| there.used);
        self.documents.insert(document, Resident { used, ..resident });
        self.note_use(document);
    }

    fn note_use(&mut self, document: DocumentId) -> Option<&mut Resident> {
        let resident = self.documents.get_mut(&document)?;
        self.clock += 1;
        self.by_use.remove(&resident.used);
        resident.used = self.clock;
        self.by_use.insert(self.clock, document);
        Some(resident)
    }

    /// The document, loaded if need be; `None` if the log has never heard of it and no kind is given.
    pub(crate) fn load(
        &mut self,
        record: &mut Record,
        reader: &dyn StoreReader,
        document: DocumentId,
        kind: Option<Kind>,
    ) -> Result<Option<&mut Resident>, RecordError> {
        if !self.documents.contains_key(&document) {
            let found = build(record, reader, document)?;
            let resident = match (found, kind) {
                (Some(resident), _) => {
                    self.replayed += u64::from(resident.snapshot_through == 0);
                    resident
                }
                (None, Some(kind)) => Resident::new(document, kind),
                (None, None) => return Ok(None),
            };
            self.documents.insert(document, resident);
        }
        Ok(self.note_use(document))
    }

    /// The least recently used documents over the bound, of those that may go. Where many may not, only some are
    /// asked each time.
    pub(crate) fn surplus(&self, may_go: impl Fn(DocumentId) -> bool) -> Vec<DocumentId> {
        let over = self.documents.len().saturating_sub(self.max);
        if over == 0 {
            return Vec::new();
        }
        let asked = self.by_use.values().copied().take(ASKED_TO_LEAVE);
        asked.filter(|id| may_go(*id)).take(over).collect()
    }

    /// The documents in memory that were placed with a patient.
    pub(crate) fn placed_with(&self, patient: PatientId) -> Vec<DocumentId> {
        let placed = self.documents.iter().filter(|(_, resident)| {
            let of = resident.shown.as_ref().and_then(|shown| shown.patient);
            of == Some(patient) && !resident.ledger.place_keys.is_empty()
        });
        placed.map(|(document, _)| *document).collect()
    }

    pub(crate) fn let_go(&mut self, documents: &[DocumentId]) {
        for document in documents {
            if let Some(gone) = self.documents.remove(document) {
                self.by_use.remove(&gone.used);
            }
        }
    }
}

impl Resident {
    fn new(document: DocumentId, kind: Kind) -> Self {
        Self {
            note: NoteDocument::new(document, kind),
            ledger: Ledger::new(genesis_hash(kind)),
            unshowable: false,
            snapshot_through: 0,
            shown: None,
            used: 0,
        }
    }

    /// What it shows beyond itself.
    pub(crate) fn shown(&mut self) -> &Shown {
        let (note, ledger) = (&self.note, &self.ledger);
        self.shown.get_or_insert_with(|| Shown::of(note, ledger.has_unsettled_holds()))
    }

    /// Whether everything known of it is in the log.
    fn is_settled(&self) -> bool {
        // What waits for something missing stays in the log and is found there again.
        let settled = |known: &Known| known.fate != Fate::Unjudged || !known.whole;
        self.ledger.changes.values().all(|known| known.seq.is_some() && settled(known))
    }

    /// The snapshot to keep of the log up to an entry, verified by loading it; `None` while work waits or if
    /// it does not load.
    pub(crate) fn snapshot(&self, through: u64, chain: Chain) -> Option<Vec<u8>> {
        if !self.is_settled() || self.unshowable {
            return None;
        }
        let note = self.note.save_verified()?;
        let snapshot = Snapshot {
            format: SNAPSHOT_FORMAT,
            through,
            chain: Hash::from(chain.0),
            kind: self.note.kind().number(),
            note: note.into(),
        };
        minicbor::to_vec(snapshot).ok()
    }
}

fn build(
    record: &mut Record,
    reader: &dyn StoreReader,
    document: DocumentId,
) -> Result<Option<Resident>, RecordError> {
    let name = keys::document(&record.vault, document);
    let mut entries: Vec<Opened> = Vec::new();
    record.each(reader, name, 0, |opened| {
        entries.push(opened);
        Ok(())
    })?;
    let kind = entries.iter().find_map(|opened| match &opened.head {
        Some(Head::Work(work)) => Kind::from_number(work.kind),
        _ => None,
    });
    let Some(kind) = kind else { return Ok(None) };
    let snapshot = kept_snapshot(record, reader, document, kind);
    let mut resident = Resident::new(document, kind);
    if let Some((through, note)) = snapshot {
        resident.note = note;
        resident.snapshot_through = through;
    }
    let mut admitted: BTreeSet<ChangeHash> = BTreeSet::new();
    let mut bodies: BTreeMap<ChangeHash, Submitted> = BTreeMap::new();
    for opened in entries {
        resident.ledger.through = resident.ledger.through.max(opened.seq);
        match &opened.head {
            Some(Head::Work(work)) => {
                for submitted in submitted_of(record, reader, &opened, work)? {
                    resident.ledger.arrive(submitted.candidate.sketch());
                    bodies.insert(submitted.candidate.sketch().hash, submitted);
                }
                let (note, received_at) = work_note(work);
                resident.ledger.carriers.extend(work.carrier.map(|carrier| DeviceId::from_bytes(*carrier)));
                resident.ledger.durable(opened.seq, note, received_at, work.clock_ahead_ms);
            }
            Some(Head::Verdict(verdict)) => {
                let fate = fate_of(verdict.outcome, verdict.reason);
                for hash in entry::change_hashes(&verdict.hashes) {
                    resident.ledger.judge(&hash, fate);
                    if fate == Fate::Admitted {
                        admitted.insert(hash);
                    }
                }
            }
            Some(Head::Places(places)) => {
                let people = |ids: &[entry::Id]| -> Vec<PersonId> {
                    ids.iter().map(|id| PersonId::from_bytes(**id)).collect()
                };
                resident.ledger.caseloads = people(&places.caseloads).into_iter().collect();
                resident.ledger.moved(&people(&places.entered), &people(&places.left));
                resident.ledger.place_keys.extend(&opened.keys);
                let sites = places.sites.iter().flatten();
                resident.ledger.placed_at(sites.map(|id| ClinicId::from_bytes(**id)).collect());
            }
            _ => {}
        }
    }
    resident.ledger.settle_twins();
    admitted.retain(|hash| resident.ledger.fate(hash) == Some(Fate::Admitted));
    if resident.ledger.overruled.keys().any(|hash| resident.note.contains(hash)) {
        // The snapshot was taken before it was known what stays.
        (resident.note, resident.snapshot_through) = (NoteDocument::new(document, kind), 0);
    }
    admitted.retain(|hash| !resident.note.contains(hash));
    let admitted: Vec<Submitted> = admitted.iter().filter_map(|hash| bodies.remove(hash)).collect();
    if !admitted.is_empty() {
        resident.apply_admitted(&admitted);
    }
    Ok(Some(resident))
}

impl Resident {
    /// Applies what the log says is admitted; a site whose own check fails marks the document and
    /// rejects nothing.
    pub(crate) fn apply_admitted(&mut self, admitted: &[Submitted]) {
        match self.note.take_in(admitted) {
            Ok(admission) => {
                let applied =
                    |outcome: &Outcome| matches!(outcome, Outcome::Admitted | Outcome::AlreadyKnown);
                self.unshowable = !admission.outcomes.iter().all(|(_, outcome)| applied(outcome));
                self.note = admission.note;
            }
            Err(_) => self.unshowable = true,
        }
    }
}

fn kept_snapshot(
    record: &mut Record,
    reader: &dyn StoreReader,
    document: DocumentId,
    kind: Kind,
) -> Option<(u64, NoteDocument)> {
    let name = keys::snapshot(&record.vault, document);
    let bytes = record.open_kept(reader, document, name)?;
    let snapshot: Snapshot = minicbor::decode(&bytes).ok()?;
    // A snapshot of another branch of the log (after a restore) must not be taken for this one's.
    let same_branch = reader.entry(snapshot.through).ok().flatten()?.chain.0 == *snapshot.chain;
    let usable = same_branch && snapshot.format == SNAPSHOT_FORMAT && snapshot.kind == kind.number();
    let note = usable.then(|| NoteDocument::load(document, kind, &snapshot.note).ok()).flatten()?;
    Some((snapshot.through, note))
}

/// The changes of a piece of work with their author.
pub(crate) fn submitted_of(
    record: &mut Record,
    reader: &dyn StoreReader,
    opened: &Opened,
    work: &Work,
) -> Result<Vec<Submitted>, RecordError> {
    let body = record.body(reader, opened)?;
    let (person, device) = (PersonId::from_bytes(*work.person), DeviceId::from_bytes(*work.device));
    let mut found = Vec::new();
    for bytes in entry::decode_changes(&body)? {
        let candidate = Candidate::scan(bytes, &Limits::V1)
            .map_err(|refusal| RecordError::Entry(format!("a stored change no longer reads: {refusal}")))?;
        found.push(Submitted { candidate, person, device });
    }
    Ok(found)
}

pub(crate) fn work_note(work: &Work) -> (WorkNote, Timestamp) {
    let note = WorkNote {
        person: PersonId::from_bytes(*work.person),
        device: DeviceId::from_bytes(*work.device),
        hashes: entry::change_hashes(&work.hashes),
        replaces: entry::change_hashes(&work.replaces),
        origin: work.origin.map(|clinic| ClinicId::from_bytes(*clinic)),
    };
    (note, Timestamp::from_unix_ms(work.received_at_ms))
}

pub(crate) fn fate_of(outcome: u16, reason: u16) -> Fate {
    let reason = ReasonCode::from_number(reason);
    match WireOutcome::from_number(outcome) {
        WireOutcome::Admitted => Fate::Admitted,
        WireOutcome::Held => Fate::Held(reason),
        WireOutcome::Rejected => Fate::Rejected(reason),
        WireOutcome::Other(_) => Fate::Unjudged,
    }
}
