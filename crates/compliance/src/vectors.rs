//! Running files of worked cases: each case has an input and what must come out of it.
//!
//! A file whose shape is not known is reported as not understood, never as passed; so is an empty one.
//! Cases are read leniently (fields the engine has no use for are passed over), answers strictly.

mod case;
mod claims;
mod findings;
mod units;

use serde_json::Value;

use crate::limits;
use crate::rulebook::Rulebook;
use case::CaseResult;

/// One case that came out otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The case's name.
    pub case: String,
    /// What the file says.
    pub expected: String,
    /// What came out.
    pub actual: String,
}

/// What became of a file of cases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VectorOutcome {
    /// The file's name as given.
    pub name: String,
    /// The kind of cases, if it is one the engine knows.
    pub kind: Option<String>,
    /// How many cases came out as the file says.
    pub passed: usize,
    /// Those that did not.
    pub failed: Vec<Failure>,
    /// Whether the engine knows this kind of file; if not, nothing was run.
    pub understood: bool,
    /// Why nothing was run, in one sentence.
    pub complaint: Option<String>,
}

type Runner = fn(&Value, &Rulebook) -> CaseResult;

/// The kinds of cases: name, the fields by which a case is known, and what runs it.
const KINDS: &[(&str, &[&str], Runner)] = &[
    ("units", &["rule_set", "services", "expected"], units::run),
    ("findings", &["note", "must_include"], findings::run),
    ("assistant_small_share", &["total_minutes", "assistant_minutes", "expected"], claims::small_share),
    ("assistant_units", &["year", "codes", "expected"], claims::assistants),
    ("threshold", &["year", "prior_allowed_cents", "expected"], claims::threshold),
    ("pairs", &["codes", "modifiers", "expected"], claims::pairs),
    ("reduction", &["units", "expected"], claims::reduction),
];

/// Runs a file of cases: a JSON list, or an object with such a list under `cases`.
pub fn run_vectors(name: &str, text: &str, book: &Rulebook) -> VectorOutcome {
    let mut outcome = VectorOutcome {
        name: name.to_owned(),
        kind: None,
        passed: 0,
        failed: Vec::new(),
        understood: false,
        complaint: None,
    };
    let value: Value = match serde_json::from_str(text) {
        Ok(value) => value,
        Err(error) => {
            outcome.complaint = Some(format!("this is not JSON: {error}"));
            return outcome;
        }
    };
    let kinds = match cases(&value).and_then(|cases| kinds_of(cases)) {
        Ok(kinds) => kinds,
        Err(complaint) => {
            outcome.complaint = Some(complaint);
            return outcome;
        }
    };
    outcome.understood = true;
    outcome.kind = kinds.first().map(|(_, (kind, ..))| (*kind).to_owned());
    for (index, (case, (.., run))) in kinds.into_iter().enumerate() {
        match run(case, book) {
            Ok(()) => outcome.passed += 1,
            Err((expected, actual)) => {
                let name = case.get("name").and_then(Value::as_str);
                let case = name.map_or_else(|| format!("case {}", index + 1), str::to_owned);
                outcome.failed.push(Failure { case, expected, actual });
            }
        }
    }
    outcome
}

fn cases(value: &Value) -> Result<&[Value], String> {
    let list = match value {
        Value::Array(cases) => Some(cases),
        Value::Object(object) => object.get("cases").and_then(Value::as_array),
        _ => None,
    };
    match list {
        None => Err("a file of cases is a JSON list, or an object with one under `cases`".to_owned()),
        Some(cases) if cases.is_empty() => Err("there is no case in it".to_owned()),
        Some(cases) if cases.len() > limits::VECTOR_CASES => {
            Err(format!("a file may have {} cases", limits::VECTOR_CASES))
        }
        Some(cases) => Ok(cases),
    }
}

type Kinds<'v> = Vec<(&'v Value, &'static (&'static str, &'static [&'static str], Runner))>;

fn kinds_of(cases: &[Value]) -> Result<Kinds<'_>, String> {
    let mut kinds = Vec::new();
    for (index, case) in cases.iter().enumerate() {
        let knows = |fields: &[&str]| fields.iter().all(|field| case.get(field).is_some());
        let Some(kind) = KINDS.iter().find(|(_, fields, _)| knows(fields)) else {
            let given: Vec<String> =
                case.as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect();
            let known: Vec<String> =
                KINDS.iter().map(|(name, fields, _)| format!("{name} ({})", fields.join(", "))).collect();
            return Err(format!(
                "case {} is of no known kind: it has {}; known are {}",
                index + 1,
                if given.is_empty() { "no fields".to_owned() } else { given.join(", ") },
                known.join("; ")
            ));
        };
        kinds.push((case, kind));
    }
    Ok(kinds)
}
