//! The machine itself: its state, its connections and the way of a batch. What happens to a push, a
//! verdict or a report stands in the files named after them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use chart::entropy::{Entropy, draw};
use chart::ids::{
    ActorId, ChangeHash, ClinicId, DeviceId, Digest, DocumentId, EpochId, PatientId, PersonId, TransferId,
};
use chart::time::Timestamp;
use compliance::Rulebook;
use ed25519_dalek::SigningKey;
use session_note::schema::Kind;
use store::{Key, NewEntry, Retained, Tip};
use sync_protocol::message::{LogPosition, ReceiptItem};
use sync_protocol::{ErrorCode, Failure, ServerConfig, ServerSession, VERSIONS};

pub use crate::connection::ConnectionId;
use crate::connection::{Connection, Heard, one_too_many};
use crate::directory::Directory;
use crate::fresh::{Fresh, FreshWork};
use crate::ledger::Backlog;
use crate::limits::UNPROVEN_CONNECTIONS_MAX;
use crate::links::{Converging, Import, Lines, Reached};
use crate::members::Members;
use crate::metrics::Metrics;
use crate::reckoner::{Reckoner, Unfenced};
use crate::record::{Record, RecordError};
use crate::resident::Residents;
use crate::ruling::{Docket, Release};
use crate::unjudged::Unjudged;

/// What a hub is given at the start.
pub struct HubConfig {
    /// The clinic.
    pub clinic: ClinicId,
    /// The clinic's key: every record is sealed under it or under keys wrapped by it.
    pub clinic_key: [u8; 32],
    /// The seed of the site's Ed25519 key, which signs verdicts.
    pub site_key: [u8; 32],
    /// The rules.
    pub rulebook: Rulebook,
    /// How many documents may stay in memory.
    pub documents_resident_max: usize,
}

/// Names an administrative act until it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// What a newly enrolled tablet is told.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Enrolment {
    /// Its id.
    pub device: DeviceId,
    /// The clinic.
    pub clinic: ClinicId,
    /// The site's public key, 64 hexadecimal digits.
    pub site_public_key: String,
    /// What people call the tablet.
    pub name: String,
    /// Who may work on it; empty means everybody.
    pub people: BTreeSet<PersonId>,
}

/// Why the hub could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    /// The record could not be read.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The store could not be read.
    #[error(transparent)]
    Store(#[from] store::StoreError),
    /// The record can no longer be written.
    #[error("the record cannot be written until the server is started again: {0}")]
    ReadOnly(String),
    /// The request does not fit; one sentence says why.
    #[error("{0}")]
    Refused(String),
}

/// What is to happen when an entry is durable.
#[derive(Clone, Debug)]
pub(crate) enum After {
    Receipt {
        connection: ConnectionId,
        item: ReceiptItem,
    },
    Work {
        connection: ConnectionId,
        work: Box<Arrived>,
    },
    Places,
    Done(Ticket),
    /// Another clinic's work is durable.
    Imported(Box<Import>),
    /// The bytes of another clinic's feed are durable up to here; their verdicts follow.
    Taken(Reached),
    /// And the verdicts are.
    Followed(Reached),
}

/// A piece of work that is on its way into the log.
#[derive(Clone, Debug)]
pub(crate) struct Arrived {
    pub(crate) document: DocumentId,
    pub(crate) work: FreshWork,
    pub(crate) cost_bytes: usize,
}

pub(crate) struct Pending {
    pub(crate) entry: Option<NewEntry>,
    /// The document it belongs to.
    pub(crate) document: Option<DocumentId>,
    pub(crate) after: Vec<After>,
}

/// A pending step whose batch is being written.
pub(crate) struct Flying {
    pub(crate) document: Option<DocumentId>,
    pub(crate) after: Vec<After>,
    pub(crate) keys: Vec<Key>,
    pub(crate) is_entry: bool,
}

pub(crate) struct Code {
    pub(crate) digest: Digest,
    pub(crate) device_name: String,
    pub(crate) people: BTreeSet<PersonId>,
    pub(crate) expires_at: Timestamp,
}

/// A code for another clinic.
pub(crate) struct Invitation {
    pub(crate) digest: Digest,
    pub(crate) expires_at: Timestamp,
}

/// The clinic's machine.
pub struct Hub {
    pub(crate) config: HubConfig,
    pub(crate) signer: SigningKey,
    pub(crate) record: Record,
    pub(crate) directory: Directory,
    /// Who computes reports.
    pub(crate) reckoner: Box<dyn Reckoner>,
    pub(crate) residents: Residents,
    pub(crate) members: Members,
    pub(crate) connections: BTreeMap<ConnectionId, Connection>,
    next_connection: u64,
    next_ticket: u64,
    pub(crate) pending: VecDeque<Pending>,
    pub(crate) in_flight: Option<Vec<Flying>>,
    pub(crate) read_only: Option<String>,
    pub(crate) new_epoch: Option<EpochId>,
    /// Documents with durable work and no verdict, by the first such entry.
    pub(crate) unjudged: Unjudged,
    /// What of that is in memory.
    pub(crate) fresh: Fresh,
    /// What each device has waiting for a verdict.
    pub(crate) backlog: BTreeMap<DeviceId, Backlog>,
    /// What is being judged.
    pub(crate) judged_now: Option<(DocumentId, Docket)>,
    /// The document that was judged last.
    pub(crate) judged_last: DocumentId,
    /// Held work that supervisors want admitted.
    pub(crate) releases: VecDeque<Release>,
    /// Notes whose report may no longer fit its inputs.
    pub(crate) stale: BTreeSet<DocumentId>,
    /// Days and episodes whose notes' reports may no longer fit.
    pub(crate) touched: BTreeSet<Key>,
    /// Entries that place a document and are not durable: until they are, a day cannot be listed.
    pub(crate) uncommitted_places: usize,
    /// The judgement and the snapshots due.
    pub(crate) snapshots_due: BTreeSet<DocumentId>,
    /// The device, the cost and the changes of each piece of work that waits for its verdict.
    pub(crate) unjudged_cost: BTreeMap<u64, (DeviceId, usize, usize)>,
    /// How many entries of a document are on their way into the log: until they are in, the document can
    /// not be built from it.
    pub(crate) uncommitted: BTreeMap<DocumentId, usize>,
    /// Tablets that brought others' work of a document and have not been told whether they follow it.
    pub(crate) carried: BTreeMap<DocumentId, BTreeSet<DeviceId>>,
    /// What is written down as overruled, by document.
    pub(crate) overruled: BTreeMap<DocumentId, BTreeSet<ChangeHash>>,
    /// The reports whose markers are on their way into the log.
    pub(crate) marked: BTreeMap<DocumentId, [u8; 32]>,
    /// Actors bound by work that is not durable yet.
    pub(crate) binding: BTreeMap<ActorId, (DeviceId, PersonId, DocumentId)>,
    pub(crate) keep: Vec<Retained>,
    pub(crate) codes: Vec<Code>,
    pub(crate) invitations: Vec<Invitation>,
    pub(crate) done: VecDeque<(Ticket, Result<(), String>)>,
    /// Connections with something new to be sent from the feed.
    pub(crate) woken: BTreeSet<ConnectionId>,
    /// Patients of transfers whose notes are still to be given their new places.
    pub(crate) transfers_due: BTreeMap<TransferId, BTreeSet<PatientId>>,
    /// When tablets were last heard.
    pub(crate) heard_of: BTreeMap<DeviceId, Heard>,
    /// Tablets of which that is to be kept.
    pub(crate) heard_due: BTreeSet<DeviceId>,
    /// Everything that concerns other clinics.
    pub(crate) lines: Lines,
    pub(crate) metrics: Metrics,
    pub(crate) tip: Tip,
}

impl Hub {
    pub(crate) fn empty(config: HubConfig, record: Record, tip: Tip) -> Self {
        Self {
            signer: SigningKey::from_bytes(&config.site_key),
            record,
            directory: Directory::default(),
            reckoner: Box::new(Unfenced),
            residents: Residents::new(config.documents_resident_max),
            members: Members::default(),
            config,
            connections: BTreeMap::new(),
            next_connection: 1,
            next_ticket: 1,
            pending: VecDeque::new(),
            in_flight: None,
            read_only: None,
            new_epoch: None,
            unjudged: Unjudged::default(),
            fresh: Fresh::default(),
            backlog: BTreeMap::new(),
            judged_now: None,
            judged_last: DocumentId::from_bytes([0; 16]),
            releases: VecDeque::new(),
            stale: BTreeSet::new(),
            touched: BTreeSet::new(),
            uncommitted_places: 0,
            snapshots_due: BTreeSet::new(),
            unjudged_cost: BTreeMap::new(),
            uncommitted: BTreeMap::new(),
            carried: BTreeMap::new(),
            overruled: BTreeMap::new(),
            marked: BTreeMap::new(),
            binding: BTreeMap::new(),
            keep: Vec::new(),
            codes: Vec::new(),
            invitations: Vec::new(),
            done: VecDeque::new(),
            woken: BTreeSet::new(),
            transfers_due: BTreeMap::new(),
            heard_of: BTreeMap::new(),
            heard_due: BTreeSet::new(),
            lines: Lines::default(),
            metrics: Metrics::default(),
            tip,
        }
    }

    /// A transport was connected: the challenge is ready to be sent.
    pub fn connect(&mut self, now: Timestamp, entropy: &mut dyn Entropy) -> ConnectionId {
        let id = ConnectionId(self.next_connection);
        self.next_connection += 1;
        let config = ServerConfig {
            site: self.config.clinic,
            nonce: draw(entropy),
            versions: VERSIONS.to_vec(),
            limits: sync_protocol::Limits::default(),
        };
        self.connections.insert(id, Connection::new(ServerSession::new(config, now)));
        // Who says nothing makes room for who has just come.
        let unproven = |connection: &Connection| connection.device.is_none();
        if let Some(oldest) = one_too_many(&self.connections, UNPROVEN_CONNECTIONS_MAX, unproven) {
            self.turn_away(oldest, ErrorCode::Busy, "too many connections wait to say who they are");
        }
        id
    }

    /// The transport is gone.
    pub fn disconnect(&mut self, connection: ConnectionId) {
        self.note_gone(connection);
        self.connections.remove(&connection);
        self.woken.remove(&connection);
    }

    /// The other side of a transport showed that it is there, though it sent no frame.
    pub fn heard(&mut self, now: Timestamp, connection: ConnectionId) {
        if let Some(connection) = self.connections.get_mut(&connection) {
            connection.session.heard(now);
        }
        self.note_heard(now, connection);
        self.link_heard(now, connection);
    }

    /// The next frame to send, if any.
    pub fn poll_transmit(&mut self) -> Option<(ConnectionId, Vec<u8>)> {
        self.poll_transmit_for(&mut |_| true)
    }

    /// The next frame to send to a connection whose transport has room.
    pub fn poll_transmit_for(
        &mut self,
        has_room: &mut dyn FnMut(ConnectionId) -> bool,
    ) -> Option<(ConnectionId, Vec<u8>)> {
        for (id, connection) in &mut self.connections {
            if connection.session.outgoing_bytes() == 0 || !has_room(*id) {
                continue;
            }
            if let Some(frame) = connection.session.poll_transmit() {
                self.metrics.frames_out += 1;
                self.metrics.bytes_out += frame.len() as u64;
                return Some((*id, frame));
            }
        }
        None
    }

    /// A connection that is over: what [`Hub::poll_transmit`] still held for it has been handed out.
    pub fn poll_closed(&mut self) -> Option<ConnectionId> {
        let closed = |(id, connection): (&ConnectionId, &Connection)| {
            (connection.session.is_closed() && connection.session.outgoing_bytes() == 0).then_some(*id)
        };
        let id = self.connections.iter().find_map(closed)?;
        self.disconnect(id);
        Some(id)
    }

    /// When to call [`Hub::handle_timeout`] next, and why.
    pub fn poll_timeout(&self) -> Option<(Timestamp, &'static str)> {
        let tablets = self.connections.values().filter_map(|connection| connection.session.poll_timeout());
        tablets.chain(self.links_poll_timeout()).chain(self.transfers_poll_timeout()).min()
    }

    /// An administrative act that is done, or failed with one sentence.
    pub fn poll_done(&mut self) -> Option<(Ticket, Result<(), String>)> {
        self.done.pop_front()
    }

    /// Derived values for [`store::Store::keep`].
    pub fn poll_keep(&mut self) -> Vec<Retained> {
        std::mem::take(&mut self.keep)
    }

    /// People, patients, tablets and settings.
    pub const fn directory(&self) -> &Directory {
        &self.directory
    }

    /// The counters.
    pub fn metrics(&self) -> Metrics {
        Metrics {
            connections: self.connections.len() as u64,
            unjudged: (self.unjudged.len() + usize::from(self.judged_now.is_some())) as u64,
            stale_reports: self.stale.len() as u64,
            resident: self.residents.len() as u64,
            replayed: self.residents.replayed,
            seq: self.tip.seq,
            epoch: u64::from(self.tip.epoch),
            read_only: u64::from(self.read_only.is_some()),
            ..self.metrics
        }
    }

    /// Whether nothing waits: no batch, no verdict, no report.
    pub fn is_idle(&self) -> bool {
        self.in_flight.is_none()
            && self.pending.is_empty()
            && self.unjudged.is_empty()
            && self.releases.is_empty()
            && self.judged_now.is_none()
            && self.lines.imports.is_empty()
            && self.lines.cursors_due.is_empty()
            && self.transfers_due.is_empty()
            && !self.lines.converging.values().any(Converging::is_waiting)
            && self.stale.is_empty()
            && self.touched.is_empty()
    }

    pub(crate) fn ticket(&mut self) -> Ticket {
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        ticket
    }

    /// An administrative act has ended.
    pub(crate) fn finish(&mut self, ticket: Ticket, result: Result<(), String>) {
        self.done.push_back((ticket, result));
    }

    pub(crate) fn must_be_writable(&self) -> Result<(), HubError> {
        match &self.read_only {
            Some(sentence) => Err(HubError::ReadOnly(sentence.clone())),
            None => Ok(()),
        }
    }

    pub(crate) fn push_entry(&mut self, document: Option<DocumentId>, entry: NewEntry, after: Vec<After>) {
        if let Some(document) = document {
            *self.uncommitted.entry(document).or_insert(0) += 1;
        }
        self.pending.push_back(Pending { entry: Some(entry), document, after });
    }

    /// Whether all of a document is in the log and judged as far as it can be.
    pub(crate) fn is_at_rest(&self, document: DocumentId) -> bool {
        !self.uncommitted.contains_key(&document)
            && self.judged_now.as_ref().is_none_or(|(judged, _)| *judged != document)
            && !self.lines.imports.iter().any(|import| import.document == document)
            && !self.unjudged.contains(document)
    }

    /// Something that is to happen once everything pushed so far is durable.
    pub(crate) fn push_after(&mut self, after: After) {
        self.pending.push_back(Pending { entry: None, document: None, after: vec![after] });
    }

    /// Says goodbye to every tablet; what waits is lost to nobody, since nothing unreceipted is safe.
    pub fn shut_down(&mut self) {
        for connection in self.connections.values_mut() {
            let failure = Failure::fatal(ErrorCode::ShuttingDown, "the clinic's server is stopping");
            _ = connection.session.error(failure);
        }
    }

    pub(crate) const fn position(&self) -> LogPosition {
        LogPosition {
            epoch: self.tip.epoch,
            epoch_id: self.tip.epoch_id,
            seq: self.tip.seq,
            chain: Digest::from_bytes(self.tip.chain.0),
        }
    }

    pub(crate) fn kind_of(number: u16) -> Option<Kind> {
        u8::try_from(number).ok().and_then(Kind::from_number)
    }
}

/// The hashes of a list, for sets.
pub(crate) fn set_of(hashes: &[ChangeHash]) -> BTreeSet<ChangeHash> {
    hashes.iter().copied().collect()
}
