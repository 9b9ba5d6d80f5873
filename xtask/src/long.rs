//! The runs that take minutes or hours: the ordinary tests with larger numbers.
//!
//! Nothing here tests anything itself. It hands a number to the tests through the environment
//! (`GAITWAY_KILLS`, `GAITWAY_SEEDS`, `GAITWAY_SEED`, `PROPTEST_CASES`) or to the fuzz targets, and
//! refuses to call a run without a single test a success.

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

const FUZZ: &str = "cargo xtask fuzz [N | TARGET [N [SEED]] | TARGET --guided SECONDS]";

/// How the compiler marks which branches an input took, for libFuzzer; known to stable compilers.
const GUIDED: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Clink-dead-code -Ccodegen-units=1";

/// What a call of `fuzz` asks for.
#[derive(Debug, PartialEq, Eq)]
enum Fuzz {
    /// The property tests with this many cases, and every target with ten times as many inputs.
    Everything(u64),
    /// One target, with these arguments.
    One(Vec<String>),
    /// One target under libFuzzer, for this many seconds.
    Guided(String, u64),
}

fn fuzz_asked(args: &[String]) -> Result<Fuzz, String> {
    match args {
        [target, flag, seconds] if flag == "--guided" => {
            Ok(Fuzz::Guided(target.clone(), read(seconds, FUZZ)?))
        }
        [first, ..] if first.parse::<u64>().is_err() => Ok(Fuzz::One(args.to_vec())),
        _ => Ok(Fuzz::Everything(number(args, CASES, FUZZ)?)),
    }
}

/// The property tests of the library crates and the fuzz targets. A test that fixes its own number of
/// cases keeps it.
pub fn fuzz(root: &Path, args: &[String]) -> Result<(), String> {
    match fuzz_asked(args)? {
        Fuzz::Everything(cases) => {
            let mut test = shell::cargo(root, &["test", "--workspace"]);
            for package in ["system-tests", "gaitway", "xtask", "bindgen", "fuzz"] {
                test.args(["--exclude", package]);
            }
            test.arg("--tests").env("PROPTEST_CASES", cases.to_string());
            shell::step(test)?;
            targets(root, &["all".to_owned(), cases.saturating_mul(10).to_string()])
        }
        Fuzz::One(args) => targets(root, &args),
        Fuzz::Guided(target, seconds) => guided(root, &target, seconds),
    }
}

fn targets(root: &Path, args: &[String]) -> Result<(), String> {
    shell::step_with(shell::cargo(root, &["run", "--release", "--package", "fuzz", "--"]), args)
}

/// Builds one target with marks on every branch and lets libFuzzer loose on the corpus.
fn guided(root: &Path, target: &str, seconds: u64) -> Result<(), String> {
    let corpus = root.join("target").join("guided").join("corpus");
    targets(root, &["expand".to_owned(), corpus.to_string_lossy().into_owned()])?;
    let about = shell::output(shell::rustc(root, &["-vV"]))?;
    let host =
        about.lines().find_map(|line| line.strip_prefix("host: ")).ok_or("rustc does not name its host")?;
    let mut run = shell::cargo(root, &["run", "--release", "--package", "fuzz", "--features", "guided"]);
    run.args(["--target", host, "--target-dir", "target/guided", "--bin"]).arg(format!("guided-{target}"));
    run.arg("--").arg(corpus.join(target)).arg(format!("-max_total_time={seconds}"));
    run.args(["-max_len=8192", "-timeout=10", "-print_final_stats=1"]).env("RUSTFLAGS", GUIDED);
    shell::step(run)
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
    fn everything_one_target_and_a_guided_target_are_told_apart() {
        let asked = |text: &str| fuzz_asked(&words(text));
        assert_eq!(asked(""), Ok(Fuzz::Everything(CASES)));
        assert_eq!(asked("500"), Ok(Fuzz::Everything(500)));
        assert_eq!(asked("gate 9 2"), Ok(Fuzz::One(words("gate 9 2"))));
        assert_eq!(asked("frame --guided 60"), Ok(Fuzz::Guided("frame".to_owned(), 60)));
        assert!(asked("frame --guided soon").unwrap_err().ends_with(FUZZ));
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
