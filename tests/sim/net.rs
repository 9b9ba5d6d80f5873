//! Connections: frames in order within one, nothing promised between two. A connection can break at any
//! frame, each side hears of it in its own time, and what was on the way beyond the break is lost.

use std::collections::VecDeque;

use hub::ConnectionId;

use crate::dice::Dice;

/// Which way a frame goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Way {
    /// To the server that was called.
    Up,
    /// To whoever called.
    Down,
}

/// One end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// A tablet.
    Tablet(usize),
    /// A server, in which of its runs, and what it calls the connection.
    Server {
        /// Its clinic.
        site: usize,
        /// In which run of it the connection came about.
        run: u32,
        /// What it calls the connection.
        connection: ConnectionId,
    },
}

impl End {
    /// The clinic whose server stands at this end.
    pub(crate) const fn site(&self) -> Option<usize> {
        match self {
            Self::Tablet(_) => None,
            Self::Server { site, .. } => Some(*site),
        }
    }
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
    /// Who called: a tablet, or another clinic's server.
    pub(crate) near: End,
    /// Who was called.
    pub(crate) far: End,
    /// Whether the caller still has it.
    pub(crate) near_open: bool,
    /// Whether the called server still has it.
    pub(crate) far_open: bool,
    /// Nothing arrives before this time.
    pub(crate) stalled_until: i64,
    cut: bool,
    up: Lane,
    down: Lane,
}

impl Wire {
    /// A connection that has just come about.
    pub(crate) fn new(near: End, far: End) -> Self {
        Self {
            near,
            far,
            near_open: true,
            far_open: true,
            stalled_until: 0,
            cut: false,
            up: Lane::default(),
            down: Lane::default(),
        }
    }

    /// Whether a tablet called.
    pub(crate) fn is_of(&self, tablet: usize) -> bool {
        self.near == End::Tablet(tablet)
    }

    /// Whether it is a line between these two clinics.
    pub(crate) fn joins(&self, (one, other): (usize, usize)) -> bool {
        self.near.site() == Some(one) && self.far.site() == Some(other)
    }

    /// Who gets what goes this way, and whether they still have the connection.
    pub(crate) const fn end(&self, way: Way) -> (End, bool) {
        match way {
            Way::Up => (self.far, self.far_open),
            Way::Down => (self.near, self.near_open),
        }
    }

    /// Who gets what goes this way has the connection no more.
    pub(crate) const fn close(&mut self, way: Way) {
        match way {
            Way::Up => self.far_open = false,
            Way::Down => self.near_open = false,
        }
    }

    /// The way on which a server's connection sends.
    pub(crate) fn way_from(&self, site: usize, connection: ConnectionId) -> Way {
        match self.far {
            End::Server { site: at, connection: known, .. } if (at, known) == (site, connection) => Way::Down,
            _ => Way::Up,
        }
    }

    /// Whether everything that is sent still may arrive.
    pub(crate) fn is_whole(&self, now: i64) -> bool {
        !self.cut && self.near_open && self.far_open && self.stalled_until <= now
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
        let up = self.up.frames.is_empty() || !self.far_open;
        let down = self.down.frames.is_empty() || !self.near_open;
        up && down
    }
}
