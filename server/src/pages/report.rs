//! Units and findings on a page: every figure with how it came about, every finding with its rule.

use chart::facts::Standing;
use chart::report::{BillState, Certainty, Choice, Counted, Finding, Pool, PoolOutcome, Published, UnitRule};
use maud::{Markup, html};

use super::words;

pub(super) fn section(published: Option<&Published>) -> Markup {
    let Some(Published { report, .. }) = published else {
        return html! {
            h2 { "Units and findings" }
            p class="card" { "They have not been computed yet; look again in a moment." }
        };
    };
    html! {
        section aria-labelledby="bill" {
            h2 id="bill" { "Bill" }
            (bill(&report.bill, &report.standing))
        }
        section aria-labelledby="units" {
            h2 id="units" { "Units" }
            @for pool in &report.pools { (self::pool(pool)) }
            @if report.pools.is_empty() { p class="card" { "Nothing to count." } }
        }
        section aria-labelledby="findings" {
            h2 id="findings" { "Findings" }
            @if report.findings.is_empty() { p class="card" { "None." } }
            @for finding in &report.findings { (self::finding(finding)) }
            p class="small" {
                "Rules: edition " (report.rulebook.edition) ", as of " (report.as_of) ". Fingerprint "
                span class="id" { (report.rulebook.fingerprint.chars().take(16).collect::<String>()) } "."
            }
        }
    }
}

fn bill(state: &BillState, standing: &Standing) -> Markup {
    html! {
        div class="card" {
            @match state {
                BillState::Ready => p { span class="tag good" { "✓ Ready to bill" } },
                BillState::Held { reasons } => {
                    p { span class="tag warning" { "Held from the bill" } }
                    ul { @for reason in reasons { li { (reason) } } }
                }
            }
            @match standing {
                Standing::Complete => {},
                Standing::Provisional => p class="small" { "Provisional: other notes of this day may exist." },
                Standing::Pending => p class="small" { "Some work on this day's notes waits for a verdict or a release." },
            }
        }
    }
}

fn pool(pool: &Pool) -> Markup {
    let title = [
        pool.date.map(|date| date.to_string()),
        pool.discipline.as_ref().map(|discipline| discipline.as_str().to_uppercase()),
        pool.payer.as_ref().map(ToString::to_string),
    ];
    let title: Vec<String> = title.into_iter().flatten().collect();
    let disputed = matches!(pool.outcome, PoolOutcome::Disputed { .. });
    html! {
        div class={ "card" @if disputed { " is-dispute" } } {
            h3 { (if title.is_empty() { "This patient-day".to_owned() } else { title.join(" · ") }) }
            @if pool.documents.len() > 1 { p class="small" { "Counted over " (pool.documents.len()) " notes of the day." } }
            @match &pool.outcome {
                PoolOutcome::Counted(counted) => (self::counted(counted)),
                PoolOutcome::Held { reason, so_far } => {
                    p { span class="tag warning" { "Held" } " " (reason) }
                    details { summary { "So far, for information" } (self::counted(so_far)) }
                }
                PoolOutcome::Disputed { alternatives, total_units_min, total_units_max, complete } => {
                    p {
                        span class="tag dispute" { "⇄ Not billed until somebody chooses" }
                        " Between " strong { (total_units_min) } " and " strong { (total_units_max) } " units."
                    }
                    ul class="sides" {
                        @for alternative in alternatives {
                            li { h3 { "If " (alternative.label) } (self::counted(&alternative.counted)) }
                        }
                    }
                    @if !complete { p class="small" { "There are more combinations than are listed here." } }
                }
            }
        }
    }
}

fn counted(counted: &Counted) -> Markup {
    let rule = match counted.rule {
        Some(UnitRule::Cms8Minute) => "total minutes of the day, 8-minute rule",
        Some(UnitRule::CptMidpoint) => "each code alone, from its midpoint on",
        Some(UnitRule::Full15) => "whole fifteen minutes only",
        None => "the payer's rule is not set; these are for information",
    };
    html! {
        p { span class="big" { (counted.total_units) } " units · " (counted.timed_minutes) " timed minutes · " (rule) }
        div class="scroll" {
            table {
                thead { tr { th scope="col" { "Code" } th scope="col" class="number" { "Minutes" } th scope="col" class="number" { "Units" } } }
                tbody {
                    @for (code, units) in &counted.per_code {
                        tr {
                            th scope="row" { (code) }
                            td class="number" { (counted.minutes.get(code).copied().unwrap_or(0)) }
                            td class="number" { (units) }
                        }
                    }
                }
            }
        }
        @if counted.acceptable.len() > 1 {
            p class="small" {
                @match counted.choice {
                    Choice::Recorded => "The clinician chose among these acceptable allocations:",
                    Choice::Default | Choice::Only => "Nobody chose among these acceptable allocations; the one with more minutes is shown:",
                }
            }
            ul { @for allocation in &counted.acceptable { li { (words::units(allocation)) } } }
        }
        @if !counted.trace.is_empty() {
            details { summary { "How this was counted" } ol { @for step in &counted.trace { li { (step) } } } }
        }
    }
}

fn finding(finding: &Finding) -> Markup {
    let class = words::severity_class(finding.severity);
    html! {
        article class={ "card finding is-" (class) } {
            p {
                span class={ "tag " (class) } { (words::severity_mark(finding.severity)) " " (words::severity(finding.severity)) }
                " " strong { (finding.message) }
            }
            @if let Certainty::If(labels) = &finding.certainty {
                p class="small" { "Only if " (labels.join(", or if ")) "." }
            }
            p { "What to do: " (finding.remedy) }
            details {
                summary { "The rule and the values it used" }
                dl {
                    dt { "Rule" } dd { span class="id" { (finding.id) } }
                    dt { "Source" } dd { (finding.source) }
                    @for (name, value) in &finding.values { dt { (name.replace('_', " ")) } dd { (value) } }
                }
            }
        }
    }
}
