//! Another clinic at the door: pairing by a one-time code, and the line over which both follow each other.

use std::sync::Arc;

use axum::Json;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{Query, State};
use axum::response::Response;
use chart::ids::ClinicId;
use hub::{HubError, Introduction};
use serde::Deserialize;

use super::body::Body;
use super::fault::Fault;
use super::sync;
use crate::api::PairInput;
use crate::app::App;
use crate::driver::DriverError;
use crate::limits;

/// Longest code that is looked at, in bytes.
const CODE_BYTES: usize = 100;

/// Who says to be calling; the line proves it.
#[derive(Debug, Deserialize)]
pub(crate) struct Caller {
    clinic: ClinicId,
}

/// Opens a line with a paired clinic. Both ends prove themselves in their first frames.
pub(crate) async fn upgrade(
    State(app): State<Arc<App>>,
    Query(Caller { clinic }): Query<Caller>,
    upgrade: WebSocketUpgrade,
) -> Result<Response, Fault> {
    let Ok(place) = Arc::clone(&app.sockets).try_acquire_owned() else {
        return Err(Fault::Unavailable("Too many connections are open; try again soon.".to_owned()));
    };
    let driver = app.driver.clone();
    let upgrade = upgrade.max_message_size(limits::LINE_FRAME_BYTES).max_frame_size(limits::LINE_FRAME_BYTES);
    Ok(upgrade.on_upgrade(move |socket| async move {
        if let Some((connection, outgoing)) = driver.connect_clinic(clinic).await {
            sync::carry(socket, driver, connection, outgoing).await;
        }
        drop(place);
    }))
}

/// Pairs with a clinic that brings a code. A wrong, used and expired code get the same answer.
pub(crate) async fn pair(
    State(app): State<Arc<App>>,
    Body(PairInput { code, introduction }): Body<PairInput>,
) -> Result<Json<Introduction>, Fault> {
    if app.access.is_guessed_at() {
        return Err(Fault::TooMany);
    }
    if code.len() > CODE_BYTES {
        app.access.note_failure();
        return Err(Fault::Unauthorized);
    }
    let clinic = introduction.clinic;
    let paired = app
        .driver
        .act(move |desk| {
            let ticket = desk.hub.pair_by_code(desk.now, desk.entropy, desk.reader, &code, introduction)?;
            Ok((ticket, desk.hub.introduction(None)))
        })
        .await;
    match paired {
        Ok(introduction) => {
            tracing::info!(%clinic, "a clinic was paired");
            Ok(Json(introduction))
        }
        Err(DriverError::Hub(HubError::Refused(sentence))) => {
            app.access.note_failure();
            tracing::warn!(reason = sentence, "a pairing was refused");
            Err(Fault::Unauthorized)
        }
        Err(error) => Err(error.into()),
    }
}
