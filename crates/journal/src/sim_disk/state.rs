//! What a modelled disk holds: bytes as read, bytes as durable, and what lies between. Decides nothing
//! about crashes.

use std::collections::{BTreeMap, VecDeque};
use std::io;

use super::model::{Dirs, Fault};

/// A change of a file's bytes that is not durable yet.
#[derive(Clone, Debug)]
pub(super) enum Pending {
    Write { offset: usize, bytes: Vec<u8> },
    Length(usize),
}

impl Pending {
    pub(super) fn apply(&self, to: &mut Vec<u8>) {
        match self {
            Self::Write { offset, bytes } => write_into(to, *offset, bytes),
            Self::Length(len) => to.resize(*len, 0),
        }
    }
}

pub(super) fn write_into(to: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    let end = offset.saturating_add(bytes.len());
    if to.len() < end {
        to.resize(end, 0);
    }
    if let Some(place) = to.get_mut(offset..end) {
        place.copy_from_slice(bytes);
    }
}

/// A file: its bytes as a reader sees them, as they are durable, and the changes between, each with
/// its place in the order of all changes.
#[derive(Clone, Debug, Default)]
pub(super) struct Node {
    pub(super) now: Vec<u8>,
    pub(super) durable: Vec<u8>,
    pub(super) pending: VecDeque<(u64, Pending)>,
}

/// A change of names that is not durable yet.
#[derive(Clone, Debug)]
pub(super) enum NameChange {
    Link(String, u64),
    Unlink(String),
    Rename(String, String, u64),
}

impl NameChange {
    pub(super) fn apply(&self, to: &mut BTreeMap<String, u64>) {
        match self {
            Self::Link(name, node) => {
                to.insert(name.clone(), *node);
            }
            Self::Unlink(name) => {
                to.remove(name);
            }
            Self::Rename(from, name, node) => {
                to.remove(from);
                to.insert(name.clone(), *node);
            }
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct State {
    pub(super) dirs: Dirs,
    pub(super) nodes: BTreeMap<u64, Node>,
    pub(super) names: BTreeMap<String, u64>,
    pub(super) durable_names: BTreeMap<String, u64>,
    pub(super) pending_names: VecDeque<(u64, NameChange)>,
    pub(super) calls: u64,
    pub(super) faults: BTreeMap<u64, Fault>,
    pub(super) power_cut: Option<u64>,
    pub(super) order: u64,
    next_node: u64,
}

impl State {
    pub(super) fn new(dirs: Dirs) -> Self {
        Self {
            dirs,
            nodes: BTreeMap::new(),
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            pending_names: VecDeque::new(),
            calls: 0,
            faults: BTreeMap::new(),
            power_cut: None,
            order: 0,
            next_node: 0,
        }
    }

    /// Counts a call and decides whether it fails; `Ok(Some(n))` means that only `n` bytes are written.
    pub(super) fn begin(&mut self, write: Option<usize>) -> io::Result<Option<usize>> {
        let call = self.calls;
        self.calls = call.saturating_add(1);
        if self.power_cut.is_some_and(|cut| call >= cut) {
            return Err(io::Error::other("the power is off"));
        }
        match (self.faults.remove(&call), write) {
            (None, _) => Ok(None),
            (Some(Fault::ShortWrite), Some(len)) => Ok(Some(len / 2)),
            (Some(Fault::Full), _) => Err(io::ErrorKind::StorageFull.into()),
            (Some(_), _) => Err(io::Error::other("injected input/output error")),
        }
    }

    pub(super) fn node(&self, name: &str) -> Option<&Node> {
        self.names.get(name).and_then(|node| self.nodes.get(node))
    }

    fn node_mut(&mut self, name: &str) -> io::Result<&mut Node> {
        let node = self.names.get(name).and_then(|node| self.nodes.get_mut(node));
        node.ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn ticket(&mut self) -> u64 {
        self.order = self.order.saturating_add(1);
        self.order
    }

    fn change(&mut self, name: &str, change: Pending) -> io::Result<()> {
        let at = self.ticket();
        let node = self.node_mut(name)?;
        change.apply(&mut node.now);
        node.pending.push_back((at, change));
        Ok(())
    }

    fn rename_with(&mut self, change: NameChange) {
        let at = self.ticket();
        change.apply(&mut self.names);
        self.pending_names.push_back((at, change));
    }

    pub(super) fn create(&mut self, name: &str) {
        if self.names.contains_key(name) {
            let _ = self.change(name, Pending::Length(0));
            return;
        }
        let node = self.next_node;
        self.next_node = node.saturating_add(1);
        self.nodes.insert(node, Node::default());
        self.rename_with(NameChange::Link(name.to_owned(), node));
    }

    pub(super) fn write(&mut self, name: &str, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let offset = usize::try_from(offset).map_err(|_| io::ErrorKind::FileTooLarge)?;
        self.change(name, Pending::Write { offset, bytes: bytes.to_vec() })
    }

    pub(super) fn truncate(&mut self, name: &str, len: u64) -> io::Result<()> {
        let len = usize::try_from(len).map_err(|_| io::ErrorKind::FileTooLarge)?;
        self.change(name, Pending::Length(len))
    }

    pub(super) fn sync(&mut self, name: &str, failed: io::Result<Option<usize>>) -> io::Result<()> {
        if self.power_cut.is_some_and(|cut| self.calls > cut) {
            return failed.map(|_| ());
        }
        let node = self.node_mut(name)?;
        let changes = std::mem::take(&mut node.pending);
        failed?;
        for (_, change) in &changes {
            change.apply(&mut node.durable);
        }
        if self.dirs == Dirs::Journal {
            self.sync_names();
        }
        Ok(())
    }

    pub(super) fn sync_names(&mut self) {
        for (_, change) in std::mem::take(&mut self.pending_names) {
            change.apply(&mut self.durable_names);
        }
    }

    pub(super) fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        let node = *self.names.get(from).ok_or(io::ErrorKind::NotFound)?;
        self.rename_with(NameChange::Rename(from.to_owned(), to.to_owned(), node));
        Ok(())
    }

    pub(super) fn unlink(&mut self, name: &str) -> io::Result<()> {
        self.names.get(name).ok_or(io::ErrorKind::NotFound)?;
        self.rename_with(NameChange::Unlink(name.to_owned()));
        Ok(())
    }

    /// Changes a file behind everybody's back, durably.
    pub(super) fn edit(&mut self, name: &str, edit: impl Fn(&mut Vec<u8>) -> bool) -> bool {
        let Ok(node) = self.node_mut(name) else { return false };
        let changed = edit(&mut node.now);
        edit(&mut node.durable);
        changed
    }

    pub(super) fn put(&mut self, name: &str, bytes: &[u8]) {
        self.create(name);
        if let Ok(node) = self.node_mut(name) {
            *node = Node { now: bytes.to_vec(), durable: bytes.to_vec(), pending: VecDeque::new() };
        }
        self.sync_names();
    }

    pub(super) fn take_away(&mut self, name: &str) {
        self.names.remove(name);
        self.durable_names.remove(name);
    }
}
