//! The billing view: claim lines of the note's pool, what they may come to, what differs from the claim sent.
//!
//! Reads counted pools only: a pool that is disputed, held or counted under no known rule gives no line, and
//! the view says why. Adds the modifiers that follow from the record; those that are somebody's word are asked
//! for, never added.

mod after;
mod estimate;
mod lines;
mod marks;
mod whose;

use chart::billing::BillingView;
use chart::facts::NoteFacts;
use chart::report::{Counted, Pool, PoolOutcome};

use crate::rulebook::Flag;
use crate::view::View;

/// The billing view of a note, from counted pools. `view` shows the minutes behind them with every choice
/// made somehow; `note` is the note with its open choices, of which only what is agreed is read.
pub(crate) fn billing(view: &View<'_>, note: &NoteFacts, pools: &[Pool]) -> BillingView {
    let document = view.note.slice.document;
    let Some(own) = pools.iter().find(|pool| pool.documents.contains(&document)) else {
        return BillingView::default();
    };
    let counted = match billable(own) {
        Ok(counted) => counted,
        Err(reason) => return BillingView { withheld: vec![reason], ..BillingView::default() },
    };
    let payer = own.payer.as_ref().and_then(|id| view.book.payer(&id.0));
    if let Some(payer) = payer.filter(|payer| payer.has(Flag::NoClaim)) {
        let reason = format!("{}: no claim is sent.", payer.label);
        return BillingView { withheld: vec![reason], ..BillingView::default() };
    }
    let day = estimate::Day::of(view, pools, own, payer);
    let (lines, withheld) = lines::lines(view, note, own, counted, payer, &day);
    BillingView {
        estimate: day.estimate(view, &lines),
        after_claim: after::after_claim(view, own, counted, &day),
        lines,
        withheld,
    }
}

/// The units of a pool that may go on lines, or why none may.
fn billable(pool: &Pool) -> Result<&Counted, String> {
    match &pool.outcome {
        PoolOutcome::Counted(counted) if counted.rule.is_some() => Ok(counted),
        PoolOutcome::Counted(_) => Err("The payer's counting rule is not set.".to_owned()),
        PoolOutcome::Disputed { .. } => {
            Err("The units of this day depend on choices nobody has made.".to_owned())
        }
        PoolOutcome::Held { reason, .. } => Err(format!("Units are held: {reason}.")),
    }
}
