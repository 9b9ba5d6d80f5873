//! The plan against what happened: visits, weeks, goals, reports, the end, orders.

use chart::episode::field;
use chart::visit::field as note;
use chrono::Days;

use super::check::Check;
use crate::course::leading_number;
use crate::finding::{Findings, finding};
use crate::view::View;

pub(super) const CHECKS: &[Check] = &[
    Check { pushes: &["poc-frequency-exceeded", "poc-duration-exceeded"], run: amount },
    Check { pushes: &["poc-changed-unsigned"], run: changed },
    Check { pushes: &["progress-report-element-missing"], run: report },
    Check { pushes: &["discharge-note-missing"], run: discharge },
    Check { pushes: &["referral-missing"], run: referral },
];

fn amount(view: &View<'_>, out: &mut Findings<'_>) {
    let Some(date) = view.date else { return };
    if let Some(planned) = leading_number(view.episode_field(field::FREQUENCY)) {
        let visits = view.course.days_of_week();
        if usize::try_from(planned).is_ok_and(|planned| visits > planned) {
            out.push(finding("poc-frequency-exceeded").value("visits", visits).value("planned", planned));
        }
    }
    let planned = view.episode_field(field::DURATION);
    let days = leading_number(planned)
        .map(|n| if planned.contains("day") { u64::from(n) } else { u64::from(n) * 7 });
    let ends = view.episode_date(field::ESTABLISHED).zip(days);
    let ends = ends.and_then(|(from, days)| from.checked_add_days(Days::new(days)));
    let again = view.episode_date(field::RECERTIFIED).is_some_and(|day| day <= date);
    if let Some(ends) = ends.filter(|ends| date > *ends && !again) {
        out.push(finding("poc-duration-exceeded").value("ended", ends).value("date", date));
    }
}

fn changed(view: &View<'_>, out: &mut Findings<'_>) {
    let Some(changed) = view.episode_date(field::GOALS_CHANGED) else { return };
    let certified = view.episode_date(field::RECERTIFIED).max(view.episode_date(field::SIGNED));
    if certified.is_none_or(|day| day < changed) {
        out.push(finding("poc-changed-unsigned").value("changed", changed));
    }
}

fn report(view: &View<'_>, out: &mut Findings<'_>) {
    if view.field(note::KIND) != "progress_report" {
        return;
    }
    let empty = |name: &str| view.note.text.get(name).is_none_or(|text| text.trim().is_empty());
    let goals = view.facts.episode.as_ref().map(|episode| &episode.goals);
    let closed = |status: Option<&str>| matches!(status, Some("met" | "dropped"));
    let silent = goals
        .into_iter()
        .flatten()
        .filter(|(id, goal)| {
            let said = view.note.goal_status.get(*id).is_some_and(|status| !status.trim().is_empty());
            !said && !closed(goal.status.as_deref())
        })
        .count();
    let mut missing = Vec::new();
    if silent > 0 {
        missing.push(format!("how {silent} of the goals stand"));
    }
    if empty("assessment") {
        missing.push("the assessment".to_owned());
    }
    if empty("plan") {
        missing.push("the plan".to_owned());
    }
    if view.note.measures.is_empty() {
        missing.push("an objective measure".to_owned());
    }
    if !missing.is_empty() {
        out.push(finding("progress-report-element-missing").value("missing", missing.join(", ")));
    }
}

fn discharge(view: &View<'_>, out: &mut Findings<'_>) {
    let Some(closed) = view.episode_date(field::CLOSED) else { return };
    let written = view.field(note::KIND) == "discharge"
        || view.course.earlier.iter().any(|(_, visit)| visit.kind == "discharge");
    // The last note of the episode is asked, not every note before it.
    if !written && view.date.is_some_and(|date| date >= closed) {
        out.push(finding("discharge-note-missing").value("closed", closed));
    }
}

fn referral(view: &View<'_>, out: &mut Findings<'_>) {
    let date = view.date.unwrap_or(view.facts.as_of);
    if view.episode_date(field::REFERRAL).is_some_and(|day| day <= date) {
        return;
    }
    let limit = |name: &str| view.facts.settings.get(name).and_then(|text| text.trim().parse::<i64>().ok());
    let first = view.course.first_day().or(view.facts.episode.as_ref().and_then(|e| e.started_on));
    let days = first.map(|first| date.signed_duration_since(first).num_days());
    let visits = view.course.treatment_days().and_then(|days| i64::try_from(days).ok());
    let over = |reached: Option<i64>, most: Option<i64>| reached.zip(most).is_some_and(|(n, most)| n > most);
    let (most_days, most_visits) = (limit("direct_access_days_max"), limit("direct_access_visits_max"));
    if over(days, most_days) || over(visits, most_visits) {
        let text = |n: Option<i64>| n.map_or("no".to_owned(), |n| n.to_string());
        let draft = finding("referral-missing").value("days", text(days)).value("visits", text(visits));
        let blocks = view.facts.settings.get("direct_access_blocks").is_some_and(|text| text.trim() == "yes");
        out.push(draft.otherwise_if(blocks));
    }
}
