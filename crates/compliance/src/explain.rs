//! A report as sentences a person can read aloud to an auditor: the count step by step, the bill line by
//! line, each finding with its rule. Computes nothing new.

use std::fmt::Write;

use chart::billing::BillingView;
use chart::facts::{Input, Standing};
use chart::report::{BillState, Certainty, Counted, Finding, Pool, PoolOutcome, Report, Severity};

use crate::recompute::BillIf;
use crate::rulebook::Rulebook;

/// The report in words. `book` must be the rulebook it was computed with to name the counting rule's source;
/// another one is not asked. `choices` are the bills under each open choice, where they were computed.
pub fn explain(report: &Report, book: &Rulebook, choices: &[BillIf]) -> String {
    let mut page = String::new();
    let book = (book.fingerprint() == report.rulebook.fingerprint).then_some(book);
    let _ = writeln!(page, "Note {}, as of {}.", report.document, report.as_of);
    let fingerprint: String = report.rulebook.fingerprint.chars().take(16).collect();
    let _ = writeln!(page, "Rulebook {}, fingerprint {fingerprint}.", report.rulebook.edition);
    let _ = writeln!(page, "{}", standing(&report.standing));
    page.push_str("\nUNITS\n");
    for pool in &report.pools {
        units(&mut page, pool, book);
    }
    page.push_str("\nTHE BILL\n");
    match &report.bill {
        BillState::Ready => page.push_str("It may go on the bill.\n"),
        BillState::Held { reasons } => {
            page.push_str("It is held from the bill:\n");
            for reason in reasons {
                let _ = writeln!(page, "- {reason}");
            }
        }
    }
    bill(&mut page, &report.billing, "");
    for choice in choices {
        let _ = writeln!(page, "If {}:", choice.label);
        bill(&mut page, &choice.billing, "  ");
        for line in &choice.change.lines {
            let (before, after) = (line.units.before, line.units.after);
            let _ = writeln!(page, "  against the first choice: {} {before} -> {after} units", line.code);
        }
    }
    let _ = writeln!(page, "\nFINDINGS ({})", report.findings.len());
    for (index, finding) in report.findings.iter().enumerate() {
        told(&mut page, index + 1, finding);
    }
    page.push_str("\nCOMPUTED FROM\n");
    for input in &report.inputs {
        let _ = writeln!(page, "- {}", source(input));
    }
    if report.inputs.is_empty() {
        page.push_str("- the visit as given\n");
    }
    page
}

fn standing(standing: &Standing) -> &'static str {
    match standing {
        Standing::Complete => "Every note of the day known to the clinic was seen.",
        Standing::Provisional => "Provisional: other notes of the day may exist that were not seen.",
        Standing::Pending => "Some work on the notes of the day is not judged yet or is held back.",
    }
}

fn units(page: &mut String, pool: &Pool, book: Option<&Rulebook>) {
    let discipline = pool.discipline.as_ref().map_or("no discipline", |discipline| discipline.as_str());
    let date = pool.date.map_or_else(|| "no agreed date".to_owned(), |date| date.to_string());
    let payer = pool.payer.as_ref().map_or_else(|| "no agreed payer".to_owned(), ToString::to_string);
    let _ =
        writeln!(page, "Discipline {discipline}, {date}, payer {payer}, {} note(s).", pool.documents.len());
    match &pool.outcome {
        PoolOutcome::Counted(counted) => count(page, counted, book, "  "),
        PoolOutcome::Held { reason, so_far } => {
            let _ = writeln!(page, "  Held: {reason}. So far:");
            count(page, so_far, book, "    ");
        }
        PoolOutcome::Disputed { alternatives, total_units_min, total_units_max, complete } => {
            let _ = writeln!(page, "  People disagree: {total_units_min} to {total_units_max} units.");
            if !complete {
                page.push_str("  There are too many combinations to list.\n");
            }
            for alternative in alternatives {
                let _ = writeln!(page, "  If {}:", alternative.label);
                count(page, &alternative.counted, book, "    ");
            }
        }
    }
}

fn count(page: &mut String, counted: &Counted, book: Option<&Rulebook>, indent: &str) {
    match (counted.rule, counted.rule.zip(book)) {
        (_, Some((rule, book))) => {
            if let Some((label, source, from)) = book.unit_rule_words(rule) {
                let _ = writeln!(page, "{indent}Rule: {label} ({source}, since {from}).");
            }
        }
        (Some(rule), None) => {
            let _ = writeln!(page, "{indent}Rule: {rule:?}.");
        }
        (None, None) => {
            let _ =
                writeln!(page, "{indent}The payer's counting rule is not set; counted by the day's total.");
        }
    }
    for step in &counted.trace {
        let _ = writeln!(page, "{indent}{step}");
    }
    let codes: Vec<String> = counted.per_code.iter().map(|(code, n)| format!("{code} {n}")).collect();
    let _ = writeln!(page, "{indent}Units: {} in all ({}).", counted.total_units, codes.join(", "));
}

fn bill(page: &mut String, billing: &BillingView, indent: &str) {
    for line in &billing.lines {
        let pointers: Vec<String> = line.pointers.iter().map(ToString::to_string).collect();
        let mut parts = vec![format!("{} x {}", line.code, line.units)];
        if !line.modifiers.is_empty() {
            parts.push(format!("modifiers {}", line.modifiers.join(" ")));
        }
        parts.push(format!("{} minutes", line.minutes));
        if !pointers.is_empty() {
            parts.push(format!("diagnoses {}", pointers.join(" ")));
        }
        if let Some(cents) = line.estimate_cents {
            parts.push(format!("estimated {}", money(cents)));
        }
        if !line.asked.is_empty() {
            parts.push(format!("asks for {}", line.asked.join(" ")));
        }
        let _ = writeln!(page, "{indent}Line {}: {}.", line.number, parts.join(", "));
    }
    for reason in &billing.withheld {
        let _ = writeln!(page, "{indent}No line: {reason}");
    }
    if let Some(estimate) = &billing.estimate {
        let _ = writeln!(page, "{indent}{} {}", money(estimate.cents), estimate.basis);
    }
    if let Some(after) = &billing.after_claim {
        let _ = writeln!(page, "{indent}Since the claim of {}:", after.sent_on);
        for (code, change) in &after.units {
            let _ = writeln!(page, "{indent}- {code}: {} sent, {} supported", change.before, change.after);
        }
        if let Some(cents) = after.over_cents {
            let _ = writeln!(page, "{indent}- estimated {} too much", money(cents));
        }
        if let Some(day) = after.return_by {
            let _ = writeln!(page, "{indent}- report and return by {day} ({})", after.source);
        }
    }
}

fn money(cents: u64) -> String {
    format!("{}.{:02} USD", cents / 100, cents % 100)
}

fn told(page: &mut String, number: usize, finding: &Finding) {
    let weight = match finding.severity {
        Severity::Blocker => "blocker",
        Severity::Warning => "warning",
        Severity::Advice => "advice",
    };
    let _ = writeln!(page, "{number}. {weight} `{}`: {}", finding.id, finding.message);
    if let Certainty::If(labels) = &finding.certainty {
        let _ = writeln!(page, "   Only if {}.", labels.join(" or "));
    }
    let _ = writeln!(page, "   To do: {}", finding.remedy);
    let _ = writeln!(page, "   Source: {}", finding.source);
    if !finding.values.is_empty() {
        let values: Vec<String> =
            finding.values.iter().map(|(name, value)| format!("{name} = {value}")).collect();
        let _ = writeln!(page, "   Values: {}", values.join(", "));
    }
}

fn source(input: &Input) -> String {
    match input {
        Input::Document { document, heads } => {
            let heads: Vec<String> =
                heads.iter().map(|head| head.to_string().chars().take(12).collect()).collect();
            format!("note or plan {document} at {}", heads.join(" "))
        }
        Input::Slice { document, digest } => {
            format!("the part of note {document} other notes see, {}", brief(digest))
        }
        Input::Values { name, digest } => format!("{name}, {}", brief(digest)),
    }
}

fn brief(digest: &chart::ids::Digest) -> String {
    digest.to_string().chars().take(12).collect()
}
