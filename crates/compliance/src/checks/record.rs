//! How the note was filled: repeated text, copied fields, what went wrong, what the payer's print shows.

use chart::visit::field;

use super::check::Check;
use crate::finding::{Findings, finding};
use crate::rulebook::{Basis, Flag};
use crate::view::View;

pub(super) const CHECKS: &[Check] = &[
    Check { pushes: &["note-cloned"], run: repeated },
    Check { pushes: &["note-carried-forward-unreviewed"], run: carried },
    Check { pushes: &["note-adverse-event-followup"], run: adverse },
    Check { pushes: &["note-minutes-per-code-visible"], run: minutes },
];

fn repeated(view: &View<'_>, out: &mut Findings<'_>) {
    let Some(repeats) = view.facts.episode.as_ref().and_then(|episode| episode.repeats.as_ref()) else {
        return;
    };
    let percent = view.setting("repeated_text_percent");
    let words = view.setting("repeated_text_words_min");
    if i64::from(repeats.percent) >= percent && i64::from(repeats.words) > words {
        let draft = finding("note-cloned").value("percent", repeats.percent).value("words", repeats.words);
        out.push(draft.document(repeats.document));
    }
}

fn carried(view: &View<'_>, out: &mut Findings<'_>) {
    for (name, from) in &view.note.fields {
        let Some(copied) = name.strip_prefix(field::CARRIED).filter(|_| !from.trim().is_empty()) else {
            continue;
        };
        if !view.note.history.attested.contains(copied) {
            out.push(finding("note-carried-forward-unreviewed").value("field", copied));
        }
    }
}

fn adverse(view: &View<'_>, out: &mut Findings<'_>) {
    if !view.field(field::ADVERSE_EVENT).is_empty() && view.field(field::ADVERSE_ACTION).is_empty() {
        out.push(finding("note-adverse-event-followup"));
    }
}

fn minutes(view: &View<'_>, out: &mut Findings<'_>) {
    let timed = view.own().any(|seg| seg.row.is_some_and(|row| row.basis == Basis::Timed));
    if timed && view.has(Flag::RequiresMinutesPerCode, false) {
        out.push(finding("note-minutes-per-code-visible").value("payer", view.payer_text()));
    }
}
