//! The claim made from the note: signed first, adding up, pointing right, complete, in time, once.

use std::collections::BTreeSet;

use chart::episode::field;
use chart::facts::ClaimFacts;

use super::check::Check;
use super::people::npi_is_valid;
use crate::finding::{Findings, finding};
use crate::rulebook::Therapy;
use crate::view::View;

pub(super) const CHECKS: &[Check] = &[
    Check { pushes: &["claim-before-signature"], run: signed },
    Check { pushes: &["claim-total-mismatch", "claim-pointer-dangling", "claim-too-many-lines"], run: lines },
    Check { pushes: &["claim-referring-missing", "claim-initial-treatment-date-missing"], run: identified },
    Check { pushes: &["claim-original-reference-missing"], run: original },
    Check { pushes: &["claim-timely-filing"], run: in_time },
    Check { pushes: &["claim-duplicate"], run: once },
    Check { pushes: &["claim-payer-id-missing", "claim-place-missing"], run: header },
];

fn signed(view: &View<'_>, out: &mut Findings<'_>) {
    let Some(claim) = &view.facts.claim else { return };
    let current = view.note.signatures.iter().filter(|one| one.meaning == "author" && one.current);
    let first = current.map(|one| one.at.clock_time(view.offset_minutes()).local_date()).min();
    let reason = match first {
        None => "no signature covers the note as it stands",
        Some(day) if !claim.draft && day > claim.sent_on => "it was signed after the claim was sent",
        Some(_) if view.note.history.returns.iter().any(|one| !one.answered) => {
            "a reviewer gave the note back"
        }
        Some(_) => return,
    };
    out.push(finding("claim-before-signature").value("sent", claim.sent_on).value("reason", reason));
}

fn lines(view: &View<'_>, out: &mut Findings<'_>) {
    let Some(claim) = &view.facts.claim else { return };
    let charges: Option<Vec<u64>> = claim.lines.iter().map(|line| line.charge_cents).collect();
    if let (Some(total), Some(charges)) = (claim.total_cents, charges.filter(|all| !all.is_empty())) {
        let sum = charges.iter().fold(0u64, |sum, cents| sum.saturating_add(*cents));
        if sum != total {
            let dollars = super::bundling::dollars;
            let draft = finding("claim-total-mismatch").value("total", dollars(total));
            out.push(draft.value("sum", dollars(sum)));
        }
    }
    let named = claim
        .diagnoses
        .or_else(|| view.note.diagnoses.agreed().and_then(|list| u32::try_from(list.len()).ok()));
    for line in &claim.lines {
        let dangling = line
            .pointers
            .iter()
            .find(|pointer| **pointer == 0 || named.is_some_and(|named| **pointer > named));
        if let Some(pointer) = dangling {
            let draft = finding("claim-pointer-dangling").value("code", &line.code).value("pointer", pointer);
            out.push(draft.value("named", named.unwrap_or(0)));
        }
    }
    let most = view.setting(if claim.paper { "claim_lines_paper_max" } else { "claim_lines_max" });
    if i64::try_from(claim.lines.len()).is_ok_and(|lines| lines > most) {
        out.push(finding("claim-too-many-lines").value("lines", claim.lines.len()).value("most", most));
    }
}

fn identified(view: &View<'_>, out: &mut Findings<'_>) {
    let Some(header) = view.facts.claim.as_ref().and_then(|claim| claim.header.as_ref()) else { return };
    let own = view.own_codes();
    let therapy = own.iter().any(|code| view.row(code).is_some_and(|row| row.therapy != Therapy::Never));
    let named = [header.referring.as_deref().unwrap_or(""), view.episode_field(field::REFERRING)];
    if therapy
        && view.terms().is_some_and(|terms| terms.referring)
        && !named.iter().any(|npi| npi_is_valid(npi.trim()))
    {
        out.push(finding("claim-referring-missing").value("payer", view.payer_text()));
    }
    let active = view.payer.and_then(|payer| payer.active_treatment_modifier.as_ref());
    let adjusted = active.and_then(|row| own.iter().find(|code| row.codes.contains(code)));
    if let Some(code) = adjusted.filter(|_| header.first_treatment.is_none()) {
        out.push(finding("claim-initial-treatment-date-missing").value("code", code));
    }
}

/// Frequencies of claims that stand in for or take back another.
const REFER_BACK: [u8; 2] = [7, 8];

fn original(view: &View<'_>, out: &mut Findings<'_>) {
    let Some(claim) = &view.facts.claim else { return };
    let frequency = claim.frequency.filter(|frequency| REFER_BACK.contains(frequency));
    let named = claim.original_reference.as_deref().is_some_and(|number| !number.trim().is_empty());
    if let Some(frequency) = frequency.filter(|_| !named) {
        out.push(finding("claim-original-reference-missing").value("frequency", frequency));
    }
}

fn in_time(view: &View<'_>, out: &mut Findings<'_>) {
    let (Some(terms), Some(date)) = (view.terms(), view.date) else { return };
    let Some(most) = terms.filing_days.map(i64::from) else { return };
    let sent = view.facts.claim.as_ref().filter(|claim| !claim.draft).map(|claim| claim.sent_on);
    let days = sent.unwrap_or(view.facts.as_of).signed_duration_since(date).num_days();
    let limit = date.checked_add_days(chrono::Days::new(most.unsigned_abs()));
    let remind = terms.filing_remind_days.map_or(most, i64::from);
    if days > most || (sent.is_none() && days >= remind) {
        let limit = limit.map_or("unknown".to_owned(), |day| day.to_string());
        let draft = finding("claim-timely-filing").value("limit", limit).value("days", days);
        out.push(draft.otherwise_if(days > most));
    }
}

fn first_of_its_kind(claim: &ClaimFacts) -> bool {
    claim.frequency.is_none_or(|frequency| frequency == 1)
}

fn once(view: &View<'_>, out: &mut Findings<'_>) {
    let Some(claim) = view.facts.claim.as_ref().filter(|claim| first_of_its_kind(claim)) else { return };
    let provider = view.note.slice.provider.agreed();
    let sent: BTreeSet<_> =
        claim.sent_beside.iter().map(|line| (&line.code, line.provider.as_ref())).collect();
    let mut told = BTreeSet::new();
    for line in &claim.lines {
        let by = line.provider.as_ref().or(provider);
        let again = sent.contains(&(&line.code, by)) || sent.contains(&(&line.code, None));
        if again && told.insert(&line.code) {
            out.push(finding("claim-duplicate").value("code", &line.code));
        }
    }
}

fn header(view: &View<'_>, out: &mut Findings<'_>) {
    let Some(claim) = &view.facts.claim else { return };
    let blank = |text: Option<&str>| text.is_none_or(|text| text.trim().is_empty());
    let header = claim.header.as_ref();
    let place =
        header.and_then(|header| header.place.as_deref()).or(view.note.place.agreed().map(String::as_str));
    if blank(place) {
        out.push(finding("claim-place-missing").value("sent", claim.sent_on));
    }
    let on_file = view.facts.patient.as_ref().and_then(|patient| patient.file.member.as_deref());
    let mut missing = Vec::new();
    if header.is_some_and(|header| blank(header.payer.as_deref())) {
        missing.push("the payer's identifier");
    }
    let member = header.and_then(|header| header.member.as_deref()).or(on_file);
    // Without a header and without a file nothing is known of the member number.
    if (header.is_some() || on_file.is_some()) && blank(member) {
        missing.push("the member number");
    }
    if !missing.is_empty() {
        out.push(finding("claim-payer-id-missing").value("missing", missing.join(" and ")));
    }
}
