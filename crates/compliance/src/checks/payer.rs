//! The payer: known, reviewed, and what its policies say about a family of services. All of it is data.

use super::check::Check;
use super::content::{diagnoses, examined};
use crate::finding::{Findings, finding};
use crate::rulebook::{Policy, PolicyKind};
use crate::view::View;
use crate::words::{Words, diagnosis_in};

pub(super) const CHECKS: &[Check] = &[
    Check { pushes: &["payer-missing", "payer-profile-missing", "payer-profile-stale"], run: profile },
    Check { pushes: &[], run: policies },
];

fn profile(view: &View<'_>, out: &mut Findings<'_>) {
    match (view.payer_id, view.payer) {
        (None, _) => out.push(finding("payer-missing")),
        (Some(id), None) => out.push(finding("payer-profile-missing").value("payer", id)),
        (Some(_), Some(payer)) => {
            let date = view.date.unwrap_or(view.facts.as_of);
            let age = date.signed_duration_since(payer.reviewed).num_days();
            if age > view.setting("policy_review_days_max") || payer.from > date {
                out.push(
                    finding("payer-profile-stale")
                        .value("reviewed", payer.reviewed)
                        .value("payer", &payer.label),
                );
            }
        }
    }
}

fn policies(view: &View<'_>, out: &mut Findings<'_>) {
    let Some(payer) = view.payer else { return };
    let date = view.date.unwrap_or(view.facts.as_of);
    for policy in view.book.policies.iter().filter(|policy| policy.payer == payer.id && policy.from <= date) {
        for code in view.own_codes() {
            if view.row(&code).and_then(|row| row.content_family.as_ref()) != Some(&policy.family) {
                continue;
            }
            let draft = finding(&policy.check).value("code", &code).value("payer", &payer.label);
            let draft =
                view.own().filter(|seg| *seg.code() == code).fold(draft, |d, seg| d.segment(seg.segment));
            match policy.kind {
                PolicyKind::Experimental => out.push(draft),
                PolicyKind::Indication => {
                    if let Some(missing) = not_indicated(view, policy) {
                        out.push(draft.value("missing", missing));
                    }
                }
                PolicyKind::Duration => {
                    let (visits, weeks) = course(view, &code);
                    let over =
                        |value: Option<u32>, most: Option<u32>| value.zip(most).is_some_and(|(v, m)| v > m);
                    if over(visits, policy.visits_max) || over(weeks, policy.weeks_max) {
                        let text = |n: Option<u32>| n.map_or("unknown".to_owned(), |n| n.to_string());
                        let draft = draft.value("visits", text(visits)).value("weeks", text(weeks));
                        out.push(
                            draft
                                .value("visits_max", text(policy.visits_max))
                                .value("weeks_max", text(policy.weeks_max)),
                        );
                    }
                }
            }
        }
    }
}

/// What of cause and impairment the note does not show.
fn not_indicated(view: &View<'_>, policy: &Policy) -> Option<&'static str> {
    let list = |name: &Option<String>| name.as_deref().map_or(&[][..], |name| view.words(name));
    let shown = examined(view);
    let cause = diagnoses(view).iter().any(|code| {
        diagnosis_in(code, list(&policy.cause_codes)) || Words::of(code).any(list(&policy.causes))
    }) || shown.any(list(&policy.causes));
    let impairment = shown.any(list(&policy.impairments));
    match (cause, impairment) {
        (true, true) => None,
        (false, true) => Some("a neurologic cause"),
        (true, false) => Some("a listed impairment"),
        (false, false) => Some("a neurologic cause with a listed impairment"),
    }
}

/// Visits with the code and weeks of the episode, where known.
fn course(view: &View<'_>, code: &chart::code::ServiceCode) -> (Option<u32>, Option<u32>) {
    let Some(episode) = &view.facts.episode else { return (None, None) };
    let weeks = episode.weeks.or_else(|| {
        let days = view.date?.signed_duration_since(episode.started_on?).num_days();
        // A course of six weeks and a day is past six weeks.
        u32::try_from(days.checked_add(6)? / 7).ok()
    });
    (episode.visits_by_code.get(code).copied(), weeks)
}
