//! Every finding has a worked example that raises it and one that does not; the catalogue in the
//! documentation is the one of the rules.

use std::collections::BTreeSet;

use chart::facts::Facts;
use chart::report::{BillState, Certainty};
use compliance::assess::read_visit;
use compliance::{Rulebook, recompute};
use serde_json::Value;

const EXAMPLES: &str = include_str!("../../../../rules/examples/findings.json");
const PAYERS: &str = include_str!("../../../../rules/examples/payers.toml");

/// The rulebook with the examples' own payers.
pub(crate) fn book() -> Rulebook {
    let mut files = Rulebook::builtin_files().to_vec();
    files.push(("examples.toml", PAYERS));
    Rulebook::parse(&files).unwrap()
}

/// Sets or takes away what stands at a dotted path; a list index may be one past the end.
fn set(value: &mut Value, path: &str, to: &Value) {
    let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
    let slot = match value {
        Value::Array(list) => {
            let index: usize = first.parse().unwrap();
            while list.len() <= index {
                list.push(Value::Null);
            }
            &mut list[index]
        }
        other => {
            if other.is_null() {
                *other = serde_json::json!({});
            }
            other.as_object_mut().unwrap().entry(first).or_insert(Value::Null)
        }
    };
    match rest {
        Some(rest) => set(slot, rest, to),
        None => *slot = to.clone(),
    }
}

fn lay_over(value: &mut Value, over: &Value) {
    match over {
        Value::Object(fields) => {
            if !value.is_object() {
                *value = serde_json::json!({});
            }
            for (name, field) in fields {
                lay_over(value.as_object_mut().unwrap().entry(name).or_insert(Value::Null), field);
            }
        }
        other => *value = other.clone(),
    }
}

/// The clean note changed by its paths, and its facts laid over.
pub(crate) fn facts(clean: &Value, change: Option<&Value>, over: Option<&Value>) -> Facts {
    let mut note = clean.clone();
    for (path, to) in change.and_then(Value::as_object).into_iter().flatten() {
        set(&mut note, path, to);
    }
    let facts = read_visit(&note.to_string()).unwrap();
    let mut value = serde_json::to_value(&facts).unwrap();
    if let Some(over) = over {
        for (name, field) in over.as_object().unwrap() {
            // A whole history or list replaces; the fields of note, episode and people are laid over.
            if ["note", "episode", "people"].contains(&name.as_str()) {
                lay_over(&mut value[name], field);
            } else {
                value[name] = field.clone();
            }
        }
    }
    serde_json::from_value(value).unwrap()
}

/// The note without a finding.
pub(crate) fn clean() -> Value {
    let examples: Value = serde_json::from_str(EXAMPLES).unwrap();
    examples["clean"].clone()
}

fn found(facts: &Facts, book: &Rulebook) -> BTreeSet<String> {
    recompute(facts, book).findings.into_iter().map(|finding| finding.id).collect()
}

#[test]
fn the_clean_note_has_no_finding_and_may_be_billed() {
    let examples: Value = serde_json::from_str(EXAMPLES).unwrap();
    let report = recompute(&facts(&examples["clean"], None, None), &book());
    assert_eq!(report.findings, vec![]);
    assert_eq!(report.bill, BillState::Ready);
}

#[test]
fn every_example_raises_its_finding_and_its_counterpart_does_not() {
    let examples: Value = serde_json::from_str(EXAMPLES).unwrap();
    let book = book();
    let mut wrong = Vec::new();
    for example in examples["examples"].as_array().unwrap() {
        let id = example["finding"].as_str().unwrap();
        let loud = facts(&examples["clean"], example.get("with"), example.get("facts"));
        let quiet = facts(&examples["clean"], example.get("without"), example.get("without_facts"));
        if !found(&loud, &book).contains(id) {
            wrong.push(format!("{id} is not raised; found {:?}", found(&loud, &book)));
        }
        if found(&quiet, &book).contains(id) {
            wrong.push(format!("{id} is raised by its counterpart"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_finding_has_an_example() {
    let examples: Value = serde_json::from_str(EXAMPLES).unwrap();
    let shown: BTreeSet<&str> = examples["examples"]
        .as_array()
        .unwrap()
        .iter()
        .map(|example| example["finding"].as_str().unwrap())
        .collect();
    let book = book();
    let known: BTreeSet<&str> = book.findings().map(|text| text.id.as_str()).collect();
    assert_eq!(
        known.difference(&shown).collect::<Vec<_>>(),
        Vec::<&&str>::new(),
        "findings without an example"
    );
    assert_eq!(shown.difference(&known).collect::<Vec<_>>(), Vec::<&&str>::new(), "examples of no finding");
}

#[test]
fn every_finding_says_its_source_its_remedy_and_leaves_no_placeholder() {
    let examples: Value = serde_json::from_str(EXAMPLES).unwrap();
    let book = book();
    for example in examples["examples"].as_array().unwrap() {
        for finding in
            recompute(&facts(&examples["clean"], example.get("with"), example.get("facts")), &book).findings
        {
            let text = format!("{} {} {}", finding.message, finding.remedy, finding.source);
            assert!(!text.contains('{') && !text.contains("unknown "), "{}: {text}", finding.id);
            assert!(!finding.source.is_empty() && !finding.remedy.is_empty(), "{}", finding.id);
            assert!(
                finding.certainty == Certainty::InAll || example["with"].get("segments.0.or_end").is_some()
            );
        }
    }
}

#[test]
fn the_documented_catalogue_is_the_one_of_the_rules() {
    let documented = include_str!("../../../../docs/findings.md");
    let book = Rulebook::builtin().unwrap();
    assert_eq!(
        documented,
        book.findings_document(),
        "run `cargo run -p compliance --example findings_document > docs/findings.md`"
    );
}

/// Findings that are ours alone; every other one is a row of the catalogue the rules were built from.
const OURS: [&str; 1] = ["payer-missing"];
/// Rows of that catalogue.
const CATALOGUE: usize = 211;

#[test]
fn no_row_of_the_catalogue_is_lost() {
    let book = Rulebook::builtin().unwrap();
    let ids: BTreeSet<&str> = book.findings().map(|text| text.id.as_str()).collect();
    assert!(OURS.iter().all(|ours| ids.contains(ours)), "{OURS:?}");
    assert_eq!(ids.len(), CATALOGUE + OURS.len());
}
