//! Starting other programs: said aloud, waited for, and a failure told in one sentence.

use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

/// A `cargo` command in the project's root; the same cargo that runs this program.
pub fn cargo(root: &Path, args: &[&str]) -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(root).args(args);
    command
}

/// A `rustc` command in the project's root.
pub fn rustc(root: &Path, args: &[&str]) -> Command {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let mut command = Command::new(rustc);
    command.current_dir(root).args(args);
    command
}

/// The command as a person would type it.
pub fn spoken(command: &Command) -> String {
    let mut words: Vec<String> = command
        .get_envs()
        .filter_map(|(name, value)| Some(format!("{}={}", name.to_string_lossy(), value?.to_string_lossy())))
        .collect();
    let program = Path::new(command.get_program());
    words.push(program.file_stem().unwrap_or(program.as_os_str()).to_string_lossy().into_owned());
    words.extend(command.get_args().map(|arg| arg.to_string_lossy().into_owned()));
    words.join(" ")
}

/// Says what runs, runs it with this terminal, and fails with a sentence if it fails.
pub fn step(mut command: Command) -> Result<(), String> {
    let words = spoken(&command);
    eprintln!("\n==> {words}");
    let status = command.status().map_err(|error| format!("could not start `{words}`: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("stopped, because `{words}` failed ({status})")) }
}

/// The same, with more arguments after the command's own.
pub fn step_with(mut command: Command, args: &[String]) -> Result<(), String> {
    command.args(args);
    step(command)
}

/// Runs a command and returns what it printed; its complaints go to this terminal.
pub fn output(mut command: Command) -> Result<String, String> {
    let words = spoken(&command);
    let out = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("could not start `{words}`: {error}"))?;
    if !out.status.success() {
        return Err(format!("`{words}` failed ({})", out.status));
    }
    String::from_utf8(out.stdout).map_err(|_| format!("`{words}` printed something that is not text"))
}

/// Whether a command runs and succeeds; silent.
pub fn works(mut command: Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Becomes the other program: its terminal, its signals and its exit code are this one's.
#[cfg(unix)]
pub fn become_it(mut command: Command) -> Result<ExitCode, String> {
    use std::os::unix::process::CommandExt;
    let words = spoken(&command);
    Err(format!("could not start `{words}`: {}", command.exec()))
}

/// Runs the other program with this terminal and answers with its exit code.
#[cfg(not(unix))]
pub fn become_it(mut command: Command) -> Result<ExitCode, String> {
    let words = spoken(&command);
    let status = command.status().map_err(|error| format!("could not start `{words}`: {error}"))?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_step_says_which_command_failed() {
        let mut command = cargo(Path::new("."), &["no-such-subcommand-here"]);
        command.stderr(Stdio::null());
        let failed = step(command).unwrap_err();
        assert!(failed.contains("`cargo no-such-subcommand-here` failed"), "{failed}");
    }

    #[test]
    fn settings_are_said_with_the_command() {
        let mut command = cargo(Path::new("."), &["test"]);
        command.env("GAITWAY_KILLS", "7");
        assert_eq!(spoken(&command), "GAITWAY_KILLS=7 cargo test");
    }
}
