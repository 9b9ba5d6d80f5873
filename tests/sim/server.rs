//! A clinic's server in a world: the real hub on the real journal, driven as its contract says. What
//! it does wrong is planted. Its ends of lines to other clinics are in `lines`.

use std::collections::BTreeMap;

use chart::ids::ClinicId;
use chart::reference::Reference;
use chart::time::Timestamp;
use compliance::Rulebook;
use hub::{ConnectionId, Hub, Judgement};
use journal::SimDisk;
use store::{Batch, StoreReader};

use crate::clinic;
use crate::dice::Dice;
use crate::disk::Disk;
use crate::gate;
use crate::log::Log;
use crate::plant::Plant;
use crate::violation::{Broken, Promise, Violation};

/// A batch on its way to the disk.
pub(crate) struct Flight {
    batch: Batch,
    /// What the disk said, if the write was done when the batch was taken: it can be read before the
    /// machine hears that it is durable.
    early: Option<Result<u64, String>>,
}

/// What a machine wants of its world after a turn.
#[derive(Debug)]
pub(crate) enum Wish {
    /// A batch is on its way: tell of its end after so many milliseconds.
    Written(i64),
    /// A case is being judged: take its end after so many milliseconds.
    Judged(i64),
    /// A frame to this connection.
    Send(ConnectionId, Vec<u8>),
    /// The connection is over once what was sent has arrived.
    Close(ConnectionId),
    /// Another turn after so many milliseconds.
    Again(i64),
    /// The record cannot be written: start again.
    Restart,
}

/// The server.
pub(crate) struct Server {
    /// Its clinic.
    pub(crate) site: usize,
    /// Its disk.
    pub(crate) disk: Disk,
    /// The machine, while the power is on.
    pub(crate) hub: Option<Hub>,
    /// How often it was started.
    pub(crate) run: u32,
    /// Backups, oldest first.
    pub(crate) backups: Vec<SimDisk>,
    /// Its connections.
    pub(crate) wires: BTreeMap<ConnectionId, u64>,
    /// Those that are lines to other clinics.
    pub(crate) lines: BTreeMap<ConnectionId, ClinicId>,
    /// Its log, read independently.
    pub(crate) log: Log,
    /// Whether it was ever put back to an older state.
    pub(crate) rewound: bool,
    /// How often its settings changed.
    pub(crate) settings: u64,
    /// When it is to be given another turn.
    pub(crate) turn_at: Option<i64>,
    /// Whether it is going to be started.
    pub(crate) restarting: bool,
    flight: Option<Flight>,
    /// A case's end that has not been told yet.
    judging: Option<Judgement>,
    resident: usize,
    rulebook: Rulebook,
    plant: Option<Plant>,
}

impl Server {
    /// A server with an empty disk.
    pub(crate) fn new(site: usize, rulebook: Rulebook, resident: usize, plant: Option<Plant>) -> Self {
        Self {
            site,
            disk: Disk::new(plant == Some(Plant::ServerAcksBeforeSync), plant == Some(Plant::StaleIndex)),
            hub: None,
            run: 0,
            backups: Vec::new(),
            wires: BTreeMap::new(),
            lines: BTreeMap::new(),
            log: Log::new(site),
            rewound: false,
            settings: 0,
            turn_at: None,
            restarting: false,
            flight: None,
            judging: None,
            resident,
            rulebook,
            plant,
        }
    }

    /// Switches the server on.
    ///
    /// # Errors
    /// When the record does not open.
    pub(crate) fn start(&mut self, dice: &mut Dice) -> Result<bool, Violation> {
        self.run += 1;
        let report = self.disk.open_at_last(dice).broken(Promise::Durable)?;
        let config = clinic::hub_config(self.site, &self.rulebook, self.resident);
        self.hub = Some(Hub::open(config, &self.disk).broken(Promise::Durable)?);
        self.turn_at = None;
        Ok(report.lost_tail.is_some())
    }

    /// Reads what was added to the log.
    ///
    /// # Errors
    /// When an entry does not read.
    pub(crate) fn follow_log(&mut self) -> Result<(), Violation> {
        self.log.follow(&self.disk)
    }

    /// The process ends; what the system holds for the disk stays.
    pub(crate) fn stop(&mut self) {
        self.hub = None;
        self.wires.clear();
        self.lines.clear();
        if let Some(Flight { batch, early: None }) = self.flight.take() {
            // Nobody hears the answer.
            let _ = self.disk.commit(&batch);
        }
        self.flight = None;
        self.judging = None;
        self.disk.close();
    }

    /// The power goes, perhaps in the middle of a write.
    pub(crate) fn crash(&mut self, dice: &mut Dice) {
        self.hub = None;
        self.wires.clear();
        self.lines.clear();
        if let Some(Flight { batch, early: None }) = self.flight.take()
            && dice.chance(2, 3)
        {
            self.disk.cut_power_soon(dice);
            // The power is gone: whatever this says, nobody hears it.
            let _ = self.disk.commit(&batch);
        }
        self.flight = None;
        self.judging = None;
        self.disk.crash(dice);
    }

    /// Writes a piece of reference data.
    ///
    /// # Errors
    /// When the hub refuses although it can write.
    pub(crate) fn put(&mut self, dice: &mut Dice, reference: Reference) -> Result<(), Violation> {
        let Some(hub) = &mut self.hub else { return Ok(()) };
        match hub.put_reference(dice, &self.disk, reference) {
            Ok(_) | Err(hub::HubError::ReadOnly(_)) => Ok(()),
            Err(error) => Err(error).broken(Promise::Quiet),
        }
    }

    /// The batch's end has come.
    pub(crate) fn written(&mut self) -> Option<Wish> {
        let Flight { batch, early } = self.flight.take()?;
        let hub = self.hub.as_mut()?;
        let result = early.unwrap_or_else(|| self.disk.commit(&batch).map_err(|error| error.to_string()));
        match result {
            Ok(first) => {
                hub.committed(&self.disk, first);
                None
            }
            Err(sentence) => {
                hub.commit_failed(&sentence);
                Some(Wish::Restart)
            }
        }
    }

    /// Everything that follows an event, as the driver's contract says.
    pub(crate) fn turn(&mut self, now: i64, dice: &mut Dice) -> Vec<Wish> {
        let mut wishes = Vec::new();
        let Some(hub) = &mut self.hub else { return wishes };
        let at = Timestamp::from_unix_ms(now);
        if hub.poll_timeout().is_some_and(|(due, _)| due <= at) {
            hub.handle_timeout(at, dice, &self.disk);
        }
        self.order_commit(dice, &mut wishes);
        let steps = 1 + dice.place(4);
        self.judge(dice, steps, &mut wishes);
        let Some(hub) = &mut self.hub else { return wishes };
        let idle = self.plant == Some(Plant::ReportsForgotten) && hub.metrics().unjudged == 0;
        let more = !idle && (hub.derive(dice, &self.disk, steps) || hub.cases_wait());
        self.order_commit(dice, &mut wishes);
        let Some(hub) = &mut self.hub else { return wishes };
        let kept = hub.poll_keep();
        self.disk.keep(kept);
        self.speak(&mut wishes);
        let Some(hub) = &mut self.hub else { return wishes };
        while hub.poll_done().is_some() {}
        if more {
            wishes.push(Wish::Again(dice.ms(1, 15)));
        } else if let Some((due, _)) = hub.poll_timeout() {
            wishes.push(Wish::Again(due.since_ms(at).max(1)));
        }
        wishes
    }

    /// Judges cases, as long as their ends come at once; the world goes on while one takes its time.
    fn judge(&mut self, dice: &mut Dice, steps: usize, wishes: &mut Vec<Wish>) {
        let Some(hub) = &mut self.hub else { return };
        for _ in 0..steps {
            if self.judging.is_some() {
                return;
            }
            let Some(case) = hub.next_case(&self.disk, &|_| false) else { return };
            let judgement = match self.plant {
                Some(Plant::VerdictByArrival) => case.judge_by(&gate::by_arrival),
                _ => case.judge(),
            };
            if dice.chance(1, 2) {
                hub.take_judgement(dice, &self.disk, judgement);
            } else {
                self.judging = Some(judgement);
                wishes.push(Wish::Judged(dice.ms(1, 400)));
            }
        }
    }

    /// The end of the case has come.
    pub(crate) fn judged(&mut self, dice: &mut Dice) {
        if let (Some(hub), Some(judgement)) = (&mut self.hub, self.judging.take()) {
            hub.take_judgement(dice, &self.disk, judgement);
        }
    }

    fn order_commit(&mut self, dice: &mut Dice, wishes: &mut Vec<Wish>) {
        let Some(hub) = &mut self.hub else { return };
        if self.flight.is_some() {
            return;
        }
        let Some(batch) = hub.poll_commit() else { return };
        let early = dice.chance(1, 2).then(|| self.disk.commit(&batch).map_err(|error| error.to_string()));
        self.flight = Some(Flight { batch, early });
        let slow = if dice.chance(1, 30) { dice.ms(100, 3_000) } else { 0 };
        wishes.push(Wish::Written(dice.ms(1, 40) + slow));
    }

    /// Whether nothing is under way.
    pub(crate) fn is_idle(&self) -> bool {
        self.flight.is_none() && self.hub.as_ref().is_some_and(Hub::is_idle)
    }

    /// The end of the log.
    pub(crate) fn seq(&self) -> u64 {
        self.disk.tip().seq
    }
}
