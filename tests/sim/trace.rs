//! What happened in a world, line by line: always hashed, printed on demand. Two runs of a seed are the
//! same exactly when their hashes are.

use std::fmt::Write as _;

/// The lines of a run.
pub(crate) struct Trace {
    hasher: blake3::Hasher,
    lines: Option<String>,
}

impl Trace {
    /// An empty trace; `told` keeps the lines.
    pub(crate) fn new(told: bool) -> Self {
        Self { hasher: blake3::Hasher::new(), lines: told.then(String::new) }
    }

    /// Notes a line.
    pub(crate) fn line(&mut self, now: i64, line: std::fmt::Arguments<'_>) {
        let since = now.saturating_sub(crate::clinic::DAWN);
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{since:>8} {line}");
        self.hasher.update(text.as_bytes());
        if let Some(lines) = &mut self.lines {
            lines.push_str(&text);
        }
    }

    /// Tells a line that follows from what is noted already.
    pub(crate) fn aside(&mut self, now: i64, line: std::fmt::Arguments<'_>) {
        if let Some(lines) = &mut self.lines {
            // Writing to a string cannot fail.
            let _ = writeln!(lines, "{:>8} {line}", now.saturating_sub(crate::clinic::DAWN));
        }
    }

    /// Notes bytes that need no line.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
    }

    /// The hash of everything so far, hexadecimal.
    pub(crate) fn hash(&self) -> String {
        self.hasher.finalize().to_hex().to_string()
    }

    /// The lines, if they were kept.
    pub(crate) fn told(self) -> Option<String> {
        self.lines
    }
}
