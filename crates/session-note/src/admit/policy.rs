//! The structural rules that are not in the bytes of one change. Data only; nothing is judged here.

use std::collections::BTreeSet;

use chart::ids::ChangeHash;

/// Which changes may stand at the beginning of a document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Roots {
    /// Any: for documents that are not notes.
    #[default]
    Any,
    /// Only these, by exact hash.
    Only(BTreeSet<ChangeHash>),
}

/// The structural rules that are not in the bytes of one change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// How many keys may lie between the root and an object, the object's own included.
    pub depth_max: usize,
    /// How far above its ancestry a change may start numbering. More than one because an editor
    /// numbers above everything it holds, also when it commits at older heads.
    pub start_op_leap_max: u64,
    /// How many actors may have written a change's ancestry, its own included. Each change keeps eight
    /// bytes for each of them.
    pub actors_max: usize,
    /// What may begin a document.
    pub roots: Roots,
}

impl Default for Policy {
    fn default() -> Self {
        Self { depth_max: 8, start_op_leap_max: 1 << 20, actors_max: 1_024, roots: Roots::Any }
    }
}
