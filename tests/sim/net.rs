//! Connections: frames in order within one, nothing promised between two. A connection can break at any
//! frame, each side hears of it in its own time, and what was on the way beyond the break is lost.

use std::collections::VecDeque;

use hub::ConnectionId;

use crate::dice::Dice;

/// Which way a frame goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Way {
    /// Tablet to server.
    Up,
    /// Server to tablet.
    Down,
}

/// One direction of a connection.
#[derive(Debug, Default)]
struct Lane {
    frames: VecDeque<Vec<u8>>,
    /// When the last frame on the way arrives.
    clear_at: i64,
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Wire {
    /// Which tablet.
    pub(crate) tablet: usize,
    /// In which run of the server it came about.
    pub(crate) server_run: u32,
    /// What the server calls it.
    pub(crate) connection: ConnectionId,
    /// Whether the tablet still has it.
    pub(crate) tablet_open: bool,
    /// Whether the server still has it.
    pub(crate) server_open: bool,
    /// Nothing arrives before this time.
    pub(crate) stalled_until: i64,
    cut: bool,
    up: Lane,
    down: Lane,
}

impl Wire {
    /// A connection that has just come about.
    pub(crate) fn new(tablet: usize, server_run: u32, connection: ConnectionId) -> Self {
        Self {
            tablet,
            server_run,
            connection,
            tablet_open: true,
            server_open: true,
            stalled_until: 0,
            cut: false,
            up: Lane::default(),
            down: Lane::default(),
        }
    }

    fn lane(&mut self, way: Way) -> &mut Lane {
        match way {
            Way::Up => &mut self.up,
            Way::Down => &mut self.down,
        }
    }

    /// Puts a frame on its way; when it arrives, unless it is lost.
    pub(crate) fn send(&mut self, now: i64, dice: &mut Dice, way: Way, frame: Vec<u8>) -> Option<i64> {
        if self.cut {
            return None;
        }
        let slow = if dice.chance(1, 40) { dice.ms(200, 4_000) } else { 0 };
        let at = now.saturating_add(dice.ms(2, 60)).saturating_add(slow);
        let lane = self.lane(way);
        let at = at.max(lane.clear_at);
        lane.clear_at = at;
        lane.frames.push_back(frame);
        Some(at)
    }

    /// The next frame that arrives.
    pub(crate) fn arrive(&mut self, way: Way) -> Option<Vec<u8>> {
        self.lane(way).frames.pop_front()
    }

    /// When everything that is on its way has arrived.
    pub(crate) fn clear_at(&self, way: Way) -> i64 {
        match way {
            Way::Up => self.up.clear_at,
            Way::Down => self.down.clear_at,
        }
    }

    /// Breaks the connection somewhere in what is on its way.
    pub(crate) fn cut(&mut self, dice: &mut Dice) {
        self.cut = true;
        for way in [Way::Up, Way::Down] {
            let lane = self.lane(way);
            let keep = dice.place(lane.frames.len() + 1);
            lane.frames.truncate(keep);
        }
    }

    /// Whether anything is on its way.
    pub(crate) fn is_clear(&self) -> bool {
        let up = self.up.frames.is_empty() || !self.server_open;
        let down = self.down.frames.is_empty() || !self.tablet_open;
        up && down
    }
}
