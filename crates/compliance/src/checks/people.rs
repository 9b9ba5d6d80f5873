//! Attendance and people: who did it, how, and whether that may be billed.

use std::collections::BTreeSet;

use chart::code::Mode;
use chart::ids::DocumentId;
use chart::reference::Profession;

use super::check::Check;
use crate::finding::{Findings, finding};
use crate::meeting::Spans;
use crate::rulebook::{Contact, Flag, ServiceRole};
use crate::view::{OtherSeg, View, is_aide, is_assistant, is_student};

pub(super) const CHECKS: &[Check] = &[
    Check { pushes: &["attendance-not-recorded", "attendance-conflict"], run: attendance },
    Check { pushes: &["group-of-one", "group-size-over-limit"], run: group_size },
    Check { pushes: &["group-and-individual-same-minutes"], run: group_and_individual },
    Check { pushes: &["aide-provided", "provider-state-delegation"], run: aides },
    Check { pushes: &["student-alone"], run: students },
    Check { pushes: &["assistant-scope", "assistant-supervision-missing"], run: assistants },
    Check { pushes: &["provider-license-expired", "provider-excluded"], run: licences },
    Check { pushes: &["provider-npi-missing-or-bad"], run: identifier },
    Check { pushes: &["provider-not-allowed-for-code"], run: allowed },
];

fn attendance(view: &View<'_>, out: &mut Findings<'_>) {
    for seg in view.own().filter(|seg| seg.needs_one_on_one() && seg.value.counted != Some(false)) {
        let draft = |check| finding(check).value("code", seg.code()).segment(seg.segment);
        match &seg.value.mode {
            None => out.push(draft("attendance-not-recorded")),
            Some(Mode::Group | Mode::Supervised | Mode::Independent | Mode::Other(_)) => {
                out.push(draft("attendance-conflict").value("mode", seg.mode_text()));
            }
            Some(Mode::OneOnOne | Mode::Rest | Mode::Waiting | Mode::SetUp) => {}
        }
    }
}

fn group_size(view: &View<'_>, out: &mut Findings<'_>) {
    let in_group = |other: &&OtherSeg<'_>| {
        let group = other.seg.row.is_some_and(|row| row.contact == Contact::Group);
        !other.same_patient && (group || other.seg.value.mode == Some(Mode::Group))
    };
    let others = view.others.iter().filter(in_group);
    let others = Spans::of(others.filter_map(|other| Some((other.seg.span?, &other.seg))));
    for seg in view.own().filter(|seg| seg.row.is_some_and(|row| row.contact == Contact::Group)) {
        let Some(span) = seg.span else { continue };
        let with: BTreeSet<DocumentId> = others
            .meeting(span)
            .filter(|(other, _)| other.performer == seg.performer)
            .map(|(other, _)| other.document)
            .collect();
        let patients = with.len().saturating_add(1);
        let draft =
            |check| finding(check).value("code", seg.code()).value("patients", patients).segment(seg.segment);
        if patients < 2 {
            out.push(draft("group-of-one"));
        }
        let limit = view.payer.and_then(|payer| payer.group_max).and_then(|most| usize::try_from(most).ok());
        if let Some(limit) = limit.filter(|limit| patients > *limit) {
            out.push(
                draft("group-size-over-limit")
                    .value("limit", limit)
                    .value("payer", view.payer_text())
                    .documents(with),
            );
        }
    }
}

fn group_and_individual(view: &View<'_>, out: &mut Findings<'_>) {
    let ours = view.note.slice.document;
    let singles = view.day.segs.iter().filter(|seg| seg.counts || seg.value.mode == Some(Mode::OneOnOne));
    let singles = Spans::of(singles.filter_map(|seg| Some((seg.span?, seg))));
    for group in view.day.segs.iter().filter(|seg| seg.row.is_some_and(|row| row.contact == Contact::Group)) {
        let Some(span) = group.span else { continue };
        for (single, shared) in singles.meeting(span).filter(|(single, _)| single.segment != group.segment) {
            if group.document == ours || single.document == ours {
                let draft = finding("group-and-individual-same-minutes").value("group", group.code());
                let draft = draft.value("individual", single.code()).value("minutes", shared.minutes());
                out.push(draft.segment(group.segment).segment(single.segment));
            }
        }
    }
}

fn aides(view: &View<'_>, out: &mut Findings<'_>) {
    for seg in view.own() {
        let Some(person) = seg.performer.and_then(|id| view.person(id)).filter(|person| is_aide(person))
        else {
            continue;
        };
        out.push(finding("aide-provided").value("code", seg.code()).segment(seg.segment));
        let rule = view.facts.settings.get("state_delegation").map_or("not set", |text| text.trim());
        if seg.needs_one_on_one() && rule != "allowed" {
            let profession = person.profession.as_ref().map_or("", Profession::as_str);
            let draft = finding("provider-state-delegation").value("code", seg.code()).segment(seg.segment);
            out.push(draft.value("profession", profession).value("rule", rule));
        }
    }
}

fn students(view: &View<'_>, out: &mut Findings<'_>) {
    for seg in view.own() {
        let performer = seg.performer.and_then(|id| view.person(id));
        if !performer.is_some_and(is_student) {
            continue;
        }
        let licensed = |id| view.person(id).is_none_or(|person| !is_student(person) && !is_aide(person));
        if !seg.value.directed_by.is_some_and(licensed) {
            let draft = finding("student-alone").value("code", seg.code()).segment(seg.segment);
            out.push(draft.otherwise_if(!view.has(Flag::StudentsNeedPresence, true)));
        }
    }
}

fn assistants(view: &View<'_>, out: &mut Findings<'_>) {
    for seg in view.own() {
        if !seg.performer.and_then(|id| view.person(id)).is_some_and(is_assistant) {
            continue;
        }
        let draft = |check| finding(check).value("code", seg.code()).segment(seg.segment);
        if seg
            .row
            .is_some_and(|row| matches!(row.role, Some(ServiceRole::Evaluation | ServiceRole::Reevaluation)))
        {
            out.push(draft("assistant-scope"));
        }
        if seg.value.supervised_by.is_none() {
            out.push(draft("assistant-supervision-missing"));
        }
    }
}

fn licences(view: &View<'_>, out: &mut Findings<'_>) {
    let date = view.date.unwrap_or(view.facts.as_of);
    for id in view.performers() {
        let Some(person) = view.person(id) else { continue };
        if let Some(valid_to) = person.license_valid_to.filter(|valid_to| *valid_to < date) {
            let draft = finding("provider-license-expired").value("person", id);
            out.push(draft.value("valid_to", valid_to).value("date", date));
        }
        if let Some(from) = person.excluded_from.filter(|from| *from <= date) {
            out.push(finding("provider-excluded").value("person", id).value("from", from));
        }
    }
}

fn identifier(view: &View<'_>, out: &mut Findings<'_>) {
    let Some(provider) = view.note.slice.provider.agreed() else { return };
    let npi = view.person(*provider).and_then(|person| person.npi.as_deref()).unwrap_or("").trim();
    if npi.is_empty() {
        out.push(finding("provider-npi-missing-or-bad").value("state", "missing"));
    } else if !npi_is_valid(npi) {
        out.push(finding("provider-npi-missing-or-bad").value("state", "wrong"));
    }
}

/// Ten digits whose Luhn sum, with the issuer prefix 80840 before them (24 of the sum), is a multiple of ten.
pub(super) fn npi_is_valid(npi: &str) -> bool {
    let digits: Vec<u32> = npi.chars().filter_map(|c| c.to_digit(10)).collect();
    if digits.len() != 10 || npi.len() != 10 {
        return false;
    }
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| if place % 2 == 1 { digit * 2 / 10 + digit * 2 % 10 } else { *digit })
        .sum();
    (sum + 24).is_multiple_of(10)
}

fn allowed(view: &View<'_>, out: &mut Findings<'_>) {
    for seg in view.own() {
        let Some(person) = seg.performer.and_then(|id| view.person(id)) else { continue };
        let Some(profession) = &person.profession else { continue };
        if is_aide(person) || is_student(person) {
            continue;
        }
        let excluded = view.payer.is_some_and(|payer| {
            payer
                .excluded_professions
                .iter()
                .any(|row| row.profession == *profession && !row.except.contains(seg.code()))
        });
        let usual =
            seg.row.is_none_or(|row| row.professions.is_empty() || row.professions.contains(profession));
        if excluded || !usual {
            let draft =
                finding("provider-not-allowed-for-code").value("code", seg.code()).segment(seg.segment);
            let draft = draft
                .value("profession", profession.as_str().replace('_', " "))
                .value("payer", view.payer_text());
            out.push(draft.otherwise_if(!excluded));
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_provider_identifier_must_pass_its_check_digit() {
        assert!(super::npi_is_valid("1234567893"));
        assert!(!super::npi_is_valid("1234567890"));
        assert!(!super::npi_is_valid("123456789"));
        assert!(!super::npi_is_valid("12345 7893"));
    }
}
