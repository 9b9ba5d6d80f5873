//! What the demo says to people: short lines, colours only on a terminal. Keeps count of what did not
//! come out as it should.

use std::io::{IsTerminal, Write};

/// The demo's voice.
pub(super) struct Say {
    colours: bool,
    failed: Vec<String>,
}

impl Say {
    /// Speaks to the standard output.
    pub(super) fn new() -> Self {
        let colours = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Self { colours, failed: Vec::new() }
    }

    fn print(&self, style: &str, text: &str) {
        let mut out = std::io::stdout();
        // Nobody has to listen.
        let _ = if self.colours && !style.is_empty() {
            writeln!(out, "\x1b[{style}m{text}\x1b[0m")
        } else {
            writeln!(out, "{text}")
        };
        let _ = out.flush();
    }

    /// A heading.
    pub(super) fn heading(&self, text: &str) {
        self.print("", "");
        self.print("1", text);
    }

    /// A line.
    pub(super) fn line(&self, text: impl AsRef<str>) {
        self.print("", &format!("  {}", text.as_ref()));
    }

    /// A line under a line.
    pub(super) fn detail(&self, text: impl AsRef<str>) {
        self.print("2", &format!("      {}", text.as_ref()));
    }

    /// A line that matters.
    pub(super) fn strong(&self, text: impl AsRef<str>) {
        self.print("1;36", &format!("  {}", text.as_ref()));
    }

    /// Checks something the demo promises; says so only if it is not so.
    pub(super) fn check(&mut self, holds: bool, what: &str) {
        if !holds {
            self.print("1;31", &format!("  NOT AS IT SHOULD BE: {what}"));
            self.failed.push(what.to_owned());
        }
    }

    /// What did not come out as it should.
    pub(super) fn failed(&self) -> &[String] {
        &self.failed
    }
}
