//! What the project's source documents say, and what of the rulebook realises each statement, as a page of
//! documentation. Checks that everything named is there; reads no file.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use serde::Deserialize;

use crate::rulebook::Rulebook;
use crate::rulebook::catalogue::catalogue;

/// One statement with what realises it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// Its number: the document and the place in it.
    pub number: String,
    /// What is said, in our own words.
    pub says: String,
    /// Findings that hold to it.
    #[serde(default)]
    pub findings: Vec<String>,
    /// Rows of the rules, by their id in the catalogue.
    #[serde(default)]
    pub rows: Vec<String>,
    /// Words that stand in lists the checks read, by the list's name.
    #[serde(default)]
    pub words: BTreeMap<String, Vec<String>>,
    /// A page of ours that holds to it.
    #[serde(default)]
    pub page: Option<String>,
    /// The passage of that page.
    #[serde(default)]
    pub passage: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    statement: Vec<Statement>,
}

/// The statements of a file.
///
/// # Errors
/// What is wrong with the file, in one sentence.
pub fn read(text: &str) -> Result<Vec<Statement>, String> {
    let file: File = toml::from_str(text).map_err(|error| error.message().replace('\n', " "))?;
    let mut numbers = BTreeSet::new();
    match file.statement.iter().find(|statement| !numbers.insert(statement.number.clone())) {
        Some(twice) => Err(format!("the statement {} stands twice", twice.number)),
        None => Ok(file.statement),
    }
}

/// What a statement names and nobody has: each in one sentence. `examples` are the findings that have worked
/// examples.
pub fn missing(statements: &[Statement], book: &Rulebook, examples: &BTreeSet<String>) -> Vec<String> {
    let rows: BTreeSet<String> = catalogue(Rulebook::builtin_files()).into_iter().map(|row| row.id).collect();
    let findings: BTreeSet<&str> = book.findings().map(|finding| finding.id.as_str()).collect();
    let mut wrong = Vec::new();
    for statement in statements {
        let number = &statement.number;
        for id in &statement.findings {
            if !findings.contains(id.as_str()) {
                wrong.push(format!("{number}: there is no finding `{id}`"));
            } else if !examples.contains(id) {
                wrong.push(format!("{number}: the finding `{id}` has no example"));
            }
        }
        let unknown = statement.rows.iter().filter(|row| !rows.contains(*row));
        wrong.extend(unknown.map(|row| format!("{number}: there is no row `{row}`")));
        for (list, words) in &statement.words {
            let held = book.words(list);
            let absent = words.iter().filter(|word| !held.contains(word));
            wrong.extend(absent.map(|word| format!("{number}: `{word}` is not in the list `{list}`")));
        }
        let nothing =
            statement.findings.is_empty() && statement.rows.is_empty() && statement.words.is_empty();
        if nothing && (statement.page.is_none() || statement.passage.is_none()) {
            wrong.push(format!("{number}: nothing realises it"));
        }
    }
    wrong
}

/// The statements as Markdown.
pub fn document(statements: &[Statement]) -> String {
    let mut page = format!(
        "# What the sources say, and what holds to it\n\nThe {} statements of the three source documents on \
         re-education and its billing, in our own words. Made from\n`rules/statements.toml` by `cargo run -p \
         compliance --example statements_document`; a test fails when this page is out of\ndate, or when something \
         it names is gone. Every finding has an example that raises it and one that does not, under its id in\n\
         `rules/examples/findings.json`; rows are shown by `gaitway rules show ID`.\n\n\
         | # | statement | rule | finding, with its examples |\n|---|---|---|---|\n",
        statements.len()
    );
    for statement in statements {
        let mut rules: Vec<String> = statement.rows.iter().map(|row| format!("`{row}`")).collect();
        for (list, words) in &statement.words {
            rules.push(format!("`list/{list}`: {}", words.join(", ").replace('*', "…")));
        }
        if let (Some(file), Some(passage)) = (&statement.page, &statement.passage) {
            rules.push(format!("{file}: \"{passage}\""));
        }
        let findings: Vec<String> = statement.findings.iter().map(|id| format!("`{id}`")).collect();
        let _ = writeln!(
            page,
            "| {} | {} | {} | {} |",
            statement.number,
            statement.says,
            rules.join("; "),
            findings.join(", ")
        );
    }
    page
}
