//! Why a line cannot be answered, and the complaints its readers share.

use chart::code::ServiceCode;

/// Why a line cannot be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AssessError {
    /// A word for programs.
    pub(crate) code: &'static str,
    /// A sentence for people.
    pub(crate) sentence: String,
}

impl AssessError {
    pub(crate) fn new(code: &'static str, sentence: impl Into<String>) -> Self {
        Self { code, sentence: sentence.into() }
    }
}

/// A field that is not what it must be.
pub(super) fn wrong(field: &str, what: &str) -> AssessError {
    AssessError::new("bad_field", format!("`{field}` must be {what}."))
}

/// Reads a service code.
pub(super) fn code_of(text: &str) -> Result<ServiceCode, AssessError> {
    ServiceCode::parse(text).map_err(|error| AssessError::new("malformed_code", format!("{error}.")))
}
