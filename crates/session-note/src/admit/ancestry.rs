//! What each change had seen: an index beside the document that answers, without the document
//! engine and without walking history, whether a change, an object, a text element or a field's
//! value lay in the ancestry of another change.
//!
//! It holds names and shapes only, never a value or a word of the note. It costs some hundred bytes
//! per change and nothing per character typed in a row.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use automerge::Automerge;
use chart::ids::{ActorId, ChangeHash};

use super::body::{Edit, Op, OpId};
use super::clock::Clock;
use super::limits::Limits;
use super::prescan::{self, Body};
use super::refusal::DoorRefusal;

/// An index that cannot serve a document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IndexError {
    /// The index stands at other heads than the document.
    #[error("the index of changes is not the one of this document")]
    NotThisDocument,
    /// The document holds a change that the gate would never have let in.
    #[error("the document holds a change that no gate admitted: {refusal}")]
    Foreign {
        /// Which.
        hash: ChangeHash,
        /// What the door says to it.
        refusal: DoorRefusal,
    },
}

/// The index of one document. Kept beside it by its owner and replaced together with it.
#[derive(Clone, Debug, Default)]
pub struct AncestryIndex {
    changes: BTreeMap<ChangeHash, Known>,
    actors: BTreeMap<ActorId, Speaker>,
    heads: BTreeSet<ChangeHash>,
    objects: BTreeMap<OpId, Object>,
    /// Per map and field the operations that ever set it, but for values that the same change put and
    /// overwrote: nobody ever sees the one without the other.
    fields: BTreeMap<Option<OpId>, BTreeMap<Arc<str>, Vec<OpId>>>,
    /// Per map the actors that ever set a field of it, each with the first of its changes that did.
    writers: BTreeMap<Option<OpId>, BTreeMap<u32, u64>>,
    /// Per operation on a field those that overwrote it.
    overwritten: BTreeMap<OpId, Vec<OpId>>,
    /// Text elements in stretches of consecutive numbers, by first element.
    elements: BTreeMap<(ActorId, u64), Stretch>,
}

/// An actor of the document.
#[derive(Clone, Debug)]
struct Speaker {
    /// Its name in clocks.
    number: u32,
    /// Its changes by sequence number, the first at place 0.
    spans: Vec<Span>,
}

#[derive(Clone, Debug)]
struct Known {
    /// The number of its actor.
    actor: u32,
    seq: u64,
    /// The highest operation number in it and its ancestry.
    max_op: u64,
    /// What it had seen of others; shared by changes that follow one another. Of its own actor it
    /// had seen everything before `seq`, whatever stands here.
    seen: Clock,
}

/// The change that is being added.
struct Own {
    actor: ActorId,
    number: u32,
    seq: u64,
    start_op: u64,
}

impl Own {
    /// Whether it made this operation.
    fn made(&self, id: OpId) -> bool {
        id.actor == self.actor && id.counter >= self.start_op
    }
}

#[derive(Clone, Copy, Debug)]
struct Span {
    start_op: u64,
    end_op: u64,
    hash: ChangeHash,
}

#[derive(Clone, Copy, Debug)]
struct Stretch {
    length: u64,
    object: OpId,
}

/// What an object is and where it hangs.
#[derive(Clone, Debug)]
pub(super) struct Object {
    pub(super) kind: Kind,
    /// Its keys from the root.
    pub(super) path: Arc<[Arc<str>]>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Map,
    Text,
}

/// What a change had seen: its ancestry, without itself.
#[derive(Clone, Debug)]
pub(super) struct Past {
    /// The number of its actor; none before the actor's first change.
    actor: Option<u32>,
    /// The actor's own changes in the ancestry.
    own_seq: u64,
    seen: Clock,
    pub(super) max_op: u64,
}

impl Past {
    fn holds(&self, actor: u32, seq: u64) -> bool {
        let seen = if self.actor == Some(actor) { self.own_seq } else { self.seen.of(actor) };
        (1..=seen).contains(&seq)
    }
    pub(super) fn own_seq(&self) -> u64 {
        self.own_seq
    }
    /// How many actors wrote the ancestry and the change itself.
    pub(super) fn actors(&self) -> usize {
        let own = self.actor.is_some_and(|own| self.seen.of(own) > 0);
        self.seen.len() + usize::from(!own)
    }
}

impl AncestryIndex {
    /// Indexes a document whose every change has passed the gate before (or is a known beginning).
    /// Reads the whole history: some microseconds per change.
    pub fn of(document: &Automerge) -> Result<Self, IndexError> {
        let mut index = Self::default();
        index.catch_up(document)?;
        Ok(index)
    }

    /// Adds what the document has beyond the index, as after a commit of the tablet's own.
    pub fn catch_up(&mut self, document: &Automerge) -> Result<(), IndexError> {
        if self.covers(document) {
            return Ok(());
        }
        let have: Vec<_> = self.heads.iter().map(|hash| automerge::ChangeHash(*hash.as_bytes())).collect();
        for change in document.get_changes(&have) {
            let hash = ChangeHash::from_bytes(change.hash().0);
            let body = prescan::read(change.raw_bytes(), &Limits::ADMITTED_BEFORE)
                .map_err(|refusal| IndexError::Foreign { hash, refusal })?;
            if !self.contains(&hash) {
                self.add(&body);
            }
        }
        if self.covers(document) { Ok(()) } else { Err(IndexError::NotThisDocument) }
    }

    /// Whether the index stands at the document's heads.
    pub fn covers(&self, document: &Automerge) -> bool {
        let heads = document.get_heads();
        heads.len() == self.heads.len()
            && heads.iter().all(|head| self.heads.contains(&ChangeHash::from_bytes(head.0)))
    }

    /// Whether the change is in the document.
    pub fn contains(&self, hash: &ChangeHash) -> bool {
        self.changes.contains_key(hash)
    }

    /// How many changes it holds.
    pub fn len(&self) -> usize {
        self.changes.len()
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Whether `ancestor` is `change` or lies in its ancestry; false if either is unknown.
    pub fn is_ancestor(&self, ancestor: &ChangeHash, change: &ChangeHash) -> bool {
        let (Some(old), Some(new)) = (self.changes.get(ancestor), self.changes.get(change)) else {
            return false;
        };
        let seen = if old.actor == new.actor { new.seq } else { new.seen.of(old.actor) };
        old.seq <= seen
    }

    /// The change an actor made with this sequence number.
    pub fn change_of(&self, actor: &ActorId, seq: u64) -> Option<ChangeHash> {
        let place = usize::try_from(seq.checked_sub(1)?).ok()?;
        self.actors.get(actor)?.spans.get(place).map(|span| span.hash)
    }

    /// What a change of `actor` with these dependencies had seen. Unknown dependencies count for
    /// nothing: the caller has seen to it that there are none.
    pub(super) fn past(&self, actor: ActorId, deps: &[ChangeHash]) -> Past {
        let known: Vec<&Known> = deps.iter().filter_map(|dep| self.changes.get(dep)).collect();
        let max_op = known.iter().map(|dep| dep.max_op).max().unwrap_or(0);
        let actor = self.actors.get(&actor).map(|speaker| speaker.number);
        if let [dep] = known.as_slice()
            && Some(dep.actor) == actor
        {
            return Past { actor, own_seq: dep.seq, seen: dep.seen.clone(), max_op };
        }
        let seen = Clock::after(known.iter().map(|dep| (dep.actor, dep.seq, &dep.seen)));
        let own_seq = actor.map_or(0, |actor| seen.of(actor));
        Past { actor, own_seq, seen, max_op }
    }

    pub(super) fn past_contains(&self, past: &Past, hash: &ChangeHash) -> bool {
        self.changes.get(hash).is_some_and(|known| past.holds(known.actor, known.seq))
    }

    /// Whether the operation exists and had been seen.
    fn in_past(&self, past: &Past, id: OpId) -> bool {
        let Some(Speaker { number, spans }) = self.actors.get(&id.actor) else { return false };
        let seq = spans.partition_point(|span| span.start_op <= id.counter);
        let made = seq.checked_sub(1).and_then(|place| spans.get(place));
        made.is_some_and(|span| id.counter <= span.end_op) && past.holds(*number, seq as u64)
    }

    pub(super) fn object(&self, past: &Past, id: OpId) -> Option<&Object> {
        self.objects.get(&id).filter(|_| self.in_past(past, id))
    }

    /// The text that holds an element which had been seen, even if it was removed since.
    pub(super) fn text_of(&self, past: &Past, element: OpId) -> Option<OpId> {
        let before = self.elements.range(..=(element.actor, element.counter));
        let ((actor, first), stretch) = before.last()?;
        let inside = *actor == element.actor && element.counter - *first < stretch.length;
        (inside && self.in_past(past, element)).then_some(stretch.object)
    }

    /// The values of a field that had been seen and, as far as had been seen, not overwritten.
    pub(super) fn values(&self, past: &Past, object: Option<OpId>, key: &str) -> Vec<OpId> {
        let writes = self.fields.get(&object).and_then(|fields| fields.get(key));
        let current = |id: &&OpId| self.in_past(past, **id) && !self.overwritten_in(past, **id);
        let mut values: Vec<OpId> = writes.into_iter().flatten().filter(current).copied().collect();
        values.sort_unstable();
        values
    }

    fn overwritten_in(&self, past: &Past, id: OpId) -> bool {
        self.overwritten.get(&id).into_iter().flatten().any(|by| self.in_past(past, *by))
    }

    /// The maps at `path`, as far as had been seen.
    fn maps_seen(&self, past: &Past, path: &[&str]) -> Vec<Option<OpId>> {
        let mut maps: Vec<Option<OpId>> = vec![None];
        for key in path {
            let step = |map: Option<OpId>| {
                let writes = self.fields.get(&map).and_then(|fields| fields.get(*key));
                writes.into_iter().flatten().filter(|id| self.in_past(past, **id)).map(|id| Some(*id))
            };
            maps = maps.into_iter().flat_map(step).collect();
        }
        maps
    }

    /// The fields ever set in the maps at `path`, as far as had been seen, removed ones included.
    pub(super) fn keys_seen(&self, past: &Past, path: &[&str]) -> BTreeSet<Arc<str>> {
        let maps = self.maps_seen(past, path);
        let fields = maps.into_iter().filter_map(|map| self.fields.get(&map)).flatten();
        let seen = fields.filter(|(_, writes)| writes.iter().any(|id| self.in_past(past, *id)));
        seen.map(|(key, _)| Arc::clone(key)).collect()
    }

    /// Whether [`AncestryIndex::keys_seen`] is more than nothing.
    pub(super) fn any_key_seen(&self, past: &Past, path: &[&str]) -> bool {
        let maps = self.maps_seen(past, path);
        let mut writers = maps.iter().filter_map(|map| self.writers.get(map)).flatten();
        writers.any(|(actor, first)| past.holds(*actor, *first))
    }

    /// Takes in a change that has been checked against this very index.
    pub(super) fn add(&mut self, body: &Body<'_>) {
        let sketch = &body.sketch;
        let past = self.past(sketch.actor, &sketch.deps);
        let end_op = sketch.start_op + (sketch.ops - 1);
        let span = Span { start_op: sketch.start_op, end_op, hash: sketch.hash };
        let next = u32::try_from(self.actors.len()).unwrap_or(u32::MAX);
        let fresh = || Speaker { number: next, spans: Vec::new() };
        let speaker = self.actors.entry(sketch.actor).or_insert_with(fresh);
        speaker.spans.push(span);
        let number = speaker.number;
        let known = Known {
            actor: number,
            seq: sketch.seq,
            max_op: past.max_op.max(end_op),
            seen: past.seen.clone(),
        };
        self.changes.insert(sketch.hash, known);
        sketch.deps.iter().for_each(|dep| {
            self.heads.remove(dep);
        });
        self.heads.insert(sketch.hash);
        let own = Own { actor: sketch.actor, number, seq: sketch.seq, start_op: sketch.start_op };
        body.ops.iter().for_each(|op| self.add_op(op, &own));
    }

    fn add_op(&mut self, op: &Op<'_>, own: &Own) {
        match op.edit {
            Edit::MakeMap { key } => self.add_object(op, Kind::Map, key),
            Edit::MakeText { key } => self.add_object(op, Kind::Text, key),
            Edit::Insert { .. } => return self.add_element(op),
            Edit::Remove { .. } => return,
            Edit::Put { .. } | Edit::Delete { .. } => {}
        }
        let removes = matches!(op.edit, Edit::Delete { .. });
        for pred in &op.preds {
            if removes || !own.made(*pred) || self.objects.contains_key(pred) {
                self.overwritten.entry(*pred).or_default().push(op.id);
            }
        }
        if let (Some(key), false) = (op.edit.key(), removes) {
            self.writers.entry(op.object).or_default().entry(own.number).or_insert(own.seq);
            let fields = self.fields.entry(op.object).or_default();
            if let Some(writes) = fields.get_mut(key) {
                // Whatever of its own still stands there, the change overwrites now.
                while let Some(last) = writes.last()
                    && own.made(*last)
                    && !self.objects.contains_key(last)
                {
                    writes.pop();
                }
            }
            match fields.get_mut(key) {
                Some(writes) => writes.push(op.id),
                None => drop(fields.insert(Arc::from(key), vec![op.id])),
            }
        }
    }

    fn add_object(&mut self, op: &Op<'_>, kind: Kind, key: &str) {
        let parent = op.object.and_then(|id| self.objects.get(&id));
        let path = child_path(parent, key);
        self.objects.insert(op.id, Object { kind, path });
    }

    fn add_element(&mut self, op: &Op<'_>) {
        let Some(object) = op.object else { return };
        let key = (op.id.actor, op.id.counter);
        if let Some(((actor, first), stretch)) = self.elements.range_mut(..key).next_back()
            && (*actor, *first + stretch.length, stretch.object) == (op.id.actor, op.id.counter, object)
        {
            stretch.length += 1;
            return;
        }
        self.elements.insert(key, Stretch { length: 1, object });
    }
}

/// The keys from the root to a child of `parent` (`None` is the root).
pub(super) fn child_path(parent: Option<&Object>, key: &str) -> Arc<[Arc<str>]> {
    let above = parent.into_iter().flat_map(|object| object.path.iter().cloned());
    above.chain([Arc::from(key)]).collect()
}
