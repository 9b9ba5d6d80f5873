//! Signing in to the pages with a person's access token, and out again.

use std::sync::Arc;

use axum::extract::{Form, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::fault::Fault;
use super::guard::{COOKIE_NAME, session_secret};
use crate::access::SessionSecret;
use crate::app::App;
use crate::limits;
use crate::pages;

#[derive(Deserialize)]
pub(crate) struct SignIn {
    token: String,
}

/// The form.
pub(crate) async fn form() -> Response {
    Html(pages::sign_in(None).into_string()).into_response()
}

/// Begins a session; a wrong token gets the form again.
pub(crate) async fn sign_in(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    form: Result<Form<SignIn>, axum::extract::rejection::FormRejection>,
) -> Result<Response, Fault> {
    if app.access.is_guessed_at() {
        return Err(Fault::TooMany);
    }
    let Ok(Form(SignIn { token })) = form else {
        return Err(Fault::Bad("The form holds one field, `token`.".into()));
    };
    if comes_from_elsewhere(&headers) {
        return Err(Fault::Forbidden);
    }
    let Some((SessionSecret(secret), person)) = app.access.sign_in(token.trim()) else {
        app.access.note_failure();
        tracing::warn!("a sign-in failed");
        let page = pages::sign_in(Some("That is no valid access token."));
        return Ok((StatusCode::UNAUTHORIZED, Html(page.into_string())).into_response());
    };
    tracing::info!(%person, "a person signed in");
    let life = limits::SESSION_LIFE.as_secs();
    Ok(with_cookie(&secret, life, app.secure_cookies))
}

/// Ends the session.
pub(crate) async fn sign_out(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    if let Some(secret) = session_secret(&headers) {
        app.access.sign_out(secret);
    }
    with_cookie("", 0, app.secure_cookies)
}

/// Browsers say where a request comes from; a form on another site must not sign anybody in.
fn comes_from_elsewhere(headers: &HeaderMap) -> bool {
    let site = headers.get("sec-fetch-site").and_then(|value| value.to_str().ok());
    site.is_some_and(|site| !matches!(site, "same-origin" | "none"))
}

fn with_cookie(secret: &str, max_age: u64, secure: bool) -> Response {
    let secure = if secure { "; Secure" } else { "" };
    let cookie =
        format!("{COOKIE_NAME}={secret}; Path=/; HttpOnly; SameSite=Strict; Max-Age={max_age}{secure}");
    let mut response = Redirect::to("/").into_response();
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}
