//! The rulebook is strict about its data, and the engine's source names no code and no payer.

use std::path::Path;

use compliance::Rulebook;
use compliance::rulebook::CodeState;

/// The built-in rulebook with one piece of text replaced in one file.
fn with(file: &str, from: &str, to: &str) -> Result<Rulebook, String> {
    let files: Vec<(&str, String)> = Rulebook::builtin_files()
        .iter()
        .map(|(name, text)| {
            assert!(*name != file || text.contains(from), "{file} does not hold {from}");
            (*name, if *name == file { text.replacen(from, to, 1) } else { (*text).to_owned() })
        })
        .collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    Rulebook::parse(&files).map_err(|error| error.to_string())
}

#[test]
fn the_built_in_rules_are_whole() {
    let book = Rulebook::builtin().unwrap();
    assert_eq!(book.edition(), "2024q3");
    assert_eq!(book.fingerprint().len(), 64);
    assert_eq!(book.payers().count(), 12);
    assert!(book.payer("medicare").is_some() && book.payer("nobody").is_none());
}

#[test]
fn what_is_wrong_with_the_data_is_said_in_one_sentence() {
    for (file, from, to, words) in [
        ("codes.toml", "basis = ", "bsis = ", "unknown field `bsis`"),
        ("codes.toml", "source = \"therapy-code-list\"", "", "missing field `source`"),
        ("codes.toml", "from = \"2000-04-01\"", "", "missing field `from`"),
        (
            "codes.toml",
            "source = \"therapy-code-list\"",
            "source = \"hearsay\"",
            "`hearsay` is in no list of sources",
        ),
        ("codes.toml", "number = \"97012\"", "number = \"97010\"", "stands twice"),
        ("counting.toml", "unit_from = 8", "unit_from = 16", "must begin between 1 and its 15 minutes"),
        ("payers.toml", "aliases = [\"medicaid\"]", "aliases = [\"aetna\"]", "`aetna` stands twice"),
        (
            "payers.toml",
            "causes = \"neurologic-causes\"",
            "causes = \"nothing\"",
            "unknown word list `nothing`",
        ),
        ("words.toml", "name = \"cue-words\"", "name = \"clue-words\"", "`cue-words` is missing"),
        (
            "findings.toml",
            "id = \"time-segment-open\"",
            "id = \"time-segment\"",
            "`time-segment-open` has no finding text",
        ),
        ("edition.toml", "name = \"2024q3\"", "", "the edition has no name"),
        ("edition.toml", "from = ", "# from = ", "no start date"),
        ("settings.toml", "value = 120", "value = \"many\"", "invalid type"),
    ] {
        let error = with(file, from, to).expect_err(words);
        assert!(error.contains(words) && !error.contains('\n'), "{error}");
    }
}

#[test]
fn any_change_of_the_data_changes_the_fingerprint() {
    let changed = with("codes.toml", "hot or cold pack", "hot or cold packs").unwrap();
    assert_ne!(changed.fingerprint(), Rulebook::builtin().unwrap().fingerprint());
}

#[test]
fn a_code_is_known_retired_or_unknown_by_date() {
    let book = Rulebook::builtin().unwrap();
    let state = |code: &str, date: &str| {
        let code = chart::code::ServiceCode::parse(code).unwrap();
        match book.code_on(&code, date.parse().unwrap()) {
            CodeState::Known(_) => "known",
            CodeState::Retired(_) => "retired",
            CodeState::Unknown => "unknown",
        }
    };
    assert_eq!(state("97112", "2024-08-05"), "known");
    assert_eq!(state("98985", "2025-12-31"), "unknown");
    assert_eq!(state("98985", "2026-01-01"), "known");
    assert_eq!(state("97532", "2024-08-05"), "retired");
    assert_eq!(state("G8990", "2024-08-05"), "retired");
    assert_eq!(state("97999", "2024-08-05"), "unknown");
}

/// Source files under a folder.
fn sources(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else {
            found.push(path);
        }
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "reads its own source")]
fn the_engine_names_no_code_and_no_payer() {
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    assert!(files.len() > 30);
    let book = Rulebook::builtin().unwrap();
    let payers: Vec<String> = book
        .payers()
        .map(|payer| payer.id.clone())
        .chain(["medicare", "medicaid", "bcbs"].map(str::to_owned))
        .collect();
    for path in files {
        let text = String::from_utf8(std::fs::read(&path).unwrap()).unwrap().to_lowercase();
        // Tests in the source may name what they like.
        let text = text.split("#[cfg(test)]").next().unwrap_or_default();
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        for word in words {
            let number = word.len() == 5
                && (word.starts_with('9') || word.starts_with('g'))
                && word[1..].bytes().all(|b| b.is_ascii_digit());
            assert!(!number, "{} names the code {word}", path.display());
        }
        for payer in payers.iter().filter(|payer| *payer != "full15" && *payer != "cash") {
            assert!(!text.contains(payer.as_str()), "{} names the payer {payer}", path.display());
        }
    }
}
