//! Cases of claims: assistants' units, yearly thresholds, pairs of codes, reduced practice expense.

use std::collections::{BTreeMap, BTreeSet};

use chart::code::{Discipline, ServiceCode};
use chart::report::UnitRule;
use chrono::NaiveDate;
use serde_json::{Value, json};

use super::case::CaseResult;
use crate::assistant::{Method, Minutes, de_minimis, exact, split};
use crate::bundling::pairs_of;
use crate::payment::{bucket, crossed, national_cents, paid_units};
use crate::rulebook::Rulebook;
use crate::units::{UnitMap, Work, count};

/// Compares; a case that expects nothing is not passed.
fn same(expected: &Value, actual: &Value) -> CaseResult {
    if expected.as_object().is_none_or(serde_json::Map::is_empty)
        && expected.as_array().is_none_or(Vec::is_empty)
    {
        return Err(("an expectation".to_owned(), actual.to_string()));
    }
    if expected == actual { Ok(()) } else { Err((expected.to_string(), actual.to_string())) }
}

fn expected(case: &Value) -> &Value {
    case.get("expected").unwrap_or(&Value::Null)
}

fn number(case: &Value, name: &str) -> Option<u32> {
    case.get(name).and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok())
}

/// What a case lacks.
fn unread<T>(value: Option<T>, what: &str) -> Result<T, (String, String)> {
    value.ok_or_else(|| (what.to_owned(), "the case does not have it".to_owned()))
}

/// The permitted tests of an assistant's share, and the exact one.
pub(super) fn small_share(case: &Value, book: &Rulebook) -> CaseResult {
    let rule = unread(book.assistant_split(book.edition_from()), "a rule for assistants")?;
    let total = unread(number(case, "total_minutes"), "total_minutes")?;
    let assistant = unread(number(case, "assistant_minutes"), "assistant_minutes")?;
    let (percent, simple) = de_minimis(rule, total, assistant);
    let all = json!({"percent_method": percent, "simple_method": simple, "exact_over_10": exact(rule, total, assistant)});
    same(expected(case), &like(expected(case), &all))
}

/// Only the fields the case asks for.
fn like(expected: &Value, all: &Value) -> Value {
    let asked = expected.as_object().into_iter().flatten();
    Value::Object(
        asked.map(|(name, _)| (name.clone(), all.get(name).cloned().unwrap_or(Value::Null))).collect(),
    )
}

/// Units of therapist and assistant by code.
pub(super) fn assistants(case: &Value, book: &Rulebook) -> CaseResult {
    let year = unread(case.get("year").and_then(Value::as_i64).and_then(|y| i32::try_from(y).ok()), "year")?;
    let day = unread(NaiveDate::from_ymd_opt(year, 1, 1), "a year")?;
    let codes = unread(case.get("codes").and_then(Value::as_object), "codes")?;
    let mut worked = BTreeMap::new();
    let mut work = Work::default();
    for (code, minutes) in codes {
        let code = unread(ServiceCode::parse(code).ok(), "a service code")?;
        let given = |name: &str| number(minutes, name).unwrap_or(0);
        let minutes = Minutes { therapist: given("t"), assistant: given("a") };
        work.minutes.insert(code.clone(), minutes.therapist.saturating_add(minutes.assistant));
        worked.insert(code, minutes);
    }
    let units = count(book, UnitRule::Cms8Minute, &work, &[]).per_code;
    let split: serde_json::Map<String, Value> = worked
        .into_iter()
        .map(|(code, minutes)| {
            let units = units.get(&code).copied().unwrap_or(0);
            let split = split(book, &code, units, minutes, day, Method::default());
            (code.to_string(), json!({"plain": split.plain, "assist": split.assist}))
        })
        .collect();
    same(expected(case), &Value::Object(split))
}

/// The yearly threshold, line by line, of one bucket or of lines of several disciplines.
pub(super) fn threshold(case: &Value, book: &Rulebook) -> CaseResult {
    let year = unread(case.get("year").and_then(Value::as_i64).and_then(|y| i32::try_from(y).ok()), "year")?;
    if let Some(lines) = case.get("lines").and_then(Value::as_array) {
        return by_discipline(case, book, year, lines);
    }
    let ours = book.years.get(&year).map(|amounts| amounts.threshold_cents);
    if let Some(given) = case.get("threshold_cents").and_then(Value::as_u64)
        && ours != Some(given)
    {
        return Err((format!("a threshold of {given} cents"), format!("{ours:?}")));
    }
    let before = unread(case.get("prior_allowed_cents").and_then(Value::as_u64), "prior_allowed_cents")?;
    let lines = unread(case.get("line_allowed_cents").and_then(Value::as_array), "line_allowed_cents")?;
    let lines: Vec<u64> = lines.iter().filter_map(Value::as_u64).collect();
    let crossed = unread(crossed(book, year, before, &lines), "amounts of the year")?;
    let actual: Vec<Value> =
        crossed.iter().map(|line| json!({"kx": line.attestation, "review": line.review})).collect();
    let asked = expected(case).as_array().cloned().unwrap_or_default();
    let actual = actual.iter().zip(&asked).map(|(actual, asked)| like(asked, actual)).collect();
    same(expected(case), &Value::Array(actual))
}

fn by_discipline(case: &Value, book: &Rulebook, year: i32, lines: &[Value]) -> CaseResult {
    let of = |text: &str| bucket(book, &Discipline::from(text.to_lowercase().as_str())).map(str::to_owned);
    let mut before: BTreeMap<String, u64> = BTreeMap::new();
    for (discipline, cents) in
        case.get("prior_allowed_cents").and_then(Value::as_object).into_iter().flatten()
    {
        let sum = before.entry(unread(of(discipline), "a bucket")?).or_default();
        *sum = sum.saturating_add(cents.as_u64().unwrap_or(0));
    }
    let mut actual = Vec::new();
    for (line, asked) in lines.iter().zip(expected(case).as_array().into_iter().flatten()) {
        let bucket = unread(line.get("discipline").and_then(Value::as_str).and_then(of), "a bucket")?;
        let cents = line.get("allowed_cents").and_then(Value::as_u64).unwrap_or(0);
        let sum = before.entry(bucket.clone()).or_default();
        let crossed = unread(crossed(book, year, *sum, &[cents]), "amounts of the year")?;
        *sum = sum.saturating_add(cents);
        let line = crossed.first().map_or(
            Value::Null,
            |line| json!({"bucket": bucket, "kx": line.attestation, "review": line.review}),
        );
        actual.push(like(asked, &line));
    }
    same(expected(case), &Value::Array(actual))
}

/// Pairs among codes, and whether a modifier resolves them.
pub(super) fn pairs(case: &Value, book: &Rulebook) -> CaseResult {
    let codes = unread(case.get("codes").and_then(Value::as_array), "codes")?;
    let codes: BTreeSet<ServiceCode> =
        codes.iter().filter_map(Value::as_str).filter_map(|code| ServiceCode::parse(code).ok()).collect();
    let distinct = book.modifiers("distinct");
    let marked = |code: &ServiceCode| {
        let given = case.get("modifiers").and_then(|all| all.get(code.as_str())).and_then(Value::as_array);
        given.into_iter().flatten().filter_map(Value::as_str).any(|m| distinct.iter().any(|known| known == m))
    };
    let table = case.get("setting").and_then(Value::as_str).unwrap_or("practitioner");
    let table = if table.contains("hospital") { "hospital" } else { "practitioner" };
    let found: BTreeSet<String> = pairs_of(book, table, None, &codes)
        .into_iter()
        .map(|pair| {
            let resolved = pair.opens && (marked(&pair.first) || marked(&pair.second));
            json!({
                "col1": pair.first, "col2": pair.second, "indicator": u8::from(pair.opens), "resolved": resolved,
            })
            .to_string()
        })
        .collect();
    let listed =
        expected(case).as_array().into_iter().flatten().map(Value::to_string).collect::<BTreeSet<_>>();
    if found == listed { Ok(()) } else { Err((format!("{listed:?}"), format!("{found:?}"))) }
}

/// Which units are reduced, and what they come to.
pub(super) fn reduction(case: &Value, book: &Rulebook) -> CaseResult {
    let given = unread(case.get("units").and_then(Value::as_object), "units")?;
    let mut units = UnitMap::new();
    for (code, n) in given {
        let code = unread(ServiceCode::parse(code).ok(), "a service code")?;
        units.insert(code, unread(n.as_u64().and_then(|n| u32::try_from(n).ok()), "a number of units")?);
    }
    let paid = paid_units(book, &units);
    let lines: Vec<Value> = paid
        .iter()
        .map(|unit| json!({"code": unit.code, "pe_reduced": unit.reduced, "rvu_x200": unit.value_x200}))
        .collect();
    let all = json!({"lines": lines, "allowed_cents_national_unadjusted": national_cents(book, None, &paid)});
    same(expected(case), &like(expected(case), &all))
}
