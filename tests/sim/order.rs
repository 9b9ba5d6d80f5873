//! Arrival in any order: every document's changes are given to the gate once more, shuffled and in parts
//! as a network might bring them, and must come to the same end as in the log.

use chart::ids::{ChangeHash, DocumentId};
use session_note::NoteDocument;
use session_note::admission::Submitted;
use session_note::admit::Outcome;

use crate::dice::Dice;
use crate::log::{Fate, Log, LoggedDocument};
use crate::violation::{Broken, Promise, Violation, broken};

/// Verdicts do not depend on the order of arrival.
pub(crate) fn check_order(log: &Log, dice: &mut Dice) -> Result<(), Violation> {
    for (document, logged) in &log.documents {
        // What policy held back was never before the gate, nor what a person rejected after that.
        let apart = |fate| matches!(fate, Fate::Held | Fate::Rejected);
        let held = logged.changes.values().any(|change| apart(change.fate));
        if !held && dice.chance(1, 2) {
            check(*document, logged, dice)?;
        }
    }
    Ok(())
}

fn check(document: DocumentId, logged: &LoggedDocument, dice: &mut Dice) -> Result<(), Violation> {
    let mut arriving: Vec<ChangeHash> = logged.order.clone();
    for place in (1..arriving.len()).rev() {
        arriving.swap(place, dice.place(place + 1));
    }
    let mut note = NoteDocument::new(document, logged.kind);
    let mut waiting: Vec<Submitted> = Vec::new();
    for part in arriving.chunks(1 + dice.place(4)) {
        waiting
            .extend(part.iter().filter_map(|hash| logged.changes.get(hash)).map(|one| one.submitted.clone()));
        let admission = note.admit(&waiting).broken(Promise::Verdicts)?;
        note = admission.note;
        for (hash, outcome) in &admission.outcomes {
            if matches!(outcome, Outcome::Waiting { .. }) {
                continue;
            }
            waiting.retain(|one| one.candidate.sketch().hash != *hash);
            let admitted = matches!(outcome, Outcome::Admitted | Outcome::AlreadyKnown);
            let fate = logged.changes.get(hash).map(|change| change.fate);
            if admitted != (fate == Some(Fate::Admitted)) {
                let story =
                    format!("{hash} of {document} is {fate:?} in the log and {outcome:?} in another order");
                return Err(broken(Promise::Verdicts, story));
            }
        }
    }
    let lost =
        logged.changes.iter().find(|(hash, change)| change.fate == Fate::Admitted && !note.contains(hash));
    match lost {
        Some((hash, _)) => {
            Err(broken(Promise::Verdicts, format!("{hash} of {document} waits for ever in another order")))
        }
        None => Ok(()),
    }
}
