//! Time as the chart needs it: instants, clock times in whole minutes, spans and minutes.
//!
//! Billing times are whole minutes as the clock showed and the note prints (seconds are cut off), so
//! printed times and billed minutes always agree. Durations come from absolute minutes, never from
//! the text of the clock, so daylight saving and midnight cannot bend them.

use std::fmt;

use chrono::{DateTime, FixedOffset, NaiveDate, TimeZone, Utc};
use serde::{Deserialize, Serialize};

/// A calendar date, without a zone.
pub use chrono::NaiveDate as Date;

const MINUTE_MS: i64 = 60_000;
const DAY_MINUTES: i64 = 1_440;

/// A text or number that is no time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// The text does not have the form of a time with its offset.
    #[error("`{0}` is not a time such as 2026-03-17T09:17-05:00")]
    Malformed(String),
    /// The value lies outside the years 1970 to 2199.
    #[error("the time lies outside the years 1970 to 2199")]
    OutOfRange,
}

/// An instant: milliseconds since 1970-01-01T00:00Z, by some clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// Takes milliseconds since 1970-01-01T00:00Z.
    pub const fn from_unix_ms(ms: i64) -> Self {
        Self(ms)
    }
    /// Milliseconds since 1970-01-01T00:00Z.
    pub const fn unix_ms(self) -> i64 {
        self.0
    }
    /// The instant `ms` milliseconds later (earlier if negative), stopping at the ends of the range.
    pub const fn plus_ms(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }
    /// Milliseconds from `earlier` to this instant; negative if `earlier` is later.
    pub const fn since_ms(self, earlier: Timestamp) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
    /// What a clock on the wall shows at this instant, seconds cut off.
    pub fn clock_time(self, offset_minutes: i16) -> ClockTime {
        ClockTime { minute: self.0.div_euclid(MINUTE_MS), offset_minutes }
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match DateTime::<Utc>::from_timestamp_millis(self.0) {
            Some(at) => write!(f, "{}", at.format("%Y-%m-%dT%H:%M:%S%.3fZ")),
            None => write!(f, "{} ms", self.0),
        }
    }
}

impl Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if let Some(ms) = text.strip_suffix(" ms").and_then(|ms| ms.parse().ok()) {
            return Ok(Self(ms));
        }
        DateTime::parse_from_rfc3339(&text)
            .map(|at| Self(at.timestamp_millis()))
            .map_err(serde::de::Error::custom)
    }
}

/// What a clock on the wall showed: a whole minute and the zone offset it was set to.
///
/// Two clock times are the same instant when their absolute minutes agree; the offset only says how
/// to print it. Text form: `2026-03-17T09:17-05:00`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClockTime {
    minute: i64,
    offset_minutes: i16,
}

impl ClockTime {
    /// Takes minutes since 1970-01-01T00:00Z and the offset of the clock from UTC in minutes.
    pub fn new(minute: i64, offset_minutes: i16) -> Result<Self, TimeError> {
        let years_1970_to_2199 = 0..(230 * 366 * DAY_MINUTES);
        if !years_1970_to_2199.contains(&minute) || offset_minutes.unsigned_abs() > 18 * 60 {
            return Err(TimeError::OutOfRange);
        }
        Ok(Self { minute, offset_minutes })
    }
    /// The time `hour:minute` on a date, on a clock with this offset from UTC in minutes.
    pub fn on(date: NaiveDate, hour: u32, minute: u32, offset_minutes: i16) -> Result<Self, TimeError> {
        let local = date.and_hms_opt(hour, minute, 0).ok_or(TimeError::OutOfRange)?;
        Self::new(local.and_utc().timestamp().div_euclid(60) - i64::from(offset_minutes), offset_minutes)
    }
    /// Reads `2026-03-17T09:17-05:00` or `2026-03-17T09:17Z`; seconds, if given, are cut off.
    pub fn parse(text: &str) -> Result<Self, TimeError> {
        let malformed = || TimeError::Malformed(text.chars().take(40).collect());
        let zoned = text.replace('Z', "+00:00");
        let at = DateTime::parse_from_str(&zoned, "%Y-%m-%dT%H:%M%:z")
            .or_else(|_| DateTime::parse_from_rfc3339(&zoned))
            .map_err(|_| malformed())?;
        let offset = i16::try_from(at.offset().local_minus_utc() / 60).map_err(|_| malformed())?;
        Self::new(at.timestamp().div_euclid(60), offset)
    }
    /// Minutes since 1970-01-01T00:00Z.
    pub const fn minute(self) -> i64 {
        self.minute
    }
    /// The clock's offset from UTC in minutes.
    pub const fn offset_minutes(self) -> i16 {
        self.offset_minutes
    }
    /// The date the clock's calendar showed.
    pub fn local_date(self) -> NaiveDate {
        self.local().date_naive()
    }
    /// `09:17`, as the note prints it.
    pub fn hour_minute(self) -> String {
        self.local().format("%H:%M").to_string()
    }
    fn local(self) -> DateTime<FixedOffset> {
        let east = FixedOffset::east_opt(i32::from(self.offset_minutes) * 60);
        let zone = east.unwrap_or_else(|| chrono::Offset::fix(&Utc));
        zone.timestamp_opt(self.minute * 60, 0).single().unwrap_or_default()
    }
}

impl fmt::Display for ClockTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.local().format("%Y-%m-%dT%H:%M%:z"))
    }
}

impl Serialize for ClockTime {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ClockTime {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// A number of whole minutes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Minutes(u32);

impl Minutes {
    /// Takes a number of minutes.
    pub const fn new(minutes: u32) -> Self {
        Self(minutes)
    }
    /// The number of minutes.
    pub const fn count(self) -> u32 {
        self.0
    }
}

impl std::iter::Sum for Minutes {
    fn sum<I: Iterator<Item = Self>>(minutes: I) -> Self {
        minutes.fold(Self(0), |sum, next| Self(sum.0.saturating_add(next.0)))
    }
}

impl fmt::Display for Minutes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A stretch of time in absolute minutes: `start` counts, `end` does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    start: i64,
    end: i64,
}

impl Span {
    /// The span between two clock times, if the end lies after the start.
    pub fn between(start: ClockTime, end: ClockTime) -> Option<Self> {
        (start.minute < end.minute).then_some(Self { start: start.minute, end: end.minute })
    }
    /// The first minute.
    pub const fn start(self) -> i64 {
        self.start
    }
    /// The first minute after the span.
    pub const fn end(self) -> i64 {
        self.end
    }
    /// How long the span is.
    pub fn minutes(self) -> Minutes {
        Minutes(u32::try_from(self.end - self.start).unwrap_or(u32::MAX))
    }
    /// The stretch two spans share, if they share at least a minute.
    pub fn shared(self, other: Span) -> Option<Span> {
        let (start, end) = (self.start.max(other.start), self.end.min(other.end));
        (start < end).then_some(Span { start, end })
    }
    /// How many minutes two spans share.
    pub fn overlap(self, other: Span) -> Minutes {
        let shared = self.end.min(other.end) - self.start.max(other.start);
        Minutes(u32::try_from(shared.max(0)).unwrap_or(u32::MAX))
    }
}

/// How many minutes several spans cover together, counting shared minutes once.
pub fn covered_minutes(spans: &[Span]) -> Minutes {
    let mut sorted = spans.to_vec();
    sorted.sort();
    let mut covered = 0i64;
    let mut reached = i64::MIN;
    for span in sorted {
        let from = span.start.max(reached);
        if span.end > from {
            covered += span.end - from;
            reached = span.end;
        }
    }
    Minutes(u32::try_from(covered).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_time_reads_back_what_it_prints() {
        for text in ["2026-03-17T09:17-05:00", "2026-11-01T01:30-04:00", "2026-01-01T00:00+05:30"] {
            assert_eq!(ClockTime::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn seconds_are_cut_off_and_never_rounded() {
        let printed = Timestamp::from_unix_ms(59_999).clock_time(0);
        assert_eq!(printed.hour_minute(), "00:00");
        assert_eq!(ClockTime::parse("2026-03-17T09:17:59-05:00").unwrap().hour_minute(), "09:17");
    }

    #[test]
    fn the_hour_that_comes_twice_in_autumn_does_not_bend_a_duration() {
        let before = ClockTime::parse("2026-11-01T01:50-04:00").unwrap();
        let after = ClockTime::parse("2026-11-01T01:10-05:00").unwrap();
        assert_eq!(Span::between(before, after).unwrap().minutes(), Minutes::new(20));
    }

    #[test]
    fn shared_minutes_are_covered_once() {
        let span = |start, end| Span { start, end };
        assert_eq!(covered_minutes(&[span(0, 10), span(5, 15), span(20, 21)]), Minutes::new(16));
        assert_eq!(span(0, 10).overlap(span(9, 20)), Minutes::new(1));
        assert_eq!(span(0, 10).overlap(span(10, 20)), Minutes::new(0));
    }
}
