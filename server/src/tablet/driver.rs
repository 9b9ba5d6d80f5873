//! The driver of one tablet: a thread that owns the machine and its log, and a socket beside it.
//!
//! One for the command line, one for each tablet of a demo, twelve in one process for a load: each has a
//! thread of its own, which also waits for the disk, so that a slow disk holds up one tablet only. What
//! it answers with is on the disk. It decides nothing about charts.

mod config;
mod error;
mod fence;
mod link;
mod request;
mod turn;
mod wait;

use std::thread::JoinHandle;
use std::time::Duration;

use chart::time::Timestamp;
use tablet::{TabletError, Ticket};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

use super::address::ServerAddress;

pub use config::{DriverConfig, Observer};
pub use error::{DriverError, OpenError};
pub use request::{Desk, Saved, Standing};
use request::{Request, ServerChoice, Told, Work};
pub use wait::{Until, Waited};

/// The thread's stack: documents are nested, and reading them recurses.
const STACK_BYTES: usize = 16 << 20;

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
