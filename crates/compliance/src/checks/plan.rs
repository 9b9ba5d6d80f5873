//! Plan of care, its certification, and progress reports, as far as the episode's fields tell.

use chrono::NaiveDate;

use super::check::Check;
use crate::finding::{Findings, finding};
use crate::rulebook::Flag;
use crate::view::View;

pub(super) const CHECKS: &[Check] = &[
    Check {
        pushes: &["progress-report-due", "progress-report-overdue", "progress-report-by-assistant"],
        run: progress,
    },
    Check { pushes: &["poc-missing", "poc-element-missing"], run: plan },
    Check {
        pushes: &["poc-certification-due", "poc-certification-overdue", "poc-exception-evidence"],
        run: certification,
    },
    Check { pushes: &["poc-expired", "poc-verbal-unsigned"], run: running_out },
];

fn date(view: &View<'_>, name: &str) -> Option<NaiveDate> {
    view.episode_field(name).parse().ok()
}

fn yes(view: &View<'_>, name: &str) -> bool {
    matches!(view.episode_field(name), "true" | "yes")
}

fn progress(view: &View<'_>, out: &mut Findings<'_>) {
    if yes(view, "progress.by_assistant_only") {
        out.push(finding("progress-report-by-assistant"));
    }
    if !view.has(Flag::ProgressReports, false) {
        return;
    }
    let Ok(days) = view.episode_field("progress.treatment_days_since_report").parse::<u32>() else { return };
    match days {
        0..=7 => {}
        8..=10 => out.push(finding("progress-report-due").value("days", days)),
        _ => out.push(finding("progress-report-overdue").value("days", days)),
    }
}

fn plan(view: &View<'_>, out: &mut Findings<'_>) {
    if view.episode_field("poc.present") == "false" {
        out.push(finding("poc-missing"));
    }
    let missing = view.episode_field("poc.missing_elements");
    if !missing.is_empty() {
        out.push(finding("poc-element-missing").value("missing", missing));
    }
}

/// Days by which a plan must be certified, counted from its beginning.
const CERTIFY_WITHIN_DAYS: i64 = 30;
/// Days after which the certification is asked for.
const CERTIFY_REMIND_DAYS: i64 = 20;
/// Longest a certification lasts.
const CERTIFIED_DAYS: u64 = 90;
/// Days a verbal certification may stay unsigned.
const VERBAL_DAYS: i64 = 14;

/// The first day on which a signed order may stand for the first signature: from the rulebook's text.
fn order_counts_from(view: &View<'_>) -> Option<NaiveDate> {
    view.book.findings.get("poc-exception-evidence").map(|text| text.from)
}

fn certification(view: &View<'_>, out: &mut Findings<'_>) {
    if !view.has(Flag::Certification, false) || date(view, "poc.signed").is_some() {
        return;
    }
    let today = view.date.unwrap_or(view.facts.as_of);
    let Some(begun) = date(view, "poc.first_treatment").or_else(|| date(view, "poc.established")) else {
        return;
    };
    let days = today.signed_duration_since(begun).num_days();
    let established = date(view, "poc.established").unwrap_or(begun);
    let in_time = date(view, "poc.sent").is_some_and(|sent| {
        (0..=CERTIFY_WITHIN_DAYS).contains(&sent.signed_duration_since(established).num_days())
    });
    let order = yes(view, "poc.order_signed_dated");
    let from = order_counts_from(view).is_some_and(|from| established >= from);
    if order && in_time && from {
        return;
    }
    let claimed = order || yes(view, "poc.exception_claimed");
    if claimed {
        let mut missing = Vec::new();
        if !order {
            missing.push("a signed and dated order");
        }
        if !in_time {
            missing.push("the plan sent within 30 days");
        }
        if !from {
            missing.push("a plan begun after the rule started");
        }
        out.push(finding("poc-exception-evidence").value("missing", missing.join(" and ")));
    }
    if !view.episode_field("poc.delayed_reason").is_empty() {
        return;
    }
    if days > CERTIFY_WITHIN_DAYS {
        out.push(finding("poc-certification-overdue").value("days", days));
    } else if days >= CERTIFY_REMIND_DAYS {
        out.push(finding("poc-certification-due").value("days", days));
    }
}

fn running_out(view: &View<'_>, out: &mut Findings<'_>) {
    let today = view.date.unwrap_or(view.facts.as_of);
    if let Some(verbal) = date(view, "poc.verbal")
        && date(view, "poc.signed").is_none()
        && today.signed_duration_since(verbal).num_days() > VERBAL_DAYS
    {
        out.push(finding("poc-verbal-unsigned").value("verbal", verbal));
    }
    if !view.has(Flag::Certification, false) || date(view, "poc.recertified").is_some_and(|day| day <= today)
    {
        return;
    }
    let ninety = date(view, "poc.first_treatment")
        .or_else(|| date(view, "poc.established"))
        .and_then(|begun| begun.checked_add_days(chrono::Days::new(CERTIFIED_DAYS)));
    let ended = [date(view, "poc.ends"), ninety].into_iter().flatten().min();
    if let Some(ended) = ended.filter(|ended| today > *ended) {
        out.push(finding("poc-expired").value("ended", ended));
    }
}
