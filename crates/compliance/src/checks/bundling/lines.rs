//! The modifiers of single lines.

use chart::code::{Discipline, ServiceCode};
use chart::reference::Profession;

use super::carried::{modifiers, regions};
use crate::assistant::{self, Method, Minutes, Split};
use crate::finding::{Findings, finding};
use crate::rulebook::{AssistantModifier, Flag, ServiceRole, Therapy};
use crate::view::{View, is_assistant};

/// Whether the note records modifiers at all.
pub(super) fn recorded(view: &View<'_>) -> bool {
    view.note.fields.keys().any(|name| name == "modifiers" || name.starts_with("modifiers."))
}

pub(super) fn plan(view: &View<'_>, out: &mut Findings<'_>) {
    if !view.has(Flag::DisciplineModifiers, false) || !recorded(view) {
        return;
    }
    for code in view.own_codes() {
        let Some(row) = view.row(code) else { continue };
        if row.therapy == Therapy::Never || row.plan_modifiers.is_empty() {
            continue;
        }
        let plan = view.book.modifiers("plan");
        let given: Vec<String> = modifiers(view, code).into_iter().filter(|m| plan.contains(m)).collect();
        let of_plan = of_discipline(view);
        let allowed: Vec<&String> = match &of_plan {
            Some(modifier) if row.plan_modifiers.contains(modifier) => vec![modifier],
            _ => row.plan_modifiers.iter().collect(),
        };
        let allowed_text = allowed.iter().map(|m| m.as_str()).collect::<Vec<_>>().join(" or ");
        let draft = |check| finding(check).value("code", code).value("allowed", &allowed_text);
        match given.as_slice() {
            [] => out.push(draft("modifier-discipline-missing")),
            [one] if allowed.contains(&one) => {}
            _ => out.push(draft("modifier-discipline-conflict").value("given", given.join(" "))),
        }
    }
}

/// The plan modifier of the note's discipline.
fn of_discipline(view: &View<'_>) -> Option<String> {
    let discipline = view.note.slice.discipline.as_ref()?;
    view.book.plan_modifier(discipline).map(str::to_owned)
}

/// Therapist's and assistants' minutes of a code in this note.
fn minutes(view: &View<'_>, code: &ServiceCode) -> Minutes {
    let mut minutes = Minutes::default();
    for seg in view.own().filter(|seg| seg.code() == code) {
        let by_assistant = seg.performer.and_then(|id| view.person(id)).is_some_and(is_assistant);
        let own = if seg.counts { seg.counted } else { seg.own_minutes() };
        let sum = if by_assistant { &mut minutes.assistant } else { &mut minutes.therapist };
        *sum = sum.saturating_add(own);
    }
    minutes
}

pub(super) fn assistant(view: &View<'_>, out: &mut Findings<'_>) {
    if !view.has(Flag::AssistantModifiers, false) || !recorded(view) {
        return;
    }
    let Some(row) = assistant_row(view) else { return };
    let names: Vec<&String> = view.book.assistant_modifiers.iter().map(|row| &row.modifier).collect();
    let date = view.date.unwrap_or(view.facts.as_of);
    let method = Method::of(&view.facts.settings);
    for code in view.own_codes() {
        let given = modifiers(view, code);
        let carried: Vec<&String> = given.iter().filter(|m| names.contains(m)).collect();
        let units = view.lines().get(code).copied().unwrap_or(0);
        let worked = minutes(view, code);
        let timed = view.row(code).is_some_and(|row| row.base_minutes.is_some());
        let split = assistant::split(view.book, code, units, worked, date, method);
        let draft = |check: &str| {
            finding(check).value("code", code).value("modifier", &row.modifier).value("with", &row.with)
        };
        tell(&split, &carried, units, &draft, out);
        for carried in &carried {
            let pair = view.book.assistant_modifiers.iter().find(|row| row.modifier == **carried);
            if let Some(pair) = pair.filter(|pair| !given.contains(&pair.with)) {
                out.push(
                    finding("modifier-assistant-mispaired")
                        .value("code", code)
                        .value("modifier", carried)
                        .value("with", &pair.with),
                );
            }
        }
        let total = worked.therapist.saturating_add(worked.assistant);
        let Some(rule) = view.book.assistant_split(date) else { continue };
        let (percent, simple) = assistant::de_minimis(rule, total, worked.assistant);
        if worked.assistant > 0 && percent != simple && !timed {
            let word = |yes: bool| if yes { "yes" } else { "no" };
            out.push(
                finding("modifier-assistant-method")
                    .value("code", code)
                    .value("percent", word(percent))
                    .value("simple", word(simple)),
            );
        }
    }
}

fn tell(
    split: &Split,
    carried: &[&String],
    units: u32,
    draft: &dyn Fn(&str) -> crate::finding::Draft,
    out: &mut Findings<'_>,
) {
    if split.assist > 0 && carried.is_empty() {
        out.push(draft("modifier-assistant-missing").value("units", split.assist));
    }
    if split.assist == 0 && units > 0 && !carried.is_empty() {
        out.push(draft("modifier-assistant-not-needed"));
    }
    if split.assist > 0 && split.plain > 0 && !carried.is_empty() {
        out.push(
            draft("modifier-assistant-split-line").value("plain", split.plain).value("assist", split.assist),
        );
    }
}

/// The assistant modifier of this note: by its discipline, else by the assistant's profession.
fn assistant_row<'a>(view: &View<'a>) -> Option<&'a AssistantModifier> {
    let date = view.date.unwrap_or(view.facts.as_of);
    let discipline = view.note.slice.discipline.clone().or_else(|| {
        view.performers().into_iter().find_map(|id| match view.person(id)?.profession {
            Some(Profession::PhysicalTherapistAssistant) => Some(Discipline::PhysicalTherapy),
            Some(Profession::OccupationalTherapyAssistant) => Some(Discipline::OccupationalTherapy),
            _ => None,
        })
    })?;
    view.book.assistant_modifiers.iter().find(|row| row.discipline == discipline && row.from <= date)
}

pub(super) fn form(view: &View<'_>, out: &mut Findings<'_>) {
    let notice = |name: &str| view.book.modifiers(name);
    let most = view.setting("line_modifiers_max");
    for code in view.own_codes() {
        let given = modifiers(view, code);
        let has = |set: &[String]| given.iter().any(|m| set.contains(m));
        if i64::try_from(given.len()).is_ok_and(|given| given > most) {
            out.push(finding("modifier-too-many").value("code", code).value("count", given.len()));
        }
        if has(notice("notice-voluntary")) && !has(notice("notice-excluded")) {
            out.push(finding("gx-gy-mismatch").value("code", code));
        }
        if has(notice("notice-signed")) && has(notice("notice-none")) {
            out.push(finding("gz-with-abn").value("code", code));
        }
    }
}

pub(super) fn profession(view: &View<'_>, out: &mut Findings<'_>) {
    for code in view.own_codes() {
        let given = modifiers(view, code);
        if let Some(payer) = view.payer {
            let profession =
                view.note.slice.provider.agreed().and_then(|id| view.person(*id)?.profession.clone());
            let excluded = payer.excluded_professions.iter().find(|row| {
                Some(&row.profession) == profession.as_ref()
                    && !row.except.contains(code)
                    && !given.contains(&row.modifier)
            });
            if let Some(row) = excluded {
                let draft = finding("excluded-profession-unmarked")
                    .value("code", code)
                    .value("modifier", &row.modifier);
                out.push(draft.value("payer", &payer.label).value("profession", row.profession.as_str()));
            }
            let active = payer.active_treatment_modifier.as_ref().filter(|row| row.codes.contains(code));
            if let Some(row) = active.filter(|row| recorded(view) && !given.contains(&row.modifier)) {
                out.push(finding("at-missing").value("code", code).value("modifier", &row.modifier));
            }
        }
        let row = view.row(code).filter(|row| row.role == Some(ServiceRole::Manipulation));
        let regions = regions(view, code).len();
        if let Some((from, to)) = row.and_then(|row| row.regions)
            && regions > 0
            && !(from..=to).contains(&u32::try_from(regions).unwrap_or(u32::MAX))
        {
            let draft = finding("cmt-regions-mismatch").value("code", code).value("regions", regions);
            out.push(draft.value("from", from).value("to", to));
        }
    }
}
