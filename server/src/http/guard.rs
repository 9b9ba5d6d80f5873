//! Who may pass: proofs are taken from the request here and nowhere else, and a handler that needs one
//! asks for it by type.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, COOKIE};
use axum::http::request::Parts;
use chart::ids::PersonId;
use chart::reference::Role;

use super::fault::Fault;
use crate::access::Caller;
use crate::app::App;

/// The name of the session's cookie.
pub(crate) const COOKIE_NAME: &str = "gaitway_session";

/// Holds the administrator's token.
pub(crate) struct Admin;

/// May read metrics.
pub(crate) struct MetricsReader;

/// A person who may review notes: an active supervisor or auditor.
pub(crate) struct Reviewer {
    /// Who.
    pub(crate) person: PersonId,
    /// The name, for the page's header.
    pub(crate) name: String,
}

/// The session secret of a request, if it carries one.
pub(crate) fn session_secret(headers: &HeaderMap) -> Option<&str> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == COOKIE_NAME)
        .map(|(_, secret)| secret)
}

fn caller(parts: &Parts, app: &App) -> Result<Caller, Fault> {
    let caller = match parts.headers.get(AUTHORIZATION) {
        Some(value) => {
            let token = value.to_str().ok().and_then(|text| text.strip_prefix("Bearer "));
            token.and_then(|token| app.access.bearer(token.trim()))
        }
        None => {
            session_secret(&parts.headers).and_then(|secret| app.access.session(secret)).map(Caller::Person)
        }
    };
    caller.ok_or(Fault::Unauthorized)
}

impl FromRequestParts<Arc<App>> for Admin {
    type Rejection = Fault;
    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Fault> {
        match caller(parts, app)? {
            Caller::Admin => Ok(Self),
            Caller::Metrics | Caller::Person(_) => Err(Fault::Forbidden),
        }
    }
}

impl FromRequestParts<Arc<App>> for MetricsReader {
    type Rejection = Fault;
    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Fault> {
        match caller(parts, app)? {
            Caller::Admin | Caller::Metrics => Ok(Self),
            Caller::Person(_) => Err(Fault::Forbidden),
        }
    }
}

impl FromRequestParts<Arc<App>> for Reviewer {
    type Rejection = Fault;
    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Fault> {
        let Caller::Person(person) = caller(parts, app)? else { return Err(Fault::Forbidden) };
        let found = app
            .driver
            .ask(move |desk| desk.hub.directory().people.get(&person).cloned())
            .await?
            .filter(|found| !found.inactive)
            .ok_or(Fault::Unauthorized)?;
        let may = [Role::Supervisor, Role::Auditor].iter().any(|role| found.roles.contains(role));
        if may { Ok(Self { person, name: found.name }) } else { Err(Fault::Forbidden) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_session_is_found_among_other_cookies() {
        for (cookie, expected) in [
            ("gaitway_session=abc", Some("abc")),
            ("a=b; gaitway_session=abc; c=d", Some("abc")),
            ("xgaitway_session=abc", None),
            ("", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(COOKIE, cookie.parse().unwrap());
            assert_eq!(session_secret(&headers), expected, "{cookie}");
        }
    }
}
