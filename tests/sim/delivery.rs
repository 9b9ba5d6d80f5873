//! Frames, timers and batches brought to the machines, and what they want brought to the world. Order
//! and loss are decided by the wires and the disks, never here.

use std::collections::BTreeSet;

use chart::time::Timestamp;
use hub::ConnectionId;
use tablet::Event;

use crate::clinic;
use crate::machine;
use crate::net::{Way, Wire};
use crate::plant::Plant;
use crate::server;
use crate::tamper;
use crate::violation::{Broken, Promise, Violation, broken};
use crate::world::{Due, World};

impl World {
    pub(crate) fn connect(&mut self, tablet: usize, run: u32) -> Result<(), Violation> {
        let now = self.now;
        let Some(machine) = self.tablets.get_mut(tablet).filter(|machine| machine.run == run) else {
            return Ok(());
        };
        let clock = machine.clock(now);
        let Some(app) = &mut machine.tablet else { return Ok(()) };
        let hub = self.server.hub.as_mut().filter(|_| machine.in_reach && machine.wire.is_none());
        let Some(hub) = hub else {
            if machine.wire.is_none() {
                app.disconnected(clock, &mut self.dice);
            }
            return self.tend(tablet);
        };
        let connection = hub.connect(Timestamp::from_unix_ms(now), &mut self.dice);
        let wire = self.next_wire;
        self.next_wire += 1;
        self.wires.insert(wire, Wire::new(tablet, self.server.run, connection));
        self.server.wires.insert(connection, wire);
        machine.wire = Some(wire);
        app.connected(clock, &machine.disk);
        self.trace.line(now, format_args!("tablet {tablet} connected by wire {wire}"));
        self.tend(tablet)?;
        self.tend_server()
    }

    pub(crate) fn arrive(&mut self, wire: u64, way: Way) -> Result<(), Violation> {
        let now = self.now;
        let Some(known) = self.wires.get_mut(&wire) else { return Ok(()) };
        if known.stalled_until > now {
            let wait = known.stalled_until - now;
            self.after(wait, Due::Arrive { wire, way });
            return Ok(());
        }
        let Some(frame) = known.arrive(way) else { return Ok(()) };
        let (tablet, connection) = (known.tablet, known.connection);
        self.trace.bytes(&frame);
        match way {
            Way::Up if known.server_open => {
                let Some(hub) = &mut self.server.hub else { return Ok(()) };
                let at = Timestamp::from_unix_ms(now);
                hub.handle_frame(at, &mut self.dice, &self.server.disk, connection, &frame);
                self.framed(wire, &frame);
                self.tend_server()
            }
            Way::Down if known.tablet_open => {
                let Some(machine) = self.tablets.get_mut(tablet) else { return Ok(()) };
                let clock = machine.clock(now);
                let Some(app) = &mut machine.tablet else { return Ok(()) };
                app.handle_frame(clock, &mut self.dice, &machine.disk, &frame).broken(Promise::Quiet)?;
                self.framed(wire, &frame);
                self.tend(tablet)
            }
            Way::Up | Way::Down => Ok(()),
        }
    }

    fn framed(&mut self, wire: u64, frame: &[u8]) {
        self.tally.frames += 1;
        self.last_frame_at = self.now;
        if self.options.told
            && let Ok(message) = sync_protocol::codec::decode(frame)
        {
            let (name, len) = (message.name(), frame.len());
            self.trace.aside(
                self.now,
                format_args!("  wire {wire}: {name} of {len} bytes{}", tamper::inside(&message)),
            );
        }
    }

    pub(crate) fn tablet_hears(&mut self, wire: u64) -> Result<(), Violation> {
        let Some(known) = self.wires.get_mut(&wire).filter(|known| known.tablet_open) else { return Ok(()) };
        known.tablet_open = false;
        let tablet = known.tablet;
        let now = self.now;
        let Some(machine) = self.tablets.get_mut(tablet) else { return Ok(()) };
        if machine.wire != Some(wire) {
            return Ok(());
        }
        machine.wire = None;
        let clock = machine.clock(now);
        if let Some(app) = &mut machine.tablet {
            app.disconnected(clock, &mut self.dice);
        }
        self.tend(tablet)
    }

    pub(crate) fn server_hears(&mut self, wire: u64) -> Result<(), Violation> {
        let Some(known) = self.wires.get_mut(&wire).filter(|known| known.server_open) else { return Ok(()) };
        known.server_open = false;
        let connection = known.connection;
        if self.server.wires.remove(&connection).is_some()
            && let Some(hub) = &mut self.server.hub
        {
            hub.disconnect(connection);
        }
        self.tend_server()
    }

    pub(crate) fn tablet_wakes(&mut self, tablet: usize, run: u32) -> Result<(), Violation> {
        let now = self.now;
        let Some(machine) = self.tablets.get_mut(tablet).filter(|machine| machine.run == run) else {
            return Ok(());
        };
        if machine.wake_at.is_none_or(|at| at > now) {
            return Ok(());
        }
        machine.wake_at = None;
        let clock = machine.clock(now);
        if let Some(app) = &mut machine.tablet {
            app.handle_timeout(clock, &mut self.dice, &machine.disk).broken(Promise::Quiet)?;
        }
        self.tend(tablet)
    }

    pub(crate) fn server_written(&mut self, run: u32) -> Result<(), Violation> {
        if self.server.run != run {
            return Ok(());
        }
        if let Some(server::Wish::Restart) = self.server.written() {
            self.trace.line(self.now, format_args!("the server's disk failed"));
            let wait = self.dice.ms(0, 3_000);
            self.after(wait, Due::ServerFails { run });
        }
        self.tend_server()
    }

    /// Does what the server wants.
    pub(crate) fn tend_server(&mut self) -> Result<(), Violation> {
        let run = self.server.run;
        for wish in self.server.turn(self.now, &mut self.dice) {
            match wish {
                server::Wish::Written(ms) => self.after(ms, Due::ServerWritten { run }),
                server::Wish::Judged(ms) => self.after(ms, Due::ServerJudged { run }),
                server::Wish::Send(connection, frame) => self.send_down(connection, frame),
                server::Wish::Close(connection) => {
                    let Some(wire) = self.server.wires.remove(&connection) else { continue };
                    let Some(known) = self.wires.get_mut(&wire) else { continue };
                    known.server_open = false;
                    let wait = known.clear_at(Way::Down) + 1 - self.now;
                    self.after(wait, Due::TabletHears { wire });
                }
                server::Wish::Again(ms) => {
                    let at = self.now + ms;
                    if self.turn_at.is_none_or(|planned| planned > at || planned < self.now) {
                        self.turn_at = Some(at);
                        self.after(ms, Due::ServerTurns { run });
                    }
                }
                server::Wish::Restart => {}
            }
        }
        Ok(())
    }

    fn send_down(&mut self, connection: ConnectionId, frame: Vec<u8>) {
        let Some(wire) = self.server.wires.get(&connection).copied() else { return };
        let frame = match self.options.plant {
            Some(Plant::EnteredLost) => tamper::without_entered(frame),
            _ => frame,
        };
        self.put_on(wire, Way::Down, frame);
    }

    fn put_on(&mut self, wire: u64, way: Way, frame: Vec<u8>) {
        let Some(known) = self.wires.get_mut(&wire) else { return };
        if let Some(at) = known.send(self.now, &mut self.dice, way, frame) {
            let wait = at - self.now;
            self.after(wait, Due::Arrive { wire, way });
        }
    }

    /// Does what a tablet wants, and looks at what it says.
    pub(crate) fn tend(&mut self, tablet: usize) -> Result<(), Violation> {
        let Some(machine) = self.tablets.get_mut(tablet) else { return Ok(()) };
        let run = machine.run;
        for wish in machine.turn(&mut self.dice) {
            match wish {
                machine::Wish::Written(ms) => self.after(ms, Due::TabletWritten { tablet, run }),
                machine::Wish::Send(frame) => self.send_up(tablet, frame),
                machine::Wish::Tell(event) => self.told(tablet, event)?,
                machine::Wish::Wake(at) => self.plan_wake(tablet, run, at),
            }
        }
        self.believe(tablet)
    }

    fn send_up(&mut self, tablet: usize, frame: Vec<u8>) {
        let Some(wire) = self.tablets.get(tablet).and_then(|machine| machine.wire) else { return };
        if self.options.plant == Some(Plant::ForgedReceipt)
            && let Some(receipt) = tamper::receipt_for(&frame, &self.server.disk)
            && self.dice.chance(1, 3)
        {
            return self.put_on(wire, Way::Down, receipt);
        }
        self.put_on(wire, Way::Up, frame);
    }

    fn plan_wake(&mut self, tablet: usize, run: u32, at: Timestamp) {
        let now = self.now;
        let Some(machine) = self.tablets.get_mut(tablet) else { return };
        let ms = at.since_ms(machine.clock(now)).max(1);
        let at = now.saturating_add(ms);
        if machine.wake_at.is_none_or(|planned| planned > at || planned < now) {
            machine.wake_at = Some(at);
            self.after(ms, Due::TabletWakes { tablet, run });
        }
    }

    fn told(&mut self, tablet: usize, event: Event) -> Result<(), Violation> {
        self.trace.line(self.now, format_args!("tablet {tablet}: {event:?}"));
        let Some(run) = self.tablets.get(tablet).map(|machine| machine.run) else { return Ok(()) };
        match event {
            Event::Saved { ticket, change, .. } => self.model.saved(tablet, run, ticket, change),
            Event::NotSaved { .. } => {
                let wait = self.dice.ms(100, 5_000);
                self.after(wait, Due::TabletReopens { tablet, run });
            }
            Event::Connect => {
                let wait = self.dice.ms(5, 200);
                self.after(wait, Due::Connect { tablet, run });
            }
            Event::Close => {
                let wire = self.tablets.get(tablet).and_then(|machine| machine.wire);
                if let Some(wire) = wire {
                    let clear = self.wires.get(&wire).map_or(0, |known| known.clear_at(Way::Up));
                    let wait = clear + 1 - self.now;
                    self.after(wait, Due::ServerHears { wire });
                    self.tablet_hears(wire)?;
                }
            }
            Event::Online { .. } => {
                let run = self.server.hub.as_ref().map(|_| self.server.run);
                if let Some(machine) = self.tablets.get_mut(tablet) {
                    // A welcome may still be on its way when the server that said it is gone.
                    let wire = machine.wire.and_then(|wire| self.wires.get(&wire));
                    machine.welcomed = wire.is_some_and(|wire| Some(wire.server_run) == run);
                }
            }
            Event::Rewound if !self.rewound => {
                return Err(broken(
                    Promise::Durable,
                    "a tablet found the record rewound, and nobody rewound it",
                ));
            }
            Event::CannotBeShown { sentence, .. } | Event::DraftStuck { sentence, .. } => {
                return Err(broken(Promise::Quiet, format!("tablet {tablet}: {sentence}")));
            }
            Event::Rejected { sentence, .. } | Event::NeedsSupervisor { sentence, .. } if !self.declined => {
                return Err(broken(Promise::Verdicts, format!("honest work was rejected: {sentence}")));
            }
            _ => {}
        }
        Ok(())
    }

    /// The server ends, with its power or without; it comes back after a while.
    pub(crate) fn end_server(&mut self, power: bool) {
        self.trace.line(self.now, format_args!("the server ends at entry {}", self.server.seq()));
        if power {
            self.server.crash(&mut self.dice);
        } else {
            self.server.stop();
        }
        self.break_wires(|_| true);
        for wire in self.wires.values_mut() {
            wire.server_open = false;
        }
        if !self.restarting {
            self.restarting = true;
            let wait = self.dice.ms(100, 15_000);
            self.after(wait, Due::ServerStarts);
        }
    }

    pub(crate) fn server_starts(&mut self) -> Result<(), Violation> {
        self.restarting = false;
        if self.server.hub.is_some() {
            return Ok(());
        }
        let lost_tail = self.server.start(&mut self.dice)?;
        self.trace.line(self.now, format_args!("the server starts at entry {}", self.server.seq()));
        self.turn_at = None;
        if lost_tail && !self.rewound {
            return Err(broken(Promise::Durable, "the server's journal lost its tail"));
        }
        self.log.forget();
        self.check_safe_work("after a start of the server")?;
        if !self.log_holds_tablets()? {
            // It died before it was told of the clinic: somebody does that again.
            for reference in clinic::references(self.tablets.len()) {
                self.server.put(&mut self.dice, reference)?;
            }
        }
        self.tend_server()
    }

    /// Breaks connections; both sides hear of it in their own time.
    pub(crate) fn break_wires(&mut self, which: impl Fn(&Wire) -> bool) {
        let broken: Vec<u64> = self
            .wires
            .iter()
            .filter(|(_, wire)| (wire.tablet_open || wire.server_open) && which(wire))
            .map(|(id, _)| *id)
            .collect();
        for wire in broken {
            if let Some(known) = self.wires.get_mut(&wire) {
                known.cut(&mut self.dice);
            }
            let (mine, theirs) = (self.dice.ms(1, 4_000), self.dice.ms(1, 8_000));
            self.after(mine, Due::TabletHears { wire });
            self.after(theirs, Due::ServerHears { wire });
        }
        let over: BTreeSet<u64> = self
            .wires
            .iter()
            .filter(|(_, wire)| !wire.tablet_open && !wire.server_open)
            .map(|(id, _)| *id)
            .collect();
        self.wires.retain(|id, _| !over.contains(id));
    }
}
