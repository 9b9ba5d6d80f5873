//! Derived values too large for an index row: one file each, never synced, checked when read. Losing
//! one loses nothing that cannot be computed again.

use std::io;
use std::path::{Path, PathBuf};

use store::Key;

/// The directory of large kept values.
#[derive(Debug)]
pub(crate) struct KeptFiles(PathBuf);

impl KeptFiles {
    pub(crate) fn new(dir: PathBuf) -> Self {
        Self(dir)
    }

    fn path(&self, key: Key) -> PathBuf {
        let name: String = key.0.iter().map(|byte| format!("{byte:02x}")).collect();
        self.0.join(name.get(..2).unwrap_or_default()).join(name)
    }

    /// Writes a value and returns its digest.
    pub(crate) fn put(&self, key: Key, value: &[u8]) -> io::Result<[u8; 32]> {
        let path = self.path(key);
        std::fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
        let fresh = path.with_extension("new");
        std::fs::write(&fresh, value)?;
        std::fs::rename(&fresh, &path)?;
        Ok(*blake3::hash(value).as_bytes())
    }

    /// The value, if it is there and is the one with this digest.
    pub(crate) fn get(&self, key: Key, digest: &[u8]) -> Option<Vec<u8>> {
        let value = std::fs::read(self.path(key)).ok()?;
        (blake3::hash(&value).as_bytes() == digest).then_some(value)
    }

    pub(crate) fn forget(&self, key: Key) {
        let _ = std::fs::remove_file(self.path(key));
    }
}
