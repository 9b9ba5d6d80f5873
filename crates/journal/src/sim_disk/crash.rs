//! What a crash keeps of pending data. Follows the model and the drawn bytes only.

use std::collections::{BTreeMap, VecDeque};

use chart::entropy::Entropy;

use super::model::{Crash, Dirs, below};
use super::state::{NameChange, Node, Pending, State, write_into};

const SECTOR: usize = 512;

pub(super) fn crash(state: &mut State, mode: Crash, entropy: &mut dyn Entropy) {
    let until = prefix_end(state, entropy);
    let names = std::mem::take(&mut state.pending_names);
    keep_names(&mut state.durable_names, names, state.dirs, mode, until, entropy);
    state.names = state.durable_names.clone();
    let linked: std::collections::BTreeSet<u64> = state.names.values().copied().collect();
    state.nodes.retain(|node, _| linked.contains(node));
    for node in state.nodes.values_mut() {
        keep_bytes(node, mode, until, entropy);
    }
    state.faults.clear();
    state.power_cut = None;
}

/// A random point in the order of everything that is pending.
fn prefix_end(state: &State, entropy: &mut dyn Entropy) -> u64 {
    let names = state.pending_names.iter().map(|(at, _)| *at);
    let bytes = state.nodes.values().flat_map(|node| node.pending.iter().map(|(at, _)| *at));
    let first = names.chain(bytes).min().unwrap_or(state.order);
    first.saturating_add(below(entropy, state.order.saturating_sub(first).saturating_add(2)))
}

fn keep_names(
    durable: &mut BTreeMap<String, u64>,
    pending: VecDeque<(u64, NameChange)>,
    dirs: Dirs,
    mode: Crash,
    until: u64,
    entropy: &mut dyn Entropy,
) {
    let in_order = below(entropy, pending.len() as u64 + 1);
    for (n, (at, change)) in pending.iter().enumerate() {
        let kept = match (mode, dirs) {
            (Crash::Drop, _) => false,
            (Crash::Prefix, _) => *at < until,
            (_, Dirs::Journal) => (n as u64) < in_order,
            (_, Dirs::Strict) => below(entropy, 2) == 0,
        };
        if kept {
            change.apply(durable);
        }
    }
}

fn keep_bytes(node: &mut Node, mode: Crash, until: u64, entropy: &mut dyn Entropy) {
    for (at, change) in std::mem::take(&mut node.pending) {
        match mode {
            Crash::Drop => {}
            Crash::Prefix if at < until => change.apply(&mut node.durable),
            Crash::Prefix => {}
            Crash::Subset if below(entropy, 2) == 0 => change.apply(&mut node.durable),
            Crash::Subset => {}
            Crash::Torn => tear(&change, &mut node.durable, entropy),
        }
    }
    node.now.clone_from(&node.durable);
}

fn tear(change: &Pending, to: &mut Vec<u8>, entropy: &mut dyn Entropy) {
    let Pending::Write { offset, bytes } = change else {
        if below(entropy, 2) == 0 {
            change.apply(to);
        }
        return;
    };
    // The length may be on disk while the bytes are not.
    let end = offset.saturating_add(bytes.len());
    if below(entropy, 4) == 0 && to.len() < end {
        to.resize(end, 0);
    }
    let mut at = *offset;
    let mut rest = bytes.as_slice();
    while !rest.is_empty() {
        let len = (SECTOR - at % SECTOR).min(rest.len());
        let (sector, more) = rest.split_at(len);
        if below(entropy, 2) == 0 {
            write_into(to, at, sector);
        }
        at = at.saturating_add(len);
        rest = more;
    }
}
