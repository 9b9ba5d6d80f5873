//! One line of JSON in, one line of JSON out: units of a list of services, or a report on a whole visit.
//!
//! For scripts, the command line and tests. Whatever comes in, the answer is JSON; what cannot be read
//! is answered by `{"error":{"code","sentence"}}`. The forms are described in docs/visit-json.md.

mod blank;
mod error;
mod services;
mod short;
mod short_parts;

use chart::facts::Facts;
use serde_json::{Value, json};

use crate::limits;
use crate::recompute;
use crate::rulebook::Rulebook;
use error::AssessError;

/// The name of the portable visit form.
pub const VISIT_FORMAT: &str = "gaitway-visit/1";

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

/// The facts of a visit in either of its forms.
///
/// # Errors
/// A word for programs and a sentence for people.
pub fn read_visit(line: &str) -> Result<Facts, (String, String)> {
    let read = object(line).and_then(|value| visit(&value));
    read.map_err(|error| (error.code.to_owned(), error.sentence))
}

/// A visit in its portable form, one line of JSON.
pub fn write_visit(facts: &Facts) -> String {
    let mut value = serde_json::to_value(facts).unwrap_or(Value::Null);
    if let Value::Object(object) = &mut value {
        object.insert("format".to_owned(), Value::String(VISIT_FORMAT.to_owned()));
    }
    value.to_string()
}

fn object(line: &str) -> Result<Value, AssessError> {
    if line.len() > limits::ASSESS_BYTES {
        return Err(AssessError::new(
            "too_large",
            format!("A line may have {} bytes.", limits::ASSESS_BYTES),
        ));
    }
    let value: Value = serde_json::from_str(line)
        .map_err(|error| AssessError::new("malformed_json", format!("This is not JSON: {error}.")))?;
    if value.is_object() {
        Ok(value)
    } else {
        Err(AssessError::new("not_an_object", "A line must be a JSON object."))
    }
}

fn answer(line: &str, book: &Rulebook) -> Result<Value, AssessError> {
    let value = object(line)?;
    if value.get("services").is_some() {
        return services::answer(&value, book);
    }
    let report = recompute(&visit(&value)?, book);
    serde_json::to_value(&report)
        .map_err(|error| AssessError::new("no_answer", format!("The report cannot be written: {error}.")))
}

/// A visit: the whole form has the note's document, the short form has not.
fn visit(value: &Value) -> Result<Facts, AssessError> {
    if let Some(format) = value.get("format")
        && format.as_str() != Some(VISIT_FORMAT)
    {
        let named: String = format.to_string().chars().take(40).collect();
        let sentence = format!("The format {named} is not known; this reads `{VISIT_FORMAT}`.");
        return Err(AssessError::new("unknown_format", sentence));
    }
    if value.get("note").is_some_and(|note| note.get("document").is_some()) {
        let mut whole = value.clone();
        if let Value::Object(object) = &mut whole {
            object.remove("format");
        }
        return serde_json::from_value(whole).map_err(|error| {
            AssessError::new("malformed_visit", format!("The visit cannot be read: {error}."))
        });
    }
    short::read(value, true)
}

/// A visit of a worked case: the short form, fields the engine has no use for passed over.
pub(crate) fn visit_of_case(note: &Value) -> Result<Facts, AssessError> {
    short::read(note, false)
}
