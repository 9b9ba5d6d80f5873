//! The findings.
pub(crate) const CHECKS_PUSHED: &[&str] = &[];
