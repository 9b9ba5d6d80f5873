//! Building `gaitway` and becoming it: the program's terminal, signals and exit code are untouched.

use std::path::Path;
use std::process::{Command, ExitCode};

use serde_json::Value;

use crate::shell;

/// `gaitway demo` with these arguments, from the profile the tests use.
pub fn demo(root: &Path, args: &[String]) -> Result<ExitCode, String> {
    start(root, &[], "demo", args)
}

/// `gaitway load` with these arguments, built for speed.
pub fn load(root: &Path, args: &[String]) -> Result<ExitCode, String> {
    start(root, &["--release"], "load", args)
}

fn start(root: &Path, profile: &[&str], word: &str, args: &[String]) -> Result<ExitCode, String> {
    let mut build = shell::cargo(
        root,
        &["build", "--package", "gaitway", "--bin", "gaitway", "--message-format", "json-render-diagnostics"],
    );
    build.args(profile);
    let messages = shell::output(build)?;
    let program = executable(&messages).ok_or("cargo built gaitway but did not say where it is")?;
    let mut gaitway = Command::new(program);
    gaitway.arg(word).args(args);
    shell::become_it(gaitway)
}

/// Where cargo says it put the program.
fn executable(messages: &str) -> Option<String> {
    messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()).find_map(|message| {
        let name = message.get("target")?.get("name")?.as_str()?;
        let place = message.get("executable")?.as_str()?;
        (name == "gaitway").then(|| place.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_where_cargo_says() {
        let messages = "not json\n{\"reason\":\"compiler-artifact\",\"target\":{\"name\":\"gaitway\"},\"executable\":null}\n\
             {\"reason\":\"compiler-artifact\",\"target\":{\"name\":\"gaitway\"},\"executable\":\"d/gaitway\"}\n";
        assert_eq!(executable(messages).as_deref(), Some("d/gaitway"));
        assert_eq!(executable(""), None);
    }
}
