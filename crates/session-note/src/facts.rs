//! What the compliance engine is told of a note: cut from plain values, the same on every replica.
//!
//! Shared by server and tablet, so that equal inputs give equal facts. Knows no rule, picks no winner.

use std::collections::{BTreeMap, BTreeSet};

use chart::facts::{
    Arrival, ClaimFacts, DaySlice, EpisodeFacts, Facts, Input, NoteFacts, PersonFacts, ProviderHistory,
    SegmentFacts, SignatureFacts, Standing,
};
use chart::ids::{ActivityId, ChangeHash, Digest, DocumentId, PersonId, SegmentId};
use chart::reference::Person;
use chart::register::{Fact, Register};
use chart::time::Date;
use chart::visit::{Activity, SegmentValue, Visit};
use serde::Serialize;
use sha2::Digest as _;

use crate::document::NoteDocument;
use crate::graph::Graph;

/// The part of a note that other notes' reports depend on.
pub fn slice(visit: &Visit) -> DaySlice {
    DaySlice {
        document: visit.id,
        patient: visit.patient,
        discipline: visit.discipline.clone(),
        date: without_authors(visit.date.fact()),
        provider: without_authors(visit.provider.fact()),
        payer: without_authors(visit.payer.fact()),
        tie_pick: without_authors(visit.tie_pick.fact()),
        billed_units: without_authors(visit.billed_units.fact()),
        segments: segments(visit),
    }
}

/// Authors are history, not billing: a report must not change because a tablet's clock did.
fn without_authors<T>(mut fact: Fact<T>) -> Fact<T> {
    if let Fact::Disputed(sides) = &mut fact {
        for side in sides {
            side.by.clear();
        }
    }
    fact
}

fn segments(visit: &Visit) -> Vec<SegmentFacts> {
    let names = united_activities(visit);
    let mut registers: BTreeMap<(ActivityId, SegmentId), Register<SegmentValue>> = BTreeMap::new();
    let mut united: BTreeMap<ActivityId, Vec<&Activity>> = BTreeMap::new();
    for (id, activity) in &visit.activities {
        united.entry(names.get(id).copied().unwrap_or(*id)).or_default().push(activity);
    }
    for (name, activities) in united {
        // The first segments of united activities are one segment, the second ones another, and so on.
        let columns: Vec<Vec<(SegmentId, &Register<SegmentValue>)>> =
            activities.iter().map(|activity| in_time_order(activity)).collect();
        let longest = columns.iter().map(Vec::len).max().unwrap_or(0);
        for row in 0..longest {
            let row: Vec<_> = columns.iter().filter_map(|column| column.get(row)).collect();
            let Some(id) = row.iter().map(|(id, _)| *id).min() else { continue };
            let versions = row.iter().flat_map(|(_, register)| register.versions().iter().cloned());
            registers.insert((name, id), Register::from_versions(versions));
        }
    }
    registers
        .into_iter()
        .map(|((activity, segment), register)| SegmentFacts {
            activity,
            segment,
            value: without_authors(register.fact()),
            devices: register.open().iter().map(|version| version.by.device).collect(),
        })
        .collect()
}

fn in_time_order(activity: &Activity) -> Vec<(SegmentId, &Register<SegmentValue>)> {
    let mut ordered: Vec<_> = activity.segments.iter().map(|(id, register)| (*id, register)).collect();
    ordered.sort_by_key(|(id, register)| {
        let start = register.open().iter().filter_map(|version| version.value.start).min();
        (start, *id)
    });
    ordered
}

/// For every activity that was said to be the same as another, the smallest id of its group.
fn united_activities(visit: &Visit) -> BTreeMap<ActivityId, ActivityId> {
    let mut names: BTreeMap<ActivityId, ActivityId> = visit.activities.keys().map(|id| (*id, *id)).collect();
    // Each round passes the smallest name one step on; there are at most as many steps as pairs.
    for _ in 0..=visit.same_activities.len() {
        for (a, b) in &visit.same_activities {
            let (Some(name_a), Some(name_b)) = (names.get(a).copied(), names.get(b).copied()) else {
                continue;
            };
            let name = name_a.min(name_b);
            names.insert(*a, name);
            names.insert(*b, name);
        }
    }
    names
}

/// Everything rules ask of the note itself.
pub fn note(document: &NoteDocument) -> NoteFacts {
    let reading = document.read_visit();
    let visit = reading.value;
    let signatures = signatures(document, &visit);
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
        concurrent_text: reading.concurrent,
        problems: reading.problems,
    }
}

fn signatures(document: &NoteDocument, visit: &Visit) -> Vec<SignatureFacts> {
    if visit.signatures.is_empty() {
        return Vec::new();
    }
    let content_digest = crate::sign::digest(&crate::sign::content(visit));
    let graph = Graph::of(document.engine());
    let facts = visit.signatures.iter().map(|(id, signature)| SignatureFacts {
        id: *id,
        person: signature.by.person,
        meaning: signature.meaning.clone(),
        credentials: signature.credentials.clone(),
        at: signature.by.at,
        current: signature.content_digest == content_digest,
        unseen: graph.content_beyond(&signature.heads),
    });
    facts.collect()
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

/// Everything that stands beside the note when a report is asked for.
#[derive(Clone, Debug, Default)]
pub struct Around {
    /// Other notes of the patient on that date.
    pub patient_day: Vec<DaySlice>,
    /// Other notes of that date with one of this note's providers.
    pub provider_day: Vec<DaySlice>,
    /// The episode with the heads it was read at.
    pub episode: Option<(DocumentId, BTreeSet<ChangeHash>, EpisodeFacts)>,
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
    let note = note(document);
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
    let episode = around.episode.map(|(document, heads, facts)| {
        inputs.push(Input::Document { document, heads });
        inputs.push(values("episode", &facts));
        facts
    });
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
    named
}

/// Everyone who may have treated in this note: its provider and the performers of its segments, on
/// every side of a dispute.
pub fn providers(slice: &DaySlice) -> BTreeSet<PersonId> {
    let mut providers: BTreeSet<PersonId> = slice.provider.values().into_iter().copied().collect();
    for segment in &slice.segments {
        providers.extend(segment.value.values().into_iter().filter_map(|value| value.performer));
    }
    providers
}

/// Every date the note may be of.
pub fn dates(slice: &DaySlice) -> BTreeSet<Date> {
    slice.date.values().into_iter().copied().collect()
}

/// SHA-256 of a value's JSON.
pub fn digest_of<T: Serialize>(value: &T) -> Digest {
    let json = serde_json::to_vec(value).unwrap_or_default();
    Digest::from_bytes(sha2::Sha256::digest(&json).into())
}

fn values<T: Serialize>(name: &str, value: &T) -> Input {
    Input::Values { name: name.to_owned(), digest: digest_of(value) }
}

/// An episode as rules ask, without the visits.
pub fn episode(episode: &chart::episode::Episode) -> EpisodeFacts {
    EpisodeFacts {
        diagnoses: episode.diagnoses.fact().agreed().cloned().unwrap_or_default(),
        goals: episode.goals.clone(),
        started_on: episode.started_on,
        fields: episode.fields.clone(),
        ..EpisodeFacts::default()
    }
}

/// Counts one visit of the episode for every code it was given.
pub fn count_codes(episode: &mut EpisodeFacts, visit: &DaySlice) {
    let values = visit.segments.iter().flat_map(|segment| segment.value.values());
    let codes: BTreeSet<_> =
        values.filter(|value| !value.entered_in_error).map(|value| value.code.clone()).collect();
    for code in codes {
        *episode.visits_by_code.entry(code).or_insert(0) += 1;
    }
}
