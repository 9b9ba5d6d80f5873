//! The one thread that writes the record. It takes orders in turn and tells how each commit ended;
//! it never decides what is written.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use store::{Batch, Retained, StoreError};
use tokio::sync::mpsc::UnboundedSender;

use crate::record::Record;

/// Something to write.
enum Order {
    Commit(Batch),
    Keep(Vec<Retained>),
}

/// How a commit ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The number of the batch's first entry, or why there is none.
    pub(crate) result: Result<u64, StoreError>,
    /// How long the disk took.
    pub(crate) took: Duration,
}

/// The committer's desk: orders go in here.
#[derive(Debug)]
pub(crate) struct Committer {
    orders: Option<SyncSender<Order>>,
    thread: Option<JoinHandle<Result<(), StoreError>>>,
}

impl Committer {
    /// Starts the thread; every commit's end is sent to `outcomes`.
    pub(crate) fn start(record: Record, outcomes: UnboundedSender<Outcome>) -> std::io::Result<Self> {
        // A commit never waits behind more than a few kept values.
        let (orders, taken) = sync_channel(4);
        let thread = std::thread::Builder::new()
            .name("committer".to_owned())
            .spawn(move || write_all(&record, &taken, &outcomes))?;
        Ok(Self { orders: Some(orders), thread: Some(thread) })
    }

    /// Orders a commit; `false` if the thread is gone.
    pub(crate) fn commit(&self, batch: Batch) -> bool {
        self.order(Order::Commit(batch))
    }

    /// Orders derived values to be kept; nobody is told whether they were.
    pub(crate) fn keep(&self, values: Vec<Retained>) -> bool {
        self.order(Order::Keep(values))
    }

    fn order(&self, order: Order) -> bool {
        self.orders.as_ref().is_some_and(|orders| orders.send(order).is_ok())
    }

    /// Finishes what was ordered and closes the record.
    pub(crate) fn close(mut self) -> Result<(), StoreError> {
        self.orders = None;
        let died = || StoreError::Disk { doing: "write the record", reason: "its thread died".to_owned() };
        self.thread.take().ok_or_else(died)?.join().map_err(|_| died())?
    }
}

fn write_all(
    record: &Record,
    orders: &Receiver<Order>,
    outcomes: &UnboundedSender<Outcome>,
) -> Result<(), StoreError> {
    while let Ok(order) = orders.recv() {
        match order {
            Order::Commit(batch) => {
                let began = Instant::now();
                let result = record.commit(&batch);
                let _ = outcomes.send(Outcome { result, took: began.elapsed() });
            }
            Order::Keep(values) => {
                if let Err(error) = record.keep(&values) {
                    tracing::debug!(%error, "derived values were not kept");
                }
            }
        }
    }
    record.close()
}
