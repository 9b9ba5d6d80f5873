//! The arithmetic of an episode: treatment days, the current progress period, weeks, visits of a year.
//!
//! Counts days of the visits it is told of, the note's own among them; knows no rule and no document.

use std::collections::BTreeSet;

use chart::facts::{Facts, VisitFacts};
use chart::visit::field;
use chrono::{Datelike, Days, NaiveDate};

/// Kinds of notes that end a progress period.
const REPORTS: [&str; 3] = ["progress_report", "reevaluation", "discharge"];

/// The course of care up to a note.
#[derive(Clone, Debug, Default)]
pub(crate) struct Course<'a> {
    /// Visits before the note's own, with their dates, in order.
    pub(crate) earlier: Vec<(NaiveDate, &'a VisitFacts)>,
    /// The note's date.
    date: Option<NaiveDate>,
    /// Whether the note itself is a report.
    reports: bool,
    /// Whether any visit is known beside what the episode's fields say.
    known: bool,
    days: BTreeSet<NaiveDate>,
    last_report: Option<NaiveDate>,
}

impl<'a> Course<'a> {
    /// The course as the facts tell it.
    pub(crate) fn of(facts: &'a Facts) -> Self {
        let date = facts.note.slice.date.agreed().copied();
        let own = facts.note.slice.document;
        let kind = facts.note.fields.get(field::KIND).map_or("", |text| text.trim());
        let Some(episode) = &facts.episode else { return Self::default() };
        let mut earlier: Vec<(NaiveDate, &VisitFacts)> = episode
            .visits
            .iter()
            .filter(|visit| visit.document != own)
            .filter_map(|visit| visit.date.map(|day| (day, visit)))
            .filter(|(day, _)| date.is_none_or(|date| *day <= date))
            .collect();
        earlier.sort_by_key(|(day, visit)| (*day, visit.document));
        earlier.dedup_by_key(|(_, visit)| visit.document);
        let days = earlier.iter().map(|(day, _)| *day).chain(date).collect();
        let noted = episode.fields.get(chart::episode::field::LAST_REPORT);
        let noted = noted.and_then(|text| text.trim().parse().ok());
        let written =
            earlier.iter().filter(|(_, visit)| REPORTS.contains(&visit.kind.as_str())).map(|(day, _)| *day);
        let last_report = written.chain(noted).filter(|day| date.is_none_or(|date| *day <= date)).max();
        Self {
            known: !episode.visits.is_empty(),
            earlier,
            date,
            reports: REPORTS.contains(&kind),
            days,
            last_report,
        }
    }

    /// Treatment days so far, the note's counted; `None` where no visit is known.
    pub(crate) fn treatment_days(&self) -> Option<usize> {
        self.known.then_some(self.days.len())
    }

    /// Treatment days of the current progress period, the note's counted; none if the note is a report.
    pub(crate) fn days_since_report(&self) -> Option<usize> {
        self.known.then(|| if self.reports { 0 } else { self.days_after(self.last_report) })
    }

    /// Treatment days after a day, all of them without one.
    pub(crate) fn days_after(&self, day: Option<NaiveDate>) -> usize {
        match day {
            None => self.days.len(),
            Some(day) => self.days.range(day..).filter(|treated| **treated > day).count(),
        }
    }

    /// The visits of the current progress period before this note.
    pub(crate) fn period(&self) -> impl Iterator<Item = &'a VisitFacts> + '_ {
        let begins = self.last_report;
        self.earlier
            .iter()
            .filter(move |(day, _)| begins.is_none_or(|report| *day > report))
            .map(|(_, visit)| *visit)
    }

    /// Treatment days of the note's calendar week, Monday to Sunday.
    pub(crate) fn days_of_week(&self) -> usize {
        let Some(date) = self.date else { return 0 };
        let since = u64::from(date.weekday().num_days_from_monday());
        let Some(monday) = date.checked_sub_days(Days::new(since)) else { return 0 };
        self.days.range(monday..).count()
    }

    /// Treatment days from one day to another, both counted.
    pub(crate) fn days_within(&self, from: NaiveDate, to: NaiveDate) -> usize {
        self.days.iter().filter(|day| (from..=to).contains(*day)).count()
    }

    /// Treatment days of a calendar year.
    pub(crate) fn days_of_year(&self, year: i32) -> usize {
        self.days.iter().filter(|day| day.year() == year).count()
    }

    /// The first treatment day.
    pub(crate) fn first_day(&self) -> Option<NaiveDate> {
        self.known.then(|| self.days.first().copied()).flatten()
    }
}

/// The whole numbers of a text, in order.
fn numbers(text: &str) -> Vec<u32> {
    text.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse().ok()).collect()
}

/// The number a text begins with; of a range such as `2-3` the larger.
pub(crate) fn leading_number(text: &str) -> Option<u32> {
    let all = numbers(text);
    let first = *all.first()?;
    let rest = text.trim_start().trim_start_matches(|c: char| c.is_ascii_digit()).trim_start();
    let is_range = rest.starts_with(['-', '–']) || rest.starts_with("to ");
    Some(if is_range { all.get(1).copied().unwrap_or(first).max(first) } else { first })
}

/// A measured value in hundredths: the first number of its text, with at most two decimals.
pub(crate) fn measured(text: &str) -> Option<i64> {
    let start = text.find(|c: char| c.is_ascii_digit())?;
    let rest = text.get(start..)?;
    let whole: String = rest.chars().take_while(char::is_ascii_digit).collect();
    let after = rest.get(whole.len()..)?;
    let decimals: String = match after.strip_prefix('.') {
        Some(decimals) => decimals.chars().take_while(char::is_ascii_digit).take(2).collect(),
        None => String::new(),
    };
    let value: i64 = format!("{whole}{decimals:0<2}").parse().ok()?;
    let negative = text.get(..start).is_some_and(|before| before.trim_end().ends_with('-'));
    Some(if negative { value.saturating_neg() } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frequency_is_the_larger_number_of_its_range() {
        for (text, number) in [
            ("2x/week", Some(2)),
            ("2-3 times a week", Some(3)),
            ("2 to 3 a week", Some(3)),
            ("2 for 8 weeks", Some(2)),
            ("daily", None),
        ] {
            assert_eq!(leading_number(text), number, "{text}");
        }
    }

    #[test]
    fn a_measured_value_is_read_in_hundredths() {
        for (text, value) in [
            ("41/56", Some(4100)),
            ("12.5 s", Some(1250)),
            ("0.855 m/s", Some(85)),
            ("-5 deg", Some(-500)),
            ("poor", None),
        ] {
            assert_eq!(measured(text), value, "{text}");
        }
    }
}
