//! The few file operations a journal needs, so that it runs on real files and on a modelled disk.
//! A flat directory of named files; no paths, no handles, no policy.

use std::io;

use store::StoreError;

/// One directory of files. Names have no separators.
pub trait Vfs {
    /// Takes the directory for this process; [`io::ErrorKind::WouldBlock`] when another has it.
    fn lock(&self) -> io::Result<()>;
    /// Where this is, for messages.
    fn place(&self) -> String;
    /// The names of all files, in order.
    fn list(&self) -> io::Result<Vec<String>>;
    /// A file's length in bytes; `None` if there is no such file.
    fn len(&self, name: &str) -> io::Result<Option<u64>>;
    /// Makes an empty file, or empties the one that is there.
    fn create(&self, name: &str) -> io::Result<()>;
    /// Reads from `offset` until the buffer or the file is full or over; how many bytes were read.
    fn read_at(&self, name: &str, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;
    /// Writes all bytes at `offset`, extending the file.
    fn write_at(&self, name: &str, offset: u64, bytes: &[u8]) -> io::Result<()>;
    /// Cuts or extends (with zeros) a file.
    fn truncate(&self, name: &str, len: u64) -> io::Result<()>;
    /// Returns when the file's bytes and length survive power loss.
    fn sync_data(&self, name: &str) -> io::Result<()>;
    /// Returns when the directory's entries survive power loss.
    fn sync_dir(&self) -> io::Result<()>;
    /// Gives a file another name, replacing what had it.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, name: &str) -> io::Result<()>;
}

/// Reads up to `len` bytes; fewer only at the file's end.
pub(crate) fn read_up_to<V: Vfs + ?Sized>(
    vfs: &V,
    name: &str,
    offset: u64,
    len: usize,
) -> Result<Vec<u8>, StoreError> {
    let mut bytes = vec![0; len];
    let read = vfs.read_at(name, offset, &mut bytes).map_err(disk("read the journal"))?;
    bytes.truncate(read);
    Ok(bytes)
}

/// Writes a small file so that after a crash the old or the new one is there, whole.
pub fn replace<V: Vfs + ?Sized>(vfs: &V, name: &str, bytes: &[u8]) -> io::Result<()> {
    let fresh = format!("{name}.new");
    vfs.create(&fresh)?;
    vfs.write_at(&fresh, 0, bytes)?;
    vfs.sync_data(&fresh)?;
    vfs.rename(&fresh, name)?;
    vfs.sync_dir()
}

/// Names what was being done when the disk refused.
pub(crate) fn disk(doing: &'static str) -> impl Fn(io::Error) -> StoreError {
    move |error| match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::Full,
        _ => StoreError::Disk { doing, reason: error.to_string() },
    }
}
