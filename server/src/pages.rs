//! The read-only pages: plain HTML from plain values, no script, nothing from another host. Everything a
//! person wrote is escaped by the template language; nothing here opts out of that.

mod held;
mod note;
mod report;
mod words;

use chart::report::Severity;
use hub::{QuarantineRow, QueueRow};
use maud::{DOCTYPE, Markup, html};

use crate::view::{Names, NoteView};

/// Who looks at the page.
pub struct Reader<'a> {
    /// The person's name.
    pub name: &'a str,
    /// The clinic's name.
    pub clinic: &'a str,
}

fn layout(title: &str, reader: Option<&Reader<'_>>, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · Gaitway" }
                link rel="stylesheet" href="/style.css";
            }
            body {
                a class="skip" href="#main" { "Skip to the content" }
                header class="top" {
                    strong { "Gaitway" }
                    @if let Some(reader) = reader {
                        span { (reader.clinic) }
                        nav aria-label="Pages" {
                            a href="/" { "Overview" }
                            a href="/review" { "Review" }
                        }
                        span { (reader.name) }
                        form method="post" action="/sign-out" { button class="quiet" type="submit" { "Sign out" } }
                    }
                }
                main id="main" { (body) }
            }
        }
    }
}

/// The sign-in form, with a sentence if the last try failed.
pub fn sign_in(problem: Option<&str>) -> Markup {
    let body = html! {
        h1 { "Sign in" }
        p class="sub" { "For supervisors and auditors, with an access token." }
        form class="card" method="post" action="/sign-in" {
            @if let Some(problem) = problem { p role="alert" { (problem) } }
            label for="token" { "Access token" }
            input id="token" name="token" type="password" autocomplete="current-password" required autofocus;
            p class="small" { "Whoever runs the server makes one with " code { "gaitway token PERSON" } "." }
            button type="submit" { "Sign in" }
        }
    };
    layout("Sign in", None, &body)
}

/// A page that says only what went wrong.
pub fn problem(sentence: &str) -> Markup {
    let body = html! {
        h1 { "That did not work" }
        p role="alert" { (sentence) }
        p { a href="/" { "Back to the overview" } }
    };
    layout("Problem", None, &body)
}

/// Figures of the overview.
pub struct Overview {
    /// Notes in the queue's first rows, by their worst finding or dispute.
    pub blocked: usize,
    /// Notes in which people disagree.
    pub disputed: usize,
    /// Notes with nothing that blocks the bill.
    pub ready: usize,
    /// Pieces of work that are held.
    pub held: usize,
    /// Tablets that may be used.
    pub tablets: usize,
    /// How many notes were looked at.
    pub notes: usize,
    /// Whether the record takes writes.
    pub writable: bool,
    /// The last entry's number.
    pub seq: u64,
}

/// The first page.
pub fn overview(reader: &Reader<'_>, figures: &Overview) -> Markup {
    let tile = |figure: usize, words: &str| {
        html! { li class="card" { div class="big" { (figure) } div { (words) } } }
    };
    let body = html! {
        h1 { (reader.clinic) }
        p class="sub" { "The last " (figures.notes) " notes that changed." }
        ul class="tiles" {
            (tile(figures.blocked, "held from the bill"))
            (tile(figures.disputed, "changed in two places"))
            (tile(figures.ready, "with nothing against them"))
            (tile(figures.held, "pieces of work in quarantine"))
            (tile(figures.tablets, "tablets in use"))
        }
        p { a href="/review" { "Review notes" } }
        @if figures.writable {
            p class="small" { "The record takes work. Entries: " (figures.seq) "." }
        } @else {
            p role="alert" { "The record cannot be written until the server is started again. Tablets keep their work." }
        }
    };
    layout("Overview", Some(reader), &body)
}

/// The review queue and the quarantine; `next` leads to older notes.
pub fn queue(
    reader: &Reader<'_>,
    names: &Names,
    rows: &[QueueRow],
    next: Option<u64>,
    held: &[QuarantineRow],
) -> Markup {
    let body = html! {
        h1 { "Review" }
        p class="sub" { "The notes that changed last; those with the worst findings come first." }
        @if rows.is_empty() {
            p class="card" { "Nothing waits here." }
        } @else {
            div class="card scroll" tabindex="0" role="region" aria-label="Notes" {
                table {
                    thead { tr {
                        th scope="col" { "Note" } th scope="col" { "Provider" } th scope="col" { "State" }
                        th scope="col" { "Findings" }
                    } }
                    tbody { @for row in rows { (queue_row(row)) } }
                }
            }
        }
        @if let Some(next) = next { p { a href={ "/review?before=" (next) } { "Older notes" } } }
        h2 id="quarantine" { "Quarantine" }
        p class="sub" { "Work that is kept and is not part of any note. What is held waits for a supervisor's release." }
        @if held.is_empty() { p class="card" { "Nothing is held." } } @else { (held::table(names, held)) }
    };
    layout("Review", Some(reader), &body)
}

fn queue_row(row: &QueueRow) -> Markup {
    let counts = [Severity::Blocker, Severity::Warning, Severity::Advice].into_iter().zip(row.counts);
    html! {
        tr {
            th scope="row" {
                a href={ "/review/notes/" (row.document) } { (row.patient.as_deref().unwrap_or("No patient yet")) }
                div class="small" { (row.dates.join(" or ")) }
            }
            td { (if row.providers.is_empty() { "not recorded".to_owned() } else { row.providers.join(" or ") }) }
            td {
                @if row.disputed { span class="tag dispute" { "⇄ Changed in two places" } " " }
                @if row.ready { span class="tag good" { "✓ Ready" } } @else { span class="tag warning" { "Held" } }
            }
            td {
                @for (severity, count) in counts.filter(|(_, count)| *count > 0) {
                    span class={ "tag " (words::severity_class(severity)) } {
                        (words::severity_mark(severity)) " " (count) " " (words::severity(severity))
                    } " "
                }
                @if row.worst.is_none() { span class="small" { "none" } }
            }
        }
    }
}

/// One note.
pub fn note(reader: &Reader<'_>, names: &Names, view: &NoteView) -> Markup {
    layout("Note", Some(reader), &note::body(names, view))
}

#[cfg(test)]
mod tests;
