//! Progress over the notes of an episode: something changes, what does not is explained, the patient
//! has a home program.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use chart::episode::field as plan;
use chart::ids::GoalId;
use chart::visit::field;
use chrono::{Days, NaiveDate};

use super::check::Check;
use crate::course::measured;
use crate::finding::{Findings, finding};
use crate::view::View;
use crate::words::Words;

pub(super) const CHECKS: &[Check] = &[
    Check { pushes: &["progress-not-shown"], run: shown },
    Check { pushes: &["progress-plateau"], run: plateau },
    Check { pushes: &["maintenance-not-labelled"], run: maintenance },
    Check { pushes: &["note-home-program-missing"], run: home_program },
];

/// What progress is told of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Of {
    /// A measure by its name in lower case.
    Measure(String),
    Goal(GoalId),
}

impl fmt::Display for Of {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Measure(name) => f.write_str(name),
            Self::Goal(id) => write!(f, "{id}"),
        }
    }
}

/// What one note says of progress: measures by name, goals by id.
type Told<'v> = BTreeMap<Of, &'v str>;

fn told<'v>(
    measures: impl Iterator<Item = (&'v String, &'v String)>,
    goals: &'v BTreeMap<GoalId, String>,
) -> Told<'v> {
    let measures = measures.map(|(name, value)| (Of::Measure(name.trim().to_lowercase()), value.trim()));
    measures.chain(goals.iter().map(|(goal, status)| (Of::Goal(*goal), status.as_str()))).collect()
}

fn own<'v>(view: &'v View<'_>) -> Told<'v> {
    let measures = view.note.measures.values().map(|measure| (&measure.name, &measure.value));
    told(measures, &view.note.goal_status)
}

/// What the notes up to this one say, latest first, with their dates.
fn notes<'v>(view: &'v View<'_>) -> Vec<(NaiveDate, Told<'v>)> {
    let Some(date) = view.date else { return Vec::new() };
    let mut all = vec![(date, own(view))];
    let earlier = view.course.earlier.iter().rev();
    all.extend(earlier.map(|(day, visit)| (*day, told(visit.measures.iter(), &visit.goal_status))));
    all
}

/// Whether anything told in these notes has two values.
fn changed<'n, 'v: 'n>(notes: impl Iterator<Item = &'n Told<'v>>) -> bool {
    let mut values: BTreeMap<&Of, BTreeSet<&str>> = BTreeMap::new();
    for (name, value) in notes.flatten() {
        values.entry(name).or_default().insert(value);
    }
    values.values().any(|values| values.len() > 1)
}

fn is_maintenance(view: &View<'_>) -> bool {
    view.episode_field(plan::CARE_GOAL) == "maintenance"
}

fn shown(view: &View<'_>, out: &mut Findings<'_>) {
    let goals = view.facts.episode.as_ref().is_some_and(|episode| !episode.goals.is_empty());
    if !goals || is_maintenance(view) {
        return;
    }
    let notes = notes(view);
    let count = usize::try_from(view.setting("no_progress_notes")).unwrap_or(usize::MAX);
    let last = notes.get(..count).unwrap_or(&[]);
    if count > 1 && !last.is_empty() && !changed(last.iter().map(|(_, told)| told)) {
        out.push(finding("progress-not-shown").value("over", format!("{count} notes")));
        return;
    }
    let days = u64::try_from(view.setting("no_progress_days")).unwrap_or(u64::MAX);
    let since = view.date.and_then(|date| date.checked_sub_days(Days::new(days)));
    let Some(since) = since.filter(|since| notes.iter().any(|(day, _)| day <= since)) else { return };
    let recent: Vec<&Told<'_>> =
        notes.iter().filter(|(day, _)| *day >= since).map(|(_, told)| told).collect();
    if recent.len() > 1 && !changed(recent.iter().copied()) {
        out.push(finding("progress-not-shown").value("over", format!("{days} days")));
    }
}

/// The smallest change of a measure that is more than its error, in hundredths.
fn smallest_change(view: &View<'_>, name: &str) -> i64 {
    let words = Words::of(name);
    let row = view.book.records.changes.iter().find(|row| words.any(&row.names));
    row.map_or(0, |row| i64::from(row.hundredths))
}

fn plateau(view: &View<'_>, out: &mut Findings<'_>) {
    if is_maintenance(view) {
        return;
    }
    let mut series: BTreeMap<Of, Vec<(NaiveDate, i64)>> = BTreeMap::new();
    for (day, told) in notes(view) {
        for (name, value) in told {
            series.entry(name).or_default().extend(measured(value).map(|value| (day, value)));
        }
    }
    let days = view.setting("plateau_periods").saturating_mul(view.setting("progress_report_days"));
    let days = usize::try_from(days).unwrap_or(usize::MAX);
    for (name, values) in series {
        let error = match &name {
            Of::Measure(name) => smallest_change(view, name),
            Of::Goal(_) => 0,
        };
        let Some((first, same)) = unchanged(&values, error) else { continue };
        let treated = view.course.days_after(Some(first));
        if treated >= days {
            let draft = finding("progress-plateau").value("measure", &name).value("days", treated);
            out.push(draft.value("times", same).value("since", first));
        }
    }
}

/// How far back, from the latest value, all stay within the error of each other, and how many they are.
fn unchanged(latest_first: &[(NaiveDate, i64)], error: i64) -> Option<(NaiveDate, usize)> {
    let (_, latest) = latest_first.first()?;
    let (mut low, mut high) = (*latest, *latest);
    let within = latest_first.iter().take_while(|(_, value)| {
        low = low.min(*value);
        high = high.max(*value);
        high.saturating_sub(low) <= error
    });
    let days: Vec<NaiveDate> = within.map(|(day, _)| *day).collect();
    days.last().copied().filter(|_| days.len() > 1).map(|first| (first, days.len()))
}

fn maintenance(view: &View<'_>, out: &mut Findings<'_>) {
    if is_maintenance(view) && view.episode_field(plan::MAINTENANCE_REASON).is_empty() {
        out.push(finding("maintenance-not-labelled"));
    }
}

fn home_program(view: &View<'_>, out: &mut Findings<'_>) {
    let by = usize::try_from(view.setting("home_program_by_visit")).unwrap_or(usize::MAX);
    let Some(visits) = view.course.treatment_days().filter(|visits| *visits >= by) else { return };
    let noted = !view.field(field::HOME_PROGRAM).is_empty()
        || !view.episode_field(plan::HOME_PROGRAM).is_empty()
        || view.course.earlier.iter().any(|(_, visit)| visit.home_program);
    if !noted {
        out.push(finding("note-home-program-missing").value("visits", visits));
    }
}
