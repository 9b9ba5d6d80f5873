//! The [`Vfs`] as a modelled disk in memory: what was written is pending until it is synced, and a
//! crash keeps, loses or tears what is pending. Reads no clock and draws no randomness of its own.
//!
//! The model: a file's bytes and length become durable by `sync_data` on it. Names become durable by
//! `sync_dir`, and under [`Dirs::Journal`] also by any file's sync, in order (as ext4 and XFS do). A
//! sync that fails drops what was pending: still readable, never durable, as Linux does after a failed
//! write-back; only writing the bytes again can save them.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chart::entropy::Entropy;

use crate::vfs::Vfs;

mod crash;
mod model;
mod state;

pub use model::{Crash, Dirs, Fault, Seeded};
use state::State;

/// A disk in memory. `Clone` is another handle on the same disk; [`SimDisk::snapshot`] copies it.
#[derive(Clone, Debug)]
pub struct SimDisk(Arc<Mutex<State>>);

impl SimDisk {
    /// An empty disk.
    pub fn new(dirs: Dirs) -> Self {
        Self(Arc::new(Mutex::new(State::new(dirs))))
    }

    /// A disk of its own with the same contents, pending data and faults to come.
    pub fn snapshot(&self) -> Self {
        Self(Arc::new(Mutex::new(self.state().clone())))
    }

    /// Calls made so far.
    pub fn calls(&self) -> u64 {
        self.state().calls
    }

    /// Makes the call with this number (counted from 0 over the disk's life) fail.
    pub fn fail_call(&self, call: u64, fault: Fault) {
        self.state().faults.insert(call, fault);
    }

    /// Cuts the power at the call with this number: it and every later one does nothing and fails,
    /// until [`SimDisk::crash`].
    pub fn cut_power_at(&self, call: u64) {
        self.state().power_cut = Some(call);
    }

    /// The power goes and comes back: decides what becomes of pending data, lifts faults and power cut.
    pub fn crash(&self, mode: Crash, entropy: &mut dyn Entropy) {
        crash::crash(&mut self.state(), mode, entropy);
    }

    /// Flips one bit of a file as rot does, without a trace; false if the file has no such bit.
    pub fn flip_bit(&self, name: &str, bit: u64) -> bool {
        self.state().edit(name, |bytes| {
            match usize::try_from(bit / 8).ok().and_then(|at| bytes.get_mut(at)) {
                Some(byte) => {
                    *byte ^= 1 << (bit % 8);
                    true
                }
                None => false,
            }
        })
    }

    /// A file's bytes as a reader sees them.
    pub fn contents(&self, name: &str) -> Option<Vec<u8>> {
        self.state().node(name).map(|node| node.now.clone())
    }

    /// Puts a file there, durably, as a person with a tool would.
    pub fn put(&self, name: &str, bytes: &[u8]) {
        self.state().put(name, bytes);
    }

    /// Takes a file away, durably, as a person with a tool would.
    pub fn take_away(&self, name: &str) {
        self.state().take_away(name);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for SimDisk {
    fn default() -> Self {
        Self::new(Dirs::Journal)
    }
}

impl Vfs for SimDisk {
    fn lock(&self) -> io::Result<()> {
        self.state().begin(None).map(|_| ())
    }
    fn place(&self) -> String {
        "a modelled disk".to_owned()
    }
    fn list(&self) -> io::Result<Vec<String>> {
        let mut state = self.state();
        state.begin(None)?;
        Ok(state.names.keys().cloned().collect())
    }
    fn len(&self, name: &str) -> io::Result<Option<u64>> {
        let mut state = self.state();
        state.begin(None)?;
        Ok(state.node(name).map(|node| node.now.len() as u64))
    }
    fn create(&self, name: &str) -> io::Result<()> {
        let mut state = self.state();
        state.begin(None)?;
        state.create(name);
        Ok(())
    }
    fn read_at(&self, name: &str, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut state = self.state();
        state.begin(None)?;
        let node = state.node(name).ok_or(io::ErrorKind::NotFound)?;
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        let found = node.now.get(from..).unwrap_or_default();
        let len = found.len().min(buffer.len());
        for (to, from) in buffer.iter_mut().zip(found) {
            *to = *from;
        }
        Ok(len)
    }
    fn write_at(&self, name: &str, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.state();
        match state.begin(Some(bytes.len()))? {
            None => state.write(name, offset, bytes),
            Some(half) => {
                state.write(name, offset, bytes.get(..half).unwrap_or_default())?;
                Err(io::ErrorKind::StorageFull.into())
            }
        }
    }
    fn truncate(&self, name: &str, len: u64) -> io::Result<()> {
        let mut state = self.state();
        state.begin(None)?;
        state.truncate(name, len)
    }
    fn sync_data(&self, name: &str) -> io::Result<()> {
        let mut state = self.state();
        let failed = state.begin(None);
        state.sync(name, failed)
    }
    fn sync_dir(&self) -> io::Result<()> {
        let mut state = self.state();
        state.begin(None)?;
        state.sync_names();
        Ok(())
    }
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.state();
        state.begin(None)?;
        state.rename(from, to)
    }
    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.state();
        state.begin(None)?;
        state.unlink(name)
    }
}
