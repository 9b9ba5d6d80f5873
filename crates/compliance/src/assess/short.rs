//! The short form of a visit: segments with `"09:00"` times and a date, people by any name.
//!
//! Ids are derived from the names given, so that equal lines give equal facts. A short form says
//! everything it knows: what it leaves out is absent (no modifier, no response), not unknown.

use std::collections::BTreeMap;

use chart::code::{Discipline, PayerId, ServiceCode};
use chart::facts::{DaySlice, EpisodeFacts, Facts, NoteFacts, PersonFacts, Standing};
use chart::ids::PersonId;
use chart::register::Fact;
use chart::visit::{Measure, TypedTotals, field};
use chrono::NaiveDate;
use serde_json::{Map, Value};

use super::blank::{note_of, slice_of};
use super::error::{AssessError, code_of, wrong};
use super::short_parts::{Names, segments};

/// Every field of the short form.
const FIELDS: &[&str] = &[
    "format",
    "name",
    "note",
    "as_of",
    "date",
    "dos",
    "payer",
    "discipline",
    "provider",
    "provider_type",
    "patient",
    "place",
    "diagnoses",
    "findings",
    "impairment",
    "function",
    "reason",
    "lost_task",
    "response",
    "education",
    "home_program",
    "subjective",
    "objective",
    "assessment",
    "plan",
    "segments",
    "day",
    "codes",
    "units",
    "modifiers",
    "regions",
    "episode",
    "progress",
    "poc",
    "goals",
    "measures",
    "totals",
    "check_in",
    "check_out",
    "tie_pick",
    "signed",
    "signatures",
    "people",
    "settings",
    "claim",
    "standing",
    "other_notes",
    "fields",
    "utc_offset_minutes",
];

/// The day a short form without any date is asked for.
const NO_DATE: (i32, u32, u32) = (2024, 7, 1);

pub(super) fn read(value: &Value, strict: bool) -> Result<Facts, AssessError> {
    let inner = value.get("note").filter(|note| note.is_object()).unwrap_or(value);
    let object = inner
        .as_object()
        .ok_or_else(|| AssessError::new("not_an_object", "A visit must be a JSON object."))?;
    if strict && let Some(key) = object.keys().find(|key| !FIELDS.contains(&key.as_str())) {
        let key: String = key.chars().take(40).collect();
        return Err(AssessError::new("unknown_field", format!("A visit has no field `{key}`.")));
    }
    if strict
        && !["segments", "codes", "day", "date", "dos", "payer"].iter().any(|key| object.contains_key(*key))
    {
        return Err(AssessError::new(
            "unknown_form",
            "A line must hold `services` or a visit with `segments`.",
        ));
    }
    Reader { object, names: Names::default() }.facts()
}

pub(super) struct Reader<'v> {
    pub(super) object: &'v Map<String, Value>,
    pub(super) names: Names,
}

impl Reader<'_> {
    fn get(&self, name: &str) -> Option<&Value> {
        self.object.get(name).filter(|value| !value.is_null())
    }
    fn text(&self, name: &str) -> Result<Option<String>, AssessError> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(wrong(name, "a text")),
        }
    }
    fn date(&self, name: &str) -> Result<Option<NaiveDate>, AssessError> {
        match self.text(name)? {
            None => Ok(None),
            Some(text) => text.parse().map(Some).map_err(|_| wrong(name, "a date such as 2026-03-17")),
        }
    }

    fn facts(mut self) -> Result<Facts, AssessError> {
        let date = match self.date("date")? {
            Some(date) => Some(date),
            None => self.date("dos")?,
        };
        let (year, month, day) = NO_DATE;
        let fallback = NaiveDate::from_ymd_opt(year, month, day).unwrap_or_default();
        let as_of = self.date("as_of")?.or(date).unwrap_or(fallback);
        let offset =
            self.get("utc_offset_minutes").and_then(Value::as_i64).and_then(|n| i16::try_from(n).ok());
        self.names.day = Some((date.unwrap_or(as_of), offset.unwrap_or(0)));
        let provider = self.text("provider")?;
        if let Some(kind) = self.text("provider_type")? {
            let name = provider.clone().unwrap_or_else(|| "provider".to_owned());
            self.names.profession(&name, &kind);
        }
        let patient = self.text("patient")?;
        let lists: Vec<Value> = ["segments", "day"]
            .iter()
            .filter_map(|key| self.get(key).and_then(Value::as_array))
            .flatten()
            .cloned()
            .collect();
        for key in ["segments", "day"] {
            if self.get(key).is_some_and(|value| !value.is_array()) {
                return Err(wrong(key, "a list of segments"));
            }
        }
        let parts = segments(&mut self.names, &lists, patient.as_deref())?;
        let provider = provider
            .or_else(|| parts.first_provider.clone())
            .or_else(|| self.get("provider_type").map(|_| "provider".to_owned()));
        let mut slice = slice_of(self.names.document("note"));
        slice.patient = Some(self.names.patient(parts.patient.as_deref().unwrap_or("patient")));
        slice.discipline =
            self.text("discipline")?.map(|text| Discipline::from(text.to_lowercase().as_str()));
        slice.date = date.map_or(Fact::Missing, Fact::Agreed);
        slice.provider = provider.map_or(Fact::Missing, |name| Fact::Agreed(self.names.person(&name)));
        slice.payer = self.text("payer")?.map_or(Fact::Missing, |payer| Fact::Agreed(PayerId(payer)));
        slice.segments = parts.own;
        slice.billed_units = self.billed_units()?;
        slice.tie_pick = match self.get("tie_pick") {
            None => Fact::Missing,
            Some(pick) => Fact::Agreed(super::services::units_by_code(pick)?),
        };
        let mut note = note_of(slice);
        note.activities = parts.activities;
        self.fill(&mut note)?;
        let episode = self.episode()?;
        let patient_day = self.other_notes()?;
        Ok(Facts {
            as_of,
            standing: self.standing()?,
            note,
            patient_day,
            provider_day: parts.others,
            episode: Some(episode),
            people: self.people()?,
            settings: self.text_map("settings")?,
            claim: self.claim()?,
            patient: None,
            provider_history: None,
            arrivals: Vec::new(),
            inputs: Vec::new(),
        })
    }

    fn standing(&self) -> Result<Standing, AssessError> {
        match self.text("standing")?.as_deref() {
            None | Some("complete") => Ok(Standing::Complete),
            Some("provisional") => Ok(Standing::Provisional),
            Some("pending") => Ok(Standing::Pending),
            Some(_) => Err(wrong("standing", "complete, provisional or pending")),
        }
    }

    /// Entered units: `units` by code, and one for every code of `codes` it does not name.
    fn billed_units(&self) -> Result<Fact<BTreeMap<ServiceCode, String>>, AssessError> {
        let mut units = BTreeMap::new();
        if let Some(codes) = self.get("codes") {
            for code in codes.as_array().ok_or_else(|| wrong("codes", "a list of codes"))? {
                units.insert(code_of(code.as_str().unwrap_or(""))?, "1".to_owned());
            }
        }
        if let Some(given) = self.get("units") {
            for (code, n) in
                given.as_object().ok_or_else(|| wrong("units", "an object of code and number"))?
            {
                let text = n.as_str().map_or_else(|| n.to_string(), str::to_owned);
                units.insert(code_of(code)?, text);
            }
        }
        Ok(if units.is_empty() { Fact::Missing } else { Fact::Agreed(units) })
    }

    fn fill(&mut self, note: &mut NoteFacts) -> Result<(), AssessError> {
        note.place = self.text("place")?.map_or(Fact::Missing, Fact::Agreed);
        let diagnoses = self.texts("diagnoses")?;
        note.diagnoses = if diagnoses.is_empty() { Fact::Missing } else { Fact::Agreed(diagnoses) };
        for (name, field) in [
            ("impairment", field::IMPAIRMENT),
            ("function", field::FUNCTION),
            ("reason", field::REASON),
            ("lost_task", field::LOST_TASK),
            ("response", field::RESPONSE),
            ("education", field::EDUCATION),
            ("home_program", field::HOME_PROGRAM),
        ] {
            if let Some(text) = self.text(name)? {
                note.fields.insert(field.to_owned(), text);
            }
        }
        let findings = self.texts("findings")?;
        if !findings.is_empty() {
            note.fields.insert(field::EXAM_FINDINGS.to_owned(), findings.join("; "));
        }
        for name in chart::visit::TEXT_FIELDS {
            if let Some(text) = self.text(name)? {
                note.text.insert(name.to_owned(), text);
            }
        }
        note.fields.insert("modifiers".to_owned(), "recorded".to_owned());
        for (name, field, between) in [("modifiers", "modifiers", " "), ("regions", "region", "; ")] {
            for (code, list) in self.get(name).and_then(Value::as_object).into_iter().flatten() {
                let texts = texts_of(list).ok_or_else(|| wrong(name, "an object of code and list"))?;
                note.fields.insert(format!("{field}.{}", code_of(code)?), texts.join(between));
            }
        }
        note.fields.extend(self.text_map("fields")?);
        if let Some(totals) = self.get("totals") {
            let totals: TypedTotals = serde_json::from_value(totals.clone())
                .map_err(|_| wrong("totals", "an object with timed and treatment minutes"))?;
            note.totals = Fact::Agreed(totals);
        }
        note.check_in = self.names.clock_field(self.object, "check_in")?;
        note.check_out = self.names.clock_field(self.object, "check_out")?;
        for (index, (name, value)) in self.text_map("measures")?.into_iter().enumerate() {
            note.measures.insert(self.names.entry("measure", index), Measure { name, value });
        }
        note.signatures = self.names.signatures(self.object)?;
        Ok(())
    }

    fn episode(&mut self) -> Result<EpisodeFacts, AssessError> {
        let mut episode = EpisodeFacts::default();
        for (name, value) in self.get("episode").and_then(Value::as_object).into_iter().flatten() {
            let number = value.as_u64().and_then(|n| u32::try_from(n).ok());
            if let Some(code) = name.strip_prefix("visits_").and_then(|code| ServiceCode::parse(code).ok()) {
                episode.visits_by_code.insert(code, number.ok_or_else(|| wrong(name, "a whole number"))?);
                continue;
            }
            match name.as_str() {
                "weeks" => episode.weeks = Some(number.ok_or_else(|| wrong(name, "a whole number"))?),
                "started_on" => {
                    episode.started_on = value.as_str().and_then(|text| text.parse().ok());
                }
                "diagnoses" => {
                    episode.diagnoses = texts_of(value).ok_or_else(|| wrong(name, "a list of texts"))?
                }
                "therapist_took_part" => episode.therapist_took_part = value.as_bool(),
                _ => {
                    episode.fields.insert(name.clone(), plain(value));
                }
            }
        }
        for group in ["progress", "poc"] {
            for (name, value) in self.get(group).and_then(Value::as_object).into_iter().flatten() {
                if !value.is_null() {
                    episode.fields.insert(format!("{group}.{name}"), plain(value));
                }
            }
        }
        for (index, goal) in self.get("goals").and_then(Value::as_array).into_iter().flatten().enumerate() {
            let goal = serde_json::from_value(goal.clone())
                .map_err(|_| wrong("goals", "a list of goals with task, baseline, target and due"))?;
            episode.goals.insert(self.names.goal(index), goal);
        }
        Ok(episode)
    }

    fn other_notes(&mut self) -> Result<Vec<DaySlice>, AssessError> {
        let mut slices = Vec::new();
        let notes: Vec<Value> =
            self.get("other_notes").and_then(Value::as_array).cloned().unwrap_or_default();
        for (index, note) in notes.iter().enumerate() {
            let list: Vec<Value> =
                note.get("segments").and_then(Value::as_array).cloned().unwrap_or_default();
            let parts = segments(&mut self.names, &list, None)?;
            let mut slice = slice_of(self.names.document(&format!("other {index}")));
            slice.patient = Some(
                self.names.patient(self.object.get("patient").and_then(Value::as_str).unwrap_or("patient")),
            );
            slice.discipline = note
                .get("discipline")
                .and_then(Value::as_str)
                .map(|text| Discipline::from(text.to_lowercase().as_str()));
            let payer = note.get("payer").or_else(|| self.object.get("payer")).and_then(Value::as_str);
            slice.payer = payer.map_or(Fact::Missing, |payer| Fact::Agreed(PayerId(payer.to_owned())));
            slice.segments = parts.own;
            slices.push(slice);
        }
        Ok(slices)
    }

    fn people(&mut self) -> Result<BTreeMap<PersonId, PersonFacts>, AssessError> {
        for (name, facts) in self.object.get("people").and_then(Value::as_object).into_iter().flatten() {
            let facts: PersonFacts = serde_json::from_value(facts.clone())
                .map_err(|_| wrong("people", "an object of name and what is known of the person"))?;
            self.names.know(name, facts);
        }
        Ok(std::mem::take(&mut self.names.people))
    }

    fn claim(&self) -> Result<Option<chart::facts::ClaimFacts>, AssessError> {
        let claim = self.get("claim").cloned();
        claim
            .map(|claim| {
                serde_json::from_value(claim).map_err(|_| wrong("claim", "an object with sent_on and units"))
            })
            .transpose()
    }

    fn texts(&self, name: &str) -> Result<Vec<String>, AssessError> {
        self.get(name)
            .map_or(Ok(Vec::new()), |value| texts_of(value).ok_or_else(|| wrong(name, "a list of texts")))
    }

    fn text_map(&self, name: &str) -> Result<BTreeMap<String, String>, AssessError> {
        match self.get(name) {
            None => Ok(BTreeMap::new()),
            Some(Value::Object(map)) => {
                Ok(map.iter().map(|(name, value)| (name.clone(), plain(value))).collect())
            }
            Some(_) => Err(wrong(name, "an object of names and texts")),
        }
    }
}

fn texts_of(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::String(text) => Some(vec![text.clone()]),
        Value::Array(list) => list.iter().map(|text| text.as_str().map(str::to_owned)).collect(),
        _ => None,
    }
}

/// A scalar as text.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
