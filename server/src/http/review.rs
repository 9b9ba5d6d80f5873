//! For supervisors and auditors: the queue, a note, its report and the quarantine, as JSON and as pages.
//! Read-only; every look is logged with who and what, by ids.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::response::{Html, IntoResponse, Response};
use axum::{Json, Router, routing};
use chart::ids::{DocumentId, PersonId};
use chart::report::Published;
use hub::{QuarantineRow, QueueRow, ReviewNote};
use maud::Markup;
use serde::Deserialize;
use serde_json::{Value, json};

use super::fault::Fault;
use super::guard::Reviewer;
use crate::app::App;
use crate::limits;
use crate::pages::{self, Overview, Reader};
use crate::view::{Names, NoteView};

type Shared = State<Arc<App>>;

/// Rows of the quarantine on a page.
const HELD_ROWS: usize = 50;

/// The routes of the review interface and its pages.
pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/v1/review/queue", routing::get(queue))
        .route("/v1/review/notes/{id}", routing::get(note))
        .route("/v1/review/notes/{id}/report", routing::get(report))
        .route("/v1/review/quarantine", routing::get(quarantine))
        .route("/", routing::get(overview_page))
        .route("/review", routing::get(queue_page))
        .route("/review/notes/{id}", routing::get(note_page))
}

#[derive(Deserialize)]
struct Slice {
    before: Option<u64>,
    limit: Option<usize>,
}

impl Slice {
    fn limit(&self) -> usize {
        self.limit.unwrap_or(limits::ROWS).clamp(1, limits::ROWS_MAX)
    }
}

type Rows = Result<Query<Slice>, axum::extract::rejection::QueryRejection>;

fn slice(rows: Rows) -> Result<Slice, Fault> {
    let Query(slice) = rows.map_err(|_| Fault::Bad("`before` and `limit` are whole numbers.".to_owned()))?;
    Ok(slice)
}

/// The place to go on from, if the list may go on.
fn next_of(rows: &[QueueRow], limit: usize) -> Option<u64> {
    let smallest = rows.iter().map(|row| row.seq).min()?;
    (rows.len() >= limit && smallest > 1).then_some(smallest)
}

fn saw(person: PersonId, what: &'static str, document: Option<DocumentId>) {
    match document {
        Some(document) => tracing::info!(%person, %document, what, "a reviewer looked"),
        None => tracing::info!(%person, what, "a reviewer looked"),
    }
}

async fn queue(reviewer: Reviewer, State(app): Shared, rows: Rows) -> Result<Json<Value>, Fault> {
    let slice = slice(rows)?;
    let (before, limit) = (slice.before, slice.limit());
    let rows = app.driver.ask(move |desk| desk.hub.queue(desk.reader, before, limit)).await??;
    saw(reviewer.person, "queue", None);
    let next = next_of(&rows, limit);
    Ok(Json(json!({ "rows": rows, "next": next })))
}

fn document(id: &str) -> Result<DocumentId, Fault> {
    id.parse().map_err(|_| Fault::NotFound)
}

async fn note(
    reviewer: Reviewer,
    State(app): Shared,
    Path(id): Path<String>,
) -> Result<Json<ReviewNote>, Fault> {
    let id = document(&id)?;
    let note = app.driver.ask(move |desk| desk.hub.note(desk.reader, id)).await??;
    saw(reviewer.person, "note", Some(id));
    note.map(Json).ok_or(Fault::NotFound)
}

async fn report(
    reviewer: Reviewer,
    State(app): Shared,
    Path(id): Path<String>,
) -> Result<Json<Published>, Fault> {
    let id = document(&id)?;
    let report = app.driver.ask(move |desk| desk.hub.report(desk.reader, id)).await??;
    saw(reviewer.person, "report", Some(id));
    report.map(Json).ok_or(Fault::NotFound)
}

async fn quarantine(reviewer: Reviewer, State(app): Shared, rows: Rows) -> Result<Json<Value>, Fault> {
    let limit = slice(rows)?.limit();
    let rows = app.driver.ask(move |desk| desk.hub.quarantine(desk.reader, limit)).await??;
    saw(reviewer.person, "quarantine", None);
    Ok(Json(json!({ "rows": rows })))
}

/// A page, or a page that says what went wrong. A stranger gets the sign-in form and nothing else.
fn page(made: Result<Markup, Fault>) -> Response {
    match made {
        Ok(page) => Html(page.into_string()).into_response(),
        Err(fault) => {
            let (status, _) = fault.status_and_code();
            let page = match fault {
                Fault::Unauthorized => pages::sign_in(None),
                other => pages::problem(&other.to_string()),
            };
            (status, Html(page.into_string())).into_response()
        }
    }
}

async fn overview_page(reviewer: Result<Reviewer, Fault>, State(app): Shared) -> Response {
    page(overview(reviewer, &app).await)
}

async fn overview(reviewer: Result<Reviewer, Fault>, app: &App) -> Result<Markup, Fault> {
    let reviewer = reviewer?;
    let (names, rows, held, tablets, metrics) = app
        .driver
        .ask(|desk| {
            let names = Names::of(desk.hub.directory());
            let rows = desk.hub.queue(desk.reader, None, limits::ROWS_MAX);
            let held = desk.hub.quarantine(desk.reader, limits::ROWS_MAX);
            let devices = desk.hub.directory().devices.values();
            let tablets = devices.filter(|device| device.revoked_at.is_none()).count();
            (names, rows, held, tablets, desk.hub.metrics())
        })
        .await?;
    let rows: Vec<QueueRow> = rows?;
    let held: Vec<QuarantineRow> = held?;
    saw(reviewer.person, "overview", None);
    let figures = Overview {
        blocked: rows.iter().filter(|row| !row.ready).count(),
        disputed: rows.iter().filter(|row| row.disputed).count(),
        ready: rows.iter().filter(|row| row.ready).count(),
        held: held.iter().filter(|row| row.open).count(),
        tablets,
        notes: rows.len(),
        writable: metrics.read_only == 0,
        seq: metrics.seq,
    };
    Ok(pages::overview(&Reader { name: &reviewer.name, clinic: &names.clinic }, &figures))
}

async fn queue_page(reviewer: Result<Reviewer, Fault>, State(app): Shared, rows: Rows) -> Response {
    page(queue_markup(reviewer, &app, rows).await)
}

async fn queue_markup(reviewer: Result<Reviewer, Fault>, app: &App, rows: Rows) -> Result<Markup, Fault> {
    let reviewer = reviewer?;
    let slice = slice(rows)?;
    let (before, limit) = (slice.before, slice.limit());
    let (names, rows, held) = app
        .driver
        .ask(move |desk| {
            let names = Names::of(desk.hub.directory());
            let rows = desk.hub.queue(desk.reader, before, limit);
            (names, rows, desk.hub.quarantine(desk.reader, HELD_ROWS))
        })
        .await?;
    let (rows, held) = (rows?, held?);
    saw(reviewer.person, "queue", None);
    let reader = Reader { name: &reviewer.name, clinic: &names.clinic };
    Ok(pages::queue(&reader, &names, &rows, next_of(&rows, limit), &held))
}

async fn note_page(
    reviewer: Result<Reviewer, Fault>,
    State(app): Shared,
    Path(id): Path<String>,
) -> Response {
    page(note_markup(reviewer, &app, &id).await)
}

async fn note_markup(reviewer: Result<Reviewer, Fault>, app: &App, id: &str) -> Result<Markup, Fault> {
    let reviewer = reviewer?;
    let id = document(id)?;
    let (mut names, note, report) = app
        .driver
        .ask(move |desk| {
            let names = Names::of(desk.hub.directory());
            let note = desk.hub.note(desk.reader, id);
            (names, note, desk.hub.report(desk.reader, id))
        })
        .await?;
    let (note, report) = (note?.ok_or(Fault::NotFound)?, report?);
    saw(reviewer.person, "note", Some(id));
    names.patients.clone_from(&note.patients);
    let view = NoteView::of(note, report);
    Ok(pages::note(&Reader { name: &reviewer.name, clinic: &names.clinic }, &names, &view))
}
