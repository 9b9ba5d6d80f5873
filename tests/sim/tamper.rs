//! Frames looked into: to tell what travels, and to be changed on the way where a bug is planted.

use chart::ids::Digest;
use store::StoreReader;
use sync_protocol::codec::{decode, encode};
use sync_protocol::message::{FeedBody, LogPosition, Message, Receipt, ReceiptItem};

/// A page without its entries about notes that entered the scope.
pub(crate) fn without_entered(frame: Vec<u8>) -> Vec<u8> {
    let Ok(Message::Page(mut page)) = decode(&frame) else { return frame };
    page.entries.retain(|entry| !matches!(entry.body, FeedBody::Entered(_)));
    encode(&Message::Page(page)).unwrap_or(frame)
}

/// A receipt for a push that no server has seen.
pub(crate) fn receipt_for(frame: &[u8], reader: &dyn StoreReader) -> Option<Vec<u8>> {
    let Ok(Message::Push(push)) = decode(frame) else { return None };
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
