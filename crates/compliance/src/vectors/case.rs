//! What running one case answers. Runs none.

/// How one case came out.
pub(crate) type CaseResult = Result<(), (String, String)>;
