//! A tablet's directory: who it is, its keys, and where its log lies. Prints no key.
//!
//! `keys.json` (mode 0600) has the device's Ed25519 key and the key the log is sealed under; without it
//! the log cannot be read by anybody. The directory has mode 0700.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use chart::ids::{ClinicId, DeviceId, Digest, PersonId};
use serde::{Deserialize, Serialize};

use crate::datadir::{DataError, read_secret, write_secret};

/// The version of the key file's layout.
const FORMAT: u32 = 1;
const KEYS: &str = "keys.json";
const LOG: &str = "log";
const ENGINE: &str = "engine";

/// Why a tablet's directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    /// There is no tablet in it.
    #[error("{0} is no tablet's directory: make one with `gaitway tablet enrol {0} --server … --code …`")]
    NotEnrolled(String),
    /// There is one already.
    #[error("{0} is a tablet's directory already; enrol a new tablet into a new directory")]
    Enrolled(String),
    /// The key file does not hold what it should.
    #[error("{path} cannot be read: {reason}")]
    Malformed {
        /// The file.
        path: String,
        /// What is wrong, without its content.
        reason: String,
    },
    /// A file of secrets cannot be read or written.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The directory cannot be made.
    #[error("making {path} failed: {error}")]
    Make {
        /// The directory.
        path: String,
        /// What the system said.
        error: std::io::Error,
    },
}

/// Who a tablet is. Holds keys: not printable.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// The layout's version.
    pub format: u32,
    /// The clinic it is enrolled at.
    pub clinic: ClinicId,
    /// The tablet.
    pub device: DeviceId,
    /// What people call it.
    pub name: String,
    /// Who may work on it; empty means everybody.
    pub people: BTreeSet<PersonId>,
    /// The server it was enrolled at.
    pub server: String,
    /// The site's public key, as it was told at enrolment.
    pub site_public_key: Digest,
    /// The device's Ed25519 key.
    pub signing_key: Digest,
    /// The key its log is sealed under.
    pub disk_key: Digest,
}

impl Identity {
    /// The layout's version.
    pub const FORMAT: u32 = FORMAT;

    /// The person a tablet with a single user works for.
    pub fn only_person(&self) -> Option<PersonId> {
        if self.people.len() == 1 { self.people.first().copied() } else { None }
    }
}

/// A tablet's directory.
#[derive(Clone, Debug)]
pub struct Home {
    dir: PathBuf,
}

impl Home {
    /// Names a directory; opens nothing.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where the log lies.
    pub fn log(&self) -> PathBuf {
        self.dir.join(LOG)
    }

    /// Where it is noted whether the document engine is at work.
    pub fn engine(&self) -> PathBuf {
        self.dir.join(ENGINE)
    }

    fn keys(&self) -> PathBuf {
        self.dir.join(KEYS)
    }

    fn shown(&self) -> String {
        self.dir.display().to_string()
    }

    /// Makes the directories, for the owner alone.
    ///
    /// # Errors
    /// When there is a tablet in it already, or the system refuses.
    pub fn make(&self) -> Result<(), HomeError> {
        if self.keys().exists() {
            return Err(HomeError::Enrolled(self.shown()));
        }
        for dir in [self.dir.clone(), self.log()] {
            let failed = |error| HomeError::Make { path: dir.display().to_string(), error };
            make_private(&dir).map_err(failed)?;
        }
        Ok(())
    }

    /// Who the tablet is. Refuses a key file that others may read.
    ///
    /// # Errors
    /// When there is no tablet here, or its key file is not one.
    pub fn identity(&self) -> Result<Identity, HomeError> {
        if !self.keys().is_file() {
            return Err(HomeError::NotEnrolled(self.shown()));
        }
        let malformed = |reason: &str| HomeError::Malformed {
            path: self.keys().display().to_string(),
            reason: reason.to_owned(),
        };
        // The parser's own message could quote a key.
        let identity: Identity = serde_json::from_str(&read_secret(&self.keys())?)
            .map_err(|_| malformed("it is not a key file"))?;
        if identity.format != FORMAT {
            return Err(malformed("it was written by another version of gaitway"));
        }
        Ok(identity)
    }

    /// Writes who the tablet is: whole or not at all.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn write(&self, identity: &Identity) -> Result<(), HomeError> {
        let text = serde_json::to_string_pretty(identity).map_err(|_| HomeError::Malformed {
            path: self.keys().display().to_string(),
            reason: "the keys cannot be written".to_owned(),
        })?;
        Ok(write_secret(&self.keys(), &format!("{text}\n"))?)
    }
}

fn make_private(dir: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
        builder.mode(0o700).create(dir)?;
        std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o700))
    }
    #[cfg(not(unix))]
    builder.create(dir)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity() -> Identity {
        Identity {
            format: FORMAT,
            clinic: ClinicId::from_bytes([1; 16]),
            device: DeviceId::from_bytes([2; 16]),
            name: "East room".to_owned(),
            people: BTreeSet::new(),
            server: "http://127.0.0.1:8097".to_owned(),
            site_public_key: Digest::from_bytes([3; 32]),
            signing_key: Digest::from_bytes([4; 32]),
            disk_key: Digest::from_bytes([5; 32]),
        }
    }

    #[test]
    fn keys_and_directory_are_their_owners_alone() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::new(dir.path().join("tablet"));
        home.make().unwrap();
        home.write(&identity()).unwrap();
        assert_eq!(home.identity().unwrap().device, DeviceId::from_bytes([2; 16]));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!((mode(home.dir()), mode(&home.log()), mode(&home.keys())), (0o700, 0o700, 0o600));
            std::fs::set_permissions(home.keys(), std::fs::Permissions::from_mode(0o644)).unwrap();
            let refused = home.identity().err().map(|error| error.to_string()).unwrap_or_default();
            assert!(refused.contains("can be read by others"), "{refused}");
        }
    }

    #[test]
    fn a_directory_takes_one_tablet() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::new(dir.path());
        let missing = home.identity().err().map(|error| error.to_string()).unwrap_or_default();
        assert!(missing.contains("is no tablet's directory"), "{missing}");
        home.make().unwrap();
        home.write(&identity()).unwrap();
        assert!(matches!(home.make(), Err(HomeError::Enrolled(_))));
    }
}
