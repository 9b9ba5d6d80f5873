//! How units divide between therapist and assistant, and the two permitted tests of a small share.
//!
//! Pure arithmetic; minutes given together count as the therapist's before they come here. Lengths and
//! percentages are rows of the rulebook.

use std::collections::BTreeMap;

use chart::code::ServiceCode;
use chrono::NaiveDate;

use crate::rulebook::{AssistantSplit, Basis, Rulebook};

/// Minutes of one code by who gave them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Minutes {
    pub(crate) therapist: u32,
    pub(crate) assistant: u32,
}

/// Units of one code by who gave them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Split {
    pub(crate) plain: u32,
    pub(crate) assist: u32,
}

/// Which of the two permitted tests of a small share a clinic uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Method {
    /// The assistant's percentage, rounded to a whole number.
    #[default]
    Percent,
    /// That part of the minutes, rounded to a whole minute.
    Simple,
}

/// The clinic's setting that names the test.
const METHOD_SETTING: &str = "assistant_method";

impl Method {
    /// The clinic's choice; by percentage where it made none.
    pub(crate) fn of(settings: &BTreeMap<String, String>) -> Self {
        match settings.get(METHOD_SETTING).map(|text| text.trim()) {
            Some("simple") => Self::Simple,
            _ => Self::Percent,
        }
    }

    /// Whether the assistant's minutes are more than a small share.
    fn exceeds(self, rule: &AssistantSplit, total: u32, assistant: u32) -> bool {
        let (percent, simple) = de_minimis(rule, total, assistant);
        match self {
            Self::Percent => percent,
            Self::Simple => simple,
        }
    }
}

/// The two permitted tests: by percentage rounded to a whole number, and by that part of the minutes,
/// rounded to a whole minute.
pub(crate) fn de_minimis(rule: &AssistantSplit, total: u32, assistant: u32) -> (bool, bool) {
    if assistant == 0 || total == 0 {
        return (false, false);
    }
    let (total, assistant, small) =
        (u64::from(total), u64::from(assistant), u64::from(rule.small_share_percent));
    let percent = (assistant * 200 + total) / (total * 2);
    let part = (total * small + 50) / 100;
    (percent > small, assistant > part)
}

/// The exact test, without rounding.
pub(crate) fn exact(rule: &AssistantSplit, total: u32, assistant: u32) -> bool {
    u64::from(assistant) * 100 > u64::from(total) * u64::from(rule.small_share_percent)
}

/// Divides the units of a code as the rule of the date asks: a code of the pool block by block, any other
/// as a whole.
pub(crate) fn split(
    book: &Rulebook,
    code: &ServiceCode,
    units: u32,
    minutes: Minutes,
    date: NaiveDate,
    method: Method,
) -> Split {
    let Some(rule) = book.assistant_split(date) else { return Split { plain: units, assist: 0 } };
    if book.code(code).is_some_and(|row| row.basis == Basis::Timed) {
        split_timed(rule, units, minutes, method)
    } else {
        split_untimed(rule, units, minutes, method)
    }
}

/// Divides the units of a timed code.
pub(crate) fn split_timed(rule: &AssistantSplit, units: u32, minutes: Minutes, method: Method) -> Split {
    let block = rule.unit_minutes.max(1);
    let (left_t, left_a) = (minutes.therapist % block, minutes.assistant % block);
    let plain = (minutes.therapist / block).min(units);
    let assist = (minutes.assistant / block).min(units - plain);
    let mut split = Split { plain, assist };
    let reached = |midpoint: u32| left_t >= midpoint;
    let mut give = |theirs: bool| if theirs { split.assist += 1 } else { split.plain += 1 };
    match units - plain - assist {
        0 => {}
        1 => give(!rule.midpoint.is_some_and(reached) && method.exceeds(rule, left_t + left_a, left_a)),
        // Two left: the first is the therapist's unless only the assistant has reached the midpoint; without the
        // assistant's minutes there would not be two.
        left => {
            give(!reached(rule.midpoint.unwrap_or(block / 2 + 1)));
            split.assist += left - 1;
        }
    }
    split
}

/// Divides the units of an untimed code: all or nothing.
pub(crate) fn split_untimed(rule: &AssistantSplit, units: u32, minutes: Minutes, method: Method) -> Split {
    let total = minutes.therapist.saturating_add(minutes.assistant);
    if method.exceeds(rule, total, minutes.assistant) {
        Split { plain: 0, assist: units }
    } else {
        Split { plain: units, assist: 0 }
    }
}
