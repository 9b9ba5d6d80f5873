//! What arrives: pages of the feed, answers to questions, verdicts, reports. Nothing here touches the
//! document engine: how others' changes join a document is [`crate::join`]'s business.

use std::collections::BTreeSet;

use chart::entropy::Entropy;
use chart::ids::{ChangeHash, DocumentId};
use chart::time::Timestamp;
use session_note::admit::{Limits, prescan};
use session_note::schema::Kind;
use store::StoreReader;
use sync_protocol::message::{
    FeedBody, FeedChanges, FeedReference, Need, Page, ScopeChange, Supply, Verdict,
};
use sync_protocol::{DocumentKind, Outcome, ReasonCode};

use crate::entry::codec::Bytes;
use crate::entry::{
    CursorAt, Entry, FOLLOWS, Left, MADE_TWICE, ReferenceSeen, ReportDue, ReportSeen, VerdictItem,
    VerdictSeen, Wanted,
};
use crate::error::TabletError;
use crate::event::Event;
use crate::limits::{NEEDS_WAITING, PUSH_BYTES, REPORTS_ASKED};
use crate::machine::Tablet;
use crate::record::{Record, Unsettled, WorkState};
use crate::shelf::Loaded;

impl Tablet {
    pub(crate) fn take_page(
        &mut self,
        now: Timestamp,
        entropy: &mut dyn Entropy,
        reader: &dyn StoreReader,
        page: Page,
    ) -> Result<(), TabletError> {
        let mut news = false;
        for entry in page.entries {
            news = true;
            match entry.body {
                FeedBody::Changes(feed) => self.take_changes(entropy, reader, feed)?,
                FeedBody::Reference(reference) => self.take_reference(reference),
                FeedBody::Report(report) => match report.body {
                    Some(body) => self.take_report(report.document, Some(body)),
                    None => self.fetch_report(report.document),
                },
                FeedBody::Verdict(verdict) => self.take_verdict(&verdict, Vec::new()),
                FeedBody::Entered(scope) => self.take_entered(reader, &scope)?,
                FeedBody::Left(scope) => self.take_left(&scope),
                FeedBody::Other(_) => {}
            }
        }
        let cursor = Entry::Cursor(CursorAt { cursor: page.next });
        if news {
            self.pipeline.drop_lazy_cursor();
            self.enqueue(cursor);
        } else if self.state.cursor != Some(page.next) {
            self.enqueue_lazy(now, cursor);
        }
        self.mark_arrivals();
        if !page.more && self.link.offer_others {
            self.link.offer_others = false;
            self.offer_others(reader)?;
        }
        Ok(())
    }

    pub(crate) fn take_supply(
        &mut self,
        entropy: &mut dyn Entropy,
        reader: &dyn StoreReader,
        supply: Supply,
    ) -> Result<(), TabletError> {
        for feed in supply.entries {
            self.take_changes(entropy, reader, feed)?;
        }
        self.mark_arrivals();
        if !supply.more {
            self.link.asked.remove(&supply.document);
            self.fetch_if_due(supply.document);
        }
        Ok(())
    }

    /// Others' work, or word of our own.
    fn take_changes(
        &mut self,
        entropy: &mut dyn Entropy,
        reader: &dyn StoreReader,
        feed: FeedChanges,
    ) -> Result<(), TabletError> {
        let document = feed.document;
        let Some(kind) = known_kind(feed.kind) else {
            let sentence = "it is of a kind this version does not know: update the app".to_owned();
            self.tell(Event::CannotBeShown { document, sentence });
            return Ok(());
        };
        // Changes of the other kind than the document's stand on another beginning: they are kept and wait.
        let kind = self.kind(document).unwrap_or(kind);
        self.begin_document(entropy, document, kind)?;
        self.load(reader, document)?;
        let Some(loaded) = self.shelf.get(document) else { return Ok(()) };
        let sketches = feed.changes.iter().filter_map(|change| prescan(change, &Limits::V1).ok());
        let hashes: Vec<ChangeHash> = sketches.map(|sketch| sketch.hash).collect();
        // What was rejected once and is admitted after all joins when that is written down.
        let excluded = self.state.documents.get(&document).map(|record| &record.excluded);
        let is_back = |hash: &ChangeHash| excluded.is_some_and(|excluded| excluded.contains(hash));
        let back: Vec<ChangeHash> = hashes.iter().filter(|hash| is_back(hash)).copied().collect();
        let passed_door = hashes.len() == feed.changes.len();
        let here = |hash: &ChangeHash| {
            let waits = loaded.waiting.iter().any(|one| one.candidate.sketch().hash == *hash);
            loaded.note.contains(hash) || waits || self.is_outside(document, hash)
        };
        let known = hashes.iter().all(here);
        if self.link.offer_others {
            self.link.brought_again.entry(document).or_default().extend(&hashes);
        }
        if known && passed_door {
            self.confirm(document, &hashes, feed.verdict);
            return Ok(());
        }
        let proof = feed.verdict.clone();
        self.receive(feed, hashes);
        if !back.is_empty() {
            self.confirm(document, &back, proof);
        }
        Ok(())
    }

    /// The feed brought changes that are here already: what was made here is part of the record.
    fn confirm(&mut self, document: DocumentId, hashes: &[ChangeHash], proof: Vec<u8>) {
        let Some(record) = self.state.documents.get_mut(&document) else { return };
        let was_confirmed = std::mem::replace(&mut record.confirmed, true);
        let items: Vec<VerdictItem> = hashes
            .iter()
            .filter(|hash| record.work.contains_key(hash) || record.excluded.contains(hash))
            .filter(|_| !proof.is_empty())
            .map(|hash| VerdictItem {
                hash: *hash,
                outcome: Outcome::Admitted.number(),
                sentence: String::new(),
            })
            .collect();
        // Written down also where it says nothing but that the server has the document again.
        if !items.is_empty() || !was_confirmed {
            self.enqueue(Entry::Verdict(VerdictSeen { document, items, proof: Bytes(proof) }));
        }
    }

    pub(crate) fn take_verdict(&mut self, verdict: &Verdict, proof: Vec<u8>) {
        let Some(record) = self.state.documents.get(&verdict.document) else { return };
        let mut items = Vec::new();
        for item in &verdict.items {
            for hash in &item.hashes {
                let admitted = item.outcome == Outcome::Admitted;
                let settled = record.settled.contains_key(hash) && admitted;
                let known = record.work.contains_key(hash)
                    || record.settled.contains_key(hash)
                    || record.excluded.contains(hash)
                    || item.outcome == Outcome::Rejected;
                if known && !settled && (admitted || !record.replayed.contains_key(hash)) {
                    let replay = record.work.get(hash).is_some_and(|work| work.replay);
                    let outcome = match (item.outcome, item.reason) {
                        (Outcome::Rejected, ReasonCode::MadeTwice) if replay => MADE_TWICE,
                        (Outcome::Rejected, ReasonCode::DependsOn) if replay => FOLLOWS,
                        (outcome, _) => outcome.number(),
                    };
                    items.push(VerdictItem { hash: *hash, outcome, sentence: item.sentence.clone() });
                }
            }
        }
        if items.is_empty() {
            return;
        }
        let rejected = [Outcome::Rejected.number(), MADE_TWICE, FOLLOWS];
        if items.iter().any(|item| rejected.contains(&item.outcome)) {
            self.renew_actors(verdict.document);
        }
        let document = verdict.document;
        self.enqueue(Entry::Verdict(VerdictSeen { document, items, proof: Bytes(proof) }));
    }

    fn take_reference(&mut self, reference: FeedReference) {
        let (kind, id) = (reference.kind.number(), Bytes(reference.id));
        self.enqueue(Entry::Reference(ReferenceSeen { kind, id, body: reference.body.map(Bytes) }));
    }

    pub(crate) fn take_report(&mut self, document: DocumentId, body: Option<Vec<u8>>) {
        if let Some(body) = body
            && self.state.documents.contains_key(&document)
        {
            self.enqueue(Entry::Report(ReportSeen { document, body: Bytes(body) }));
        }
    }

    /// A report was published whose body does not travel in the page: until it is here, it is asked for
    /// on every connection.
    fn fetch_report(&mut self, document: DocumentId) {
        if !self.state.documents.contains_key(&document) {
            return;
        }
        let due = Entry::ReportDue(ReportDue { document });
        self.state.fold(0, &due);
        self.enqueue(due);
        self.fetch_if_due(document);
    }

    /// Asks for the report of a visit that was announced, or that came with the visit into the scope.
    fn fetch_if_due(&mut self, document: DocumentId) {
        let record = self.state.documents.get(&document);
        let due = record.is_some_and(|record| record.kind == Kind::Visit && record.report_due);
        if due && let Some(session) = &mut self.link.session {
            // Without an answer the note's own report stays provisional.
            let _ = session.fetch_report(document);
        }
    }

    /// Asks for the reports that an earlier connection announced and did not bring.
    pub(crate) fn fetch_due_reports(&mut self) {
        let due = self.state.documents.iter().filter(|(_, record)| record.report_due && !record.out_of_scope);
        let due: Vec<DocumentId> = due.map(|(document, _)| *document).take(REPORTS_ASKED).collect();
        due.into_iter().for_each(|document| self.fetch_if_due(document));
    }

    fn take_entered(&mut self, reader: &dyn StoreReader, scope: &ScopeChange) -> Result<(), TabletError> {
        for entered in &scope.documents {
            let (document, heads) =
                (entered.document, entered.heads.iter().copied().collect::<BTreeSet<_>>());
            let here = self.state.documents.contains_key(&document);
            if here {
                self.load(reader, document)?;
            }
            let loaded = self.shelf.get(document).filter(|_| here);
            let here = |loaded: &Loaded, head| loaded.note.contains(head) || self.is_outside(document, head);
            let held = loaded.is_some_and(|loaded| heads.iter().all(|head| here(loaded, head)));
            let heads = if held { BTreeSet::new() } else { heads };
            if !held {
                self.link.to_ask.insert(document);
            }
            let wanted = Entry::Wanted(Wanted { document, heads });
            // True at once: the question leaves before the entry is written.
            self.state.fold(0, &wanted);
            self.enqueue(wanted);
            if held {
                self.fetch_if_due(document);
            }
        }
        Ok(())
    }

    /// Takes documents out of the list; one with work or drafts that wait stays in it until they do not.
    fn take_left(&mut self, scope: &ScopeChange) {
        for left in &scope.documents {
            let document = left.document;
            self.enqueue(Entry::Left(Left { document }));
            self.tell(Event::Changed { document });
        }
    }

    /// Asks for what is missing, a few documents at a time.
    pub(crate) fn ask(&mut self, reader: &dyn StoreReader) {
        while self.link.is_open() && self.link.asked.len() < NEEDS_WAITING {
            let Some(document) = self.link.to_ask.pop_first() else { return };
            let (mut have, mut missing) = (Vec::new(), Vec::new());
            if self.state.documents.contains_key(&document) {
                if self.load(reader, document).is_err() {
                    continue;
                }
                let Some(loaded) = self.shelf.get(document) else { continue };
                let record = self.state.documents.get(&document);
                let wanted = record.map(|record| record.wanted.clone()).unwrap_or_default();
                let here = |hash: &ChangeHash| loaded.note.contains(hash) || self.is_outside(document, hash);
                missing = loaded.missing().into_iter().filter(|hash| !here(hash)).collect();
                let reached = wanted.iter().all(here);
                if reached && missing.is_empty() {
                    if let Some(record) = self.state.documents.get_mut(&document) {
                        record.wanted.clear();
                    }
                    continue;
                }
                have = loaded.note.heads().into_iter().collect();
                if !reached || loaded.more_waits {
                    // All beyond what is here; the missing ones are among them.
                    missing.clear();
                }
            }
            if let Some(session) = &mut self.link.session
                && session.need(document, have, missing).is_ok()
            {
                self.link.asked.insert(document);
            }
        }
    }

    /// The server asks for changes: own work is pushed again, others' is supplied as it came.
    pub(crate) fn supply(&mut self, reader: &dyn StoreReader, need: &Need) -> Result<(), TabletError> {
        let document = need.document;
        if !self.state.documents.contains_key(&document) {
            return Ok(());
        }
        self.load(reader, document)?;
        let Some(loaded) = self.shelf.get(document) else { return Ok(()) };
        let wanted: BTreeSet<ChangeHash> = if need.hashes.is_empty() {
            let have = need.have.iter().copied().collect();
            let outside = self.state.documents.get(&document).into_iter().flat_map(Record::set_aside);
            let inside = loaded.note.changes_since(&have).into_iter().map(|(hash, _)| hash);
            inside.chain(outside.copied()).collect()
        } else {
            need.hashes.iter().copied().collect()
        };
        if let Some(record) = self.state.documents.get_mut(&document) {
            for hash in &wanted {
                if let Some((seq, replay)) = record.settled.remove(hash) {
                    record.work.insert(*hash, Unsettled { seq, replay, state: WorkState::Queued });
                }
                if let Some(work) = record.work.get_mut(hash)
                    && work.state == WorkState::Receipted
                {
                    work.state = WorkState::Queued;
                }
            }
            if record.has_queued() {
                self.state.queued.insert(document);
            }
        }
        self.link.retry_at.remove(&document);
        self.send_others(reader, document, &|hash| wanted.contains(hash))
    }

    /// After the server's record was found rewound: others' work that the feed did not bring again.
    fn offer_others(&mut self, reader: &dyn StoreReader) -> Result<(), TabletError> {
        let again = std::mem::take(&mut self.link.brought_again);
        let brought = |document: &DocumentId, hash: &ChangeHash| {
            again.get(document).is_some_and(|again| again.contains(hash))
        };
        let silent_only = std::mem::take(&mut self.link.offer_the_rest);
        let asked = self.state.documents.iter().filter(|(_, record)| !silent_only || record.is_silent());
        let lacks = |(document, record): &(&DocumentId, &Record)| {
            let heads = record.heads.as_ref();
            heads.is_none_or(|heads| !heads.iter().all(|head| brought(document, head)))
                || !record.set_aside().all(|hash| brought(document, hash))
        };
        let lacking: Vec<DocumentId> = asked.filter(lacks).map(|(document, _)| *document).collect();
        for document in lacking {
            self.send_others(reader, document, &|hash| !brought(&document, hash))?;
        }
        Ok(())
    }

    fn send_others(
        &mut self,
        reader: &dyn StoreReader,
        document: DocumentId,
        wanted: &dyn Fn(&ChangeHash) -> bool,
    ) -> Result<(), TabletError> {
        let mut feeds: Vec<FeedChanges> = Vec::new();
        self.each_entry(reader, document, 0, &mut |_, entry| {
            feeds.extend(entry.into_feed().filter(|feed| names_any(feed, wanted)));
            Ok(())
        })?;
        let Some(session) = &mut self.link.session else { return Ok(()) };
        let mut rest = feeds.into_iter().peekable();
        while rest.peek().is_some() {
            let (mut entries, mut bytes) = (Vec::new(), 0usize);
            while let Some(feed) = rest.next_if(|feed| entries.is_empty() || bytes + size(feed) <= PUSH_BYTES)
            {
                bytes += size(&feed);
                entries.push(feed);
            }
            let supply = Supply { document, entries, more: rest.peek().is_some() };
            if session.supply(supply).is_err() {
                return Ok(());
            }
        }
        Ok(())
    }
}

fn size(feed: &FeedChanges) -> usize {
    feed.changes.iter().map(Vec::len).sum::<usize>() + feed.verdict.len() + 512
}

fn names_any(feed: &FeedChanges, wanted: &dyn Fn(&ChangeHash) -> bool) -> bool {
    feed.changes.iter().any(|change| {
        let sketch = prescan(change, &Limits::V1);
        sketch.is_ok_and(|sketch| wanted(&sketch.hash))
    })
}

pub(crate) const fn known_kind(kind: DocumentKind) -> Option<Kind> {
    match kind {
        DocumentKind::Visit => Some(Kind::Visit),
        DocumentKind::Episode => Some(Kind::Episode),
        DocumentKind::Other(_) => None,
    }
}
