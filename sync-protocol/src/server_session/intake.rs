//! Pushes on their way in: parts put together, the credit watched, what breaks a bound turned away.
//!
//! Never looks into a change.

use std::collections::BTreeMap;

use chart::ids::PushId;

use crate::code::{ErrorCode, RefuseCode};
use crate::limits::{Limits, PUSH_PARTS_MAX};
use crate::message::{DocumentPush, Refuse};
use crate::session::Failure;

/// What became of one part.
pub(super) enum Taken {
    /// A whole push for the owner.
    Whole(Box<DocumentPush>),
    /// More parts must come.
    Waiting,
    /// Turned away.
    Refused(Refuse),
}

#[derive(Debug)]
struct Assembly {
    push: DocumentPush,
    /// Why it will be turned away once its last part is in.
    fault: Option<(RefuseCode, &'static str)>,
}

/// Pushes that were taken and not answered, and the one whose parts are coming in.
#[derive(Debug, Default)]
pub(super) struct Intake {
    unanswered: BTreeMap<PushId, usize>,
    unanswered_bytes: usize,
    assembly: Option<Assembly>,
}

impl Intake {
    pub(super) fn take(&mut self, part: DocumentPush, limits: &Limits) -> Result<Taken, Failure> {
        let assembly = match self.assembly.take() {
            None if part.part == 0 => Assembly::begin(part, limits),
            None => return Err(Failure::out_of_turn("a later part of a push")),
            Some(assembly) => assembly.join(part, limits)?,
        };
        let cost = assembly.push.cost_bytes();
        if self.unanswered_bytes.saturating_add(cost) > limits.credit_bytes as usize {
            let sentence = "more was pushed without an answer than the credit allows";
            return Err(Failure::fatal(ErrorCode::OverCredit, sentence));
        }
        if assembly.push.more {
            self.assembly = Some(assembly);
            return Ok(Taken::Waiting);
        }
        let mut push = assembly.push;
        if let Some((code, sentence)) = assembly.fault {
            return Ok(Taken::Refused(Refuse {
                push_id: push.push_id,
                document: push.document,
                code,
                sentence: sentence.to_owned(),
                per_change: Vec::new(),
                retry_after_ms: None,
            }));
        }
        push.part = 0;
        self.answered(push.push_id);
        self.unanswered.insert(push.push_id, cost);
        self.unanswered_bytes = self.unanswered_bytes.saturating_add(cost);
        Ok(Taken::Whole(Box::new(push)))
    }

    pub(super) fn answered(&mut self, push_id: PushId) {
        if let Some(cost) = self.unanswered.remove(&push_id) {
            self.unanswered_bytes = self.unanswered_bytes.saturating_sub(cost);
        }
    }

    pub(super) fn unanswered_bytes(&self) -> usize {
        self.unanswered_bytes
    }
}

impl Assembly {
    fn begin(push: DocumentPush, limits: &Limits) -> Self {
        let fault = changes_fault(&push.changes, limits);
        Self { push, fault }.bounded(limits)
    }

    /// What will be turned away is not kept.
    fn bounded(mut self, limits: &Limits) -> Self {
        self.fault = self.fault.or_else(|| size_fault(&self.push, limits));
        if self.fault.is_some() {
            self.push.changes.clear();
        }
        self
    }

    fn join(mut self, mut part: DocumentPush, limits: &Limits) -> Result<Self, Failure> {
        let (number, more) = (part.part, part.more);
        let coming = std::mem::take(&mut part.changes);
        let mut changes = std::mem::take(&mut self.push.changes);
        (part.part, part.more) = (self.push.part, self.push.more);
        if part != self.push || number != part.part.saturating_add(1) || number >= PUSH_PARTS_MAX {
            return Err(Failure::out_of_turn("a part that does not continue the push before it"));
        }
        let fault = self.fault.or_else(|| changes_fault(&coming, limits));
        changes.extend(coming);
        let push = DocumentPush { changes, more, part: number, ..part };
        Ok(Self { push, fault }.bounded(limits))
    }
}

const PUSH_TOO_LARGE: (RefuseCode, &str) =
    (RefuseCode::PushTooLarge, "the push is over the size limit: send it as several pushes");

/// What is wrong with the changes of one part.
fn changes_fault(changes: &[Vec<u8>], limits: &Limits) -> Option<(RefuseCode, &'static str)> {
    if changes.is_empty() || changes.iter().any(Vec::is_empty) {
        let sentence = "a push without changes, or with an empty one, says nothing";
        return Some((RefuseCode::ChangeMalformed, sentence));
    }
    if changes.iter().any(|change| change.len() > limits.change_bytes_max as usize) {
        return Some((RefuseCode::ChangeTooLarge, "a change is over the size limit"));
    }
    (changes.len() > limits.push_changes_max as usize)
        .then_some((RefuseCode::TooManyChanges, "the push holds too many changes"))
}

fn size_fault(push: &DocumentPush, limits: &Limits) -> Option<(RefuseCode, &'static str)> {
    (push.cost_bytes() > limits.push_bytes_max as usize).then_some(PUSH_TOO_LARGE)
}
