//! What a supervisor decides about held work: its release, which has the original bytes judged and admitted
//! under their original author, or its rejection, after which its tablet makes it again. One excludes the
//! other, and both are written down with who and why.

use chart::entropy::Entropy;
use chart::ids::{ChangeHash, DeviceId, DocumentId, PersonId};
use chart::reference::{Person, Role};
use chart::time::Timestamp;
use serde_json::json;
use store::StoreReader;
use sync_protocol::{Outcome as WireOutcome, ReasonCode};

use crate::case::Case;
use crate::entry::Head;
use crate::hub::{After, Hub, HubError, Ticket};
use crate::ledger::{Fate, Ledger};
use crate::limits::REASON_BYTES_MAX;
use crate::overruled::claims_place;
use crate::record::RecordError;
use crate::resident::submitted_of;
use crate::ruling::{Docket, Release, Ruling, made_twice};

impl Hub {
    /// Releases held changes with what follows them: the original bytes are judged and, if they fit,
    /// admitted under their original author. The ticket ends when the verdict is durable, or with a
    /// sentence if nothing could be admitted.
    ///
    /// # Errors
    /// When the person may not release, or nothing of it is held.
    #[expect(clippy::too_many_arguments, reason = "a release names who, what and why")]
    pub fn release(
        &mut self,
        now: Timestamp,
        _entropy: &mut dyn Entropy,
        reader: &dyn StoreReader,
        document: DocumentId,
        hashes: &[ChangeHash],
        by: PersonId,
        reason: &str,
    ) -> Result<Ticket, HubError> {
        self.may_decide(reader, document, hashes, by, reason)?;
        let ticket = self.ticket();
        self.releases.push_back(Release {
            ticket: ticket.0,
            document,
            hashes: hashes.to_vec(),
            by,
            reason: reason.to_owned(),
            at: now,
        });
        Ok(ticket)
    }

    /// Rejects held changes with what follows them: they are never applied, their bytes stay as evidence,
    /// and their tablet makes the work again under its original author and time.
    ///
    /// # Errors
    /// When the person may not decide it, or nothing of it is held.
    #[expect(clippy::too_many_arguments, reason = "a rejection names who, what and why")]
    pub fn reject(
        &mut self,
        now: Timestamp,
        entropy: &mut dyn Entropy,
        reader: &dyn StoreReader,
        document: DocumentId,
        hashes: &[ChangeHash],
        by: PersonId,
        reason: &str,
    ) -> Result<Ticket, HubError> {
        self.may_decide(reader, document, hashes, by, reason)?;
        let Some(resident) = self.residents.load(&mut self.record, reader, document, None)? else {
            return Err(nothing_held());
        };
        let mut resident = resident.clone();
        let shown = resident.shown().clone();
        let ledger = &mut resident.ledger;
        let mut docket = Docket::default();
        for (seq, note) in &ledger.works {
            for hash in &note.hashes {
                let known = ledger.changes.get(hash).filter(|known| known.seq == Some(*seq));
                if let Some(known) = known.filter(|known| matches!(known.fate, Fate::Held(_))) {
                    docket.add(*seq, (note.person, note.device), *hash, &known.deps);
                }
            }
        }
        let sentence = "a supervisor decided that it is to be made again";
        let ruling = Ruling::new(WireOutcome::Rejected, ReasonCode::Declined, sentence);
        for hash in hashes.iter().filter(|hash| docket.builds_on.contains_key(*hash)) {
            docket.rulings.insert(*hash, ruling.clone());
        }
        docket.rule_rejected();
        for (hash, ruling) in &docket.rulings {
            ledger.judge(hash, ruling.fate());
        }
        let rejected = docket.rulings.len();
        self.write_verdicts(entropy, reader, &shown, resident, &docket)?;
        let record = json!({
            "document": document, "changes": told(hashes), "by": by, "reason": reason, "rejected": rejected,
        });
        let ticket = self.audit(now, entropy, "reject", &record)?;
        self.pump(reader);
        Ok(ticket)
    }

    fn may_decide(
        &mut self,
        reader: &dyn StoreReader,
        document: DocumentId,
        hashes: &[ChangeHash],
        by: PersonId,
        reason: &str,
    ) -> Result<(), HubError> {
        self.must_be_writable()?;
        let supervises = |person: &Person| person.roles.contains(&Role::Supervisor);
        if !self.directory.active(by) || !self.directory.people.get(&by).is_some_and(supervises) {
            return Err(HubError::Refused("only a supervisor decides about held work".to_owned()));
        }
        if reason.trim().is_empty() || reason.len() > REASON_BYTES_MAX {
            return Err(HubError::Refused(format!("a reason has between 1 and {REASON_BYTES_MAX} bytes")));
        }
        let asked = self.releases.iter().any(|release| release.document == document);
        let released = self.judged_now.as_ref().and_then(|(_, docket)| docket.release.as_ref());
        if asked || released.is_some_and(|release| release.document == document) {
            let sentence = "work on this note is just being released; look again in a moment";
            return Err(HubError::Refused(sentence.to_owned()));
        }
        let resident = self.residents.load(&mut self.record, reader, document, None)?;
        let held = resident.is_some_and(|resident| hashes.iter().any(|hash| is_held(&resident.ledger, hash)));
        if held { Ok(()) } else { Err(nothing_held()) }
    }

    /// The case of a release, or the ticket and the sentence it ends with.
    pub(crate) fn open_release(
        &mut self,
        reader: &dyn StoreReader,
        release: Release,
    ) -> Result<(Docket, Case), (u64, String)> {
        let ticket = release.ticket;
        match self.collect_released(reader, release) {
            Ok(Some(found)) => Ok(found),
            Ok(None) => Err((ticket, nothing_held().to_string())),
            Err(error) => Err((ticket, error.to_string())),
        }
    }

    fn collect_released(
        &mut self,
        reader: &dyn StoreReader,
        release: Release,
    ) -> Result<Option<(Docket, Case)>, RecordError> {
        let document = release.document;
        let Some(resident) = self.residents.load(&mut self.record, reader, document, None)? else {
            return Ok(None);
        };
        let (note, ledger) = (resident.note.clone(), resident.ledger.clone());
        let mut docket = Docket { release: Some(release.clone()), ..Docket::default() };
        let mut submitted = Vec::new();
        let mut dangerous = false;
        for seq in ledger.works.keys() {
            let Some(opened) = self.record.open(reader, *seq)? else { continue };
            let Some(Head::Work(work)) = opened.head.clone() else { continue };
            for change in submitted_of(&mut self.record, reader, &opened, &work)? {
                let sketch = change.candidate.sketch().clone();
                let fate = ledger.fate(&sketch.hash);
                let follows = sketch.deps.iter().any(|dep| docket.builds_on.contains_key(dep))
                    && fate == Some(Fate::Held(ReasonCode::DependsOn));
                let asked = release.hashes.contains(&sketch.hash) && is_held(&ledger, &sketch.hash);
                let rivals = ledger.rivals(&sketch.hash);
                if (asked || follows) && !rivals.iter().any(|rival| docket.builds_on.contains_key(rival)) {
                    dangerous |= fate == Some(Fate::Held(ReasonCode::NeedsAttention));
                    let author = (PersonId::from_bytes(*work.person), DeviceId::from_bytes(*work.device));
                    docket.add(*seq, author, sketch.hash, &sketch.deps);
                    match made_twice(&ledger, &sketch.hash).or_else(|| claims_place(&ledger, &sketch)) {
                        Some(ruling) => _ = docket.rulings.insert(sketch.hash, ruling),
                        None => submitted.push(change),
                    }
                }
            }
        }
        let found = !docket.works.is_empty();
        Ok(found.then(|| (docket, Case::new(note, submitted, dangerous))))
    }

    /// The verdicts of a release are on their way into the log.
    pub(crate) fn released(
        &mut self,
        entropy: &mut dyn Entropy,
        release: &Release,
        docket: &Docket,
    ) -> Result<(), RecordError> {
        let released = docket.rulings.values().filter(|ruling| ruling.fate() == Fate::Admitted).count();
        if released == 0 {
            let why = release.hashes.iter().find_map(|hash| docket.rulings.get(hash));
            let why = why.map_or("it does not fit the note", |ruling| ruling.sentence.as_str());
            self.fail(release.ticket, format!("nothing of it could be admitted: {why}"));
            return Ok(());
        }
        let record = json!({
            "document": release.document, "changes": told(&release.hashes), "by": release.by,
            "reason": release.reason, "released": released,
        });
        self.audit_for(Ticket(release.ticket), release.at, entropy, "release", &record)
    }

    /// A supervisor's act came to nothing, for this reason.
    pub(crate) fn fail(&mut self, ticket: u64, sentence: String) {
        self.finish(Ticket(ticket), Err(sentence));
    }

    fn audit_for(
        &mut self,
        ticket: Ticket,
        at: Timestamp,
        entropy: &mut dyn Entropy,
        act: &str,
        record: &serde_json::Value,
    ) -> Result<(), RecordError> {
        let entry = self.audit_entry(at, entropy, act, record)?;
        self.push_entry(None, entry, vec![After::Done(ticket)]);
        Ok(())
    }
}

fn told(hashes: &[ChangeHash]) -> Vec<String> {
    hashes.iter().map(ToString::to_string).collect()
}

fn is_held(ledger: &Ledger, hash: &ChangeHash) -> bool {
    matches!(ledger.fate(hash), Some(Fate::Held(_)))
}

fn nothing_held() -> HubError {
    HubError::Refused("nothing of this is held".to_owned())
}
