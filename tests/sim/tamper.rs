//! Frames looked into: to tell what travels, and to be changed on the way where a bug is planted.

use chart::ids::{ChangeHash, Digest, DocumentId};
use ed25519_dalek::{Signer, SigningKey};
use minicbor::bytes::ByteArray;
use minicbor::{Decode, Encode};
use session_note::NoteDocument;
use session_note::admission::Submitted;
use session_note::admit::{Candidate, Limits, Outcome};
use store::StoreReader;
use sync_protocol::codec::{decode, encode, unpack};
use sync_protocol::message::{FeedBody, FeedChanges, LogPosition, Message, Receipt, ReceiptItem};

use crate::gate;
use crate::lines::FROM_SERVER;
use crate::log::{Fate, Log};

/// What a frame says, packed or not.
pub(crate) fn message(frame: &[u8]) -> Option<Message> {
    decode(&unpack(frame).ok()?).ok()
}

/// A page without its entries about notes that entered the scope.
pub(crate) fn without_entered(frame: Vec<u8>) -> Vec<u8> {
    let Some(Message::Page(mut page)) = message(&frame) else { return frame };
    page.entries.retain(|entry| !matches!(entry.body, FeedBody::Entered(_)));
    encode(&Message::Page(page)).unwrap_or(frame)
}

/// A verdict as it travels between clinics: format 1 of the entries.
#[derive(Clone, Encode, Decode)]
struct Verdict {
    #[n(0)]
    work: u64,
    #[n(1)]
    outcome: u16,
    #[n(2)]
    reason: u16,
    #[n(3)]
    sentence: String,
    #[n(4)]
    hashes: Vec<ByteArray<32>>,
    #[n(5)]
    gate: u16,
    #[n(6)]
    signature: ByteArray<64>,
}

/// A frame of a line, changed if a serving end sent it.
pub(crate) fn on_a_line(frame: Vec<u8>, change: impl FnOnce(Vec<u8>) -> Vec<u8>) -> Vec<u8> {
    match frame.split_first() {
        Some((&FROM_SERVER, bare)) => {
            let mut tagged = vec![FROM_SERVER];
            tagged.extend(change(bare.to_vec()));
            tagged
        }
        _ => frame,
    }
}

fn each_work(frame: Vec<u8>, mut change: impl FnMut(&mut FeedChanges)) -> Vec<u8> {
    let Some(Message::Page(mut page)) = message(&frame) else { return frame };
    for entry in &mut page.entries {
        if let FeedBody::Changes(changes) = &mut entry.body {
            change(changes);
        }
    }
    encode(&Message::Page(page)).unwrap_or(frame)
}

/// A page in which others' work travels whole, with the bodies this log holds.
pub(crate) fn with_bodies(frame: Vec<u8>, log: &Log) -> Vec<u8> {
    each_work(frame, |feed| {
        let Ok(verdict) = minicbor::decode::<Verdict>(&feed.verdict) else { return };
        let Some(logged) = log.documents.get(&feed.document) else { return };
        let change = |hash: &ByteArray<32>| logged.changes.get(&ChangeHash::from_bytes(**hash));
        let all: Option<Vec<_>> = verdict.hashes.iter().map(change).collect();
        let Some(all) = all.filter(|_| feed.changes.is_empty() && feed.origin.is_some()) else { return };
        if all.iter().all(|one| one.fate == Fate::Admitted) {
            feed.changes = all.iter().map(|one| one.submitted.candidate.bytes().to_vec()).collect();
        }
    })
}

/// A page in which the reader's own judgement stands in the place of the origin's.
pub(crate) fn judged_again(frame: Vec<u8>, origin_key: &[u8; 32], reader: &Log) -> Vec<u8> {
    each_work(frame, |feed| {
        if feed.changes.is_empty() || !is_late(feed, reader) {
            return;
        }
        let Ok(mut verdict) = minicbor::decode::<Verdict>(&feed.verdict) else { return };
        verdict.outcome = sync_protocol::Outcome::Rejected.number();
        verdict.signature = ByteArray::from([0; 64]);
        let signature = SigningKey::from_bytes(origin_key).sign(&statement(feed.document, &verdict));
        verdict.signature = ByteArray::from(signature.to_bytes());
        feed.verdict = minicbor::to_vec(&verdict).unwrap_or_default();
        feed.changes.clear();
    })
}

fn statement(document: DocumentId, verdict: &Verdict) -> Vec<u8> {
    let mut bytes = b"gaitway verdict 1\0".to_vec();
    bytes.extend_from_slice(document.as_bytes());
    bytes.extend_from_slice(&minicbor::to_vec(verdict).unwrap_or_default());
    bytes
}

/// Whether somebody else came first at the reader.
fn is_late(feed: &FeedChanges, reader: &Log) -> bool {
    let Some(logged) = reader.documents.get(&feed.document) else { return false };
    let admitted = logged.changes.values().filter(|change| change.fate == Fate::Admitted);
    let admitted: Vec<Submitted> = admitted.map(|change| change.submitted.clone()).collect();
    let scan = |bytes: &Vec<u8>| Candidate::scan(bytes.clone(), &Limits::V1).ok();
    let brought = feed.changes.iter().filter_map(scan);
    let submitted = |candidate| Submitted { candidate, person: feed.person, device: feed.device };
    let brought: Vec<Submitted> = brought.map(submitted).collect();
    let Ok(note) = NoteDocument::new(feed.document, logged.kind).admit(&admitted) else { return false };
    let Ok(judged) = gate::by_arrival(&note.note, &brought) else { return false };
    judged.outcomes.iter().any(|(_, outcome)| matches!(outcome, Outcome::Rejected { .. }))
}

/// Changes of a page that did not come from their own clinic, with what they are of.
pub(crate) fn passed_on(frame: &[u8], sender: chart::ids::ClinicId) -> Vec<ChangeHash> {
    let Some(Message::Page(page)) = message(frame) else { return Vec::new() };
    let mut passed = Vec::new();
    for entry in page.entries {
        let FeedBody::Changes(feed) = entry.body else { continue };
        if feed.origin.is_some_and(|origin| origin != sender) {
            let scanned =
                feed.changes.into_iter().filter_map(|bytes| Candidate::scan(bytes, &Limits::V1).ok());
            passed.extend(scanned.map(|candidate| candidate.sketch().hash));
        }
    }
    passed
}

/// A receipt for a push that no server has seen.
pub(crate) fn receipt_for(frame: &[u8], reader: &dyn StoreReader) -> Option<Vec<u8>> {
    let Some(Message::Push(push)) = message(frame) else { return None };
    let items = push.documents.into_iter().map(|push| ReceiptItem {
        push_id: push.push_id,
        document: push.document,
        covers: push.heads,
    });
    let tip = reader.tip();
    let position = LogPosition {
        epoch: tip.epoch,
        epoch_id: tip.epoch_id,
        seq: tip.seq,
        chain: Digest::from_bytes(tip.chain.0),
    };
    encode(&Message::Receipt(Receipt { items: items.collect(), position })).ok()
}

/// What is inside a message, for the trace.
pub(crate) fn inside(message: &Message) -> String {
    let short = |document: &chart::ids::DocumentId| document.to_string().chars().take(4).collect::<String>();
    match message {
        Message::Push(push) => push
            .documents
            .iter()
            .map(|push| format!(" [{} changes to {}]", push.changes.len(), short(&push.document)))
            .collect(),
        Message::Page(page) => {
            let entries = page.entries.iter().map(|entry| match &entry.body {
                FeedBody::Changes(feed) => {
                    format!(" [{}: {} changes to {}]", entry.seq, feed.changes.len(), short(&feed.document))
                }
                FeedBody::Verdict(verdict) => {
                    format!(" [{}: verdict on {}]", entry.seq, short(&verdict.document))
                }
                FeedBody::Entered(scope) => {
                    let named = scope.documents.iter().map(|one| short(&one.document));
                    format!(" [{}: entered {}]", entry.seq, named.collect::<Vec<_>>().join(" "))
                }
                FeedBody::Left(scope) => {
                    let named = scope.documents.iter().map(|one| short(&one.document));
                    format!(" [{}: left {}]", entry.seq, named.collect::<Vec<_>>().join(" "))
                }
                FeedBody::Report(report) => {
                    format!(" [{}: report of {}]", entry.seq, short(&report.document))
                }
                FeedBody::Reference(_) => format!(" [{}: reference]", entry.seq),
                FeedBody::Other(_) => format!(" [{}: unknown]", entry.seq),
            });
            format!(" to {}{}", page.next.seq, entries.collect::<String>())
        }
        Message::Need(need) => format!(" [{} of {}]", need.hashes.len(), short(&need.document)),
        Message::Supply(supply) => {
            format!(" [{} entries of {}]", supply.entries.len(), short(&supply.document))
        }
        Message::Refuse(refuse) => format!(" [{}: {}]", short(&refuse.document), refuse.sentence),
        Message::Error(error) => format!(" [{}]", error.sentence),
        Message::Pull(pull) => format!(" after {:?}", pull.cursor.map(|cursor| (cursor.epoch, cursor.seq))),
        _ => String::new(),
    }
}
