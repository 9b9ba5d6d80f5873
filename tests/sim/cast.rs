//! Who is in a world: how many clinics, which of them know of each other, who works on which tablet, and
//! what people can name when they write. Values only.

use chart::ids::{DocumentId, PatientId, PersonId};
use chart::reference::{Reference, Sharing};

use crate::clinic::{
    ANNA, BEN, CORA, EPISODE, PATIENTS, VISITS, appointment, clinic, enrolled, patient, person_with,
    settings, supervisor, therapist,
};
use crate::dice::Dice;

/// What kind of world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One clinic with its tablets.
    Clinic,
    /// Several clinics that follow each other.
    Group,
}

/// The tablets of a world with one clinic.
const TABLETS: [PersonId; 4] = [ANNA, BEN, CORA, ANNA];

/// Who is in a world.
#[derive(Clone, Debug)]
pub(crate) struct Cast {
    /// How many clinics there are.
    pub(crate) sites: usize,
    /// Which clinics know of each other; the first of two calls.
    pub(crate) pairs: Vec<(usize, usize)>,
    /// Where each tablet belongs, and who works on it.
    pub(crate) tablets: Vec<(usize, PersonId)>,
}

/// What people at a clinic can name when they write.
#[derive(Clone, Debug)]
pub(crate) struct Offer {
    /// Appointments.
    pub(crate) visits: Vec<DocumentId>,
    /// Patients, those who come often more than once.
    pub(crate) patients: Vec<PatientId>,
    /// People who treat.
    pub(crate) people: Vec<PersonId>,
}

impl Cast {
    /// One clinic with three or four tablets.
    pub(crate) fn one_clinic(dice: &mut Dice) -> Self {
        let count = 3 + dice.place(2);
        let tablets = TABLETS.into_iter().take(count).map(|person| (0, person)).collect();
        Self { sites: 1, pairs: Vec::new(), tablets }
    }

    /// Two to four clinics, everybody reached over somebody, some reached twice: spokes and meshes.
    pub(crate) fn group(dice: &mut Dice) -> Self {
        let sites = 2 + dice.place(3);
        let mut pairs: Vec<(usize, usize)> = (1..sites).map(|site| (site, dice.place(site))).collect();
        for one in 0..sites {
            for other in one + 1..sites {
                if dice.chance(2, 5) && !pairs.contains(&(other, one)) {
                    pairs.push((one, other));
                }
            }
        }
        let mut tablets: Vec<(usize, PersonId)> = (0..sites).map(|site| (site, therapist(site))).collect();
        for _ in sites..4 {
            let site = dice.place(sites);
            // Somebody who works at several clinics, or a supervisor.
            let person = if dice.chance(1, 2) { therapist(dice.place(sites)) } else { supervisor(site) };
            tablets.push((site, person));
        }
        Self { sites, pairs, tablets }
    }

    /// Whether there are several clinics.
    pub(crate) const fn is_group(&self) -> bool {
        self.sites > 1
    }

    /// The clinic that keeps a patient's file.
    pub(crate) fn home(&self, patient: PatientId) -> usize {
        let number = PATIENTS.iter().position(|known| *known == patient).unwrap_or(0);
        number.min(self.sites.saturating_sub(1))
    }

    /// What people at a clinic can name.
    pub(crate) fn offer(&self, site: usize) -> Offer {
        let [first, second] = PATIENTS;
        if !self.is_group() {
            let (visits, patients) = (VISITS.to_vec(), PATIENTS.to_vec());
            return Offer { visits, patients, people: vec![ANNA, ANNA, BEN] };
        }
        let mut people = vec![therapist(site); self.sites];
        people.extend((0..self.sites).map(therapist));
        let booked = self.booked(site).into_iter().map(|(id, ..)| id);
        let visits = booked.chain([self.intake(site)]).collect();
        Offer { visits, patients: vec![first, first, second], people }
    }

    /// The appointment of the first patient at a clinic that has heard of the patient.
    pub(crate) fn intake(&self, site: usize) -> DocumentId {
        DocumentId::from_bytes([0x11 + u8::try_from(site).unwrap_or(9); 16])
    }

    fn booked(&self, site: usize) -> Vec<(DocumentId, PatientId, PersonId, Option<DocumentId>)> {
        let [first, second] = PATIENTS;
        if !self.is_group() {
            let [one, other, third] = VISITS;
            let episode = Some(EPISODE);
            return vec![
                (one, first, ANNA, episode),
                (other, first, BEN, episode),
                (third, second, ANNA, None),
            ];
        }
        let mut booked = Vec::new();
        if self.home(first) == site {
            booked.push((self.intake(site), first, therapist(site), Some(EPISODE)));
        }
        if self.home(second) == site {
            booked.push((DocumentId::from_bytes([0x21; 16]), second, therapist(site), None));
        }
        booked
    }

    /// Whether a server was told everything of its clinic: the last of it stands in its log.
    pub(crate) fn is_told(&self, site: usize, told: &[Reference]) -> bool {
        let count = |is: fn(&Reference) -> bool| told.iter().filter(|one| is(one)).count();
        let peers = count(|one| matches!(one, Reference::Peer(_)));
        let booked = count(|one| matches!(one, Reference::Appointment(_)));
        peers >= self.neighbours(site).len() && booked >= self.booked(site).len()
    }

    /// Who works at a clinic, by the tablets there.
    pub(crate) fn staff(&self, site: usize) -> Vec<PersonId> {
        if !self.is_group() {
            return vec![ANNA, BEN, CORA];
        }
        let here = self.tablets.iter().filter(|(at, _)| *at == site).map(|(_, person)| *person);
        let mut staff: Vec<PersonId> = [therapist(site), supervisor(site)].into_iter().chain(here).collect();
        staff.sort();
        staff.dedup();
        staff
    }

    /// What a server is told first: its people, its patients and its tablets.
    pub(crate) fn founding(&self, site: usize) -> Vec<Reference> {
        let mut all = vec![settings(site, 0)];
        all.extend(self.staff(site).into_iter().map(|id| person_with(id, false)));
        let teams = if self.is_group() {
            [[therapist(self.home(PATIENTS[0]))].into(), [therapist(self.home(PATIENTS[1]))].into()]
        } else {
            [[ANNA, BEN].into(), [ANNA].into()]
        };
        for (number, (id, team)) in PATIENTS.into_iter().zip(teams).enumerate() {
            let keeps = !self.is_group() || self.home(id) == site;
            all.extend(patient(number, team).filter(|_| keeps));
        }
        let tablets = self.tablets.iter().enumerate();
        let here = tablets.filter(|(_, (at, _))| *at == site);
        all.extend(here.map(|(index, (_, person))| enrolled(index, *person)));
        all
    }

    /// What a server is told last, before the first tablet comes.
    pub(crate) fn bookings(&self, site: usize) -> Vec<Reference> {
        let booked = self.booked(site).into_iter().zip(9..);
        booked
            .map(|((id, patient, provider, episode), hour)| appointment(id, patient, provider, episode, hour))
            .collect()
    }

    /// Clinics that know of a clinic at first hand.
    pub(crate) fn neighbours(&self, site: usize) -> Vec<usize> {
        let other = |(one, other): &(usize, usize)| match site {
            _ if *one == site => Some(*other),
            _ if *other == site => Some(*one),
            _ => None,
        };
        self.pairs.iter().filter_map(other).collect()
    }

    /// The first sharing of the first patient, with the clinics its home knows.
    pub(crate) fn first_sharing(&self, site: usize) -> Option<Reference> {
        let patient = PATIENTS.first().copied().filter(|patient| self.home(*patient) == site)?;
        let clinics = self.neighbours(site).into_iter().map(clinic).collect();
        self.is_group().then(|| Reference::Sharing(Sharing::new(patient, clinic(site), clinics)))
    }
}
