//! Minutes recorded twice: of one patient, of two patients, of two providers, and impossible days.
//!
//! What is said of another patient's note names that note's id and nothing else of it.

use std::collections::BTreeMap;

use chart::code::Mode;
use chart::ids::PersonId;
use chart::time::{Span, covered_minutes};

use super::check::Check;
use crate::day::Seg;
use crate::finding::{Findings, finding};
use crate::meeting::Spans;
use crate::rulebook::{Basis, Contact};
use crate::view::View;

pub(super) const CHECKS: &[Check] = &[
    Check { pushes: &["time-overlap-same-patient", "time-overlap-co-treatment"], run: same_patient },
    Check { pushes: &["time-overlap-co-treatment"], run: shares },
    Check { pushes: &["time-overlap-two-patients"], run: two_patients },
    Check { pushes: &["time-overlap-supervised-and-timed"], run: supervised },
    Check { pushes: &["time-provider-day-impossible"], run: impossible_day },
];

fn same_patient(view: &View<'_>, out: &mut Findings<'_>) {
    let ours = view.note.slice.document;
    for overlap in &view.day.overlaps {
        let (Some(first), Some(second)) =
            (view.day.segs.get(overlap.first), view.day.segs.get(overlap.second))
        else {
            continue;
        };
        if first.document != ours && second.document != ours {
            continue;
        }
        let one_provider = first.performer == second.performer;
        let check = if one_provider { "time-overlap-same-patient" } else { "time-overlap-co-treatment" };
        out.push(told(view, check, first, second, overlap.span));
    }
}

fn told(
    view: &View<'_>,
    check: &str,
    first: &Seg<'_>,
    second: &Seg<'_>,
    span: Span,
) -> crate::finding::Draft {
    let others =
        [first, second].into_iter().map(|seg| seg.document).filter(|d| *d != view.note.slice.document);
    finding(check)
        .value("first", first.code())
        .value("second", second.code())
        .value("minutes", span.minutes())
        .value("from", view.clock(first, span.start()))
        .value("to", view.clock(first, span.end()))
        .segment(first.segment)
        .segment(second.segment)
        .documents(others)
}

/// Shares of one joint treatment must not add up to more than the time treated.
fn shares(view: &View<'_>, out: &mut Findings<'_>) {
    let shared: Vec<&Seg<'_>> =
        view.day.segs.iter().filter(|s| s.counts && s.value.co_treatment_share.is_some()).collect();
    let joint =
        Spans::of(shared.iter().enumerate().filter_map(|(index, seg)| Some((seg.span?, (index, *seg)))));
    for (index, first) in shared.iter().enumerate() {
        let Some(a) = first.span else { continue };
        for ((_, second), together) in joint.meeting(a).filter(|((other, _), _)| *other > index) {
            let Some(b) = second.span else { continue };
            let involved =
                first.document == view.note.slice.document || second.document == view.note.slice.document;
            let time = covered_minutes(&[a, b]).count();
            if involved && first.counted.saturating_add(second.counted) > time {
                out.push(told(view, "time-overlap-co-treatment", first, second, together));
            }
        }
    }
    let alone = view.day.segs.iter().filter(|s| s.counts && s.value.co_treatment_share.is_none());
    for plain in alone {
        let Some(a) = plain.span else { continue };
        for ((_, joint), together) in joint.meeting(a) {
            let involved =
                plain.document == view.note.slice.document || joint.document == view.note.slice.document;
            let check = if plain.performer == joint.performer {
                "time-overlap-same-patient"
            } else {
                "time-overlap-co-treatment"
            };
            if involved {
                out.push(told(view, check, plain, joint, together));
            }
        }
    }
}

fn one_on_one(seg: &Seg<'_>) -> bool {
    seg.value.mode == Some(Mode::OneOnOne) && seg.value.counted != Some(false)
}

fn two_patients(view: &View<'_>, out: &mut Findings<'_>) {
    let others = view.others.iter().filter(|other| !other.same_patient && one_on_one(&other.seg));
    let others = Spans::of(others.filter_map(|other| Some((other.seg.span?, &other.seg))));
    for seg in view.own().filter(|seg| one_on_one(seg)) {
        let (Some(span), Some(performer)) = (seg.span, seg.performer) else { continue };
        for (other, shared) in others.meeting(span) {
            if other.performer == Some(performer) {
                let draft = finding("time-overlap-two-patients")
                    .value("code", seg.code())
                    .value("minutes", shared.minutes())
                    .value("from", view.clock(seg, shared.start()))
                    .value("to", view.clock(seg, shared.end()));
                out.push(draft.segment(seg.segment).document(other.document));
            }
        }
    }
}

fn supervised(view: &View<'_>, out: &mut Findings<'_>) {
    let unattended = |seg: &Seg<'_>| {
        seg.row.is_some_and(|row| row.basis == Basis::Untimed && row.contact == Contact::Supervised)
    };
    let timed = view.day.segs.iter().filter(|other| other.counts);
    let timed = Spans::of(timed.filter_map(|other| Some((other.span?, other))));
    for seg in view.own().filter(|seg| unattended(seg)) {
        for (other, shared) in seg.span.into_iter().flat_map(|span| timed.meeting(span)) {
            out.push(told(view, "time-overlap-supervised-and-timed", seg, other, shared));
        }
    }
}

fn impossible_day(view: &View<'_>, out: &mut Findings<'_>) {
    let ours = view.performers();
    let mut days: BTreeMap<PersonId, Vec<(&Seg<'_>, Span)>> = BTreeMap::new();
    let all = view.day.segs.iter().chain(view.others.iter().map(|other| &other.seg));
    for seg in all.filter(|seg| one_on_one(seg)) {
        if let (Some(performer), Some(span)) = (seg.performer.filter(|p| ours.contains(p)), seg.span) {
            days.entry(performer).or_default().push((seg, span));
        }
    }
    for segs in days.values() {
        let spans: Vec<Span> = segs.iter().map(|(_, span)| *span).collect();
        let wall = covered_minutes(&spans).count();
        let minutes: u64 = spans.iter().map(|span| u64::from(span.minutes().count())).sum();
        if minutes <= u64::from(wall) && minutes <= 1_440 {
            continue;
        }
        let all = Spans::of(segs.iter().map(|(seg, span)| (*span, seg.segment)));
        let crowded =
            segs.iter().filter(|(seg, span)| all.meeting(*span).any(|(other, _)| *other != seg.segment));
        let documents = crowded.map(|(seg, _)| seg.document).filter(|d| *d != view.note.slice.document);
        let draft = finding("time-provider-day-impossible").value("minutes", minutes).value("wall", wall);
        out.push(draft.documents(documents));
    }
}
