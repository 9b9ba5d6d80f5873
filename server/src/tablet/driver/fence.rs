//! Whether the document engine is at work, as one byte in a file, so that the next start knows if it was
//! the engine that ended this one. It names nobody and holds no content.
//!
//! Written without a sync: it is for the death of the process, and the system keeps what a dead process
//! wrote. What power loss does to it costs no more than one more try.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use chart::ids::DocumentId;
use tablet::{Fence, LastEnd};

use crate::tablet::planted::Planted;

const AT_WORK: u8 = b'1';
const DONE: u8 = b'0';

/// The file, and what a test has planted.
#[derive(Debug)]
pub(super) struct EngineFile {
    file: File,
    planted: Planted,
}

impl EngineFile {
    /// Opens the file and says how the last process ended.
    pub(super) fn open(path: &Path, planted: Planted) -> io::Result<(Self, LastEnd)> {
        let mut file = File::options().read(true).write(true).create(true).truncate(false).open(path)?;
        let mut found = Vec::new();
        Read::by_ref(&mut file).take(1).read_to_end(&mut found)?;
        let end = if found == [AT_WORK] { LastEnd::InEngine } else { LastEnd::Unknown };
        let mut fence = Self { file, planted };
        fence.write(DONE);
        Ok((fence, end))
    }

    /// A note that cannot be taken costs no more than what it is for: the mark in the log stands.
    fn write(&mut self, byte: u8) {
        let _ = self.file.seek(SeekFrom::Start(0)).and_then(|_| self.file.write_all(&[byte]));
    }
}

impl Fence for EngineFile {
    fn enter(&mut self, _: DocumentId, changes: &[&[u8]]) {
        self.write(AT_WORK);
        self.planted.strike(changes);
    }

    fn leave(&mut self) {
        self.write(DONE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_process_that_died_in_the_engine_is_said_to_have() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("engine");
        let open = || EngineFile::open(&path, Planted::default()).unwrap();
        let note = DocumentId::from_bytes([7; 16]);
        let (mut fence, end) = open();
        assert_eq!(end, LastEnd::Unknown);
        fence.enter(note, &[b"change"]);
        fence.leave();
        let (mut fence, end) = open();
        assert_eq!(end, LastEnd::Unknown);
        fence.enter(note, &[b"change"]);
        assert_eq!(open().1, LastEnd::InEngine);
        assert_eq!(open().1, LastEnd::Unknown, "it is said once");
    }
}
