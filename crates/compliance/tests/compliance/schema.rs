//! The published schema accepts what the engine reads and writes, and refuses what it refuses.
//!
//! The little validator knows the words of JSON Schema that the schema uses, and fails on any other.

use compliance::assess::{read_visit, write_visit};
use serde_json::{Value, json};

const SCHEMA: &str = include_str!("../../../../docs/visit.schema.json");
const EXAMPLES: &str = include_str!("../../../../rules/examples/findings.json");

/// Whether `value` fits `schema`; references are looked up in `root`.
fn fits(root: &Value, schema: &Value, value: &Value) -> bool {
    let Some(words) = schema.as_object() else { return schema.as_bool().unwrap() };
    words.iter().all(|(word, rule)| match word.as_str() {
        "$schema" | "$defs" | "title" | "description" => true,
        "$ref" => fits(root, root.pointer(rule.as_str().unwrap().trim_start_matches('#')).unwrap(), value),
        "oneOf" => rule.as_array().unwrap().iter().filter(|one| fits(root, one, value)).count() == 1,
        "anyOf" => rule.as_array().unwrap().iter().any(|one| fits(root, one, value)),
        "const" => value == rule,
        "enum" => rule.as_array().unwrap().contains(value),
        "type" => match rule {
            Value::Array(types) => types.iter().any(|one| is(one, value)),
            one => is(one, value),
        },
        "minimum" => value.as_f64().is_none_or(|n| n >= rule.as_f64().unwrap()),
        "pattern" => value.as_str().is_none_or(|text| matches(rule.as_str().unwrap(), text)),
        "required" => value.as_object().is_none_or(|object| {
            rule.as_array().unwrap().iter().all(|name| object.contains_key(name.as_str().unwrap()))
        }),
        "properties" => value.as_object().is_none_or(|object| {
            object.iter().all(|(name, field)| rule.get(name).is_none_or(|rule| fits(root, rule, field)))
        }),
        "additionalProperties" => value.as_object().is_none_or(|object| {
            let known = words.get("properties").and_then(Value::as_object);
            object
                .iter()
                .filter(|(name, _)| !known.is_some_and(|known| known.contains_key(*name)))
                .all(|(_, field)| fits(root, rule, field))
        }),
        "items" => value.as_array().is_none_or(|list| list.iter().all(|item| fits(root, rule, item))),
        other => panic!("the validator does not know `{other}`"),
    })
}

fn is(kind: &Value, value: &Value) -> bool {
    match kind.as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("the validator does not know the type `{other}`"),
    }
}

/// The patterns of the schema by what they mean.
fn matches(pattern: &str, text: &str) -> bool {
    let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    if pattern.contains("{5}") {
        return text.len() == 5 && text.bytes().all(|b| b.is_ascii_alphanumeric());
    }
    if pattern.contains("0-9a-f") {
        return text.len() == 36 && text.split('-').map(str::len).eq([8, 4, 4, 4, 12]);
    }
    if pattern.contains("{1,2}") {
        return shape == "00:00" || shape == "0:00" || shape.starts_with("0000-00-00T");
    }
    if pattern.contains('T') { shape.starts_with("0000-00-00T00:00") } else { shape == "0000-00-00" }
}

fn accepted(value: &Value) -> bool {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    fits(&schema, &schema, value)
}

#[test]
fn the_schema_accepts_the_clean_note_and_its_whole_form_and_they_round_trip() {
    let examples: Value = serde_json::from_str(EXAMPLES).unwrap();
    let short = &examples["clean"];
    assert!(accepted(short));
    let facts = read_visit(&short.to_string()).unwrap();
    let whole: Value = serde_json::from_str(&write_visit(&facts)).unwrap();
    assert!(accepted(&whole), "{whole}");
    assert_eq!(read_visit(&whole.to_string()).unwrap(), facts);
}

#[test]
fn the_schema_accepts_a_disputed_visit() {
    let short = json!({"date": "2024-08-05", "segments": [{"code": "97112", "start": "9:00", "end": "09:17", "or_end": ["09:20"]}]});
    assert!(accepted(&short));
    let whole: Value = serde_json::from_str(&write_visit(&read_visit(&short.to_string()).unwrap())).unwrap();
    assert!(accepted(&whole), "{whole}");
    assert!(whole.to_string().contains("disputed"));
}

#[test]
fn the_schema_accepts_services_and_refuses_what_the_engine_refuses() {
    let line = json!({"rule": "full_15", "services": [{"code": "97112", "minutes": 20}]});
    assert!(accepted(&line));
    for (path, wrong) in [
        ("/rule", json!("best")),
        ("/services/0/minutes", json!(-1)),
        ("/services/0/code", json!("971")),
        ("/services", json!({})),
    ] {
        let mut line = line.clone();
        *line.pointer_mut(path).unwrap() = wrong;
        assert!(!accepted(&line), "{line}");
        let answer = compliance::assess_line(&line.to_string(), &compliance::Rulebook::builtin().unwrap());
        assert!(answer.starts_with("{\"error\""), "{answer}");
    }
    assert!(!accepted(&json!({"format": "other/1", "segments": []})));
    assert!(!accepted(&json!(3)));
}
