//! The billing view: the claim lines a note's day comes to, and what an edit changes in them.
//!
//! Derived by the compliance engine and thrown away freely. Only what nobody disputes is on a line; every
//! amount is an estimate in cents and is labelled as one.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::code::ServiceCode;

/// The lines of a note's pool: one patient, one date, one discipline.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BillingView {
    /// The lines, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<BillLine>,
    /// Why something that was done has no line, each in one sentence.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub withheld: Vec<String>,
    /// What the lines may come to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimate: Option<Estimate>,
    /// What differs from the claim that was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_claim: Option<AfterClaim>,
}

impl BillingView {
    /// Whether there is nothing to say.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Units by code, over all lines.
    pub fn units(&self) -> BTreeMap<ServiceCode, u32> {
        let mut units = BTreeMap::new();
        for line in &self.lines {
            let sum: &mut u32 = units.entry(line.code.clone()).or_default();
            *sum = sum.saturating_add(line.units);
        }
        units
    }
}

/// One line of a claim.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BillLine {
    /// Its number, from 1.
    pub number: u32,
    /// The service.
    pub code: ServiceCode,
    /// Its modifiers in the order of the claim form.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub modifiers: Vec<String>,
    /// Modifiers the rules ask for that only a person may add: they are somebody's word.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asked: Vec<String>,
    /// Units.
    pub units: u32,
    /// Minutes behind them.
    pub minutes: u32,
    /// Diagnoses it points to, counted from 1; none while the diagnoses are missing or disputed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pointers: Vec<u32>,
    /// What it may be paid, in cents; `None` where no fee is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimate_cents: Option<u64>,
}

/// What lines may come to. Never a promise of payment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Estimate {
    /// The sum of the lines' estimates, in cents.
    pub cents: u64,
    /// What it rests on, in one sentence that begins with "Estimate".
    pub basis: String,
    /// Units whose practice expense is counted at half.
    #[serde(default)]
    pub reduced_units: u32,
    /// Codes on the lines of which no fee is known.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub without: BTreeSet<ServiceCode>,
}

/// What changed since the claim was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AfterClaim {
    /// The day it was sent.
    pub sent_on: NaiveDate,
    /// Units sent and units the chart supports, by code, where they differ.
    pub units: BTreeMap<ServiceCode, UnitChange>,
    /// An estimate of what was claimed too much, in cents; `None` where no fee is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over_cents: Option<u64>,
    /// By when an overpayment is to be reported and returned, if it was identified on the day of the report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub return_by: Option<NaiveDate>,
    /// Until when that clock may stand still for an inquiry in good faith.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inquiry_until: Option<NaiveDate>,
    /// The source of the clock.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub source: String,
}

/// Units before and after.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitChange {
    /// Before.
    pub before: u32,
    /// After.
    pub after: u32,
}

/// What an edit changes in a bill.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BillChange {
    /// Lines whose units or estimates differ; a line is known by its code and its modifiers.
    pub lines: Vec<LineChange>,
    /// The sum of the estimates before, in cents, where there was one.
    pub cents_before: Option<u64>,
    /// The sum of the estimates after, in cents, where there is one.
    pub cents_after: Option<u64>,
}

/// What an edit changes in one line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineChange {
    /// The service.
    pub code: ServiceCode,
    /// The line's modifiers.
    pub modifiers: Vec<String>,
    /// Units; none before is a new line, none after one that falls away.
    pub units: UnitChange,
    /// Diagnoses it points to, where they differ: before and after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pointers: Option<(Vec<u32>, Vec<u32>)>,
}

/// What differs between two bills, line by line; empty for equal ones.
pub fn compare(before: &BillingView, after: &BillingView) -> BillChange {
    type Sides<'v> = (Option<&'v BillLine>, Option<&'v BillLine>);
    let mut lines: BTreeMap<(&ServiceCode, &[String]), Sides<'_>> = BTreeMap::new();
    for line in &before.lines {
        lines.entry((&line.code, &line.modifiers)).or_default().0 = Some(line);
    }
    for line in &after.lines {
        lines.entry((&line.code, &line.modifiers)).or_default().1 = Some(line);
    }
    let changed = lines.into_iter().filter_map(|((code, modifiers), (old, new))| {
        let units =
            UnitChange { before: old.map_or(0, |line| line.units), after: new.map_or(0, |line| line.units) };
        let pointers = old
            .zip(new)
            .filter(|(old, new)| old.pointers != new.pointers)
            .map(|(old, new)| (old.pointers.clone(), new.pointers.clone()));
        let differs = units.before != units.after || pointers.is_some();
        differs.then(|| LineChange { code: code.clone(), modifiers: modifiers.to_vec(), units, pointers })
    });
    BillChange {
        lines: changed.collect(),
        cents_before: before.estimate.as_ref().map(|estimate| estimate.cents),
        cents_after: after.estimate.as_ref().map(|estimate| estimate.cents),
    }
}
