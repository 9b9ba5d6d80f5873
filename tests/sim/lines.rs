//! Lines between clinics. A server's side: one connection carries both directions, and a frame's first byte
//! says which end of its sender speaks, as between real servers. The world's side: calling, pings, ends.

use chart::ids::ClinicId;
use chart::time::Timestamp;
use hub::{ConnectionId, Hub};

use crate::clinic;
use crate::dice::Dice;
use crate::net::{End, Way, Wire};
use crate::server::{Server, Wish};
use crate::violation::Violation;
use crate::world::{Due, World};

/// The sender's serving end speaks.
pub(crate) const FROM_SERVER: u8 = 0;
/// The sender's following end speaks.
const FROM_FOLLOWER: u8 = 1;
/// How often each side of a line shows that it is there, in milliseconds.
const PING_EVERY_MS: i64 = 20_000;

impl Server {
    /// Opens its end of a line.
    pub(crate) fn open_line(&mut self, now: i64, dice: &mut Dice, other: ClinicId) -> Option<ConnectionId> {
        let hub = self.hub.as_mut()?;
        let now = Timestamp::from_unix_ms(now);
        let connection = hub.connect(now, dice);
        if hub.follow(now, &self.disk, other, connection).is_err() {
            hub.disconnect(connection);
            return None;
        }
        self.lines.insert(connection, other);
        Some(connection)
    }

    /// A connection is gone.
    pub(crate) fn lost(&mut self, connection: ConnectionId) {
        let was_open = self.wires.remove(&connection).is_some();
        let line = self.lines.remove(&connection);
        let Some(hub) = &mut self.hub else { return };
        if let Some(clinic) = line {
            hub.follow_lost(clinic, connection);
        }
        if was_open || line.is_some() {
            hub.disconnect(connection);
        }
    }

    /// Takes a frame that arrived.
    pub(crate) fn take(&mut self, now: i64, dice: &mut Dice, connection: ConnectionId, frame: &[u8]) {
        let Some(hub) = &mut self.hub else { return };
        let now = Timestamp::from_unix_ms(now);
        let Some(clinic) = self.lines.get(&connection).copied() else {
            return hub.handle_frame(now, dice, &self.disk, connection, frame);
        };
        match frame.split_first() {
            Some((&FROM_SERVER, frame)) => hub.handle_followed(now, dice, &self.disk, clinic, frame),
            Some((&FROM_FOLLOWER, frame)) => hub.handle_frame(now, dice, &self.disk, connection, frame),
            _ => {}
        }
    }

    /// Frames and ends of connections that the hub has ready.
    pub(crate) fn speak(&mut self, wishes: &mut Vec<Wish>) {
        let Some(hub) = &mut self.hub else { return };
        while let Some((connection, frame)) = hub.poll_transmit() {
            let line = self.lines.contains_key(&connection);
            let frame = if line { tagged(FROM_SERVER, &frame) } else { frame };
            wishes.push(Wish::Send(connection, frame));
        }
        while let Some((clinic, frame)) = hub.poll_follow() {
            // The newest line to a clinic is the one that is followed.
            let newest = self.lines.iter().rev().find(|(_, other)| **other == clinic);
            if let Some((connection, _)) = newest {
                wishes.push(Wish::Send(*connection, tagged(FROM_FOLLOWER, &frame)));
            }
        }
        while let Some(connection) = hub.poll_closed() {
            if let Some(clinic) = self.lines.remove(&connection) {
                hub.follow_lost(clinic, connection);
            }
            wishes.push(Wish::Close(connection));
        }
        let over = |(connection, clinic): (&ConnectionId, &ClinicId)| {
            (!hub.is_following_beside(*clinic, *connection)).then_some(*connection)
        };
        let over: Vec<ConnectionId> = self.lines.iter().filter_map(over).collect();
        for connection in over {
            self.lines.remove(&connection);
            hub.disconnect(connection);
            wishes.push(Wish::Close(connection));
        }
    }

    /// Whether a line to a clinic is open, and both sides proved who they are.
    pub(crate) fn is_connected(&mut self, other: usize) -> bool {
        let Some(hub) = &mut self.hub else { return false };
        hub.sites(&self.disk).iter().any(|site| site.clinic == clinic::clinic(other) && site.connected)
    }
}

fn tagged(tag: u8, frame: &[u8]) -> Vec<u8> {
    let mut bytes = vec![tag];
    bytes.extend_from_slice(frame);
    bytes
}

impl World {
    /// A clinic calls another one it is paired with, unless a line stands.
    pub(crate) fn call(&mut self, pair: usize) -> Result<(), Violation> {
        let again = self.dice.ms(300, 6_000);
        self.after(again, Due::Call { pair });
        let Some((one, other)) = self.cast.pairs.get(pair).copied() else { return Ok(()) };
        let severed = self.severed.get(&pair).is_some_and(|until| *until > self.now);
        let stands = self.wires.values().any(|wire| wire.near_open && wire.joins((one, other)));
        let is_up = |site: usize| self.servers.get(site).is_some_and(|server| server.hub.is_some());
        if severed || stands || !is_up(one) || !is_up(other) {
            return Ok(());
        }
        let (Some(near), Some(far)) = (self.open_end(one, other), self.open_end(other, one)) else {
            return Ok(());
        };
        let wire = self.next_wire;
        self.next_wire += 1;
        for end in [near, far] {
            if let End::Server { site, connection, .. } = end
                && let Some(server) = self.servers.get_mut(site)
            {
                server.wires.insert(connection, wire);
            }
        }
        self.wires.insert(wire, Wire::new(near, far));
        self.trace.line(self.now, format_args!("clinic {one} called clinic {other} by wire {wire}"));
        self.after(PING_EVERY_MS, Due::Ping { wire });
        self.tend_server(one)?;
        self.tend_server(other)
    }

    fn open_end(&mut self, site: usize, other: usize) -> Option<End> {
        let server = self.servers.get_mut(site)?;
        let connection = server.open_line(self.now, &mut self.dice, clinic::clinic(other))?;
        Some(End::Server { site, run: server.run, connection })
    }

    /// Both sides of a line show that they are there, if that arrives.
    pub(crate) fn ping(&mut self, wire: u64) -> Result<(), Violation> {
        let Some(known) = self.wires.get(&wire) else { return Ok(()) };
        if known.is_whole(self.now) {
            let at = Timestamp::from_unix_ms(self.now);
            for way in [Way::Up, Way::Down] {
                let (End::Server { site, connection, .. }, _) = known.end(way) else { continue };
                let hub = self.servers.get_mut(site).and_then(|server| server.hub.as_mut());
                hub.into_iter().for_each(|hub: &mut Hub| hub.heard(at, connection));
            }
        }
        self.after(PING_EVERY_MS, Due::Ping { wire });
        Ok(())
    }

    /// Nobody reaches anybody between two clinics for a while.
    pub(crate) fn sever(&mut self) {
        let pair = self.dice.place(self.cast.pairs.len());
        let Some(ends) = self.cast.pairs.get(pair).copied() else { return };
        let until = self.now + self.dice.ms(2_000, 60_000);
        self.severed.insert(pair, until);
        self.break_wires(|wire| wire.joins(ends));
    }

    /// Two clinics reach each other again.
    pub(crate) fn mend(&mut self) {
        let pair = self.dice.place(self.cast.pairs.len());
        self.severed.remove(&pair);
    }

    /// A line breaks; it is called again soon.
    pub(crate) fn cut_line(&mut self) {
        if let Some(ends) = self.dice.pick(&self.cast.pairs).copied() {
            self.break_wires(|wire| wire.joins(ends));
        }
    }

    /// Nothing arrives over a line for a while, and nobody is told.
    pub(crate) fn stall_line(&mut self) {
        let Some(ends) = self.dice.pick(&self.cast.pairs).copied() else { return };
        let until = self.now + self.dice.ms(500, 40_000);
        for wire in self.wires.values_mut().filter(|wire| wire.joins(ends)) {
            wire.stalled_until = until;
        }
    }
}
