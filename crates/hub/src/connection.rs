//! One tablet's connection as the hub sees it: the protocol machine, who proved what, and how far the
//! feed has been sent. Holds nothing that must survive.

use std::collections::{BTreeMap, BTreeSet};

use chart::ids::{ClinicId, DeviceId, PersonId};
use chart::reference::Scope;
use chart::time::Timestamp;
use store::Key;
use sync_protocol::ServerSession;

/// Names an open connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// A connection's state.
pub(crate) struct Connection {
    pub(crate) session: ServerSession,
    pub(crate) device: Option<DeviceId>,
    /// The clinic on the other side, if it is one.
    pub(crate) site: Option<ClinicId>,
    pub(crate) person: Option<PersonId>,
    pub(crate) clock_ahead_ms: i64,
    pub(crate) scopes: BTreeSet<Scope>,
    /// The keys whose entries this connection is sent.
    pub(crate) follows: Vec<Key>,
    pub(crate) pull: Option<Following>,
    /// Work entries that came over this very connection: their author has the bytes.
    pub(crate) brought: BTreeSet<u64>,
}

/// When a tablet was last heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Heard {
    pub(crate) at: Timestamp,
    /// Entries of this log up to which the feed was sent to it.
    pub(crate) through: u64,
    /// Who greeted on it, ever.
    pub(crate) people: BTreeSet<PersonId>,
    /// The epoch of the log in which it was.
    pub(crate) epoch: u32,
    /// When this was last kept.
    pub(crate) kept_at: Option<Timestamp>,
}

/// An open pull.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Following {
    pub(crate) number: u32,
    pub(crate) after: u64,
    pub(crate) page_bytes: usize,
    pub(crate) live: bool,
    /// Whether a page was sent since the pull: an empty first page tells the tablet it is up to date.
    pub(crate) answered: bool,
}

/// The first of those connections a rule is about, if they are more than it allows.
pub(crate) fn one_too_many<K: Ord + Copy>(
    connections: &BTreeMap<K, Connection>,
    most: usize,
    about: impl Fn(&Connection) -> bool,
) -> Option<K> {
    let open = |connection: &Connection| !connection.session.is_closed() && about(connection);
    let mut found = connections.iter().filter(|(_, connection)| open(connection)).map(|(id, _)| *id);
    let first = found.next();
    if found.count() >= most { first } else { None }
}

impl Connection {
    pub(crate) const fn new(session: ServerSession) -> Self {
        Self {
            session,
            device: None,
            site: None,
            person: None,
            clock_ahead_ms: 0,
            scopes: BTreeSet::new(),
            follows: Vec::new(),
            pull: None,
            brought: BTreeSet::new(),
        }
    }
}
