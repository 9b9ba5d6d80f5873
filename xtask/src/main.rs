//! `cargo xtask`: one word picks what to do. It decides nothing itself; see the library.

use std::process::ExitCode;

use xtask::{dist, layers, long, mutants, product, suite, tidy, web, workspace};

const HELP: &str = "\
cargo xtask <what>

  demo [args]          build gaitway and run `gaitway demo` with these arguments
  test [args]          format, lints, layers, tidy, then `cargo test --workspace` with these arguments,
                       then the web app in a browser
  dist                 build the web app into target/web
  web                  only the web app in a browser

  layers               only the direction of imports, between crates and between files
  tidy                 only the habits of the tree

  crash [N]            the kill tests, N kills (100)
  sim [N | --seed S]   the simulator, N seeds (200), or one seed again
  load [args]          build gaitway for speed and run `gaitway load` with these arguments
  fuzz [N]             the property tests of the library crates, N cases each (20000), then every
                       fuzz target with ten times as many inputs
  fuzz TARGET [N [SEED]]        one target: gate, prescan, frame, journal
  fuzz TARGET --guided SECONDS  one target under libFuzzer, led by the branches it takes
  mutants [checks [K/N]]        the engine's arithmetic, or its findings (the K-th of N parts), broken one
                       place at a time against its tests; needs cargo-mutants
";

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let what = args.next();
    let rest: Vec<String> = args.collect();
    match run(what.as_deref(), &rest) {
        Ok(code) => code,
        Err(sentence) => {
            eprintln!("xtask: {sentence}");
            ExitCode::FAILURE
        }
    }
}

fn run(what: Option<&str>, rest: &[String]) -> Result<ExitCode, String> {
    let root = workspace::root()?;
    match what {
        Some("demo") => product::demo(&root, rest),
        Some("load") => product::load(&root, rest),
        Some("test") => suite::run(&root, rest).map(|()| ExitCode::SUCCESS),
        Some("dist") => dist::run(&root, dist::Core::Shipped).map(|_| ExitCode::SUCCESS),
        Some("web") => web::test(&root, true).map(|()| ExitCode::SUCCESS),
        Some("layers") => layers::run(&root).map(|()| ExitCode::SUCCESS),
        Some("tidy") => tidy::run(&root).map(|()| ExitCode::SUCCESS),
        Some("crash") => long::crash(&root, rest).map(|()| ExitCode::SUCCESS),
        Some("sim") => long::sim(&root, rest).map(|()| ExitCode::SUCCESS),
        Some("fuzz") => long::fuzz(&root, rest).map(|()| ExitCode::SUCCESS),
        Some("mutants") => mutants::run(&root, rest).map(|()| ExitCode::SUCCESS),
        None | Some("help" | "--help" | "-h") => {
            print!("{HELP}");
            Ok(ExitCode::SUCCESS)
        }
        Some(other) => Err(format!("`{other}` is nothing this does; `cargo xtask help` lists what it does")),
    }
}
