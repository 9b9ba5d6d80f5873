//! What must hold between clinics: who treats a patient has the same notes, nobody else has them, one clinic
//! decides about a change, equal inputs give equal reports, nothing travels to where it is.

use std::collections::{BTreeMap, BTreeSet};

use chart::facts::Input;
use chart::ids::{ChangeHash, ClinicId, DocumentId, PatientId};
use chart::report::Published;
use chart::time::Timestamp;
use session_note::schema::Kind;

use crate::clinic::{self, PATIENTS, site_of};
use crate::lines::FROM_SERVER;
use crate::log::Fate;
use crate::net::{End, Way};
use crate::reports::difference;
use crate::roster::Roster;
use crate::tamper;
use crate::truth::{Truth, Truths, truths};
use crate::violation::{Broken, Promise, Violation, broken};
use crate::world::World;

impl World {
    /// Everything that must hold between clinics.
    pub(crate) fn check_between(&mut self, all: &[Truths]) -> Result<(), Violation> {
        if !self.cast.is_group() {
            return Ok(());
        }
        self.check_judges()?;
        self.check_places(all)?;
        for patient in PATIENTS {
            let treating = self.treating(patient);
            for (document, _) in documents_of(patient, &treating, all) {
                self.check_equal(document, &treating, all)?;
            }
        }
        Ok(())
    }

    /// The clinics that treat a patient, as the clinic says that keeps the file, as far as they reach each
    /// other over clinics that treat the patient.
    fn treating(&self, patient: PatientId) -> BTreeSet<usize> {
        let home = self.cast.home(patient);
        let Some(server) = self.servers.get(home) else { return BTreeSet::new() };
        let sites: BTreeSet<usize> =
            Roster::of(home, &server.log).treating(patient).into_iter().map(site_of).collect();
        let mut reached = BTreeSet::from([home]);
        let mut ends = vec![home];
        while let Some(end) = ends.pop() {
            let next = self.cast.neighbours(end).into_iter().filter(|site| sites.contains(site));
            ends.extend(next.filter(|site| reached.insert(*site)).collect::<Vec<_>>());
        }
        reached
    }

    /// Notes of which a clinic that was put back may lack others' part: they are not shared with it any more, so
    /// that nobody gives it that part again, and what its tablets build upon it waits on them.
    pub(crate) fn find_stranded(&mut self) -> Result<(), Violation> {
        let put_back: Vec<usize> =
            self.servers.iter().filter(|server| server.rewound).map(|server| server.site).collect();
        if put_back.is_empty() || !self.cast.is_group() {
            return Ok(());
        }
        let treating = PATIENTS.map(|patient| (patient, self.treating(patient)));
        for server in &mut self.servers {
            if server.hub.is_some() {
                server.follow_log()?;
            }
            for (document, truth) in truths(server.site, &server.log)? {
                let known = treating.iter().find(|(patient, _)| Some(*patient) == truth.patient);
                let out = |site: &&usize| known.is_some_and(|(_, treating)| !treating.contains(site));
                let others = put_back.iter().filter(|site| **site != server.site);
                self.stranded.extend(others.filter(out).map(|site| (*site, document)));
            }
        }
        Ok(())
    }

    /// Every change was judged by one clinic, the one that received it first, and is the same everywhere.
    fn check_judges(&mut self) -> Result<(), Violation> {
        let mut judged: BTreeMap<ChangeHash, (usize, Fate, BTreeSet<usize>)> = BTreeMap::new();
        for server in &self.servers {
            let stranded = |document: &DocumentId| self.stranded.contains(&(server.site, *document));
            for (document, logged) in server.log.documents.iter().filter(|(one, _)| !stranded(one)) {
                for (hash, change) in &logged.changes {
                    self.tally.imported += u64::from(change.origin != server.site);
                    let entry = judged.entry(*hash).or_insert((server.site, change.fate, BTreeSet::new()));
                    entry.2.extend(&change.judges);
                    if entry.1 != change.fate {
                        let ((one, fate, _), other, otherwise) = (&*entry, server.site, change.fate);
                        let story = format!(
                            "{hash} of {document} is {fate:?} at clinic {one} and {otherwise:?} at {other}"
                        );
                        return Err(broken(Promise::Verdicts, story));
                    }
                    if entry.2.len() > 1 {
                        let story = format!("{hash} of {document} was judged by clinics {:?}", entry.2);
                        return Err(broken(Promise::Verdicts, story));
                    }
                }
            }
        }
        Ok(())
    }

    /// Nobody has another clinic's work on a patient who was never shared with them.
    fn check_places(&self, all: &[Truths]) -> Result<(), Violation> {
        for (server, truths) in self.servers.iter().zip(all) {
            let own = Roster::of(server.site, &server.log);
            for (document, truth) in truths {
                let logged = server.log.documents.get(document);
                let foreign = logged
                    .is_some_and(|logged| logged.changes.values().any(|change| change.origin != server.site));
                let Some(patient) = truth.patient.filter(|_| foreign) else { continue };
                let here: ClinicId = clinic::clinic(server.site);
                if !own.shared_ever.get(&patient).is_some_and(|clinics| clinics.contains(&here)) {
                    let story = format!("clinic {} has others' work on {document}", server.site);
                    return Err(broken(Promise::Scopes, story));
                }
            }
        }
        Ok(())
    }

    fn check_equal(
        &mut self,
        document: DocumentId,
        treating: &BTreeSet<usize>,
        all: &[Truths],
    ) -> Result<(), Violation> {
        let mut first: Option<(usize, &Truth)> = None;
        for site in treating {
            let Some(truth) = all.get(*site).and_then(|truths| truths.get(&document)) else {
                let story = format!("clinic {site} lacks {document}, which is to be at {treating:?}");
                return Err(broken(Promise::Converged, story));
            };
            let Some((one, known)) = first else {
                first = Some((*site, truth));
                continue;
            };
            if known.note.heads() != truth.note.heads() {
                let (heads, others) = (known.note.heads(), truth.note.heads());
                let story =
                    format!("{document} is at {heads:?} at clinic {one} and at {others:?} at clinic {site}");
                return Err(broken(Promise::Converged, story));
            }
            self.tally.alike += 1;
            if truth.note.kind() == Kind::Visit {
                self.check_same_report(document, [one, *site], all)?;
            }
        }
        Ok(())
    }

    /// Reports of equal inputs are equal. Work that came to a clinic a second time, after it was put back to an
    /// older copy, has another time of arrival there.
    fn check_same_report(
        &mut self,
        document: DocumentId,
        sites: [usize; 2],
        all: &[Truths],
    ) -> Result<(), Violation> {
        let mut reports = Vec::new();
        for site in sites {
            let Some(server) = self.servers.get_mut(site) else { return Ok(()) };
            let Some(hub) = &mut server.hub else { return Ok(()) };
            reports.extend(hub.report(&server.disk, document).broken(Promise::Reports)?);
        }
        let [one, other] = &mut reports[..] else { return Ok(()) };
        let read =
            |of: &Published| of.confirmed.patient_day.union(&of.confirmed.provider_day).copied().collect();
        let (fellows, others): (BTreeSet<DocumentId>, BTreeSet<DocumentId>) = (read(one), read(other));
        let truth =
            |site: usize, document: &DocumentId| all.get(site).and_then(|truths| truths.get(document));
        let heads = |site: usize, one: &DocumentId| truth(site, one).map(|truth| truth.note.heads());
        let [left, right] = sites;
        if fellows != others || fellows.iter().any(|one| heads(left, one) != heads(right, one)) {
            return Ok(());
        }
        if self.servers.iter().any(|server| server.rewound) {
            [&mut *one, &mut *other].into_iter().for_each(without_arrivals);
        }
        self.tally.reports_alike += 1;
        if one != other {
            let story = format!(
                "the report of {document} differs at clinics {left} and {right}: {}; {:?} and {:?}",
                difference(&one.report, &other.report),
                one.confirmed,
                other.confirmed
            );
            return Err(broken(Promise::Reports, story));
        }
        Ok(())
    }

    /// A clinic is not sent what it has, by one that only has it from elsewhere.
    pub(crate) fn check_thrift(&mut self, wire: u64, way: Way, frame: &[u8]) -> Result<(), Violation> {
        let Some(known) = self.wires.get(&wire) else { return Ok(()) };
        let back = if way == Way::Up { Way::Down } else { Way::Up };
        let (End::Server { site, .. }, Some(sender)) = (known.end(way).0, known.end(back).0.site()) else {
            return Ok(());
        };
        let Some((&FROM_SERVER, bare)) = frame.split_first() else { return Ok(()) };
        let passed = tamper::passed_on(bare, clinic::clinic(sender));
        let server = self.servers.get_mut(site).filter(|server| server.hub.is_some() && !passed.is_empty());
        let Some(server) = server else { return Ok(()) };
        server.follow_log()?;
        match passed.iter().find(|hash| server.log.changes.contains_key(hash)) {
            Some(hash) => {
                let story = format!("{hash} came to clinic {site} once more, by clinic {sender}");
                Err(broken(Promise::Once, story))
            }
            None => Ok(()),
        }
    }
}

fn documents_of<'a>(
    patient: PatientId,
    sites: &BTreeSet<usize>,
    all: &'a [Truths],
) -> BTreeMap<DocumentId, &'a Truth> {
    let of = |truths: &'a Truths| truths.iter().filter(move |(_, truth)| truth.patient == Some(patient));
    let here = sites.iter().filter_map(|site| all.get(*site));
    here.flat_map(of).map(|(document, truth)| (*document, truth)).collect()
}

/// A report without the times at which work arrived, by the clinic's clock and by the tablet's.
fn without_arrivals(published: &mut Published) {
    for arrival in &mut published.confirmed.arrivals {
        arrival.received_at = Timestamp::from_unix_ms(0);
        arrival.clock_ahead_ms = 0;
    }
    let report = &mut published.report;
    report.inputs.retain(|input| !matches!(input, Input::Values { name, .. } if name == "arrivals"));
    // It says by how much work was written after it arrived.
    report.findings.retain(|finding| finding.id != "time-clock-skew");
}
