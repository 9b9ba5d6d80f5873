//! The test command: the same steps on a laptop and in continuous integration, in one order.
//!
//! A machine that has Rust but not its formatter or its lints still runs the rest, and is told so;
//! where the environment variable `CI` is set, a missing tool fails.

use std::path::Path;

use crate::workspace::HOUSE;
use crate::{layers, shell, tidy, web};

/// Runs every step and stops at the first that fails. `args` go to `cargo test`; with any, the browser test
/// is left out.
pub fn run(root: &Path, args: &[String]) -> Result<(), String> {
    let strict = std::env::var_os("CI").is_some_and(|value| !value.is_empty());
    if component(root, "fmt", "rustfmt", strict)? {
        shell::step(shell::cargo(root, &["fmt", "--all", "--check"]))?;
    }
    if component(root, "clippy", "clippy", strict)? {
        // The browser test is not among all targets, because it does not run without a browser.
        for targets in [&["--all-targets"][..], &["--test", "web"]] {
            let mut clippy = shell::cargo(root, &["clippy"]);
            clippy.args(HOUSE).args(targets).args(["--", "-D", "warnings"]);
            shell::step(clippy)?;
        }
    }
    eprintln!("\n==> cargo xtask layers");
    layers::run(root)?;
    eprintln!("\n==> cargo xtask tidy");
    tidy::run(root)?;
    let mut test = shell::cargo(root, &["test"]);
    if !names_a_package(args) {
        test.args(HOUSE);
    }
    shell::step_with(test, args)?;
    if args.is_empty() {
        web::test(root, strict)?;
    }
    eprintln!("\nAll of it passed.");
    Ok(())
}

fn names_a_package(args: &[String]) -> bool {
    let own = args.iter().take_while(|arg| *arg != "--");
    own.clone()
        .any(|arg| arg == "--workspace" || arg == "--all" || arg == "--package" || arg.starts_with("-p"))
        || own.clone().any(|arg| arg.starts_with("--package="))
}

fn component(root: &Path, subcommand: &str, name: &str, strict: bool) -> Result<bool, String> {
    if shell::works(shell::cargo(root, &[subcommand, "--version"])) {
        return Ok(true);
    }
    let missing = format!("`cargo {subcommand}` is not installed (`rustup component add {name}` adds it)");
    if strict {
        return Err(missing);
    }
    eprintln!("\n==> skipped: {missing}");
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_component_is_skipped_on_a_laptop_and_fails_in_ci() {
        let root = Path::new(".");
        assert_eq!(component(root, "no-such-tool", "no-such-tool", false), Ok(false));
        assert!(
            component(root, "no-such-tool", "no-such-tool", true)
                .unwrap_err()
                .contains("rustup component add")
        );
    }

    #[test]
    fn arguments_that_choose_packages_replace_the_whole_workspace() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert!(names_a_package(&words("-p chart")));
        assert!(names_a_package(&words("--package=chart -- ids")));
        assert!(!names_a_package(&words("ids -- -p")));
    }
}
