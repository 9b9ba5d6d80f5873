//! The changes of a document as a graph: what each had seen, and what was written at once without knowing.
//! Reads only the changes' headers, never their content.

use std::collections::{BTreeMap, BTreeSet};

use automerge::Automerge;
use chart::ids::{ActorId, ChangeHash};
use chart::time::Timestamp;

/// A change as the graph knows it.
pub(crate) struct Node {
    pub(crate) hash: ChangeHash,
    pub(crate) actor: ActorId,
    pub(crate) seq: u64,
    pub(crate) at: Timestamp,
    pub(crate) did: String,
    pub(crate) deps: Vec<ChangeHash>,
    clock: BTreeMap<ActorId, u64>,
}

impl Node {
    /// Whether this change had seen `other`.
    pub(crate) fn has_seen(&self, other: &Node) -> bool {
        self.clock.get(&other.actor).is_some_and(|seq| *seq >= other.seq)
    }
    /// Whether it did anything but review: sign, comment, attest, amend.
    pub(crate) fn touches_content(&self) -> bool {
        self.did.split(' ').any(|did| !matches!(did, "" | "sign" | "comment" | "attest" | "amend"))
    }
}

/// The changes of a document, each after its dependencies, with what each had seen.
pub(crate) struct Graph {
    pub(crate) nodes: Vec<Node>,
    by_hash: BTreeMap<ChangeHash, usize>,
}

impl Graph {
    pub(crate) fn of(doc: &Automerge) -> Self {
        let mut graph = Self { nodes: Vec::new(), by_hash: BTreeMap::new() };
        for meta in doc.get_changes_meta(&[]) {
            let deps: Vec<ChangeHash> = meta.deps.iter().map(|dep| ChangeHash::from_bytes(dep.0)).collect();
            let actor = ActorId::from_slice(meta.actor.to_bytes()).unwrap_or(ActorId::from_bytes([0; 16]));
            let mut clock = BTreeMap::new();
            for dep in &deps {
                for (seen, seq) in graph.get(dep).map(|node| &node.clock).into_iter().flatten() {
                    let known = clock.entry(*seen).or_insert(0);
                    *known = (*known).max(*seq);
                }
            }
            clock.insert(actor, meta.seq);
            let hash = ChangeHash::from_bytes(meta.hash.0);
            graph.by_hash.insert(hash, graph.nodes.len());
            graph.nodes.push(Node {
                hash,
                actor,
                seq: meta.seq,
                at: Timestamp::from_unix_ms(meta.timestamp),
                did: meta.message.as_deref().unwrap_or_default().to_owned(),
                deps,
                clock,
            });
        }
        graph
    }

    pub(crate) fn get(&self, hash: &ChangeHash) -> Option<&Node> {
        self.by_hash.get(hash).and_then(|index| self.nodes.get(*index))
    }

    /// The changes of clinical content that are not in the ancestry of these heads.
    pub(crate) fn content_beyond(&self, heads: &BTreeSet<ChangeHash>) -> BTreeSet<ChangeHash> {
        let seen: Vec<&Node> = heads.iter().filter_map(|head| self.get(head)).collect();
        self.nodes
            .iter()
            .filter(|node| !node.deps.is_empty() && node.touches_content())
            .filter(|node| !seen.iter().any(|head| head.has_seen(node)))
            .map(|node| node.hash)
            .collect()
    }
}

/// Text fields that two tablets changed without having seen each other, until somebody who has seen
/// both has changed the field again.
pub(crate) fn concurrent_texts(doc: &Automerge) -> Vec<String> {
    let graph = Graph::of(doc);
    let mut fields: BTreeMap<&str, Vec<&Node>> = BTreeMap::new();
    for node in &graph.nodes {
        for field in node.did.split(' ').filter_map(|did| did.strip_prefix("text:")) {
            fields.entry(field).or_default().push(node);
        }
    }
    let mut found = Vec::new();
    for (field, nodes) in fields {
        // Only each actor's changes that no later change of the field has seen can still be at odds.
        let mut last: BTreeMap<ActorId, &Node> = BTreeMap::new();
        for node in &nodes {
            last.insert(node.actor, node);
        }
        let last: Vec<&Node> = last.into_values().collect();
        let apart = |a: &Node, b: &Node| !a.has_seen(b) && !b.has_seen(a);
        if last.iter().enumerate().any(|(index, a)| last.iter().skip(index + 1).any(|b| apart(a, b))) {
            found.push(format!("text/{field}"));
        }
    }
    found
}
