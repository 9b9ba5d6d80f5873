//! The [`Vfs`] over a directory of the file system. One process at a time.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::vfs::Vfs;

const LOCK: &str = "lock";
/// Open files kept at hand.
const HANDLES: usize = 64;

/// A directory of real files.
#[derive(Debug)]
pub struct RealFiles {
    dir: PathBuf,
    lock: Mutex<Option<File>>,
    handles: Mutex<BTreeMap<String, File>>,
}

impl RealFiles {
    /// The files in `dir`, which is made (durably) if it is not there.
    pub fn new(dir: impl Into<PathBuf>) -> io::Result<Self> {
        let dir = dir.into();
        make_dir(&dir)?;
        Ok(Self::over(dir))
    }

    /// The files in a directory that must be there; for reading only tools.
    pub fn existing(dir: impl Into<PathBuf>) -> io::Result<Self> {
        let dir = dir.into();
        std::fs::read_dir(&dir)?;
        Ok(Self::over(dir))
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    fn over(dir: PathBuf) -> Self {
        Self { dir, lock: Mutex::default(), handles: Mutex::default() }
    }

    fn handles(&self) -> MutexGuard<'_, BTreeMap<String, File>> {
        self.handles.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(&self, name: &str, run: impl FnOnce(&mut File) -> io::Result<T>) -> io::Result<T> {
        let mut handles = self.handles();
        if let Some(file) = handles.get_mut(name) {
            return run(file);
        }
        let path = self.dir.join(name);
        let mut file = match OpenOptions::new().read(true).write(true).open(&path) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => File::open(&path)?,
            opened => opened?,
        };
        let result = run(&mut file);
        if handles.len() >= HANDLES {
            handles.clear();
        }
        handles.insert(name.to_owned(), file);
        result
    }
}

fn make_dir(dir: &Path) -> io::Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    let parent = match dir.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    make_dir(parent)?;
    match std::fs::create_dir(dir) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    sync_directory(parent)
}

fn sync_directory(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

impl Vfs for RealFiles {
    fn lock(&self) -> io::Result<()> {
        let mut held = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        if held.is_some() {
            return Ok(());
        }
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(self.dir.join(LOCK))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(io::ErrorKind::WouldBlock.into()),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        // The number is for people who look; the lock is the system's and ends with the process.
        file.set_len(0)?;
        writeln!(file, "{}", std::process::id())?;
        *held = Some(file);
        Ok(())
    }

    fn place(&self) -> String {
        let pid = std::fs::read_to_string(self.dir.join(LOCK)).unwrap_or_default();
        match pid.trim() {
            "" => self.dir.display().to_string(),
            pid => format!("{} (process {pid})", self.dir.display()),
        }
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&self.dir)? {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                names.extend(entry.file_name().into_string());
            }
        }
        names.sort();
        Ok(names)
    }

    fn len(&self, name: &str) -> io::Result<Option<u64>> {
        match std::fs::metadata(self.dir.join(name)) {
            Ok(found) => Ok(Some(found.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn create(&self, name: &str) -> io::Result<()> {
        let mut handles = self.handles();
        handles.remove(name);
        let path = self.dir.join(name);
        let file = OpenOptions::new().create(true).truncate(true).read(true).write(true).open(path)?;
        handles.insert(name.to_owned(), file);
        Ok(())
    }

    fn read_at(&self, name: &str, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.with(name, |file| {
            file.seek(SeekFrom::Start(offset))?;
            let mut read = 0;
            while let Some(rest) = buffer.get_mut(read..).filter(|rest| !rest.is_empty()) {
                match file.read(rest) {
                    Ok(0) => break,
                    Ok(more) => read = read.saturating_add(more),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(read)
        })
    }

    fn write_at(&self, name: &str, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.with(name, |file| {
            file.seek(SeekFrom::Start(offset))?;
            file.write_all(bytes)
        })
    }

    fn truncate(&self, name: &str, len: u64) -> io::Result<()> {
        self.with(name, |file| file.set_len(len))
    }

    fn sync_data(&self, name: &str) -> io::Result<()> {
        self.with(name, |file| file.sync_data())
    }

    fn sync_dir(&self) -> io::Result<()> {
        sync_directory(&self.dir)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut handles = self.handles();
        handles.remove(from);
        handles.remove(to);
        std::fs::rename(self.dir.join(from), self.dir.join(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.handles().remove(name);
        std::fs::remove_file(self.dir.join(name))
    }
}
