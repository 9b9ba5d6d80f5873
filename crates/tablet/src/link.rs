//! What is known of the connection: the session, the pushes under way, and when to try again. Sends
//! nothing.

use std::collections::{BTreeMap, BTreeSet};

use chart::ids::{ChangeHash, DocumentId, PushId};
use chart::time::Timestamp;
use sync_protocol::TabletSession;

/// A push under way.
#[derive(Clone, Debug)]
pub(crate) struct Flight {
    pub(crate) document: DocumentId,
    /// Its changes, each with what it builds on, in order.
    pub(crate) changes: Vec<(ChangeHash, Vec<ChangeHash>)>,
    /// What they weigh.
    pub(crate) bytes: usize,
}

impl Flight {
    /// The changes of the push that some heads stand for.
    pub(crate) fn covered(&self, heads: &[ChangeHash]) -> Vec<ChangeHash> {
        let mut covered: BTreeSet<ChangeHash> = heads.iter().copied().collect();
        for (hash, deps) in self.changes.iter().rev() {
            if covered.contains(hash) {
                covered.extend(deps.iter().copied());
            }
        }
        self.changes.iter().map(|(hash, _)| *hash).filter(|hash| covered.contains(hash)).collect()
    }
}

/// What is under way on one connection.
pub(crate) type Flights = BTreeMap<PushId, Flight>;

/// One connection after the other.
#[derive(Default)]
pub(crate) struct Link {
    pub(crate) session: Option<TabletSession>,
    pub(crate) flights: Flights,
    /// Changes of pushes under way.
    pub(crate) under_way: BTreeSet<ChangeHash>,
    /// Documents whose work is offered again only then.
    pub(crate) retry_at: BTreeMap<DocumentId, Timestamp>,
    /// What the door last said of a document's work, while it waits.
    pub(crate) turned_away: BTreeMap<DocumentId, (ChangeHash, String)>,
    /// Questions for missing changes that wait for their answer.
    pub(crate) asked: BTreeSet<DocumentId>,
    /// Documents to be asked for when there is room.
    pub(crate) to_ask: BTreeSet<DocumentId>,
    pub(crate) welcomed: bool,
    /// The server's record was found rewound and others' work has not been offered yet.
    pub(crate) offer_others: bool,
    /// Whether only what the server has said nothing of since is to be offered: the app ended in between.
    pub(crate) offer_the_rest: bool,
    /// What the feed has brought since then: the rest is what the record has lost.
    pub(crate) brought_again: BTreeMap<DocumentId, BTreeSet<ChangeHash>>,
    pub(crate) clock_offset_ms: Option<i64>,
    pub(crate) hello_at: Timestamp,
    pub(crate) failures: u32,
    pub(crate) reconnect_at: Option<Timestamp>,
    pub(crate) retry_after_ms: Option<i64>,
    pub(crate) closing: Option<String>,
}

impl Link {
    pub(crate) fn is_open(&self) -> bool {
        self.welcomed && self.session.is_some()
    }
    /// Whether pushes may be queued: also before the welcome, so that they leave with the hello.
    pub(crate) fn takes_pushes(&self) -> bool {
        self.session.as_ref().is_some_and(|session| !session.is_closed())
    }
    pub(crate) fn end(&mut self) {
        self.session = None;
        self.flights.clear();
        self.under_way.clear();
        self.asked.clear();
        self.welcomed = false;
    }
}
