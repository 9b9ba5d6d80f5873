//! What a family of services must show in its words. Which code belongs to which family is data.

use chart::code::Mode;
use chart::visit::{activity_field, field};

use super::check::Check;
use crate::day::Seg;
use crate::finding::{Draft, Findings, finding};
use crate::view::{Told, View, of_activity};
use crate::words::{Words, diagnosis_in};

pub(super) const CHECKS: &[Check] = &[
    Check { pushes: &["retraining-massage", "retraining-no-element"], run: element },
    Check { pushes: &["retraining-like-exercise", "retraining-stretch-only"], run: other_services },
    Check { pushes: &["retraining-device-unattended", "retraining-device-purpose"], run: devices },
    Check { pushes: &["retraining-no-task"], run: task },
    Check { pushes: &["note-intervention-nonspecific", "note-technique-missing"], run: specific },
    Check { pushes: &["note-cueing-missing"], run: cueing },
    Check { pushes: &["note-population-context", "note-objective-test-missing"], run: deficit },
    Check { pushes: &["exercise-like-retraining"], run: exercise },
    Check {
        pushes: &[
            "gait-no-detail",
            "activities-exercise-words",
            "manual-region-missing",
            "self-care-no-task",
        ],
        run: other_families,
    },
];

/// The activities of a family, each with its first stretch.
fn family<'v, 'a>(view: &'v View<'a>, name: &str) -> impl Iterator<Item = (&'v Told<'a>, Vec<&'v Seg<'a>>)> {
    let of = move |seg: &&Seg<'_>| seg.row.and_then(|row| row.content_family.as_deref()) == Some(name);
    view.activities().filter_map(move |(told, mut segs)| {
        segs.retain(of);
        (!segs.is_empty()).then_some((told, segs))
    })
}

const RETRAINING: &str = "retraining";

fn about(check: &str, segs: &[&Seg<'_>]) -> Draft {
    let draft = finding(check);
    let draft = segs.first().map_or(draft.clone(), |seg| draft.value("code", seg.code()));
    segs.iter().fold(draft, |draft, seg| draft.segment(seg.segment))
}

fn element(view: &View<'_>, out: &mut Findings<'_>) {
    let elements = view.words("re-education-elements");
    let massage = view.words("massage-words");
    for (told, segs) in family(view, RETRAINING) {
        let named = !of_activity(told.activity, activity_field::ELEMENT).is_empty();
        let shown = named || told.deed.any(elements);
        let deeds = &told.deeds;
        if !deeds.is_empty() && deeds.iter().all(|words| words.any(massage) && !words.any(elements)) {
            let words: Vec<String> = deeds.iter().map(Words::joined).collect();
            out.push(about("retraining-massage", &segs).value("words", words.join(", ")));
        }
        if !shown {
            out.push(about("retraining-no-element", &segs));
        }
    }
}

fn other_services(view: &View<'_>, out: &mut Findings<'_>) {
    let elements = view.words("re-education-elements");
    let pnf = view.words("facilitation-words");
    let stretch = view.words("stretch-words");
    for (told, segs) in family(view, RETRAINING) {
        let words = &told.deed;
        if words.any(view.words("strength-words")) && !words.any(elements) {
            out.push(about("retraining-like-exercise", &segs).value("words", words.joined()));
        }
        let deeds = &told.deeds;
        let only_stretch = deeds.iter().all(|deed| deed.any(stretch));
        if !deeds.is_empty()
            && only_stretch
            && words.any(pnf)
            && !words.any(view.words("elements-beyond-stretching"))
        {
            out.push(about("retraining-stretch-only", &segs));
        }
    }
}

fn devices(view: &View<'_>, out: &mut Findings<'_>) {
    let list = view.words("purpose-devices");
    for (told, segs) in family(view, RETRAINING) {
        let words = &told.deed;
        let Some(device) = list.iter().find(|device| words.has(device)) else { continue };
        let alone: Vec<&Seg<'_>> = segs
            .iter()
            .copied()
            .filter(|seg| seg.value.mode != Some(Mode::OneOnOne) && seg.value.counted != Some(false))
            .collect();
        if let Some(first) = alone.first() {
            let draft = about("retraining-device-unattended", &alone).value("device", device);
            out.push(draft.value("mode", first.mode_text()));
        } else if of_activity(told.activity, activity_field::PURPOSE).is_empty() {
            out.push(about("retraining-device-purpose", &segs).value("device", device));
        }
    }
}

fn task(view: &View<'_>, out: &mut Findings<'_>) {
    if !view.field(field::LOST_TASK).is_empty() {
        return;
    }
    for (told, segs) in family(view, RETRAINING) {
        let goal = told.activity.goal.and_then(|id| view.facts.episode.as_ref()?.goals.get(&id));
        if !goal.is_some_and(|goal| Words::of(&goal.task).any(view.words("task-words"))) {
            out.push(about("retraining-no-task", &segs));
        }
    }
}

fn specific(view: &View<'_>, out: &mut Findings<'_>) {
    let stop = view.words("stop-phrases");
    for (told, segs) in family(view, RETRAINING) {
        let deeds = &told.deeds;
        let named = told.deed.any(view.words("named-activities"));
        let stopped = deeds.iter().all(|words| words.is_one_of(stop));
        let chosen = told
            .activity
            .techniques
            .iter()
            .any(|text| !Words::of(text).is_one_of(stop) && !text.trim().is_empty());
        if stopped || !(named || chosen) {
            let said = deeds.first().map_or(String::new(), |words| format!(" (\"{}\")", words.joined()));
            out.push(about("note-intervention-nonspecific", &segs).value("said", said));
        }
        let device = !of_activity(told.activity, activity_field::DEVICE).is_empty();
        if !chosen && !device && !told.deed.any(view.words("re-education-techniques")) {
            out.push(about("note-technique-missing", &segs));
        }
    }
}

fn cueing(view: &View<'_>, out: &mut Findings<'_>) {
    let objective = Words::of(view.note.text.get("objective").map_or("", String::as_str));
    for (told, segs) in family(view, RETRAINING) {
        let recorded = [activity_field::CUEING, activity_field::ASSISTANCE]
            .iter()
            .any(|name| !of_activity(told.activity, name).is_empty());
        let cues = view.words("cue-words");
        let described = Words::of(of_activity(told.activity, activity_field::DESCRIPTION));
        if !recorded && !described.any(cues) && !objective.any(cues) {
            out.push(about("note-cueing-missing", &segs));
        }
    }
}

/// The note's diagnoses, else the episode's.
pub(super) fn diagnoses<'v>(view: &'v View<'_>) -> &'v [String] {
    let own = view.note.diagnoses.agreed().map(Vec::as_slice).filter(|list| !list.is_empty());
    own.or_else(|| view.facts.episode.as_ref().map(|episode| episode.diagnoses.as_slice())).unwrap_or(&[])
}

/// What was examined and measured, and the impairment, in words.
pub(super) fn examined(view: &View<'_>) -> Words {
    let mut text =
        vec![view.field(field::EXAM_FINDINGS).to_owned(), view.field(field::IMPAIRMENT).to_owned()];
    text.extend(view.note.measures.values().map(|measure| measure.name.clone()));
    Words::of(&text.join(" . "))
}

fn deficit(view: &View<'_>, out: &mut Findings<'_>) {
    let segs: Vec<&Seg<'_>> = family(view, RETRAINING).flat_map(|(_, segs)| segs).collect();
    let Some(first) = segs.first() else { return };
    let codes = view.words("usual-population-diagnoses");
    let usual = diagnoses(view)
        .iter()
        .any(|code| diagnosis_in(code, codes) || Words::of(code).any(view.words("usual-populations")));
    let shown = examined(view);
    if !usual && !shown.any(view.words("usual-populations")) && !shown.any(view.words("deficit-words")) {
        out.push(about("note-population-context", &segs));
    }
    let visits = view
        .facts
        .episode
        .as_ref()
        .and_then(|episode| episode.visits_by_code.get(first.code()))
        .copied()
        .unwrap_or(0);
    if i64::from(visits) >= view.setting("objective_test_by_visit") && view.note.measures.is_empty() {
        out.push(about("note-objective-test-missing", &segs).value("visits", visits));
    }
}

fn exercise(view: &View<'_>, out: &mut Findings<'_>) {
    for (told, segs) in family(view, "exercise") {
        let words = &told.deed;
        let retrains = words.count(view.words("re-education-elements"));
        if retrains > words.count(view.words("strength-words")) {
            out.push(about("exercise-like-retraining", &segs).value("words", words.joined()));
        }
    }
}

fn other_families(view: &View<'_>, out: &mut Findings<'_>) {
    for (name, check, list) in
        [("gait", "gait-no-detail", "gait-words"), ("self_care", "self-care-no-task", "daily-living-words")]
    {
        for (told, segs) in family(view, name) {
            let words = &told.deed;
            if !words.is_empty() && !words.any(view.words(list)) {
                out.push(about(check, &segs));
            }
        }
    }
    for (told, segs) in family(view, "activities") {
        let words = &told.deed;
        if words.any(view.words("strength-words")) && !words.any(view.words("function-words")) {
            out.push(about("activities-exercise-words", &segs));
        }
    }
    for (told, segs) in family(view, "manual") {
        let technique = told.deed.any(view.words("manual-words"));
        let region = !of_activity(told.activity, activity_field::REGION).is_empty();
        let missing = match (technique, region) {
            (true, true) => continue,
            (false, true) => "the technique",
            (true, false) => "the region",
            (false, false) => "technique and region",
        };
        out.push(about("manual-region-missing", &segs).value("missing", missing));
    }
}
