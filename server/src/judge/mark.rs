//! The mark: one line in a file that names the note whose work is being judged, read at the next start if
//! the process dies. It names no person and holds no content.
//!
//! It is written without a sync: it is for the death of the process, and the system keeps what a dead
//! process wrote. Where the power goes instead, the work is simply judged again.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use chart::ids::DocumentId;

/// The line's first words.
const FORMAT: &str = "gaitway judging 1";
/// Every line has this length, so that writing one is writing over the last.
const BYTES: usize = 96;

/// What was being judged when a process died.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Died {
    pub(super) document: DocumentId,
    /// How often processes died of it, one after the other.
    pub(super) times: u32,
}

/// The file.
#[derive(Debug)]
pub(super) struct Mark(Option<File>);

impl Mark {
    /// Opens the file and says what a dead process left in it.
    pub(super) fn open(path: &Path) -> io::Result<(Self, Option<Died>)> {
        let mut file = File::options().read(true).write(true).create(true).truncate(false).open(path)?;
        let mut text = Vec::new();
        Read::by_ref(&mut file).take(BYTES as u64).read_to_end(&mut text)?;
        let died = read(&String::from_utf8_lossy(&text));
        Ok((Self(Some(file)), died))
    }

    /// A mark that is kept nowhere.
    pub(super) const fn none() -> Self {
        Self(None)
    }

    /// Marks a note; a mark that cannot be written costs no more than what it is for.
    pub(super) fn set(&mut self, document: DocumentId, times: u32) {
        self.write(&format!("{FORMAT} {document} {times}"));
    }

    /// Takes the mark away.
    pub(super) fn clear(&mut self) {
        self.write("");
    }

    fn write(&mut self, line: &str) {
        let Some(file) = &mut self.0 else { return };
        let line = format!("{line:<width$}\n", width = BYTES - 1);
        let written = file.seek(SeekFrom::Start(0)).and_then(|_| file.write_all(line.as_bytes()));
        if let Err(error) = written {
            tracing::warn!(reason = %error, "what is being judged could not be marked");
        }
    }
}

/// What a line says; anything else says nothing.
fn read(text: &str) -> Option<Died> {
    let mut words = text.strip_prefix(FORMAT)?.split_ascii_whitespace();
    let document = words.next()?.parse().ok()?;
    let times = words.next()?.parse().ok()?;
    Some(Died { document, times })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTE: DocumentId = DocumentId::from_bytes([7; 16]);

    #[test]
    fn what_a_dead_process_left_is_read_and_what_was_finished_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("judging");
        let left = |act: &dyn Fn(&mut Mark)| {
            let (mut mark, _) = Mark::open(&path).unwrap();
            act(&mut mark);
            Mark::open(&path).unwrap().1
        };
        assert_eq!(left(&|_| {}), None);
        assert_eq!(left(&|mark| mark.set(NOTE, 1)), Some(Died { document: NOTE, times: 1 }));
        assert_eq!(left(&|mark| mark.set(NOTE, 12)), Some(Died { document: NOTE, times: 12 }));
        assert_eq!(left(&Mark::clear), None);
    }

    #[test]
    fn a_mark_that_is_none_says_nothing() {
        for text in
            ["", "\n", "gaitway judging 1", "gaitway judging 1 x 1", "gaitway judging 2 x", "\u{0}\u{0}"]
        {
            assert_eq!(read(text), None, "{text:?}");
        }
    }
}
