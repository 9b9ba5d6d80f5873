//! What the door and the judge say when they refuse: one stable code and one sentence each.
//!
//! Codes are written into signed verdicts: a code is never reused and never changes its meaning.
//! No sentence repeats what the change contains.

use chart::ids::ChangeHash;

/// Why bytes were refused before the log, without asking the document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DoorRefusal {
    /// The first four bytes are not the mark of an automerge chunk.
    #[error("these bytes are not an automerge chunk")]
    NotAChunk,
    /// A document, a compressed change, a bundle or an unknown kind.
    #[error("only plain changes are taken, not chunks of kind {0}")]
    WrongKind(u8),
    /// More bytes than [`super::Limits::bytes_max`].
    #[error("the change has {bytes} bytes; {limit} are allowed")]
    TooLarge {
        /// What came.
        bytes: usize,
        /// What may come.
        limit: usize,
    },
    /// The chunk's stated length is not the length of what came.
    #[error("the change is cut short or followed by other bytes")]
    WrongLength,
    /// The hash of the content does not begin with the stated checksum.
    #[error("the change's checksum does not match its content")]
    WrongChecksum,
    /// A field ends beyond the bytes that are there.
    #[error("a field of the change runs past its end")]
    Truncated,
    /// A number in more bytes than it needs, or too large to hold.
    #[error("a number in the change is not written in its shortest form")]
    BadNumber,
    /// A text that is not UTF-8.
    #[error("a text in the change is not UTF-8")]
    BadText,
    /// Too many, repeated or unsorted dependencies.
    #[error("the change's dependencies are too many, repeated or not in order")]
    BadDependencies,
    /// An actor that is not 16 bytes.
    #[error("an actor must be exactly 16 bytes")]
    BadActor,
    /// Other actors too many, repeated, unsorted, or not those that the operations mention.
    #[error("the change does not list exactly the other actors it mentions, in order")]
    BadOtherActors,
    /// Sequence number zero or out of range.
    #[error("the change's sequence number is out of range")]
    BadSeq,
    /// First operation number zero or out of range.
    #[error("the change's first operation number is out of range")]
    BadStartOp,
    /// A commit time outside the years 2000 to 2100, other than zero.
    #[error("the change's time lies outside the years 2000 to 2100")]
    BadTime,
    /// A message longer than [`super::Limits::message_max`].
    #[error("the change's message is too long")]
    MessageTooLong,
    /// Unknown, repeated, unsorted, empty or compressed columns.
    #[error("the change has a column that a plain change of a note does not have")]
    BadColumn,
    /// No operation at all.
    #[error("the change does nothing")]
    NoOps,
    /// More operations than [`super::Limits::ops_max`].
    #[error("the change has more than {0} operations")]
    TooManyOps(u64),
    /// More predecessors than [`super::Limits::preds_max`].
    #[error("the change overwrites more than {0} values")]
    TooManyPreds(u64),
    /// A column with more or fewer rows than there are operations.
    #[error("the columns of the change differ in length")]
    RowsDiffer,
    /// Content in another form than the one automerge itself writes.
    #[error("the change is not written in its canonical form")]
    NotCanonical,
    /// Marks, counters, lists, tables and unknown actions.
    #[error("operations of kind {0} are not used in notes")]
    ActionNotAllowed(u64),
    /// An operation whose parts do not fit together.
    #[error("an operation's parts do not fit together")]
    BadOperation,
    /// A key that is empty or longer than [`super::Limits::key_max`].
    #[error("a field name is empty or too long")]
    BadKey,
    /// A value that is too long, of an unused kind, or malformed.
    #[error("a value is too long, malformed, or of a kind not used in notes")]
    BadValue,
    /// A reference to an actor not listed, or to an operation that is not earlier.
    #[error("an operation refers to something that cannot be earlier than itself")]
    BadReference,
    /// Predecessors repeated or not in order.
    #[error("the values an operation overwrites are repeated or not in order")]
    PredsNotSorted,
    /// A footer that is not an author on an actor's first change.
    #[error("the change ends with something other than its author's name")]
    BadFooter,
}

impl DoorRefusal {
    /// The code on the wire and in the log: 101 to 199.
    pub fn code(&self) -> u16 {
        match self {
            Self::NotAChunk => 101,
            Self::WrongKind(_) => 102,
            Self::TooLarge { .. } => 103,
            Self::WrongLength => 104,
            Self::WrongChecksum => 105,
            Self::Truncated => 106,
            Self::BadNumber => 107,
            Self::BadText => 108,
            Self::BadDependencies => 109,
            Self::BadActor => 110,
            Self::BadOtherActors => 111,
            Self::BadSeq => 112,
            Self::BadStartOp => 113,
            Self::BadTime => 114,
            Self::MessageTooLong => 115,
            Self::BadColumn => 116,
            Self::NoOps => 117,
            Self::TooManyOps(_) => 118,
            Self::TooManyPreds(_) => 119,
            Self::RowsDiffer => 120,
            Self::NotCanonical => 121,
            Self::ActionNotAllowed(_) => 122,
            Self::BadOperation => 123,
            Self::BadKey => 124,
            Self::BadValue => 125,
            Self::BadReference => 126,
            Self::PredsNotSorted => 127,
            Self::BadFooter => 128,
        }
    }
}

/// Why a change that passed the door was rejected against its own ancestry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JudgeRefusal {
    /// The actor used this sequence number before, for other content.
    #[error("the actor has used this sequence number for another change")]
    Equivocation,
    /// The sequence number does not follow the actor's last one in the change's ancestry.
    #[error("the change does not follow its actor's previous change")]
    SeqNotNext,
    /// Operation numbers that the ancestry has used.
    #[error("the change's operation numbers are not above those of its ancestry")]
    StartOpTooLow,
    /// Operation numbers that leap further than [`super::Policy::start_op_leap_max`].
    #[error("the change's operation numbers leap too far ahead")]
    StartOpTooHigh,
    /// A change without dependencies that is not one of the known beginnings.
    #[error("the change begins a document of its own")]
    NoDependencies,
    /// An object that the ancestry does not hold.
    #[error("the change writes into an object its ancestry does not hold")]
    ObjectUnknown,
    /// A text operation on a map, or a map operation on a text.
    #[error("the change writes into a map as if it were a text, or the reverse")]
    ObjectKind,
    /// A place in a text that the ancestry does not hold.
    #[error("the change refers to a place in a text that its ancestry does not hold")]
    ElementUnknown,
    /// The values named as overwritten are not exactly those its author could see.
    #[error("the change does not name exactly the values it overwrites")]
    PredsNotCurrent,
    /// Deeper than [`super::Policy::depth_max`].
    #[error("the change nests objects too deeply")]
    TooDeep,
    /// A dependency was rejected.
    #[error("the change builds on a rejected change")]
    DependsOnRejected {
        /// The dependency.
        on: ChangeHash,
    },
    /// The document engine failed on it.
    #[error("the document engine refused the change")]
    EngineFailed,
    /// The document would not load again after saving.
    #[error("the document could not be saved and loaded with the change in it")]
    NotReloadable,
    /// More actors in the ancestry than [`super::Policy::actors_max`].
    #[error("the change's ancestry was written by more than {0} actors")]
    TooManyActors(usize),
}

impl JudgeRefusal {
    /// The code on the wire and in the log: 201 to 299.
    pub fn code(&self) -> u16 {
        match self {
            Self::Equivocation => 201,
            Self::SeqNotNext => 202,
            Self::StartOpTooLow => 203,
            Self::StartOpTooHigh => 204,
            Self::NoDependencies => 205,
            Self::ObjectUnknown => 206,
            Self::ObjectKind => 207,
            Self::ElementUnknown => 208,
            Self::PredsNotCurrent => 209,
            Self::TooDeep => 210,
            Self::DependsOnRejected { .. } => 211,
            Self::EngineFailed => 212,
            Self::NotReloadable => 213,
            Self::TooManyActors(_) => 214,
        }
    }
}
