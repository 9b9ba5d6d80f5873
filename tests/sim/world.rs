//! A world: one clock, one source of chance, one queue of what is to happen, the machines. Everything
//! that happens follows from the seed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use chart::ids::DocumentId;
use compliance::Rulebook;

use crate::cast::{Cast, Kind};
use crate::clinic::DAWN;
use crate::dice::Dice;
use crate::machine::Machine;
use crate::net::{Way, Wire};
use crate::plant::Plant;
use crate::reference::Model;
use crate::server::Server;
use crate::trace::Trace;
use crate::transition::Transition;
use crate::violation::{Broken, Promise, Violation, broken};

/// Something that is to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Due {
    Step,
    Connect { tablet: usize, run: u32 },
    Arrive { wire: u64, way: Way },
    HearsTheEnd { wire: u64, way: Way },
    TabletWritten { tablet: usize, run: u32 },
    TabletWakes { tablet: usize, run: u32 },
    TabletStarts { tablet: usize },
    TabletReopens { tablet: usize, run: u32 },
    Keystroke { tablet: usize, run: u32 },
    InReach { tablet: usize },
    ServerWritten { site: usize, run: u32 },
    ServerJudged { site: usize, run: u32 },
    ServerTurns { site: usize, run: u32 },
    ServerStarts { site: usize },
    ServerFails { site: usize, run: u32 },
    Call { pair: usize },
    Ping { wire: u64 },
    Intake { site: usize },
    RightsAreBack,
}

/// What a run is made of.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// What kind of world.
    pub kind: Kind,
    /// The seed.
    pub seed: u64,
    /// A bug to plant.
    pub plant: Option<Plant>,
    /// Whether to keep the lines of the trace.
    pub told: bool,
}

/// What came of a run.
#[derive(Debug)]
pub struct Outcome {
    /// The broken promise, if one was.
    pub violation: Option<Violation>,
    /// The hash of everything that happened.
    pub hash: String,
    /// The lines, if they were asked for.
    pub told: Option<String>,
    /// What was counted.
    pub tally: Tally,
}

/// What was counted in a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Faults injected: crashes, breaks, restores, failed calls.
    pub faults: u64,
    /// Commands and keystrokes given.
    pub deeds: u64,
    /// Frames that arrived.
    pub frames: u64,
    /// Milliseconds that passed in the world.
    pub ms: i64,
    /// Disputes open in the end.
    pub disputes: u64,
    /// Changes held in the end.
    pub kept_back: u64,
    /// Changes that a supervisor rejected, with what built upon them.
    pub rejected: u64,
    /// Notes with such changes in which everything is there once all the same.
    pub made_again: u64,
    /// Notes that several clinics hold alike in the end.
    pub alike: u64,
    /// Pairs of equal reports at different clinics in the end.
    pub reports_alike: u64,
    /// Changes in a clinic's log that came from another one.
    pub imported: u64,
    /// Servers that were put back to an older state.
    pub put_back: u64,
}

impl Tally {
    /// Adds what another run counted.
    pub const fn add(&mut self, other: &Self) {
        self.faults += other.faults;
        self.deeds += other.deeds;
        self.frames += other.frames;
        self.ms += other.ms;
        self.disputes += other.disputes;
        self.kept_back += other.kept_back;
        self.rejected += other.rejected;
        self.made_again += other.made_again;
        self.alike += other.alike;
        self.reports_alike += other.reports_alike;
        self.imported += other.imported;
        self.put_back += other.put_back;
    }
}

/// A world.
pub struct World {
    pub(crate) options: Options,
    pub(crate) dice: Dice,
    pub(crate) now: i64,
    queue: BTreeMap<(i64, u64, u64), Due>,
    queued: u64,
    pub(crate) cast: Cast,
    pub(crate) servers: Vec<Server>,
    pub(crate) tablets: Vec<Machine>,
    pub(crate) wires: BTreeMap<u64, Wire>,
    pub(crate) next_wire: u64,
    /// Pairs of clinics that do not reach each other, and until when.
    pub(crate) severed: BTreeMap<usize, i64>,
    pub(crate) model: Model,
    pub(crate) trace: Trace,
    pub(crate) tally: Tally,
    /// Steps to come.
    pub(crate) steps: u32,
    /// Whether faults still happen.
    pub(crate) stormy: bool,
    /// Notes at clinics that were put back and that are not shared with them any more.
    pub(crate) stranded: BTreeSet<(usize, DocumentId)>,
    /// Whether a supervisor ever had work made again.
    pub(crate) declined: bool,
    pub(crate) last_frame_at: i64,
}

/// The rules of every world: read once.
pub(crate) fn rulebook() -> Result<Rulebook, Violation> {
    static BOOK: OnceLock<Result<Rulebook, String>> = OnceLock::new();
    BOOK.get_or_init(|| Rulebook::builtin().map_err(|error| error.to_string())).clone().broken(Promise::Quiet)
}

/// Runs a world to its end.
pub fn run(options: Options) -> Outcome {
    let mut world = match World::new(options) {
        Ok(world) => world,
        Err(violation) => {
            let (hash, told, tally) = (String::new(), None, Tally::default());
            return Outcome { violation: Some(violation), hash, told, tally };
        }
    };
    let violation = world.live().err();
    if let Some(violation) = &violation {
        world.trace.line(world.now, format_args!("BROKEN {violation}"));
    }
    let tally = Tally { ms: world.now - DAWN, deeds: world.model.deeds.len() as u64, ..world.tally };
    Outcome { violation, hash: world.trace.hash(), told: world.trace.told(), tally }
}

impl World {
    fn new(options: Options) -> Result<Self, Violation> {
        let mut dice = Dice::new(options.seed);
        let book = rulebook()?;
        let cast = match options.kind {
            Kind::Clinic => Cast::one_clinic(&mut dice),
            Kind::Group => Cast::group(&mut dice),
        };
        let resident = [1, 2, 8].get(dice.place(3)).copied().unwrap_or(8);
        let server = |site| Server::new(site, book.clone(), resident, options.plant);
        let servers = (0..cast.sites).map(server).collect();
        let people = cast.tablets.iter().enumerate();
        let tablets = people
            .map(|(index, (site, person))| Machine::new(index, *site, *person, book.clone(), options.plant))
            .collect();
        let (least, more) = if cast.is_group() { (24, 40) } else { (30, 50) };
        let steps = least + u32::try_from(dice.below(more)).unwrap_or(0);
        let mut world = Self {
            options,
            dice,
            now: DAWN,
            queue: BTreeMap::new(),
            queued: 0,
            cast,
            servers,
            tablets,
            wires: BTreeMap::new(),
            next_wire: 1,
            severed: BTreeMap::new(),
            model: Model::default(),
            trace: Trace::new(options.told),
            tally: Tally::default(),
            steps,
            stormy: true,
            stranded: BTreeSet::new(),
            declined: false,
            last_frame_at: DAWN,
        };
        world.begin()?;
        Ok(world)
    }

    fn begin(&mut self) -> Result<(), Violation> {
        for server in &mut self.servers {
            server.disk.open(&mut self.dice).broken(Promise::Quiet)?;
            server.disk.close();
            server.start(&mut self.dice)?;
        }
        for site in 0..self.cast.sites {
            self.found_clinic(site)?;
            self.tend_server(site)?;
            if self.cast.is_group() {
                let at = self.dice.ms(1_000, 8_000);
                self.after(at, Due::Intake { site });
            }
        }
        for pair in 0..self.cast.pairs.len() {
            let at = self.dice.ms(0, 2_000);
            self.after(at, Due::Call { pair });
        }
        for tablet in 0..self.cast.tablets.len() {
            let at = self.dice.ms(0, 2_000);
            self.after(at, Due::TabletStarts { tablet });
        }
        self.after(500, Due::Step);
        Ok(())
    }

    fn live(&mut self) -> Result<(), Violation> {
        while self.stormy {
            self.happen()?;
        }
        self.calm()?;
        let (limit, patience) = (self.now + 2_400_000, self.now + 60_000);
        while self.now < limit {
            let until = self.now + 5_000;
            while self.queue.first_key_value().is_some_and(|((at, _, _), _)| *at <= until) {
                self.happen()?;
            }
            self.now = until;
            for server in self.servers.iter_mut().filter(|server| server.hub.is_some()) {
                server.follow_log()?;
            }
            if self.now > patience {
                self.find_stranded()?;
            }
            if self.is_settled() && self.is_joined() {
                self.find_stranded()?;
                return self.check_everything();
            }
        }
        Err(broken(Promise::Liveness, self.why_unsettled()))
    }

    /// Plans something.
    pub(crate) fn after(&mut self, ms: i64, due: Due) {
        self.queued += 1;
        let tie = self.dice.roll();
        self.queue.insert((self.now.saturating_add(ms.max(0)), tie, self.queued), due);
    }

    fn happen(&mut self) -> Result<(), Violation> {
        let Some(((at, _, _), due)) = self.queue.pop_first() else {
            return Err(broken(Promise::Liveness, "nothing is planned any more"));
        };
        self.now = self.now.max(at);
        match due {
            Due::Step => self.step(),
            Due::Connect { tablet, run } => self.connect(tablet, run),
            Due::Arrive { wire, way } => self.arrive(wire, way),
            Due::HearsTheEnd { wire, way } => self.hears_the_end(wire, way),
            Due::TabletWritten { tablet, run } => {
                let now = self.now;
                self.with(tablet, run, |machine, _| machine.written(now))
            }
            Due::TabletWakes { tablet, run } => self.tablet_wakes(tablet, run),
            Due::TabletStarts { tablet } => self.tablet_starts(tablet),
            Due::TabletReopens { tablet, run } => {
                if let Some(machine) = self.tablets.get_mut(tablet).filter(|machine| machine.run == run) {
                    machine.reopen(&mut self.dice)?;
                }
                self.tend(tablet)
            }
            Due::Keystroke { tablet, run } => self.keystroke(tablet, run),
            Due::InReach { tablet } => {
                if let Some(machine) = self.tablets.get_mut(tablet) {
                    machine.in_reach = true;
                }
                Ok(())
            }
            Due::ServerWritten { site, run } => self.server_written(site, run),
            Due::ServerJudged { site, run } => {
                if let Some(server) = self.servers.get_mut(site).filter(|server| server.run == run) {
                    server.judged(&mut self.dice);
                }
                self.tend_server(site)
            }
            Due::ServerTurns { site, run } => self.server_turns(site, run),
            Due::ServerStarts { site } => self.server_starts(site),
            Due::ServerFails { site, run } => {
                let lives = |server: &&Server| server.run == run && server.hub.is_some();
                if self.servers.get(site).filter(lives).is_some() {
                    let power = self.dice.chance(1, 2);
                    self.end_server(site, power);
                }
                Ok(())
            }
            Due::Call { pair } => self.call(pair),
            Due::Ping { wire } => self.ping(wire),
            Due::Intake { site } => self.intake(site),
            Due::RightsAreBack => self.give_rights_back(),
        }
    }

    fn server_turns(&mut self, site: usize, run: u32) -> Result<(), Violation> {
        let Some(server) = self.servers.get_mut(site) else { return Ok(()) };
        if server.run != run || server.turn_at.is_some_and(|at| at > self.now) {
            return Ok(());
        }
        server.turn_at = None;
        self.tend_server(site)
    }

    fn step(&mut self) -> Result<(), Violation> {
        if self.steps == 0 {
            self.stormy = false;
            return Ok(());
        }
        self.steps -= 1;
        let transition = Transition::draw(&mut self.dice, self.options.kind);
        let tablet = self.dice.place(self.tablets.len());
        self.trace.line(self.now, format_args!("{transition:?} at {tablet}"));
        self.transit(transition, tablet)?;
        let wait = if self.dice.chance(1, 10) { self.dice.ms(1_000, 20_000) } else { self.dice.ms(1, 900) };
        self.after(wait, Due::Step);
        Ok(())
    }

    /// Calls a tablet that is still in this run, and does what follows.
    pub(crate) fn with(
        &mut self,
        tablet: usize,
        run: u32,
        call: impl FnOnce(&mut Machine, &mut Dice),
    ) -> Result<(), Violation> {
        let Some(machine) = self.tablets.get_mut(tablet).filter(|machine| machine.run == run) else {
            return Ok(());
        };
        call(machine, &mut self.dice);
        self.tend(tablet)
    }

    /// Restarts what is down, ends what was injected, lets everybody reach the server.
    fn calm(&mut self) -> Result<(), Violation> {
        self.trace.line(self.now, format_args!("calm"));
        self.severed.clear();
        for server in &self.servers {
            server.disk.heal();
        }
        for machine in &mut self.tablets {
            machine.in_reach = true;
            machine.disk.heal();
        }
        for wire in self.wires.values_mut() {
            wire.stalled_until = 0;
        }
        // Whoever may not write is given the right back: a server that is down is told when it is up again.
        self.give_rights_back()
    }
}
