//! What the payer agreed to beforehand: authorisations and the plan's limit of visits.

use chart::code::ServiceCode;
use chart::patient_file::{Authorization, PatientFile};
use chrono::{Datelike, NaiveDate};

use super::check::Check;
use crate::finding::{Findings, finding};
use crate::view::View;

pub(super) const CHECKS: &[Check] = &[
    Check { pushes: &["authorization-missing", "authorization-exhausted"], run: authorized },
    Check { pushes: &["visit-limit-near"], run: visits },
];

fn file<'v>(view: &'v View<'_>) -> Option<&'v PatientFile> {
    view.facts.patient.as_ref().map(|patient| &patient.file)
}

fn required(view: &View<'_>) -> bool {
    let terms = view.terms().is_some_and(|terms| terms.authorization);
    file(view).and_then(|file| file.authorization_required).unwrap_or(terms)
}

fn authorized(view: &View<'_>, out: &mut Findings<'_>) {
    let Some(date) = view.date.filter(|_| required(view)) else { return };
    let on_file = file(view).map_or(&[][..], |file| file.authorizations.as_slice());
    let valid: Vec<&Authorization> = on_file
        .iter()
        .filter(|one| (one.from..=one.to).contains(&date))
        .filter(|one| one.payer.as_ref().is_none_or(|payer| Some(payer) == view.payer_id))
        .collect();
    for code in view.own_codes() {
        let covers = |one: &&&Authorization| one.codes.is_empty() || one.codes.contains(code);
        let covering: Vec<&Authorization> = valid.iter().filter(covers).copied().collect();
        if covering.is_empty() {
            let draft = finding("authorization-missing").value("code", code).value("date", date);
            out.push(draft.value("payer", view.payer_text()));
        } else if let Some(used) =
            covering.iter().map(|one| used_up(view, one, date)).collect::<Option<Vec<_>>>()
        {
            let draft = finding("authorization-exhausted").value("code", code);
            out.push(draft.value("used", used.join("; ")));
        }
    }
}

/// What of an authorisation is used up, if anything is; this visit counts.
fn used_up(view: &View<'_>, one: &Authorization, date: NaiveDate) -> Option<String> {
    let treated = view.course.days_within(one.from, date);
    let treated = u32::try_from(treated).unwrap_or(u32::MAX).max(1).saturating_add(one.visits_elsewhere);
    let units = units_of(view, one).saturating_add(one.units_used);
    let over = |used: u32, most: Option<u32>, what: &str| {
        most.filter(|most| used > *most).map(|most| format!("{used} of {most} {what} of {}", one.number))
    };
    over(treated, one.visits, "visits").or_else(|| over(units, one.units, "units"))
}

fn units_of(view: &View<'_>, one: &Authorization) -> u32 {
    let covered = |code: &ServiceCode| one.codes.is_empty() || one.codes.contains(code);
    view.lines().iter().filter(|(code, _)| covered(code)).fold(0, |sum, (_, n)| sum.saturating_add(*n))
}

fn visits(view: &View<'_>, out: &mut Findings<'_>) {
    let Some(limit) = file(view).and_then(|file| file.visit_limit.as_ref()) else { return };
    if view.date.map(|date| date.year()) != Some(limit.year) {
        return;
    }
    let here = u32::try_from(view.course.days_of_year(limit.year)).unwrap_or(u32::MAX).max(1);
    let used = here.saturating_add(limit.elsewhere);
    let percent = view.setting("visit_limit_near_percent");
    if i64::from(used).saturating_mul(100) >= i64::from(limit.most).saturating_mul(percent) {
        out.push(finding("visit-limit-near").value("used", used).value("most", limit.most));
    }
}
