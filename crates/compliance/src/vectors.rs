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
    let mut outcome =
        VectorOutcome { name: name.to_owned(), kind: None, passed: 0, failed: Vec::new(), understood: false };
    let Ok(value) = serde_json::from_str::<Value>(text) else { return outcome };
    let cases = match &value {
        Value::Array(cases) => cases,
        Value::Object(object) => match object.get("cases") {
            Some(Value::Array(cases)) => cases,
            _ => return outcome,
        },
        _ => return outcome,
    };
    if cases.is_empty() || cases.len() > limits::VECTOR_CASES {
        return outcome;
    }
    let mut kinds = Vec::new();
    for case in cases {
        let kind = KINDS.iter().find(|(_, fields, _)| fields.iter().all(|field| case.get(field).is_some()));
        match kind {
            Some(kind) => kinds.push((case, kind)),
            None => return outcome,
        }
    }
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
