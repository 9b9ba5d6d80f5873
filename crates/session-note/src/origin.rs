//! How a note came to be, read from its own history: who wrote, what was signed when, what came after.
//!
//! Order is ancestry, never a clock; times are handed on as the writers' clocks said.

use std::collections::BTreeMap;

use chart::Attribution;
use chart::facts::SignatureFacts;
use chart::history::{
    ANSWER_ANCHOR, AmendmentFacts, NoteHistory, RETURN_ANCHOR, REVIEW_ANCHOR, ReturnFacts, SignatureProof,
};
use chart::ids::{ActorId, PersonId};
use chart::visit::{Signature, Visit};

use crate::author::Author;
use crate::document::NoteDocument;
use crate::graph::{Graph, Node};

/// Signatures and history of a note.
pub(crate) fn of(document: &NoteDocument, visit: &Visit) -> (Vec<SignatureFacts>, NoteHistory) {
    let graph = Graph::of(document.engine());
    let authors = crate::read::actors(document.engine());
    (signatures(&graph, visit), history(&graph, &authors, visit))
}

/// The change that wrote an entry.
fn node<'g>(graph: &'g Graph, by: &Attribution) -> Option<&'g Node> {
    by.change.as_ref().and_then(|hash| graph.get(hash))
}

/// Changes of content, the constant first change aside.
fn content(graph: &Graph) -> impl Iterator<Item = &Node> {
    graph.nodes.iter().filter(|node| !node.deps.is_empty() && node.touches_content())
}

fn signatures(graph: &Graph, visit: &Visit) -> Vec<SignatureFacts> {
    if visit.signatures.is_empty() {
        return Vec::new();
    }
    let content_digest = crate::sign::digest(&crate::sign::content(visit));
    let facts = visit.signatures.iter().map(|(id, signature)| SignatureFacts {
        id: *id,
        person: signature.by.person,
        meaning: signature.meaning.clone(),
        credentials: signature.credentials.clone(),
        at: signature.by.at,
        current: signature.content_digest == content_digest,
        unseen: graph.content_beyond(&signature.heads),
        proof: proof(graph, signature),
    });
    facts.collect()
}

fn proof(graph: &Graph, signature: &Signature) -> SignatureProof {
    let signed = node(graph, &signature.by);
    let after = content(graph).filter(|node| signed.is_some_and(|signed| node.has_seen(signed))).count();
    SignatureProof {
        device: Some(signature.by.device),
        changed_after: u32::try_from(after).unwrap_or(u32::MAX),
        original_kept: Some(crate::sign::digest(&signature.content) == signature.content_digest),
    }
}

fn history(graph: &Graph, authors: &BTreeMap<ActorId, Author>, visit: &Visit) -> NoteHistory {
    let by_author = || visit.signatures.values().filter(|signature| signature.meaning == "author");
    let signed: Vec<&Node> = by_author().filter_map(|signature| node(graph, &signature.by)).collect();
    let mut told = NoteHistory::default();
    for change in content(graph) {
        match authors.get(&change.actor) {
            Some(author) => _ = told.contributors.insert(author.person),
            None => told.nameless_changes = told.nameless_changes.saturating_add(1),
        }
        if !signed.iter().any(|signature| change.has_seen(signature)) {
            told.written_until = told.written_until.max(Some(change.at));
        }
    }
    for attestation in visit.attestations.values() {
        told.attested.insert(attestation.anchor.clone());
        if attestation.anchor == REVIEW_ANCHOR {
            told.reviewed_by.insert(attestation.by.person);
        }
    }
    let nobody = Author::unknown().person;
    let amendments = visit.amendments.iter().map(|(id, amendment)| AmendmentFacts {
        id: *id,
        kind: amendment.kind.clone(),
        person: Some(amendment.by.person).filter(|person| *person != nobody),
        at: amendment.by.at,
        reasoned: !amendment.reason.trim().is_empty(),
    });
    told.amendments = amendments.collect();
    told.returns = returns(graph, visit);
    told
}

fn returns(graph: &Graph, visit: &Visit) -> Vec<ReturnFacts> {
    let anchored = |anchor: &'static str| visit.comments.iter().filter(move |(_, one)| one.anchor == anchor);
    let given = anchored(RETURN_ANCHOR).map(|(id, comment)| {
        let answers = anchored(ANSWER_ANCHOR)
            .map(|(_, answer)| &answer.by)
            .chain(visit.amendments.values().map(|amendment| &amendment.by))
            .chain(visit.signatures.values().map(|signature| &signature.by));
        let asked = node(graph, &comment.by);
        let answered = |by: &Attribution| {
            let person: PersonId = by.person;
            person != comment.by.person
                && node(graph, by).zip(asked).is_some_and(|(answer, asked)| answer.has_seen(asked))
        };
        let answered = answers.into_iter().any(answered);
        ReturnFacts { id: *id, person: comment.by.person, at: comment.by.at, answered }
    });
    given.collect()
}
