//! From a document to plain values: total, whatever the document holds.
//!
//! A missing or wrong-typed part becomes a problem in one sentence that names its place and never its
//! content; unknown keys are left alone. Nothing here picks a winner among versions of a billing fact,
//! and nothing here changes the document.

pub(crate) mod registers;
mod values;

use std::collections::BTreeMap;

use automerge::{Automerge, ROOT};
use chart::episode::{Episode, Goal};
use chart::ids::{ActivityId, ActorId, ClinicId, DocumentId, EntryId, GoalId, PatientId, SegmentId};
use chart::register::Register;
use chart::visit::{Activity, Amendment, Attestation, Comment, Measure, SegmentValue, Signature, Visit};
use chart::{Attribution, code::Discipline, time::ClockTime};
use serde::de::DeserializeOwned;

use crate::author::Author;
use crate::schema::{FactName, activity, fact, root};
use registers::RawVersion;
use values::Reader;

/// What was read: the values, and what is wrong or contested beside the billing facts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading<T> {
    /// The values.
    pub value: T,
    /// Parts that could not be read, each in one sentence.
    pub problems: Vec<String>,
    /// Plain fields and texts that two tablets changed at once: advice, never a hold.
    pub concurrent: Vec<String>,
}

/// Reads a visit at its current heads.
pub fn visit(id: DocumentId, doc: &Automerge) -> Reading<Visit> {
    let mut reader = Reader::new(doc);
    let mut visit = Visit::empty(id);
    visit.schema = reader.schema();
    read_header(&mut reader, &mut visit);
    let mut facts = registers::all(doc, &mut reader.problems);
    read_facts(&mut reader, &mut visit, &mut facts);
    read_activities(&mut reader, &mut visit, &mut facts);
    for leftover in facts.keys() {
        if let FactName::Segment(..) = leftover {
            reader.problem(&format!("registers/{leftover}"), "belongs to no activity");
        }
    }
    read_entries(&mut reader, &mut visit);
    let (problems, mut concurrent) = reader.finish();
    concurrent.extend(crate::graph::concurrent_texts(doc));
    Reading { value: visit, problems, concurrent }
}

/// Reads an episode at its current heads.
pub fn episode(id: DocumentId, doc: &Automerge) -> Reading<Episode> {
    let mut reader = Reader::new(doc);
    let mut episode = Episode::empty(id);
    episode.schema = reader.schema();
    let header = reader.map(&ROOT, "", root::HEADER);
    episode.patient =
        reader.parsed(header.as_ref(), root::HEADER, "patient", |text| PatientId::parse(text).ok());
    episode.discipline =
        reader.parsed(header.as_ref(), root::HEADER, "discipline", |text| Some(Discipline::from(text)));
    episode.started_on = reader.parsed(header.as_ref(), root::HEADER, "started_on", |text| text.parse().ok());
    let mut facts = registers::all(doc, &mut reader.problems);
    episode.payer = register(&mut reader, &mut facts, fact::PAYER);
    episode.diagnoses = register(&mut reader, &mut facts, fact::DIAGNOSES);
    episode.fields = reader.strings(root::FIELDS);
    episode.text = reader.texts();
    for (key, goal) in reader.child_maps(root::GOALS) {
        let path = format!("{}/{key}", root::GOALS);
        let Ok(goal_id) = GoalId::parse(&key) else {
            reader.problem(&path, "is not named by a goal id");
            continue;
        };
        let mut parts = reader.strings_of(&goal, &path);
        let due = parts.remove("due").and_then(|text| text.parse().ok());
        let read = Goal {
            task: parts.remove("task").unwrap_or_default(),
            baseline: parts.remove("baseline"),
            target: parts.remove("target"),
            due,
            status: parts.remove("status"),
        };
        episode.goals.insert(goal_id, read);
    }
    let (problems, mut concurrent) = reader.finish();
    concurrent.extend(crate::graph::concurrent_texts(doc));
    Reading { value: episode, problems, concurrent }
}

/// Who speaks under which actor, as the document itself records it.
pub fn actors(doc: &Automerge) -> BTreeMap<ActorId, Author> {
    Reader::new(doc).authors
}

fn read_header(reader: &mut Reader<'_>, visit: &mut Visit) {
    let header = reader.map(&ROOT, "", root::HEADER);
    let header = header.as_ref();
    let at = root::HEADER;
    visit.patient = reader.parsed(header, at, "patient", |text| PatientId::parse(text).ok());
    visit.episode = reader.parsed(header, at, "episode", |text| DocumentId::parse(text).ok());
    visit.clinic = reader.parsed(header, at, "clinic", |text| ClinicId::parse(text).ok());
    visit.discipline = reader.parsed(header, at, "discipline", |text| Some(Discipline::from(text)));
    visit.check_in = reader.parsed(header, at, "check_in", |text| ClockTime::parse(text).ok());
    visit.check_out = reader.parsed(header, at, "check_out", |text| ClockTime::parse(text).ok());
}

type RawFacts = BTreeMap<FactName, Vec<RawVersion>>;

fn read_facts(reader: &mut Reader<'_>, visit: &mut Visit, facts: &mut RawFacts) {
    visit.provider = register(reader, facts, fact::PROVIDER);
    visit.date = register(reader, facts, fact::DATE);
    visit.place = register(reader, facts, fact::PLACE);
    visit.payer = register(reader, facts, fact::PAYER);
    visit.diagnoses = register(reader, facts, fact::DIAGNOSES);
    visit.tie_pick = register(reader, facts, fact::TIE_PICK);
    visit.billed_units = register(reader, facts, fact::BILLED_UNITS);
    visit.totals = register(reader, facts, fact::TOTALS);
}

fn register<T: DeserializeOwned + Clone + Ord>(
    reader: &mut Reader<'_>,
    facts: &mut RawFacts,
    name: &str,
) -> Register<T> {
    let name = FactName::Note(name.to_owned());
    let raw = facts.remove(&name).unwrap_or_default();
    typed(reader, &name, raw)
}

fn typed<T: DeserializeOwned + Clone + Ord>(
    reader: &mut Reader<'_>,
    name: &FactName,
    raw: Vec<RawVersion>,
) -> Register<T> {
    let mut versions = Vec::new();
    for version in raw {
        let by = reader.attribution(&version.written_by);
        match version.typed(by) {
            Some(version) => versions.push(version),
            None => reader.problem(&format!("registers/{name}"), "has a value this version cannot read"),
        }
    }
    Register::from_versions(versions)
}

fn read_activities(reader: &mut Reader<'_>, visit: &mut Visit, facts: &mut RawFacts) {
    for (key, object) in reader.child_maps(root::ACTIVITIES) {
        let path = format!("{}/{key}", root::ACTIVITIES);
        let Ok(id) = ActivityId::parse(&key) else {
            reader.problem(&path, "is not named by an activity id");
            continue;
        };
        let mut read = Activity::default();
        if let Some(techniques) = reader.map(&object, &path, activity::TECHNIQUES) {
            read.techniques = reader.techniques(&techniques, &path);
        }
        if let Some(fields) = reader.map(&object, &path, activity::FIELDS) {
            read.fields = reader.strings_of(&fields, &format!("{path}/{}", activity::FIELDS));
        }
        read.goal = reader.parsed(Some(&object), &path, activity::GOAL, |text| GoalId::parse(text).ok());
        visit.activities.insert(id, read);
    }
    let segments: Vec<(ActivityId, SegmentId)> = facts
        .keys()
        .filter_map(|name| match name {
            FactName::Segment(activity, segment) => Some((*activity, *segment)),
            FactName::Note(_) => None,
        })
        .collect();
    for (activity, segment) in segments {
        if let Some(read) = visit.activities.get_mut(&activity) {
            let name = FactName::Segment(activity, segment);
            let raw = facts.remove(&name).unwrap_or_default();
            let register: Register<SegmentValue> = typed(reader, &name, raw);
            read.segments.insert(segment, register);
        }
    }
    for key in reader.keys(root::SAME) {
        let pair = key
            .split_once(':')
            .and_then(|(a, b)| Some((ActivityId::parse(a).ok()?, ActivityId::parse(b).ok()?)));
        match pair {
            Some(pair) => _ = visit.same_activities.insert(pair),
            None => reader.problem(root::SAME, "holds a pair that is not two activity ids"),
        }
    }
}

fn read_entries(reader: &mut Reader<'_>, visit: &mut Visit) {
    visit.text = reader.texts();
    visit.fields = reader.strings(root::FIELDS);
    for (key, text) in reader.strings(root::GOAL_STATUS) {
        match GoalId::parse(&key) {
            Ok(goal) => _ = visit.goal_status.insert(goal, text),
            Err(_) => reader.problem(root::GOAL_STATUS, "is not named by a goal id"),
        }
    }
    visit.measures =
        entries(reader, root::MEASURES, |value, _| serde_json::from_value::<Measure>(value).ok());
    visit.attestations = entries(reader, root::ATTESTATIONS, with_author::<Attestation>);
    visit.comments = entries(reader, root::COMMENTS, with_author::<Comment>);
    visit.signatures = entries(reader, root::SIGNATURES, with_author::<Signature>);
    visit.amendments = entries(reader, root::AMENDMENTS, with_author::<Amendment>);
}

/// The author is never taken from the entry's own text: it is whoever wrote the change.
fn with_author<T: DeserializeOwned>(mut value: serde_json::Value, by: Attribution) -> Option<T> {
    let author = serde_json::to_value(by).ok()?;
    value.as_object_mut()?.insert("by".to_owned(), author);
    serde_json::from_value(value).ok()
}

fn entries<T>(
    reader: &mut Reader<'_>,
    container: &str,
    read: impl Fn(serde_json::Value, Attribution) -> Option<T>,
) -> BTreeMap<EntryId, T> {
    let mut found = BTreeMap::new();
    for (key, text, written_by) in reader.attributed_strings(container) {
        let by = reader.attribution(&written_by);
        let value = serde_json::from_str(&text).ok();
        match (EntryId::parse(&key), value.and_then(|value| read(value, by))) {
            (Ok(id), Some(entry)) => _ = found.insert(id, entry),
            _ => reader.problem(container, "holds an entry this version cannot read"),
        }
    }
    found
}
