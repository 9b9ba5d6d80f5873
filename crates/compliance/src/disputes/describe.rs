//! What each side of a dispute says, in words that tell it from the other sides.

use std::collections::BTreeMap;

use chart::code::{PayerId, ServiceCode};
use chart::ids::PersonId;
use chart::time::{ClockTime, Minutes};
use chart::visit::{SegmentValue, TypedTotals};
use chrono::NaiveDate;

/// A contestable value.
pub(super) trait Describe: Clone + PartialEq {
    /// One label for each side, in order.
    fn labels(sides: &[&Self]) -> Vec<String>;
    /// The value without what no bill depends on.
    fn billed(&self) -> Self {
        self.clone()
    }
}

fn each<T>(sides: &[&T], label: impl Fn(&T) -> String) -> Vec<String> {
    sides.iter().map(|side| label(side)).collect()
}

/// The first characters of an id: enough to tell two people of one note apart.
fn brief(id: &PersonId) -> String {
    id.to_string().chars().take(8).collect()
}

impl Describe for NaiveDate {
    fn labels(sides: &[&Self]) -> Vec<String> {
        each(sides, |date| format!("date {date}"))
    }
}
impl Describe for PersonId {
    fn labels(sides: &[&Self]) -> Vec<String> {
        each(sides, |person| format!("provider {}", brief(person)))
    }
}
impl Describe for PayerId {
    fn labels(sides: &[&Self]) -> Vec<String> {
        each(sides, |payer| format!("payer {payer}"))
    }
}
impl Describe for BTreeMap<ServiceCode, u32> {
    fn labels(sides: &[&Self]) -> Vec<String> {
        each(sides, |units| format!("units {}", map(units)))
    }
}
impl Describe for BTreeMap<ServiceCode, String> {
    fn labels(sides: &[&Self]) -> Vec<String> {
        each(sides, |units| format!("entered units {}", map(units)))
    }
}
impl Describe for String {
    fn labels(sides: &[&Self]) -> Vec<String> {
        each(sides, |place| format!("place of service {place}"))
    }
}
impl Describe for Vec<String> {
    fn labels(sides: &[&Self]) -> Vec<String> {
        each(sides, |diagnoses| format!("diagnoses {}", diagnoses.join(", ")))
    }
}
impl Describe for TypedTotals {
    fn labels(sides: &[&Self]) -> Vec<String> {
        let minutes = |m: Option<Minutes>| m.map_or_else(|| "none".to_owned(), |m| m.to_string());
        each(sides, |totals| {
            format!("totals {} timed, {} treatment", minutes(totals.timed), minutes(totals.treatment))
        })
    }
}

fn map<V: std::fmt::Display>(units: &BTreeMap<ServiceCode, V>) -> String {
    units.iter().map(|(code, n)| format!("{code} {n}")).collect::<Vec<_>>().join(", ")
}

impl Describe for SegmentValue {
    fn labels(sides: &[&Self]) -> Vec<String> {
        let same = |f: &dyn Fn(&Self) -> String| {
            sides.first().is_none_or(|first| sides.iter().all(|side| f(side) == f(first)))
        };
        each(sides, |side| {
            let subject = match (same(&|s| s.code.to_string()), side.start) {
                (true, _) => side.code.to_string(),
                (false, Some(start)) => format!("the activity at {}", start.hour_minute()),
                (false, None) => "the activity".to_owned(),
            };
            let parts: Vec<String> =
                PARTS.iter().filter(|part| !same(&|s| part(s))).map(|part| part(side)).collect();
            format!("{subject} {}", parts.join(", ")).trim_end().to_owned()
        })
    }

    fn billed(&self) -> Self {
        Self { elapsed_ms: None, ..self.clone() }
    }
}

/// The parts of a stretch's group of values, each as words after its subject.
const PARTS: &[fn(&SegmentValue) -> String] = &[
    |s| format!("is {}", s.code),
    |s| format!("starts {}", clock(s.start)),
    |s| if s.end.is_none() { "has no end".to_owned() } else { format!("ends {}", clock(s.end)) },
    |s| {
        s.typed_minutes
            .map_or_else(|| "has no typed minutes".to_owned(), |m| format!("has {m} minutes typed"))
    },
    |s| {
        s.mode
            .as_ref()
            .map_or_else(|| "has no mode".to_owned(), |m| format!("is {}", m.as_str().replace('_', " ")))
    },
    |s| s.performer.as_ref().map_or_else(|| "names nobody".to_owned(), |p| format!("is by {}", brief(p))),
    |s| {
        s.directed_by
            .as_ref()
            .map_or_else(|| "names no director".to_owned(), |p| format!("is directed by {}", brief(p)))
    },
    |s| {
        s.supervised_by
            .as_ref()
            .map_or_else(|| "names no supervisor".to_owned(), |p| format!("is supervised by {}", brief(p)))
    },
    |s| {
        s.co_treatment_share
            .map_or_else(|| "is not shared out".to_owned(), |m| format!("has a share of {m} minutes"))
    },
    |s| match s.counted {
        None => "counts by its mode".to_owned(),
        Some(true) => "is marked as counting".to_owned(),
        Some(false) => "is marked as not counting".to_owned(),
    },
    |s| if s.entered_in_error { "is entered in error".to_owned() } else { "stands".to_owned() },
];

/// The date is told only where needed: two times of one day read by hour and minute.
fn clock(time: Option<ClockTime>) -> String {
    time.map_or_else(|| "at no time".to_owned(), |time| time.hour_minute())
}
