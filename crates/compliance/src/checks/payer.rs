//! The payer: known, reviewed, and what its policies say about a family of services. All of it is data.

use chart::episode::field;

use super::check::Check;
use super::content::{diagnoses, examined};
use crate::finding::{Findings, finding};
use crate::rulebook::{Flag, Policy, PolicyKind};
use crate::view::View;
use crate::words::{Words, diagnosis_in};

pub(super) const CHECKS: &[Check] = &[
    Check { pushes: &["payer-missing", "payer-profile-missing", "payer-profile-stale"], run: profile },
    Check { pushes: &[], run: policies },
    Check { pushes: &["payer-improvement-window"], run: improvement },
    Check { pushes: &["payer-contractor-policy"], run: contractor },
    Check { pushes: &["payer-rate-information"], run: rate },
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

/// Payers that pay only where improvement is expected within a time.
fn improvement(view: &View<'_>, out: &mut Findings<'_>) {
    let Some(days) = view.terms().and_then(|terms| terms.improvement_days) else { return };
    let begun = view.episode_date(field::ESTABLISHED).or(view.course.first_day()).or(view.date);
    let last = begun.and_then(|begun| begun.checked_add_days(chrono::Days::new(u64::from(days))));
    let entered = view.episode_field(field::IMPROVEMENT_BY);
    let goals = view.facts.episode.iter().flat_map(|episode| episode.goals.values());
    let expected =
        view.episode_date(field::IMPROVEMENT_BY).or_else(|| goals.filter_map(|goal| goal.due).min());
    if entered == "no" || expected.zip(last).is_some_and(|(expected, last)| expected > last) {
        let expected = expected.filter(|_| entered != "no").map_or("never".to_owned(), |day| day.to_string());
        let draft = finding("payer-improvement-window").value("expected", expected).value("days", days);
        out.push(draft.value("payer", view.payer_text()));
    }
}

/// Payers whose local contractors publish policies: the clinic says which contractor is its own.
fn contractor(view: &View<'_>, out: &mut Findings<'_>) {
    let set = view.facts.settings.get("local_contractor").is_some_and(|text| !text.trim().is_empty());
    if view.has(Flag::ContractorPolicies, false) && !set {
        out.push(finding("payer-contractor-policy").value("payer", view.payer_text()));
    }
}

/// The families of services the rates were surveyed for.
const SURVEYED: &str = "retraining";

/// What the units are expected to come to, by the payer's average rate.
fn rate(view: &View<'_>, out: &mut Findings<'_>) {
    let rate =
        view.payer.and_then(|payer| payer.rate_cents).filter(|_| view.setting("payment_estimates") != 0);
    let Some(rate) = rate else { return };
    let own = view.own_codes();
    let surveyed = |code: &chart::code::ServiceCode| {
        own.contains(code) && view.row(code).and_then(|row| row.content_family.as_deref()) == Some(SURVEYED)
    };
    for (code, units) in view.lines().into_iter().filter(|(code, _)| surveyed(code)) {
        let amount = u64::from(rate).saturating_mul(u64::from(units));
        let draft = finding("payer-rate-information").value("code", code).value("units", units);
        out.push(draft.value("amount", super::bundling::dollars(amount)).value("payer", view.payer_text()));
    }
}

fn policies(view: &View<'_>, out: &mut Findings<'_>) {
    let Some(payer) = view.payer else { return };
    let date = view.date.unwrap_or(view.facts.as_of);
    for policy in view.book.policies.iter().filter(|policy| policy.payer == payer.id && policy.from <= date) {
        for code in view.own_codes() {
            if view.row(code).and_then(|row| row.content_family.as_ref()) != Some(&policy.family) {
                continue;
            }
            let draft = finding(&policy.check).value("code", code).value("payer", &payer.label);
            let draft =
                view.own().filter(|seg| seg.code() == code).fold(draft, |d, seg| d.segment(seg.segment));
            match policy.kind {
                PolicyKind::Experimental => out.push(draft),
                PolicyKind::Indication => {
                    if let Some(missing) = not_indicated(view, policy) {
                        out.push(draft.value("missing", missing));
                    }
                }
                PolicyKind::Duration => {
                    let (visits, weeks) = course(view, code);
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
