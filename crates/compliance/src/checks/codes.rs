//! Codes: known on the date, payable, of the right discipline, not contradicting each other.

mod diagnoses;
mod record;

use super::check::Check;
use crate::finding::{Findings, finding};
use crate::rulebook::{Basis, CodeState, ServiceRole};
use crate::view::View;

pub(super) const CHECKS: &[Check] = &[
    Check { pushes: &["code-unknown", "code-retired"], run: known },
    Check { pushes: &["code-not-payable-by-payer"], run: payable },
    Check { pushes: &["code-discipline-mismatch"], run: discipline },
    Check { pushes: &["code-two-evaluations", "code-evaluation-plus-reevaluation"], run: evaluations },
    Check { pushes: &["code-unlisted-needs-text"], run: unlisted },
    Check { pushes: &["code-diagnosis-missing"], run: diagnosis },
    Check { pushes: &["code-diagnosis-invalid"], run: diagnoses::valid },
    Check { pushes: &["code-diagnosis-unspecific"], run: diagnoses::open },
    Check { pushes: &["code-diagnosis-not-supporting"], run: diagnoses::supporting },
    Check { pushes: &["code-reevaluation-unjustified"], run: record::reevaluation },
    Check { pushes: &["code-evaluation-level-unsupported"], run: record::level },
    Check { pushes: &["code-service-not-in-plan"], run: record::plan },
    Check { pushes: &["code-rtm-threshold"], run: record::monitoring },
    Check { pushes: &["code-duplicate-line"], run: record::duplicate },
];

fn known(view: &View<'_>, out: &mut Findings<'_>) {
    // Without a date of service the question is asked for the day of the question.
    let date = view.date.unwrap_or(view.facts.as_of);
    for code in view.own_codes() {
        match view.book.code_on(code, date) {
            CodeState::Known(_) => {}
            CodeState::Retired(row) => {
                let successor = row.successor.as_ref().map_or("a valid code".to_owned(), ToString::to_string);
                let draft = finding("code-retired").value("code", code).value("ended", row.ended);
                out.push(draft.value("successor", successor));
            }
            CodeState::Unknown => {
                out.push(finding("code-unknown").value("code", code).value("date", date));
            }
        }
    }
}

fn payable(view: &View<'_>, out: &mut Findings<'_>) {
    let Some(payer) = view.payer else { return };
    for code in view.own_codes() {
        for row in payer.not_payable.iter().filter(|row| row.codes.contains(code)) {
            let swap = row
                .swap
                .as_ref()
                .map_or("another code only if it is true, or write it off".to_owned(), ToString::to_string);
            let draft =
                finding("code-not-payable-by-payer").value("code", code).value("payer", view.payer_text());
            out.push(draft.value("swap", swap).otherwise_if(row.swap.is_some()));
        }
    }
}

fn discipline(view: &View<'_>, out: &mut Findings<'_>) {
    let Some(ours) = &view.note.slice.discipline else { return };
    for code in view.own_codes() {
        let wrong = view.row(code).and_then(|row| row.discipline.as_ref()).filter(|theirs| *theirs != ours);
        if wrong.is_some() {
            out.push(finding("code-discipline-mismatch").value("code", code).value("discipline", ours));
        }
    }
}

fn evaluations(view: &View<'_>, out: &mut Findings<'_>) {
    let role = |wanted| {
        let own = view.pool().map(|pool| &pool.documents);
        let codes: std::collections::BTreeSet<_> = view
            .day
            .segs
            .iter()
            .filter(|seg| own.is_some_and(|own| own.contains(&seg.document)))
            .map(|seg| seg.code().clone())
            .chain(view.entered().into_keys())
            .collect();
        codes
            .into_iter()
            .filter(|code| view.row(code).and_then(|row| row.role) == Some(wanted))
            .collect::<Vec<_>>()
    };
    let first = role(ServiceRole::Evaluation);
    let again = role(ServiceRole::Reevaluation);
    if let [one, two, ..] = first.as_slice() {
        out.push(finding("code-two-evaluations").value("first", one).value("second", two));
    }
    if let (Some(one), Some(two)) = (first.first(), again.first()) {
        out.push(finding("code-evaluation-plus-reevaluation").value("first", one).value("second", two));
    }
}

fn unlisted(view: &View<'_>, out: &mut Findings<'_>) {
    for (told, segs) in view.activities() {
        let Some(seg) = segs.iter().find(|seg| seg.row.is_some_and(|row| row.basis == Basis::Unlisted))
        else {
            continue;
        };
        if told.deed.is_empty() {
            out.push(finding("code-unlisted-needs-text").value("code", seg.code()).segment(seg.segment));
        }
    }
}

fn diagnosis(view: &View<'_>, out: &mut Findings<'_>) {
    let none = |list: &[String]| list.iter().all(|code| code.trim().is_empty());
    let own = view.note.diagnoses.agreed().is_none_or(|list| none(list));
    let codes: Vec<String> = view.own_codes().iter().map(ToString::to_string).collect();
    if own && !codes.is_empty() {
        let of_episode = view.facts.episode.as_ref().is_some_and(|episode| !none(&episode.diagnoses));
        out.push(finding("code-diagnosis-missing").value("codes", codes.join(", ")).otherwise_if(of_episode));
    }
}
