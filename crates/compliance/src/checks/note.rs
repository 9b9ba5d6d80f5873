//! The note as a whole: date, what was done, skill, response, necessity, the patient's words.

use chart::visit::{activity_field, field};

use super::check::Check;
use crate::finding::{Findings, finding};
use crate::rulebook::Basis;
use crate::view::{View, of_activity};
use crate::words::Words;

pub(super) const CHECKS: &[Check] = &[
    Check { pushes: &["note-date-missing", "note-date-future"], run: date },
    Check { pushes: &["note-intervention-missing"], run: intervention },
    Check { pushes: &["note-dose-missing"], run: dose },
    Check { pushes: &["note-skill-missing"], run: skill },
    Check { pushes: &["note-response-missing", "note-response-nonspecific"], run: response },
    Check { pushes: &["note-necessity-missing"], run: necessity },
    Check { pushes: &["note-subjective-missing", "note-education-missing"], run: said },
];

fn date(view: &View<'_>, out: &mut Findings<'_>) {
    match view.date {
        None => out.push(finding("note-date-missing")),
        Some(date) if date > view.facts.as_of => {
            out.push(finding("note-date-future").value("date", date).value("today", view.facts.as_of));
        }
        Some(_) => {}
    }
}

fn intervention(view: &View<'_>, out: &mut Findings<'_>) {
    let mut described = std::collections::BTreeSet::new();
    for (_, segs) in view.activities().filter(|(told, _)| !told.deed.is_empty()) {
        described.extend(segs.iter().map(|seg| seg.code()));
    }
    for code in view.own_codes().iter().filter(|code| !described.contains(code)) {
        let segments = view.own().filter(|seg| seg.code() == code).map(|seg| seg.segment);
        let draft = finding("note-intervention-missing").value("code", code);
        out.push(segments.fold(draft, |draft, segment| draft.segment(segment)));
    }
}

fn dose(view: &View<'_>, out: &mut Findings<'_>) {
    for (told, segs) in view.activities() {
        let Some(seg) = segs.iter().find(|seg| seg.row.is_some_and(|row| row.basis == Basis::Timed)) else {
            continue;
        };
        let words = &told.deed;
        let digits = words.joined().chars().any(|c| c.is_ascii_digit());
        let field = [activity_field::DOSE, activity_field::ASSISTANCE]
            .iter()
            .any(|name| !of_activity(told.activity, name).is_empty());
        if !field && !digits && !words.any(view.words("dose-words")) {
            out.push(finding("note-dose-missing").value("code", seg.code()).segment(seg.segment));
        }
    }
}

fn skill(view: &View<'_>, out: &mut Findings<'_>) {
    if view.own_codes().is_empty() {
        return;
    }
    let skills = view.words("skill-words");
    let shown = |text: &String| Words::of(text).any(skills);
    let of_activities = view.activities().any(|(told, _)| {
        told.deed.any(skills) || told.activity.fields.values().chain(&told.activity.techniques).any(shown)
    });
    if !of_activities && !view.note.text.values().any(shown) {
        let attested = super::bundling::carries_attestation(view);
        out.push(finding("note-skill-missing").otherwise_if(attested));
    }
}

fn response(view: &View<'_>, out: &mut Findings<'_>) {
    let mut said: Vec<String> = vec![view.field(field::RESPONSE).to_owned()];
    for (told, _) in view.activities() {
        said.push(of_activity(told.activity, activity_field::RESPONSE).to_owned());
    }
    said.retain(|text| !Words::of(text).is_empty());
    if said.is_empty() {
        out.push(finding("note-response-missing"));
    } else if said.iter().all(|text| Words::of(text).is_one_of(view.words("stock-responses"))) {
        out.push(finding("note-response-nonspecific"));
    }
}

fn necessity(view: &View<'_>, out: &mut Findings<'_>) {
    let parts = [
        (field::IMPAIRMENT, "the impairment"),
        (field::FUNCTION, "the limited function"),
        (field::REASON, "why skilled care is needed"),
    ];
    let missing: Vec<&str> =
        parts.iter().filter(|(name, _)| view.field(name).is_empty()).map(|(_, words)| *words).collect();
    if !missing.is_empty() {
        out.push(finding("note-necessity-missing").value("missing", missing.join(", ")));
    }
}

fn said(view: &View<'_>, out: &mut Findings<'_>) {
    if view.note.text.get("subjective").is_none_or(|text| text.trim().is_empty()) {
        out.push(finding("note-subjective-missing"));
    }
    if view.field(field::EDUCATION).is_empty() {
        out.push(finding("note-education-missing"));
    }
}
