//! The parts of the short form: names to ids, clock times, segments with what was done in them.

use std::collections::{BTreeMap, BTreeSet};

use chart::code::Mode;
use chart::facts::{DaySlice, PersonFacts, SegmentFacts, SignatureFacts};
use chart::history::SignatureProof;
use chart::ids::{ActivityId, DeviceId, DocumentId, EntryId, GoalId, PatientId, PersonId, SegmentId};
use chart::reference::Profession;
use chart::register::{Alternative, Fact};
use chart::time::{ClockTime, Minutes, Timestamp};
use chart::visit::{Activity, SegmentValue, activity_field};
use chrono::NaiveDate;
use serde_json::{Map, Value};

use super::blank::slice_of;
use super::error::{AssessError, code_of, wrong};

/// Sixteen bytes that stand for a name.
fn bytes(kind: &str, name: &str) -> [u8; 16] {
    let mut id = [0u8; 16];
    let hash = blake3::hash(format!("{kind}:{name}").as_bytes());
    for (to, from) in id.iter_mut().zip(hash.as_bytes()) {
        *to = *from;
    }
    id
}

/// Ids by name, and the people met so far.
#[derive(Default)]
pub(super) struct Names {
    /// The date times are on, and the clock's offset.
    pub(super) day: Option<(NaiveDate, i16)>,
    pub(super) people: BTreeMap<PersonId, PersonFacts>,
    segments: usize,
}

impl Names {
    pub(super) fn person(&self, name: &str) -> PersonId {
        PersonId::parse(name).unwrap_or_else(|_| PersonId::from_bytes(bytes("person", name)))
    }
    pub(super) fn patient(&self, name: &str) -> PatientId {
        PatientId::parse(name).unwrap_or_else(|_| PatientId::from_bytes(bytes("patient", name)))
    }
    pub(super) fn document(&self, name: &str) -> DocumentId {
        DocumentId::from_bytes(bytes("document", name))
    }
    pub(super) fn goal(&self, index: usize) -> GoalId {
        GoalId::from_bytes(bytes("goal", &(index + 1).to_string()))
    }
    pub(super) fn entry(&self, kind: &str, index: usize) -> EntryId {
        EntryId::from_bytes(bytes(kind, &index.to_string()))
    }

    /// What is known of a person, added to what the segments said.
    pub(super) fn know(&mut self, name: &str, facts: PersonFacts) {
        let id = self.person(name);
        let profession = self.people.get(&id).and_then(|known| known.profession.clone());
        let facts = PersonFacts { profession: facts.profession.clone().or(profession), ..facts };
        self.people.insert(id, facts);
    }

    /// Notes a person's profession by its usual short or long name.
    pub(super) fn profession(&mut self, name: &str, kind: &str) {
        let profession = match kind.to_ascii_uppercase().as_str() {
            "PT" => Profession::PhysicalTherapist,
            "PTA" => Profession::PhysicalTherapistAssistant,
            "OT" => Profession::OccupationalTherapist,
            "OTA" | "COTA" => Profession::OccupationalTherapyAssistant,
            "SLP" => Profession::SpeechLanguagePathologist,
            "DC" => Profession::Chiropractor,
            "MT" | "LMT" => Profession::MassageTherapist,
            "STUDENT" | "SPT" => Profession::Student,
            "AIDE" | "TECH" | "TECHNICIAN" => Profession::Aide,
            _ => Profession::from(kind.to_lowercase().as_str()),
        };
        let id = self.person(name);
        self.people.entry(id).or_default().profession = Some(profession);
    }

    /// Reads `09:00` on the visit's date, or a whole clock time.
    fn clock(&self, field: &str, text: &str) -> Result<ClockTime, AssessError> {
        let bad = || wrong(field, "a time such as 09:00");
        if text.contains('T') {
            return ClockTime::parse(text).map_err(|_| bad());
        }
        let (date, offset) = self.day.unwrap_or_default();
        let mut parts = text.split(':').map(str::parse::<u32>);
        match (parts.next(), parts.next()) {
            (Some(Ok(hour)), Some(Ok(minute))) => {
                ClockTime::on(date, hour, minute, offset).map_err(|_| bad())
            }
            _ => Err(bad()),
        }
    }

    pub(super) fn clock_field(
        &self,
        object: &Map<String, Value>,
        name: &str,
    ) -> Result<Option<ClockTime>, AssessError> {
        match object.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => self.clock(name, text).map(Some),
            Some(_) => Err(wrong(name, "a time such as 09:00")),
        }
    }

    /// `signed: true` is a current author's signature; `signatures` tells more.
    pub(super) fn signatures(&self, object: &Map<String, Value>) -> Result<Vec<SignatureFacts>, AssessError> {
        let (date, offset) = self.day.unwrap_or_default();
        let noon = ClockTime::on(date, 12, 0, offset).map_or(0, |time| time.minute().saturating_mul(60_000));
        let one = |index: usize, given: &Value| SignatureFacts {
            id: self.entry("signature", index),
            person: self.person(given.get("person").and_then(Value::as_str).unwrap_or("provider")),
            meaning: given.get("meaning").and_then(Value::as_str).unwrap_or("author").to_owned(),
            credentials: given.get("credentials").and_then(Value::as_str).unwrap_or("").to_owned(),
            at: Timestamp::from_unix_ms(noon),
            current: given.get("current").and_then(Value::as_bool).unwrap_or(true),
            unseen: BTreeSet::new(),
            proof: SignatureProof::default(),
        };
        if object.get("signed").and_then(Value::as_bool) == Some(true) {
            return Ok(vec![one(0, &serde_json::json!({"credentials": "PT"}))]);
        }
        match object.get("signatures") {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::Array(list)) => {
                Ok(list.iter().enumerate().map(|(index, given)| one(index, given)).collect())
            }
            Some(_) => Err(wrong("signatures", "a list")),
        }
    }
}

/// Segments sorted by whose note they belong to.
#[derive(Default)]
pub(super) struct Parts {
    pub(super) own: Vec<SegmentFacts>,
    pub(super) activities: BTreeMap<ActivityId, Activity>,
    /// Segments of other patients, one slice for each.
    pub(super) others: Vec<DaySlice>,
    pub(super) first_provider: Option<String>,
    pub(super) patient: Option<String>,
}

/// Reads a list of segments; the note's patient is the one named, else the first segment's.
pub(super) fn segments(
    names: &mut Names,
    list: &[Value],
    patient: Option<&str>,
) -> Result<Parts, AssessError> {
    let mut parts = Parts { patient: patient.map(str::to_owned), ..Parts::default() };
    let mut others: BTreeMap<String, DaySlice> = BTreeMap::new();
    for value in list {
        let object = value.as_object().ok_or_else(|| wrong("segments", "a list of objects"))?;
        let text = |name: &str| object.get(name).and_then(Value::as_str).map(str::to_owned);
        let whose = text("patient");
        if parts.patient.is_none() {
            parts.patient.clone_from(&whose);
        }
        if let (Some(name), Some(role)) = (text("provider"), text("role").or_else(|| text("provider_type"))) {
            names.profession(&name, &role);
        }
        let facts = one(names, object)?;
        let other = whose.filter(|whose| Some(whose) != parts.patient.as_ref());
        match other {
            None => {
                if parts.first_provider.is_none() {
                    parts.first_provider = text("provider");
                }
                parts.activities.insert(facts.activity, activity(names, object)?);
                parts.own.push(facts);
            }
            Some(other) => {
                let slice = others.entry(other.clone()).or_insert_with(|| {
                    let mut slice = slice_of(names.document(&format!("of {other}")));
                    slice.patient = Some(names.patient(&other));
                    slice
                });
                slice.segments.push(facts);
            }
        }
    }
    parts.others = others.into_values().collect();
    Ok(parts)
}

fn one(names: &mut Names, object: &Map<String, Value>) -> Result<SegmentFacts, AssessError> {
    names.segments += 1;
    let number = names.segments.to_string();
    let code = object.get("code").and_then(Value::as_str).ok_or_else(|| wrong("code", "a service code"))?;
    let mut value = SegmentValue::of(code_of(code)?);
    let minutes = |name: &str| -> Result<Option<Minutes>, AssessError> {
        match object.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(given) if given.as_f64().is_some_and(|minutes| minutes < 0.0) => Err(AssessError::new(
                "negative_minutes",
                format!("The minutes of {} are below zero.", value.code),
            )),
            Some(given) => {
                let whole = given.as_u64().and_then(|n| u32::try_from(n).ok());
                whole.map(|n| Some(Minutes::new(n))).ok_or_else(|| wrong(name, "a whole number"))
            }
        }
    };
    let (typed, share) = (minutes("minutes")?, minutes("co_treatment_share")?);
    value.start = names.clock_field(object, "start")?;
    value.end = names.clock_field(object, "end")?;
    value.typed_minutes = typed;
    value.co_treatment_share = share;
    value.mode = object.get("mode").and_then(Value::as_str).map(Mode::from);
    let person = |name: &str| object.get(name).and_then(Value::as_str).map(|text| names.person(text));
    value.performer = person("provider");
    value.directed_by = person("directed_by");
    value.supervised_by = person("supervised_by");
    value.counted = object.get("counted").and_then(Value::as_bool);
    value.entered_in_error = object.get("entered_in_error").and_then(Value::as_bool).unwrap_or(false);
    let device = object.get("tablet").and_then(Value::as_str);
    Ok(SegmentFacts {
        activity: ActivityId::from_bytes(bytes("activity", &number)),
        segment: SegmentId::from_bytes(bytes("segment", &number)),
        value: sides(names, object, value)?,
        devices: device.map(|name| DeviceId::from_bytes(bytes("tablet", name))).into_iter().collect(),
    })
}

/// `or_end` lists other ends somebody stands by: then the segment is disputed.
fn sides(
    names: &Names,
    object: &Map<String, Value>,
    value: SegmentValue,
) -> Result<Fact<SegmentValue>, AssessError> {
    let Some(ends) = object.get("or_end").and_then(Value::as_array) else { return Ok(Fact::Agreed(value)) };
    let mut values = vec![value.clone()];
    for end in ends {
        let end = names.clock("or_end", end.as_str().unwrap_or(""))?;
        values.push(SegmentValue { end: Some(end), ..value.clone() });
    }
    Ok(Fact::Disputed(
        values
            .into_iter()
            .map(|value| Alternative { value, versions: BTreeSet::new(), by: Vec::new() })
            .collect(),
    ))
}

fn activity(names: &Names, object: &Map<String, Value>) -> Result<Activity, AssessError> {
    let mut activity = Activity::default();
    for (name, field) in [
        ("text", activity_field::DESCRIPTION),
        ("description", activity_field::DESCRIPTION),
        ("device", activity_field::DEVICE),
        ("region", activity_field::REGION),
        ("purpose", activity_field::PURPOSE),
        ("cueing", activity_field::CUEING),
        ("assistance", activity_field::ASSISTANCE),
        ("dose", activity_field::DOSE),
        ("response", activity_field::RESPONSE),
        ("element", activity_field::ELEMENT),
    ] {
        if let Some(text) = object.get(name).and_then(Value::as_str) {
            activity.fields.insert(field.to_owned(), text.to_owned());
        }
    }
    if let Some(list) = object.get("techniques") {
        let list = list.as_array().ok_or_else(|| wrong("techniques", "a list of texts"))?;
        activity.techniques = list.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    }
    if let Some(goal) = object.get("goal").and_then(Value::as_u64) {
        // Goals are counted from 1, as people do.
        let index = usize::try_from(goal)
            .ok()
            .and_then(|goal| goal.checked_sub(1))
            .ok_or_else(|| wrong("goal", "a number from 1"))?;
        activity.goal = Some(names.goal(index));
    }
    Ok(activity)
}
