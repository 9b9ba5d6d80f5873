//! What is held of lines to other clinics: plain state, nothing that must survive.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use chart::ids::{ChangeHash, ClinicId, Digest, DocumentId};
use chart::time::Timestamp;
use session_note::admission::Submitted;
use sync_protocol::TabletSession;
use sync_protocol::message::{Cursor, DigestDiff, DigestOffer, FeedChanges, FeedReference, LogPosition};

use crate::connection::ConnectionId;
use crate::entry::Verdict;
use crate::fingerprint::Ranges;
use crate::ledger::WorkNote;

/// Everything that concerns other clinics.
#[derive(Default)]
pub(crate) struct Lines {
    /// Lines to clinics that are followed.
    pub(crate) links: BTreeMap<ClinicId, Link>,
    /// What is remembered of clinics that are followed.
    pub(crate) followed: BTreeMap<ClinicId, Followed>,
    /// What is known of whether clinics hold the same.
    pub(crate) converging: BTreeMap<ClinicId, Converging>,
    /// Durable work of other clinics whose verdicts are to be written.
    pub(crate) imports: Vec<Import>,
    /// Places of other clinics' feeds that are followed once no import waits.
    pub(crate) taken: Vec<Reached>,
    /// Clinics whose place in the feed is to be kept.
    pub(crate) cursors_due: BTreeSet<ClinicId>,
}

/// How far another clinic's feed was taken.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) cursor: Cursor,
    /// The chain value there, if the other clinic told it.
    pub(crate) chain: Option<Digest>,
}

impl Place {
    /// The place with its proof.
    pub(crate) fn proven(self) -> Option<LogPosition> {
        let Cursor { epoch, epoch_id, seq } = self.cursor;
        self.chain.map(|chain| LogPosition { epoch, epoch_id, seq, chain })
    }
}

/// A place of a clinic's feed that was reached, on its way to being durable.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reached {
    pub(crate) clinic: ClinicId,
    pub(crate) place: Place,
    /// When the clinic had no more than this, if it had no more.
    pub(crate) whole_at: Option<Timestamp>,
    /// What [`Followed::doubt`] was then: a place reached before a doubt is not followed.
    pub(crate) doubt: u64,
}

/// A line to a clinic that is followed.
pub(crate) struct Link {
    pub(crate) session: TabletSession,
    /// The connection over the same transport on which the other side follows this clinic, and so proves
    /// who it is.
    pub(crate) beside: ConnectionId,
    /// Whether the other side answers digests.
    pub(crate) answers_digests: bool,
    pub(crate) inbox: VecDeque<Item>,
    /// Up to where the other's feed has come over this line, taken or not.
    pub(crate) came: Option<Cursor>,
    /// Documents of which changes were asked for.
    pub(crate) asked: BTreeMap<DocumentId, Asked>,
}

/// Something of the feed that waits its turn.
pub(crate) enum Item {
    Changes(Box<FeedChanges>),
    Reference(FeedReference),
    /// These changes of a document must be here before what follows.
    Wait(DocumentId, BTreeSet<ChangeHash>),
    /// All changes of a document are to be here that the clinic has.
    Fetch(DocumentId),
    /// Everything up to here was taken, and if a time is given the clinic had no more then.
    Through(Place, Option<Timestamp>),
}

/// Changes of a document that were asked for.
#[derive(Default)]
pub(crate) struct Asked {
    pub(crate) supplied: VecDeque<FeedChanges>,
    pub(crate) answered: bool,
    pub(crate) times: usize,
}

/// How this clinic stands with another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SiteStatus {
    /// The other clinic.
    pub clinic: ClinicId,
    /// What people call it.
    pub name: String,
    /// Whether a line to it is open and both sides proved who they are.
    pub connected: bool,
    /// When it was last heard, by this server's clock.
    pub heard_at: Option<Timestamp>,
    /// The last time at which everything it had then is durable and merged here, by this server's clock.
    pub caught_up_at: Option<Timestamp>,
    /// How many notes of this clinic it has not taken; `None` before it ever said what it took.
    pub behind: Option<u64>,
    /// How many of its notes were still to come when it was last asked.
    pub coming: Option<u64>,
    /// When both were last seen to hold the same notes, by this server's clock.
    pub same_at: Option<Timestamp>,
    /// Notes that differed when it was last asked, though both had read everything; they are fetched again.
    pub differing: u64,
    /// Why the last line ended, or what keeps it back; one sentence without patient words.
    pub trouble: Option<String>,
}

/// What is remembered of a clinic that is followed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Followed {
    pub(crate) place: Option<Place>,
    /// Whether the place that was kept was looked at: what was found out since counts more.
    pub(crate) kept_read: bool,
    pub(crate) heard_at: Option<Timestamp>,
    /// The last hearing that was kept.
    pub(crate) heard_kept_at: Option<Timestamp>,
    pub(crate) caught_up_at: Option<Timestamp>,
    /// The epoch of this clinic's record in which that was.
    pub(crate) caught_up_in: Option<u32>,
    pub(crate) welcomed: bool,
    pub(crate) trouble: Option<String>,
    /// How often what was reached was not to be relied on.
    pub(crate) doubt: u64,
}

/// The sum of what is shared with a clinic, as the record was at a place.
#[derive(Clone, Debug, Default)]
pub(crate) struct OwnDigest {
    pub(crate) through: u64,
    pub(crate) kept_through: u64,
    pub(crate) ranges: Ranges,
}

/// The notes of this clinic's feed for another behind a place, as far as they were counted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Behind {
    pub(crate) after: u64,
    pub(crate) through: u64,
    pub(crate) notes: BTreeSet<DocumentId>,
}

/// What is known of whether a clinic holds the same as this one.
#[derive(Debug, Default)]
pub(crate) struct Converging {
    /// This clinic's own sum; `None` before what was kept of it was looked for.
    pub(crate) own: Option<OwnDigest>,
    /// Whether what is kept of it is too old.
    pub(crate) keep_due: bool,
    /// Whether the clinic is to be asked.
    pub(crate) asking: bool,
    /// Its own question, and where the answer goes.
    pub(crate) asked_by: Option<(ConnectionId, DigestOffer)>,
    /// Its answer.
    pub(crate) answered: Option<DigestOffer>,
    /// Its question in what this clinic differs: where the answers go, its sums, the last range listed.
    pub(crate) listing: Option<(ConnectionId, Vec<u8>, Option<u8>)>,
    /// Its lists, not compared yet.
    pub(crate) listed: VecDeque<DigestDiff>,
    /// When it was last asked over this line.
    pub(crate) asked_at: Option<Timestamp>,
    /// And how far its feed had been taken then: the answer is about that and nothing later.
    pub(crate) asked_with: Option<Cursor>,
    /// When it is to be asked again.
    pub(crate) ask_at: Option<Timestamp>,
    /// How far it has taken this clinic's feed, as it last said.
    pub(crate) told: Option<u64>,
    /// The notes that lie behind that.
    pub(crate) behind: Behind,
    /// How many of its notes were still to come when it last answered.
    pub(crate) coming: Option<u64>,
    /// Notes that differ, while they are counted.
    pub(crate) counting: u64,
    /// Notes that differed at the last comparison.
    pub(crate) differing: u64,
    /// When both were last seen to hold the same.
    pub(crate) same_at: Option<Timestamp>,
}

impl Converging {
    /// Whether something is to be asked, answered or compared.
    pub(crate) fn is_waiting(&self) -> bool {
        let (asks, answers) = (self.asking || self.asked_by.is_some(), self.answered.is_some());
        asks || answers || self.listing.is_some() || !self.listed.is_empty()
    }

    /// The line is gone, or the record cannot be read: nobody waits for an answer.
    pub(crate) fn forget_questions(&mut self) {
        (self.asking, self.asked_by, self.answered, self.listing) = (false, None, None, None);
        self.listed.clear();
    }

    /// The line is gone: over the next one it is asked at once.
    pub(crate) fn line_lost(&mut self) {
        self.forget_questions();
        (self.asked_at, self.ask_at) = (None, None);
    }
}

/// Another clinic's work on its way into this one's record.
#[derive(Clone, Debug)]
pub(crate) struct Import {
    pub(crate) document: DocumentId,
    pub(crate) note: WorkNote,
    pub(crate) received_at: chart::time::Timestamp,
    pub(crate) clock_ahead_ms: i64,
    pub(crate) changes: Vec<Submitted>,
    /// Which of its changes the verdict is written for.
    pub(crate) honoured: Vec<ChangeHash>,
    pub(crate) verdict: Box<Verdict>,
    pub(crate) origin: ClinicId,
    /// Its entry, once that is durable.
    pub(crate) seq: u64,
}
