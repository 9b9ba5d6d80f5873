//! How units divide between therapist and assistant, and the two permitted tests of a small share.
//!
//! Pure arithmetic; minutes given together count as the therapist's before they come here.

use chrono::{Datelike, NaiveDate};

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

/// One unit of a timed code.
const BLOCK: u32 = 15;
/// Minutes past which the therapist's own part of the last unit makes it the therapist's.
const MIDPOINT: u32 = 8;
/// First year in which the midpoint decides the last unit.
const MIDPOINT_YEAR: i32 = 2022;

/// The year whose rule applies on a date.
pub(crate) fn year_of(date: NaiveDate) -> i32 {
    date.year()
}

/// Whether the assistant's minutes are more than a tenth of the whole.
fn over_a_tenth(total: u32, assistant: u32) -> bool {
    u64::from(assistant) * 10 > u64::from(total)
}

/// The two permitted tests: by percent rounded to a whole number, and by a tenth of the minutes, rounded,
/// plus one.
pub(crate) fn de_minimis(total: u32, assistant: u32) -> (bool, bool) {
    if assistant == 0 || total == 0 {
        return (false, false);
    }
    let (total, assistant) = (u64::from(total), u64::from(assistant));
    let percent = (assistant * 200 + total) / (total * 2);
    let tenth = (total + 5) / 10;
    (percent >= 11, assistant > tenth)
}

/// The exact test, without rounding.
pub(crate) fn exact(total: u32, assistant: u32) -> bool {
    over_a_tenth(total, assistant)
}

/// Divides the units of a timed code.
pub(crate) fn split_timed(units: u32, minutes: Minutes, year: i32) -> Split {
    let (mut plain, mut assist) = (minutes.therapist / BLOCK, minutes.assistant / BLOCK);
    let (left_t, left_a) = (minutes.therapist % BLOCK, minutes.assistant % BLOCK);
    plain = plain.min(units);
    assist = assist.min(units - plain);
    let midpoint = year >= MIDPOINT_YEAR && left_t >= MIDPOINT;
    let ours = |split: &mut (u32, u32), theirs: bool| if theirs { split.1 += 1 } else { split.0 += 1 };
    let mut split = (plain, assist);
    match units - plain - assist {
        0 => {}
        1 => ours(&mut split, !midpoint && over_a_tenth(left_t + left_a, left_a)),
        // Two left: the first is the therapist's where the therapist reached the midpoint.
        left => {
            ours(&mut split, left_t < MIDPOINT);
            for _ in 1..left {
                ours(&mut split, left_a > 0);
            }
        }
    }
    Split { plain: split.0, assist: split.1 }
}

/// Divides the units of an untimed code: all or nothing, by the percent test.
pub(crate) fn split_untimed(units: u32, minutes: Minutes) -> Split {
    let total = minutes.therapist.saturating_add(minutes.assistant);
    let (percent, _) = de_minimis(total, minutes.assistant);
    if percent { Split { plain: 0, assist: units } } else { Split { plain: units, assist: 0 } }
}
