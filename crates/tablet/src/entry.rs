//! What the tablet writes down: every kind of entry of its log, with its bytes. Knows no store and no
//! key: sealing is [`crate::sealed`]'s business.
//!
//! An entry's head is two bytes, format and kind; its body a CBOR array. A format or kind this version
//! does not know stops the opening with a clear word: a log is never read in part.

pub(crate) mod codec;

use std::collections::BTreeSet;

use chart::ids::{ActorId, ChangeHash, CommandId, DocumentId, PatientId, PersonId};
use chart::time::{Date, Timestamp};
use minicbor::Decoder;
use session_note::Issued;
use session_note::schema::Kind;
use sync_protocol::message::{Cursor, FeedChanges, LogPosition};

use codec::{Bytes, Cell, Out, record};

/// The format of entries this version writes.
pub(crate) const FORMAT: u8 = 1;

/// A replay whose work is part of the note without it: it is taken out, and what builds on it made again.
pub(crate) const MADE_TWICE: u16 = 0x0103;
/// Such a replay when that is done.
pub(crate) const LET_GO: u16 = 0x0203;
/// A replay that is rejected for nothing but what it builds on: it is made again without that.
pub(crate) const FOLLOWS: u16 = 0x0303;

record! {
    /// What finds a note beside its name: what it says of itself at its heads.
    Keys {
        /// Whose.
        patient: Option<PatientId>,
        /// Of which episode.
        episode: Option<DocumentId>,
        /// Every date it may be of.
        dates: BTreeSet<Date>,
        /// Everyone who may have treated in it.
        providers: BTreeSet<PersonId>,
    }

    /// The key of a document, wrapped under the clinic's. The first entry of every document.
    KeyMade {
        /// The document.
        document: DocumentId,
        /// Its kind's number.
        kind: u8,
        /// The wrapped key.
        wrapped: Bytes,
    }

    /// A change a person made on this tablet.
    Work {
        /// The document.
        document: DocumentId,
        /// The change's hash.
        hash: ChangeHash,
        /// The change, plain, as it is sent.
        change: Bytes,
        /// What the person did, as JSON of the issued commands.
        commands: Bytes,
        /// Who.
        person: PersonId,
        /// When, by this tablet's clock.
        at: Timestamp,
        /// The heads the person saw, at which it was made.
        base: BTreeSet<ChangeHash>,
        /// Under which actor.
        actor: ActorId,
        /// The document's heads with it.
        heads: BTreeSet<ChangeHash>,
        /// What the document says of itself with it.
        keys: Keys,
        /// The typed phrase it took over: its drafts are done with.
        phrase: Option<CommandId>,
        /// The rejected changes it stands for.
        replaces: Vec<ChangeHash>,
    }

    /// One keystroke.
    Draft {
        /// The document.
        document: DocumentId,
        /// The phrase it belongs to.
        phrase: CommandId,
        /// Its number in the phrase, from 0.
        number: u32,
        /// Who typed.
        person: PersonId,
        /// When.
        at: Timestamp,
        /// Into which text.
        field: String,
        /// The heads on which the phrase was begun.
        base: BTreeSet<ChangeHash>,
        /// Where, in code points of the text as typed so far.
        position: u64,
        /// How many code points were taken out.
        delete: u64,
        /// What was put in.
        insert: String,
    }

    /// Others' work that stood in the document when it was written down; see [`Received`].
    Remote {
        /// The changes with envelope and verdict.
        feed: FeedChanges,
        /// The document's heads with it.
        heads: BTreeSet<ChangeHash>,
        /// What the document says of itself with it.
        keys: Keys,
        /// What is missing before all of it can be shown.
        missing: BTreeSet<ChangeHash>,
    }

    /// The clinic's server has work on its disk.
    Receipted {
        /// The document.
        document: DocumentId,
        /// The changes.
        hashes: Vec<ChangeHash>,
        /// Up to where the server's record was durable.
        position: LogPosition,
    }

    /// What became of a change: as the clinic says, or by a number of this tablet's own.
    VerdictItem {
        /// The change.
        hash: ChangeHash,
        /// The outcome's number on the wire, [`MADE_TWICE`], [`LET_GO`] or [`FOLLOWS`].
        outcome: u16,
        /// Why, in one sentence.
        sentence: String,
    }

    /// What became of changes.
    VerdictSeen {
        /// The document.
        document: DocumentId,
        /// Each change.
        items: Vec<VerdictItem>,
        /// The origin's signed verdict, where it came with the feed.
        proof: Bytes,
    }

    /// A piece of reference data.
    ReferenceSeen {
        /// Its kind's number on the wire.
        kind: u16,
        /// Its name.
        id: Bytes,
        /// Its content; none when it was taken away.
        body: Option<Bytes>,
    }

    /// A report the server published.
    ReportSeen {
        /// The note.
        document: DocumentId,
        /// The report as it came.
        body: Bytes,
    }

    /// A report was published and its body has not come.
    ReportDue {
        /// The note.
        document: DocumentId,
    }

    /// Where the tablet stands in the feed.
    CursorAt {
        /// The place.
        cursor: Cursor,
    }

    /// The server's record does not hold what it had receipted: nothing counts as safe.
    Rewound {
        /// The end of the server's record.
        tip: LogPosition,
    }

    /// Envelope counters up to here may have been used.
    CounterReserved {
        /// The highest.
        through: u64,
    }

    /// A document entered the scope at these heads.
    Wanted {
        /// The document.
        document: DocumentId,
        /// Its heads at the server.
        heads: BTreeSet<ChangeHash>,
    }

    /// A document left the scope.
    Left {
        /// The document.
        document: DocumentId,
    }

    /// Rejected work that could not be made again.
    NotReplayed {
        /// The document.
        document: DocumentId,
        /// The rejected change.
        hash: ChangeHash,
        /// Whether it was a signature, which only its signer can give again.
        signature: bool,
        /// Why, in one sentence.
        sentence: String,
    }

    /// Others' work as it came, before the document engine has seen any of it.
    Received {
        /// The changes with envelope and verdict.
        feed: FeedChanges,
        /// Those of them that passed the door.
        hashes: Vec<ChangeHash>,
    }

    /// The mark: the document engine is about to be given what was received for these documents.
    Applying {
        /// The documents.
        documents: BTreeSet<DocumentId>,
        /// How often the app died with what they received under way.
        tries: u32,
    }

    /// What was received for a document stands in it: the mark is taken away.
    Joined {
        /// The document.
        document: DocumentId,
        /// Up to which entry.
        through: u64,
        /// Its heads with it.
        heads: BTreeSet<ChangeHash>,
        /// What it says of itself with it.
        keys: Keys,
        /// What is missing before all of it can be shown.
        missing: BTreeSet<ChangeHash>,
        /// Whether what an older version of the app had set aside stands in it too.
        aside: bool,
    }

    /// What was received for a document ends the document engine: this version never gives it to it again.
    SetAside {
        /// The document.
        document: DocumentId,
        /// Up to which entry.
        through: u64,
        /// The app's name and version.
        app: String,
    }
}

macro_rules! entries {
    ($($(#[$doc:meta])* $variant:ident($body:ty) = $number:literal),+ $(,)?) => {
        /// An entry of the log.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub(crate) enum Entry {
            $($(#[$doc])* $variant($body),)+
        }
        impl Entry {
            /// The number of its kind.
            pub(crate) const fn number(&self) -> u8 {
                match self {
                    $(Self::$variant(_) => $number,)+
                }
            }
            /// Its body.
            pub(crate) fn body(&self) -> Vec<u8> {
                let mut out = Out::new(Vec::new());
                match self {
                    $(Self::$variant(body) => body.put(&mut out),)+
                }
                out.into_writer()
            }
            /// Reads an entry.
            pub(crate) fn read(number: u8, body: &[u8]) -> Result<Self, minicbor::decode::Error> {
                let mut d = Decoder::new(body);
                match number {
                    $($number => Cell::take(&mut d).map(Self::$variant),)+
                    _ => Err(minicbor::decode::Error::message("an entry of a kind this version does not know")),
                }
            }
            /// Whether this version knows the kind.
            pub(crate) fn known(number: u8) -> bool {
                [$($number),+].contains(&number)
            }
        }
    };
}

entries! {
    /// See [`KeyMade`].
    Key(KeyMade) = 1,
    /// See [`Work`].
    Work(Work) = 2,
    /// See [`Draft`].
    Draft(Draft) = 3,
    /// See [`Remote`].
    Remote(Remote) = 4,
    /// See [`Receipted`].
    Receipted(Receipted) = 5,
    /// See [`VerdictSeen`].
    Verdict(VerdictSeen) = 6,
    /// See [`ReferenceSeen`].
    Reference(ReferenceSeen) = 7,
    /// See [`ReportSeen`].
    Report(ReportSeen) = 8,
    /// See [`CursorAt`].
    Cursor(CursorAt) = 9,
    /// See [`Rewound`].
    Rewound(Rewound) = 10,
    /// See [`CounterReserved`].
    Counter(CounterReserved) = 11,
    /// See [`Wanted`].
    Wanted(Wanted) = 12,
    /// See [`Left`].
    Left(Left) = 13,
    /// See [`NotReplayed`].
    NotReplayed(NotReplayed) = 14,
    /// See [`ReportDue`].
    ReportDue(ReportDue) = 15,
    /// See [`Received`].
    Received(Received) = 16,
    /// See [`Applying`].
    Applying(Applying) = 17,
    /// See [`Joined`].
    Joined(Joined) = 18,
    /// See [`SetAside`].
    SetAside(SetAside) = 19,
}

impl Entry {
    /// The document the entry belongs to, if it belongs to one: its body is under that one's key.
    pub(crate) const fn document(&self) -> Option<DocumentId> {
        match self {
            Self::Work(entry) => Some(entry.document),
            Self::Draft(entry) => Some(entry.document),
            Self::Remote(entry) => Some(entry.feed.document),
            Self::Receipted(entry) => Some(entry.document),
            Self::Verdict(entry) => Some(entry.document),
            Self::Report(entry) => Some(entry.document),
            Self::ReportDue(entry) => Some(entry.document),
            Self::NotReplayed(entry) => Some(entry.document),
            Self::Received(entry) => Some(entry.feed.document),
            Self::Joined(entry) => Some(entry.document),
            Self::SetAside(entry) => Some(entry.document),
            Self::Key(_)
            | Self::Reference(_)
            | Self::Cursor(_)
            | Self::Rewound(_)
            | Self::Counter(_)
            | Self::Wanted(_)
            | Self::Left(_)
            | Self::Applying(_) => None,
        }
    }

    /// Others' work, if it is that.
    pub(crate) fn into_feed(self) -> Option<FeedChanges> {
        match self {
            Self::Remote(entry) => Some(entry.feed),
            Self::Received(entry) => Some(entry.feed),
            _ => None,
        }
    }

    /// Whether it is something a person did here.
    pub(crate) const fn is_own(&self) -> bool {
        matches!(self, Self::Work(_) | Self::Draft(_))
    }
}

impl Work {
    /// What the person did.
    pub(crate) fn issued(&self) -> Vec<Issued> {
        serde_json::from_slice(&self.commands.0).unwrap_or_default()
    }
}

impl KeyMade {
    /// The document's kind.
    pub(crate) const fn kind(&self) -> Option<Kind> {
        Kind::from_number(self.kind)
    }
}
