//! Rejected work is made again: the document is rebuilt from what is not rejected, and the person's
//! commands are given again on the original's admitted ancestry, under a new actor, with their
//! original ids, author and time. Once: a replay that is rejected goes to a supervisor, and what follows
//! it is made again without it. A signature is never given for anybody.

use std::collections::{BTreeMap, BTreeSet};

use chart::entropy::Entropy;
use chart::ids::{ActorId, ChangeHash, DocumentId};
use session_note::admit::{Limits, prescan};
use session_note::{Author, Command, CommandError, Issued};
use store::StoreReader;
use sync_protocol::Outcome;

use crate::edit::Making;
use crate::entry::codec::Bytes;
use crate::entry::{Entry, FOLLOWS, LET_GO, NotReplayed, VerdictItem, VerdictSeen, Work};
use crate::error::TabletError;
use crate::event::Event;
use crate::machine::Tablet;
use crate::record::WorkState;
use crate::typing::Phrase;

/// A replay is made again at most for each replay below it; whoever goes further goes in a circle.
const REPLAYS_FOLLOWED: usize = 1_000;

/// A change made here and what it builds on.
struct Own {
    work: Work,
    deps: Vec<ChangeHash>,
    /// Whether the server has rejected it, or what it builds on.
    bad: bool,
    /// Whether it is rejected in the log already.
    told: bool,
    replay: bool,
}

impl Tablet {
    /// Documents whose rejected work can be made again at once.
    pub(crate) fn replayable(&self) -> impl Iterator<Item = DocumentId> {
        self.state.replay_due.iter().copied().filter(|document| !self.pipeline.is_pending(*document))
    }

    pub(crate) fn replay_due(
        &mut self,
        entropy: &mut dyn Entropy,
        reader: &dyn StoreReader,
    ) -> Result<(), TabletError> {
        let due: Vec<DocumentId> = self.replayable().collect();
        due.into_iter().try_for_each(|document| self.replay(entropy, reader, document))
    }

    fn replay(
        &mut self,
        entropy: &mut dyn Entropy,
        reader: &dyn StoreReader,
        document: DocumentId,
    ) -> Result<(), TabletError> {
        let mut own = self.own_work(reader, document)?;
        let Some(record) = self.state.documents.get(&document) else { return Ok(()) };
        let mut bad: BTreeSet<ChangeHash> = record.excluded.clone();
        for one in &mut own {
            one.bad = bad.contains(&one.work.hash) || one.deps.iter().any(|dep| bad.contains(dep));
            if one.bad {
                bad.insert(one.work.hash);
            }
        }
        let built = self.build(reader, document, record, &bad)?;
        let mut stands_for: BTreeMap<ChangeHash, BTreeSet<ChangeHash>> =
            record.replayed.iter().map(|(old, new)| (*old, BTreeSet::from([new.by]))).collect();
        // A replay that goes because its original is in the note: what builds on it builds on that.
        let gone: BTreeSet<ChangeHash> = record.superseded.keys().copied().collect();
        for (replay, original) in &record.superseded {
            stands_for.extend(original.map(|original| (*replay, BTreeSet::from([original]))));
        }
        self.shelf.put(document, built);
        self.renew_actors(document);
        self.reject_descendants(document, &own);
        self.let_go(document, &gone);
        for one in own.into_iter().filter(|one| one.bad) {
            let base = mapped(&one.deps, &bad, &stands_for);
            let hash = one.work.hash;
            if gone.contains(&hash) {
                stands_for.entry(hash).or_insert(base);
                continue;
            }
            let to_be_made = match self.work_state(document, hash) {
                // Of replays only those that follow another one are here.
                Some(WorkState::Rejected(_)) => true,
                None | Some(WorkState::Queued | WorkState::Receipted | WorkState::Held(_)) => !one.replay,
                Some(WorkState::SignAgain(_) | WorkState::NeedsSupervisor(_)) => false,
            };
            let stands = if to_be_made { self.replay_one(entropy, &one.work, &base) } else { None };
            stands_for.insert(hash, stands.map_or(base, |new| BTreeSet::from([new])));
        }
        // What is on the shelf stays there until all of this is written: it is ahead of the log.
        self.tell(Event::Changed { document });
        Ok(())
    }

    fn work_state(&self, document: DocumentId, hash: ChangeHash) -> Option<WorkState> {
        self.state.documents.get(&document)?.work.get(&hash).map(|work| work.state.clone())
    }

    /// All work made here on a document, in the order it was made.
    fn own_work(&self, reader: &dyn StoreReader, document: DocumentId) -> Result<Vec<Own>, TabletError> {
        let Some(record) = self.state.documents.get(&document) else { return Ok(Vec::new()) };
        let mut own = Vec::new();
        let mut seen = BTreeSet::new();
        self.each_entry(reader, document, 0, &mut |_, entry| {
            if let Entry::Work(work) = entry
                && seen.insert(work.hash)
            {
                let sketch = prescan(&work.change.0, &Limits::V1);
                let told = record.excluded.contains(&work.hash);
                let replay = !work.replaces.is_empty();
                own.push(Own {
                    deps: sketch.map(|s| s.deps).unwrap_or_default(),
                    bad: false,
                    told,
                    replay,
                    work,
                });
            }
            Ok(())
        })?;
        own.retain(|one| !record.replayed.contains_key(&one.work.hash));
        Ok(own)
    }

    /// Work built on rejected work follows it; the server says the same.
    fn reject_descendants(&mut self, document: DocumentId, own: &[Own]) {
        let follow = own.iter().filter(|one| one.bad && !one.told);
        let items: Vec<VerdictItem> = follow
            .map(|one| VerdictItem {
                hash: one.work.hash,
                outcome: if one.replay { FOLLOWS } else { Outcome::Rejected.number() },
                sentence: "it builds on work that was rejected".to_owned(),
            })
            .collect();
        if !items.is_empty() {
            self.enqueue(Entry::Verdict(VerdictSeen { document, items, proof: Bytes(Vec::new()) }));
        }
    }

    /// Replays whose work is in the note without them wait for nothing more.
    fn let_go(&mut self, document: DocumentId, gone: &BTreeSet<ChangeHash>) {
        let waits = |hash: &&ChangeHash| self.work_state(document, **hash).is_some();
        let items: Vec<VerdictItem> = gone
            .iter()
            .filter(waits)
            .map(|hash| VerdictItem { hash: *hash, outcome: LET_GO, sentence: String::new() })
            .collect();
        if !items.is_empty() {
            self.enqueue(Entry::Verdict(VerdictSeen { document, items, proof: Bytes(Vec::new()) }));
        }
    }

    /// Makes one change again; `None` if it cannot be, and then the log says so.
    fn replay_one(
        &mut self,
        entropy: &mut dyn Entropy,
        old: &Work,
        base: &BTreeSet<ChangeHash>,
    ) -> Option<ChangeHash> {
        let document = old.document;
        let issued = old.issued();
        let is_signature = |issued: &Issued| matches!(issued.command, Command::Sign { .. });
        if issued.iter().any(is_signature) {
            self.not_replayed(old, true, "what you signed had to be saved again");
            return None;
        }
        let actor = *self.actors.entry((document, old.person)).or_insert_with(|| ActorId::random(entropy));
        let author = Author { person: old.person, device: self.config.device, actor };
        let fresh = ActorId::random(entropy);
        // Some of the base may be below the rest: only its heads were seen.
        let seen = self.shelf.get(document).and_then(|loaded| loaded.note.at(base)).map(|note| note.heads());
        let Some(seen) = seen else {
            self.not_replayed(old, false, "what it was built on is not here");
            return None;
        };
        let replaces = vec![old.hash];
        let making =
            Making { document, author, fresh, at: old.at, seen: &seen, issued, phrase: None, replaces };
        match self.make_one(making) {
            Ok(work) => {
                let hash = work.hash;
                self.keep_work(work, false);
                Some(hash)
            }
            Err(TabletError::Command(CommandError::NothingChanged)) => {
                self.not_replayed(old, false, "what it changed is there already");
                None
            }
            Err(error) => {
                self.not_replayed(old, false, &error.to_string());
                None
            }
        }
    }

    /// The heads a phrase was begun on, with what stands for those that were made again since.
    pub(crate) fn standing(&self, phrase: &Phrase) -> BTreeSet<ChangeHash> {
        let (Some(record), Some(loaded)) =
            (self.state.documents.get(&phrase.document), self.shelf.get(phrase.document))
        else {
            return phrase.base.clone();
        };
        let next = |hash: &ChangeHash| match record.replayed.get(hash) {
            Some(replayed) => Some(replayed.by),
            None => record.superseded.get(hash).copied().flatten(),
        };
        let last = |hash: &ChangeHash| std::iter::successors(Some(*hash), next).take(REPLAYS_FOLLOWED).last();
        let base: BTreeSet<ChangeHash> = phrase.base.iter().filter_map(last).collect();
        // Some of it may be below the rest.
        loaded.note.at(&base).map_or(base, |note| note.heads())
    }

    fn not_replayed(&mut self, old: &Work, signature: bool, sentence: &str) {
        self.enqueue(Entry::NotReplayed(NotReplayed {
            document: old.document,
            hash: old.hash,
            signature,
            sentence: sentence.to_owned(),
        }));
    }
}

/// What stands in for a rejected change's base: replays for what was replayed, the base's own base for
/// what was not.
fn mapped(
    deps: &[ChangeHash],
    bad: &BTreeSet<ChangeHash>,
    stands_for: &BTreeMap<ChangeHash, BTreeSet<ChangeHash>>,
) -> BTreeSet<ChangeHash> {
    let mut base = BTreeSet::new();
    for dep in deps {
        match stands_for.get(dep) {
            Some(stands) => base.extend(stands.iter().copied()),
            None if bad.contains(dep) => {}
            None => _ = base.insert(*dep),
        }
    }
    base
}
