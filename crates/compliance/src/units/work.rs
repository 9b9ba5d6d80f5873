//! What is counted and what comes out, by code. Counts nothing.

use std::collections::{BTreeMap, BTreeSet};

use chart::code::ServiceCode;

/// Units by code.
pub type UnitMap = BTreeMap<ServiceCode, u32>;

/// What was done, ready to be counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Counted minutes by code; a code that was done but took no counted minute stands with zero.
    pub minutes: BTreeMap<ServiceCode, u32>,
    /// Untimed codes that were done, whatever the time.
    pub done: BTreeSet<ServiceCode>,
    /// Units entered for codes that are not counted by time, where the table allows more than one.
    pub entered: UnitMap,
    /// The most units of a day of the codes entered, by the table that holds on the date of service; a code
    /// without an entry counts one.
    pub most: UnitMap,
}
