//! Pushes on their way out: packed into frames, sent as the credit allows, remembered until answered.
//!
//! Forgets nothing without an answer, and repeats nothing by itself.

use std::collections::{BTreeMap, VecDeque};

use chart::ids::PushId;

use super::QueueError;
use crate::code::RefuseCode;
use crate::limits::{self, Limits};
use crate::message::{DocumentPush, Push};

/// What one change takes in a frame beside its bytes.
const CHANGE_HEADER_BYTES: usize = 5;
/// What a push takes in a frame beside its changes and hashes.
const PUSH_HEADER_BYTES: usize = 256;
const HASH_BYTES: usize = 34;
/// Frames are filled up to half of what a decoder accepts.
const FRAME_ITEMS_FILL: usize = limits::FRAME_ITEMS_MAX / 2;

#[derive(Debug, Default)]
pub(super) struct Outbox {
    waiting: VecDeque<DocumentPush>,
    in_flight: BTreeMap<PushId, usize>,
    in_flight_bytes: usize,
}

impl Outbox {
    pub(super) fn queue(&mut self, push: DocumentPush, limits: &Limits) -> Result<(), QueueError> {
        if self.in_flight.contains_key(&push.push_id)
            || self.waiting.iter().any(|other| other.push_id == push.push_id)
        {
            return Err(QueueError::Repeated);
        }
        check(&push, limits)?;
        self.waiting.push_back(push);
        Ok(())
    }

    /// Takes out what can never be sent under new limits, with the reason.
    pub(super) fn take_unsendable(&mut self, limits: &Limits) -> Vec<(DocumentPush, QueueError)> {
        let mut unsendable = Vec::new();
        for push in std::mem::take(&mut self.waiting) {
            match check(&push, limits) {
                Ok(()) => self.waiting.push_back(push),
                Err(error) => unsendable.push((push, error)),
            }
        }
        unsendable
    }

    /// The next frames that belong together, if the credit allows: several small pushes in one frame,
    /// or one large push in several.
    pub(super) fn next(&mut self, limits: &Limits) -> Vec<Push> {
        let fill_bytes = limits::PUSH_FRAME_FILL_BYTES;
        let mut batch = Vec::new();
        let (mut bytes, mut items) = (0usize, 0usize);
        while let Some(push) = self.waiting.front() {
            let (push_bytes, push_items) = frame_share(push);
            let affordable =
                self.in_flight_bytes.saturating_add(push.cost_bytes()) <= limits.credit_bytes as usize;
            let alone = push_bytes > fill_bytes || push.changes.len() > limits.push_changes_max as usize;
            let fits = bytes.saturating_add(push_bytes) <= fill_bytes
                && items.saturating_add(push_items) <= FRAME_ITEMS_FILL
                && batch.len() < limits.push_documents_max as usize
                && !alone;
            if !affordable || (!batch.is_empty() && !fits) {
                break;
            }
            let Some(push) = self.take_front() else { break };
            if alone {
                return split(push, fill_bytes, limits.push_changes_max as usize);
            }
            (bytes, items) = (bytes.saturating_add(push_bytes), items.saturating_add(push_items));
            batch.push(push);
        }
        if batch.is_empty() { Vec::new() } else { vec![Push { documents: batch }] }
    }

    pub(super) fn answered(&mut self, push_id: PushId) {
        if let Some(cost) = self.in_flight.remove(&push_id) {
            self.in_flight_bytes = self.in_flight_bytes.saturating_sub(cost);
        }
    }

    pub(super) fn has_in_flight(&self) -> bool {
        !self.in_flight.is_empty()
    }

    pub(super) fn in_flight_bytes(&self) -> usize {
        self.in_flight_bytes
    }

    /// Every push without an answer: first those sent, then those waiting, in order.
    pub(super) fn unanswered(&self) -> Vec<PushId> {
        let waiting = self.waiting.iter().map(|push| push.push_id);
        self.in_flight.keys().copied().chain(waiting).collect()
    }

    fn take_front(&mut self) -> Option<DocumentPush> {
        let push = self.waiting.pop_front()?;
        let cost = push.cost_bytes();
        self.in_flight.insert(push.push_id, cost);
        self.in_flight_bytes = self.in_flight_bytes.saturating_add(cost);
        Some(push)
    }
}

impl QueueError {
    pub(super) const fn code(&self) -> RefuseCode {
        match self {
            Self::ChangeTooLarge { .. } => RefuseCode::ChangeTooLarge,
            Self::PushTooLarge { .. } => RefuseCode::PushTooLarge,
            Self::TooManyHashes | Self::Empty | Self::Repeated | Self::Closed => RefuseCode::TooManyChanges,
        }
    }
}

fn check(push: &DocumentPush, limits: &Limits) -> Result<(), QueueError> {
    if push.changes.is_empty() {
        return Err(QueueError::Empty);
    }
    let limit = limits.change_bytes_max as usize;
    if let Some(change) = push.changes.iter().find(|change| change.len() > limit) {
        return Err(QueueError::ChangeTooLarge { bytes: change.len(), limit });
    }
    let (bytes, limit) = (push.cost_bytes(), limits.push_bytes_max as usize);
    let parts = push.changes.len().div_ceil(limits.push_changes_max as usize);
    if bytes > limit || parts > usize::from(limits::PUSH_PARTS_MAX) / 2 {
        return Err(QueueError::PushTooLarge { bytes, limit });
    }
    let longest = push.heads.len().max(push.base_heads.len()).max(push.replaces.len());
    if longest > limits::HASHES_MAX { Err(QueueError::TooManyHashes) } else { Ok(()) }
}

/// Bytes and items a push takes in a frame, rounded up.
fn frame_share(push: &DocumentPush) -> (usize, usize) {
    let hashes = push.heads.len() + push.base_heads.len() + push.replaces.len();
    let changes: usize = push.changes.iter().map(|change| change.len() + CHANGE_HEADER_BYTES).sum();
    (changes + hashes * HASH_BYTES + PUSH_HEADER_BYTES, push.changes.len() + hashes + 24)
}

/// Splits a push into parts, keeping the order of its changes.
fn split(mut push: DocumentPush, fill_bytes: usize, changes_max: usize) -> Vec<Push> {
    let changes = std::mem::take(&mut push.changes);
    let mut parts: Vec<DocumentPush> = Vec::new();
    let mut bytes = 0usize;
    for change in changes {
        let full = parts.last().is_none_or(|part| {
            let over = bytes.saturating_add(change.len() + CHANGE_HEADER_BYTES) > fill_bytes;
            part.changes.len() >= changes_max || (over && !part.changes.is_empty())
        });
        if full {
            let part = u16::try_from(parts.len()).unwrap_or(u16::MAX);
            parts.push(DocumentPush { part, more: true, ..push.clone() });
            bytes = 0;
        }
        bytes = bytes.saturating_add(change.len() + CHANGE_HEADER_BYTES);
        if let Some(part) = parts.last_mut() {
            part.changes.push(change);
        }
    }
    if let Some(last) = parts.last_mut() {
        last.more = false;
    }
    parts.into_iter().map(|part| Push { documents: vec![part] }).collect()
}
