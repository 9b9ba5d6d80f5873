//! Mutation testing of the compliance engine with cargo-mutants: its arithmetic, or its findings, broken one
//! place at a time, each time against the engine's own tests.
//!
//! Breaks nothing itself and changes no file: the tool works on a copy.

use std::path::Path;

use crate::shell;

const USAGE: &str = "cargo xtask mutants [checks [SHARD/OF]] [-- arguments of cargo-mutants]";

/// The arithmetic: minutes to units, assistants' shares, payment, thresholds, the course of an episode.
const ARITHMETIC: [&str; 9] = [
    "units.rs",
    "units/division.rs",
    "units/split.rs",
    "units/pool.rs",
    "assistant.rs",
    "payment.rs",
    "course.rs",
    "checks/bundling/thresholds.rs",
    "claim/after.rs",
];

/// The findings, group by group.
const CHECKS: [&str; 1] = ["checks/**"];

/// Sessions a law of counting is asked of: fewer than usual, for there are hundreds of runs.
const SESSIONS: &str = "1000";

/// What a call asks for.
#[derive(Debug, PartialEq, Eq)]
struct Asked<'a> {
    files: &'static [&'static str],
    shard: Option<&'a str>,
    more: &'a [String],
}

fn asked(args: &[String]) -> Result<Asked<'_>, String> {
    let end = args.iter().position(|arg| arg == "--").unwrap_or(args.len());
    let (own, more) = args.split_at(end);
    let more = more.get(1..).unwrap_or(&[]);
    match own {
        [] => Ok(Asked { files: &ARITHMETIC, shard: None, more }),
        [what] if what == "checks" => Ok(Asked { files: &CHECKS, shard: None, more }),
        [what, shard] if what == "checks" && is_shard(shard) => {
            Ok(Asked { files: &CHECKS, shard: Some(shard), more })
        }
        _ => Err(format!("use: {USAGE}")),
    }
}

fn is_shard(text: &str) -> bool {
    text.split_once('/').is_some_and(|(one, of)| match (one.parse::<u32>(), of.parse::<u32>()) {
        (Ok(one), Ok(of)) => one < of,
        _ => false,
    })
}

/// Runs the tool, if it is there.
pub fn run(root: &Path, args: &[String]) -> Result<(), String> {
    let asked = asked(args)?;
    if shell::output(shell::cargo(root, &["mutants", "--version"])).is_err() {
        return Err(
            "cargo-mutants is not installed; `cargo install cargo-mutants --locked` brings it".to_owned()
        );
    }
    let mut tool = shell::cargo(root, &["mutants", "--test-tool", "cargo", "--package", "compliance"]);
    tool.args(["--test-package", "compliance", "--baseline", "skip", "--timeout", "120"]);
    for file in asked.files {
        tool.arg("--file").arg(format!("crates/compliance/src/{file}"));
    }
    if let Some(shard) = asked.shard {
        tool.args(["--shard", shard, "--sharding", "round-robin"]);
    }
    // The property tests on arbitrary facts take longest and ask for no figure.
    tool.args(asked.more).args(["--", "--lib", "--test", "compliance", "--", "--skip", "any_facts"]);
    tool.env("GAITWAY_SESSIONS", SESSIONS).env("CARGO_PROFILE_DEV_DEBUG", "0");
    shell::step(tool)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(args: &[&str], files: Option<(usize, Option<&str>, usize)>) {
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        let found = asked(&args).ok().map(|asked| (asked.files.len(), asked.shard, asked.more.len()));
        assert_eq!(found, files, "{args:?}");
    }

    #[test]
    fn a_call_names_the_arithmetic_or_the_findings_or_a_part_of_them() {
        check(&[], Some((9, None, 0)));
        check(&["checks"], Some((1, None, 0)));
        check(&["checks", "0/8"], Some((1, Some("0/8"), 0)));
        check(&["checks", "0/8", "--", "--list"], Some((1, Some("0/8"), 1)));
        check(&["--", "--list"], Some((9, None, 1)));
        for wrong in [&["everything"][..], &["checks", "8/8"], &["checks", "x"], &["checks", "0/8", "1"]] {
            check(wrong, None);
        }
    }

    #[test]
    fn every_file_of_the_arithmetic_is_there() {
        let root = crate::workspace::root().unwrap();
        for file in ARITHMETIC {
            assert!(root.join("crates/compliance/src").join(file).is_file(), "{file}");
        }
    }
}
