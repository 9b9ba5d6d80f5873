//! The runs that take minutes or hours: the ordinary tests with larger numbers.
//!
//! Nothing here tests anything itself. It hands a number to the tests through the environment
//! (`GAITWAY_KILLS`, `GAITWAY_SEEDS`, `GAITWAY_SEED`, `PROPTEST_CASES`) and refuses to call a run
//! without a single test a success.

use std::path::Path;

use crate::shell;

const KILLS: u64 = 100;
const SEEDS: u64 = 200;
const CASES: u64 = 20_000;

/// The kill tests: the server dies this often at work and as often while it starts, and so does a tablet.
pub fn crash(root: &Path, args: &[String]) -> Result<(), String> {
    let kills = number(args, KILLS, "cargo xtask crash [N]")?;
    system_tests(root, "kill::", ("GAITWAY_KILLS", kills))
}

/// The simulator over this many seeds, or over one seed again.
pub fn sim(root: &Path, args: &[String]) -> Result<(), String> {
    system_tests(root, "sim::", sim_setting(args)?)
}

fn sim_setting(args: &[String]) -> Result<(&'static str, u64), String> {
    const USAGE: &str = "cargo xtask sim [N | --seed S]";
    match args.split_first() {
        Some((flag, [seed])) if flag == "--seed" => Ok(("GAITWAY_SEED", read(seed, USAGE)?)),
        _ => Ok(("GAITWAY_SEEDS", number(args, SEEDS, USAGE)?)),
    }
}

/// The property tests of the library crates, with this many cases each.
///
/// A test that fixes its own number of cases keeps it.
pub fn fuzz(root: &Path, args: &[String]) -> Result<(), String> {
    let cases = number(args, CASES, "cargo xtask fuzz [N]")?;
    let mut test = shell::cargo(
        root,
        &[
            "test",
            "--workspace",
            "--exclude",
            "system-tests",
            "--exclude",
            "gaitway",
            "--exclude",
            "xtask",
            "--tests",
        ],
    );
    test.env("PROPTEST_CASES", cases.to_string());
    shell::step(test)
}

fn system_tests(root: &Path, filter: &str, (name, value): (&str, u64)) -> Result<(), String> {
    let command = |last: &str| {
        let mut test =
            shell::cargo(root, &["test", "--package", "system-tests", "--test", "it", "--", filter, last]);
        test.env(name, value.to_string());
        test
    };
    if !lists_a_test(&shell::output(command("--list"))?) {
        return Err(format!("no system test is named `{filter}…`, so there is nothing to run"));
    }
    shell::step(command("--nocapture"))
}

fn lists_a_test(list: &str) -> bool {
    list.lines().any(|line| line.ends_with(": test"))
}

fn number(args: &[String], otherwise: u64, usage: &str) -> Result<u64, String> {
    match args {
        [] => Ok(otherwise),
        [one] => read(one, usage),
        _ => Err(format!("too many arguments: {usage}")),
    }
}

fn read(text: &str, usage: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("`{text}` is not a number: {usage}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn one_seed_and_many_seeds_are_told_apart() {
        assert_eq!(sim_setting(&words("")), Ok(("GAITWAY_SEEDS", SEEDS)));
        assert_eq!(sim_setting(&words("12")), Ok(("GAITWAY_SEEDS", 12)));
        assert_eq!(sim_setting(&words("--seed 7")), Ok(("GAITWAY_SEED", 7)));
    }

    #[test]
    fn what_is_no_number_is_refused_with_the_usage() {
        let refused = sim_setting(&words("--seed x")).unwrap_err();
        assert_eq!(refused, "`x` is not a number: cargo xtask sim [N | --seed S]");
        assert!(number(&words("1 2"), 1, "usage").is_err());
    }

    #[test]
    fn a_run_without_tests_is_no_success() {
        assert!(lists_a_test("kill::a: test\n\n1 test, 0 benchmarks\n"));
        assert!(!lists_a_test("0 tests, 0 benchmarks\n"));
    }
}
