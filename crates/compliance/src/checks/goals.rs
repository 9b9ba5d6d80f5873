//! Goals: there are some, they can be measured, they are about function, and services serve them.

use chart::episode::Goal;
use chart::ids::GoalId;

use super::check::Check;
use crate::finding::{Findings, finding};
use crate::view::View;
use crate::words::Words;

pub(super) const CHECKS: &[Check] = &[
    Check { pushes: &["note-goal-missing"], run: missing },
    Check { pushes: &["note-goal-unlinked", "goal-met-still-treated"], run: links },
    Check {
        pushes: &[
            "goal-not-measurable",
            "goal-not-functional",
            "goal-no-baseline",
            "goal-no-deadline",
            "goal-past-deadline",
        ],
        run: form,
    },
];

/// The goals that are neither met nor dropped, this note's own word on them counting most.
fn active<'v>(view: &'v View<'_>) -> Vec<(&'v GoalId, &'v Goal)> {
    let goals = view.facts.episode.as_ref().map(|episode| &episode.goals);
    goals.into_iter().flatten().filter(|(id, goal)| status(view, id, goal) == "active").collect()
}

fn status<'v>(view: &'v View<'_>, id: &GoalId, goal: &'v Goal) -> &'v str {
    let own = view
        .note
        .goal_status
        .get(id)
        .map(|text| text.trim())
        .filter(|text| matches!(*text, "met" | "dropped" | "active"));
    own.or(goal.status.as_deref()).filter(|text| matches!(*text, "met" | "dropped")).unwrap_or("active")
}

fn missing(view: &View<'_>, out: &mut Findings<'_>) {
    if active(view).is_empty() {
        out.push(finding("note-goal-missing"));
    }
}

fn links(view: &View<'_>, out: &mut Findings<'_>) {
    for (told, segs) in view.activities() {
        let Some(seg) = segs.first() else { continue };
        let draft = |check| {
            segs.iter().fold(finding(check).value("code", seg.code()), |d, seg| d.segment(seg.segment))
        };
        match told.activity.goal {
            None => out.push(draft("note-goal-unlinked")),
            Some(id) => {
                // Met in an earlier visit: the note that records it as met may still have treated it.
                let goal = view.facts.episode.as_ref().and_then(|episode| episode.goals.get(&id));
                if goal.is_some_and(|goal| goal.status.as_deref() == Some("met")) {
                    out.push(draft("goal-met-still-treated").value("goal", id));
                }
            }
        }
    }
}

fn form(view: &View<'_>, out: &mut Findings<'_>) {
    let date = view.date.unwrap_or(view.facts.as_of);
    for (id, goal) in active(view) {
        let target = goal.target.as_deref().unwrap_or("");
        let draft = |check| finding(check).value("goal", id);
        let measured = format!("{target} {}", goal.task);
        if !measured.chars().any(|c| c.is_ascii_digit()) {
            out.push(draft("goal-not-measurable"));
        }
        if !Words::of(&goal.task).any(view.words("task-words")) {
            out.push(draft("goal-not-functional"));
        }
        if goal.baseline.as_deref().is_none_or(|text| text.trim().is_empty()) {
            out.push(draft("goal-no-baseline"));
        }
        match goal.due {
            None => out.push(draft("goal-no-deadline")),
            Some(due) if due < date => out.push(draft("goal-past-deadline").value("due", due)),
            Some(_) => {}
        }
    }
}
