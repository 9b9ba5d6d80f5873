//! What merging left open: disputes, duplicates, late work, and signatures it made stale.

use std::collections::BTreeSet;

use chart::facts::{Facts, SignatureFacts};

use super::check::Check;
use crate::disputes::{Site, Whose};
use crate::finding::{Findings, finding};
use crate::view::View;

pub(super) const CHECKS: &[Check] = &[
    Check { pushes: &["merge-conflict-text"], run: text },
    Check { pushes: &["merge-duplicate-activity"], run: duplicates },
    Check { pushes: &["signature-missing", "signature-stale-after-merge", "merge-late-device"], run: signed },
    Check { pushes: &["signature-credential-missing", "signature-late"], run: signature_form },
];

/// What [`of_disputes`] may push.
pub(super) const OF_DISPUTES: &[&str] = &["merge-conflict-billing-field"];

/// One finding for each open choice of this note, and of the notes its units are counted with.
pub(super) fn of_disputes(facts: &Facts, sites: &[Site], out: &mut Findings<'_>) {
    let ours = &facts.note.slice;
    for site in sites {
        let pooled =
            site.whose == Whose::PatientDay && site.discipline == ours.discipline && site.bears_on_units();
        if site.whose != Whose::Note && !pooled {
            continue;
        }
        let sides: Vec<&str> = site.sides.iter().map(|side| side.label.as_str()).collect();
        let mut draft = finding("merge-conflict-billing-field")
            .value("what", site.what())
            .value("sides", sides.join(" / "));
        if let crate::disputes::Kind::Segment(segment) = site.kind {
            draft = draft.segment(segment);
        }
        if site.document != ours.document {
            draft = draft.document(site.document);
        }
        out.push(draft);
    }
}

fn text(view: &View<'_>, out: &mut Findings<'_>) {
    for field in view.note.concurrent_text.iter().collect::<BTreeSet<_>>() {
        out.push(finding("merge-conflict-text").value("field", field));
    }
}

fn duplicates(view: &View<'_>, out: &mut Findings<'_>) {
    let within = view.setting("duplicate_within_minutes");
    let near = |a: i64, b: i64| i64::try_from(a.abs_diff(b)).unwrap_or(i64::MAX) <= within;
    // Two tablets may also have begun two notes of one visit.
    let ours = view.note.slice.document;
    for (index, one) in view.day.segs.iter().enumerate() {
        let Some(a) = one.span else { continue };
        // The stretches stand in order of start, those without times last.
        let after = view.day.segs.iter().skip(index + 1);
        let close = after.take_while(|two| two.span.is_some_and(|b| near(a.start(), b.start())));
        for two in close.filter(|two| one.document == ours || two.document == ours) {
            let Some(b) = two.span else { continue };
            let same =
                one.code() == two.code() && one.performer == two.performer && one.activity != two.activity;
            let apart =
                one.devices.is_disjoint(two.devices) && !one.devices.is_empty() && !two.devices.is_empty();
            if same && apart && near(a.end(), b.end()) {
                let draft = finding("merge-duplicate-activity").value("code", one.code());
                let draft = draft.value("first", one.start_text()).value("second", two.start_text());
                let others = [one.document, two.document].into_iter().filter(|document| *document != ours);
                out.push(draft.segment(one.segment).segment(two.segment).documents(others));
            }
        }
    }
}

/// The author's signatures; a co-signature does not stand in for one.
fn by_author<'v>(view: &'v View<'_>) -> Vec<&'v SignatureFacts> {
    view.note.signatures.iter().filter(|signature| signature.meaning == "author").collect()
}

fn signed(view: &View<'_>, out: &mut Findings<'_>) {
    let signatures = by_author(view);
    let Some(latest) = signatures.iter().max_by_key(|signature| (signature.at, signature.id)) else {
        out.push(finding("signature-missing"));
        return;
    };
    if signatures.iter().any(|signature| signature.current) {
        return;
    }
    out.push(finding("signature-stale-after-merge").value("signed", latest.at));
    // Work that every signer had not seen.
    let mut unseen = latest.unseen.clone();
    for signature in &signatures {
        unseen.retain(|change| signature.unseen.contains(change));
    }
    if !unseen.is_empty() {
        out.push(finding("merge-late-device").value("changes", unseen.len()).value("signed", latest.at));
    }
}

fn signature_form(view: &View<'_>, out: &mut Findings<'_>) {
    for signature in &view.note.signatures {
        if signature.credentials.trim().is_empty() {
            out.push(finding("signature-credential-missing").value("signed", signature.at));
        }
    }
    let first = by_author(view).into_iter().map(|signature| signature.at).min();
    let (Some(first), Some(date)) = (first, view.date) else { return };
    let offset = view.note.check_in.map_or(0, chart::time::ClockTime::offset_minutes);
    let days = first.clock_time(offset).local_date().signed_duration_since(date).num_days();
    if days > view.setting("signature_late_days") {
        let very = days > view.setting("signature_very_late_days");
        out.push(finding("signature-late").value("days", days).otherwise_if(very));
    }
}
