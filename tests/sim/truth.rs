//! The notes of a clinic as its log alone makes them: content, whose caseloads they are on, what is kept back.

use std::collections::{BTreeMap, BTreeSet};

use chart::ids::{DocumentId, PatientId, PersonId};
use session_note::NoteDocument;
use session_note::admission::Submitted;
use session_note::course::EpisodeVisit;
use session_note::facts;
use session_note::schema::Kind;

use crate::clinic;
use crate::log::{Fate, Log, LoggedDocument};
use crate::roster::Roster;
use crate::violation::{Broken, Promise, Violation, broken};

/// A note as the log's admitted changes make it.
pub(crate) struct Truth {
    pub(crate) note: NoteDocument,
    /// Whose note it is.
    pub(crate) patient: Option<PatientId>,
    /// Whose caseloads it is on.
    pub(crate) treating: BTreeSet<PersonId>,
    pub(crate) pending: bool,
}

/// The notes of one clinic.
pub(crate) type Truths = BTreeMap<DocumentId, Truth>;

impl Truth {
    /// Whether a person's tablets should hold it.
    pub(crate) fn is_followed_by(&self, person: PersonId) -> bool {
        clinic::sees_all(person) || self.treating.contains(&person)
    }
}

/// Every document, built from the log alone.
pub(crate) fn truths(site: usize, log: &Log) -> Result<Truths, Violation> {
    let roster = Roster::of(site, log);
    let mut truths = BTreeMap::new();
    for (document, logged) in &log.documents {
        if let Some(truth) = truth(*document, logged, &roster)? {
            truths.insert(*document, truth);
        }
    }
    Ok(truths)
}

/// A document; `None` if nothing of it was admitted.
fn truth(document: DocumentId, logged: &LoggedDocument, roster: &Roster) -> Result<Option<Truth>, Violation> {
    let fates = |fate| logged.changes.values().filter(move |change| change.fate == fate);
    let admitted: Vec<Submitted> = fates(Fate::Admitted).map(|change| change.submitted.clone()).collect();
    if admitted.is_empty() {
        return Ok(None);
    }
    let note = NoteDocument::new(document, logged.kind);
    let note = note.admit(&admitted).broken(Promise::Verdicts)?.note;
    if let Some(change) = admitted.iter().find(|one| !note.contains(&one.candidate.sketch().hash)) {
        let story = format!("{} was admitted and does not apply", change.candidate.sketch().hash);
        return Err(broken(Promise::Verdicts, story));
    }
    let (patient, mut treating) = match logged.kind {
        Kind::Visit => {
            let visit = &note.read_visit().value;
            let slice = facts::slice(visit);
            let signed = EpisodeVisit::of(visit, &slice).facts.signed;
            let mut providers = facts::providers(&slice);
            let left = |person| visit.patient.is_some_and(|patient| roster.has_left(person, patient));
            providers.retain(|person| !(signed && left(*person)));
            (visit.patient, providers)
        }
        Kind::Episode => (note.read_episode().value.patient, BTreeSet::new()),
    };
    let known = patient.and_then(|id| roster.patients.get(&id));
    treating.extend(known.into_iter().flat_map(|one| &one.care_team));
    let pending = fates(Fate::Held).next().is_some()
        || fates(Fate::Unjudged).next().is_some()
        || !logged.held_abroad.is_empty();
    Ok(Some(Truth { note, patient, treating, pending }))
}
