//! Who computes a report from its facts: the compliance engine, or an owner who puts a fence around it. What
//! came of it is published like any report; nothing here gathers facts.

use chart::billing::BillingView;
use chart::facts::Facts;
use chart::report::{BillState, REPORT_FORMAT, Report};
use compliance::Rulebook;

/// Computes reports. Called for every report, also where one is only read and was not kept.
pub trait Reckoner: Send {
    /// The report of these facts: the engine's, or [`withheld`]. Equal facts give an equal report.
    fn reckon(&mut self, facts: &Facts, rulebook: &Rulebook) -> Report;
}

/// The engine without a fence.
pub(crate) struct Unfenced;

impl Reckoner for Unfenced {
    fn reckon(&mut self, facts: &Facts, rulebook: &Rulebook) -> Report {
        compliance::recompute(facts, rulebook)
    }
}

/// The report of facts that the engine does not survive: no units, no findings, and not to be billed for
/// this reason.
pub fn withheld(facts: &Facts, rulebook: &Rulebook, reason: &str) -> Report {
    Report {
        format: REPORT_FORMAT,
        document: facts.note.slice.document,
        as_of: facts.as_of,
        standing: facts.standing.clone(),
        rulebook: rulebook.name(),
        inputs: facts.inputs.clone(),
        pools: Vec::new(),
        findings: Vec::new(),
        bill: BillState::Held { reasons: vec![reason.to_owned()] },
        billing: BillingView::default(),
    }
}
