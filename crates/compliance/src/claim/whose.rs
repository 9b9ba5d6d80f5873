//! Minutes of a pool by code and by who gave them. Divides nothing.

use std::collections::BTreeMap;

use chart::code::ServiceCode;
use chart::report::Pool;

use crate::assistant::Minutes;
use crate::view::{View, is_assistant};

/// Therapists' and assistants' minutes of every code of a pool.
pub(super) fn minutes(view: &View<'_>, pool: &Pool) -> BTreeMap<ServiceCode, Minutes> {
    let mut all: BTreeMap<ServiceCode, Minutes> = BTreeMap::new();
    for seg in view.day.segs.iter().filter(|seg| pool.documents.contains(&seg.document)) {
        let minutes = all.entry(seg.code().clone()).or_default();
        let by_assistant = seg.performer.and_then(|id| view.person(id)).is_some_and(is_assistant);
        let own = if seg.counts { seg.counted } else { seg.own_minutes() };
        let sum = if by_assistant { &mut minutes.assistant } else { &mut minutes.therapist };
        *sum = sum.saturating_add(own);
    }
    all
}
