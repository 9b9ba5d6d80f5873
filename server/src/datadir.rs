//! The data directory: which files it has, who may read them, and the clinic's keys.
//!
//! Nothing here prints a key, and a file of secrets that others may read is refused.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use chart::ids::ClinicId;
use serde::{Deserialize, Serialize};

use crate::edge::hex;

/// The version of the key file's layout.
const KEYS_FORMAT: u32 = 1;

/// Why a data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The directory is not one that `init` made.
    #[error("{0} is no clinic's directory: make one with `gaitway init {0} --name \"...\"`")]
    NotInitialised(String),
    /// There is something in the way of a new directory.
    #[error("{0} is not empty; a new clinic needs a new or empty directory")]
    NotEmpty(String),
    /// A file of secrets that others may read.
    #[error("{path} can be read by others on this machine (mode {mode:o}): run `chmod 600 {path}`")]
    Exposed {
        /// The file.
        path: String,
        /// Its permission bits.
        mode: u32,
    },
    /// A file that does not hold what it should.
    #[error("{path} cannot be read: {reason}")]
    Malformed {
        /// The file.
        path: String,
        /// What is wrong, without its content.
        reason: String,
    },
    /// The operating system refused.
    #[error("{doing} {path} failed: {error}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// The file.
        path: String,
        /// What the system said.
        error: io::Error,
    },
}

fn io_error(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> DataError {
    let path = path.display().to_string();
    move |error| DataError::Io { doing, path, error }
}

/// A clinic's directory on the server.
#[derive(Clone, Debug)]
pub struct DataDir {
    root: PathBuf,
}

impl DataDir {
    /// Names a directory; opens nothing.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }
    /// The directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }
    /// The clinic's keys: mode 0600.
    pub fn keys(&self) -> PathBuf {
        self.root.join("keys.toml")
    }
    /// The administrator's token, for the command line on this machine: mode 0600.
    pub fn admin_token(&self) -> PathBuf {
        self.root.join("admin.token")
    }
    /// The token that reads metrics and nothing else: mode 0600.
    pub fn metrics_token(&self) -> PathBuf {
        self.root.join("metrics.token")
    }
    /// Hashes of the people's access tokens: mode 0600.
    pub fn person_tokens(&self) -> PathBuf {
        self.root.join("tokens.json")
    }
    /// The configuration, if there is one.
    pub fn config(&self) -> PathBuf {
        self.root.join("gaitway.toml")
    }
    /// The clinic's own rule files, if there are any.
    pub fn rules(&self) -> PathBuf {
        self.root.join("rules")
    }
    /// The record.
    pub fn record(&self) -> PathBuf {
        self.root.join("record")
    }
    /// The mark of what is being judged.
    pub fn judging(&self) -> PathBuf {
        self.root.join("judging")
    }
    /// The mark of the note whose report is being computed.
    pub fn reckoning(&self) -> PathBuf {
        self.root.join("reckoning")
    }
    /// Where a running server listens; gone when it has stopped cleanly.
    pub fn address(&self) -> PathBuf {
        self.root.join("server.address")
    }

    /// Fails unless `init` made this directory.
    pub fn must_exist(&self) -> Result<(), DataError> {
        if self.keys().is_file() {
            return Ok(());
        }
        Err(DataError::NotInitialised(self.root.display().to_string()))
    }

    /// The clinic's keys. Refuses a file that others may read.
    pub fn read_keys(&self) -> Result<Keys, DataError> {
        self.must_exist()?;
        let path = self.keys();
        let text = read_secret(&path)?;
        let malformed = |reason: &str| DataError::Malformed {
            path: path.display().to_string(),
            reason: reason.to_owned(),
        };
        // The parser's own message would quote the line, and with it a key.
        let file: KeysFile = toml::from_str(&text).map_err(|_| malformed("it is not a key file"))?;
        if file.format != KEYS_FORMAT {
            return Err(malformed("it was written by another version of gaitway"));
        }
        let key = |text: &str| unhex(text).ok_or_else(|| malformed("a key is not 64 hexadecimal digits"));
        Ok(Keys { clinic: file.clinic, clinic_key: key(&file.clinic_key)?, site_key: key(&file.site_key)? })
    }

    /// Writes the clinic's keys.
    pub fn write_keys(&self, keys: &Keys) -> Result<(), DataError> {
        let text = format!(
            "# The keys of this clinic. Who has this file can read the record; without it nobody can.\n\
             # Keep a copy on paper or on a medium in a safe, away from this machine.\n\
             format = {KEYS_FORMAT}\nclinic = \"{}\"\nclinic_key = \"{}\"\nsite_key = \"{}\"\n",
            keys.clinic,
            hex(&keys.clinic_key),
            hex(&keys.site_key),
        );
        write_secret(&self.keys(), &text)
    }

    /// A token file's token. Refuses a file that others may read.
    pub fn read_token(&self, path: &Path) -> Result<String, DataError> {
        self.must_exist()?;
        let token = read_secret(path)?.trim().to_owned();
        if token.is_empty() {
            let reason = "it is empty".to_owned();
            return Err(DataError::Malformed { path: path.display().to_string(), reason });
        }
        Ok(token)
    }

    /// Where the server that runs on this directory listens, such as `http://127.0.0.1:8097`.
    pub fn read_address(&self) -> Option<String> {
        fs::read_to_string(self.address()).ok().map(|text| text.trim().to_owned())
    }
}

/// The keys of a clinic. Not printable.
#[derive(Clone)]
pub struct Keys {
    /// The clinic.
    pub clinic: ClinicId,
    /// Seals the record.
    pub clinic_key: [u8; 32],
    /// The seed of the site's Ed25519 key: signs verdicts and proves the server to its tablets.
    pub site_key: [u8; 32],
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeysFile {
    format: u32,
    clinic: ClinicId,
    clinic_key: String,
    site_key: String,
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    chart::ids::Digest::parse(text).ok().map(|digest| *digest.as_bytes())
}

/// Reads a file of secrets; refuses one that others than its owner may read.
pub fn read_secret(path: &Path) -> Result<String, DataError> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(path).map_err(io_error("reading", path))?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(DataError::Exposed { path: path.display().to_string(), mode });
        }
    }
    fs::read_to_string(path).map_err(io_error("reading", path))
}

/// Writes a file that only its owner may read: whole or not at all, and durably.
pub fn write_secret(path: &Path, text: &str) -> Result<(), DataError> {
    let beside = path.with_extension("new");
    let mut options = OpenOptions::new();
    options.create(true).truncate(true).write(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let write = || -> io::Result<()> {
        let mut file = options.open(&beside)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&beside, path)?;
        match path.parent() {
            Some(parent) if parent != Path::new("") => File::open(parent)?.sync_all(),
            _ => File::open(".")?.sync_all(),
        }
    };
    write().map_err(io_error("writing", path))
}

/// Makes a directory that only its owner may enter.
pub fn make_private_dir(path: &Path) -> Result<(), DataError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.create(path).map_err(io_error("making", path))
}

/// Fails unless a directory is missing or empty.
pub fn must_be_empty(path: &Path) -> Result<(), DataError> {
    match fs::read_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(io_error("reading", path)(error)),
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => Err(DataError::NotEmpty(path.display().to_string())),
        },
    }
}

/// Puts a directory in the place of a missing or empty one.
pub fn move_into_place(from: &Path, to: &Path) -> Result<(), DataError> {
    fs::rename(from, to).map_err(io_error("making", to))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> Keys {
        Keys { clinic: ClinicId::from_bytes([1; 16]), clinic_key: [2; 32], site_key: [3; 32] }
    }

    #[test]
    fn keys_read_back_and_are_private() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::new(dir.path());
        data.write_keys(&keys()).unwrap();
        let read = data.read_keys().unwrap();
        assert_eq!((read.clinic, read.clinic_key, read.site_key), (keys().clinic, [2; 32], [3; 32]));
    }

    #[cfg(unix)]
    #[test]
    fn keys_that_others_may_read_are_refused_with_the_remedy() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::new(dir.path());
        data.write_keys(&keys()).unwrap();
        fs::set_permissions(data.keys(), fs::Permissions::from_mode(0o644)).unwrap();
        let sentence = data.read_keys().err().unwrap().to_string();
        assert!(sentence.contains("mode 644") && sentence.contains("chmod 600"), "{sentence}");
    }

    #[test]
    fn a_damaged_key_file_is_refused_without_printing_it() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::new(dir.path());
        let secret = "5e".repeat(32);
        write_secret(&data.keys(), &format!("format = 1\nclinic_key = {secret}\n")).unwrap();
        let sentence = data.read_keys().err().unwrap().to_string();
        assert!(sentence.contains("keys.toml") && !sentence.contains("5e5e"), "{sentence}");
    }

    #[test]
    fn a_directory_without_keys_says_how_to_make_one() {
        let dir = tempfile::tempdir().unwrap();
        let sentence = DataDir::new(dir.path()).read_keys().err().unwrap().to_string();
        assert!(sentence.contains("gaitway init"), "{sentence}");
    }
}
