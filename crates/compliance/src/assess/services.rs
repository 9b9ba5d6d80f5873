//! Units of a bare list of services with their minutes.

use std::collections::BTreeMap;

use chart::code::ServiceCode;
use chart::report::{Counted, UnitRule};
use serde_json::{Map, Value, json};

use super::error::AssessError;
use crate::bundling::tables;
use crate::limits;
use crate::rulebook::{Basis, CodeState, Rulebook};
use crate::units::{UnitMap, Work, count, is_pooled};

/// Reads a rule's name; a payer's name is taken for its rule.
fn rule_named(name: &str, book: &Rulebook) -> Option<UnitRule> {
    let text = Value::String(name.to_owned());
    serde_json::from_value(text).ok().or_else(|| book.payer(name).and_then(|payer| payer.unit_rule))
}

pub(super) fn answer(value: &Value, book: &Rulebook) -> Result<Value, AssessError> {
    let counted = read(value, book)?;
    Ok(json!({
        "total_units": counted.total_units,
        "per_code": counted.per_code,
        "acceptable": counted.acceptable,
        "choice": counted.choice,
        "timed_minutes": counted.timed_minutes,
        "trace": counted.trace,
    }))
}

fn read(value: &Value, book: &Rulebook) -> Result<Counted, AssessError> {
    let known = ["rule", "rule_set", "payer", "services", "date", "tie_pick", "format"];
    let object = object(value, "The line")?;
    if let Some(key) = object.keys().find(|key| !known.contains(&key.as_str())) {
        return Err(AssessError::new("unknown_field", format!("There is no field `{}` here.", short(key))));
    }
    let rule = rule(object, book)?;
    let date = match object.get("date").and_then(Value::as_str) {
        None => None,
        Some(text) => Some(text.parse().map_err(|_| {
            AssessError::new("bad_date", format!("`{}` is not a date such as 2026-03-17.", short(text)))
        })?),
    };
    let Some(Value::Array(services)) = object.get("services") else {
        return Err(AssessError::new("bad_services", "`services` must be a list."));
    };
    if services.len() > limits::ASSESS_SERVICES {
        let most = limits::ASSESS_SERVICES;
        return Err(AssessError::new("too_many_services", format!("A line may have {most} services.")));
    }
    let mut work = Work::default();
    for service in services {
        add(&mut work, service, date, book)?;
    }
    let picks = match object.get("tie_pick") {
        None | Some(Value::Null) => Vec::new(),
        Some(pick) => vec![units_by_code(pick)?],
    };
    Ok(count(book, rule, &work, &picks))
}

fn rule(object: &Map<String, Value>, book: &Rulebook) -> Result<UnitRule, AssessError> {
    let names: Vec<&str> =
        ["rule", "rule_set", "payer"].iter().filter_map(|key| object.get(*key)?.as_str()).collect();
    match names.as_slice() {
        [] => Err(AssessError::new(
            "rule_missing",
            "Name a counting rule: `cms_8_minute`, `cpt_midpoint` or `full_15`; none is assumed.",
        )),
        [name, ..] => rule_named(name, book).ok_or_else(|| match book.payer(name) {
            Some(_) => AssessError::new(
                "rule_missing",
                format!("The counting rule of the payer `{}` is not set; name the rule.", short(name)),
            ),
            None => AssessError::new(
                "unknown_rule",
                format!(
                    "`{}` is no counting rule; use `cms_8_minute`, `cpt_midpoint` or `full_15`.",
                    short(name)
                ),
            ),
        }),
    }
}

fn add(
    work: &mut Work,
    service: &Value,
    date: Option<chrono::NaiveDate>,
    book: &Rulebook,
) -> Result<(), AssessError> {
    let object = object(service, "A service")?;
    if let Some(key) = object.keys().find(|key| !["code", "minutes", "units"].contains(&key.as_str())) {
        return Err(AssessError::new("unknown_field", format!("A service has no field `{}`.", short(key))));
    }
    let Some(text) = object.get("code").and_then(Value::as_str) else {
        return Err(AssessError::new("code_missing", "A service must name its `code`."));
    };
    let code = known_code(text, date, book)?;
    let minutes = match object.get("minutes") {
        None | Some(Value::Null) => None,
        Some(value) => Some(whole_minutes(&code, value)?),
    };
    if let Some(units) = object.get("units").and_then(Value::as_u64) {
        work.entered.insert(code.clone(), u32::try_from(units).unwrap_or(u32::MAX));
        let limit = book.limit(&code, tables(&BTreeMap::new()), date);
        work.most.extend(limit.map(|limit| (code.clone(), limit.units)));
    }
    let by_minutes = is_pooled(book, &code)
        || book.code(&code).is_some_and(|row| matches!(row.basis, Basis::Timed | Basis::LongTimed));
    match minutes {
        None if by_minutes => {
            let sentence = format!("{code} counts by minutes: give `minutes`.");
            return Err(AssessError::new("minutes_missing", sentence));
        }
        None => {
            work.done.insert(code.clone());
        }
        Some(_) => {}
    }
    let sum = work.minutes.entry(code).or_default();
    *sum = sum.saturating_add(minutes.unwrap_or(0));
    Ok(())
}

fn known_code(
    text: &str,
    date: Option<chrono::NaiveDate>,
    book: &Rulebook,
) -> Result<ServiceCode, AssessError> {
    let code =
        ServiceCode::parse(text).map_err(|error| AssessError::new("malformed_code", format!("{error}.")))?;
    let state = match date {
        Some(date) => book.code_on(&code, date),
        None => book.code_on(&code, chrono::NaiveDate::MAX),
    };
    match state {
        CodeState::Known(_) => Ok(code),
        CodeState::Retired(row) => {
            let successor = row.successor.as_ref().map_or(String::new(), |next| format!("; use {next}"));
            Err(AssessError::new("retired_code", format!("{code} ended on {}{successor}.", row.ended)))
        }
        CodeState::Unknown => Err(AssessError::new(
            "unknown_code",
            format!("{code} is not in the code table of this rulebook."),
        )),
    }
}

fn whole_minutes(code: &ServiceCode, value: &Value) -> Result<u32, AssessError> {
    if value.as_f64().is_some_and(|minutes| minutes < 0.0) {
        return Err(AssessError::new("negative_minutes", format!("The minutes of {code} are below zero.")));
    }
    let whole = value.as_u64().ok_or_else(|| {
        AssessError::new("bad_minutes", format!("The minutes of {code} must be a whole number."))
    })?;
    if whole > limits::ASSESS_MINUTES {
        return Err(AssessError::new("bad_minutes", format!("{code} has more minutes than a day.")));
    }
    Ok(u32::try_from(whole).unwrap_or(u32::MAX))
}

/// Reads `{"code": units}`.
pub(crate) fn units_by_code(value: &Value) -> Result<UnitMap, AssessError> {
    let wrong = || AssessError::new("bad_units", "Units must be an object of code and whole number.");
    let object = value.as_object().ok_or_else(wrong)?;
    let mut units = BTreeMap::new();
    for (code, n) in object {
        let code = ServiceCode::parse(code).map_err(|_| wrong())?;
        let n = n.as_u64().and_then(|n| u32::try_from(n).ok()).ok_or_else(wrong)?;
        units.insert(code, n);
    }
    Ok(units)
}

fn object<'a>(value: &'a Value, what: &str) -> Result<&'a Map<String, Value>, AssessError> {
    value
        .as_object()
        .ok_or_else(|| AssessError::new("not_an_object", format!("{what} must be a JSON object.")))
}

/// At most so much of foreign text goes into a sentence.
pub(super) fn short(text: &str) -> String {
    text.chars().take(40).collect()
}
