//! Modifiers with a meaning of their own: order, notices, active treatment, visits, telehealth.

use chart::code::ServiceCode;
use chart::episode::field as plan;
use chart::reference::Profession;
use chart::visit::field;

use super::carried::modifiers;
use super::lines::recorded;
use crate::finding::{Findings, finding};
use crate::rulebook::{Flag, ServiceRole};
use crate::view::View;

/// Some payers want the plan modifier from chiropractors too.
pub(super) fn chiropractor(view: &View<'_>, out: &mut Findings<'_>) {
    let profession = view.note.slice.provider.agreed().and_then(|id| view.person(*id)?.profession.clone());
    if !view.has(Flag::DisciplineModifierFromChiropractors, false)
        || !recorded(view)
        || profession != Some(Profession::Chiropractor)
    {
        return;
    }
    let set = view.book.modifiers("plan");
    for code in view.own_codes() {
        let wants = view.row(code).and_then(|row| row.plan_modifiers.first());
        if let Some(modifier) = wants.filter(|_| !modifiers(view, code).iter().any(|m| set.contains(m))) {
            let draft = finding("modifier-discipline-for-chiropractor").value("code", code);
            out.push(draft.value("modifier", modifier).value("payer", view.payer_text()));
        }
    }
}

/// Modifiers stand in the usual order.
pub(super) fn order(view: &View<'_>, out: &mut Findings<'_>) {
    let usual = view.words("modifier-order");
    let place = |modifier: &String| usual.iter().position(|known| known == modifier);
    for code in view.own_codes() {
        let given = modifiers(view, code);
        let places: Vec<usize> = given.iter().filter_map(place).collect();
        if !places.is_sorted() {
            let mut sorted = given.clone();
            sorted.sort_by_key(|modifier| place(modifier).unwrap_or(usize::MAX));
            let draft = finding("modifier-order").value("code", code).value("given", given.join(" "));
            out.push(draft.value("usual", sorted.join(" ")));
        }
    }
}

/// A waiver needs a notice the patient signed before the service.
pub(super) fn notice(view: &View<'_>, out: &mut Findings<'_>) {
    let set = view.book.modifiers("notice-signed");
    let date = view.date.unwrap_or(view.facts.as_of);
    let signed = view.episode_date(plan::NOTICE_SIGNED).is_some_and(|day| day <= date);
    for code in view.own_codes() {
        let given = modifiers(view, code);
        if let Some(modifier) = given.iter().find(|m| set.contains(m)).filter(|_| !signed) {
            out.push(finding("abn-missing-for-ga").value("code", code).value("modifier", modifier));
        }
    }
}

/// Active treatment is no maintenance.
pub(super) fn maintenance(view: &View<'_>, out: &mut Findings<'_>) {
    if !matches!(view.episode_field(plan::CARE_GOAL), "maintenance" | "plateau") {
        return;
    }
    let Some(active) = view.payer.and_then(|payer| payer.active_treatment_modifier.as_ref()) else { return };
    for code in view.own_codes() {
        if modifiers(view, code).contains(&active.modifier) {
            let draft = finding("at-on-maintenance").value("code", code);
            out.push(draft.value("modifier", &active.modifier));
        }
    }
}

/// An adjustment rests on two of pain, asymmetry, range and tissue, one of them asymmetry or range.
pub(super) fn examined(view: &View<'_>, out: &mut Findings<'_>) {
    let Some(active) = view.payer.and_then(|payer| payer.active_treatment_modifier.as_ref()) else { return };
    let own = view.own_codes();
    let Some(code) = own.iter().find(|code| active.codes.contains(code)) else { return };
    let text = view.field(field::EXAM_PART).to_ascii_uppercase();
    let parts = text.split(|c: char| !c.is_ascii_alphabetic()).filter_map(|part| part.chars().next());
    let found: std::collections::BTreeSet<char> = parts.filter(|c| "PART".contains(*c)).collect();
    if found.len() < 2 || !(found.contains(&'A') || found.contains(&'R')) {
        let recorded: Vec<String> = found.iter().map(char::to_string).collect();
        let recorded = if recorded.is_empty() { "nothing".to_owned() } else { recorded.join(", ") };
        out.push(finding("cmt-part-missing").value("code", code).value("recorded", recorded));
    }
}

/// A visit beside an adjustment says that it was separate; the same modifier opens nothing on an evaluation.
pub(super) fn separate_visit(view: &View<'_>, out: &mut Findings<'_>) {
    let visits = view.words("visit-codes");
    let separate = view.words("separate-visit-modifiers");
    let marked = |code: &ServiceCode| modifiers(view, code).iter().any(|m| separate.contains(m));
    let own = view.own_codes();
    let role = |code: &ServiceCode| view.row(code).and_then(|row| row.role);
    let beside = own.iter().find(|code| role(code).is_some());
    for code in own {
        if visits.iter().any(|known| known == code.as_str()) {
            if let Some(beside) = beside.filter(|_| !marked(code)) {
                out.push(finding("em-25-missing").value("code", code).value("beside", beside));
            }
        } else if matches!(role(code), Some(ServiceRole::Evaluation | ServiceRole::Reevaluation))
            && marked(code)
        {
            out.push(finding("em-25-on-therapy-eval").value("code", code));
        }
    }
}

/// What was given by video or by telephone says so on the claim.
pub(super) fn telehealth(view: &View<'_>, out: &mut Findings<'_>) {
    let list = match view.field(field::DELIVERY) {
        "video" => "video-modifiers",
        "audio" => "audio-modifiers",
        _ => return,
    };
    let (places, wanted) = (view.words("telehealth-places"), view.words(list));
    let mut missing = Vec::new();
    if !view.note.place.agreed().is_some_and(|place| places.contains(place)) {
        missing.push(format!("place of service {}", places.join(" or ")));
    }
    for code in view.own_codes() {
        if !modifiers(view, code).iter().any(|m| wanted.contains(m)) {
            missing.push(format!("modifier {} on {code}", wanted.join(" or ")));
        }
    }
    if !missing.is_empty() {
        let draft = finding("telehealth-modifier-place").value("delivery", view.field(field::DELIVERY));
        out.push(draft.value("missing", missing.join(", ")));
    }
}
