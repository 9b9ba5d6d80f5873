//! The driver of one tablet: a thread that owns the machine and its log, and a socket beside it.
//!
//! One for the command line, one for each tablet of a demo, twelve in one process for a load: each has a
//! thread of its own, which also waits for the disk, so that a slow disk holds up one tablet only. What
//! it answers with is on the disk. It decides nothing about charts.

mod link;
mod turn;
mod wait;

use std::path::PathBuf;
use std::thread::JoinHandle;
use std::time::Duration;

use chart::entropy::Entropy;
use chart::ids::{ChangeHash, ClinicId, DeviceId, DocumentId, PersonId};
use chart::time::Timestamp;
use compliance::Rulebook;
use serde_json::Value;
use std::collections::BTreeSet;
use store::StoreReader;
use sync_protocol::message::ScopeName;
use tablet::{Event, Tablet, TabletError, Ticket};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

use super::address::ServerAddress;
use super::home::{Home, HomeError, Identity};
use super::kill::KillPoints;

pub use wait::{Until, Waited};

/// The thread's stack: documents are nested, and reading them recurses.
const STACK_BYTES: usize = 16 << 20;

/// Called on the driver's thread with everything the machine tells, before anybody else hears of it.
pub type Observer = Box<dyn FnMut(&Event) + Send>;

/// What a driver is started with. Holds keys: not printable.
pub struct DriverConfig {
    /// The clinic.
    pub clinic: ClinicId,
    /// The tablet.
    pub device: DeviceId,
    /// The device's Ed25519 key.
    pub signing_key: [u8; 32],
    /// The key the log is sealed under.
    pub disk_key: [u8; 32],
    /// The directory of the log.
    pub log: PathBuf,
    /// Who works on it.
    pub person: Option<PersonId>,
    /// What it asks to see; empty: the caseload of the person.
    pub scopes: Vec<ScopeName>,
    /// The server, if one is known.
    pub server: Option<ServerAddress>,
    /// Whether to connect from the start.
    pub online: bool,
    /// How wrong the tablet's clock goes, in milliseconds; ahead if positive.
    pub clock_offset_ms: i64,
    /// The rules; the built-in ones if absent.
    pub rulebook: Option<Rulebook>,
    /// Where a test has it die.
    pub kill: KillPoints,
    /// Told everything that happens.
    pub observer: Option<Observer>,
}

impl DriverConfig {
    /// The driver of an enrolled tablet, offline.
    ///
    /// # Errors
    /// When the server's address in the key file is none.
    pub fn of(home: &Home, identity: &Identity) -> Result<Self, String> {
        Ok(Self {
            clinic: identity.clinic,
            device: identity.device,
            signing_key: *identity.signing_key.as_bytes(),
            disk_key: *identity.disk_key.as_bytes(),
            log: home.log(),
            person: identity.only_person(),
            scopes: Vec::new(),
            server: Some(ServerAddress::parse(&identity.server)?),
            online: false,
            clock_offset_ms: 0,
            rulebook: None,
            kill: KillPoints::default(),
            observer: None,
        })
    }
}

/// Why something asked of a tablet did not happen.
#[derive(Debug, thiserror::Error)]
pub enum DriverError {
    /// The machine said no; nothing was changed.
    #[error(transparent)]
    Tablet(#[from] TabletError),
    /// It could not be written: it is in memory only.
    #[error("it could not be saved on this tablet: {0}")]
    NotSaved(String),
    /// The driver has stopped.
    #[error("the tablet has stopped")]
    Stopped,
}

/// Why a tablet could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Its directory.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// Its log.
    #[error(transparent)]
    Store(#[from] store::StoreError),
    /// The log's directory.
    #[error("{path} cannot be used: {error}")]
    Files {
        /// The directory.
        path: String,
        /// What the system said.
        error: std::io::Error,
    },
    /// What the log says.
    #[error(transparent)]
    Tablet(#[from] TabletError),
    /// The system's threads.
    #[error("the tablet's thread could not be started: {0}")]
    Thread(std::io::Error),
}

/// What a piece of work on the tablet's thread has at hand.
pub struct Desk<'a> {
    /// The machine.
    pub tablet: &'a mut Tablet,
    /// Its log, for reading.
    pub reader: &'a dyn StoreReader,
    /// The tablet's clock, or what the caller said it shows.
    pub now: Timestamp,
    /// The system's randomness.
    pub entropy: &'a mut dyn Entropy,
}

/// An edit that is on this tablet's disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saved {
    /// In which document.
    pub document: DocumentId,
    /// The document's heads with it.
    pub heads: BTreeSet<ChangeHash>,
    /// The change it became; of a long text the last one.
    pub change: ChangeHash,
}

/// An answer that is on its way.
#[derive(Debug)]
pub struct Reply<T>(oneshot::Receiver<Result<T, DriverError>>);

impl<T> Reply<T> {
    /// Waits for the answer. Not on an async thread.
    ///
    /// # Errors
    /// When what was asked did not happen.
    pub fn wait(self) -> Result<T, DriverError> {
        self.0.blocking_recv().unwrap_or(Err(DriverError::Stopped))
    }

    /// Waits for the answer without holding the thread.
    ///
    /// # Errors
    /// When what was asked did not happen.
    pub async fn arrive(self) -> Result<T, DriverError> {
        self.0.await.unwrap_or(Err(DriverError::Stopped))
    }
}

/// What is told when the work's commit has ended.
type Told = Box<dyn FnOnce(Result<Option<Saved>, DriverError>) + Send>;
/// What the caller waits for, if the work went well.
type Done = (Option<Ticket>, Told);
type Work = Box<dyn FnOnce(&mut Desk<'_>) -> Option<Done> + Send>;

enum Request {
    Work { at: Option<Timestamp>, work: Work },
    Wait { until: Until, timeout: Duration, reply: oneshot::Sender<Result<Waited, DriverError>> },
    Connect(ServerChoice),
    Disconnect,
    Standing(oneshot::Sender<Result<Standing, DriverError>>),
    Stop,
}

/// Which server to connect to.
enum ServerChoice {
    Known,
    Other(ServerAddress),
}

/// How the connection stands, and what a person should have been told.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Standing {
    /// Whether the clinic's server has let the tablet in.
    pub online: bool,
    /// Whether the tablet tries to be.
    pub wants_online: bool,
    /// Why it is not, in one sentence.
    pub offline_because: Option<String>,
    /// How far the server's clock is ahead, in milliseconds.
    pub clock_offset_ms: Option<i64>,
    /// The last things a person should know: held, rejected, sign again and their kin.
    pub told: Vec<Value>,
}

/// A running tablet.
pub struct Driver {
    requests: mpsc::UnboundedSender<Request>,
    thread: Option<JoinHandle<Result<(), String>>>,
    opening: Vec<String>,
}

impl Driver {
    /// Opens the log and starts the thread; the socket runs on `runtime`, which must have threads of its
    /// own. Blocks until the log is read.
    ///
    /// # Errors
    /// When another process has the directory, or the log cannot be read.
    pub fn open(config: DriverConfig, runtime: Handle) -> Result<Self, OpenError> {
        let (requests, inbox) = mpsc::unbounded_channel();
        let (opened, is_open) = std::sync::mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("tablet".to_owned())
            .stack_size(STACK_BYTES)
            .spawn(move || turn::open_and_run(config, &runtime, inbox, &opened))
            .map_err(OpenError::Thread)?;
        let died = || OpenError::Thread(std::io::Error::other("it ended at once"));
        let opening = is_open.recv().map_err(|_| died())??;
        Ok(Self { requests, thread: Some(thread), opening })
    }

    /// What opening the log had to do, in sentences; empty after an orderly end.
    pub fn opening(&self) -> &[String] {
        &self.opening
    }

    /// Runs something on the tablet's thread and brings back what it says, when everything that was
    /// asked before and in it is on the disk. With a ticket the answer says what the edit became.
    /// `at` is what the tablet's clock shows; the system's clock if absent.
    pub fn act<T: Send + 'static>(
        &self,
        at: Option<Timestamp>,
        act: impl FnOnce(&mut Desk<'_>) -> Result<(Option<Ticket>, T), TabletError> + Send + 'static,
    ) -> Reply<(T, Option<Saved>)> {
        let (reply, answer) = oneshot::channel();
        let work: Work = Box::new(move |desk| match act(desk) {
            Ok((ticket, value)) => {
                let told: Told = Box::new(move |ended| {
                    let _ = reply.send(ended.map(|saved| (value, saved)));
                });
                Some((ticket, told))
            }
            Err(error) => {
                let _ = reply.send(Err(error.into()));
                None
            }
        });
        let _ = self.requests.send(Request::Work { at, work });
        Reply(answer)
    }

    /// Makes an edit; the answer comes when it is on this tablet's disk.
    pub fn edit(&self, at: Option<Timestamp>, edit: tablet::Edit) -> Reply<((), Option<Saved>)> {
        self.act(at, move |desk| {
            let Desk { tablet, reader, now, entropy } = desk;
            tablet.apply(*now, *entropy, *reader, &edit).map(|ticket| (Some(ticket), ()))
        })
    }

    /// Asks something that changes nothing.
    pub fn ask<T: Send + 'static>(
        &self,
        at: Option<Timestamp>,
        question: impl FnOnce(&mut Desk<'_>) -> Result<T, TabletError> + Send + 'static,
    ) -> Reply<T> {
        let (reply, answer) = oneshot::channel();
        let work: Work = Box::new(move |desk| {
            let _ = reply.send(question(desk).map_err(Into::into));
            None
        });
        let _ = self.requests.send(Request::Work { at, work });
        Reply(answer)
    }

    /// Waits until the tablet's work has come so far, or for the time.
    pub fn until(&self, until: Until, timeout: Duration) -> Reply<Waited> {
        let (reply, answer) = oneshot::channel();
        let _ = self.requests.send(Request::Wait { until, timeout, reply });
        Reply(answer)
    }

    /// How the connection stands.
    pub fn standing(&self) -> Reply<Standing> {
        let (reply, answer) = oneshot::channel();
        let _ = self.requests.send(Request::Standing(reply));
        Reply(answer)
    }

    /// Connects now, and again whenever the connection is lost; to another server if one is named.
    pub fn connect(&self, server: Option<ServerAddress>) {
        let choice = server.map_or(ServerChoice::Known, ServerChoice::Other);
        let _ = self.requests.send(Request::Connect(choice));
    }

    /// Drops the connection and stays offline.
    pub fn disconnect(&self) {
        let _ = self.requests.send(Request::Disconnect);
    }

    /// Writes what waits, drops the connection and closes the log. Blocks until that is done.
    ///
    /// # Errors
    /// One sentence if the log could not be closed in order; what was answered as saved is saved.
    pub fn close(mut self) -> Result<(), String> {
        self.end()
    }

    fn end(&mut self) -> Result<(), String> {
        let _ = self.requests.send(Request::Stop);
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(result)) => result,
            Some(Err(_)) => Err("the tablet's thread died of a bug; what was saved is saved".to_owned()),
            None => Ok(()),
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.end();
    }
}
