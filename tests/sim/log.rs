//! A clinic's log read with nothing but its format and the clinic's key: what the promises are held
//! against, so that the hub is never its own witness. Reads only; format 1 of the entries.

use std::collections::{BTreeMap, BTreeSet};

use chart::facts::Arrival;
use chart::ids::{ChangeHash, ClinicId, DeviceId, DocumentId, EpochId, PatientId, PersonId};
use chart::reference::Reference;
use chart::time::Timestamp;
use minicbor::Decode;
use minicbor::bytes::{ByteArray, ByteVec};
use session_note::admission::Submitted;
use session_note::admit::{Candidate, Limits};
use session_note::schema::Kind;
use store::vault::{DocumentKey, Vault};
use store::{StoreReader, StoredEntry};
use sync_protocol::ReasonCode;

use crate::clinic::clinic_key;
use crate::violation::{Broken, Promise, Violation, broken};

#[derive(Decode)]
enum Head {
    #[n(1)]
    Work(#[n(0)] Work),
    #[n(2)]
    Verdict(#[n(0)] Verdict),
    #[n(3)]
    DocumentKey(#[n(0)] ByteVec),
    #[n(6)]
    Reference(#[n(0)] Told),
}

#[derive(Decode)]
struct Told {
    #[n(2)]
    origin: Option<ByteArray<16>>,
}

#[derive(Decode)]
struct Work {
    #[n(1)]
    kind: u8,
    #[n(2)]
    person: ByteArray<16>,
    #[n(3)]
    device: ByteArray<16>,
    #[n(7)]
    received_at_ms: i64,
    #[n(8)]
    clock_ahead_ms: i64,
    #[n(9)]
    hashes: Vec<ByteArray<32>>,
    #[n(10)]
    replaces: Vec<ByteArray<32>>,
    #[n(12)]
    origin: Option<ByteArray<16>>,
}

#[derive(Decode)]
struct Verdict {
    #[n(1)]
    outcome: u16,
    #[n(2)]
    reason: u16,
    #[n(4)]
    hashes: Vec<ByteArray<32>>,
    #[n(7)]
    origin: Option<Origin>,
}

#[derive(Decode)]
struct Origin {
    #[n(0)]
    clinic: ByteArray<16>,
}

/// What became of a change, as all verdicts of the log say together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fate {
    /// No verdict.
    Unjudged,
    /// Kept back.
    Held,
    /// Never applied.
    Rejected,
    /// Part of the note.
    Admitted,
}

/// A change in the log.
#[derive(Clone, Debug)]
pub(crate) struct Logged {
    /// The change with its author.
    pub(crate) submitted: Submitted,
    /// What became of it.
    pub(crate) fate: Fate,
    /// Why, as the last verdict on it says.
    pub(crate) reason: ReasonCode,
    /// The clinic that received it first.
    pub(crate) origin: usize,
    /// The clinics that say what became of it.
    pub(crate) judges: BTreeSet<usize>,
    /// Whether it was taken in from another clinic once more, in a piece that was here already.
    pub(crate) again: bool,
}

/// A document in the log.
#[derive(Clone, Debug)]
pub(crate) struct LoggedDocument {
    /// Its kind.
    pub(crate) kind: Kind,
    /// Its changes.
    pub(crate) changes: BTreeMap<ChangeHash, Logged>,
    /// Their order in the log.
    pub(crate) order: Vec<ChangeHash>,
    /// How each piece of work arrived, with the changes it brought first, in the order of the log.
    came: Vec<(Arrival, BTreeSet<ChangeHash>)>,
    /// Changes that another clinic holds back and has not sent.
    pub(crate) held_abroad: BTreeSet<ChangeHash>,
}

impl LoggedDocument {
    /// The clinic where it was begun: it received what builds on nothing.
    pub(crate) fn home(&self) -> usize {
        let first = |change: &&Logged| {
            let deps = &change.submitted.candidate.sketch().deps;
            change.fate == Fate::Admitted && deps.iter().all(|dep| !self.changes.contains_key(dep))
        };
        self.changes.values().filter(first).map(|change| change.origin).min().unwrap_or(0)
    }

    /// How the last work of each tablet arrived that is part of the note.
    pub(crate) fn arrivals(&self) -> Vec<Arrival> {
        let mut latest: BTreeMap<DeviceId, Arrival> = BTreeMap::new();
        let admitted =
            |hash: &ChangeHash| self.changes.get(hash).is_some_and(|change| change.fate == Fate::Admitted);
        for (arrival, _) in self.came.iter().filter(|(_, first)| first.iter().any(admitted)) {
            let one = latest.entry(arrival.device).or_insert_with(|| arrival.clone());
            if one.received_at <= arrival.received_at {
                one.clone_from(arrival);
            }
        }
        latest.into_values().collect()
    }

    /// Whether these heads show everything that was admitted, and beside it only what is kept back: a server
    /// that was put back to an older copy may keep back what it had admitted and shown before, and tablets
    /// go on showing that until somebody decides.
    pub(crate) fn is_shown_beside_what_is_held(
        &self,
        heads: &BTreeSet<ChangeHash>,
        genesis: impl Fn(&ChangeHash) -> bool,
    ) -> bool {
        let mut shown = BTreeSet::new();
        let mut next: Vec<ChangeHash> = heads.iter().copied().collect();
        while let Some(hash) = next.pop() {
            match self.changes.get(&hash) {
                Some(change) if shown.insert(hash) => {
                    next.extend(&change.submitted.candidate.sketch().deps);
                }
                None if !genesis(&hash) => return false,
                _ => {}
            }
        }
        self.changes.iter().all(|(hash, change)| match change.fate {
            Fate::Admitted => shown.contains(hash),
            Fate::Held => true,
            Fate::Unjudged | Fate::Rejected => !shown.contains(hash),
        })
    }
}

/// The log as far as it was read.
pub(crate) struct Log {
    site: usize,
    vault: Vault,
    keys: BTreeMap<DocumentId, DocumentKey>,
    read: Option<(EpochId, u64)>,
    /// Every document.
    pub(crate) documents: BTreeMap<DocumentId, LoggedDocument>,
    /// The document of every change, and of every change that another one stands for.
    pub(crate) changes: BTreeMap<ChangeHash, DocumentId>,
    /// The clinic's own reference data in the order of the log.
    pub(crate) references: Vec<Reference>,
    /// All reference data in the order of the log, with the clinic whose word it is.
    pub(crate) words: Vec<(usize, Reference)>,
}

impl Log {
    /// The log of a clinic.
    pub(crate) fn new(site: usize) -> Self {
        Self {
            site,
            vault: Vault::new(clinic_key(site)),
            keys: BTreeMap::new(),
            read: None,
            documents: BTreeMap::new(),
            changes: BTreeMap::new(),
            references: Vec::new(),
            words: Vec::new(),
        }
    }

    /// Patients the clinic has heard of.
    pub(crate) fn patients(&self) -> BTreeSet<PatientId> {
        let patient = |(_, reference): &(usize, Reference)| match reference {
            Reference::Patient(patient) => Some(patient.id),
            _ => None,
        };
        self.words.iter().filter_map(patient).collect()
    }

    /// Forgets everything: the next reading starts from the disk.
    pub(crate) fn forget(&mut self) {
        self.keys.clear();
        self.read = None;
        self.documents.clear();
        self.changes.clear();
        self.references.clear();
        self.words.clear();
    }

    /// Reads what was added.
    ///
    /// # Errors
    /// When an entry does not read.
    pub(crate) fn follow(&mut self, reader: &dyn StoreReader) -> Result<(), Violation> {
        let tip = reader.tip();
        let mut after = match self.read {
            Some((epoch, seq)) if epoch == tip.epoch_id && seq <= tip.seq => seq,
            Some(_) => {
                self.forget();
                0
            }
            None => 0,
        };
        loop {
            let entries = reader.scan(after, 256).broken(Promise::Durable)?;
            let Some(last) = entries.last().map(|entry| entry.seq) else { break };
            for entry in entries {
                self.take(&entry)?;
            }
            after = last;
        }
        self.read = Some((tip.epoch_id, after));
        Ok(())
    }

    fn take(&mut self, entry: &StoredEntry) -> Result<(), Violation> {
        let sealed = self.vault.open_head(&entry.bytes).broken(Promise::Durable)?;
        // Kinds of no interest here do not read, and are passed over.
        let Ok(head) = minicbor::decode::<Head>(&sealed.bytes) else { return Ok(()) };
        match (head, sealed.document) {
            (Head::DocumentKey(wrapped), Some(document)) => {
                let key = self.vault.unwrap(document, &wrapped).broken(Promise::Durable)?;
                self.keys.insert(document, key);
            }
            (Head::Work(work), Some(document)) => self.take_work(entry, document, &work)?,
            (Head::Verdict(verdict), Some(document)) => self.take_verdict(document, &verdict),
            (Head::Reference(told), None) => {
                let body = self.vault.open_body(&entry.bytes, None).broken(Promise::Durable)?;
                let Ok(reference) = serde_json::from_slice::<Reference>(&body) else { return Ok(()) };
                let origin = self.site_of(told.origin.as_ref());
                if origin == self.site {
                    self.references.push(reference.clone());
                }
                self.words.push((origin, reference));
            }
            _ => {}
        }
        Ok(())
    }

    fn site_of(&self, clinic: Option<&ByteArray<16>>) -> usize {
        clinic.map_or(self.site, |clinic| crate::clinic::site_of(ClinicId::from_bytes(**clinic)))
    }

    fn take_work(&mut self, entry: &StoredEntry, document: DocumentId, work: &Work) -> Result<(), Violation> {
        let key = self.keys.get(&document);
        let body = self.vault.open_body(&entry.bytes, key).broken(Promise::Durable)?;
        let bodies: Vec<ByteVec> = minicbor::decode(&body).broken(Promise::Durable)?;
        let origin = self.site_of(work.origin.as_ref());
        let kind = Kind::from_number(work.kind).unwrap_or(Kind::Visit);
        let (person, device) = (PersonId::from_bytes(*work.person), DeviceId::from_bytes(*work.device));
        let logged = self.documents.entry(document).or_insert_with(|| LoggedDocument {
            kind,
            changes: BTreeMap::new(),
            order: Vec::new(),
            came: Vec::new(),
            held_abroad: BTreeSet::new(),
        });
        let received_at = Timestamp::from_unix_ms(work.received_at_ms);
        let arrival = Arrival { device, clock_ahead_ms: work.clock_ahead_ms, received_at };
        // Work that was made again is there under another name.
        self.changes.extend(work.replaces.iter().map(|hash| (ChangeHash::from_bytes(**hash), document)));
        let named: BTreeSet<ChangeHash> =
            work.hashes.iter().map(|hash| ChangeHash::from_bytes(**hash)).collect();
        let again = work.origin.is_some() && named.iter().all(|hash| logged.changes.contains_key(hash));
        let first = named.iter().filter(|hash| !logged.changes.contains_key(hash)).copied().collect();
        logged.came.push((arrival, first));
        for bytes in bodies {
            let candidate = Candidate::scan(bytes.to_vec(), &Limits::V1).broken(Promise::Durable)?;
            let hash = candidate.sketch().hash;
            if !named.contains(&hash) {
                return Err(broken(Promise::Durable, "an entry's head does not name its own change"));
            }
            if let Some(known) = logged.changes.get_mut(&hash) {
                known.again |= again;
                continue;
            }
            let submitted = Submitted { candidate, person, device };
            let change = Logged {
                submitted,
                fate: Fate::Unjudged,
                reason: ReasonCode::None,
                origin,
                judges: BTreeSet::new(),
                again: false,
            };
            logged.changes.insert(hash, change);
            logged.order.push(hash);
            self.changes.insert(hash, document);
        }
        Ok(())
    }

    fn take_verdict(&mut self, document: DocumentId, verdict: &Verdict) {
        let fate = match sync_protocol::Outcome::from_number(verdict.outcome) {
            sync_protocol::Outcome::Admitted => Fate::Admitted,
            sync_protocol::Outcome::Held => Fate::Held,
            sync_protocol::Outcome::Rejected => Fate::Rejected,
            sync_protocol::Outcome::Other(_) => return,
        };
        let judge = self.site_of(verdict.origin.as_ref().map(|origin| &origin.clinic));
        let Some(logged) = self.documents.get_mut(&document) else { return };
        for hash in &verdict.hashes {
            let hash = ChangeHash::from_bytes(**hash);
            match fate {
                Fate::Held if !logged.changes.contains_key(&hash) => _ = logged.held_abroad.insert(hash),
                Fate::Admitted | Fate::Rejected => _ = logged.held_abroad.remove(&hash),
                Fate::Held | Fate::Unjudged => {}
            }
            if let Some(change) = logged.changes.get_mut(&hash) {
                change.fate = change.fate.max(fate);
                change.judges.insert(judge);
                change.reason = ReasonCode::from_number(verdict.reason);
            }
        }
    }
}
