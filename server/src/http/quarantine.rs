//! Work that was not admitted, for the administrator: the list, the evidence, and what a supervisor decides
//! about it. Every decision is answered after its commit is durable.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::{Json, Router, routing};
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::Body;
use super::fault::Fault;
use super::guard::Admin;
use crate::api::{Entered, ReleaseInput};
use crate::app::App;
use crate::driver::{Desk, DriverError};
use crate::limits;

type Shared = State<Arc<App>>;

/// The routes under `/v1/admin/quarantine`.
pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/", routing::get(quarantine))
        .route("/{seq}", routing::get(quarantined))
        .route("/release", routing::post(release))
        .route("/reject", routing::post(reject))
}

#[derive(Deserialize)]
struct Before {
    before: Option<u64>,
    limit: Option<usize>,
}

async fn quarantine(
    _: Admin,
    State(app): Shared,
    Query(Before { before, limit }): Query<Before>,
) -> Result<Json<Value>, Fault> {
    let limit = limit.unwrap_or(limits::ROWS).clamp(1, limits::ROWS_MAX);
    let ask = move |desk: &mut Desk<'_>| desk.hub.quarantine_before(desk.reader, before, limit);
    let rows = app.driver.ask(ask).await??;
    let next = (rows.len() == limit).then(|| rows.last().map(|row| row.seq)).flatten();
    Ok(Json(json!({ "quarantine": rows, "next": next })))
}

async fn quarantined(_: Admin, State(app): Shared, Path(seq): Path<u64>) -> Result<Json<Value>, Fault> {
    let found = app.driver.ask(move |desk| desk.hub.quarantined(desk.reader, seq)).await??;
    let found = found.ok_or(Fault::NotFound)?;
    tracing::info!(document = %found.row.document, seq, "work in quarantine was looked at");
    Ok(Json(json!(found)))
}

async fn release(
    _: Admin,
    State(app): Shared,
    Body(input): Body<ReleaseInput>,
) -> Result<Json<Entered>, Fault> {
    check_decision(&input)?;
    let (document, by, changes) = (input.document, input.by, input.hashes.len());
    app.driver
        .act(move |desk| {
            let hashes: Vec<_> = input.hashes.into_iter().collect();
            let Desk { hub, reader, now, entropy } = desk;
            let ticket =
                hub.release(*now, *entropy, *reader, input.document, &hashes, input.by, &input.reason)?;
            Ok((ticket, ()))
        })
        .await
        // While the record can be written, an act that fails was refused on its merits.
        .map_err(|error| match error {
            DriverError::NotSaved(sentence) if app.driver.is_ready() => Fault::Declined(sentence),
            error => error.into(),
        })?;
    tracing::info!(%document, person = %by, changes, "held work was released");
    Ok(Json(Entered { id: document.to_string() }))
}

async fn reject(
    _: Admin,
    State(app): Shared,
    Body(input): Body<ReleaseInput>,
) -> Result<Json<Entered>, Fault> {
    check_decision(&input)?;
    let (document, by, changes) = (input.document, input.by, input.hashes.len());
    app.driver
        .act(move |desk| {
            let hashes: Vec<_> = input.hashes.into_iter().collect();
            let Desk { hub, reader, now, entropy } = desk;
            let ticket =
                hub.reject(*now, *entropy, *reader, input.document, &hashes, input.by, &input.reason)?;
            Ok((ticket, ()))
        })
        .await?;
    tracing::info!(%document, person = %by, changes, "held work was rejected");
    Ok(Json(Entered { id: document.to_string() }))
}

fn check_decision(input: &ReleaseInput) -> Result<(), Fault> {
    if input.reason.trim().is_empty() {
        return Err(Fault::Bad("a decision needs a reason".into()));
    }
    if input.hashes.is_empty() {
        return Err(Fault::Bad("a decision names at least one change".into()));
    }
    Ok(())
}
