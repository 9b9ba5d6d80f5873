//! One line of JSON in, one line of JSON out: units of a list of services, or a report on a whole visit.
//!
//! For scripts, the command line and tests. Whatever comes in, the answer is JSON; what cannot be read
//! is answered by `{"error":{"code","sentence"}}`. The forms are described in docs/visit-json.md.

mod services;

use serde_json::{Value, json};

use crate::limits;
use crate::rulebook::Rulebook;

pub(crate) use services::{Rule, rule_named};

/// Why a line cannot be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AssessError {
    /// A word for programs.
    pub(crate) code: &'static str,
    /// A sentence for people.
    pub(crate) sentence: String,
}

impl AssessError {
    pub(crate) fn new(code: &'static str, sentence: impl Into<String>) -> Self {
        Self { code, sentence: sentence.into() }
    }
}

/// Answers one line: `{"rule","services"}` gives units, a visit gives its report.
///
/// The answer is one line of JSON; a line that cannot be read is answered by
/// `{"error":{"code":"...","sentence":"..."}}`.
pub fn assess_line(line: &str, book: &Rulebook) -> String {
    match answer(line, book) {
        Ok(answer) => answer.to_string(),
        Err(error) => json!({"error": {"code": error.code, "sentence": error.sentence}}).to_string(),
    }
}

fn answer(line: &str, book: &Rulebook) -> Result<Value, AssessError> {
    if line.len() > limits::ASSESS_BYTES {
        return Err(AssessError::new(
            "too_large",
            format!("A line may have {} bytes.", limits::ASSESS_BYTES),
        ));
    }
    let value: Value = serde_json::from_str(line)
        .map_err(|error| AssessError::new("malformed_json", format!("This is not JSON: {error}.")))?;
    let Value::Object(object) = &value else {
        return Err(AssessError::new("not_an_object", "A line must be a JSON object."));
    };
    if object.contains_key("services") {
        return services::answer(&value, book);
    }
    Err(AssessError::new("unknown_form", "A line must hold `services` or a visit."))
}
