//! Frames, timers and batches brought to the machines, and what they want brought to the world. Order
//! and loss are decided by the wires and the disks, never here.

use std::collections::BTreeSet;

use chart::time::Timestamp;
use hub::ConnectionId;
use tablet::Event;

use crate::clinic;
use crate::machine;
use crate::net::{End, Way, Wire};
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
        let site = machine.site;
        let server = self.servers.get_mut(site).filter(|_| machine.in_reach && machine.wire.is_none());
        let run = server.as_ref().map_or(0, |server| server.run);
        let hub = server.and_then(|server| Some((server.hub.as_mut()?, &mut server.wires)));
        let Some((hub, wires)) = hub else {
            if machine.wire.is_none() {
                app.disconnected(clock, &mut self.dice);
            }
            return self.tend(tablet);
        };
        let connection = hub.connect(Timestamp::from_unix_ms(now), &mut self.dice);
        let wire = self.next_wire;
        self.next_wire += 1;
        self.wires.insert(wire, Wire::new(End::Tablet(tablet), End::Server { site, run, connection }));
        wires.insert(connection, wire);
        machine.wire = Some(wire);
        app.connected(clock, &machine.disk);
        self.trace.line(now, format_args!("tablet {tablet} connected by wire {wire}"));
        self.tend(tablet)?;
        self.tend_server(site)
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
        let (end, open) = known.end(way);
        self.trace.bytes(&frame);
        match end {
            _ if !open => Ok(()),
            End::Server { site, connection, .. } => {
                self.check_thrift(wire, way, &frame)?;
                let Some(server) = self.servers.get_mut(site).filter(|server| server.hub.is_some()) else {
                    return Ok(());
                };
                server.take(now, &mut self.dice, connection, &frame);
                self.framed(wire, &frame);
                self.tend_server(site)
            }
            End::Tablet(tablet) => {
                let Some(machine) = self.tablets.get_mut(tablet) else { return Ok(()) };
                let clock = machine.clock(now);
                let Some(app) = &mut machine.tablet else { return Ok(()) };
                app.handle_frame(clock, &mut self.dice, &machine.disk, &frame).broken(Promise::Quiet)?;
                self.framed(wire, &frame);
                self.tend(tablet)
            }
        }
    }

    fn framed(&mut self, wire: u64, frame: &[u8]) {
        self.tally.frames += 1;
        self.last_frame_at = self.now;
        let line = self.wires.get(&wire).is_some_and(|known| known.near.site().is_some());
        let bare = if line { frame.get(1..).unwrap_or_default() } else { frame };
        if self.options.told
            && let Some(message) = tamper::message(bare)
        {
            let (name, len) = (message.name(), frame.len());
            self.trace.aside(
                self.now,
                format_args!("  wire {wire}: {name} of {len} bytes{}", tamper::inside(&message)),
            );
        }
    }

    /// Whoever gets what goes this way hears that the connection is gone.
    pub(crate) fn hears_the_end(&mut self, wire: u64, way: Way) -> Result<(), Violation> {
        let Some(known) = self.wires.get_mut(&wire) else { return Ok(()) };
        let (end, open) = known.end(way);
        if !open {
            return Ok(());
        }
        known.close(way);
        let now = self.now;
        match end {
            End::Tablet(tablet) => {
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
            End::Server { site, connection, run } => {
                if let Some(server) = self.servers.get_mut(site).filter(|server| server.run == run) {
                    server.lost(connection);
                }
                self.tend_server(site)
            }
        }
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

    pub(crate) fn server_written(&mut self, site: usize, run: u32) -> Result<(), Violation> {
        let Some(server) = self.servers.get_mut(site).filter(|server| server.run == run) else {
            return Ok(());
        };
        if let Some(server::Wish::Restart) = server.written() {
            self.trace.line(self.now, format_args!("the disk of server {site} failed"));
            let wait = self.dice.ms(0, 3_000);
            self.after(wait, Due::ServerFails { site, run });
        }
        self.tend_server(site)
    }

    /// Does what a server wants.
    pub(crate) fn tend_server(&mut self, site: usize) -> Result<(), Violation> {
        let Some(server) = self.servers.get_mut(site) else { return Ok(()) };
        let run = server.run;
        for wish in server.turn(self.now, &mut self.dice) {
            match wish {
                server::Wish::Written(ms) => self.after(ms, Due::ServerWritten { site, run }),
                server::Wish::Judged(ms) => self.after(ms, Due::ServerJudged { site, run }),
                server::Wish::Send(connection, frame) => self.send_from(site, connection, frame)?,
                server::Wish::Close(connection) => self.close_from(site, connection),
                server::Wish::Again(ms) => {
                    let at = self.now + ms;
                    let Some(server) = self.servers.get_mut(site) else { continue };
                    if server.turn_at.is_none_or(|planned| planned > at || planned < self.now) {
                        server.turn_at = Some(at);
                        self.after(ms, Due::ServerTurns { site, run });
                    }
                }
                server::Wish::Restart => {}
            }
        }
        Ok(())
    }

    /// A server ends a connection: the other side hears of it when everything that was sent has arrived.
    fn close_from(&mut self, site: usize, connection: ConnectionId) {
        let server = self.servers.get_mut(site);
        let Some(wire) = server.and_then(|server| server.wires.remove(&connection)) else { return };
        let Some(known) = self.wires.get_mut(&wire) else { return };
        let way = known.way_from(site, connection);
        let back = if way == Way::Down { Way::Up } else { Way::Down };
        known.close(back);
        let wait = known.clear_at(way) + 1 - self.now;
        self.after(wait, Due::HearsTheEnd { wire, way });
    }

    fn send_from(&mut self, site: usize, connection: ConnectionId, frame: Vec<u8>) -> Result<(), Violation> {
        let Some(server) = self.servers.get_mut(site) else { return Ok(()) };
        let Some(wire) = server.wires.get(&connection).copied() else { return Ok(()) };
        let Some(way) = self.wires.get(&wire).map(|known| known.way_from(site, connection)) else {
            return Ok(());
        };
        let frame = self.tampered(wire, way, site, frame)?;
        self.put_on(wire, way, frame);
        Ok(())
    }

    /// A frame of a server as it leaves, with the bug that is planted.
    fn tampered(&mut self, wire: u64, way: Way, site: usize, frame: Vec<u8>) -> Result<Vec<u8>, Violation> {
        let Some(plant) = self.options.plant else { return Ok(frame) };
        let other = self.wires.get(&wire).and_then(|known| known.end(way).0.site());
        match (plant, other) {
            (Plant::EnteredLost, None) => Ok(tamper::without_entered(frame)),
            (Plant::EntrySkipped, Some(_)) => Ok(tamper::on_a_line(frame, tamper::without_entered)),
            (Plant::ForwardedTwice, Some(_)) => {
                let Some(server) = self.servers.get_mut(site) else { return Ok(frame) };
                server.follow_log()?;
                Ok(tamper::on_a_line(frame, |frame| tamper::with_bodies(frame, &server.log)))
            }
            (Plant::JudgedAgain, Some(other)) => {
                let Some(reader) = self.servers.get_mut(other).filter(|reader| reader.hub.is_some()) else {
                    return Ok(frame);
                };
                reader.follow_log()?;
                let key = clinic::site_key(site);
                Ok(tamper::on_a_line(frame, |frame| tamper::judged_again(frame, &key, &reader.log)))
            }
            _ => Ok(frame),
        }
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
        let Some(machine) = self.tablets.get(tablet) else { return };
        let (Some(wire), Some(server)) = (machine.wire, self.servers.get(machine.site)) else { return };
        if self.options.plant == Some(Plant::ForgedReceipt)
            && let Some(receipt) = tamper::receipt_for(&frame, &server.disk)
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
        let Some(machine) = self.tablets.get(tablet) else { return Ok(()) };
        let (site, run) = (machine.site, machine.run);
        let rewound = self.servers.get(site).is_some_and(|server| server.rewound);
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
                    self.after(wait, Due::HearsTheEnd { wire, way: Way::Up });
                    self.hears_the_end(wire, Way::Down)?;
                }
            }
            Event::Online { .. } => {
                let server = self.servers.get(site).filter(|server| server.hub.is_some());
                let stands = server.map(|server| server.run);
                if let Some(machine) = self.tablets.get_mut(tablet) {
                    // A welcome may still be on its way when the server that said it is gone.
                    let wire = machine.wire.and_then(|wire| self.wires.get(&wire));
                    let run = |wire: &Wire| match wire.far {
                        End::Server { run, .. } => Some(run),
                        End::Tablet(_) => None,
                    };
                    machine.welcomed = stands.is_some() && wire.and_then(run) == stands;
                }
            }
            Event::Rewound if !rewound => {
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

    /// A server ends, with its power or without; it comes back after a while.
    pub(crate) fn end_server(&mut self, site: usize, power: bool) {
        let Some(server) = self.servers.get_mut(site) else { return };
        self.trace.line(self.now, format_args!("server {site} ends at entry {}", server.seq()));
        if power {
            server.crash(&mut self.dice);
        } else {
            server.stop();
        }
        let restarting = std::mem::replace(&mut server.restarting, true);
        let at = |end: &End| end.site() == Some(site);
        self.break_wires(|wire| at(&wire.near) || at(&wire.far));
        for wire in self.wires.values_mut() {
            for way in [Way::Up, Way::Down] {
                if at(&wire.end(way).0) {
                    wire.close(way);
                }
            }
        }
        if !restarting {
            let wait = self.dice.ms(100, 15_000);
            self.after(wait, Due::ServerStarts { site });
        }
    }

    pub(crate) fn server_starts(&mut self, site: usize) -> Result<(), Violation> {
        let Some(server) = self.servers.get_mut(site) else { return Ok(()) };
        server.restarting = false;
        if server.hub.is_some() {
            return Ok(());
        }
        let lost_tail = server.start(&mut self.dice)?;
        self.trace.line(self.now, format_args!("server {site} starts at entry {}", server.seq()));
        if lost_tail && !server.rewound {
            return Err(broken(Promise::Durable, "a server's journal lost its tail"));
        }
        server.log.forget();
        self.check_safe_work(site, "after a start of the server")?;
        if !self.log_holds_tablets(site)? {
            // It died before it was told of the clinic: somebody does that again.
            self.found_clinic(site)?;
        }
        self.tend_server(site)
    }

    /// Breaks connections; both sides hear of it in their own time.
    pub(crate) fn break_wires(&mut self, which: impl Fn(&Wire) -> bool) {
        let broken: Vec<u64> = self
            .wires
            .iter()
            .filter(|(_, wire)| (wire.near_open || wire.far_open) && which(wire))
            .map(|(id, _)| *id)
            .collect();
        for wire in broken {
            if let Some(known) = self.wires.get_mut(&wire) {
                known.cut(&mut self.dice);
            }
            let (mine, theirs) = (self.dice.ms(1, 4_000), self.dice.ms(1, 8_000));
            self.after(mine, Due::HearsTheEnd { wire, way: Way::Down });
            self.after(theirs, Due::HearsTheEnd { wire, way: Way::Up });
        }
        let over: BTreeSet<u64> = self
            .wires
            .iter()
            .filter(|(_, wire)| !wire.near_open && !wire.far_open)
            .map(|(id, _)| *id)
            .collect();
        self.wires.retain(|id, _| !over.contains(id));
    }
}
