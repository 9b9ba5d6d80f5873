//! Who signed, when, and whether that person could.

use std::collections::BTreeSet;

use chart::code::Discipline;
use chart::facts::{PersonFacts, SignatureFacts};
use chart::ids::PersonId;
use chart::reference::{Profession, Role};
use chart::visit::field;

use super::check::Check;
use crate::finding::{Findings, finding};
use crate::view::{View, is_aide, is_assistant, is_student};

pub(super) const CHECKS: &[Check] = &[
    Check { pushes: &["signature-undated", "signature-not-author"], run: author },
    Check { pushes: &["cosignature-missing"], run: cosigned },
    Check { pushes: &["cosignature-unqualified"], run: qualified },
    Check { pushes: &["signature-shared-account"], run: shared },
    Check { pushes: &["supervisor-review-pending", "supervisor-return-open"], run: reviewed },
];

const AUTHOR: &str = "author";
const CO_SIGN: &str = "co_sign";

fn of<'v>(view: &'v View<'_>, meaning: &'static str) -> impl Iterator<Item = &'v SignatureFacts> {
    view.note.signatures.iter().filter(move |signature| signature.meaning == meaning)
}

fn author(view: &View<'_>, out: &mut Findings<'_>) {
    if view.note.signatures.iter().any(|signature| signature.at.unix_ms() <= 0) {
        out.push(finding("signature-undated"));
    }
    let writers = &view.note.history.contributors;
    // Without a history nothing is known of who wrote.
    if writers.is_empty() {
        return;
    }
    let treated = view.performers();
    for signature in of(view, AUTHOR) {
        let id = signature.person;
        let supervises = view.person(id).is_some_and(|person| person.roles.contains(&Role::Supervisor));
        if !writers.contains(&id) && !treated.contains(&id) && !supervises {
            out.push(finding("signature-not-author").value("person", id).value("signed", signature.at));
        }
    }
}

/// The people who treated or signed as authors and of whom `kind` holds.
fn needing(view: &View<'_>, kind: fn(&PersonFacts) -> bool) -> BTreeSet<PersonId> {
    let treated = view.own().filter_map(|seg| seg.performer);
    let all: BTreeSet<PersonId> = treated.chain(of(view, AUTHOR).map(|signature| signature.person)).collect();
    all.into_iter().filter(|id| view.person(*id).is_some_and(kind)).collect()
}

/// The kinds of people whose entries somebody must look at, by the settings of this purpose.
fn under_policy(view: &View<'_>, student: &str, assistant: &str) -> Vec<&'static str> {
    let mut kinds = Vec::new();
    if view.setting(student) != 0 && !needing(view, is_student).is_empty() {
        kinds.push("a student");
    }
    if view.setting(assistant) != 0 && !needing(view, is_assistant).is_empty() {
        kinds.push("an assistant");
    }
    kinds
}

fn cosigned(view: &View<'_>, out: &mut Findings<'_>) {
    if of(view, AUTHOR).next().is_none() || of(view, CO_SIGN).any(|signature| signature.current) {
        return;
    }
    let kinds = under_policy(view, "cosignature_student", "cosignature_assistant");
    if !kinds.is_empty() {
        out.push(finding("cosignature-missing").value("kind", kinds.join(" and ")));
    }
}

/// The discipline of a profession, where it has one.
fn discipline(profession: &Profession) -> Option<Discipline> {
    match profession {
        Profession::PhysicalTherapist | Profession::PhysicalTherapistAssistant => {
            Some(Discipline::PhysicalTherapy)
        }
        Profession::OccupationalTherapist | Profession::OccupationalTherapyAssistant => {
            Some(Discipline::OccupationalTherapy)
        }
        Profession::SpeechLanguagePathologist => Some(Discipline::SpeechLanguage),
        Profession::Chiropractor => Some(Discipline::Chiropractic),
        _ => None,
    }
}

fn qualified(view: &View<'_>, out: &mut Findings<'_>) {
    for signature in of(view, CO_SIGN) {
        let Some(person) = view.person(signature.person) else { continue };
        let signed = signature.at.clock_time(view.offset_minutes()).local_date();
        let other = person.profession.as_ref().and_then(discipline).zip(view.note.slice.discipline.clone());
        let reason = if is_student(person) || is_aide(person) || is_assistant(person) {
            "who is no licensed clinician"
        } else if person.license_valid_to.is_some_and(|valid_to| valid_to < signed) {
            "whose licence had expired"
        } else if other.is_some_and(|(theirs, ours)| theirs != ours) {
            "of another discipline"
        } else {
            continue;
        };
        let draft = finding("cosignature-unqualified").value("person", signature.person);
        out.push(draft.value("reason", reason));
    }
}

fn shared(view: &View<'_>, out: &mut Findings<'_>) {
    let within = view.setting("signature_handover_seconds").saturating_mul(1000);
    let mut order: Vec<&SignatureFacts> =
        view.note.signatures.iter().filter(|signature| signature.proof.device.is_some()).collect();
    order.sort_by_key(|signature| (signature.proof.device, signature.at, signature.id));
    for (one, two) in order.iter().zip(order.iter().skip(1)) {
        let apart = two.at.unix_ms().saturating_sub(one.at.unix_ms());
        if one.proof.device == two.proof.device && one.person != two.person && apart < within {
            let draft = finding("signature-shared-account").value("seconds", apart / 1000);
            out.push(draft.value("first", one.person).value("second", two.person));
        }
    }
}

fn reviewed(view: &View<'_>, out: &mut Findings<'_>) {
    let history = &view.note.history;
    let signed = of(view, AUTHOR).next().is_some();
    let mut kinds = under_policy(view, "review_student", "review_assistant");
    kinds.retain(|_| signed);
    if view.field(field::STATUS) == "needs_review" {
        kinds.push("the note's status");
    }
    let looked_at = of(view, CO_SIGN).next().is_some() || !history.reviewed_by.is_empty();
    if !kinds.is_empty() && !looked_at {
        out.push(finding("supervisor-review-pending").value("kind", kinds.join(" and ")));
    }
    for one in history.returns.iter().filter(|one| !one.answered) {
        out.push(finding("supervisor-return-open").value("person", one.person).value("returned", one.at));
    }
}
