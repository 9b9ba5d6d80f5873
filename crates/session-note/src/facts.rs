//! What the compliance engine is told of a note: cut from plain values, the same on every replica.
//!
//! Shared by server and tablet, so that equal inputs give equal facts. Knows no rule, picks no winner.

use std::collections::{BTreeMap, BTreeSet};

use chart::facts::{
    Arrival, ClaimFacts, DaySlice, Facts, Input, NoteFacts, PersonFacts, ProviderHistory, Standing,
};
use chart::ids::{ActivityId, Digest, DocumentId, PersonId};
use chart::patient_file::PatientFacts;
use chart::reference::{Patient, Person};
use chart::time::Date;
use chart::visit::Activity;
use serde::Serialize;
use sha2::Digest as _;

use crate::course::Course;
use crate::document::NoteDocument;
use crate::read::Reading;
use crate::slices::without_authors;

pub use crate::slices::{dates, providers, slice};

/// Everything rules ask of the note itself.
pub fn note(document: &NoteDocument) -> &NoteFacts {
    document.facts_by(|| note_of(document))
}

fn note_of(document: &NoteDocument) -> NoteFacts {
    let Reading { value: visit, problems, concurrent } = document.read_visit().clone();
    let (signatures, history) = crate::origin::of(document, &visit);
    let mut activities: BTreeMap<ActivityId, Activity> = BTreeMap::new();
    for (id, activity) in &visit.activities {
        activities.insert(*id, Activity { segments: BTreeMap::new(), ..activity.clone() });
    }
    NoteFacts {
        slice: slice(&visit),
        clinic: visit.clinic,
        place: without_authors(visit.place.fact()),
        diagnoses: without_authors(visit.diagnoses.fact()),
        totals: without_authors(visit.totals.fact()),
        check_in: visit.check_in,
        check_out: visit.check_out,
        activities,
        text: visit.text,
        fields: visit.fields,
        measures: visit.measures,
        goal_status: visit.goal_status,
        signatures,
        concurrent_text: concurrent,
        problems,
        history,
    }
}

/// A person as rules ask.
pub fn person(person: &Person) -> PersonFacts {
    PersonFacts {
        roles: person.roles.clone(),
        profession: person.profession.clone(),
        npi: person.npi.clone(),
        license_valid_to: person.license_valid_to,
        excluded_from: person.excluded_from,
    }
}

/// A patient as rules ask.
pub fn patient(patient: &Patient) -> PatientFacts {
    PatientFacts {
        born_on: patient.born_on,
        care_team: patient.care_team.clone(),
        file: patient.file.clone(),
    }
}

/// Everything that stands beside the note when a report is asked for.
#[derive(Clone, Debug, Default)]
pub struct Around {
    /// Other notes of the patient on that date.
    pub patient_day: Vec<DaySlice>,
    /// Other notes of that date with one of this note's providers.
    pub provider_day: Vec<DaySlice>,
    /// The episode and its visits.
    pub episode: Option<Course>,
    /// What the offices hold of the patient.
    pub patient: Option<PatientFacts>,
    /// People by id; only those the notes name are taken.
    pub people: BTreeMap<PersonId, PersonFacts>,
    /// Settings of the clinic.
    pub settings: BTreeMap<String, String>,
    /// The last claim.
    pub claim: Option<ClaimFacts>,
    /// The provider's habits.
    pub provider_history: Option<ProviderHistory>,
    /// How the edits arrived.
    pub arrivals: Vec<Arrival>,
}

/// Puts facts together and names their inputs.
pub fn gather(document: &NoteDocument, mut around: Around, as_of: Date, standing: Standing) -> Facts {
    let note = note(document).clone();
    around.patient_day.sort_by_key(|slice| slice.document);
    around.provider_day.sort_by_key(|slice| slice.document);
    around.arrivals.sort();
    let named = people_named(&note, &around);
    let people: BTreeMap<PersonId, PersonFacts> =
        around.people.into_iter().filter(|(id, _)| named.contains(id)).collect();
    let mut inputs = vec![Input::Document { document: document.id(), heads: document.heads() }];
    let mut fellows: BTreeMap<DocumentId, Digest> = BTreeMap::new();
    for slice in around.patient_day.iter().chain(&around.provider_day) {
        fellows.insert(slice.document, digest_of(slice));
    }
    inputs.extend(fellows.into_iter().map(|(document, digest)| Input::Slice { document, digest }));
    let episode = around.episode.map(|course| {
        inputs.push(Input::Document { document: course.document, heads: course.heads.clone() });
        let facts = course.facts_for(&note);
        inputs.push(values("episode", &facts));
        facts
    });
    if let Some(patient) = &around.patient {
        inputs.push(values("patient", patient));
    }
    inputs.push(values("people", &people));
    inputs.push(values("settings", &around.settings));
    if let Some(claim) = &around.claim {
        inputs.push(values("claim", claim));
    }
    if let Some(history) = &around.provider_history {
        inputs.push(values("provider_history", history));
    }
    inputs.push(values("arrivals", &around.arrivals));
    Facts {
        as_of,
        standing,
        note,
        patient_day: around.patient_day,
        provider_day: around.provider_day,
        episode,
        people,
        settings: around.settings,
        claim: around.claim,
        patient: around.patient,
        provider_history: around.provider_history,
        arrivals: around.arrivals,
        inputs,
    }
}

fn people_named(note: &NoteFacts, around: &Around) -> BTreeSet<PersonId> {
    let mut named: BTreeSet<PersonId> = note.signatures.iter().map(|signature| signature.person).collect();
    for slice in std::iter::once(&note.slice).chain(&around.patient_day).chain(&around.provider_day) {
        named.extend(providers(slice));
        for segment in &slice.segments {
            for value in segment.value.values() {
                named.extend(value.directed_by);
                named.extend(value.supervised_by);
            }
        }
    }
    named.extend(around.episode.iter().flat_map(Course::performers));
    named
}

/// SHA-256 of a value's JSON.
pub fn digest_of<T: Serialize>(value: &T) -> Digest {
    let json = serde_json::to_vec(value).unwrap_or_default();
    Digest::from_bytes(sha2::Sha256::digest(&json).into())
}

fn values<T: Serialize>(name: &str, value: &T) -> Input {
    Input::Values { name: name.to_owned(), digest: digest_of(value) }
}
