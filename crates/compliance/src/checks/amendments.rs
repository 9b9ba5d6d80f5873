//! What was written late or after signing: reasons, marks, originals, and who typed it.

use chart::time::{ClockTime, Timestamp};
use chart::visit::field;

use super::check::Check;
use crate::finding::{Findings, finding};
use crate::view::View;

pub(super) const CHECKS: &[Check] = &[
    Check { pushes: &["amendment-without-reason", "amendment-not-identified"], run: marked },
    Check { pushes: &["amendment-original-lost"], run: original },
    Check { pushes: &["late-entry-unmarked"], run: late },
    Check { pushes: &["amendment-after-request"], run: requested },
    Check { pushes: &["scribe-not-named"], run: scribe },
];

fn marked(view: &View<'_>, out: &mut Findings<'_>) {
    let kinds = view.words("kinds-of-amendments");
    let amendments = &view.note.history.amendments;
    for amendment in amendments {
        if !amendment.reasoned {
            out.push(finding("amendment-without-reason").value("written", amendment.at));
        }
        let known = kinds.contains(&amendment.kind);
        if !known || amendment.person.is_none() || amendment.at.unix_ms() <= 0 {
            out.push(
                finding("amendment-not-identified").value("what", "an entry without kind, author or date"),
            );
        }
    }
    // Corrections that followed a signature are named by an amendment or covered by a new signature.
    let authors = || view.note.signatures.iter().filter(|signature| signature.meaning == "author");
    let followed = authors().filter(|signature| signature.proof.changed_after > 0);
    let Some(last) = followed.max_by_key(|signature| (signature.at, signature.id)) else { return };
    let covered = authors().any(|signature| signature.current);
    let named = amendments.iter().any(|amendment| amendment.at >= last.at);
    if !covered && !named {
        let changes = last.proof.changed_after;
        let what = format!("{changes} {} after signing", if changes == 1 { "change" } else { "changes" });
        out.push(finding("amendment-not-identified").value("what", what));
    }
}

fn original(view: &View<'_>, out: &mut Findings<'_>) {
    for signature in &view.note.signatures {
        if signature.proof.original_kept == Some(false) {
            out.push(finding("amendment-original-lost").value("signed", signature.at));
        }
    }
}

fn yes(text: &str) -> bool {
    matches!(text, "yes" | "true")
}

fn late(view: &View<'_>, out: &mut Findings<'_>) {
    let (Some(written), Some(date)) = (view.note.history.written_until, view.date) else { return };
    let marked = yes(view.field(field::LATE_ENTRY))
        || view.note.history.amendments.iter().any(|amendment| amendment.kind == "late_entry");
    let Ok(begun) = ClockTime::on(date, 0, 0, view.offset_minutes()) else { return };
    let hours = view.setting("late_entry_hours").saturating_add(DAY_HOURS);
    let ends = begun.minute().saturating_add(hours.saturating_mul(60)).saturating_mul(60_000);
    if !marked && written > Timestamp::from_unix_ms(ends) {
        out.push(finding("late-entry-unmarked").value("written", written).value("date", date));
    }
}

const DAY_HOURS: i64 = 24;

fn requested(view: &View<'_>, out: &mut Findings<'_>) {
    let (Some(patient), Some(date)) = (&view.facts.patient, view.date) else { return };
    for amendment in &view.note.history.amendments {
        let written = amendment.at.clock_time(view.offset_minutes()).local_date();
        let asked = patient.file.record_requests.range(date..).find(|asked| **asked <= written);
        if let Some(asked) = asked {
            let draft = finding("amendment-after-request").value("written", written);
            out.push(draft.value("asked", asked));
        }
    }
}

fn scribe(view: &View<'_>, out: &mut Findings<'_>) {
    if view.field(field::SCRIBE).is_empty() || view.note.history.attested.contains(field::SCRIBE) {
        return;
    }
    let signed = |meaning: &str, current: bool| meaning == "author" && current;
    if !view.note.signatures.iter().any(|signature| signed(&signature.meaning, signature.current)) {
        out.push(finding("scribe-not-named"));
    }
}
