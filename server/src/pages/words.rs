//! The words of the pages for what the chart stores: facts, segments, commands, severities.

use std::collections::BTreeMap;

use chart::report::Severity;
use chart::visit::SegmentValue;
use serde_json::Value;
use session_note::schema::FactName;

use crate::view::Names;

pub(super) const fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Blocker => "must fix",
        Severity::Warning => "should fix",
        Severity::Advice => "note",
    }
}

pub(super) const fn severity_class(severity: Severity) -> &'static str {
    match severity {
        Severity::Blocker => "blocker",
        Severity::Warning => "warning",
        Severity::Advice => "advice",
    }
}

pub(super) const fn severity_mark(severity: Severity) -> &'static str {
    match severity {
        Severity::Blocker => "●",
        Severity::Warning => "▲",
        Severity::Advice => "○",
    }
}

/// What a billing fact is called.
pub(super) fn fact(name: &str) -> String {
    match FactName::parse(name) {
        Some(FactName::Segment(..)) => "A stretch of time".to_owned(),
        Some(FactName::Note(name)) => match name.as_str() {
            "provider" => "Treating provider".to_owned(),
            "date" => "Date of service".to_owned(),
            "place" => "Place of service".to_owned(),
            "payer" => "Payer".to_owned(),
            "diagnoses" => "Diagnoses".to_owned(),
            "tie_pick" => "Chosen allocation of units".to_owned(),
            "billed_units" => "Units as typed".to_owned(),
            "totals" => "Totals as typed".to_owned(),
            _ => name,
        },
        None => name.to_owned(),
    }
}

/// A side of a dispute in words.
pub(super) fn value(names: &Names, fact: &str, value: &Value) -> String {
    if fact.starts_with("segment/")
        && let Ok(segment) = serde_json::from_value::<SegmentValue>(value.clone())
    {
        return self::segment(names, &segment);
    }
    if fact == "provider"
        && let Some(Ok(person)) = value.as_str().map(str::parse)
    {
        return names.person(person);
    }
    plain(value)
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(flag) => if *flag { "yes" } else { "no" }.to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(", "),
        Value::Object(parts) => {
            parts.iter().map(|(name, part)| format!("{name} {}", plain(part))).collect::<Vec<_>>().join(", ")
        }
    }
}

/// A stretch of time in words: code, times, minutes, who.
pub(super) fn segment(names: &Names, value: &SegmentValue) -> String {
    let mut words = vec![value.code.to_string(), span(value)];
    if let Some(mode) = &value.mode {
        words.push(mode.as_str().replace('_', " "));
    }
    if let Some(performer) = value.performer {
        words.push(names.person(performer));
    }
    if value.entered_in_error {
        words.push("entered in error".to_owned());
    }
    words.join(" · ")
}

/// The times of a stretch and its minutes.
pub(super) fn span(value: &SegmentValue) -> String {
    match (value.start, value.end, value.typed_minutes) {
        (Some(start), Some(end), _) => {
            let minutes = end.minute() - start.minute();
            format!("{}–{} ({minutes} min)", start.hour_minute(), end.hour_minute())
        }
        (Some(start), None, _) => format!("{}– (running)", start.hour_minute()),
        (None, _, Some(minutes)) => format!("{} min, without times", minutes.count()),
        (None, Some(end), None) => format!("–{} (start missing)", end.hour_minute()),
        (None, None, None) => "without times".to_owned(),
    }
}

/// What a change did, from the names of its commands.
pub(super) fn did(names: &str) -> String {
    let mut said: Vec<String> = Vec::new();
    for name in names.split(' ').filter(|name| !name.is_empty()) {
        let words = match name {
            "open_visit" => "opened the visit".to_owned(),
            "open_episode" => "opened the episode".to_owned(),
            "start_segment" => "started a timer".to_owned(),
            "stop_segment" => "stopped a timer".to_owned(),
            "record_segment" => "recorded a stretch of time".to_owned(),
            "correct_segment" => "corrected a stretch of time".to_owned(),
            "set_fact" => "set a billing fact".to_owned(),
            "resolve" => "settled a dispute".to_owned(),
            "sign" => "signed".to_owned(),
            "amend" => "added an amendment".to_owned(),
            "comment" => "commented".to_owned(),
            "attest" => "confirmed a value".to_owned(),
            "check_in" => "checked the patient in".to_owned(),
            "check_out" => "checked the patient out".to_owned(),
            other => match other.strip_prefix("text:") {
                Some(field) => format!("wrote {}", field.replace('_', " ")),
                None => other.replace('_', " "),
            },
        };
        said.push(words);
    }
    if said.is_empty() { "changed the note".to_owned() } else { said.join(", ") }
}

/// Units by code, such as `97110 × 2, 97112 × 1`.
pub(super) fn units(units: &BTreeMap<chart::code::ServiceCode, u32>) -> String {
    let lines: Vec<String> = units.iter().map(|(code, count)| format!("{code} × {count}")).collect();
    if lines.is_empty() { "none".to_owned() } else { lines.join(", ") }
}
