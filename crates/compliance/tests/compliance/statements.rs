//! Every statement of the source documents is realised by something that is there.

use std::collections::BTreeSet;
use std::path::Path;

use compliance::Rulebook;
use compliance::statements::{Statement, document, missing, read};

fn statements() -> Vec<Statement> {
    read(include_str!("../../../../rules/statements.toml")).unwrap()
}

fn examples() -> BTreeSet<String> {
    let examples: serde_json::Value =
        serde_json::from_str(include_str!("../../../../rules/examples/findings.json")).unwrap();
    let list = examples["examples"].as_array().unwrap();
    list.iter().map(|example| example["finding"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn everything_the_statements_name_is_there() {
    let book = Rulebook::builtin().unwrap();
    assert_eq!(missing(&statements(), &book, &examples()), Vec::<String>::new());
}

#[test]
fn all_129_statements_of_the_three_documents_are_there() {
    let numbers: Vec<String> = statements().into_iter().map(|statement| statement.number).collect();
    let all = [36, 36, 57].into_iter().enumerate();
    let expected: Vec<String> =
        all.flat_map(|(document, n)| (1..=n).map(move |place| format!("{document}.{place}"))).collect();
    assert_eq!(numbers, expected);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "reads the project's own pages")]
fn the_passages_stand_in_the_pages_named() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut looked = 0;
    for statement in statements() {
        let (Some(page), Some(passage)) = (statement.page, statement.passage) else { continue };
        let text = String::from_utf8(std::fs::read(root.join(&page)).unwrap()).unwrap();
        assert!(text.contains(&passage), "{}: {page} does not say `{passage}`", statement.number);
        looked += 1;
    }
    assert!(looked > 3);
}

#[test]
fn the_documented_statements_are_those_of_the_rules() {
    assert_eq!(
        include_str!("../../../../docs/statements.md"),
        document(&statements()),
        "run `cargo run -p compliance --example statements_document > docs/statements.md`"
    );
}

#[test]
fn a_statement_that_names_what_is_not_there_is_noticed() {
    let book = Rulebook::builtin().unwrap();
    let text = |more: &str| format!("[[statement]]\nnumber = \"9.1\"\nsays = \"x\"\n{more}\n");
    for (more, words) in [
        ("findings = [\"no-such-finding\"]", "9.1: there is no finding `no-such-finding`"),
        ("rows = [\"payer/nobody\"]", "9.1: there is no row `payer/nobody`"),
        ("words = { cue-words = [\"shouting\"] }", "9.1: `shouting` is not in the list `cue-words`"),
        ("", "9.1: nothing realises it"),
    ] {
        assert_eq!(missing(&read(&text(more)).unwrap(), &book, &examples()), [words]);
    }
    let shown = read(&text("findings = [\"signature-missing\"]")).unwrap();
    assert_eq!(
        missing(&shown, &book, &BTreeSet::new()),
        ["9.1: the finding `signature-missing` has no example"]
    );
}
