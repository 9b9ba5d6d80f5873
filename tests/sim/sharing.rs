//! What people at several clinics decide: with whom a patient is shared, who treats the patient where, whose
//! caseload it is on, that a day's charting is complete. Whether it may be done is the hub's business.

use std::collections::BTreeSet;

use chart::ids::{ClinicId, PersonId};
use chart::reference::{Patient, Reference, Sharing};
use chart::time::Timestamp;
use hub::{HubError, TransferAct, TransferWish};

use crate::clinic::{self, PATIENTS};
use crate::server::Server;
use crate::violation::{Broken, Promise, Violation};
use crate::world::{Due, World};

/// A refusal is an answer.
fn answered<T>(said: Result<T, HubError>) -> Result<Option<T>, Violation> {
    match said {
        Ok(done) => Ok(Some(done)),
        Err(HubError::ReadOnly(_) | HubError::Refused(_)) => Ok(None),
        Err(error) => Err(error).broken(Promise::Quiet),
    }
}

impl World {
    fn wish(&mut self, site: usize, reference: Reference) -> Result<bool, Violation> {
        let Some(Server { hub: Some(hub), disk, .. }) = self.servers.get_mut(site) else { return Ok(false) };
        let said = answered(hub.put_reference(&mut self.dice, disk, reference))?;
        self.tend_server(site)?;
        Ok(said.is_some())
    }

    /// The clinic that keeps a patient's file shares the patient with some clinics it knows of.
    pub(crate) fn share(&mut self) -> Result<(), Violation> {
        let Some(patient) = self.dice.pick(&PATIENTS).copied() else { return Ok(()) };
        let site = self.cast.home(patient);
        let Some(Server { hub: Some(hub), .. }) = self.servers.get(site) else { return Ok(()) };
        let directory = hub.directory();
        let known: BTreeSet<ClinicId> =
            directory.peers.keys().chain(directory.introduced.keys()).copied().collect();
        let clinics: BTreeSet<ClinicId> = known.into_iter().filter(|_| self.dice.chance(3, 4)).collect();
        self.trace.line(self.now, format_args!("  {patient} is treated at {clinics:?}"));
        self.wish(site, Reference::Sharing(Sharing::new(patient, clinic::clinic(site), clinics)))?;
        Ok(())
    }

    /// A patient is treated at home alone from here on.
    pub(crate) fn end_sharing(&mut self) -> Result<(), Violation> {
        let Some(patient) = self.dice.pick(&PATIENTS).copied() else { return Ok(()) };
        let site = self.cast.home(patient);
        let clinics = BTreeSet::new();
        self.wish(site, Reference::Sharing(Sharing::new(patient, clinic::clinic(site), clinics)))?;
        Ok(())
    }

    fn team(&self, site: usize, patient: chart::ids::PatientId) -> Option<Patient> {
        let Some(Server { hub: Some(hub), .. }) = self.servers.get(site) else { return None };
        hub.directory().patients.get(&patient).cloned()
    }

    /// A clinic puts a patient it has heard of on its own therapist's caseload.
    pub(crate) fn intake(&mut self, site: usize) -> Result<(), Violation> {
        let [patient, _] = PATIENTS;
        let me = clinic::therapist(site);
        let done = match self.team(site, patient) {
            Some(known) if known.care_team.contains(&me) => true,
            Some(mut known) => {
                known.care_team.insert(me);
                let (id, episode) = (self.cast.intake(site), Some(clinic::EPISODE));
                self.wish(site, Reference::Patient(known))?
                    && self.wish(site, clinic::appointment(id, patient, me, episode, 13))?
            }
            None => false,
        };
        if !done && self.stormy {
            let wait = self.dice.ms(1_000, 5_000);
            self.after(wait, Due::Intake { site });
        }
        Ok(())
    }

    pub(crate) fn change_team_of_group(&mut self) -> Result<(), Violation> {
        let site = self.some_site();
        let Some(patient) = self.dice.pick(&PATIENTS).copied() else { return Ok(()) };
        let Some(known) = self.team(site, patient) else { return Ok(()) };
        let staff = self.cast.staff(site);
        let care_team: BTreeSet<PersonId> = staff.into_iter().filter(|_| self.dice.chance(1, 2)).collect();
        self.wish(site, Reference::Patient(Patient { care_team, ..known }))?;
        Ok(())
    }

    /// A clinic's therapist hands a patient, or everybody, over to somebody else there.
    pub(crate) fn hand_over(&mut self) -> Result<(), Violation> {
        let (at, site) = (Timestamp::from_unix_ms(self.now), self.some_site());
        let staff = self.cast.staff(site);
        let (Some(from), Some(to)) = (self.dice.pick(&staff).copied(), self.dice.pick(&staff).copied())
        else {
            return Ok(());
        };
        let patients = if self.dice.chance(1, 2) { None } else { self.dice.pick(&PATIENTS).copied() };
        let patients = patients.map(|patient| BTreeSet::from([patient]));
        let wait = self.dice.ms(1, 30_000);
        let from_when = self.dice.chance(1, 2).then(|| at.plus_ms(wait));
        let wish = TransferWish { from, to, patients, from_when };
        let Some(Server { hub: Some(hub), disk, .. }) = self.servers.get_mut(site) else { return Ok(()) };
        let preview = answered(hub.preview_transfer(at, &mut self.dice, disk, &wish))?;
        if let Some(preview) = preview {
            let (by, reason) = (clinic::supervisor(site), "a change of caseloads".to_owned());
            let act = TransferAct { act: preview.act, state: preview.state, wish, by, reason };
            answered(hub.transfer(at, &mut self.dice, disk, act))?;
        }
        self.tend_server(site)
    }

    /// A clinic says that its charting of the first day is complete.
    pub(crate) fn close_day(&mut self) -> Result<(), Violation> {
        let (at, site) = (Timestamp::from_unix_ms(self.now), self.some_site());
        let Some(Server { hub: Some(hub), disk, .. }) = self.servers.get_mut(site) else { return Ok(()) };
        answered(hub.close_day(at, &mut self.dice, disk, clinic::day(0)))?;
        self.tend_server(site)
    }
}
