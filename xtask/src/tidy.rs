//! The habits of the tree that neither the compiler nor the formatter holds.
//!
//! Each check takes a file and answers with sentences; nothing here changes a file.

use std::collections::BTreeMap;
use std::path::Path;

use crate::modules::Tree;
use crate::source::Source;
use crate::tokens::{lines_with, tokens};
use crate::workspace::{self, TextFile};

/// A source file longer than this fails.
const TOO_LONG: usize = 500;
/// A source file longer than this is noted.
const LONG: usize = 400;

/// What the checks found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// What must be mended.
    pub problems: Vec<String>,
    /// What is good to know.
    pub notes: Vec<String>,
}

/// Checks the tree and says what is wrong.
pub fn run(root: &Path) -> Result<(), String> {
    let found = check(root)?;
    for note in &found.notes {
        println!("note: {note}");
    }
    for problem in &found.problems {
        println!("{problem}");
    }
    if found.problems.is_empty() {
        println!("tidy: nothing to mend");
        return Ok(());
    }
    Err(format!("{} things in the tree are untidy", found.problems.len()))
}

/// Every problem and note of the tree.
pub fn check(root: &Path) -> Result<Found, String> {
    let declared = declared_files(root)?;
    let mut found = Found::default();
    for file in workspace::files(root)? {
        text_habits(&file, &mut found);
        if file.path.ends_with(".rs") {
            rust_habits(&file, declared.get(&file.path).copied(), &mut found);
        }
    }
    Ok(found)
}

/// Every Rust file that some library, program or test declares, and whether only tests see it.
fn declared_files(root: &Path) -> Result<BTreeMap<String, bool>, String> {
    let mut declared: BTreeMap<String, bool> = BTreeMap::new();
    let reader = |path: &Path| std::fs::read_to_string(path).ok();
    for package in workspace::packages(root)? {
        for target in &package.targets {
            let tree = Tree::read(&target.file, &reader);
            for (file, test) in tree.files() {
                let path = file.strip_prefix(root).unwrap_or(file).to_string_lossy().replace('\\', "/");
                let test = test || !target.product;
                let known = declared.entry(path).or_insert(test);
                *known = *known && test;
            }
        }
    }
    Ok(declared)
}

/// Habits of every text file.
fn text_habits(file: &TextFile, found: &mut Found) {
    let path = &file.path;
    if path == "Cargo.lock" {
        return;
    }
    let mut say = |line: usize, what: &str| found.problems.push(format!("{path}:{line} {what}"));
    for (number, line) in (1..).zip(file.text.lines()) {
        if line.ends_with([' ', '\t', '\r']) {
            say(number, "ends with a blank");
        }
        if line.starts_with("<<<<<<< ") || line.starts_with(">>>>>>> ") {
            say(number, "holds an unresolved merge");
        }
        for place in PLACES {
            if mentions_place(line, &place.concat()) {
                say(number, &format!("names `{}`, a place on one machine", place.concat()));
            }
        }
        for host in REGISTRIES {
            if line.contains(&host.concat()) {
                say(number, &format!("names the package registry `{}`", host.concat()));
            }
        }
    }
    let lines = file.text.lines().count();
    if !file.text.is_empty() && !file.text.ends_with('\n') {
        say(lines, "does not end with a line end");
    }
    if file.text.ends_with("\n\n") {
        say(lines, "ends with an empty line");
    }
}

// In halves, so that this file does not name what it forbids.
const PLACES: [[&str; 2]; 5] =
    [["/wo", "rk/"], ["/ho", "me/"], ["/ro", "ot/"], ["/Us", "ers/"], ["/tmp/ta", "rget"]];
const REGISTRIES: [[&str; 2]; 7] = [
    ["index.cra", "tes.io"],
    ["static.cra", "tes.io"],
    ["crates.i", "o-index"],
    ["registry.n", "pmjs.org"],
    ["registry.y", "arnpkg.com"],
    ["pypi", ".org"],
    ["proxy.go", "lang.org"],
];

/// Whether a line names an absolute place; `docs/work/x` and `example.org/home/` are none.
fn mentions_place(line: &str, place: &str) -> bool {
    line.match_indices(place).any(|(at, _)| {
        let before = line.get(..at).and_then(|text| text.chars().next_back());
        !before.is_some_and(|char| char.is_alphanumeric() || "-_./}~".contains(char))
    })
}

/// Habits of a Rust file. `declared` says whether only tests see it; `None` if no `mod` names it.
fn rust_habits(file: &TextFile, declared: Option<bool>, found: &mut Found) {
    let path = &file.path;
    let lines = file.text.lines().count();
    let in_src = path.split('/').any(|part| part == "src");
    if in_src && lines > TOO_LONG {
        found
            .problems
            .push(format!("{path} has {lines} lines; a source file has at most {TOO_LONG}: split it"));
    } else if in_src && lines > LONG {
        found.notes.push(format!("{path} has {lines} lines; aim at {LONG}"));
    }
    if !file.text.starts_with("//!") {
        found.problems.push(format!("{path} does not open with `//!` saying what it is"));
    }
    if path.ends_with("/mod.rs") {
        found.problems.push(format!("{path} is a mod.rs; name it after its directory, beside it"));
    }
    let Some(only_tests) = declared else {
        found.problems.push(format!("{path} is forgotten: no `mod` declares it, so nobody compiles it"));
        return;
    };
    let source = Source::read(&file.text);
    let mut forbid = |code: &str, pattern: &str, what: &str| {
        for line in lines_with(&tokens(code), pattern) {
            found.problems.push(format!("{path}:{line} {what}"));
        }
    };
    for unfinished in ["todo", "unimplemented", "dbg"] {
        forbid(&source.code, &format!("{unfinished} !"), &format!("has `{unfinished}!`"));
    }
    forbid(&source.code, "# [ ignore", "ignores a test");
    let in_tests = ["tests/", "fuzz/"].into_iter().any(|room| path.starts_with(room));
    let tests = only_tests || in_tests || path.contains("/tests/");
    if !tests {
        forbid(&source.product_code, ". unwrap ( )", "has `.unwrap()` outside tests");
        // A message in words tells `Option`'s and `Result`'s from a method of the same name.
        for message in ["\"", "& format"] {
            forbid(&source.product_code, &format!(". expect ( {message}"), "has `.expect(` outside tests");
        }
    }
    if path.starts_with("crates/compliance/src/") && !tests {
        law_in_code(path, &source.product_text, found);
    }
}

const PAYERS: [&str; 14] = [
    "medicare",
    "medicaid",
    "tricare",
    "aetna",
    "cigna",
    "humana",
    "anthem",
    "kaiser",
    "bcbs",
    "blue cross",
    "blue_cross",
    "unitedhealth",
    "united_health",
    "uhc",
];

/// The engine knows no service code and no payer: both are data.
fn law_in_code(path: &str, text: &str, found: &mut Found) {
    for (number, line) in (1..).zip(text.lines()) {
        let words = line.split(|char: char| !char.is_alphanumeric() && char != '_');
        for word in words.filter(|word| is_service_code(word)) {
            found
                .problems
                .push(format!("{path}:{number} names the service code {word}; codes belong in rules/"));
        }
        let lower = line.to_lowercase();
        for payer in PAYERS.into_iter().filter(|payer| lower.contains(payer)) {
            found
                .problems
                .push(format!("{path}:{number} names the payer `{payer}`; payers belong in rules/"));
        }
    }
}

fn is_service_code(word: &str) -> bool {
    word.len() == 5
        && word.starts_with(['9', 'G', 'g'])
        && word.chars().skip(1).all(|char| char.is_ascii_digit())
}

#[cfg(test)]
mod tests;
