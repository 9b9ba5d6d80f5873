//! Reports held against reports computed afresh from the log alone, and tablets' against the server's.

use std::collections::{BTreeMap, BTreeSet};

use chart::facts::{DaySlice, Standing};
use chart::ids::{DocumentId, PatientId};
use chart::reference::{ClinicSettings, Reference};
use chart::time::{Date, Timestamp};
use session_note::course::{EpisodeVisit, course};
use session_note::facts::{self, Around};
use session_note::schema::Kind;

use crate::log::{Log, LoggedDocument};
use crate::roster::Roster;
use crate::server::Server;
use crate::truth::{Truth, Truths};
use crate::violation::{Broken, Promise, Violation, broken};
use crate::world::World;

impl World {
    /// The published report of every visit is the one its own facts give, and every tablet that holds
    /// what the server read computes the same.
    pub(crate) fn check_reports(&mut self, site: usize, truths: &Truths) -> Result<(), Violation> {
        let book = crate::world::rulebook()?;
        let mut all = Vec::new();
        let Some(server) = self.servers.get_mut(site) else { return Ok(()) };
        let Some(hub) = &mut server.hub else { return Ok(()) };
        let known = Known { site, truths, log: &server.log, roster: Roster::of(site, &server.log) };
        for (document, truth) in truths {
            if truth.note.kind() != Kind::Visit || self.stranded.contains(&(site, *document)) {
                continue;
            }
            let fresh = compliance::recompute(&known.facts(*document, truth), &book);
            let published = hub.report(&server.disk, *document).broken(Promise::Reports)?;
            let Some(published) = published else {
                return Err(broken(Promise::Reports, format!("{document} has no report")));
            };
            if published.report != fresh {
                let part = difference(&published.report, &fresh);
                let story = format!("the report of {document} at clinic {site} is stale: {part}");
                return Err(broken(Promise::Reports, story));
            }
            all.push((*document, published));
        }
        all.iter().try_for_each(|(document, published)| {
            let truth = truths.get(document);
            truth.map_or(Ok(()), |truth| self.check_tablet_reports(site, *document, truth, published, truths))
        })
    }

    fn check_tablet_reports(
        &mut self,
        site: usize,
        document: DocumentId,
        truth: &Truth,
        published: &chart::report::Published,
        truths: &Truths,
    ) -> Result<(), Violation> {
        let rewound = self.servers.get(site).is_some_and(|server| server.rewound);
        let begun_at = |server: &Server| server.log.documents.get(&document).map(LoggedDocument::home);
        if self.servers.get(site).and_then(begun_at) != Some(site) {
            // The settings of the clinic where it was begun are not on the tablets of this one: they say that
            // their report is provisional.
            return Ok(());
        }
        let revoked: BTreeSet<usize> = self
            .tablets
            .iter()
            .map(|machine| machine.index)
            .filter(|index| self.is_revoked(*index))
            .collect();
        for machine in self.tablets.iter_mut().filter(|machine| machine.site == site) {
            if !truth.is_followed_by(machine.person) {
                continue;
            }
            let Some(app) = &mut machine.tablet else { continue };
            let held: BTreeSet<DocumentId> =
                app.documents().into_iter().map(|summary| summary.document).collect();
            let confirmed = &published.confirmed;
            let read = confirmed.patient_day.union(&confirmed.provider_day);
            let notes = app.status(document).map(|status| status.notes.len());
            let stranded = |one: &DocumentId| self.stranded.contains(&(site, *one));
            if !held.contains(&document)
                || held.iter().any(stranded)
                || notes != Some(0)
                || !read.into_iter().all(|one| held.contains(one))
            {
                continue;
            }
            let inputs_held = published.report.inputs.iter().all(|input| match input {
                chart::facts::Input::Document { document, .. } => held.contains(document),
                _ => true,
            });
            let settled =
                held.iter().all(|one| app.status(*one).is_some_and(|status| status.notes.is_empty()));
            let revoked = revoked.contains(&machine.index);
            // A tablet goes on showing what a clinic that was put back keeps back since, and counts it.
            let shows = |one: &DocumentId| app.heads(*one).cloned();
            let admitted = |one: &DocumentId| truths.get(one).map(|truth| truth.note.heads());
            let beside = rewound && held.iter().any(|one| shows(one) != admitted(one));
            if revoked || beside || !inputs_held || !settled {
                continue;
            }
            let own = app.report(&machine.disk, document, confirmed.as_of).broken(Promise::Reports)?;
            let same = serde_json::to_vec(&own).broken(Promise::Quiet)?
                == serde_json::to_vec(&published.report).broken(Promise::Quiet)?;
            // Of an episode a tablet may know fewer visits than the clinic.
            let whole_clinic = crate::clinic::sees_all(machine.person);
            let no_episode =
                !published.report.inputs.iter().any(
                    |input| matches!(input, chart::facts::Input::Values { name, .. } if name == "episode"),
                );
            if !same && (whole_clinic || no_episode) {
                let part = difference(&own, &published.report);
                let story = format!("tablet {} reports {document} otherwise: {part}", machine.index);
                return Err(broken(Promise::Confirmed, story));
            }
        }
        Ok(())
    }
}

/// What a clinic's log says of its notes, for facts gathered without its hub.
struct Known<'a> {
    site: usize,
    truths: &'a Truths,
    log: &'a Log,
    roster: Roster,
}

impl Known<'_> {
    fn facts(&self, document: DocumentId, truth: &Truth) -> chart::facts::Facts {
        let slices: BTreeMap<DocumentId, DaySlice> = self
            .truths
            .iter()
            .filter(|(_, truth)| truth.note.kind() == Kind::Visit)
            .map(|(id, truth)| (*id, facts::slice(&truth.note.read_visit().value)))
            .collect();
        let visit = &truth.note.read_visit().value;
        let own = facts::slice(visit);
        let (dates, providers) = (facts::dates(&own), facts::providers(&own));
        let mut around = Around::default();
        let mut pending = truth.pending;
        for (id, slice) in slices.iter().filter(|(id, _)| **id != document) {
            if facts::dates(slice).is_disjoint(&dates) {
                continue;
            }
            if slice.patient.is_some() && slice.patient == own.patient {
                pending |= self.truths.get(id).is_some_and(|truth| truth.pending);
                around.patient_day.push(slice.clone());
            }
            if !facts::providers(slice).is_disjoint(&providers) {
                around.provider_day.push(slice.clone());
            }
        }
        let logged = self.log.documents.get(&document);
        let home = logged.map_or(self.site, LoggedDocument::home);
        let settings = self.settings(home);
        self.people(home, &mut around);
        if let Some(settings) = settings {
            around.settings.clone_from(&settings.rules);
        }
        around.patient =
            own.patient.and_then(|patient| self.roster.with_every_team(patient)).as_ref().map(facts::patient);
        around.arrivals = logged.map(LoggedDocument::arrivals).unwrap_or_default();
        let received = around.arrivals.iter().map(|arrival| arrival.received_at).max();
        let offset = settings.map_or(0, |settings| settings.utc_offset_minutes);
        let as_of = received.unwrap_or(Timestamp::from_unix_ms(0)).clock_time(offset).local_date();
        around.episode = visit.episode.and_then(|id| {
            let episode = self.truths.get(&id).filter(|truth| truth.note.kind() == Kind::Episode)?;
            let visits = slices.iter().filter_map(|(visit, slice)| {
                let visit = &self.truths.get(visit)?.note.read_visit().value;
                (visit.episode == Some(id)).then(|| EpisodeVisit::of(visit, slice))
            });
            Some(course(&episode.note.read_episode().value, episode.note.heads(), &own, visits))
        });
        let standing = match pending {
            true => Standing::Pending,
            false if self.is_open(own.patient, &dates) => Standing::Provisional,
            false => Standing::Complete,
        };
        facts::gather(&truth.note, around, as_of, standing)
    }

    /// The last settings of a clinic.
    fn settings(&self, home: usize) -> Option<&ClinicSettings> {
        self.log.words.iter().rev().find_map(|(origin, reference)| match reference {
            Reference::Settings(settings) if *origin == home => Some(settings),
            _ => None,
        })
    }

    /// Everybody, as the clinic says where the note was begun; others as the first clinic says that knows them.
    fn people(&self, home: usize, around: &mut Around) {
        let mut order: Vec<usize> = (0..4).rev().filter(|site| *site != home).collect();
        order.push(home);
        for site in order {
            for (origin, reference) in &self.log.words {
                if let Reference::Person(person) = reference
                    && *origin == site
                {
                    around.people.insert(person.id, facts::person(person));
                }
            }
        }
    }

    /// Whether a clinic that treats the patient has not said that its charting of these days is complete.
    fn is_open(&self, patient: Option<PatientId>, dates: &BTreeSet<Date>) -> bool {
        let treating = patient.map(|patient| self.roster.treating(patient)).unwrap_or_default();
        let treating: BTreeSet<usize> = treating.into_iter().map(crate::clinic::site_of).collect();
        if !treating.contains(&self.site) {
            return false;
        }
        let closed = |site: &usize| {
            let words = self.log.words.iter().filter(|(origin, _)| origin == site);
            let through = words.filter_map(|(_, reference)| match reference {
                Reference::DayClosed(closed) => Some(closed.through),
                _ => None,
            });
            through.max() >= dates.last().copied() && !dates.is_empty()
        };
        !treating.iter().all(closed)
    }
}

/// Two values; of two lists what only one of them holds.
fn apart(
    one: &serde_json::Value,
    other: Option<&serde_json::Value>,
) -> (serde_json::Value, Option<serde_json::Value>) {
    let (Some(own), Some(others)) = (one.as_array(), other.and_then(serde_json::Value::as_array)) else {
        return (one.clone(), other.cloned());
    };
    let only = |of: &[serde_json::Value], not: &[serde_json::Value]| {
        serde_json::Value::Array(of.iter().filter(|value| !not.contains(value)).cloned().collect())
    };
    (only(own, others), Some(only(others, own)))
}

/// Which parts of two reports differ.
pub(crate) fn difference(one: &chart::report::Report, other: &chart::report::Report) -> String {
    let (Ok(serde_json::Value::Object(one)), Ok(serde_json::Value::Object(other))) =
        (serde_json::to_value(one), serde_json::to_value(other))
    else {
        return String::new();
    };
    let parts = one.iter().filter(|(name, value)| other.get(*name) != Some(value));
    let parts: Vec<String> = parts
        .map(|(name, value)| {
            let short = |value: Option<&serde_json::Value>| {
                value.map(|value| value.to_string().chars().take(400).collect::<String>()).unwrap_or_default()
            };
            let (one, other) = apart(value, other.get(name));
            format!("{name}: {} instead of {}", short(Some(&one)), short(other.as_ref()))
        })
        .collect();
    parts.join(", ")
}
