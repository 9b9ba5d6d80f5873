//! Proof that two clinics hold the same: each sums up what it shares with the other, and whoever has read
//! everything asks whether the sums are equal. What a clinic sums up is read from its own durable record, so
//! it says what the record holds and not what memory believes. Changes nothing in any note.
//!
//! A difference counts only between clinics of which each has taken all the other had; before that one of
//! them is behind, and says by how many notes.

use std::collections::BTreeSet;

use chart::entropy::Entropy;
use chart::ids::{ChangeHash, ClinicId, DocumentId};
use chart::reference::Scope;
use chart::time::Timestamp;
use minicbor::bytes::{ByteArray, ByteVec};
use store::StoreReader;
use sync_protocol::message::{Cursor, DigestOffer, ScopeName};

use crate::connection::ConnectionId;
use crate::entry::{self, Head};
use crate::feed::on_this_branch;
use crate::fingerprint::{Part, Ranges};
use crate::hub::Hub;
use crate::keys;
use crate::ledger::Fate;
use crate::limits::{BEHIND_ENTRIES_MAX, DIGEST_EVERY_MS, DIGEST_GAP_MS, DIGEST_KEPT_EVERY, DIGEST_STEP};
use crate::links::{Behind, Converging, OwnDigest};
use crate::record::RecordError;
use crate::resident::fate_of;

/// The ability to answer digests, as greetings name it.
pub(crate) const FEATURE: &str = "digests";

/// What clinics can do on a line beyond the least.
pub(crate) fn features() -> Vec<String> {
    [FEATURE, sync_protocol::FEATURE_PACKED].map(str::to_owned).to_vec()
}

impl Hub {
    /// Everything a clinic had is here: it may be asked whether both hold the same.
    pub(crate) fn may_ask(&mut self, clinic: ClinicId, now: Timestamp) {
        let answers = self.lines.links.get(&clinic).is_some_and(|link| link.answers_digests);
        let converging = self.lines.converging.entry(clinic).or_default();
        match converging.asked_at {
            _ if !answers => {}
            None => (converging.asking, converging.asked_at) = (true, Some(now)),
            Some(asked_at) => {
                let soon = asked_at.plus_ms(DIGEST_GAP_MS);
                converging.ask_at = Some(converging.ask_at.map_or(soon, |at| at.min(soon)));
            }
        }
    }

    /// Has every clinic that is heard asked, as soon as may be, whether both hold the same.
    pub fn compare_now(&mut self, now: Timestamp) {
        for converging in
            self.lines.converging.values_mut().filter(|converging| converging.asked_at.is_some())
        {
            converging.ask_at = Some(now);
        }
        self.digests_timeout(now);
    }

    pub(crate) fn digests_poll_timeout(&self) -> Option<(Timestamp, &'static str)> {
        let open = self.lines.converging.iter().filter(|(clinic, _)| self.is_following(**clinic));
        open.filter_map(|(_, converging)| converging.ask_at)
            .min()
            .map(|at| (at, "clinics compare what they hold"))
    }

    pub(crate) fn digests_timeout(&mut self, now: Timestamp) {
        for (clinic, converging) in &mut self.lines.converging {
            if self.lines.links.contains_key(clinic) && converging.ask_at.is_some_and(|at| at <= now) {
                (converging.asking, converging.asked_at, converging.ask_at) = (true, Some(now), None);
            }
        }
    }

    /// A clinic asks whether both hold the same.
    pub(crate) fn note_digest_question(&mut self, connection: ConnectionId, offer: DigestOffer) {
        if let Some(clinic) = self.connections.get(&connection).and_then(|state| state.site) {
            self.lines.converging.entry(clinic).or_default().asked_by = Some((connection, offer));
        }
    }

    /// A clinic has answered.
    pub(crate) fn note_digest_answer(&mut self, clinic: ClinicId, offer: DigestOffer) {
        self.lines.converging.entry(clinic).or_default().answered = Some(offer);
    }

    /// One step of what clinics ask each other about what they hold. Returns whether more waits.
    pub(crate) fn work_on_digests(&mut self, entropy: &mut dyn Entropy, reader: &dyn StoreReader) -> bool {
        let waiting = |(clinic, state): (&ClinicId, &Converging)| state.is_waiting().then_some(*clinic);
        let Some(clinic) = self.lines.converging.iter().find_map(waiting) else { return false };
        if self.converge(reader, clinic).is_err()
            && let Some(converging) = self.lines.converging.get_mut(&clinic)
        {
            // What cannot be read proves nothing; it is asked again later.
            converging.forget_questions();
        }
        self.keep_digest(entropy, reader, clinic);
        self.lines.converging.values().any(Converging::is_waiting)
    }

    fn converge(&mut self, reader: &dyn StoreReader, clinic: ClinicId) -> Result<(), RecordError> {
        if !self.sum_up(reader, clinic)? {
            return Ok(());
        }
        let Some(converging) = self.lines.converging.get_mut(&clinic) else { return Ok(()) };
        if let Some((connection, question)) = converging.asked_by.take() {
            return self.answer_digest(reader, clinic, connection, &question);
        }
        if std::mem::take(&mut converging.asking) {
            let question = self.offer(clinic, ScopeName::Site(self.config.clinic), None);
            if let Some(converging) = self.lines.converging.get_mut(&clinic) {
                converging.asked_with = question.taken;
            }
            if let Some(link) = self.lines.links.get_mut(&clinic) {
                _ = link.session.digest(question);
            }
            return Ok(());
        }
        if let Some(answer) = converging.answered.take() {
            return self.judge_answer(reader, clinic, &answer);
        }
        self.work_on_differences(reader, clinic)
    }

    /// What this clinic holds of what it shares with another, to ask or to answer.
    fn offer(&self, clinic: ClinicId, scope: ScopeName, waiting: Option<u64>) -> DigestOffer {
        let own = self.lines.converging.get(&clinic).and_then(|converging| converging.own.as_ref());
        let ranges = own.map(|own| own.ranges.clone()).unwrap_or_default();
        let place = self.lines.followed.get(&clinic).and_then(|followed| followed.place);
        let (count, fingerprint) = (ranges.documents(), ranges.fingerprint());
        DigestOffer { scope, count, fingerprint, taken: place.map(|place| place.cursor), waiting }
    }

    fn answer_digest(
        &mut self,
        reader: &dyn StoreReader,
        clinic: ClinicId,
        connection: ConnectionId,
        question: &DigestOffer,
    ) -> Result<(), RecordError> {
        let taken = self.note_told(reader, clinic, question.taken.as_ref());
        let waiting = self.notes_after(reader, clinic, taken)?;
        let answer = self.offer(clinic, ScopeName::Site(clinic), Some(waiting));
        if let Some(connection) = self.connections.get_mut(&connection) {
            _ = connection.session.digest(answer);
        }
        Ok(())
    }

    /// Notes how far a clinic says that it has taken this one's feed.
    fn note_told(&mut self, reader: &dyn StoreReader, clinic: ClinicId, taken: Option<&Cursor>) -> u64 {
        let tip = reader.tip().seq.max(self.tip.seq);
        let taken = taken.filter(|cursor| on_this_branch(reader, cursor, tip)).map_or(0, |cursor| cursor.seq);
        let converging = self.lines.converging.entry(clinic).or_default();
        converging.keep_due |= converging.told != Some(taken);
        converging.told = Some(taken);
        taken
    }

    fn judge_answer(
        &mut self,
        reader: &dyn StoreReader,
        clinic: ClinicId,
        answer: &DigestOffer,
    ) -> Result<(), RecordError> {
        let told = self.note_told(reader, clinic, answer.taken.as_ref());
        let behind = self.notes_after(reader, clinic, told)?;
        let own = self.offer(clinic, answer.scope, None);
        let came = self.lines.links.get(&clinic).and_then(|link| link.came);
        let Some(converging) = self.lines.converging.get_mut(&clinic) else { return Ok(()) };
        // What has come since is in this clinic's sum, or half of it is, and not in the answer.
        let moved = came != converging.asked_with;
        let asked_at = converging.asked_at.unwrap_or_default();
        converging.coming = answer.waiting;
        if moved || behind > 0 || answer.waiting != Some(0) {
            converging.ask_at = Some(asked_at.plus_ms(DIGEST_GAP_MS));
        } else if (own.count, own.fingerprint) == (answer.count, answer.fingerprint) {
            self.metrics.digests_equal += 1;
            (converging.same_at, converging.differing) = (Some(asked_at), 0);
            converging.ask_at = Some(asked_at.plus_ms(DIGEST_EVERY_MS));
        } else {
            self.metrics.digests_different += 1;
            self.ask_for_differences(clinic);
        }
        Ok(())
    }

    /// How many notes of this clinic's feed for another lie behind a place. What came from that clinic itself
    /// does not count: it has that, unless its record was put back.
    fn notes_after(
        &self,
        reader: &dyn StoreReader,
        clinic: ClinicId,
        after: u64,
    ) -> Result<u64, RecordError> {
        let mut behind = Behind { after, through: after, notes: BTreeSet::new() };
        let place = self.lines.followed.get(&clinic).and_then(|followed| followed.place);
        let has_its_own = place.is_some_and(|place| place.cursor.epoch <= 1);
        self.count_behind(reader, clinic, has_its_own, &mut behind)?;
        Ok(behind.notes.len() as u64)
    }

    /// How many notes of this clinic another has not taken, as far as it has ever said what it took. Asked again
    /// it looks only at what is new; of very many it may say fewer at first.
    pub(crate) fn notes_behind(&mut self, reader: &dyn StoreReader, clinic: ClinicId) -> Option<u64> {
        self.kept_digest(reader, clinic);
        let converging = self.lines.converging.get_mut(&clinic)?;
        let told = converging.told?;
        let mut behind = std::mem::take(&mut converging.behind);
        if behind.after != told {
            behind = Behind { after: told, through: told, notes: BTreeSet::new() };
        }
        self.count_behind(reader, clinic, true, &mut behind).ok()?;
        let notes = behind.notes.len() as u64;
        self.lines.converging.get_mut(&clinic)?.behind = behind;
        Some(notes)
    }

    fn count_behind(
        &self,
        reader: &dyn StoreReader,
        clinic: ClinicId,
        has_its_own: bool,
        behind: &mut Behind,
    ) -> Result<(), RecordError> {
        let name = keys::scope(&self.record.vault, Scope::Site(clinic));
        for seq in reader.find(name, behind.through, BEHIND_ENTRIES_MAX)? {
            behind.through = seq;
            let Some(opened) = self.record.open(reader, seq)? else { continue };
            let its_own = matches!(&opened.head, Some(Head::Verdict(verdict))
                if verdict.origin.is_some_and(|origin| *origin.clinic == *clinic.as_bytes()));
            behind.notes.extend(opened.document.filter(|_| !(its_own && has_its_own)));
        }
        Ok(())
    }

    /// Brings the sum of what is shared with a clinic nearer to the record's end; whether it is there.
    fn sum_up(&mut self, reader: &dyn StoreReader, clinic: ClinicId) -> Result<bool, RecordError> {
        self.kept_digest(reader, clinic);
        let own = self.lines.converging.get(&clinic).and_then(|converging| converging.own.clone());
        let mut own = own.unwrap_or_default();
        let tip = reader.tip().seq;
        let name = keys::scope(&self.record.vault, Scope::Site(clinic));
        let found = reader.find(name, own.through, DIGEST_STEP)?;
        let through =
            if found.len() < DIGEST_STEP { tip } else { found.last().copied().unwrap_or(tip).min(tip) };
        let mut documents: BTreeSet<DocumentId> = BTreeSet::new();
        for seq in found.into_iter().filter(|seq| *seq <= through) {
            documents.extend(self.record.open(reader, seq)?.and_then(|opened| opened.document));
        }
        for document in documents {
            let before = self.part_of(reader, document, clinic, own.through)?;
            let after = self.part_of(reader, document, clinic, through)?;
            own.ranges.replace(document, before, after);
        }
        own.through = through;
        let converging = self.lines.converging.entry(clinic).or_default();
        converging.keep_due |= through >= own.kept_through.saturating_add(DIGEST_KEPT_EVERY);
        converging.own = Some(own);
        Ok(through == tip)
    }

    /// What a document adds to the sum of what is shared with a clinic, as the record was at a place.
    pub(crate) fn part_of(
        &self,
        reader: &dyn StoreReader,
        document: DocumentId,
        clinic: ClinicId,
        through: u64,
    ) -> Result<Part, RecordError> {
        let mut admitted: BTreeSet<ChangeHash> = BTreeSet::new();
        let mut shared = false;
        self.record.each(reader, keys::document(&self.record.vault, document), 0, |opened| {
            match opened.head {
                _ if opened.seq > through => {}
                Some(Head::Verdict(verdict))
                    if fate_of(verdict.outcome, verdict.reason) == Fate::Admitted =>
                {
                    admitted.extend(entry::change_hashes(&verdict.hashes));
                }
                Some(Head::Places(places)) => {
                    let mut sites = places.sites.iter().flatten();
                    shared = sites.any(|site| *site.as_slice() == *clinic.as_bytes());
                }
                _ => {}
            }
            Ok(())
        })?;
        Ok(if shared { Part::of(document, &admitted) } else { Part::default() })
    }

    fn keep_digest(&mut self, entropy: &mut dyn Entropy, reader: &dyn StoreReader, clinic: ClinicId) {
        let Some(converging) = self.lines.converging.get_mut(&clinic) else { return };
        let Some(own) = converging.own.as_mut().filter(|own| converging.keep_due && own.through > 0) else {
            return;
        };
        converging.keep_due = false;
        own.kept_through = own.through;
        let Ok(Some(entry)) = reader.entry(own.through) else { return };
        let ranges: ByteVec = own.ranges.encode().into();
        let value = (own.through, ByteArray::from(entry.chain.0), converging.told, ranges);
        let Ok(value) = minicbor::to_vec(value) else { return };
        if let Ok(sealed) = self.record.vault.seal(entropy, None, &[], &value) {
            self.keep.push((keys::digest(&self.record.vault, clinic), Some(sealed)));
        }
    }

    /// Takes up what was kept beside this very record; of another branch of it nothing counts.
    fn kept_digest(&mut self, reader: &dyn StoreReader, clinic: ClinicId) {
        let converging = self.lines.converging.entry(clinic).or_default();
        if converging.own.is_some() {
            return;
        }
        converging.own = Some(OwnDigest::default());
        let Ok(Some(bytes)) = reader.kept(keys::digest(&self.record.vault, clinic)) else { return };
        let Ok(value) = self.record.vault.open_body(&bytes, None) else { return };
        let value: Result<(u64, ByteArray<32>, Option<u64>, ByteVec), _> = minicbor::decode(&value);
        let Ok((through, chain, told, ranges)) = value else { return };
        let same = reader.entry(through).ok().flatten().is_some_and(|entry| entry.chain.0 == *chain);
        if let Some(ranges) = Ranges::decode(&ranges).filter(|_| same) {
            converging.told = converging.told.or(told);
            converging.own = Some(OwnDigest { through, kept_through: through, ranges });
        }
    }
}
