//! Codes against what the record shows for them: reasons, levels, the plan, monitored days, the claim.

use std::collections::BTreeSet;

use chart::visit::field;

use crate::finding::{Findings, finding};
use crate::rulebook::{EvaluationLevel, ServiceRole};
use crate::view::View;
use crate::words::Words;

/// A re-evaluation needs a reason of its own.
pub(super) fn reevaluation(view: &View<'_>, out: &mut Findings<'_>) {
    if !view.field(field::REEVALUATION_REASON).is_empty() {
        return;
    }
    for code in view.own_codes() {
        if view.row(code).and_then(|row| row.role) == Some(ServiceRole::Reevaluation) {
            out.push(finding("code-reevaluation-unjustified").value("code", code));
        }
    }
}

/// The recorded components of an evaluation must reach its level.
pub(super) fn level(view: &View<'_>, out: &mut Findings<'_>) {
    let date = view.date.unwrap_or(view.facts.as_of);
    for code in view.own_codes() {
        let Some(level) = view.book.records.levels.get(code).filter(|row| row.from <= date) else {
            continue;
        };
        let missing = missing_of(view, level);
        if !missing.is_empty() {
            let draft = finding("code-evaluation-level-unsupported").value("code", code);
            out.push(draft.value("missing", missing.join(", ")));
        }
    }
}

fn missing_of(view: &View<'_>, level: &EvaluationLevel) -> Vec<String> {
    let mut missing = Vec::new();
    let counts = [
        (field::EVALUATION_FACTORS, level.factors, "factors of the history"),
        (field::EVALUATION_ELEMENTS, level.elements, "elements examined"),
    ];
    for (name, least, what) in counts {
        let recorded: u32 = view.field(name).parse().unwrap_or(0);
        if recorded < least {
            missing.push(format!("{recorded} of {least} {what}"));
        }
    }
    let words = [
        (field::EVALUATION_PRESENTATION, "presentations", level.presentation.as_deref(), "presentation"),
        (field::EVALUATION_DECISIONS, "decisions", Some(level.decisions.as_str()), "decisions"),
    ];
    for (name, list, least, what) in words {
        let list = view.words(list);
        let place = |word: &str| list.iter().position(|known| known.eq_ignore_ascii_case(word));
        let Some(least) = least else { continue };
        if place(view.field(name)) < place(least) {
            missing.push(format!("{what} of at least `{least}`"));
        }
    }
    missing
}

/// Each service is of a kind the plan names, where the plan names any.
pub(super) fn plan(view: &View<'_>, out: &mut Findings<'_>) {
    let planned = Words::of(view.episode_field(chart::episode::field::SERVICES));
    if planned.is_empty() {
        return;
    }
    for code in view.own_codes() {
        let Some(row) = view.row(code) else { continue };
        let evaluates = matches!(row.role, Some(ServiceRole::Evaluation | ServiceRole::Reevaluation));
        let named = planned.has(code.as_str()) || planned.has(&Words::of(&row.label).joined());
        if !evaluates && !named {
            out.push(finding("code-service-not-in-plan").value("code", code).value("label", &row.label));
        }
    }
}

/// Remote monitoring reached its days, minutes and contact.
pub(super) fn monitoring(view: &View<'_>, out: &mut Findings<'_>) {
    let date = view.date.unwrap_or(view.facts.as_of);
    let number = |name: &str| view.field(name).parse::<u32>().unwrap_or(0);
    for code in view.own_codes() {
        let rows = view.book.records.monitoring.iter();
        let Some(row) = rows.filter(|row| row.from <= date).find(|row| row.codes.contains(code)) else {
            continue;
        };
        let (days, minutes) = (number(field::MONITORING_DAYS), number(field::MONITORING_MINUTES));
        let mut missing = Vec::new();
        if row.days_from.is_some_and(|least| days < least) || row.days_to.is_some_and(|most| days > most) {
            let (least, most) = (row.days_from.unwrap_or(0), row.days_to.unwrap_or(u32::MAX));
            missing.push(format!("{days} days of readings, not {least} to {most}"));
        }
        if let Some(least) = row.minutes_from.filter(|least| minutes < *least) {
            missing.push(format!("{minutes} of {least} minutes"));
        }
        if row.live_contact && !matches!(view.field(field::MONITORING_CONTACT), "yes" | "true") {
            missing.push("no live contact in the month".to_owned());
        }
        if !missing.is_empty() {
            out.push(finding("code-rtm-threshold").value("code", code).value("missing", missing.join(", ")));
        }
    }
}

/// No line of the claim stands twice.
pub(super) fn duplicate(view: &View<'_>, out: &mut Findings<'_>) {
    let mut seen = BTreeSet::new();
    for line in view.facts.claim.iter().flat_map(|claim| &claim.lines) {
        let modifiers: BTreeSet<String> = line.modifiers.iter().map(|m| m.to_ascii_uppercase()).collect();
        if !seen.insert((&line.code, modifiers)) {
            out.push(finding("code-duplicate-line").value("code", &line.code));
        }
    }
}
