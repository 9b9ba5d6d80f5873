//! Is the change whole in itself and in its ancestry? Every object, text element and overwritten
//! value must exist there or earlier in the same change. Pure, and never O(history): each answer is
//! a look into the index.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chart::ids::ActorId;

use super::ancestry::{AncestryIndex, Kind, Object, Past, child_path};
use super::body::{Edit, Op, OpId};
use super::content::ContentOp;
use super::policy::{Policy, Roots};
use super::prescan::Body;
use super::refusal::JudgeRefusal;

/// The change's own rules: sequence, operation numbers, actors, beginnings. Equivocation is the judge's.
pub(super) fn check_header(body: &Body<'_>, past: &Past, policy: &Policy) -> Result<(), JudgeRefusal> {
    let sketch = &body.sketch;
    if sketch.deps.is_empty()
        && let Roots::Only(known) = &policy.roots
        && !known.contains(&sketch.hash)
    {
        return Err(JudgeRefusal::NoDependencies);
    }
    if past.actors() > policy.actors_max {
        return Err(JudgeRefusal::TooManyActors(policy.actors_max));
    }
    if sketch.seq != past.own_seq() + 1 {
        return Err(JudgeRefusal::SeqNotNext);
    }
    if sketch.start_op <= past.max_op {
        return Err(JudgeRefusal::StartOpTooLow);
    }
    if sketch.start_op - past.max_op > policy.start_op_leap_max {
        return Err(JudgeRefusal::StartOpTooHigh);
    }
    Ok(())
}

/// Checks every operation and resolves where it writes.
pub(super) fn check_ops<'a>(
    body: &Body<'a>,
    index: &AncestryIndex,
    past: &Past,
    policy: &Policy,
) -> Result<Vec<ContentOp<'a>>, JudgeRefusal> {
    let mut draft = Draft {
        index,
        past,
        actor: body.sketch.actor,
        objects: BTreeMap::new(),
        inserted: BTreeMap::new(),
        removed: BTreeSet::new(),
        values: BTreeMap::new(),
    };
    body.ops.iter().map(|op| draft.take(op, policy.depth_max)).collect()
}

/// What the operations so far have made, over what the ancestry holds.
struct Draft<'a, 'i> {
    index: &'i AncestryIndex,
    past: &'i Past,
    actor: ActorId,
    objects: BTreeMap<OpId, Object>,
    /// The text that holds each element made here, by number.
    inserted: BTreeMap<u64, OpId>,
    /// The text elements removed here.
    removed: BTreeSet<OpId>,
    /// The values that each touched field holds by this point, sorted.
    values: BTreeMap<(Option<OpId>, &'a str), Vec<OpId>>,
}

impl<'a> Draft<'a, '_> {
    fn take(&mut self, op: &Op<'a>, depth_max: usize) -> Result<ContentOp<'a>, JudgeRefusal> {
        let overwrites = match op.edit {
            Edit::Put { key, .. } | Edit::MakeMap { key } | Edit::MakeText { key } | Edit::Delete { key } => {
                self.expect(op.object, Kind::Map)?;
                self.take_field(op, key, depth_max)?
            }
            Edit::Insert { after, .. } => {
                let text = self.expect_text(op.object)?;
                after.map_or(Ok(()), |element| self.expect_element(text, element))?;
                self.inserted.insert(op.id.counter, text);
                false
            }
            Edit::Remove { element } => {
                let text = self.expect_text(op.object)?;
                self.expect_element(text, element)?;
                if !self.removed.insert(element) {
                    return Err(JudgeRefusal::PredsNotCurrent);
                }
                !self.is_own(element)
            }
        };
        let container = match op.object {
            None => Arc::from([]),
            Some(id) => Arc::clone(&self.object(id).ok_or(JudgeRefusal::ObjectUnknown)?.path),
        };
        let into_new_object = op.object.is_some_and(|id| self.objects.contains_key(&id));
        Ok(ContentOp {
            container,
            edit: op.edit,
            overwrites_existing_in_ancestry: overwrites,
            into_new_object,
        })
    }

    /// Returns whether a value of the ancestry is overwritten.
    fn take_field(&mut self, op: &Op<'a>, key: &'a str, depth_max: usize) -> Result<bool, JudgeRefusal> {
        let (index, past) = (self.index, self.past);
        let field = (op.object, key);
        let values = self.values.entry(field).or_insert_with(|| index.values(past, op.object, key));
        // The engine writes "keep the winner of a conflict" as a removal of all the others.
        let removes = matches!(op.edit, Edit::Delete { .. });
        let winner = values.last().copied().filter(|_| removes && values.len() == op.preds.len() + 1);
        if !op.preds.iter().chain(&winner).eq(values.iter()) {
            return Err(JudgeRefusal::PredsNotCurrent);
        }
        *values = if removes { winner.into_iter().collect() } else { vec![op.id] };
        let kind = match op.edit {
            Edit::MakeMap { .. } => Some(Kind::Map),
            Edit::MakeText { .. } => Some(Kind::Text),
            _ => None,
        };
        if let Some(kind) = kind {
            let path = child_path(op.object.and_then(|id| self.object(id)), key);
            if path.len() > depth_max {
                return Err(JudgeRefusal::TooDeep);
            }
            self.objects.insert(op.id, Object { kind, path });
        }
        Ok(op.preds.iter().any(|pred| !self.is_own(*pred)))
    }

    /// Whether `id` was made by this same change: its author's, above everything in the ancestry.
    fn is_own(&self, id: OpId) -> bool {
        id.actor == self.actor && id.counter > self.past.max_op
    }

    fn object(&self, id: OpId) -> Option<&Object> {
        self.objects.get(&id).or_else(|| self.index.object(self.past, id))
    }

    fn expect(&self, object: Option<OpId>, kind: Kind) -> Result<(), JudgeRefusal> {
        let found = match object {
            None => Kind::Map,
            Some(id) => self.object(id).ok_or(JudgeRefusal::ObjectUnknown)?.kind,
        };
        if found == kind { Ok(()) } else { Err(JudgeRefusal::ObjectKind) }
    }

    fn expect_text(&self, object: Option<OpId>) -> Result<OpId, JudgeRefusal> {
        self.expect(object, Kind::Text)?;
        object.ok_or(JudgeRefusal::ObjectKind)
    }

    fn expect_element(&self, text: OpId, element: OpId) -> Result<(), JudgeRefusal> {
        let holder = if self.is_own(element) {
            self.inserted.get(&element.counter).copied()
        } else {
            self.index.text_of(self.past, element)
        };
        if holder == Some(text) { Ok(()) } else { Err(JudgeRefusal::ElementUnknown) }
    }
}
