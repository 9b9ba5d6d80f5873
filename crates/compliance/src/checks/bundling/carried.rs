//! What a note says of one code beside its minutes: modifiers and body regions. Judges neither.

use std::collections::BTreeSet;

use chart::code::ServiceCode;
use chart::visit::activity_field;

use crate::view::{View, of_activity};

/// The modifiers a code carries in this note.
pub(super) fn modifiers(view: &View<'_>, code: &ServiceCode) -> Vec<String> {
    let text = view.field(&format!("modifiers.{code}"));
    let parts = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|part| !part.is_empty());
    parts.map(str::to_ascii_uppercase).collect()
}

/// The body regions a code was given in: of its activities, and of the note's field for it.
pub(super) fn regions(view: &View<'_>, code: &ServiceCode) -> BTreeSet<String> {
    let mut text = vec![view.field(&format!("region.{code}")).to_owned()];
    for (told, segs) in view.activities() {
        if segs.iter().any(|seg| seg.code() == code) {
            text.push(of_activity(told.activity, activity_field::REGION).to_owned());
        }
    }
    let parts = text.iter().flat_map(|text| text.split([';', ',']));
    parts.map(|part| part.trim().to_lowercase()).filter(|part| !part.is_empty()).collect()
}
