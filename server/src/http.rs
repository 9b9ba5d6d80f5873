//! The HTTP face: which address is answered by what, and the habits every answer shares.
//!
//! No endpoint answers a stranger, but for whether the server lives, the sign-in form, a tablet's
//! one-time code, another clinic's one-time code, and the WebSockets, whose first frames are the proof.

mod admin;
mod body;
mod caseload;
mod enrol;
mod fault;
mod guard;
mod health;
mod quarantine;
mod review;
mod sign_in;
mod site;
mod sites;
mod sync;

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Request};
use axum::http::header::{HeaderName, HeaderValue};
use axum::http::{Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::{Router, routing};

use crate::app::App;
use crate::limits;
use fault::Fault;

const STYLE: &str = include_str!("pages/style.css");

/// Every address of the server.
pub fn router(app: Arc<App>) -> Router {
    let timed = Router::new()
        .nest("/v1/admin", admin::routes())
        .nest("/v1/admin/quarantine", quarantine::routes())
        .nest("/v1/admin/sites", sites::routes())
        .nest("/v1/admin/caseload", caseload::routes())
        .merge(review::routes())
        .route("/v1/enrol", routing::post(enrol::enrol))
        .route("/v1/sites/pair", routing::post(site::pair))
        .route("/healthz", routing::get(health::healthz))
        .route("/readyz", routing::get(health::readyz))
        .route("/metrics", routing::get(health::metrics))
        .route("/sign-in", routing::get(sign_in::form).post(sign_in::sign_in))
        .route("/sign-out", routing::post(sign_in::sign_out))
        .route("/style.css", routing::get(style))
        .fallback(elsewhere)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(limits::BODY_BYTES))
        .layer(middleware::from_fn(in_time));
    Router::new()
        .route("/v1/sync", routing::get(sync::upgrade))
        .route("/v1/site", routing::get(site::upgrade))
        .merge(timed)
        .layer(middleware::from_fn(habits))
        .with_state(app)
}

async fn style() -> Response {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], STYLE).into_response()
}

/// A stranger is not told which addresses there are.
async fn elsewhere() -> Fault {
    Fault::Unauthorized
}

async fn wrong_method(method: Method) -> Fault {
    tracing::debug!(%method, "a request by the wrong method");
    Fault::WrongMethod
}

/// Ends a request that takes too long, whoever is slow.
async fn in_time(request: Request, next: Next) -> Response {
    match tokio::time::timeout(limits::REQUEST_TIME, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Fault::TooSlow.into_response(),
    }
}

const HABITS: [(&str, &str); 7] = [
    (
        "content-security-policy",
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'",
    ),
    ("cache-control", "no-store"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
];

/// Headers of every answer.
async fn habits(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        for (name, value) in HABITS {
            let headers = response.headers_mut();
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
    }
    response
}
