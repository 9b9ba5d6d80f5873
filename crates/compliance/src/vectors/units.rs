//! Cases of the counting rules: services with minutes, expected units, and any further acceptable ones.

use serde_json::{Value, json};

use super::case::CaseResult;
use crate::assess::assess_line;
use crate::rulebook::Rulebook;

pub(super) fn run(case: &Value, book: &Rulebook) -> CaseResult {
    let mut line = json!({"rule": case.get("rule_set"), "services": case.get("services")});
    for key in ["tie_pick", "date"] {
        if let (Some(value), Some(line)) = (case.get(key), line.as_object_mut()) {
            line.insert(key.to_owned(), value.clone());
        }
    }
    let answer: Value = serde_json::from_str(&assess_line(&line.to_string(), book)).unwrap_or(Value::Null);
    let expected = case.get("expected").unwrap_or(&Value::Null);
    let failed = |what: &Value| Err((what.to_string(), answer.to_string()));
    if expected.get("error").is_some() {
        return if answer.get("error").is_some() { Ok(()) } else { failed(expected) };
    }
    if let Some(total) = expected.get("total_units")
        && answer.get("total_units") != Some(total)
    {
        return failed(expected);
    }
    let given = plain(answer.get("per_code"));
    let mut acceptable = vec![plain(expected.get("per_code"))];
    let list = case.get("acceptable_per_code").or_else(|| expected.get("acceptable_per_code"));
    let listed: Vec<_> =
        list.and_then(Value::as_array).into_iter().flatten().map(|m| plain(Some(m))).collect();
    acceptable.extend(listed.iter().cloned());
    if answer.get("error").is_some() || (expected.get("per_code").is_some() && !acceptable.contains(&given)) {
        return failed(expected);
    }
    let ours: Vec<_> = answer
        .get("acceptable")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(|m| plain(Some(m)))
        .collect();
    // A file that lists the acceptable maps lists them all, so ours must be the same set.
    let same = listed.iter().all(|m| ours.contains(m)) && ours.iter().all(|m| listed.contains(m));
    if listed.is_empty() || same { Ok(()) } else { failed(list.unwrap_or(&Value::Null)) }
}

/// Units by code without the zeros, which mean the same as no entry.
fn plain(value: Option<&Value>) -> std::collections::BTreeMap<String, u64> {
    let entries = value.and_then(Value::as_object).into_iter().flatten();
    entries.filter_map(|(code, n)| Some((code.clone(), n.as_u64()?))).filter(|(_, n)| *n > 0).collect()
}
