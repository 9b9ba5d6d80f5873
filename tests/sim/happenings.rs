//! What each transition does to a world. Chooses freely, but only among what could happen.

use std::collections::BTreeSet;

use chart::ids::PersonId;
use chart::reference::{Reference, Role};
use chart::time::Timestamp;

use crate::clinic::{self, ANNA, BEN, CORA};
use crate::disk::begin_epoch;
use crate::machine::Copy;
use crate::server::Server;

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
                self.break_wires(|wire| wire.is_of(tablet));
                Ok(())
            }
            Transition::Stall => {
                let until = self.now + self.dice.ms(500, 40_000);
                for wire in self.wires.values_mut().filter(|wire| wire.is_of(tablet)) {
                    wire.stalled_until = until;
                }
                Ok(())
            }
            Transition::CrashTablet => self.crash_tablet(tablet),
            Transition::CrashServer => {
                let site = self.some_site();
                if self.is_up(site) {
                    let power = self.dice.chance(3, 4);
                    self.end_server(site, power);
                }
                Ok(())
            }
            Transition::CopyTablet => self.copy_tablet(tablet),
            Transition::RestoreTablet => self.restore_tablet(tablet),
            Transition::BackupServer => self.back_up_server(),
            Transition::RestoreServer => self.restore_server(),
            Transition::ClockJump => self.jump_clock(tablet),
            Transition::CareTeamChange => self.change_care_team(),
            Transition::Revoke => self.revoke(tablet),
            Transition::Release => self.release(),
            Transition::Reject => self.reject(),
            Transition::RoleChange => self.change_some_role(),
            Transition::ServerDiskFault => {
                let site = self.some_site();
                if let Some(server) = self.servers.get(site) {
                    server.disk.fail_soon(&mut self.dice);
                }
                Ok(())
            }
            Transition::TabletDiskFault => {
                if let Some(machine) = self.tablets.get(tablet) {
                    machine.disk.fail_soon(&mut self.dice);
                }
                Ok(())
            }
            Transition::SettingsChange => self.change_settings(),
            Transition::LineOff => {
                self.sever();
                Ok(())
            }
            Transition::LineOn => {
                self.mend();
                Ok(())
            }
            Transition::LineCut => {
                self.cut_line();
                Ok(())
            }
            Transition::LineStall => {
                self.stall_line();
                Ok(())
            }
            Transition::Share => self.share(),
            Transition::EndSharing => self.end_sharing(),
            Transition::Transfer => self.hand_over(),
            Transition::CloseDay => self.close_day(),
        }
    }

    /// One of the clinics.
    pub(crate) fn some_site(&mut self) -> usize {
        if self.cast.is_group() { self.dice.place(self.cast.sites) } else { 0 }
    }

    /// Whether a clinic's server is up.
    pub(crate) fn is_up(&self, site: usize) -> bool {
        self.servers.get(site).is_some_and(|server| server.hub.is_some())
    }

    /// Writes a piece of reference data, if the server is up.
    pub(crate) fn put(&mut self, site: usize, reference: Reference) -> Result<(), Violation> {
        match self.servers.get_mut(site) {
            Some(server) => server.put(&mut self.dice, reference),
            None => Ok(()),
        }
    }

    /// A server is told of its clinic, in the end of the appointments.
    pub(crate) fn found_clinic(&mut self, site: usize) -> Result<(), Violation> {
        let cast = self.cast.clone();
        let peers = cast.neighbours(site).into_iter().map(clinic::peer);
        let all = cast.founding(site).into_iter().chain(peers).chain(cast.first_sharing(site));
        for reference in all.chain(cast.bookings(site)) {
            self.put(site, reference)?;
        }
        Ok(())
    }

    pub(crate) fn log_holds_tablets(&mut self, site: usize) -> Result<bool, Violation> {
        let Some(server) = self.servers.get_mut(site).filter(|server| server.hub.is_some()) else {
            return Ok(false);
        };
        server.follow_log()?;
        Ok(self.cast.is_told(site, &server.log.references))
    }

    fn back_up_server(&mut self) -> Result<(), Violation> {
        let site = self.some_site();
        // One of before the enrolments would need them again: that is people's work.
        let enrolled = self.log_holds_tablets(site)?;
        if let Some(server) = self.servers.get_mut(site).filter(|_| enrolled) {
            let copy = server.disk.copy(&mut self.dice);
            server.backups.push(copy);
        }
        Ok(())
    }

    fn change_settings(&mut self) -> Result<(), Violation> {
        let site = self.some_site();
        if let Some(server) = self.servers.get_mut(site) {
            server.settings += 1;
            let settings = clinic::settings(site, server.settings);
            server.put(&mut self.dice, settings)?;
        }
        self.tend_server(site)
    }

    fn sync_off(&mut self, tablet: usize) -> Result<(), Violation> {
        if let Some(machine) = self.tablets.get_mut(tablet) {
            machine.in_reach = false;
        }
        self.break_wires(|wire| wire.is_of(tablet));
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
        self.break_wires(|wire| wire.is_of(tablet));
        for wire in self.wires.values_mut().filter(|wire| wire.is_of(tablet)) {
            wire.near_open = false;
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
        machine.put_back = true;
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
        let site = self.some_site();
        let Some(server) = self.servers.get(site) else { return Ok(()) };
        if server.hub.is_none() || server.backups.is_empty() {
            return Ok(());
        }
        let chosen = self.dice.place(server.backups.len());
        let Some(backup) = server.backups.get(chosen).cloned() else { return Ok(()) };
        self.end_server(site, true);
        let Some(server) = self.servers.get_mut(site) else { return Ok(()) };
        server.disk.heal();
        server.disk.put_back(&backup, self.dice.chance(1, 2));
        server.disk.open(&mut self.dice).broken(Promise::Quiet)?;
        begin_epoch(&mut server.disk, &mut self.dice).broken(Promise::Quiet)?;
        server.disk.close();
        server.rewound = true;
        let seq = server.seq();
        let mut here = BTreeSet::new();
        for machine in self.tablets.iter_mut().filter(|machine| machine.site == site) {
            machine.welcomed = false;
            machine.revoked = false;
            here.insert(machine.index);
        }
        self.model.server_restored(&here);
        self.tally.put_back += 1;
        self.trace.line(self.now, format_args!("  to a backup that ends at entry {seq}"));
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
        if self.cast.is_group() {
            return self.change_team_of_group();
        }
        let index = self.dice.place(clinic::PATIENTS.len());
        let team: BTreeSet<PersonId> =
            [ANNA, BEN, CORA].into_iter().filter(|_| self.dice.chance(1, 2)).collect();
        if let Some(patient) = clinic::patient(index, team) {
            self.put(0, patient)?;
        }
        self.tend_server(0)
    }

    fn revoke(&mut self, tablet: usize) -> Result<(), Violation> {
        let at = Timestamp::from_unix_ms(self.now);
        // One tablet of each clinic stays, so that there is somebody to converge.
        if tablet < self.cast.sites {
            return Ok(());
        }
        let Some(site) = self.tablets.get(tablet).map(|machine| machine.site) else { return Ok(()) };
        if let Some(Server { hub: Some(hub), disk, .. }) = self.servers.get_mut(site) {
            // A record that can only be read refuses; then nothing is revoked.
            let _ = hub.revoke_device(at, &mut self.dice, disk, clinic::device(tablet));
        }
        self.tend_server(site)
    }

    fn release(&mut self) -> Result<(), Violation> {
        let at = Timestamp::from_unix_ms(self.now);
        let site = self.some_site();
        let Some(row) = self.some_held_work(site)? else { return Ok(()) };
        if let Some(Server { hub: Some(hub), disk, .. }) = self.servers.get_mut(site) {
            let (by, reason) = (clinic::supervisor(site), "it is fine");
            // Refused when another release or a verdict came first.
            let _ = hub.release(at, &mut self.dice, disk, row.document, &row.hashes, by, reason);
        }
        self.tend_server(site)
    }

    fn reject(&mut self) -> Result<(), Violation> {
        let at = Timestamp::from_unix_ms(self.now);
        let site = self.some_site();
        let Some(row) = self.some_held_work(site)? else { return Ok(()) };
        let Some(hash) = self.dice.pick(&row.hashes).copied() else { return Ok(()) };
        if let Some(Server { hub: Some(hub), disk, .. }) = self.servers.get_mut(site) {
            let (by, reason) = (clinic::supervisor(site), "it is to be written again");
            let said = hub.reject(at, &mut self.dice, disk, row.document, &[hash], by, reason);
            self.declined |= said.is_ok();
        }
        self.tend_server(site)
    }

    fn some_held_work(&mut self, site: usize) -> Result<Option<hub::QuarantineRow>, Violation> {
        let Some(Server { hub: Some(hub), disk, .. }) = self.servers.get_mut(site) else { return Ok(None) };
        let rows = hub.quarantine(disk, 20).broken(Promise::Quiet)?;
        let open: Vec<_> = rows.into_iter().filter(|row| row.open && row.outcome == "held").collect();
        Ok(self.dice.pick(&open).cloned())
    }

    fn change_some_role(&mut self) -> Result<(), Violation> {
        let site = self.some_site();
        let person = match self.cast.is_group() {
            true => clinic::therapist(site),
            false if self.dice.chance(1, 2) => ANNA,
            false => BEN,
        };
        self.change_role(site, person)
    }

    /// Takes a person's right to write notes away, or gives it back, as the server has it at the moment.
    fn change_role(&mut self, site: usize, person: PersonId) -> Result<(), Violation> {
        let Some(Server { hub: Some(hub), .. }) = self.servers.get(site) else { return Ok(()) };
        let desk = |known: &chart::reference::Person| known.roles.contains(&Role::FrontDesk);
        let may = !hub.directory().people.get(&person).is_some_and(desk);
        self.put(site, clinic::person_with(person, may))?;
        self.tend_server(site)
    }

    /// Everybody may write again, at every server that is up; looks again later.
    pub(crate) fn give_rights_back(&mut self) -> Result<(), Violation> {
        for site in 0..self.servers.len() {
            let Some(Server { hub: Some(hub), .. }) = self.servers.get(site) else { continue };
            let people = hub.directory().people.values();
            let desk: Vec<PersonId> =
                people.filter(|one| one.roles.contains(&Role::FrontDesk)).map(|one| one.id).collect();
            for person in desk {
                self.change_role(site, person)?;
            }
        }
        self.after(1_000, Due::RightsAreBack);
        Ok(())
    }
}
