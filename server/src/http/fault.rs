//! What an HTTP caller is told when something does not work: a code for programs, a sentence for people,
//! and nothing about the inside. docs/http-api.md lists the codes; they are added to, never renamed.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hub::HubError;
use serde_json::json;

use crate::datadir::DataError;
use crate::driver::DriverError;

/// Why a request was not served.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    /// No valid proof, or none at all; the two are not told apart.
    #[error("This needs a valid token or session.")]
    Unauthorized,
    /// A valid proof of somebody who may not do this.
    #[error("This is not open to your role.")]
    Forbidden,
    /// There is nothing here.
    #[error("There is nothing here by that name.")]
    NotFound,
    /// There is something here, but not by this method.
    #[error("This address does not take that method.")]
    WrongMethod,
    /// The request does not fit; the sentence says why.
    #[error("{0}")]
    Bad(String),
    /// The request's body is over the limit.
    #[error("The request is larger than {0} bytes.")]
    TooLarge(usize),
    /// The request took too long.
    #[error("The request took too long.")]
    TooSlow,
    /// Too many failed proofs lately.
    #[error("Too many attempts failed lately; wait a minute and try again.")]
    TooMany,
    /// The hub declined the act; the sentence says why.
    #[error("{0}")]
    Declined(String),
    /// The server cannot do this now.
    #[error("{0}")]
    Unavailable(String),
    /// Something is wrong inside; the log says what.
    #[error("Something went wrong inside the server; its log says what.")]
    Internal,
}

impl Fault {
    pub(crate) fn status_and_code(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Unauthorized => (StatusCode::UNAUTHORIZED, "unauthorized"),
            Self::Forbidden => (StatusCode::FORBIDDEN, "forbidden"),
            Self::NotFound => (StatusCode::NOT_FOUND, "not_found"),
            Self::WrongMethod => (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed"),
            Self::Bad(_) => (StatusCode::BAD_REQUEST, "bad_request"),
            Self::TooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, "too_large"),
            Self::TooSlow => (StatusCode::REQUEST_TIMEOUT, "too_slow"),
            Self::TooMany => (StatusCode::TOO_MANY_REQUESTS, "too_many_attempts"),
            Self::Declined(_) => (StatusCode::CONFLICT, "declined"),
            Self::Unavailable(_) => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
        }
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let (status, code) = self.status_and_code();
        let body = Json(json!({"error": {"code": code, "sentence": self.to_string()}}));
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        match status {
            StatusCode::UNAUTHORIZED => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            StatusCode::TOO_MANY_REQUESTS => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("60"));
            }
            _ => {}
        }
        response
    }
}

impl From<HubError> for Fault {
    fn from(error: HubError) -> Self {
        match error {
            HubError::Refused(sentence) => Self::Declined(sentence),
            HubError::ReadOnly(_) => {
                Self::Unavailable("The record cannot be written until the server is started again.".into())
            }
            HubError::Record(_) | HubError::Store(_) => {
                tracing::error!(reason = %error, "the record could not be read");
                Self::Internal
            }
        }
    }
}

impl From<DriverError> for Fault {
    fn from(error: DriverError) -> Self {
        match error {
            DriverError::Hub(error) => error.into(),
            DriverError::NotSaved(_) => {
                Self::Unavailable("It could not be saved: the record cannot be written.".into())
            }
            DriverError::Stopped => Self::Unavailable("The server is stopping.".into()),
        }
    }
}

impl From<DataError> for Fault {
    fn from(error: DataError) -> Self {
        tracing::error!(reason = %error, "a file of the data directory failed");
        Self::Internal
    }
}
