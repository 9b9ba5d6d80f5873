//! Every finding the engine can raise, group by group, in one ordered list.
//!
//! A check reads a settled [`View`] and pushes findings by name; weight and words come from the
//! rulebook. Checks never look at each other and never at an open choice; those are described here too.

mod bundling;
mod check;
mod codes;
mod content;
mod goals;
mod merge;
mod note;
mod payer;
mod people;
mod plan;
mod time;
mod time_day;
mod units;

use chart::facts::Facts;

use crate::disputes::Site;
use crate::finding::Findings;
use crate::view::View;
use check::Check;

/// All checks in order.
const GROUPS: &[&[Check]] = &[
    time::CHECKS,
    time_day::CHECKS,
    units::CHECKS,
    codes::CHECKS,
    people::CHECKS,
    merge::CHECKS,
    note::CHECKS,
    goals::CHECKS,
    content::CHECKS,
    plan::CHECKS,
    payer::CHECKS,
    bundling::CHECKS,
];

/// Every name a check may push, those of payer policies aside (these are named in the policies).
pub(crate) fn pushed() -> impl Iterator<Item = &'static str> {
    let of_views =
        GROUPS.iter().flat_map(|group| group.iter()).flat_map(|check| check.pushes.iter().copied());
    of_views.chain(merge::OF_DISPUTES.iter().copied())
}

/// Runs every check on a settled view.
pub(crate) fn run(view: &View<'_>, out: &mut Findings<'_>) {
    for check in GROUPS.iter().flat_map(|group| group.iter()) {
        (check.run)(view, out);
    }
}

/// What the open choices themselves are worth saying.
pub(crate) fn of_disputes(facts: &Facts, sites: &[Site], out: &mut Findings<'_>) {
    merge::of_disputes(facts, sites, out);
}
