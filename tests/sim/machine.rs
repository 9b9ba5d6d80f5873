//! A tablet in a world: the real machine on the real journal, driven as its contract says. What it does
//! wrong is planted.

use std::collections::{BTreeMap, BTreeSet};

use chart::ids::{ChangeHash, DocumentId, PersonId};
use chart::time::Timestamp;
use compliance::Rulebook;
use journal::SimDisk;
use store::Batch;
use tablet::{Event, Tablet};

use crate::clinic;
use crate::dice::Dice;
use crate::disk::Disk;
use crate::plant::Plant;
use crate::violation::{Broken, Promise, Violation};

struct Flight {
    batch: Batch,
    early: Option<Result<u64, String>>,
}

/// What a tablet wants of its world after a turn.
#[derive(Debug)]
pub(crate) enum Wish {
    /// A batch is on its way: tell of its end after so many milliseconds.
    Written(i64),
    /// A frame to the server.
    Send(Vec<u8>),
    /// Something happened.
    Tell(Event),
    /// The next timer, by the tablet's own clock.
    Wake(Timestamp),
}

/// Somebody typing.
#[derive(Clone, Debug)]
pub(crate) struct Burst {
    /// Where.
    pub(crate) document: DocumentId,
    /// In which text.
    pub(crate) field: &'static str,
    /// Where the cursor stands, in code points.
    pub(crate) cursor: usize,
    /// Letters typed in this burst that still stand before the cursor.
    pub(crate) typed: Vec<char>,
    /// Keystrokes to come.
    pub(crate) left: u32,
}

/// A copy of a disk, with how much had been done when it was made.
pub(crate) struct Copy {
    /// The copy.
    pub(crate) disk: SimDisk,
    /// The numbers of the deeds that were reported saved then.
    pub(crate) saved: BTreeSet<usize>,
}

/// A tablet.
pub(crate) struct Machine {
    /// Its number.
    pub(crate) index: usize,
    /// Its clinic.
    pub(crate) site: usize,
    /// Who works on it.
    pub(crate) person: PersonId,
    /// Its disk.
    pub(crate) disk: Disk,
    /// The machine, while the power is on.
    pub(crate) tablet: Option<Tablet>,
    /// How often it was started.
    pub(crate) run: u32,
    /// Its connection.
    pub(crate) wire: Option<u64>,
    /// How far its clock is ahead, in milliseconds.
    pub(crate) skew: i64,
    /// Whether it has the network.
    pub(crate) in_reach: bool,
    /// Whether it was revoked.
    pub(crate) revoked: bool,
    /// Whether it has been let in since its last start and since the server was last restored.
    pub(crate) welcomed: bool,
    /// What is on the screen, by document.
    pub(crate) screens: BTreeMap<DocumentId, BTreeSet<ChangeHash>>,
    /// Somebody typing.
    pub(crate) burst: Option<Burst>,
    /// Copies of its disk, oldest first.
    pub(crate) copies: Vec<Copy>,
    /// Whether it was ever put back to one.
    pub(crate) put_back: bool,
    /// When it is to be woken.
    pub(crate) wake_at: Option<i64>,
    flight: Option<Flight>,
    rulebook: Rulebook,
}

impl Machine {
    /// A tablet that was never started.
    pub(crate) fn new(
        index: usize,
        site: usize,
        person: PersonId,
        rulebook: Rulebook,
        plant: Option<Plant>,
    ) -> Self {
        Self {
            index,
            site,
            person,
            disk: Disk::new(plant == Some(Plant::TabletAcksBeforeSync), false),
            tablet: None,
            run: 0,
            wire: None,
            skew: 0,
            in_reach: true,
            revoked: false,
            welcomed: false,
            screens: BTreeMap::new(),
            burst: None,
            copies: Vec::new(),
            put_back: false,
            wake_at: None,
            flight: None,
            rulebook,
        }
    }

    /// The time on its clock.
    pub(crate) fn clock(&self, now: i64) -> Timestamp {
        Timestamp::from_unix_ms(now.saturating_add(self.skew))
    }

    /// Switches it on.
    ///
    /// # Errors
    /// When its log does not open.
    pub(crate) fn start(&mut self, dice: &mut Dice) -> Result<(), Violation> {
        self.run += 1;
        self.welcomed = false;
        self.disk.open_at_last(dice).broken(Promise::Saved)?;
        let config = clinic::config(self.site, self.index, self.person, &self.rulebook);
        self.tablet = Some(Tablet::open(config, &self.disk).broken(Promise::Saved)?);
        Ok(())
    }

    /// The power goes, perhaps in the middle of a write.
    pub(crate) fn crash(&mut self, dice: &mut Dice) {
        self.tablet = None;
        self.wire = None;
        self.burst = None;
        self.wake_at = None;
        self.welcomed = false;
        self.screens.clear();
        if let Some(Flight { batch, early: None }) = self.flight.take()
            && dice.chance(2, 3)
        {
            self.disk.cut_power_soon(dice);
            // The power is gone: whatever this says, nobody hears it.
            let _ = self.disk.commit(&batch);
        }
        self.flight = None;
        self.disk.crash(dice);
    }

    /// The batch's end has come.
    pub(crate) fn written(&mut self, now: i64) {
        let Some(Flight { batch, early }) = self.flight.take() else { return };
        let now = self.clock(now);
        let result = early.unwrap_or_else(|| self.disk.commit(&batch).map_err(|error| error.to_string()));
        let Some(tablet) = &mut self.tablet else { return };
        match result {
            Ok(first) => tablet.committed(now, first, &self.disk),
            Err(sentence) => tablet.commit_failed(&sentence),
        }
    }

    /// After a failed write: the store is opened again, the machine goes on.
    ///
    /// # Errors
    /// When the store does not open.
    pub(crate) fn reopen(&mut self, dice: &mut Dice) -> Result<(), Violation> {
        if self.tablet.is_some() {
            self.disk.close();
            self.disk.open_again(dice).broken(Promise::Saved)?;
        }
        if let Some(tablet) = &mut self.tablet {
            tablet.retry_commit();
        }
        Ok(())
    }

    /// Everything that follows a call, as the driver's contract says.
    pub(crate) fn turn(&mut self, dice: &mut Dice) -> Vec<Wish> {
        let mut wishes = Vec::new();
        let Some(tablet) = &mut self.tablet else { return wishes };
        if self.flight.is_none()
            && let Some(batch) = tablet.poll_commit(dice)
        {
            let early =
                dice.chance(1, 2).then(|| self.disk.commit(&batch).map_err(|error| error.to_string()));
            self.flight = Some(Flight { batch, early });
            let slow = if dice.chance(1, 30) { dice.ms(100, 3_000) } else { 0 };
            wishes.push(Wish::Written(dice.ms(1, 60) + slow));
        }
        while let Some(frame) = tablet.poll_transmit() {
            wishes.push(Wish::Send(frame));
        }
        while let Some(event) = tablet.poll_event() {
            wishes.push(Wish::Tell(event));
        }
        let kept = tablet.poll_keep(dice);
        self.disk.keep(kept);
        if let Some((at, _)) = tablet.poll_timeout() {
            wishes.push(Wish::Wake(at));
        }
        wishes
    }

    /// Whether nothing is on its way to the disk.
    pub(crate) fn is_idle(&self) -> bool {
        self.flight.is_none()
    }
}
