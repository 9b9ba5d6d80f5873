//! A change as the content rules see it: where it writes, what it writes, and what its author had
//! seen. The rules themselves live with the note model and with the clinic's roles; they are handed
//! to [`super::judge`] as a function and decide nothing about structure.

use std::collections::BTreeSet;
use std::sync::Arc;

use chart::ids::ChangeHash;

use super::ancestry::{AncestryIndex, Past};
use super::body::Edit;
use super::prescan::ChangeSketch;

/// Why a content rule rejects a change.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{sentence}")]
pub struct ContentRefusal {
    /// A stable code, 300 or above.
    pub code: u16,
    /// One clear sentence, without patient words.
    pub sentence: String,
}

/// One operation with its place in the note.
#[derive(Clone, Debug, PartialEq)]
pub struct ContentOp<'a> {
    pub(super) container: Arc<[Arc<str>]>,
    /// What it does. For edits of a text, the path is the text's.
    pub edit: Edit<'a>,
    /// Whether it overwrites or removes a field's value, or a piece of text, that its author had
    /// seen. False for what the same change wrote before.
    pub overwrites_existing_in_ancestry: bool,
    /// Whether the object it writes into was made by this same change.
    pub into_new_object: bool,
}

impl<'a> ContentOp<'a> {
    /// The keys from the root to the field or the text it changes.
    pub fn path(&self) -> impl Iterator<Item = &str> {
        self.container.iter().map(|key| &**key).chain(self.edit.key())
    }

    /// Whether it writes at or below these keys.
    pub fn is_under(&self, keys: &[&str]) -> bool {
        let mut path = self.path();
        keys.iter().all(|key| path.next() == Some(key))
    }
}

/// One change, judged against its own ancestry and nothing else.
pub struct ContentView<'a> {
    pub(super) sketch: &'a ChangeSketch,
    pub(super) ops: Vec<ContentOp<'a>>,
    pub(super) index: &'a AncestryIndex,
    pub(super) past: &'a Past,
}

impl<'a> ContentView<'a> {
    /// Who, when, which.
    pub fn sketch(&self) -> &'a ChangeSketch {
        self.sketch
    }
    /// What it does, in its author's order.
    pub fn ops(&self) -> &[ContentOp<'a>] {
        &self.ops
    }
    /// Whether the author had seen this change.
    pub fn ancestry_contains(&self, hash: &ChangeHash) -> bool {
        self.index.past_contains(self.past, hash)
    }
    /// Whether the author had ever seen a field set in the maps at `path`, removed ones included. Costs as
    /// many looks as actors wrote there, however many fields they set.
    pub fn has_seen_keys_at(&self, path: &[&str]) -> bool {
        self.index.any_key_seen(self.past, path)
    }
    /// The fields that the author had ever seen set in the maps at `path`, removed ones included:
    /// a signature that was taken back is still one that was seen.
    pub fn keys_seen_at(&self, path: &[&str]) -> BTreeSet<Arc<str>> {
        self.index.keys_seen(self.past, path)
    }
}
