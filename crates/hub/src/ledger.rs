//! What is known of one document's changes: where in the log they lie, what they build on, what became
//! of them. Pure bookkeeping; it holds no content.

use std::collections::{BTreeMap, BTreeSet};

use chart::facts::Arrival;
use chart::ids::{ActorId, ChangeHash, ClinicId, DeviceId, PersonId};
use chart::time::Timestamp;
use session_note::admit::ChangeSketch;
use store::Key;
use sync_protocol::ReasonCode;

/// What became of a change so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// No verdict yet.
    Unjudged,
    /// Part of the note.
    Admitted,
    /// Kept back.
    Held(ReasonCode),
    /// Never applied.
    Rejected(ReasonCode),
}

/// One change.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    /// The entry of its work; `None` until that entry is durable.
    pub(crate) seq: Option<u64>,
    pub(crate) actor: ActorId,
    /// Which of the actor's changes it is.
    pub(crate) number: u64,
    pub(crate) deps: Vec<ChangeHash>,
    /// What the verdicts on it say together; [`Ledger::fate`] says what has become of it.
    pub(crate) fate: Fate,
    /// Whether it and all it builds on are durable.
    pub(crate) whole: bool,
    /// Whether the verdict of its origin, another clinic or this one before its record was put back, is on its
    /// way.
    pub(crate) verdict_comes: bool,
}

/// One piece of work of the document.
#[derive(Clone, Debug)]
pub(crate) struct WorkNote {
    pub(crate) person: PersonId,
    pub(crate) device: DeviceId,
    pub(crate) hashes: Vec<ChangeHash>,
    /// What it was made again from: for each change its original, or all for all.
    pub(crate) replaces: Vec<ChangeHash>,
    /// The clinic it came back or over from with its verdict; `None` for work that this one received.
    pub(crate) origin: Option<ClinicId>,
}

/// Work of one device that waits for its verdict.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Backlog {
    pub(crate) bytes: usize,
    pub(crate) changes: usize,
}

/// All changes of one document.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) changes: BTreeMap<ChangeHash, Known>,
    pub(crate) works: BTreeMap<u64, WorkNote>,
    /// How each piece of work came.
    came: BTreeMap<u64, Arrival>,
    pub(crate) caseloads: BTreeSet<PersonId>,
    /// The other clinics that hold it.
    pub(crate) sites: BTreeSet<ClinicId>,
    /// And those that ever did.
    pub(crate) sites_ever: BTreeSet<ClinicId>,
    /// Changes that another clinic holds back and has not sent.
    held_abroad: BTreeSet<ChangeHash>,
    /// Tablets that brought others' work of it.
    pub(crate) carriers: BTreeSet<DeviceId>,
    /// Who was told that the document left their caseload, or never was on it.
    pub(crate) told_left: BTreeSet<PersonId>,
    /// The keys under which it was placed, ever.
    pub(crate) place_keys: BTreeSet<Key>,
    /// What was made again from a change.
    replays: BTreeMap<ChangeHash, BTreeSet<ChangeHash>>,
    /// What a change was made again from.
    originals: BTreeMap<ChangeHash, BTreeSet<ChangeHash>>,
    /// Changes by something they build on that was not whole when they came.
    followers: BTreeMap<ChangeHash, Vec<ChangeHash>>,
    /// An admitted change of each actor under each number.
    pub(crate) numbers: BTreeMap<(ActorId, u64), ChangeHash>,
    /// Actors of whom two changes under one number were admitted, at clinics apart.
    pub(crate) torn: BTreeSet<ActorId>,
    /// Admitted changes that are not part of the note for it.
    pub(crate) overruled: BTreeMap<ChangeHash, ReasonCode>,
    /// How many changes of each piece of work have no verdict.
    open: BTreeMap<u64, usize>,
    /// The last entry that is folded in.
    pub(crate) through: u64,
    genesis: Option<ChangeHash>,
}

impl Ledger {
    pub(crate) fn new(genesis: ChangeHash) -> Self {
        Self { genesis: Some(genesis), ..Self::default() }
    }

    pub(crate) fn knows(&self, hash: &ChangeHash) -> bool {
        self.genesis.as_ref() == Some(hash) || self.changes.contains_key(hash)
    }

    /// Notes a change that passed the door and is on its way into the log.
    pub(crate) fn arrive(&mut self, sketch: &ChangeSketch) {
        if self.changes.contains_key(&sketch.hash) {
            return;
        }
        for dep in sketch.deps.iter().filter(|dep| !self.is_whole(dep)).copied().collect::<Vec<_>>() {
            self.followers.entry(dep).or_default().push(sketch.hash);
        }
        let known = Known {
            seq: None,
            actor: sketch.actor,
            number: sketch.seq,
            deps: sketch.deps.clone(),
            fate: Fate::Unjudged,
            whole: false,
            verdict_comes: false,
        };
        self.changes.insert(sketch.hash, known);
    }

    /// Notes that a piece of work is durable at this entry.
    pub(crate) fn durable(&mut self, seq: u64, work: WorkNote, received_at: Timestamp, clock_ahead_ms: i64) {
        for hash in &work.hashes {
            if let Some(known) = self.changes.get_mut(hash)
                && known.seq.is_none()
            {
                known.seq = Some(seq);
                if known.fate == Fate::Unjudged {
                    *self.open.entry(seq).or_default() += 1;
                }
            }
        }
        self.came.insert(seq, Arrival { device: work.device, clock_ahead_ms, received_at });
        let hashes = work.hashes.clone();
        self.note_replays(&work);
        self.works.insert(seq, work);
        self.through = self.through.max(seq);
        self.spread_whole(hashes);
    }

    fn note_replays(&mut self, work: &WorkNote) {
        let paired = work.replaces.len() == work.hashes.len();
        for (place, replay) in work.hashes.iter().enumerate() {
            let own = |at: &usize| !paired || *at == place;
            let originals = work.replaces.iter().enumerate().filter(|(at, _)| own(at));
            for (_, original) in originals {
                self.replays.entry(*original).or_default().insert(*replay);
                self.originals.entry(*replay).or_default().insert(*original);
            }
        }
    }

    /// The changes that stand for the same work as this one: its original, its replays, and other replays
    /// of its original. At most one of them may be part of the note.
    pub(crate) fn rivals(&self, hash: &ChangeHash) -> BTreeSet<ChangeHash> {
        let none = BTreeSet::new();
        let originals = self.originals.get(hash).unwrap_or(&none);
        let same = originals.iter().chain([hash]).filter_map(|original| self.replays.get(original)).flatten();
        let work = self.changes.get(hash).and_then(|known| known.seq);
        let rival = |other: &ChangeHash| {
            other != hash && (work.is_none() || self.changes.get(other).and_then(|known| known.seq) != work)
        };
        originals.iter().chain(same).filter(|other| rival(other)).copied().collect()
    }

    /// Whether the work of a change is part of the note already, through another change.
    pub(crate) fn is_made_twice(&self, hash: &ChangeHash) -> bool {
        self.rivals(hash).iter().any(|rival| self.fate(rival) == Some(Fate::Admitted))
    }

    /// A change is whole when it is durable and everything it builds on is whole.
    fn spread_whole(&mut self, hashes: Vec<ChangeHash>) {
        let mut candidates = hashes;
        while let Some(hash) = candidates.pop() {
            if !self.is_now_whole(&hash) {
                continue;
            }
            if let Some(known) = self.changes.get_mut(&hash) {
                known.whole = true;
            }
            // What was waiting for this one may be complete with it.
            candidates.extend(self.followers.remove(&hash).unwrap_or_default());
        }
    }

    fn is_now_whole(&self, hash: &ChangeHash) -> bool {
        self.changes.get(hash).is_some_and(|known| {
            !known.whole && known.seq.is_some() && known.deps.iter().all(|dep| self.is_whole(dep))
        })
    }

    pub(crate) fn is_whole(&self, hash: &ChangeHash) -> bool {
        self.genesis.as_ref() == Some(hash) || self.changes.get(hash).is_some_and(|known| known.whole)
    }

    /// Which of these the log lacks entirely.
    pub(crate) fn missing<'a>(
        &self,
        hashes: impl IntoIterator<Item = &'a ChangeHash>,
    ) -> BTreeSet<ChangeHash> {
        hashes.into_iter().filter(|hash| !self.knows(hash)).copied().collect()
    }

    pub(crate) fn fate(&self, hash: &ChangeHash) -> Option<Fate> {
        if self.genesis.as_ref() == Some(hash) {
            return Some(Fate::Admitted);
        }
        let overruled = self.overruled.get(hash).map(|reason| Fate::Rejected(*reason));
        overruled.or_else(|| self.changes.get(hash).map(|known| known.fate))
    }

    /// Whether the verdicts on a change admit it, part of the note or not.
    pub(crate) fn was_admitted(&self, hash: &ChangeHash) -> bool {
        let admitted = |known: &Known| known.fate == Fate::Admitted;
        self.genesis.as_ref() == Some(hash) || self.changes.get(hash).is_some_and(admitted)
    }

    /// Folds a verdict in: admitted outweighs rejected outweighs held.
    pub(crate) fn judge(&mut self, hash: &ChangeHash, fate: Fate) {
        let weight = |fate: Fate| match fate {
            Fate::Unjudged => 0,
            Fate::Held(_) => 1,
            Fate::Rejected(_) => 2,
            Fate::Admitted => 3,
        };
        match fate {
            Fate::Held(_) if !self.knows(hash) => _ = self.held_abroad.insert(*hash),
            Fate::Admitted | Fate::Rejected(_) => _ = self.held_abroad.remove(hash),
            Fate::Held(_) | Fate::Unjudged => {}
        }
        if let Some(known) = self.changes.get_mut(hash)
            && weight(fate) >= weight(known.fate)
        {
            let first = known.fate == Fate::Unjudged && fate != Fate::Unjudged;
            known.fate = fate;
            if fate == Fate::Admitted {
                let place = self.numbers.entry((known.actor, known.number)).or_insert(*hash);
                if *place != *hash {
                    self.torn.insert(known.actor);
                }
            }
            if let Some(seq) = known.seq.filter(|_| first)
                && let Some(open) = self.open.get_mut(&seq)
            {
                *open = open.saturating_sub(1);
                if *open == 0 {
                    self.open.remove(&seq);
                }
            }
        }
    }

    /// Whether a change is admitted, or will be once what was brought is written.
    pub(crate) fn is_settled(&self, hash: &ChangeHash) -> bool {
        self.was_admitted(hash) || self.changes.get(hash).is_some_and(|known| known.verdict_comes)
    }

    /// Notes that an origin's verdict on a change was brought.
    pub(crate) fn expect_verdict(&mut self, hash: &ChangeHash) {
        if let Some(known) = self.changes.get_mut(hash) {
            known.verdict_comes = true;
        }
    }

    /// Notes that the verdict that was brought could not be written.
    pub(crate) fn expect_no_verdict(&mut self, hash: &ChangeHash) {
        if let Some(known) = self.changes.get_mut(hash) {
            known.verdict_comes = false;
        }
    }

    /// Whether a verdict says anything that is not known of a change.
    pub(crate) fn would_learn(&self, hash: &ChangeHash, fate: Fate) -> bool {
        match fate {
            Fate::Held(_) => !self.knows(hash) && !self.held_abroad.contains(hash),
            Fate::Rejected(_) => self.held_abroad.contains(hash),
            Fate::Admitted | Fate::Unjudged => false,
        }
    }

    /// The clinic where it was begun: it received what builds on nothing; the smaller id of several. Times of
    /// arrival do not decide, for to a clinic that was put back work comes a second time.
    pub(crate) fn home(&self, here: ClinicId) -> ClinicId {
        let builds_on_nothing = |(hash, known): &(&ChangeHash, &Known)| {
            self.fate(hash) == Some(Fate::Admitted)
                && known.deps.iter().all(|dep| self.genesis.as_ref() == Some(dep))
        };
        let work = |(_, known): (_, &Known)| known.seq.and_then(|seq| self.works.get(&seq));
        let begun = self.changes.iter().filter(builds_on_nothing).filter_map(work);
        begun.map(|work| work.origin.unwrap_or(here)).min().unwrap_or(here)
    }

    /// Notes which other clinics hold it from here on.
    pub(crate) fn placed_at(&mut self, sites: BTreeSet<ClinicId>) {
        self.sites_ever.extend(&sites);
        self.sites = sites;
    }

    /// Notes whose caseloads it entered and left.
    pub(crate) fn moved(&mut self, entered: &[PersonId], left: &[PersonId]) {
        self.told_left.extend(left);
        self.told_left.retain(|person| !entered.contains(person));
    }

    /// Whether something stays back although everything was judged: held, or waiting for what it builds
    /// on. Work that is only on its way into the log, or next to be judged, does not count: its verdict
    /// follows at once, and nothing would take the word back from the reports of other notes.
    pub(crate) fn has_unsettled_holds(&self) -> bool {
        let stays = |known: &Known| match known.fate {
            Fate::Held(_) => true,
            Fate::Unjudged => known.seq.is_some() && !known.whole,
            Fate::Admitted | Fate::Rejected(_) => false,
        };
        !self.held_abroad.is_empty() || self.changes.values().any(stays)
    }

    /// Whether anything builds on something that was not whole when it came.
    pub(crate) fn has_followers(&self) -> bool {
        !self.followers.is_empty()
    }

    /// Whether something of a piece of work has no verdict.
    pub(crate) fn is_open(&self, work: u64) -> bool {
        self.open.contains_key(&work)
    }

    /// Changes that can be judged, at most so many, each after what it builds on and otherwise in log
    /// order, with the entry of their work. What waits for something missing is not among them, nor what
    /// another clinic received: that brings its verdict along.
    pub(crate) fn next_to_judge(&self, most: usize) -> Vec<(u64, ChangeHash)> {
        let mut candidates: Vec<(u64, &ChangeHash, &Known)> = Vec::new();
        let open = self.open.keys().filter_map(|seq| Some((*seq, self.works.get(seq)?)));
        for (seq, work) in open.filter(|(_, work)| work.origin.is_none()) {
            let known = work.hashes.iter().filter_map(|hash| Some((seq, hash, self.changes.get(hash)?)));
            candidates.extend(known.filter(|(seq, _, known)| {
                known.seq == Some(*seq) && known.fate == Fate::Unjudged && known.whole
            }));
        }
        let mut found: Vec<(u64, ChangeHash)> = Vec::new();
        let mut taken: BTreeSet<ChangeHash> = BTreeSet::new();
        loop {
            let before = found.len();
            candidates.retain(|(seq, hash, known)| {
                let judged = |dep: &ChangeHash| {
                    taken.contains(dep) || self.fate(dep).is_some_and(|fate| fate != Fate::Unjudged)
                };
                let ready = found.len() < most && known.deps.iter().all(judged);
                if ready {
                    taken.insert(**hash);
                    found.push((*seq, **hash));
                }
                !ready
            });
            if found.len() == before || found.len() >= most {
                return found;
            }
        }
    }

    /// How the last work of each tablet came that is part of the note. What is held or was rejected lies at the
    /// clinic that received it and nowhere else, and reports are equal at all of them.
    pub(crate) fn arrivals(&self) -> Vec<Arrival> {
        let mut latest: BTreeMap<DeviceId, &Arrival> = BTreeMap::new();
        for (seq, arrival) in &self.came {
            let here = |hash: &ChangeHash| self.changes.get(hash).and_then(|known| known.seq) == Some(*seq);
            let stays = |hash: &ChangeHash| here(hash) && self.fate(hash) == Some(Fate::Admitted);
            let part = self.works.get(seq).is_some_and(|work| work.hashes.iter().any(stays));
            // Another clinic's work need not come in the order in which it received it.
            let newer = latest.get(&arrival.device).is_none_or(|one| one.received_at <= arrival.received_at);
            if part && newer {
                latest.insert(arrival.device, arrival);
            }
        }
        latest.into_values().cloned().collect()
    }
}
