//! What was admitted and is not part of its note: at clinics that did not hear of each other two changes of one
//! actor were admitted under one number. Which one stays is [`crate::twins`]'s business; here it is found out,
//! written down and said. The bytes of what goes stay in the log; its authors hear that it was rejected, so that
//! their tablets make it again. No origin's verdict is taken back: clinics go on telling each other all of them,
//! and each draws the same conclusion.

use std::collections::{BTreeMap, BTreeSet};

use chart::entropy::Entropy;
use chart::ids::{ChangeHash, DeviceId, DocumentId, PersonId};
use chart::reference::Scope;
use session_note::NoteDocument;
use session_note::admission::Submitted;
use session_note::admit::ChangeSketch;
use store::{Key, StoreReader};
use sync_protocol::{Outcome as WireOutcome, ReasonCode};

use crate::entry::{self, Head, Verdict};
use crate::hub::Hub;
use crate::keys;
use crate::ledger::{Fate, Known, Ledger};
use crate::record::RecordError;
use crate::resident::{Resident, submitted_of};
use crate::ruling::Ruling;
use crate::twins::{Twin, overruled};

/// Why a change is not taken whose place another one had, though that is not part of the note.
pub(crate) fn claims_place(ledger: &Ledger, sketch: &ChangeSketch) -> Option<Ruling> {
    ledger.claims_place_of_overruled(sketch).then(|| ruling(ReasonCode::Equivocation))
}

fn ruling(reason: ReasonCode) -> Ruling {
    let sentence = match reason {
        ReasonCode::Equivocation => "another change was admitted in its place at another clinic",
        _ => "it builds on work that was not admitted",
    };
    Ruling::new(WireOutcome::Rejected, reason, sentence)
}

impl Ledger {
    /// Decides between admitted changes of one actor under one number, if there are any.
    pub(crate) fn settle_twins(&mut self) {
        if self.torn.is_empty() {
            return;
        }
        let admitted = self.changes.iter().filter(|(_, known)| known.fate == Fate::Admitted);
        let admitted = admitted
            .map(|(hash, known)| {
                let Known { actor, number, deps, .. } = known;
                (*hash, Twin { actor: *actor, number: *number, deps })
            })
            .collect();
        self.overruled = overruled(&admitted, &self.torn);
    }

    /// Whether a change claims the place of one that was admitted and overruled.
    pub(crate) fn claims_place_of_overruled(&self, sketch: &ChangeSketch) -> bool {
        let other = self.numbers.get(&(sketch.actor, sketch.seq));
        other.is_some_and(|other| *other != sketch.hash && self.overruled.contains_key(other))
    }

    /// Held changes that build on something that is not part of the note any more, with those that build on them.
    pub(crate) fn held_on_overruled(&self) -> Vec<ChangeHash> {
        let mut found: BTreeSet<ChangeHash> = BTreeSet::new();
        while !self.overruled.is_empty() {
            let out = |dep: &ChangeHash| self.overruled.contains_key(dep) || found.contains(dep);
            let held = self.changes.iter().filter(|(_, known)| matches!(known.fate, Fate::Held(_)));
            let more = held.filter(|(hash, known)| !found.contains(*hash) && known.deps.iter().any(out));
            let more: Vec<ChangeHash> = more.map(|(hash, _)| *hash).collect();
            if more.is_empty() {
                break;
            }
            found.extend(more);
        }
        found.into_iter().collect()
    }

    /// Everything that was admitted and does not lie below these heads, part of the note or not.
    pub(crate) fn admitted_beyond(&self, heads: &BTreeSet<ChangeHash>) -> BTreeSet<ChangeHash> {
        let mut below: BTreeSet<ChangeHash> = BTreeSet::new();
        let mut next: Vec<ChangeHash> = heads.iter().copied().collect();
        while let Some(hash) = next.pop() {
            if let Some(known) = self.changes.get(&hash)
                && below.insert(hash)
            {
                next.extend(&known.deps);
            }
        }
        let beyond = self.changes.keys().filter(|hash| !below.contains(hash) && self.was_admitted(hash));
        beyond.copied().collect()
    }

    /// The admitted changes on which no admitted change builds, part of the note or not.
    pub(crate) fn admitted_heads(&self) -> BTreeSet<ChangeHash> {
        let admitted = self.changes.iter().filter(|(_, known)| known.fate == Fate::Admitted);
        let mut heads: BTreeSet<ChangeHash> = admitted.clone().map(|(hash, _)| *hash).collect();
        admitted.flat_map(|(_, known)| &known.deps).for_each(|dep| _ = heads.remove(dep));
        heads
    }
}

impl Hub {
    /// What is written down as overruled, at opening.
    pub(crate) fn find_overruled(&mut self, reader: &dyn StoreReader) -> Result<(), RecordError> {
        let Self { record, overruled, .. } = self;
        record.each(reader, keys::overruled(&record.vault), 0, |opened| {
            if let (Some(document), Some(Head::Verdict(verdict))) = (opened.document, opened.head) {
                let hashes = entry::change_hashes(&verdict.hashes);
                overruled.entry(document).or_default().extend(hashes);
            }
            Ok(())
        })
    }

    /// Makes a note of what is part of it: what was just admitted joins it, and what is overruled is not in it.
    /// Reads what it needs before anything is written.
    pub(crate) fn bring_up(
        &mut self,
        reader: &dyn StoreReader,
        resident: &mut Resident,
        mut admitted: Vec<Submitted>,
    ) -> Result<(), RecordError> {
        resident.ledger.settle_twins();
        let stays = |ledger: &Ledger, hash: &ChangeHash| ledger.fate(hash) == Some(Fate::Admitted);
        if resident.ledger.overruled.keys().any(|hash| resident.note.contains(hash)) {
            admitted.clear();
            for seq in resident.ledger.works.keys() {
                let Some(opened) = self.record.open(reader, *seq)? else { continue };
                let Some(Head::Work(work)) = opened.head.clone() else { continue };
                admitted.extend(submitted_of(&mut self.record, reader, &opened, &work)?);
            }
            resident.note = NoteDocument::new(resident.note.id(), resident.note.kind());
        }
        admitted.retain(|one| stays(&resident.ledger, &one.candidate.sketch().hash));
        resident.apply_admitted(&admitted);
        Ok(())
    }

    /// Writes down what is overruled and was not: for the quarantine, for its authors' tablets, and for everybody
    /// who was sent it. Stands in the log before what takes its place.
    pub(crate) fn write_overruled(
        &mut self,
        entropy: &mut dyn Entropy,
        reader: &dyn StoreReader,
        resident: &mut Resident,
        followed_by: &BTreeSet<PersonId>,
    ) -> Result<(), RecordError> {
        let (document, ledger) = (resident.note.id(), &mut resident.ledger);
        let written = self.overruled.get(&document);
        let new = |hash: &ChangeHash| written.is_none_or(|written| !written.contains(hash));
        let overruled = ledger.overruled.iter().filter(|(hash, _)| new(hash));
        let mut gone: BTreeMap<ChangeHash, ReasonCode> =
            overruled.map(|(hash, reason)| (*hash, *reason)).collect();
        for hash in ledger.held_on_overruled() {
            ledger.judge(&hash, Fate::Rejected(ReasonCode::DependsOn));
            gone.insert(hash, ReasonCode::DependsOn);
        }
        let mut groups: BTreeMap<(u64, Ruling), Vec<ChangeHash>> = BTreeMap::new();
        for (hash, reason) in &gone {
            if let Some(seq) = ledger.changes.get(hash).and_then(|known| known.seq) {
                groups.entry((seq, ruling(*reason))).or_default().push(*hash);
            }
        }
        let people: BTreeSet<PersonId> = ledger.caseloads.union(followed_by).copied().collect();
        for ((seq, ruling), hashes) in groups {
            let author = ledger.works.get(&seq).map(|work| work.device);
            let names = self.names_of_overruled(document, ledger, &people, author);
            let verdict = self.signed(document, seq, &ruling, &hashes);
            let entry = self.record.seal(reader, entropy, document, names, &Head::Verdict(verdict), &[])?;
            self.push_entry(Some(document), entry, Vec::new());
            self.metrics.rejected += hashes.len() as u64;
            self.overruled.entry(document).or_default().extend(hashes);
        }
        if !gone.is_empty() {
            self.snapshots_due.insert(document);
        }
        Ok(())
    }

    fn names_of_overruled(
        &self,
        document: DocumentId,
        ledger: &Ledger,
        people: &BTreeSet<PersonId>,
        author: Option<DeviceId>,
    ) -> Vec<Key> {
        let vault = &self.record.vault;
        let mut names = vec![keys::document(vault, document), keys::imported(vault)];
        names.extend([keys::overruled(vault), keys::quarantine(vault)]);
        let here = author.filter(|device| self.directory.devices.contains_key(device));
        let tablets: BTreeSet<DeviceId> = ledger.carriers.iter().copied().chain(here).collect();
        names.extend(tablets.into_iter().map(|device| keys::device(vault, device)));
        let scopes = people.iter().map(|person| Scope::Caseload(*person)).chain([Scope::Clinic]);
        names.extend(scopes.map(|scope| keys::scope(vault, scope)));
        names
    }

    /// A verdict without what is overruled, as a tablet gets it; `None` if nothing is left.
    pub(crate) fn standing_part(&self, document: DocumentId, verdict: &Verdict) -> Option<Verdict> {
        let Some(overruled) = self.overruled.get(&document) else { return Some(verdict.clone()) };
        let mut hashes = entry::change_hashes(&verdict.hashes);
        hashes.retain(|hash| !overruled.contains(hash));
        let left = !hashes.is_empty();
        left.then(|| Verdict { hashes: entry::hashes(&hashes), ..verdict.clone() })
    }
}
