//! Plan of care, its certification, and progress reports, from the episode's fields and its visits.

use chart::episode::field;
use chart::facts::VisitFacts;
use chrono::NaiveDate;

use super::check::Check;
use crate::finding::{Findings, finding};
use crate::rulebook::Flag;
use crate::view::{View, is_assistant};

pub(super) const CHECKS: &[Check] = &[
    Check {
        pushes: &["progress-report-due", "progress-report-overdue", "progress-report-by-assistant"],
        run: progress,
    },
    Check { pushes: &["assistant-clinician-participation-missing"], run: participation },
    Check { pushes: &["poc-missing", "poc-element-missing"], run: plan },
    Check {
        pushes: &["poc-certification-due", "poc-certification-overdue", "poc-exception-evidence"],
        run: certification,
    },
    Check { pushes: &["poc-expired", "poc-verbal-unsigned"], run: running_out },
];

fn yes(view: &View<'_>, name: &str) -> bool {
    matches!(view.episode_field(name), "true" | "yes")
}

/// Treatment days of the current progress period: counted where the visits are known, else as entered.
fn days_of_period(view: &View<'_>) -> Option<i64> {
    let counted = view.course.days_since_report().and_then(|days| i64::try_from(days).ok());
    counted.or_else(|| view.episode_field("progress.treatment_days_since_report").parse().ok())
}

fn progress(view: &View<'_>, out: &mut Findings<'_>) {
    if yes(view, "progress.by_assistant_only") {
        out.push(finding("progress-report-by-assistant"));
    }
    if !view.has(Flag::ProgressReports, false) {
        return;
    }
    let Some(days) = days_of_period(view) else { return };
    if days > view.setting("progress_report_days") {
        out.push(finding("progress-report-overdue").value("days", days));
    } else if days >= view.setting("progress_report_remind_days") {
        out.push(finding("progress-report-due").value("days", days));
    }
}

/// A period that has run its days with assistants alone.
fn participation(view: &View<'_>, out: &mut Findings<'_>) {
    let told = view.facts.episode.as_ref().and_then(|episode| episode.therapist_took_part);
    let assistants_alone = || {
        let assistant = |id| view.person(id).is_some_and(is_assistant);
        let treated = |visit: &VisitFacts| visit.performers.iter().all(|id| assistant(*id));
        let own = view.performers();
        let full = days_of_period(view).is_some_and(|days| days >= view.setting("progress_report_days"));
        full && view.course.treatment_days().is_some()
            && !own.is_empty()
            && own.into_iter().all(assistant)
            && view.course.period().all(treated)
    };
    if told == Some(false) || (told.is_none() && assistants_alone()) {
        out.push(finding("assistant-clinician-participation-missing"));
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

/// When the plan began to need its certification.
fn begun(view: &View<'_>) -> Option<NaiveDate> {
    let entered = view.episode_date(field::FIRST_TREATMENT).or_else(|| view.episode_date(field::ESTABLISHED));
    entered.or_else(|| view.course.first_day())
}

/// The first day on which a signed order may stand for the first signature: from the rulebook's text.
fn order_counts_from(view: &View<'_>) -> Option<NaiveDate> {
    view.book.findings.get("poc-exception-evidence").map(|text| text.from)
}

fn certification(view: &View<'_>, out: &mut Findings<'_>) {
    if !view.has(Flag::Certification, false) || view.episode_date(field::SIGNED).is_some() {
        return;
    }
    let today = view.date.unwrap_or(view.facts.as_of);
    let Some(begun) = begun(view) else { return };
    let within = view.setting("certification_days");
    let days = today.signed_duration_since(begun).num_days();
    let established = view.episode_date(field::ESTABLISHED).unwrap_or(begun);
    let in_time = view
        .episode_date("poc.sent")
        .is_some_and(|sent| (0..=within).contains(&sent.signed_duration_since(established).num_days()));
    let order = yes(view, "poc.order_signed_dated");
    let from = order_counts_from(view).is_some_and(|from| established >= from);
    if order && in_time && from {
        return;
    }
    if order || yes(view, "poc.exception_claimed") {
        let mut missing = Vec::new();
        if !order {
            missing.push("a signed and dated order".to_owned());
        }
        if !in_time {
            missing.push(format!("the plan sent within {within} days"));
        }
        if !from {
            missing.push("a plan begun after the rule started".to_owned());
        }
        out.push(finding("poc-exception-evidence").value("missing", missing.join(" and ")));
    }
    if !view.episode_field("poc.delayed_reason").is_empty() {
        return;
    }
    if days > within {
        out.push(finding("poc-certification-overdue").value("days", days));
    } else if days >= view.setting("certification_remind_days") {
        out.push(finding("poc-certification-due").value("days", days));
    }
}

fn running_out(view: &View<'_>, out: &mut Findings<'_>) {
    let today = view.date.unwrap_or(view.facts.as_of);
    if let Some(verbal) = view.episode_date("poc.verbal")
        && view.episode_date(field::SIGNED).is_none()
        && today.signed_duration_since(verbal).num_days() > view.setting("verbal_certification_days")
    {
        out.push(finding("poc-verbal-unsigned").value("verbal", verbal));
    }
    if !view.has(Flag::Certification, false)
        || view.episode_date(field::RECERTIFIED).is_some_and(|day| day <= today)
    {
        return;
    }
    let longest = u64::try_from(view.setting("certified_days_max")).unwrap_or(u64::MAX);
    let longest = begun(view).and_then(|begun| begun.checked_add_days(chrono::Days::new(longest)));
    let ended = [view.episode_date("poc.ends"), longest].into_iter().flatten().min();
    if let Some(ended) = ended.filter(|ended| today > *ended) {
        out.push(finding("poc-expired").value("ended", ended));
    }
}
