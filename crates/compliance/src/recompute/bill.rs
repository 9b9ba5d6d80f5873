//! Whether the note may go on the bill, and every reason why not.

use chart::facts::{Facts, Standing};
use chart::report::{BillState, Certainty, Finding, Pool, PoolOutcome, Severity};

use crate::disputes::{Site, Whose};

pub(super) fn state(facts: &Facts, sites: &[Site], pools: &[Pool], findings: &[Finding]) -> BillState {
    let mut reasons: Vec<String> = Vec::new();
    let mut hold = |reason: String| {
        if !reasons.contains(&reason) {
            reasons.push(reason);
        }
    };
    match facts.standing {
        Standing::Complete => {}
        Standing::Provisional => hold("Provisional: other notes of this day not seen.".to_owned()),
        Standing::Pending => {
            hold("Some work on the notes of this day is not judged yet or is held back.".to_owned())
        }
    }
    if !facts.note.problems.is_empty() {
        hold(format!("{} parts of the note could not be read.", facts.note.problems.len()));
    }
    if sites.iter().any(|site| site.whose == Whose::Note) {
        hold("People disagree on a billing fact of this note; somebody must choose.".to_owned());
    }
    for pool in pools.iter().filter(|pool| pool.documents.contains(&facts.note.slice.document)) {
        match &pool.outcome {
            PoolOutcome::Counted(counted) if counted.rule.is_none() => {
                hold("The payer's counting rule is not set.".to_owned());
            }
            PoolOutcome::Counted(_) => {}
            PoolOutcome::Disputed { .. } => {
                hold("The units of this day depend on choices nobody has made.".to_owned());
            }
            PoolOutcome::Held { reason, .. } => hold(format!("Units are held: {reason}.")),
        }
    }
    for finding in findings.iter().filter(|finding| finding.severity == Severity::Blocker) {
        hold(match &finding.certainty {
            Certainty::InAll => finding.message.clone(),
            Certainty::If(labels) => format!("{} (if {})", finding.message, labels.join(" or ")),
        });
    }
    if reasons.is_empty() { BillState::Ready } else { BillState::Held { reasons } }
}
