//! What a signature covers: the clinical content, written down the same way everywhere.
//!
//! Signatures, comments, attestations and amendments are left out: they may follow a signature without
//! making it stale. Versions that say the same are one value; who wrote a value is not content.

use std::collections::BTreeMap;

use chart::ids::Digest;
use chart::register::{Fact, Register};
use chart::visit::Visit;
use serde::Serialize;
use sha2::Digest as _;

/// The version of the canonical form.
pub const CONTENT_FORMAT: &str = "gaitway-content/1";

#[derive(Serialize)]
struct Content<'a> {
    format: &'static str,
    visit: String,
    patient: Option<String>,
    episode: Option<String>,
    clinic: Option<String>,
    discipline: Option<&'a str>,
    check_in: Option<String>,
    check_out: Option<String>,
    facts: BTreeMap<String, Vec<serde_json::Value>>,
    activities: BTreeMap<String, ActivityContent<'a>>,
    same_activities: Vec<String>,
    text: &'a BTreeMap<String, String>,
    fields: &'a BTreeMap<String, String>,
    measures: BTreeMap<String, (&'a str, &'a str)>,
    goal_status: BTreeMap<String, &'a str>,
}

#[derive(Serialize)]
struct ActivityContent<'a> {
    techniques: &'a [String],
    fields: &'a BTreeMap<String, String>,
    goal: Option<String>,
}

/// The clinical content as canonical JSON.
pub fn content(visit: &Visit) -> String {
    let mut facts = BTreeMap::new();
    put(&mut facts, "provider", &visit.provider);
    put(&mut facts, "date", &visit.date);
    put(&mut facts, "place", &visit.place);
    put(&mut facts, "payer", &visit.payer);
    put(&mut facts, "diagnoses", &visit.diagnoses);
    put(&mut facts, "tie_pick", &visit.tie_pick);
    put(&mut facts, "billed_units", &visit.billed_units);
    put(&mut facts, "totals", &visit.totals);
    let mut activities = BTreeMap::new();
    for (id, activity) in &visit.activities {
        for (segment, register) in &activity.segments {
            put(&mut facts, &format!("segment/{id}/{segment}"), register);
        }
        let content = ActivityContent {
            techniques: &activity.techniques,
            fields: &activity.fields,
            goal: activity.goal.map(|goal| goal.to_string()),
        };
        activities.insert(id.to_string(), content);
    }
    let content = Content {
        format: CONTENT_FORMAT,
        visit: visit.id.to_string(),
        patient: visit.patient.map(|id| id.to_string()),
        episode: visit.episode.map(|id| id.to_string()),
        clinic: visit.clinic.map(|id| id.to_string()),
        discipline: visit.discipline.as_ref().map(|discipline| discipline.as_str()),
        check_in: visit.check_in.map(|at| at.to_string()),
        check_out: visit.check_out.map(|at| at.to_string()),
        facts,
        activities,
        same_activities: visit.same_activities.iter().map(|(a, b)| format!("{a}:{b}")).collect(),
        text: &visit.text,
        fields: &visit.fields,
        measures: visit
            .measures
            .iter()
            .map(|(id, measure)| (id.to_string(), (measure.name.as_str(), measure.value.as_str())))
            .collect(),
        goal_status: visit.goal_status.iter().map(|(id, status)| (id.to_string(), status.as_str())).collect(),
    };
    // Every member is text, a number or a map with text keys, which cannot fail to serialise.
    serde_json::to_string(&content).unwrap_or_default()
}

/// SHA-256 of the canonical content.
pub fn digest(content: &str) -> Digest {
    Digest::from_bytes(sha2::Sha256::digest(content.as_bytes()).into())
}

fn put<T: Clone + Ord + Serialize>(
    facts: &mut BTreeMap<String, Vec<serde_json::Value>>,
    name: &str,
    register: &Register<T>,
) {
    let fact = register.fact();
    if !matches!(fact, Fact::Missing) {
        let values = fact.values().into_iter().filter_map(|value| serde_json::to_value(value).ok());
        facts.insert(name.to_owned(), values.collect());
    }
}

/// SHA-256 of any bytes.
pub fn digest_bytes(bytes: &[u8]) -> Digest {
    Digest::from_bytes(sha2::Sha256::digest(bytes).into())
}
