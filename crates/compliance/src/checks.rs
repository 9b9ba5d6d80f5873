//! Every finding the engine can raise, group by group, in one ordered list.
//!
//! A check reads a settled [`View`] and pushes findings by name; weight and words come from the
//! rulebook. Checks never look at each other and never at an open choice; those are described here too.

mod amendments;
mod authorization;
mod bundling;
mod check;
mod claim;
mod codes;
mod content;
mod custody;
mod goals;
mod merge;
mod note;
mod payer;
mod people;
mod plan;
mod plan_course;
mod progress;
mod record;
mod signatures;
mod time;
mod time_day;
mod units;

use chart::facts::Facts;

use crate::disputes::Site;
use crate::finding::Findings;
use crate::view::View;
use check::Check;

/// Names of the settings the checks read; loading a rulebook without one of them fails.
pub(crate) const SETTINGS_READ: &[&str] = &[
    "visit_timed_minutes_max",
    "visit_treatment_minutes_max",
    "clock_skew_seconds_max",
    "duplicate_within_minutes",
    "gap_minutes_max",
    "minutes_per_unit_min",
    "outside_visit_minutes",
    "policy_review_days_max",
    "round_minutes_percent",
    "round_minutes_segments_min",
    "signature_late_days",
    "signature_very_late_days",
    "certification_days",
    "certification_remind_days",
    "certified_days_max",
    "verbal_certification_days",
    "progress_report_days",
    "progress_report_remind_days",
    "signature_handover_seconds",
    "late_entry_hours",
    "cosignature_student",
    "cosignature_assistant",
    "review_student",
    "review_assistant",
    "threshold_near_percent",
    "visit_limit_near_percent",
    "repeated_text_percent",
    "repeated_text_words_min",
    "home_program_by_visit",
    "no_progress_notes",
    "no_progress_days",
    "plateau_periods",
    "objective_test_by_visit",
    "line_modifiers_max",
    "claim_lines_max",
    "claim_lines_paper_max",
    "retention_years",
    "retention_years_after_majority",
    "majority_years",
    "payment_estimates",
];

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
    record::CHECKS,
    progress::CHECKS,
    plan::CHECKS,
    plan_course::CHECKS,
    authorization::CHECKS,
    payer::CHECKS,
    bundling::CHECKS,
    signatures::CHECKS,
    amendments::CHECKS,
    custody::CHECKS,
    claim::CHECKS,
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
