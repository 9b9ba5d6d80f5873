//! How a command ends: with an exit code, or with one sentence and a code that says whose fault it was.

use std::io::Write;
use std::process::ExitCode;

use serde::Serialize;

/// A command's end.
pub(crate) type Outcome = Result<ExitCode, Failure>;

/// Why a command did not work.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command line is wrong.
    Usage(String),
    /// Something did not work.
    Failed(String),
    /// Nobody reads the output any more.
    NobodyListens,
}

impl Failure {
    /// Says why on the standard error.
    pub(crate) fn report(self) -> ExitCode {
        let (sentence, code) = match self {
            Self::Usage(sentence) => (sentence, 2),
            Self::Failed(sentence) => (sentence, 1),
            Self::NobodyListens => return ExitCode::SUCCESS,
        };
        let _ = writeln!(std::io::stderr(), "gaitway: {sentence}");
        ExitCode::from(code)
    }
}

/// Something did not work, in the words of an error.
pub(crate) fn failed(error: impl ToString) -> Failure {
    Failure::Failed(error.to_string())
}

/// Prints a line.
pub(crate) fn say(line: impl std::fmt::Display) -> Result<(), Failure> {
    writeln!(std::io::stdout(), "{line}").map_err(|_| Failure::NobodyListens)
}

/// Prints a value as JSON, or as the sentence it has for people.
pub(crate) fn show(json: bool, value: &impl Serialize, sentence: impl FnOnce() -> String) -> Outcome {
    if json {
        say(serde_json::to_string_pretty(value).map_err(failed)?)?;
    } else {
        let sentence = sentence();
        if !sentence.is_empty() {
            say(sentence.trim_end())?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
