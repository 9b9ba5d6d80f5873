//! What waits to leave for one connection: bounded in bytes, for each connection and for all together.
//!
//! The driver puts a frame in only while there is room, so what waits beyond that stays in the session,
//! which has bounds of its own and ends when its tablet never reads.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Notify, mpsc};

use crate::limits;

/// Why the server ends a connection: a close code of the WebSocket protocol and a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Goodbye {
    /// The close code.
    pub code: u16,
    /// The reason, for programs and logs.
    pub reason: &'static str,
}

impl Goodbye {
    /// The last frame has said why.
    pub const DONE: Self = Self { code: 1000, reason: "done" };
    /// The server stops; try again soon.
    pub const RESTART: Self = Self { code: 1012, reason: "server_stopping" };
    /// Only binary frames are spoken here.
    pub const NOT_BINARY: Self = Self { code: 1003, reason: "binary_frames_only" };
    /// A frame was over the limit.
    pub const TOO_BIG: Self = Self { code: 1009, reason: "frame_too_large" };
}

/// What the connection's writer is to do next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Send this frame.
    Frame(Vec<u8>),
    /// Close with this word.
    Close(Goodbye),
}

/// What all connections share.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    bytes: AtomicUsize,
    /// Rings when a connection has room again.
    pub(crate) room: Notify,
}

impl Pool {
    /// Bytes waiting to leave, over all connections.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Acquire)
    }
}

#[derive(Debug)]
struct Shared {
    own: AtomicUsize,
    pool: Arc<Pool>,
}

impl Shared {
    fn has_room(&self) -> bool {
        let own = self.own.load(Ordering::Acquire);
        own == 0 || (own < limits::OUTBOX_BYTES && self.pool.bytes() < limits::OUTBOX_ALL_BYTES)
    }

    fn add(&self, bytes: usize) {
        self.own.fetch_add(bytes, Ordering::AcqRel);
        self.pool.bytes.fetch_add(bytes, Ordering::AcqRel);
    }

    fn take(&self, bytes: usize) {
        let had_room = self.has_room();
        self.own.fetch_sub(bytes, Ordering::AcqRel);
        self.pool.bytes.fetch_sub(bytes, Ordering::AcqRel);
        if !had_room {
            self.pool.room.notify_one();
        }
    }
}

/// The driver's end.
#[derive(Debug)]
pub(crate) struct Outbox {
    parcels: mpsc::UnboundedSender<Next>,
    shared: Arc<Shared>,
}

/// The connection's end.
#[derive(Debug)]
pub(crate) struct Outgoing {
    parcels: mpsc::UnboundedReceiver<Next>,
    shared: Arc<Shared>,
}

/// Both ends.
pub(crate) fn outbox(pool: &Arc<Pool>) -> (Outbox, Outgoing) {
    let (sender, parcels) = mpsc::unbounded_channel();
    let shared = Arc::new(Shared { own: AtomicUsize::new(0), pool: Arc::clone(pool) });
    (Outbox { parcels: sender, shared: Arc::clone(&shared) }, Outgoing { parcels, shared })
}

impl Outbox {
    /// Whether another frame may be put in.
    pub(crate) fn has_room(&self) -> bool {
        self.shared.has_room()
    }

    /// Puts a frame in; one for a connection that is gone is dropped.
    pub(crate) fn send(&self, frame: Vec<u8>) {
        let bytes = frame.len();
        self.shared.add(bytes);
        if self.parcels.send(Next::Frame(frame)).is_err() {
            self.shared.take(bytes);
        }
    }

    /// Closes after what was put in has left.
    pub(crate) fn close(&self, goodbye: Goodbye) {
        let _ = self.parcels.send(Next::Close(goodbye));
    }
}

impl Outgoing {
    /// Waits for the next thing to do.
    pub(crate) async fn next(&mut self) -> Next {
        self.parcels.recv().await.unwrap_or(Next::Close(Goodbye::DONE))
    }

    /// Notes that a frame has left.
    pub(crate) fn left(&self, bytes: usize) {
        self.shared.take(bytes);
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        self.parcels.close();
        while let Ok(parcel) = self.parcels.try_recv() {
            if let Next::Frame(frame) = parcel {
                self.shared.take(frame.len());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_never_reads_fills_its_own_box_and_no_more() {
        let pool = Arc::new(Pool::default());
        let (out, outgoing) = outbox(&pool);
        while out.has_room() {
            out.send(vec![0; 64 << 10]);
        }
        assert!(pool.bytes() < limits::OUTBOX_BYTES + (1 << 20), "{}", pool.bytes());
        drop(outgoing);
        assert_eq!(pool.bytes(), 0);
        out.send(vec![0; 10]);
        assert_eq!(pool.bytes(), 0, "a connection that is gone takes no memory");
    }

    #[test]
    fn many_readers_together_are_bounded_and_nobody_is_shut_out() {
        let pool = Arc::new(Pool::default());
        pool.bytes.store(limits::OUTBOX_ALL_BYTES, Ordering::Relaxed);
        let (idle, _i) = outbox(&pool);
        let (busy, _b) = outbox(&pool);
        busy.send(vec![0; 10]);
        assert!(idle.has_room() && !busy.has_room());
    }

    #[tokio::test]
    async fn room_that_comes_back_wakes_the_driver() {
        let pool = Arc::new(Pool::default());
        let (out, mut outgoing) = outbox(&pool);
        out.send(vec![0; limits::OUTBOX_BYTES]);
        assert!(!out.has_room());
        let Next::Frame(frame) = outgoing.next().await else { panic!("a frame was put in") };
        outgoing.left(frame.len());
        pool.room.notified().await;
        assert!(out.has_room());
        out.close(Goodbye::RESTART);
        assert_eq!(outgoing.next().await, Next::Close(Goodbye::RESTART));
        drop(out);
        assert_eq!(outgoing.next().await, Next::Close(Goodbye::DONE));
    }
}
