//! Reading a request's JSON body. The answer to a malformed one names the place, never the content.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use serde::de::DeserializeOwned;

use super::fault::Fault;
use crate::limits;

/// A JSON body of a known shape.
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Fault;

    async fn from_request(request: Request, state: &S) -> Result<Self, Fault> {
        let bytes =
            Bytes::from_request(request, state).await.map_err(|_| Fault::TooLarge(limits::BODY_BYTES))?;
        serde_json::from_slice(&bytes).map(Body).map_err(|error| Fault::Bad(sentence(&error)))
    }
}

/// What is wrong, without quoting what was sent.
fn sentence(error: &serde_json::Error) -> String {
    let place = format!("line {}, column {}", error.line(), error.column());
    let words = error.to_string();
    let said = ["missing field", "unknown field"].iter().find(|start| words.starts_with(**start));
    match said {
        // The name of an unknown field comes from the sender; only known names are repeated.
        Some(&"missing field") => {
            let name = words.split('`').nth(1).unwrap_or("a field");
            format!("The body lacks the field `{name}` ({place}).")
        }
        Some(_) => format!("The body has a field that is not known here ({place})."),
        None if error.is_data() => format!("The body has a value of the wrong kind ({place})."),
        None => format!("The body is not JSON ({place})."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::TokenInput;

    #[test]
    fn a_wrong_body_is_explained_without_being_quoted() {
        for (body, expected) in [
            ("{}", "The body lacks the field `person` (line 1, column 2)."),
            ("{\"person\":\"secret\"}", "The body has a value of the wrong kind (line 1, column 18)."),
            ("{\"secret\":1}", "The body has a field that is not known here (line 1, column 9)."),
            ("{secret", "The body is not JSON (line 1, column 2)."),
        ] {
            let error = serde_json::from_str::<TokenInput>(body).unwrap_err();
            assert_eq!(sentence(&error), expected);
        }
    }
}
