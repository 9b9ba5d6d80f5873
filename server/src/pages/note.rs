//! One note on a page: what it says, who disagrees with whom, who did what when, and what follows for
//! the bill.

use chart::Attribution;
use chart::episode::Episode;
use chart::ids::{EntryId, VersionId};
use chart::register::{Fact, Register};
use chart::visit::{Activity, SegmentValue, Signature, TEXT_FIELDS, Visit};
use hub::ReviewNote;
use maud::{Markup, html};
use session_note::dispute::Dispute;

use super::{held, report, words};
use crate::view::{Content, Names, NoteView};

pub(super) fn body(names: &Names, view: &NoteView) -> Markup {
    let note = &view.note;
    html! {
        @match &view.content {
            Content::Visit(visit) => (visit_head(names, visit)),
            Content::Episode(episode) => (episode_head(names, episode)),
            Content::Unreadable => h1 { "Note" },
        }
        p class="small id" { (note.document) }
        @if note.cannot_be_shown || matches!(view.content, Content::Unreadable) {
            p role="alert" { "Part of this note cannot be shown by this version. Its bytes are kept; update the server." }
        }
        @if !note.disputes.is_empty() { (disputes(names, &note.disputes)) }
        @if !note.problems.is_empty() {
            section class="card" aria-labelledby="problems" {
                h2 id="problems" { "Parts that could not be read" }
                ul { @for problem in &note.problems { li { (problem) } } }
            }
        }
        @match &view.content {
            Content::Visit(visit) => div class="columns" {
                div { (visit_content(names, visit, note)) }
                div { (report::section(view.report.as_ref())) }
            },
            Content::Episode(episode) => (episode_content(episode)),
            Content::Unreadable => {},
        }
        (history(names, note))
        @if !note.quarantine.is_empty() {
            section aria-labelledby="quarantine" {
                h2 id="quarantine" { "Work that is not part of this note" }
                (held::table(names, &note.quarantine))
            }
        }
    }
}

fn author(names: &Names, by: &Attribution) -> String {
    format!("{} on {}, {}", names.person(by.person), names.device(by.device), names.time(by.at))
}

fn visit_head(names: &Names, visit: &Visit) -> Markup {
    let patient = visit.patient.map_or_else(|| "No patient yet".to_owned(), |id| names.patient(id));
    let provider = agreed(&visit.provider, |id| names.person(*id));
    html! {
        h1 { (patient) }
        p class="sub" {
            "Visit of " (agreed(&visit.date, ToString::to_string)) " · " (provider)
            " · " (agreed(&visit.payer, ToString::to_string))
            @if let Some(discipline) = &visit.discipline { " · " (discipline.as_str().to_uppercase()) }
        }
    }
}

/// An agreed value, or a word that there is none. Never one side of a dispute.
fn agreed<T: Clone + Ord>(register: &Register<T>, say: impl Fn(&T) -> String) -> String {
    match register.fact() {
        Fact::Missing => "not recorded".to_owned(),
        Fact::Agreed(value) => say(&value),
        Fact::Disputed(_) => "⇄ disputed".to_owned(),
    }
}

fn disputes(names: &Names, disputes: &[Dispute]) -> Markup {
    html! {
        section aria-labelledby="disputes" {
            h2 id="disputes" { "⇄ Changed in two places" }
            p class="sub" { "What depends on these is held from the bill until a person chooses. Every side is kept." }
            @for dispute in disputes {
                div class="card is-dispute" {
                    h3 { (words::fact(&dispute.fact)) }
                    ul class="sides" {
                        @for side in &dispute.sides {
                            li {
                                strong { (words::value(names, &dispute.fact, &side.value)) }
                                @for by in &side.by { div class="small" { (author(names, by)) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn visit_content(names: &Names, visit: &Visit, note: &ReviewNote) -> Markup {
    let at_once = |name: &str| note.concurrent.iter().any(|field| field.strip_prefix("text/") == Some(name));
    let known = TEXT_FIELDS.iter().copied();
    let further = visit.text.keys().map(String::as_str).filter(|name| !TEXT_FIELDS.contains(name));
    html! {
        section aria-labelledby="activities" {
            h2 id="activities" { "Activities" }
            @if visit.activities.is_empty() { p class="card" { "None recorded." } }
            @for activity in visit.activities.values() { (self::activity(names, activity)) }
            @if visit.check_in.is_some() || visit.check_out.is_some() {
                p class="small" {
                    @if let Some(at) = visit.check_in { "Came in " (at.hour_minute()) ". " }
                    @if let Some(at) = visit.check_out { "Left " (at.hour_minute()) "." }
                }
            }
        }
        section aria-labelledby="text" {
            h2 id="text" { "Note" }
            div class="card" {
                @for name in known.chain(further) {
                    h3 { (title(name)) @if at_once(name) {
                        " " span class="tag advice" { "two tablets wrote here at once; both are kept" }
                    } }
                    @match visit.text.get(name).filter(|text| !text.is_empty()) {
                        Some(text) => p class="text" { (text) },
                        None => p class="small" { "empty" },
                    }
                }
                @if !visit.fields.is_empty() {
                    h3 { "Further fields" }
                    dl { @for (name, value) in &visit.fields { dt { (title(name)) } dd { (value) } } }
                }
                @if !visit.measures.is_empty() {
                    h3 { "Measures" }
                    dl { @for measure in visit.measures.values() { dt { (measure.name) } dd { (measure.value) } } }
                }
                h3 { "Diagnoses" }
                p { (agreed(&visit.diagnoses, |codes| codes.join(", "))) }
            }
        }
        (after_the_text(names, visit, &note.stale_signatures))
    }
}

fn after_the_text(names: &Names, visit: &Visit, stale: &[EntryId]) -> Markup {
    html! {
        section aria-labelledby="signatures" {
            h2 id="signatures" { "Signatures" }
            @if visit.signatures.is_empty() { p class="card" { "Not signed." } }
            @for (id, signature) in &visit.signatures { (self::signature(names, signature, stale.contains(id))) }
        }
        @if !visit.amendments.is_empty() {
            section aria-labelledby="amendments" {
                h2 id="amendments" { "Added after signing" }
                @for amendment in visit.amendments.values() {
                    div class="card" {
                        p { span class="tag advice" { (title(&amendment.kind)) } " " span class="small" { (author(names, &amendment.by)) } }
                        p class="text" { (amendment.text) }
                        p class="small" { "Why: " (amendment.reason) }
                    }
                }
            }
        }
        @if !visit.comments.is_empty() {
            section aria-labelledby="comments" {
                h2 id="comments" { "Comments" }
                @for comment in visit.comments.values() {
                    div class="card" {
                        p class="text" { (comment.text) }
                        p class="small" { "On " (comment.anchor) " · " (author(names, &comment.by)) }
                    }
                }
            }
        }
    }
}

fn activity(names: &Names, activity: &Activity) -> Markup {
    let name = activity.fields.get("description").cloned();
    let name = name.filter(|name| !name.is_empty()).unwrap_or_else(|| activity.techniques.join(", "));
    html! {
        div class="card" {
            h3 { (if name.is_empty() { "Activity".to_owned() } else { name }) }
            ul class="plain" { @for register in activity.segments.values() { li { (stretch(names, register)) } } }
            @if !activity.techniques.is_empty() { p class="small" { "Techniques: " (activity.techniques.join(", ")) } }
            @if !activity.fields.is_empty() {
                dl { @for (name, value) in &activity.fields { dt { (title(name)) } dd { (value) } } }
            }
        }
    }
}

fn stretch(names: &Names, register: &Register<SegmentValue>) -> Markup {
    let open: Vec<VersionId> = register.open().iter().map(|version| version.id).collect();
    html! {
        @match register.fact() {
            Fact::Missing => "without values",
            Fact::Agreed(value) => (words::segment(names, &value)),
            Fact::Disputed(sides) => {
                span class="tag dispute" { "⇄ disputed" } " "
                (sides.iter().map(|side| words::segment(names, &side.value)).collect::<Vec<_>>().join(" or "))
            }
        }
        @if register.versions().len() > 1 {
            details {
                summary { "All " (register.versions().len()) " versions" }
                ul { @for version in register.versions() { li {
                    (words::segment(names, &version.value))
                    @if !open.contains(&version.id) { " " span class="small" { "(replaced)" } }
                    div class="small" {
                        (author(names, &version.by))
                        @if let Some(reason) = &version.reason { ": " (reason) }
                    }
                } } }
            }
        }
    }
}

fn signature(names: &Names, signature: &Signature, stale: bool) -> Markup {
    html! {
        div class="card" {
            p {
                span class="tag good" { "✓ " (if signature.meaning == "co_sign" { "Co-signed" } else { "Signed" }) }
                " " (author(names, &signature.by)) @if !signature.credentials.is_empty() { ", " (signature.credentials) }
            }
            @if stale { p { span class="tag warning" { "The note has changed since" } } }
            @if !signature.billing_view.is_empty() { p class="small" { "Shown when signing: " (signature.billing_view) } }
            @if signature.open_disputes > 0 { p class="small" { (signature.open_disputes) " open disputes were shown." } }
            details { summary { "The text as signed" } pre class="text" { (signature.content) } }
        }
    }
}

fn episode_head(names: &Names, episode: &Episode) -> Markup {
    html! {
        h1 { (episode.patient.map_or_else(|| "No patient yet".to_owned(), |id| names.patient(id))) }
        p class="sub" { "Episode of care · " (agreed(&episode.payer, ToString::to_string)) }
    }
}

fn episode_content(episode: &Episode) -> Markup {
    html! {
        section class="card" aria-labelledby="plan" {
            h2 id="plan" { "Plan of care" }
            dl {
                dt { "Diagnoses" } dd { (agreed(&episode.diagnoses, |codes| codes.join(", "))) }
                @if let Some(date) = episode.started_on { dt { "Began" } dd { (date) } }
                @for (name, value) in &episode.fields { dt { (title(name)) } dd { (value) } }
            }
            h3 { "Goals" }
            ul { @for goal in episode.goals.values() {
                li {
                    (goal.task)
                    @for (name, value) in [("from", &goal.baseline), ("to", &goal.target), ("status", &goal.status)] {
                        @if let Some(value) = value { " · " (name) " " (value) }
                    }
                }
            } }
        }
    }
}

fn history(names: &Names, note: &ReviewNote) -> Markup {
    html! {
        section aria-labelledby="history" {
            h2 id="history" { "History" }
            div class="card scroll" tabindex="0" role="region" aria-label="History" {
                table {
                    thead { tr {
                        th scope="col" { "On the tablet" } th scope="col" { "Received" } th scope="col" { "Who" }
                        th scope="col" { "Tablet" } th scope="col" { "What" }
                    } }
                    tbody {
                        @for line in &note.history {
                            @let by = &line.entry.by;
                            tr {
                                td { (names.time(by.at)) }
                                td { (line.received_at.map_or_else(|| "–".to_owned(), |at| names.time(at))) }
                                td { (names.person(by.person)) }
                                td { (names.device(by.device)) }
                                td { (words::did(&line.entry.did)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// A field's name as a heading: `home_program` becomes `Home program`.
fn title(name: &str) -> String {
    let words = name.replace(['_', '.'], " ");
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
