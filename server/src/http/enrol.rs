//! A tablet enrols itself: a one-time code and its public key go in, its id and the site's key come out.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use hub::{Enrolment, HubError};

use super::body::Body;
use super::fault::Fault;
use crate::api::EnrolInput;
use crate::app::App;
use crate::driver::DriverError;

/// Longest code that is looked at, in bytes.
const CODE_BYTES: usize = 100;

/// Enrols a tablet. A wrong, used and expired code get the same answer.
pub(crate) async fn enrol(
    State(app): State<Arc<App>>,
    Body(EnrolInput { code, public_key }): Body<EnrolInput>,
) -> Result<Json<Enrolment>, Fault> {
    if app.access.is_guessed_at() {
        return Err(Fault::TooMany);
    }
    if code.len() > CODE_BYTES {
        app.access.note_failure();
        return Err(Fault::Unauthorized);
    }
    let enrolled = app
        .driver
        .act(move |desk| desk.hub.enrol(desk.now, desk.entropy, desk.reader, &code, *public_key.as_bytes()))
        .await;
    match enrolled {
        Ok(enrolment) => {
            tracing::info!(device = %enrolment.device, "a tablet was enrolled");
            Ok(Json(enrolment))
        }
        Err(DriverError::Hub(HubError::Refused(sentence))) => {
            app.access.note_failure();
            tracing::warn!(reason = sentence, "an enrolment was refused");
            Err(Fault::Unauthorized)
        }
        Err(error) => Err(error.into()),
    }
}
