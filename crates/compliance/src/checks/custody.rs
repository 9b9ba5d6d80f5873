//! The record in the clinic's keeping: its trail, how long it is kept, who opened it, what left the house.

use chrono::{Datelike, NaiveDate};

use super::check::Check;
use crate::finding::{Findings, finding};
use crate::view::View;

pub(super) const CHECKS: &[Check] = &[
    Check { pushes: &["audit-gap"], run: trail },
    Check { pushes: &["retention-hold"], run: kept },
    Check { pushes: &["access-without-relation"], run: opened },
    Check { pushes: &["export-phi-scope"], run: exported },
];

fn trail(view: &View<'_>, out: &mut Findings<'_>) {
    let nameless = view.note.history.nameless_changes;
    if nameless > 0 {
        out.push(finding("audit-gap").value("what", format!("{nameless} changes name no author")));
    }
    let breaks = view.facts.patient.as_ref().map(|patient| patient.file.audit_breaks.len()).unwrap_or(0);
    if breaks > 0 {
        out.push(finding("audit-gap").value("what", format!("{breaks} breaks of the trail are known")));
    }
}

/// The same day some years later; the last of February for a leap day.
fn years_after(date: NaiveDate, years: i64) -> Option<NaiveDate> {
    let year = date.year().checked_add(i32::try_from(years).ok()?)?;
    date.with_year(year).or_else(|| NaiveDate::from_ymd_opt(year, 2, 28))
}

fn kept(view: &View<'_>, out: &mut Findings<'_>) {
    let (Some(patient), Some(date)) = (&view.facts.patient, view.date) else { return };
    let Some(asked) = patient.file.deletion_asked_on else { return };
    let by_payer = view.terms().and_then(|terms| terms.retention_years).map_or(0, i64::from);
    let of_service = years_after(date, view.setting("retention_years").max(by_payer));
    let majority = view.setting("majority_years");
    let minor = patient.born_on.filter(|born| years_after(*born, majority).is_some_and(|day| day > date));
    let after = majority.saturating_add(view.setting("retention_years_after_majority"));
    let of_minor = minor.and_then(|born| years_after(born, after));
    let until = of_service.max(of_minor);
    if patient.file.legal_hold || until.is_some_and(|until| asked < until) {
        let until = until.map_or("the hold ends".to_owned(), |until| until.to_string());
        let hold = if patient.file.legal_hold { "a legal hold and retention" } else { "retention" };
        out.push(finding("retention-hold").value("until", until).value("because", hold));
    }
}

fn opened(view: &View<'_>, out: &mut Findings<'_>) {
    let Some(patient) = &view.facts.patient else { return };
    let treated = view.performers();
    for access in patient.file.accesses.iter().filter(|access| !access.reasoned) {
        let related = patient.care_team.contains(&access.person)
            || treated.contains(&access.person)
            || view.note.history.contributors.contains(&access.person);
        if !related {
            let draft = finding("access-without-relation").value("person", access.person);
            out.push(draft.value("on", access.on));
        }
    }
}

fn exported(view: &View<'_>, out: &mut Findings<'_>) {
    let Some(patient) = &view.facts.patient else { return };
    for export in &patient.file.exports {
        let more: Vec<&str> = export.holds.difference(&export.asked).map(String::as_str).collect();
        if !more.is_empty() {
            let draft = finding("export-phi-scope").value("on", export.on);
            out.push(draft.value("more", more.join(", ")));
        }
    }
}
