//! Times of this note: running, backwards, missing, totals, the visit around them, clocks and habits.

use chart::visit::TypedTotals;

use super::check::Check;
use crate::finding::{Findings, finding};
use crate::rulebook::{Basis, Flag};
use crate::view::View;

pub(super) const CHECKS: &[Check] = &[
    Check { pushes: &["time-segment-open", "time-end-not-after-start"], run: order },
    Check { pushes: &["time-start-end-missing"], run: times_missing },
    Check { pushes: &["time-total-timed-missing", "time-total-treatment-missing"], run: totals_missing },
    Check { pushes: &["time-total-timed-mismatch", "time-total-below-timed"], run: totals_wrong },
    Check { pushes: &["time-rest-counted"], run: rest_counted },
    Check { pushes: &["time-outside-visit"], run: outside_visit },
    Check { pushes: &["time-crosses-midnight"], run: midnight },
    Check { pushes: &["time-clock-skew"], run: clock_skew },
    Check { pushes: &["time-visit-implausible"], run: implausible },
    Check { pushes: &["time-round-minutes-pattern", "time-unit-average-low"], run: habits },
    Check { pushes: &["time-implausible-gap"], run: gaps },
];

fn order(view: &View<'_>, out: &mut Findings<'_>) {
    for seg in view.own() {
        if seg.is_running() {
            out.push(
                finding("time-segment-open")
                    .value("code", seg.code())
                    .value("start", seg.start_text())
                    .segment(seg.segment),
            );
        } else if seg.value.start.is_some() && seg.span.is_none() {
            let draft = finding("time-end-not-after-start").value("code", seg.code());
            out.push(
                draft.value("start", seg.start_text()).value("end", seg.end_text()).segment(seg.segment),
            );
        }
    }
}

fn times_missing(view: &View<'_>, out: &mut Findings<'_>) {
    for seg in view.own().filter(|seg| seg.counts && !seg.is_running()) {
        if seg.value.start.is_none() || seg.value.end.is_none() {
            let draft = finding("time-start-end-missing").value("code", seg.code()).segment(seg.segment);
            let draft = draft.value("minutes", seg.own_minutes());
            out.push(draft.otherwise_if(view.has(Flag::RequiresStartEnd, false)));
        }
    }
}

/// Counted minutes of this note's timed codes, and minutes its services cover altogether.
fn sums(view: &View<'_>) -> (u64, u64) {
    let timed = view.own().map(|seg| u64::from(seg.counted)).sum();
    let untimed: u64 = view
        .own()
        .filter(|seg| seg.row.is_some_and(|row| !matches!(row.basis, Basis::Timed | Basis::LongTimed)))
        .map(|seg| u64::from(seg.own_minutes()))
        .sum();
    (timed, untimed.saturating_add(timed))
}

fn totals(view: &View<'_>) -> TypedTotals {
    view.note.totals.agreed().copied().unwrap_or_default()
}

fn totals_missing(view: &View<'_>, out: &mut Findings<'_>) {
    if !view.has(Flag::RequiresTotalMinutes, false) || view.own().next().is_none() {
        return;
    }
    let (timed, covered) = sums(view);
    if totals(view).timed.is_none() && view.own().any(|seg| seg.counts) {
        out.push(finding("time-total-timed-missing").value("counted", timed));
    }
    if totals(view).treatment.is_none() {
        out.push(finding("time-total-treatment-missing").value("covered", covered));
    }
}

fn totals_wrong(view: &View<'_>, out: &mut Findings<'_>) {
    let (timed, _) = sums(view);
    let typed = totals(view);
    if let Some(minutes) = typed.timed
        && u64::from(minutes.count()) != timed
    {
        out.push(finding("time-total-timed-mismatch").value("typed", minutes).value("counted", timed));
    }
    if let Some(treatment) = typed.treatment {
        let part = typed.timed.map_or(timed, |minutes| u64::from(minutes.count()));
        if u64::from(treatment.count()) < part {
            out.push(finding("time-total-below-timed").value("treatment", treatment).value("timed", part));
        }
    }
}

fn rest_counted(view: &View<'_>, out: &mut Findings<'_>) {
    use chart::code::Mode::{Independent, Rest, SetUp, Waiting};
    for seg in view.own().filter(|seg| seg.value.counted == Some(true)) {
        if matches!(seg.value.mode, Some(Rest | Waiting | SetUp | Independent)) {
            let draft = finding("time-rest-counted").value("code", seg.code()).segment(seg.segment);
            out.push(draft.value("mode", seg.mode_text()));
        }
    }
}

fn outside_visit(view: &View<'_>, out: &mut Findings<'_>) {
    let allowed = view.setting("outside_visit_minutes");
    for seg in view.own() {
        let Some(span) = seg.span else { continue };
        let before = view.note.check_in.map_or(0, |time| time.minute().saturating_sub(span.start()));
        let after = view.note.check_out.map_or(0, |time| span.end().saturating_sub(time.minute()));
        let minutes = before.max(after);
        if minutes > allowed {
            let print =
                |time: Option<chart::time::ClockTime>| time.map_or("unknown".to_owned(), |t| t.hour_minute());
            let draft = finding("time-outside-visit").value("code", seg.code()).value("minutes", minutes);
            let draft = draft
                .value("check_in", print(view.note.check_in))
                .value("check_out", print(view.note.check_out));
            out.push(draft.value("start", seg.start_text()).segment(seg.segment));
        }
    }
}

fn midnight(view: &View<'_>, out: &mut Findings<'_>) {
    for seg in view.own().filter(|seg| seg.span.is_some()) {
        let (Some(start), Some(end)) = (seg.value.start, seg.value.end) else { continue };
        if start.local_date() != end.local_date() {
            let draft = finding("time-crosses-midnight").value("code", seg.code()).segment(seg.segment);
            out.push(draft.value("start", start).value("end", end));
        }
    }
}

fn clock_skew(view: &View<'_>, out: &mut Findings<'_>) {
    let allowed = view.setting("clock_skew_seconds_max").saturating_mul(1_000);
    for arrival in &view.facts.arrivals {
        let ahead = arrival.clock_ahead_ms;
        let device = arrival.device;
        if i64::try_from(ahead.unsigned_abs()).unwrap_or(i64::MAX) > allowed {
            let draft = finding("time-clock-skew")
                .value("seconds", ahead.unsigned_abs() / 1_000)
                .value("tablet", device);
            out.push(draft.value("direction", if ahead > 0 { "ahead" } else { "behind" }));
            continue;
        }
        let received = arrival.received_at.unix_ms();
        for seg in view.own().filter(|seg| seg.devices.contains(&device)) {
            let end = seg.value.end.map_or(i64::MIN, |end| end.minute().saturating_mul(60_000));
            if end > received.saturating_add(allowed) {
                let draft = finding("time-clock-skew")
                    .value("seconds", (end - received) / 1_000)
                    .value("tablet", device);
                out.push(draft.value("direction", "ahead").segment(seg.segment));
            }
        }
    }
}

fn implausible(view: &View<'_>, out: &mut Findings<'_>) {
    let (timed, covered) = sums(view);
    let typed = totals(view);
    let timed = typed.timed.map_or(timed, |minutes| timed.max(u64::from(minutes.count())));
    let covered = typed.treatment.map_or(covered, |minutes| covered.max(u64::from(minutes.count())));
    for (kind, minutes, name) in
        [("timed", timed, "visit_timed_minutes_max"), ("treatment", covered, "visit_treatment_minutes_max")]
    {
        let limit = view.setting(name);
        if i64::try_from(minutes).unwrap_or(i64::MAX) > limit {
            let draft = finding("time-visit-implausible").value("kind", kind);
            out.push(draft.value("minutes", minutes).value("limit", limit));
        }
    }
}

fn habits(view: &View<'_>, out: &mut Findings<'_>) {
    let Some(history) = &view.facts.provider_history else { return };
    let segments = history.recent_segment_minutes.len();
    let round = history.recent_segment_minutes.iter().filter(|minutes| matches!(minutes, 15 | 30)).count();
    let enough = i64::try_from(segments).unwrap_or(i64::MAX) >= view.setting("round_minutes_segments_min");
    let percent = round.saturating_mul(100).checked_div(segments).unwrap_or(0);
    if enough && i64::try_from(percent).unwrap_or(0) >= view.setting("round_minutes_percent") {
        out.push(finding("time-round-minutes-pattern").value("percent", percent).value("segments", segments));
    }
    let (minutes, units) = (history.timed_minutes_30_days, history.timed_units_30_days);
    if units > 0 && i64::from(minutes) < view.setting("minutes_per_unit_min").saturating_mul(i64::from(units))
    {
        out.push(finding("time-unit-average-low").value("minutes", minutes).value("units", units));
    }
}

fn gaps(view: &View<'_>, out: &mut Findings<'_>) {
    if !view.field("gap_reason").is_empty() {
        return;
    }
    let limit = view.setting("gap_minutes_max");
    let mut last: Option<(i64, String)> = None;
    for seg in view.own() {
        let Some(span) = seg.span else { continue };
        if let Some((end, printed)) = &last {
            let minutes = span.start().saturating_sub(*end);
            if seg.counts && minutes > limit {
                let draft = finding("time-implausible-gap").value("minutes", minutes).segment(seg.segment);
                out.push(draft.value("from", printed).value("to", seg.start_text()));
            }
        }
        if last.as_ref().is_none_or(|(end, _)| span.end() > *end) {
            last = Some((span.end(), seg.end_text()));
        }
    }
}
