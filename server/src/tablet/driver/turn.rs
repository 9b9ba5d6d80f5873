//! The driver's loop: what came in, then the disk, then the socket, then who waits. Nobody is answered
//! before the disk has taken what they asked for.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use chart::time::Timestamp;
use journal::{JournalStore, RealFiles};
use serde_json::{Value, json};
use store::Store;
use tablet::{Event, Tablet, TabletConfig, Ticket};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::config::{DriverConfig, Observer};
use super::error::{DriverError, OpenError};
use super::fence::EngineFile;
use super::link::{self, Net};
use super::request::{Desk, Request, Saved, ServerChoice, Standing, Told};
use super::wait::{View, Waiter, look};
use crate::edge::{OsEntropy, now};
use crate::tablet::address::ServerAddress;
use crate::tablet::kill::{KillPoint, KillPoints};

/// Frames that wait for the thread; more slow the sender down.
const FRAMES_WAITING: usize = 32;
/// Requests and frames taken before the disk is asked.
const IN_A_ROW: usize = 64;
/// The longest wait without looking at the clock.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// Things a person should know that are remembered.
const TOLD: usize = 100;

/// The socket of a connection.
struct Line {
    number: u64,
    /// Whether it stands; before that nothing is sent.
    open: bool,
    frames: mpsc::UnboundedSender<Vec<u8>>,
}

struct State {
    tablet: Tablet,
    store: JournalStore<RealFiles>,
    kill: KillPoints,
    observer: Option<Observer>,
    offset_ms: i64,
    runtime: Handle,
    net: mpsc::Sender<Net>,
    server: Option<ServerAddress>,
    wants_online: bool,
    line: Option<Line>,
    lines: u64,
    online: bool,
    offline_because: Option<String>,
    last_frame: Instant,
    saved: BTreeMap<Ticket, Saved>,
    answers: Vec<(Option<Ticket>, Told)>,
    waiters: Vec<Waiter>,
    told: VecDeque<Value>,
    stopping: bool,
}

enum Woken {
    Net(Net),
    Request(Option<Request>),
    Time,
}

/// Opens the tablet, says so, and runs it to its end.
pub(super) fn open_and_run(
    config: DriverConfig,
    runtime: &Handle,
    mut inbox: mpsc::UnboundedReceiver<Request>,
    opened: &std::sync::mpsc::Sender<Result<Vec<String>, OpenError>>,
) -> Result<(), String> {
    let (net, mut nets) = mpsc::channel(FRAMES_WAITING);
    let (mut state, sentences) = match open(config, runtime, net) {
        Ok(open) => open,
        Err(error) => {
            let _ = opened.send(Err(error));
            return Ok(());
        }
    };
    state.turn();
    let _ = opened.send(Ok(sentences));
    if state.wants_online {
        state.dial();
    }
    let mut again = None;
    while !state.stopping {
        let wait = state.longest_wait(again);
        let woken = runtime.block_on(async {
            tokio::select! {
                biased;
                Some(net) = nets.recv() => Woken::Net(net),
                request = inbox.recv() => Woken::Request(request),
                () = tokio::time::sleep(wait) => Woken::Time,
            }
        });
        match woken {
            Woken::Net(net) => state.take_net(net),
            Woken::Request(Some(request)) => state.take(request),
            Woken::Request(None) => break,
            Woken::Time => {}
        }
        for _ in 1..IN_A_ROW {
            match nets.try_recv() {
                Ok(net) => state.take_net(net),
                Err(_) => break,
            }
        }
        for _ in 1..IN_A_ROW {
            match inbox.try_recv() {
                Ok(request) => state.take(request),
                Err(_) => break,
            }
        }
        state.turn();
        again = state.look();
    }
    state.close()
}

fn open(
    mut config: DriverConfig,
    runtime: &Handle,
    net: mpsc::Sender<Net>,
) -> Result<(State, Vec<String>), OpenError> {
    config.kill.pass(KillPoint::DuringOpen);
    let failed = |error| OpenError::Files { path: config.log.display().to_string(), error };
    let files = RealFiles::new(&config.log).map_err(failed)?;
    let (store, report) = JournalStore::open(files, journal::Options::default(), &mut OsEntropy)?;
    config.kill.pass(KillPoint::DuringOpen);
    let machine = TabletConfig {
        clinic: config.clinic,
        device: config.device,
        signing_key: config.signing_key,
        disk_key: config.disk_key,
        person: config.person,
        scopes: std::mem::take(&mut config.scopes),
        app: concat!("gaitway-tablet/", env!("CARGO_PKG_VERSION")).to_owned(),
        rulebook: config.rulebook.take(),
    };
    let engine_failed = |error| OpenError::Files { path: config.engine.display().to_string(), error };
    let (fence, end) = EngineFile::open(&config.engine, config.planted).map_err(engine_failed)?;
    let mut tablet = Tablet::open_after(end, machine, &store)?;
    tablet.set_fence(Box::new(fence));
    config.kill.pass(KillPoint::DuringOpen);
    let state = State {
        tablet,
        store,
        kill: config.kill,
        observer: config.observer,
        offset_ms: config.clock_offset_ms,
        runtime: runtime.clone(),
        net,
        wants_online: config.online && config.server.is_some(),
        server: config.server,
        line: None,
        lines: 0,
        online: false,
        offline_because: None,
        last_frame: Instant::now(),
        saved: BTreeMap::new(),
        answers: Vec::new(),
        waiters: Vec::new(),
        told: VecDeque::new(),
        stopping: false,
    };
    Ok((state, report.sentences()))
}

impl State {
    fn now(&self) -> Timestamp {
        now().plus_ms(self.offset_ms)
    }

    fn longest_wait(&self, again: Option<Instant>) -> Duration {
        let machine = self
            .tablet
            .poll_timeout()
            .map(|(at, _)| Duration::from_millis(u64::try_from(at.since_ms(self.now())).unwrap_or(0)));
        let waiters = again.map(|again| again.saturating_duration_since(Instant::now()));
        [machine, waiters].into_iter().flatten().min().unwrap_or(LONGEST_WAIT).min(LONGEST_WAIT)
    }

    fn take(&mut self, request: Request) {
        match request {
            Request::Work { at, work } => {
                let now = at.unwrap_or_else(|| self.now());
                let Self { tablet, store, .. } = self;
                let done = work(&mut Desk { tablet, reader: store, now, entropy: &mut OsEntropy });
                self.answers.extend(done);
            }
            Request::Wait { until, timeout, reply } => {
                let deadline = Instant::now() + timeout;
                self.waiters.push(Waiter { until, deadline, reply });
            }
            Request::Connect(choice) => {
                if let ServerChoice::Other(server) = choice {
                    self.hang_up();
                    self.server = Some(server);
                }
                self.wants_online = self.server.is_some();
                if self.line.is_none() && self.wants_online {
                    self.dial();
                }
            }
            Request::Disconnect => {
                self.wants_online = false;
                self.hang_up();
            }
            Request::Standing(reply) => _ = reply.send(Ok(self.standing())),
            Request::Stop => self.stopping = true,
        }
    }

    fn standing(&self) -> Standing {
        Standing {
            online: self.online,
            wants_online: self.wants_online,
            offline_because: self.offline_because.clone().filter(|_| !self.online),
            clock_offset_ms: self.tablet.clock_offset_ms(),
            told: self.told.iter().cloned().collect(),
        }
    }

    /// Begins a connection.
    fn dial(&mut self) {
        let Some(server) = self.server.clone() else { return };
        self.lines += 1;
        let (frames, outgoing) = mpsc::unbounded_channel();
        self.line = Some(Line { number: self.lines, open: false, frames });
        self.runtime.spawn(link::run(self.lines, server, self.net.clone(), outgoing));
    }

    /// Drops the connection, whichever state it is in.
    fn hang_up(&mut self) {
        if self.line.take().is_some() {
            self.online = false;
            let at = self.now();
            self.tablet.disconnected(at, &mut OsEntropy);
        }
    }

    fn take_net(&mut self, net: Net) {
        let number = match &net {
            Net::Opened(number) | Net::Frame(number, _) | Net::Closed(number, _) => *number,
        };
        let at = self.now();
        let Some(line) = self.line.as_mut().filter(|line| line.number == number) else { return };
        match net {
            Net::Opened(_) => {
                line.open = true;
                self.last_frame = Instant::now();
                self.tablet.connected(at, &self.store);
            }
            Net::Frame(_, frame) => {
                self.last_frame = Instant::now();
                if let Err(error) = self.tablet.handle_frame(at, &mut OsEntropy, &self.store, &frame) {
                    self.hang_up();
                    self.offline_because = Some(error.to_string());
                }
            }
            Net::Closed(_, why) => {
                self.hang_up();
                self.offline_because = Some(why);
            }
        }
    }

    /// Time, disk, socket and news, until nothing more comes of it; then the answers.
    fn turn(&mut self) {
        let at = self.now();
        if self.tablet.poll_timeout().is_some_and(|(due, _)| due <= at)
            && let Err(error) = self.tablet.handle_timeout(at, &mut OsEntropy, &self.store)
        {
            self.remember(json!({ "event": "trouble", "sentence": error.to_string() }));
        }
        loop {
            let wrote = self.write();
            let sent = self.send();
            let heard = self.hear();
            if !(wrote || sent || heard) {
                break;
            }
        }
        let keeps = self.tablet.poll_keep(&mut OsEntropy);
        if !keeps.is_empty() {
            // Losing them costs only time.
            let _ = self.store.keep(&keeps);
        }
        self.answer();
    }

    fn write(&mut self) -> bool {
        let mut wrote = false;
        while let Some(batch) = self.tablet.poll_commit(&mut OsEntropy) {
            self.kill.pass(KillPoint::BeforeCommit);
            match self.store.commit(&batch) {
                Ok(first) => {
                    self.kill.pass(KillPoint::AfterCommit);
                    let at = self.now();
                    self.tablet.committed(at, first, &self.store);
                }
                Err(error) => self.tablet.commit_failed(&error.to_string()),
            }
            wrote = true;
        }
        wrote
    }

    fn send(&mut self) -> bool {
        let Some(line) = self.line.as_ref().filter(|line| line.open) else { return false };
        let mut sent = false;
        while let Some(frame) = self.tablet.poll_transmit() {
            let _ = line.frames.send(frame);
            self.last_frame = Instant::now();
            sent = true;
        }
        sent
    }

    fn hear(&mut self) -> bool {
        let mut heard = false;
        while let Some(event) = self.tablet.poll_event() {
            heard = true;
            if let Some(observer) = &mut self.observer {
                observer(&event);
            }
            self.take_event(event);
        }
        heard
    }

    fn take_event(&mut self, event: Event) {
        let mut note = |name: &str, document: Option<chart::ids::DocumentId>, sentence: String| {
            let told = json!({ "event": name, "document": document, "sentence": sentence });
            if self.told.len() >= TOLD {
                self.told.pop_front();
            }
            self.told.push_back(told);
        };
        match event {
            Event::Saved { ticket, document, heads, change } => {
                self.saved.insert(ticket, Saved { document, heads, change });
            }
            Event::Held { document, sentence } => note("held", Some(document), sentence),
            Event::Rejected { document, sentence } => note("rejected", Some(document), sentence),
            Event::SignAgain { document, person } => {
                note("sign_again", Some(document), format!("the signature of {person} must be given again"));
            }
            Event::NeedsSupervisor { document, sentence } => {
                note("needs_supervisor", Some(document), sentence)
            }
            Event::DraftStuck { document, sentence } => note("draft_stuck", Some(document), sentence),
            Event::CannotBeShown { document, sentence } => note("cannot_be_shown", Some(document), sentence),
            Event::NotSaved { sentence, .. } => note("not_saved", None, sentence),
            Event::Rewound => {
                note(
                    "rewound",
                    None,
                    "the clinic's record was rewound; everything is offered again".to_owned(),
                );
            }
            Event::Revoked { sentence } => {
                note("revoked", None, sentence);
                self.wants_online = false;
            }
            Event::Online { .. } => {
                self.online = true;
                self.offline_because = None;
            }
            Event::Offline { sentence, .. } => {
                self.online = false;
                self.offline_because.get_or_insert(sentence);
            }
            Event::Connect => {
                if self.wants_online && self.line.is_none() {
                    self.dial();
                }
            }
            Event::Close => {
                self.send();
                self.hang_up();
            }
            Event::Changed { .. } | Event::ReferenceChanged | Event::ReportPublished { .. } => {}
        }
    }

    fn remember(&mut self, told: Value) {
        if self.told.len() >= TOLD {
            self.told.pop_front();
        }
        self.told.push_back(told);
    }

    /// Answers everybody whose work was taken: the disk has it, or never will.
    fn answer(&mut self) {
        let failure = self.tablet.commit_failure().map(str::to_owned);
        for (ticket, told) in std::mem::take(&mut self.answers) {
            let saved = ticket.and_then(|ticket| self.saved.remove(&ticket));
            let is_missing = ticket.is_some() && saved.is_none();
            match (&failure, is_missing) {
                (None, false) => told(Ok(saved)),
                (Some(sentence), _) => told(Err(DriverError::NotSaved(sentence.clone()))),
                (None, true) => told(Err(DriverError::NotSaved("the disk did not say so".to_owned()))),
            }
        }
        self.saved.clear();
    }

    fn look(&mut self) -> Option<Instant> {
        let view = View { tablet: &self.tablet, online: self.online, last_frame: self.last_frame };
        look(&mut self.waiters, &view)
    }

    fn close(mut self) -> Result<(), String> {
        self.turn();
        self.wants_online = false;
        self.hang_up();
        // Receipts wait a while for company before they are written; nothing comes any more.
        let at = self.now().plus_ms(tablet::limits::LAZY_MS);
        if let Err(error) = self.tablet.handle_timeout(at, &mut OsEntropy, &self.store) {
            return Err(error.to_string());
        }
        self.turn();
        match self.tablet.commit_failure() {
            Some(sentence) => Err(format!("not everything could be saved: {sentence}")),
            None => self.store.close().map_err(|error| error.to_string()),
        }
    }
}
