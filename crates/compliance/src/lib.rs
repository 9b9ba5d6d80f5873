//! Units and findings of a therapy note, from plain facts and dated rules.
//!
//! [`recompute`] is the only door: pure, total, deterministic. It never sees a document, a clock, a file
//! or a socket, and it never chooses between what two people recorded: an open choice gives every
//! alternative. What a code, a payer or a finding is stands in the [`Rulebook`], never in this source.
//!
//! Reading direction: [`rulebook`] is the data; [`units`] is the arithmetic; `day` turns stretches of
//! time into minutes that count; `disputes` lists the open choices; `checks` holds the findings, group by
//! group; `recompute` puts them together. [`assess`] and [`vectors`] are the doors for files and scripts.

pub mod assess;
mod assistant;
mod bundling;
mod checks;
mod claim;
mod course;
mod day;
mod disputes;
mod explain;
mod finding;
pub mod limits;
mod meeting;
mod payment;
mod recompute;
pub mod rulebook;
pub mod statements;
pub mod units;
pub mod vectors;
mod view;
mod words;

pub use assess::assess_line;
pub use explain::explain;
pub use recompute::{BillIf, bill_change, bills_by_choice, recompute};
pub use rulebook::{Rulebook, RulebookError};
pub use vectors::{Failure, VectorOutcome, run_vectors};
