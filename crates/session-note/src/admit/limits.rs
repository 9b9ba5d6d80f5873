//! Every limit of the gate in one place. Nothing here is tuned per clinic: a limit that differs
//! between two sites would make them judge the same change differently.

/// What one change may cost. All bounds are inclusive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the whole chunk.
    pub bytes_max: usize,
    /// Operations in one change.
    pub ops_max: u64,
    /// Predecessors named by all operations of one change together.
    pub preds_max: u64,
    /// Direct dependencies.
    pub deps_max: u64,
    /// Actors mentioned besides the author.
    pub other_actors_max: u64,
    /// Bytes of the commit message.
    pub message_max: usize,
    /// Bytes of one map key.
    pub key_max: usize,
    /// Bytes of one scalar value.
    pub value_max: usize,
    /// Bytes of the author's name in the footer.
    pub author_max: usize,
    /// The highest operation number a change may start at.
    pub start_op_max: u64,
    /// Earliest commit time other than zero, in milliseconds since 1970.
    pub time_min_ms: i64,
    /// Latest commit time, in milliseconds since 1970.
    pub time_max_ms: i64,
}

impl Limits {
    /// The limits of gate version 1.
    pub const V1: Self = Self {
        bytes_max: 256 * 1024,
        ops_max: 5_000,
        preds_max: 10_000,
        deps_max: 64,
        other_actors_max: 256,
        message_max: 1_024,
        key_max: 256,
        value_max: 64 * 1024,
        author_max: 64,
        start_op_max: 1 << 31,
        time_min_ms: 946_684_800_000,
        time_max_ms: 4_102_444_800_000,
    };

    /// For changes that are already in the document: the grammar is checked, sizes are not.
    pub(super) const ADMITTED_BEFORE: Self = Self {
        bytes_max: usize::MAX,
        ops_max: u32::MAX as u64,
        preds_max: u32::MAX as u64,
        deps_max: u32::MAX as u64,
        other_actors_max: u32::MAX as u64,
        message_max: usize::MAX,
        key_max: usize::MAX,
        value_max: usize::MAX,
        author_max: usize::MAX,
        start_op_max: u32::MAX as u64,
        time_min_ms: i64::MIN,
        time_max_ms: i64::MAX,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::V1
    }
}
