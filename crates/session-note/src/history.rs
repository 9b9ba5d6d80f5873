//! Who wrote what when: the changes of a document in order, and which of them had not seen each other.
//!
//! Never changes the document; times are those of the tablets' clocks, so order comes from ancestry.

use std::collections::BTreeSet;

use automerge::Automerge;
use chart::Attribution;
use chart::ids::{ActorId, ChangeHash};
use serde::{Deserialize, Serialize};

use crate::author::Author;
use crate::graph::Graph;

/// One change of the history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryEntry {
    /// Its author: person, tablet, tablet time; `change` is its hash.
    pub by: Attribution,
    /// The actor it was written under.
    pub actor: ActorId,
    /// The actor's count of changes, from 1.
    pub seq: u64,
    /// What it did: command names and `text:<field>`, separated by spaces.
    pub did: String,
    /// The changes its author had seen last.
    pub after: BTreeSet<ChangeHash>,
}

/// Every change but the genesis, each after what it had seen.
pub fn of(doc: &Automerge) -> Vec<HistoryEntry> {
    let authors = crate::read::actors(doc);
    let nobody = Author::unknown();
    let graph = Graph::of(doc);
    let mut entries = Vec::new();
    for node in graph.nodes.iter().filter(|node| !node.deps.is_empty()) {
        let author = authors.get(&node.actor).unwrap_or(&nobody);
        entries.push(HistoryEntry {
            by: Attribution {
                person: author.person,
                device: author.device,
                at: node.at,
                change: Some(node.hash),
            },
            actor: node.actor,
            seq: node.seq,
            did: node.did.clone(),
            after: node.deps.iter().copied().collect(),
        });
    }
    entries
}
