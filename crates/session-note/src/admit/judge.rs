//! The judge: all waiting changes of one document, each against its own ancestry, on one clone.
//!
//! A verdict reads the change, its ancestry, the policy and what else its actor did under the same
//! sequence number; never the document's current heads. So for changes without equivocation the
//! order of arrival decides nothing. No clock, no randomness, no global panic hook: the document
//! engine runs under `catch_unwind`, and the caller sees to a build that unwinds and to a stack of
//! at least 8 MiB, because the engine recurses.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use automerge::{Automerge, Change};
use chart::ids::ChangeHash;

use super::ancestry::{AncestryIndex, IndexError};
use super::content::{ContentRefusal, ContentView};
use super::limits::Limits;
use super::policy::Policy;
use super::prescan::{self, ChangeSketch};
use super::refusal::{DoorRefusal, JudgeRefusal};
use super::settle::{Settled, Sound, apply_verified, settle};
use super::structure;

/// A change that has passed the door.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    sketch: ChangeSketch,
    bytes: Vec<u8>,
}

impl Candidate {
    /// Takes the bytes through the door.
    pub fn scan(bytes: Vec<u8>, limits: &Limits) -> Result<Self, DoorRefusal> {
        prescan::prescan(&bytes, limits).map(|sketch| Self { sketch, bytes })
    }
    /// What the door learned.
    pub fn sketch(&self) -> &ChangeSketch {
        &self.sketch
    }
    /// The bytes as they came.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// Something that has passed the whole gate. Only [`judge`] makes one.
#[derive(Clone, Debug, PartialEq)]
pub struct Admitted<T>(T);

impl<T> Admitted<T> {
    /// What was admitted.
    pub fn get(&self) -> &T {
        &self.0
    }
    /// What was admitted, giving up the proof.
    pub fn into_inner(self) -> T {
        self.0
    }
}

/// What became of one change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is in the judged document.
    Admitted,
    /// It was in the document before.
    AlreadyKnown,
    /// It builds, directly or not, on changes that are neither in the document nor among the waiting.
    Waiting {
        /// Those; the sixteen smallest, if there are more.
        missing: BTreeSet<ChangeHash>,
    },
    /// It will never be applied anywhere.
    Rejected {
        /// The stable code.
        code: u16,
        /// Why, in one sentence.
        sentence: String,
    },
}

/// The verdicts, and the document with everything admitted.
#[derive(Debug)]
pub struct Judged {
    document: Automerge,
    saved: Option<Vec<u8>>,
    index: AncestryIndex,
    admitted: Vec<Admitted<Change>>,
    outcomes: Vec<(ChangeHash, Outcome)>,
}

impl Judged {
    /// One outcome for each distinct change, in the order they were given.
    pub fn outcomes(&self) -> &[(ChangeHash, Outcome)] {
        &self.outcomes
    }
    /// The bytes from which the document was proven to load again; `None` where nothing was admitted.
    pub fn saved(&self) -> Option<&[u8]> {
        self.saved.as_deref()
    }
    /// The verified document, its index, and the admitted changes, each after its dependencies.
    pub fn into_document(self) -> (Automerge, AncestryIndex, Vec<Admitted<Change>>) {
        (self.document, self.index, self.admitted)
    }
}

/// The content rules, as a function of one change in its ancestry.
pub type ContentRule<'r> = dyn FnMut(&ContentView<'_>) -> Result<(), ContentRefusal> + 'r;

/// Judges the waiting changes, given in log order. The caller leaves out what is held and what
/// builds on something held or rejected before.
///
/// Of two changes with one actor and sequence number the one that can be judged first stays; between
/// two that can both be judged, the earlier in the log.
///
/// # Errors
/// If `index` is not the index of `document`; nothing was judged then.
pub fn judge(
    document: &Automerge,
    index: &AncestryIndex,
    waiting: &[Candidate],
    policy: &Policy,
    content: &mut ContentRule<'_>,
) -> Result<Judged, IndexError> {
    if !index.covers(document) {
        return Err(IndexError::NotThisDocument);
    }
    let mut docket = Docket::new(index, waiting);
    let mut grown = index.clone();
    let mut passed = Vec::new();
    while let Some(place) = docket.next_ready() {
        let Some(candidate) = waiting.get(place) else { continue };
        let verdict =
            docket.follow_dependencies(candidate).map(|()| examine(candidate, &mut grown, policy, content));
        let outcome = match verdict {
            Ok(Ok(change)) => {
                passed.push(change);
                Outcome::Admitted
            }
            Ok(Err(rejected)) | Err(rejected) => rejected,
        };
        docket.close(place, outcome);
    }
    let base = Sound { document: document.clone(), saved: None };
    let Settled { document: Sound { document, saved }, accepted, rejected } =
        settle(base, passed, &mut |base, changes| apply_verified(base, changes));
    if !rejected.is_empty() {
        grown = index.clone();
        grown.catch_up(&document)?;
    }
    for (hash, refusal) in rejected {
        docket.outcomes.insert(hash, reject(refusal));
    }
    let admitted = accepted.into_iter().map(Admitted).collect();
    Ok(Judged { document, saved, index: grown, admitted, outcomes: docket.into_outcomes(waiting) })
}

fn reject(refusal: JudgeRefusal) -> Outcome {
    Outcome::Rejected { code: refusal.code(), sentence: refusal.to_string() }
}

/// Judges one change whose dependencies are all in `index`, and adds it there if it passes.
fn examine(
    candidate: &Candidate,
    index: &mut AncestryIndex,
    policy: &Policy,
    content: &mut ContentRule<'_>,
) -> Result<Change, Outcome> {
    let body = prescan::read(&candidate.bytes, &Limits::ADMITTED_BEFORE)
        .map_err(|refusal| Outcome::Rejected { code: refusal.code(), sentence: refusal.to_string() })?;
    let sketch = &candidate.sketch;
    if index.change_of(&sketch.actor, sketch.seq).is_some() {
        return Err(reject(JudgeRefusal::Equivocation));
    }
    let past = index.past(sketch.actor, &sketch.deps);
    structure::check_header(&body, &past, policy).map_err(reject)?;
    let ops = structure::check_ops(&body, index, &past, policy).map_err(reject)?;
    content(&ContentView { sketch, ops, index, past: &past })
        .map_err(|refusal| Outcome::Rejected { code: refusal.code, sentence: refusal.sentence })?;
    let parse = || Change::from_bytes(candidate.bytes.clone()).ok();
    let change = catch_unwind(AssertUnwindSafe(parse)).ok().flatten();
    let change = change.ok_or_else(|| reject(JudgeRefusal::EngineFailed))?;
    index.add(&body);
    Ok(change)
}

/// The waiting changes, handed out each after its dependencies, otherwise in log order.
struct Docket {
    outcomes: BTreeMap<ChangeHash, Outcome>,
    /// Dependencies that are neither in the document nor among the waiting.
    absent: BTreeSet<ChangeHash>,
    /// How many dependencies among the waiting are not closed, by place.
    open: BTreeMap<usize, usize>,
    /// Who waits for whom, by place.
    dependants: BTreeMap<usize, Vec<usize>>,
    ready: BTreeSet<usize>,
    hashes: Vec<ChangeHash>,
}

impl Docket {
    fn new(index: &AncestryIndex, waiting: &[Candidate]) -> Self {
        let mut places = BTreeMap::new();
        let mut outcomes = BTreeMap::new();
        for (place, candidate) in waiting.iter().enumerate() {
            let hash = candidate.sketch.hash;
            if index.contains(&hash) {
                outcomes.insert(hash, Outcome::AlreadyKnown);
            } else {
                places.entry(hash).or_insert(place);
            }
        }
        let mut docket = Self {
            outcomes,
            absent: BTreeSet::new(),
            open: BTreeMap::new(),
            dependants: BTreeMap::new(),
            ready: BTreeSet::new(),
            hashes: waiting.iter().map(|candidate| candidate.sketch.hash).collect(),
        };
        for place in places.values().copied() {
            let deps = waiting.get(place).into_iter().flat_map(|candidate| &candidate.sketch.deps);
            let mut open = 0;
            for dep in deps.filter(|dep| !index.contains(dep)) {
                match places.get(dep) {
                    Some(before) => {
                        docket.dependants.entry(*before).or_default().push(place);
                        open += 1;
                    }
                    None => _ = docket.absent.insert(*dep),
                }
            }
            if open == 0 {
                docket.ready.insert(place);
            } else {
                docket.open.insert(place, open);
            }
        }
        docket
    }

    fn next_ready(&mut self) -> Option<usize> {
        self.ready.pop_first()
    }

    /// The fate a change inherits: rejected with any dependency, else waiting with any.
    fn follow_dependencies(&self, candidate: &Candidate) -> Result<(), Outcome> {
        let mut absent = BTreeSet::new();
        for dep in &candidate.sketch.deps {
            match self.outcomes.get(dep) {
                Some(Outcome::Rejected { .. }) => {
                    return Err(reject(JudgeRefusal::DependsOnRejected { on: *dep }));
                }
                Some(Outcome::Waiting { missing }) => absent.extend(missing.iter().copied()),
                None if self.absent.contains(dep) => _ = absent.insert(*dep),
                Some(Outcome::Admitted | Outcome::AlreadyKnown) | None => {}
            }
        }
        // A chain of changes that each miss something more would tell of ever more, and cost their square.
        if absent.is_empty() { Ok(()) } else { Err(missing(absent.into_iter().take(MISSING_TOLD))) }
    }

    fn close(&mut self, place: usize, outcome: Outcome) {
        if let Some(hash) = self.hashes.get(place) {
            self.outcomes.insert(*hash, outcome);
        }
        for dependant in self.dependants.remove(&place).unwrap_or_default() {
            let Some(open) = self.open.get_mut(&dependant) else { continue };
            *open -= 1;
            if *open == 0 {
                self.open.remove(&dependant);
                self.ready.insert(dependant);
            }
        }
    }

    fn into_outcomes(mut self, waiting: &[Candidate]) -> Vec<(ChangeHash, Outcome)> {
        let take = |candidate: &Candidate| self.outcomes.remove_entry(&candidate.sketch.hash);
        waiting.iter().filter_map(take).collect()
    }
}

/// The most missing changes that an outcome names.
const MISSING_TOLD: usize = 16;

fn missing(hashes: impl IntoIterator<Item = ChangeHash>) -> Outcome {
    Outcome::Waiting { missing: hashes.into_iter().collect() }
}
