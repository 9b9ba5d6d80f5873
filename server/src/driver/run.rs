//! The driver's loop. Events first (a bounded number), then work, then the disk, then the sockets; what
//! is not ready never holds up what is.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use hub::{ConnectionId, Hub, Judgement, Ticket};
use tokio::runtime::Handle;
use tokio::sync::mpsc::{Receiver, UnboundedReceiver};
use tokio::sync::oneshot;

use super::committer::{Committer, Outcome};
use super::desk::{Desk, Ended, Event, Pending};
use super::gauges::Gauges;
use super::lines::Lines;
use super::outbox::{Goodbye, Outbox, Pool};
use super::resting::Resting;
use crate::edge::{OsEntropy, now};
use crate::faults::{Faults, KillPoint};
use crate::judge::Judge;
use crate::limits;
use crate::record::Record;

/// How long a kill point lets frames leave before the end, in milliseconds.
const LEAVING_MS: u64 = 300;
/// The longest wait without looking at the clock.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// The threads the driver gives orders to.
pub(super) struct Crew {
    pub(super) committer: Committer,
    pub(super) judge: Judge,
}

/// What they bring back.
pub(super) struct Ends {
    pub(super) committed: UnboundedReceiver<Outcome>,
    pub(super) judged: UnboundedReceiver<Box<Judgement>>,
}

pub(super) struct State {
    hub: Hub,
    record: Record,
    crew: Crew,
    faults: Faults,
    gauges: Arc<Gauges>,
    pool: Arc<Pool>,
    connections: BTreeMap<ConnectionId, Outbox>,
    lines: Lines,
    pending: BTreeMap<Ticket, Ended>,
    in_flight: bool,
    /// Since when a case is being judged.
    judging: Option<Instant>,
    resting: Resting,
    more_work: bool,
}

enum Woken {
    Event(Event),
    Committed(Outcome),
    Judged(Box<Judgement>),
    Time,
    Stop,
}

impl State {
    pub(super) fn new(
        hub: Hub,
        record: Record,
        crew: Crew,
        faults: Faults,
        gauges: Arc<Gauges>,
        pool: Arc<Pool>,
    ) -> Self {
        Self {
            hub,
            record,
            crew,
            faults,
            gauges,
            pool,
            connections: BTreeMap::new(),
            lines: Lines::default(),
            pending: BTreeMap::new(),
            in_flight: false,
            judging: None,
            resting: Resting::default(),
            more_work: true,
        }
    }
}

pub(super) fn run(
    mut state: State,
    mut events: Receiver<Event>,
    mut ends: Ends,
    mut stopped: oneshot::Receiver<()>,
    runtime: &Handle,
) -> Result<(), String> {
    state.gauges.running.store(true, Ordering::Release);
    let pool = Arc::clone(&state.pool);
    loop {
        let wait = state.longest_wait();
        let woken = runtime.block_on(async {
            tokio::select! {
                biased;
                _ = &mut stopped => Woken::Stop,
                Some(outcome) = ends.committed.recv() => Woken::Committed(outcome),
                Some(judgement) = ends.judged.recv() => Woken::Judged(judgement),
                Some(event) = events.recv() => Woken::Event(event),
                () = pool.room.notified() => Woken::Time,
                () = tokio::time::sleep(wait) => Woken::Time,
            }
        });
        match woken {
            Woken::Stop => break,
            Woken::Committed(outcome) => state.committed(outcome),
            Woken::Judged(judgement) => state.judged(*judgement),
            Woken::Event(event) => state.take(event),
            Woken::Time => {}
        }
        for _ in 1..limits::EVENTS_IN_A_ROW {
            if let Ok(outcome) = ends.committed.try_recv() {
                state.committed(outcome);
            }
            match events.try_recv() {
                Ok(event) => state.take(event),
                Err(_) => break,
            }
        }
        state.turn();
    }
    state.gauges.running.store(false, Ordering::Release);
    state.stop(&mut ends.committed)
}

impl State {
    /// How long the loop may sleep if nothing comes.
    fn longest_wait(&self) -> Duration {
        if self.more_work {
            return Duration::ZERO;
        }
        let rested = self.resting.left(Instant::now()).unwrap_or(LONGEST_WAIT);
        let hub = self.hub.poll_timeout().map_or(LONGEST_WAIT, |(at, _)| {
            Duration::from_millis(u64::try_from(at.since_ms(now())).unwrap_or(0))
        });
        LONGEST_WAIT.min(rested).min(hub)
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Connect { outbox, reply } => {
                let connection = self.hub.connect(now(), &mut OsEntropy);
                self.connections.insert(connection, outbox);
                if reply.send(connection).is_err() {
                    self.forget(connection);
                }
            }
            Event::ConnectClinic { clinic, outbox, reply } => {
                let connection = self.lines.open(&mut self.hub, &self.record, clinic);
                if let Some(connection) = connection {
                    self.connections.insert(connection, outbox);
                }
                if reply.send(connection).is_err()
                    && let Some(connection) = connection
                {
                    self.forget(connection);
                }
            }
            Event::Frame(connection, frame) => {
                if self.connections.contains_key(&connection)
                    && !self.lines.take(&mut self.hub, &self.record, connection, &frame)
                {
                    self.hub.handle_frame(now(), &mut OsEntropy, &self.record, connection, &frame);
                }
            }
            Event::Heard(connection) => self.hub.heard(now(), connection),
            Event::Disconnect(connection) => self.forget(connection),
            Event::Work(work) => {
                let mut desk =
                    Desk { hub: &mut self.hub, reader: &self.record, now: now(), entropy: &mut OsEntropy };
                if let Some(Pending { ticket, ended }) = work(&mut desk) {
                    self.pending.insert(ticket, ended);
                }
            }
        }
    }

    fn forget(&mut self, connection: ConnectionId) {
        if self.connections.remove(&connection).is_some() {
            self.lines.closed(&mut self.hub, connection);
            self.hub.disconnect(connection);
        }
    }

    fn committed(&mut self, outcome: Outcome) {
        self.in_flight = false;
        let took = u64::try_from(outcome.took.as_micros()).unwrap_or(u64::MAX);
        self.gauges.commit_us.fetch_add(took, Ordering::Relaxed);
        self.gauges.commit_max_us.fetch_max(took, Ordering::Relaxed);
        match outcome.result {
            Ok(first_seq) => {
                self.gauges.commits.fetch_add(1, Ordering::Relaxed);
                self.faults.pass(KillPoint::AfterCommitBeforeReceipt);
                self.hub.committed(&self.record, first_seq);
                self.after_receipt();
            }
            Err(error) => {
                self.gauges.commit_failures.fetch_add(1, Ordering::Relaxed);
                self.gauges.latched.store(true, Ordering::Release);
                tracing::error!(reason = %error, "a commit failed: the record is read only until restart");
                self.hub.commit_failed(&error.to_string());
            }
        }
        self.more_work = true;
    }

    /// Lets a kill point that waits for receipts see them leave first.
    fn after_receipt(&mut self) {
        if !self.faults.watches(KillPoint::AfterReceiptBeforeVerdict) || !self.transmit() {
            return;
        }
        std::thread::sleep(Duration::from_millis(LEAVING_MS));
        self.faults.pass(KillPoint::AfterReceiptBeforeVerdict);
    }

    /// A record that latched without a commit that failed (its index broke while it was read, or beside the
    /// last commit) takes no more either; nobody is left waiting for it.
    fn notice_latch(&mut self) {
        if self.record.is_latched() && !self.gauges.latched.swap(true, Ordering::AcqRel) {
            tracing::error!("the record cannot be used any more: it is read only until restart");
            self.hub.commit_failed("the record cannot be written until the server is started again");
        }
    }

    /// One turn of everything but events.
    fn turn(&mut self) {
        if self.hub.poll_timeout().is_some_and(|(at, _)| at <= now()) {
            self.hub.handle_timeout(now(), &mut OsEntropy, &self.record);
        }
        // What waits for the disk goes there before the hub thinks, so that both work at once.
        self.order_commit();
        self.order_judgement();
        self.more_work = self.derive();
        self.order_commit();
        let kept = self.hub.poll_keep();
        if !kept.is_empty() {
            self.crew.committer.keep(kept);
        }
        if !self.in_flight {
            self.notice_latch();
        }
        // Sessions that were drained may have more to say at once.
        self.more_work |= self.transmit();
        self.close_finished();
        self.report_done();
    }

    fn order_commit(&mut self) {
        if self.in_flight {
            return;
        }
        if let Some(batch) = self.hub.poll_commit() {
            if self.crew.committer.commit(batch) {
                self.in_flight = true;
            } else {
                self.gauges.latched.store(true, Ordering::Release);
                self.hub.commit_failed("the thread that writes the record has died");
            }
        }
    }

    /// Hands the next case to the judge, if none is there. One that never ends would hold back every
    /// verdict for ever: then the process ends itself, and the next one tries the case apart.
    fn order_judgement(&mut self) {
        if let Some(since) = self.judging {
            if since.elapsed() > limits::JUDGING_TIME {
                tracing::error!("a judgement does not end: the server ends itself and must be started again");
                std::process::abort();
            }
            return;
        }
        let at = Instant::now();
        if let Some(case) = self.hub.next_case(&self.record, &|document| self.resting.rests(document, at)) {
            if self.crew.judge.take(case) {
                self.judging = Some(at);
            } else {
                self.gauges.latched.store(true, Ordering::Release);
                self.hub.commit_failed("the thread that judges work has died");
            }
        }
    }

    fn judged(&mut self, judgement: Judgement) {
        let took = self.judging.take().map(|since| since.elapsed()).unwrap_or_default();
        self.resting.judged(judgement.document(), took, Instant::now());
        self.hub.take_judgement(&mut OsEntropy, &self.record, judgement);
        self.more_work = true;
    }

    /// Reports and the feed, for a bounded time: sockets wait meanwhile. Says whether more waits.
    fn derive(&mut self) -> bool {
        let until = Instant::now() + limits::WORK_TIME;
        for _ in 1..limits::WORK_STEPS {
            if !self.hub.derive(&mut OsEntropy, &self.record, 1) {
                return false;
            }
            if Instant::now() >= until {
                return true;
            }
        }
        self.hub.derive(&mut OsEntropy, &self.record, 1)
    }

    /// Hands frames to the connections that have room; says whether there were any.
    fn transmit(&mut self) -> bool {
        let mut any = false;
        let Self { hub, connections, lines, .. } = self;
        let mut has_room = |id| connections.get(&id).is_none_or(Outbox::has_room);
        while let Some((id, frame)) = hub.poll_transmit_for(&mut has_room) {
            any = true;
            if let Some(outbox) = connections.get(&id) {
                outbox.send(lines.served(id, frame));
            }
        }
        // What a follower asks is small and bounded by what it was sent.
        while let Some((id, frame)) = lines.next_followed(hub) {
            any = true;
            if let Some(outbox) = connections.get(&id) {
                outbox.send(frame);
            }
        }
        any
    }

    fn close_finished(&mut self) {
        while let Some(connection) = self.hub.poll_closed() {
            self.close(connection);
        }
        for connection in self.lines.over(&self.hub) {
            self.close(connection);
        }
    }

    fn close(&mut self, connection: ConnectionId) {
        if let Some(outbox) = self.connections.remove(&connection) {
            outbox.close(Goodbye::DONE);
            self.lines.closed(&mut self.hub, connection);
            self.hub.disconnect(connection);
        }
    }

    fn report_done(&mut self) {
        while let Some((ticket, result)) = self.hub.poll_done() {
            if let Some(ended) = self.pending.remove(&ticket) {
                ended(result);
            }
        }
    }

    /// Finishes what was promised to the disk, says goodbye and closes the record.
    fn stop(mut self, ends: &mut UnboundedReceiver<Outcome>) -> Result<(), String> {
        self.transmit();
        self.order_commit();
        while self.in_flight {
            match ends.blocking_recv() {
                Some(outcome) => self.committed(outcome),
                None => break,
            }
            self.transmit();
            self.report_done();
            self.order_commit();
        }
        self.hub.shut_down();
        self.transmit();
        for outbox in self.connections.values() {
            outbox.close(Goodbye::RESTART);
        }
        let Self { crew: Crew { committer, judge }, .. } = self;
        // A case in the middle is finished, so that no mark of it is left; its verdict is reached again.
        judge.close();
        committer.close().map_err(|error| format!("the record could not be closed in order: {error}"))
    }
}
