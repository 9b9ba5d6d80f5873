//! A world: one clock, one source of chance, one queue of what is to happen, the machines. Everything
//! that happens follows from the seed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use chart::ids::PersonId;
use compliance::Rulebook;

use crate::clinic::{self, DAWN, TABLETS};
use crate::dice::Dice;
use crate::log::Log;
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
    TabletHears { wire: u64 },
    ServerHears { wire: u64 },
    TabletWritten { tablet: usize, run: u32 },
    TabletWakes { tablet: usize, run: u32 },
    TabletStarts { tablet: usize },
    TabletReopens { tablet: usize, run: u32 },
    Keystroke { tablet: usize, run: u32 },
    InReach { tablet: usize },
    ServerWritten { run: u32 },
    ServerJudged { run: u32 },
    ServerTurns { run: u32 },
    ServerStarts,
    ServerFails { run: u32 },
}

/// What a run is made of.
#[derive(Clone, Copy, Debug)]
pub struct Options {
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
}

/// A world.
pub struct World {
    pub(crate) options: Options,
    pub(crate) dice: Dice,
    pub(crate) now: i64,
    queue: BTreeMap<(i64, u64, u64), Due>,
    queued: u64,
    pub(crate) server: Server,
    pub(crate) tablets: Vec<Machine>,
    pub(crate) wires: BTreeMap<u64, Wire>,
    pub(crate) next_wire: u64,
    pub(crate) model: Model,
    pub(crate) log: Log,
    pub(crate) trace: Trace,
    pub(crate) tally: Tally,
    /// Steps to come.
    pub(crate) steps: u32,
    /// Whether faults still happen.
    pub(crate) stormy: bool,
    /// Whether the server was ever put back to an older state.
    pub(crate) rewound: bool,
    pub(crate) settings: u64,
    /// Whether a supervisor ever had work made again.
    pub(crate) declined: bool,
    /// Who may not write notes at the moment.
    pub(crate) at_the_desk: BTreeSet<PersonId>,
    pub(crate) last_frame_at: i64,
    pub(crate) turn_at: Option<i64>,
    pub(crate) restarting: bool,
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
        let count = 3 + dice.place(2);
        let resident = [1, 2, 8].get(dice.place(3)).copied().unwrap_or(8);
        let server = Server::new(book.clone(), resident, options.plant);
        let people = TABLETS.into_iter().take(count).enumerate();
        let tablets = people.map(|(index, person)| Machine::new(index, person, book.clone(), options.plant));
        let tablets = tablets.collect();
        let steps = 30 + u32::try_from(dice.below(50)).unwrap_or(0);
        let mut world = Self {
            options,
            dice,
            now: DAWN,
            queue: BTreeMap::new(),
            queued: 0,
            server,
            tablets,
            wires: BTreeMap::new(),
            next_wire: 1,
            model: Model::default(),
            log: Log::new(clinic::CLINIC_KEY),
            trace: Trace::new(options.told),
            tally: Tally::default(),
            steps,
            stormy: true,
            rewound: false,
            settings: 0,
            declined: false,
            at_the_desk: BTreeSet::new(),
            last_frame_at: DAWN,
            turn_at: None,
            restarting: false,
        };
        world.begin(count)?;
        Ok(world)
    }

    fn begin(&mut self, count: usize) -> Result<(), Violation> {
        self.server.disk.open(&mut self.dice).broken(Promise::Quiet)?;
        self.server.disk.close();
        self.server.start(&mut self.dice)?;
        for reference in clinic::references(count) {
            self.server.put(&mut self.dice, reference)?;
        }
        self.tend_server()?;
        for tablet in 0..count {
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
        let limit = self.now + 2_400_000;
        while self.now < limit {
            let until = self.now + 5_000;
            while self.queue.first_key_value().is_some_and(|((at, _, _), _)| *at <= until) {
                self.happen()?;
            }
            self.now = until;
            if self.server.hub.is_some() {
                self.log.follow(&self.server.disk)?;
            }
            if self.is_settled() {
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
            Due::TabletHears { wire } => self.tablet_hears(wire),
            Due::ServerHears { wire } => self.server_hears(wire),
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
            Due::ServerWritten { run } => self.server_written(run),
            Due::ServerJudged { run } => {
                if self.server.run == run {
                    self.server.judged(&mut self.dice);
                }
                self.tend_server()
            }
            Due::ServerTurns { run } => {
                if self.server.run != run || self.turn_at.is_some_and(|at| at > self.now) {
                    return Ok(());
                }
                self.turn_at = None;
                self.tend_server()
            }
            Due::ServerStarts => self.server_starts(),
            Due::ServerFails { run } => {
                if self.server.run == run && self.server.hub.is_some() {
                    let power = self.dice.chance(1, 2);
                    self.end_server(power);
                }
                Ok(())
            }
        }
    }

    fn step(&mut self) -> Result<(), Violation> {
        if self.steps == 0 {
            self.stormy = false;
            return Ok(());
        }
        self.steps -= 1;
        let transition = Transition::draw(&mut self.dice);
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
        self.server.disk.heal();
        for machine in &mut self.tablets {
            machine.in_reach = true;
            machine.disk.heal();
        }
        for wire in self.wires.values_mut() {
            wire.stalled_until = 0;
        }
        for person in self.at_the_desk.clone() {
            self.change_role(person)?;
        }
        Ok(())
    }
}
