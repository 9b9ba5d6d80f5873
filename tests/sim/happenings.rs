//! What each transition does to a world. Chooses freely, but only among what could happen.

use std::collections::BTreeSet;

use chart::ids::PersonId;
use chart::reference::Reference;
use chart::time::Timestamp;

use crate::clinic::{self, ANNA, BEN, CORA};
use crate::disk::begin_epoch;
use crate::machine::Copy;

use crate::transition::Transition;
use crate::violation::{Broken, Promise, Violation};
use crate::world::{Due, World};

impl World {
    pub(crate) fn transit(&mut self, transition: Transition, tablet: usize) -> Result<(), Violation> {
        let fault = !matches!(
            transition,
            Transition::Act | Transition::Type | Transition::Look | Transition::Blur | Transition::SyncOn
        );
        self.tally.faults += u64::from(fault);
        match transition {
            Transition::Act => self.act(tablet),
            Transition::Type => self.begin_typing(tablet),
            Transition::Look => self.look(tablet),
            Transition::Blur => self.blur(tablet),
            Transition::SyncOff => self.sync_off(tablet),
            Transition::SyncOn => {
                self.after(0, Due::InReach { tablet });
                Ok(())
            }
            Transition::Cut => {
                self.break_wires(|wire| wire.tablet == tablet);
                Ok(())
            }
            Transition::Stall => {
                let until = self.now + self.dice.ms(500, 40_000);
                for wire in self.wires.values_mut().filter(|wire| wire.tablet == tablet) {
                    wire.stalled_until = until;
                }
                Ok(())
            }
            Transition::CrashTablet => self.crash_tablet(tablet),
            Transition::CrashServer => {
                if self.server.hub.is_some() {
                    let power = self.dice.chance(3, 4);
                    self.end_server(power);
                }
                Ok(())
            }
            Transition::CopyTablet => self.copy_tablet(tablet),
            Transition::RestoreTablet => self.restore_tablet(tablet),
            Transition::BackupServer => {
                // One of before the enrolments would need them again: that is people's work.
                let enrolled = self.log_holds_tablets()?;
                if self.server.hub.is_some() && enrolled {
                    let copy = self.server.disk.copy(&mut self.dice);
                    self.server.backups.push(copy);
                }
                Ok(())
            }
            Transition::RestoreServer => self.restore_server(),
            Transition::ClockJump => self.jump_clock(tablet),
            Transition::CareTeamChange => self.change_care_team(),
            Transition::Revoke => self.revoke(tablet),
            Transition::Release => self.release(),
            Transition::Reject => self.reject(),
            Transition::RoleChange => {
                let person = if self.dice.chance(1, 2) { ANNA } else { BEN };
                self.change_role(person)
            }
            Transition::ServerDiskFault => {
                self.server.disk.fail_soon(&mut self.dice);
                Ok(())
            }
            Transition::TabletDiskFault => {
                if let Some(machine) = self.tablets.get(tablet) {
                    machine.disk.fail_soon(&mut self.dice);
                }
                Ok(())
            }
            Transition::SettingsChange => {
                self.settings += 1;
                self.server.put(&mut self.dice, clinic::settings(self.settings))?;
                self.tend_server()
            }
        }
    }

    pub(crate) fn log_holds_tablets(&mut self) -> Result<bool, Violation> {
        if self.server.hub.is_none() {
            return Ok(false);
        }
        self.log.follow(&self.server.disk)?;
        let is_booked = |reference: &&Reference| matches!(reference, Reference::Appointment(_));
        // The last that the server is told before the first tablet comes.
        Ok(self.log.references.iter().filter(is_booked).count() >= clinic::VISITS.len())
    }

    fn sync_off(&mut self, tablet: usize) -> Result<(), Violation> {
        if let Some(machine) = self.tablets.get_mut(tablet) {
            machine.in_reach = false;
        }
        self.break_wires(|wire| wire.tablet == tablet);
        let wait = self.dice.ms(2_000, 60_000);
        self.after(wait, Due::InReach { tablet });
        Ok(())
    }

    fn crash_tablet(&mut self, tablet: usize) -> Result<(), Violation> {
        let Some(machine) = self.tablets.get_mut(tablet).filter(|machine| machine.tablet.is_some()) else {
            return Ok(());
        };
        machine.crash(&mut self.dice);
        self.model.tablet_crashed(tablet);
        self.leave(tablet);
        let wait = self.dice.ms(100, 10_000);
        self.after(wait, Due::TabletStarts { tablet });
        Ok(())
    }

    /// A tablet is off: its side of every connection is gone.
    fn leave(&mut self, tablet: usize) {
        self.break_wires(|wire| wire.tablet == tablet);
        for wire in self.wires.values_mut().filter(|wire| wire.tablet == tablet) {
            wire.tablet_open = false;
        }
    }

    fn copy_tablet(&mut self, tablet: usize) -> Result<(), Violation> {
        let saved = self.model.saved_on(tablet);
        if let Some(machine) = self.tablets.get_mut(tablet).filter(|machine| machine.tablet.is_some()) {
            let disk = machine.disk.copy(&mut self.dice);
            machine.copies.push(Copy { disk, saved });
        }
        Ok(())
    }

    fn restore_tablet(&mut self, tablet: usize) -> Result<(), Violation> {
        let Some(machine) = self.tablets.get_mut(tablet).filter(|machine| machine.tablet.is_some()) else {
            return Ok(());
        };
        let chosen = self.dice.place(machine.copies.len());
        let Some(Copy { disk, saved }) = machine.copies.get(chosen) else { return Ok(()) };
        let (disk, saved) = (disk.snapshot(), saved.clone());
        machine.crash(&mut self.dice);
        machine.disk.put_back(&disk, false);
        // Newer copies belong to the branch that was left.
        machine.copies.truncate(chosen + 1);
        self.trace.line(self.now, format_args!("  to a copy made after {} deeds", saved.len()));
        self.model.tablet_crashed(tablet);
        self.model.tablet_restored(tablet, &saved);
        self.leave(tablet);
        let wait = self.dice.ms(100, 10_000);
        self.after(wait, Due::TabletStarts { tablet });
        Ok(())
    }

    pub(crate) fn tablet_starts(&mut self, tablet: usize) -> Result<(), Violation> {
        let Some(machine) = self.tablets.get_mut(tablet).filter(|machine| machine.tablet.is_none()) else {
            return Ok(());
        };
        machine.start(&mut self.dice)?;
        let run = machine.run;
        self.trace.line(self.now, format_args!("tablet {tablet} starts, run {run}"));
        self.check_saved_work(tablet)?;
        let wait = self.dice.ms(5, 500);
        self.after(wait, Due::Connect { tablet, run });
        self.tend(tablet)
    }

    fn restore_server(&mut self) -> Result<(), Violation> {
        if self.server.hub.is_none() || self.server.backups.is_empty() {
            return Ok(());
        }
        let chosen = self.dice.place(self.server.backups.len());
        let Some(backup) = self.server.backups.get(chosen).cloned() else { return Ok(()) };
        self.end_server(true);
        self.server.disk.heal();
        self.server.disk.put_back(&backup, self.dice.chance(1, 2));
        self.server.disk.open(&mut self.dice).broken(Promise::Quiet)?;
        begin_epoch(&mut self.server.disk, &mut self.dice).broken(Promise::Quiet)?;
        self.server.disk.close();
        self.rewound = true;
        self.model.server_restored();
        for machine in &mut self.tablets {
            machine.welcomed = false;
            machine.revoked = false;
        }
        self.trace.line(self.now, format_args!("  to a backup that ends at entry {}", self.server.seq()));
        Ok(())
    }

    fn jump_clock(&mut self, tablet: usize) -> Result<(), Violation> {
        let jump = self.dice.ms(-90_000, 90_000);
        if let Some(machine) = self.tablets.get_mut(tablet) {
            machine.skew += jump;
            machine.wake_at = None;
        }
        self.tend(tablet)
    }

    fn change_care_team(&mut self) -> Result<(), Violation> {
        let index = self.dice.place(clinic::PATIENTS.len());
        let team: BTreeSet<PersonId> =
            [ANNA, BEN, CORA].into_iter().filter(|_| self.dice.chance(1, 2)).collect();
        if let Some(patient) = clinic::patient(index, team) {
            self.server.put(&mut self.dice, patient)?;
        }
        self.tend_server()
    }

    fn revoke(&mut self, tablet: usize) -> Result<(), Violation> {
        let at = Timestamp::from_unix_ms(self.now);
        let server = &mut self.server;
        // One tablet stays, so that there is somebody to converge.
        if tablet == 0 {
            return Ok(());
        }
        if let Some(hub) = &mut server.hub {
            // A record that can only be read refuses; then nothing is revoked.
            let _ = hub.revoke_device(at, &mut self.dice, &server.disk, clinic::device(tablet));
        }
        self.tend_server()
    }

    fn release(&mut self) -> Result<(), Violation> {
        let at = Timestamp::from_unix_ms(self.now);
        let Some(row) = self.some_held_work()? else { return Ok(()) };
        let server = &mut self.server;
        if let Some(hub) = &mut server.hub {
            let reason = "it is fine";
            // Refused when another release or a verdict came first.
            let _ = hub.release(at, &mut self.dice, &server.disk, row.document, &row.hashes, CORA, reason);
        }
        self.tend_server()
    }

    fn reject(&mut self) -> Result<(), Violation> {
        let at = Timestamp::from_unix_ms(self.now);
        let Some(row) = self.some_held_work()? else { return Ok(()) };
        let Some(hash) = self.dice.pick(&row.hashes).copied() else { return Ok(()) };
        let server = &mut self.server;
        if let Some(hub) = &mut server.hub {
            let reason = "it is to be written again";
            let said = hub.reject(at, &mut self.dice, &server.disk, row.document, &[hash], CORA, reason);
            self.declined |= said.is_ok();
        }
        self.tend_server()
    }

    fn some_held_work(&mut self) -> Result<Option<hub::QuarantineRow>, Violation> {
        let server = &mut self.server;
        let Some(hub) = &mut server.hub else { return Ok(None) };
        let rows = hub.quarantine(&server.disk, 20).broken(Promise::Quiet)?;
        let open: Vec<_> = rows.into_iter().filter(|row| row.open && row.outcome == "held").collect();
        Ok(self.dice.pick(&open).cloned())
    }

    /// Takes a person's right to write notes away, or gives it back.
    pub(crate) fn change_role(&mut self, person: PersonId) -> Result<(), Violation> {
        let may = !self.at_the_desk.remove(&person);
        if may {
            self.at_the_desk.insert(person);
        }
        if self.server.hub.is_some() {
            self.server.put(&mut self.dice, clinic::person_with(person, may))?;
        }
        self.tend_server()
    }
}
