//! Diagnosis codes: their form, their validity on the date, their side, and whether a policy knows them.

use chrono::NaiveDate;

use crate::checks::content::diagnoses;
use crate::finding::{Findings, finding};
use crate::rulebook::{PolicyKind, plain_code};
use crate::view::View;
use crate::words::diagnosis_in;

/// Codes that cannot stand on a claim of that date.
pub(super) fn valid(view: &View<'_>, out: &mut Findings<'_>) {
    let date = view.date.unwrap_or(view.facts.as_of);
    for code in diagnoses(view).iter().filter(|code| !code.trim().is_empty()) {
        if let Some(reason) = wrong(view, code, date) {
            // Free text in place of a code may hold anything, so it is not repeated.
            let shown = if has_form(&plain_code(code)) { code.trim() } else { "A diagnosis" };
            out.push(finding("code-diagnosis-invalid").value("diagnosis", shown).value("reason", reason));
        }
    }
}

fn wrong(view: &View<'_>, code: &str, date: NaiveDate) -> Option<String> {
    let plain = plain_code(code);
    if !has_form(&plain) {
        return Some("it has not the form of a diagnosis code".to_owned());
    }
    if let Some(row) = view.book.records.diagnoses.get(&plain)
        && let Some(ended) = row.ended.filter(|ended| *ended < date)
    {
        return Some(format!("it ended on {ended}; use {}", row.instead));
    }
    let injuries = view.words("diagnoses-of-seven-characters");
    (diagnosis_in(&plain, injuries) && plain.len() < FULL)
        .then(|| "codes of injuries have seven characters, the last for the encounter".to_owned())
}

/// Characters of the longest codes.
const FULL: usize = 7;

/// A letter, a digit, a letter or digit, and up to four more.
fn has_form(plain: &str) -> bool {
    let mut chars = plain.chars();
    let starts = chars.next().is_some_and(|c| c.is_ascii_uppercase())
        && chars.next().is_some_and(|c| c.is_ascii_digit())
        && chars.next().is_some_and(|c| c.is_ascii_alphanumeric());
    starts && chars.all(|c| c.is_ascii_alphanumeric()) && plain.len() <= FULL
}

/// Codes that leave the side or the site open.
pub(super) fn open(view: &View<'_>, out: &mut Findings<'_>) {
    for code in diagnoses(view) {
        let row = view.book.records.diagnoses.get(&plain_code(code)).filter(|row| row.open);
        if let Some(row) = row {
            let draft = finding("code-diagnosis-unspecific").value("diagnosis", code.trim());
            out.push(draft.value("instead", &row.instead));
        }
    }
}

/// Services whose payer's policy lists diagnoses, none of which is the note's.
pub(super) fn supporting(view: &View<'_>, out: &mut Findings<'_>) {
    let Some(payer) = view.payer else { return };
    let date = view.date.unwrap_or(view.facts.as_of);
    let given: Vec<&String> = diagnoses(view).iter().filter(|code| has_form(&plain_code(code))).collect();
    if given.is_empty() {
        return;
    }
    let policies = view.book.policies.iter().filter(|policy| policy.payer == payer.id && policy.from <= date);
    for policy in policies.filter(|policy| policy.kind == PolicyKind::Indication) {
        let Some(list) = policy.cause_codes.as_deref().map(|name| view.words(name)) else { continue };
        if given.iter().any(|code| diagnosis_in(code, list)) {
            continue;
        }
        for code in view.own_codes() {
            let family = view.row(code).and_then(|row| row.content_family.as_ref());
            if family == Some(&policy.family) {
                let draft = finding("code-diagnosis-not-supporting").value("code", code);
                out.push(draft.value("payer", &payer.label));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_diagnosis_code_has_its_form() {
        for code in ["M545", "I69354", "S83511A", "C7A8", "G20"] {
            assert!(super::has_form(code), "{code}");
        }
        for text in ["", "CVA", "54.5", "M5", "M54.5", "STROKE", "S83511AXX"] {
            assert!(!super::has_form(text), "{text}");
        }
    }
}
