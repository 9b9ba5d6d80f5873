//! Modifiers and bundling: what a line carries against what its day, payer and performer ask for.
//!
//! Modifiers are plain fields of the note (`modifiers.` and the code). The plan and assistant modifiers are
//! asked for only once a note records modifiers at all: before that the claim builder sets them.

mod carried;
mod lines;
mod pairs;
mod special;
mod thresholds;

pub(super) use thresholds::dollars;

use super::check::Check;
use crate::view::View;

pub(super) const CHECKS: &[Check] = &[
    Check { pushes: &["modifier-discipline-missing", "modifier-discipline-conflict"], run: lines::plan },
    Check {
        pushes: &[
            "modifier-assistant-missing",
            "modifier-assistant-mispaired",
            "modifier-assistant-not-needed",
            "modifier-assistant-split-line",
            "modifier-assistant-method",
        ],
        run: lines::assistant,
    },
    Check { pushes: &["modifier-too-many", "gx-gy-mismatch", "gz-with-abn"], run: lines::form },
    Check {
        pushes: &["excluded-profession-unmarked", "at-missing", "cmt-regions-mismatch"],
        run: lines::profession,
    },
    Check {
        pushes: &[
            "ncci-pair-needs-modifier",
            "ncci-pair-never",
            "ncci-cmt-same-region",
            "ncci-59-not-distinct",
        ],
        run: pairs::pairs,
    },
    Check { pushes: &["ncci-59-without-pair", "ncci-59-prefer-x"], run: pairs::purpose },
    Check { pushes: &["ncci-cross-discipline", "note-region-missing"], run: pairs::day },
    Check { pushes: &["ncci-table-stale"], run: pairs::edition },
    Check { pushes: &["modifier-discipline-for-chiropractor"], run: special::chiropractor },
    Check { pushes: &["modifier-order"], run: special::order },
    Check { pushes: &["abn-missing-for-ga"], run: special::notice },
    Check { pushes: &["at-on-maintenance"], run: special::maintenance },
    Check { pushes: &["cmt-part-missing"], run: special::examined },
    Check { pushes: &["em-25-missing", "em-25-on-therapy-eval"], run: special::separate_visit },
    Check { pushes: &["telehealth-modifier-place"], run: special::telehealth },
    Check {
        pushes: &["kx-required", "kx-before-threshold", "review-threshold-crossed", "threshold-near"],
        run: thresholds::yearly,
    },
    Check { pushes: &["kx-attestation-missing"], run: thresholds::reasoned },
    Check { pushes: &["mppr-estimate"], run: thresholds::reduced },
];

/// Whether a line carries the yearly threshold's attestation.
pub(super) fn carries_attestation(view: &View<'_>) -> bool {
    let kx = view.book.modifiers("attestation");
    view.own_codes().iter().any(|code| carried::modifiers(view, code).iter().any(|m| kx.contains(m)))
}
