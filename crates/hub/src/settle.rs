//! What follows when another clinic's work is durable here: it is merged, its origin's verdict is written,
//! and only then does it count as followed. Judges nothing, and proves nothing: that was done before.

use std::collections::{BTreeMap, BTreeSet};

use chart::entropy::Entropy;
use chart::ids::{ChangeHash, ClinicId, DocumentId};
use chart::reference::Scope;
use session_note::admission::Submitted;
use store::{Key, StoreReader};
use sync_protocol::message::FeedChanges;

use crate::entry::{Head, Id, Origin, Verdict};
use crate::hub::{After, Hub};
use crate::import::{Trouble, hash_of};
use crate::keys;
use crate::ledger::Ledger;
use crate::limits::SNAPSHOT_EVERY_ENTRIES;
use crate::links::Import;
use crate::record::RecordError;
use crate::resident::fate_of;

impl Hub {
    /// The entry of another clinic's work is durable.
    pub(crate) fn import_is_durable(&mut self, reader: &dyn StoreReader, mut import: Import, seq: u64) {
        import.seq = seq;
        let loaded = self.residents.load(&mut self.record, reader, import.document, None);
        if let Ok(Some(resident)) = loaded {
            let (received_at, ahead) = (import.received_at, import.clock_ahead_ms);
            let waited = resident.ledger.has_followers() && resident.ledger.has_unsettled_holds();
            resident.ledger.durable(seq, import.note.clone(), received_at, ahead);
            if waited && !resident.ledger.has_unsettled_holds() {
                // Reports of other notes said that this one waits.
                resident.shown = None;
                self.touched.extend(resident.shown().days(&self.record.vault));
            }
        }
        self.lines.imports.push(import);
    }

    /// Merges durable imports and writes their verdicts; then notes how far each clinic was followed.
    pub(crate) fn settle_imports(&mut self, entropy: &mut dyn Entropy, reader: &dyn StoreReader) {
        let mut by_document: BTreeMap<DocumentId, Vec<Import>> = BTreeMap::new();
        let judged = self.judged_now.as_ref().map(|(document, _)| *document);
        for import in std::mem::take(&mut self.lines.imports) {
            // What is being judged is judged on a copy: it changes under nobody's hands.
            match judged == Some(import.document) {
                true => self.lines.imports.push(import),
                false => by_document.entry(import.document).or_default().push(import),
            }
        }
        for (document, imports) in by_document {
            let honoured: Vec<ChangeHash> =
                imports.iter().flat_map(|import| import.honoured.iter().copied()).collect();
            if let Err(error) = self.merge_imports(entropy, reader, document, imports) {
                self.doubt_every_line(document, &honoured, &Trouble::from(error));
            }
        }
        if self.lines.imports.is_empty() {
            for reached in std::mem::take(&mut self.lines.taken) {
                self.push_after(After::Followed(reached));
            }
        }
        self.keep_cursors(entropy);
    }

    /// Work whose verdict could not be written stays in the log without it. No clinic counts as followed any
    /// further, whatever of its feed is durable: it is read again from where it was followed to, and brings the
    /// verdict again.
    fn doubt_every_line(&mut self, document: DocumentId, honoured: &[ChangeHash], trouble: &Trouble) {
        self.metrics.links_failed += 1;
        if let Some(resident) = self.residents.get_mut(document) {
            honoured.iter().for_each(|hash| resident.ledger.expect_no_verdict(hash));
        }
        self.lines.taken.clear();
        for clinic in self.lines.followed.keys().copied().collect::<Vec<_>>() {
            self.doubt(clinic);
            self.end_link(clinic, &trouble.to_string());
        }
    }

    fn merge_imports(
        &mut self,
        entropy: &mut dyn Entropy,
        reader: &dyn StoreReader,
        document: DocumentId,
        imports: Vec<Import>,
    ) -> Result<(), RecordError> {
        let Some(resident) = self.residents.load(&mut self.record, reader, document, None)? else {
            return Err(RecordError::KeyMissing);
        };
        let mut resident = resident.clone();
        // Nothing is read behind this: all that follows from the imports is written, or nothing of it.
        self.record.document_key(reader, document)?;
        // What builds on something that is still on its way into the log waits for that.
        let (imports, early) = in_order(&resident.ledger, imports);
        self.lines.imports.extend(early);
        if imports.is_empty() {
            return Ok(());
        }
        let shown = resident.shown().clone();
        let changes: Vec<Submitted> = imports.iter().flat_map(|import| import.changes.clone()).collect();
        let before = (resident.ledger.caseloads.clone(), resident.ledger.sites.clone());
        for import in &imports {
            for hash in &import.honoured {
                resident.ledger.judge(hash, fate_of(import.verdict.outcome, import.verdict.reason));
            }
        }
        self.metrics.imported += changes.len() as u64;
        self.bring_up(reader, &mut resident, changes)?;
        // Work of this clinic may have waited for just these changes.
        if let Some((seq, _)) = resident.ledger.next_to_judge(1).first() {
            self.unjudged.insert(*seq, document);
        }
        resident.shown = None;
        resident.shown();
        let authors: Vec<_> = imports.iter().map(|import| import.note.person).collect();
        let places = self.places(&mut resident, &authors);
        let scopes = self.scope_keys(&resident.ledger, &before);
        self.write_overruled(entropy, reader, &mut resident, &before.0)?;
        for import in imports {
            let vault = &self.record.vault;
            let mut names = vec![keys::document(vault, document), keys::imported(vault)];
            names.extend(&scopes);
            // What this clinic's own tablet wrote is its own again in a record that was put back.
            let here = self.directory.devices.contains_key(&import.note.device);
            names.extend(here.then(|| keys::device(vault, import.note.device)));
            let origin = Origin { clinic: Id::from(*import.origin.as_bytes()), work: import.verdict.work };
            let head = Head::Verdict(Verdict { work: import.seq, origin: Some(origin), ..*import.verdict });
            let entry = self.record.seal(reader, entropy, document, names, &head, &[])?;
            self.push_entry(Some(document), entry, Vec::new());
        }
        self.write_places(entropy, reader, document, places)?;
        self.touch(&shown, &resident);
        let due = resident.ledger.through >= resident.snapshot_through + SNAPSHOT_EVERY_ENTRIES;
        if due || resident.snapshot_through == 0 {
            self.snapshots_due.insert(document);
        }
        self.residents.put(document, resident);
        Ok(())
    }

    /// Notes that the origin holds work back, or has rejected it: its bytes stay there.
    pub(crate) fn take_note_of(
        &mut self,
        entropy: &mut dyn Entropy,
        reader: &dyn StoreReader,
        peer: ClinicId,
        changes: &FeedChanges,
    ) -> Result<(), Trouble> {
        let (origin, verdict, hashes) = self.proven_verdict(peer, changes)?;
        let document = changes.document;
        if origin == self.config.clinic {
            return Ok(());
        }
        let Some(resident) = self.residents.load(&mut self.record, reader, document, None)? else {
            // Of a note nothing of which is here nothing is held back from anybody here.
            return Ok(());
        };
        let shown = resident.shown().clone();
        if shown.patient.is_some_and(|patient| !self.directory.may_write(origin, patient)) {
            return Err(Trouble::NotShared);
        }
        let fate = fate_of(verdict.outcome, verdict.reason);
        if hashes.iter().all(|hash| !resident.ledger.would_learn(hash, fate)) {
            return Ok(());
        }
        self.record.document_key(reader, document)?;
        hashes.iter().for_each(|hash| resident.ledger.judge(hash, fate));
        resident.shown = None;
        resident.shown();
        let resident = resident.clone();
        let before = (resident.ledger.caseloads.clone(), resident.ledger.sites.clone());
        let vault = &self.record.vault;
        let mut names: Vec<Key> = vec![keys::document(vault, document), keys::imported(vault)];
        let sites = resident.ledger.sites.iter().chain(&before.1);
        names.extend(sites.map(|site| keys::scope(vault, Scope::Site(*site))).collect::<BTreeSet<_>>());
        let at = Origin { clinic: Id::from(*origin.as_bytes()), work: verdict.work };
        let head = Head::Verdict(Verdict { work: 0, origin: Some(at), ..verdict });
        let entry = self.record.seal(reader, entropy, document, names, &head, &[])?;
        self.push_entry(Some(document), entry, Vec::new());
        self.touch(&shown, &resident);
        Ok(())
    }
}

/// Imports each after those it builds on, and those that build on something not admitted yet.
fn in_order(ledger: &Ledger, imports: Vec<Import>) -> (Vec<Import>, Vec<Import>) {
    let (mut ready, mut waiting): (Vec<Import>, Vec<Import>) = (Vec::new(), imports);
    let mut there: BTreeSet<ChangeHash> = BTreeSet::new();
    loop {
        let before = waiting.len();
        let mut later = Vec::new();
        for import in waiting {
            let own: BTreeSet<ChangeHash> = import.changes.iter().map(hash_of).collect();
            let mut deps = import.changes.iter().flat_map(|one| &one.candidate.sketch().deps);
            let is_there =
                |dep: &ChangeHash| own.contains(dep) || there.contains(dep) || ledger.was_admitted(dep);
            if deps.all(is_there) {
                there.extend(own);
                ready.push(import);
            } else {
                later.push(import);
            }
        }
        waiting = later;
        if waiting.len() == before || waiting.is_empty() {
            return (ready, waiting);
        }
    }
}
