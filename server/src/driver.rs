//! The driver: one thread owns the hub and does, in turn, what sockets, people and time ask of it.
//!
//! It hands the hub time and randomness, gives batches to the committer (one at a time) and frames to
//! the connections, and tells callers how their acts ended. It decides nothing about charts, and no
//! other thread touches the hub.

mod committer;
mod desk;
mod gauges;
pub(crate) mod lines;
mod outbox;
mod resting;
mod run;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;

use chart::ids::ClinicId;
use hub::{ConnectionId, Hub, HubError, Ticket};
use tokio::sync::{mpsc, oneshot};

use crate::faults::Faults;
use crate::judge::{Judge, JudgeConfig, Reckoning};
use crate::limits;
use crate::record::Record;

pub use desk::Desk;
use desk::{Ended, Event, Pending, Work};
pub use gauges::Gauges;
pub use outbox::Goodbye;
use outbox::Pool;
pub(crate) use outbox::{Next, Outgoing};

/// Why something asked of the driver did not happen.
#[derive(Debug, thiserror::Error)]
pub enum DriverError {
    /// The hub said no.
    #[error(transparent)]
    Hub(#[from] HubError),
    /// The act could not be written.
    #[error("it could not be saved: {0}")]
    NotSaved(String),
    /// The driver has stopped.
    #[error("the server is stopping")]
    Stopped,
}

/// Where sockets and requests hand their wishes to the driver.
#[derive(Clone)]
pub struct Driver {
    inbox: mpsc::Sender<Event>,
    gauges: Arc<Gauges>,
    pool: Arc<Pool>,
}

/// The driver's thread, for whoever stops the server.
pub struct DriverThread {
    stop: Option<oneshot::Sender<()>>,
    ended: Option<oneshot::Receiver<()>>,
    thread: Option<JoinHandle<Result<(), String>>>,
}

/// Starts the driver over an opened hub. `runtime` is the one whose tasks talk to it.
pub fn start(
    mut hub: Hub,
    record: Record,
    faults: Faults,
    judge: JudgeConfig,
    runtime: tokio::runtime::Handle,
) -> std::io::Result<(Driver, DriverThread)> {
    let (inbox, events) = mpsc::channel(limits::INBOX);
    let (outcomes, committed) = mpsc::unbounded_channel();
    let (judgements, judged) = mpsc::unbounded_channel();
    let (stop, stopped) = oneshot::channel();
    let (ending, ended) = oneshot::channel();
    let gauges = Arc::new(Gauges::default());
    let pool = Arc::new(Pool::default());
    let committer = committer::Committer::start(record.clone(), outcomes)?;
    hub.set_reckoner(Box::new(Reckoning::open(&judge)?));
    let judge = Judge::start(judge, judgements)?;
    let crew = run::Crew { committer, judge };
    let ends = run::Ends { committed, judged };
    let state = run::State::new(hub, record, crew, faults, Arc::clone(&gauges), Arc::clone(&pool));
    let thread = std::thread::Builder::new()
        .name("driver".to_owned())
        .stack_size(limits::DRIVER_STACK_BYTES)
        .spawn(move || {
            let _ending: oneshot::Sender<()> = ending;
            run::run(state, events, ends, stopped, &runtime)
        })?;
    let driver = Driver { inbox, gauges, pool };
    Ok((driver, DriverThread { stop: Some(stop), ended: Some(ended), thread: Some(thread) }))
}

impl Driver {
    /// The driver's counters.
    pub fn gauges(&self) -> &Gauges {
        &self.gauges
    }

    /// Bytes waiting to leave, over all connections.
    pub fn outgoing_bytes(&self) -> usize {
        self.pool.bytes()
    }

    /// Whether new work can be taken and saved.
    pub fn is_ready(&self) -> bool {
        self.gauges.running.load(Ordering::Acquire) && !self.gauges.latched.load(Ordering::Acquire)
    }

    /// A new connection: its id, and what waits to leave for it.
    pub(crate) async fn connect(&self) -> Option<(ConnectionId, Outgoing)> {
        let (outbox, outgoing) = outbox::outbox(&self.pool);
        let (reply, answer) = oneshot::channel();
        self.inbox.send(Event::Connect { outbox, reply }).await.ok()?;
        answer.await.ok().map(|connection| (connection, outgoing))
    }

    /// A new line to another clinic; `None` if it is not paired with this one. Its frames begin with
    /// [`lines::FROM_SERVER`] or [`lines::FROM_FOLLOWER`].
    pub(crate) async fn connect_clinic(&self, clinic: ClinicId) -> Option<(ConnectionId, Outgoing)> {
        let (outbox, outgoing) = outbox::outbox(&self.pool);
        let (reply, answer) = oneshot::channel();
        self.inbox.send(Event::ConnectClinic { clinic, outbox, reply }).await.ok()?;
        answer.await.ok().flatten().map(|connection| (connection, outgoing))
    }

    /// A frame came in. Waits while the driver is busy: a sender is slowed down, not buffered.
    pub(crate) async fn frame(&self, connection: ConnectionId, frame: Vec<u8>) -> bool {
        self.inbox.send(Event::Frame(connection, frame)).await.is_ok()
    }

    /// The other side showed that it is there.
    pub(crate) async fn heard(&self, connection: ConnectionId) -> bool {
        self.inbox.send(Event::Heard(connection)).await.is_ok()
    }

    /// The connection is gone.
    pub(crate) async fn disconnect(&self, connection: ConnectionId) {
        let _ = self.inbox.send(Event::Disconnect(connection)).await;
    }

    /// Runs something short on the hub's thread and brings back what it says.
    pub async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut Desk<'_>) -> T + Send + 'static,
    ) -> Result<T, DriverError> {
        let (reply, answer) = oneshot::channel();
        let work: Work = Box::new(move |desk| {
            let _ = reply.send(question(desk));
            None
        });
        self.inbox.send(Event::Work(work)).await.map_err(|_| DriverError::Stopped)?;
        answer.await.map_err(|_| DriverError::Stopped)
    }

    /// Runs an act on the hub's thread and comes back when its commit is durable, or says why not.
    pub async fn act<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Desk<'_>) -> Result<(Ticket, T), HubError> + Send + 'static,
    ) -> Result<T, DriverError> {
        let (reply, answer) = oneshot::channel();
        let work: Work = Box::new(move |desk| match act(desk) {
            Err(error) => {
                let _ = reply.send(Err(error.into()));
                None
            }
            Ok((ticket, value)) => {
                let ended: Ended = Box::new(move |ended| {
                    let _ = reply.send(ended.map(|()| value).map_err(DriverError::NotSaved));
                });
                Some(Pending { ticket, ended })
            }
        });
        self.inbox.send(Event::Work(work)).await.map_err(|_| DriverError::Stopped)?;
        answer.await.map_err(|_| DriverError::Stopped)?
    }
}

impl DriverThread {
    /// Comes back when the driver has ended by itself, which it does only when something is badly wrong.
    pub async fn ended(&mut self) {
        if let Some(ended) = self.ended.as_mut() {
            let _ = ended.await;
            self.ended = None;
        }
    }

    /// Stops the driver: the commit in flight is finished, connections are told, the record is closed.
    /// Blocks until that is done.
    ///
    /// # Errors
    /// One sentence if the record could not be closed in order or the driver had died.
    pub fn stop(mut self) -> Result<(), String> {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(result)) => result,
            _ => Err("the server's driver died of a bug; what was acknowledged is safe".to_owned()),
        }
    }
}
