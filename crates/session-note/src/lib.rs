//! session-note
