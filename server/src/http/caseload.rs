//! The administrator's interface to caseloads that change hands: look first, then act, and read what was done.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Json, Router, routing};
use hub::{TransferAct, TransferPreview, TransferWish};
use serde_json::{Value, json};

use super::body::Body;
use super::fault::Fault;
use super::guard::Admin;
use crate::api::Entered;
use crate::app::App;

type Shared = State<Arc<App>>;

/// The routes under `/v1/admin/caseload`.
pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/", routing::get(list))
        .route("/preview", routing::post(preview))
        .route("/transfer", routing::post(transfer))
}

async fn list(_: Admin, State(app): Shared) -> Result<Json<Value>, Fault> {
    let transfers = app.driver.ask(|desk| desk.hub.transfers()).await?;
    Ok(Json(json!({ "transfers": transfers })))
}

/// What a transfer would move. Changes nothing.
async fn preview(
    _: Admin,
    State(app): Shared,
    Body(wish): Body<TransferWish>,
) -> Result<Json<TransferPreview>, Fault> {
    let ask = move |desk: &mut crate::driver::Desk<'_>| {
        desk.hub.preview_transfer(desk.now, desk.entropy, desk.reader, &wish)
    };
    Ok(Json(app.driver.ask(ask).await??))
}

/// Hands patients over, once whatever is sent again.
async fn transfer(
    _: Admin,
    State(app): Shared,
    Body(act): Body<TransferAct>,
) -> Result<(StatusCode, Json<Entered>), Fault> {
    let (id, by) = (act.act, act.by);
    app.driver
        .act(move |desk| Ok((desk.hub.transfer(desk.now, desk.entropy, desk.reader, act)?, ())))
        .await?;
    tracing::info!(transfer = %id, person = %by, "a caseload was handed over");
    Ok((StatusCode::CREATED, Json(Entered { id: id.to_string() })))
}
