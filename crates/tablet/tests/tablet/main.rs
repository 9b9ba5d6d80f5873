//! The tablet against a real store and a clinic that speaks the real protocol.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail loudly"
)]

mod drafts;
mod feed;
mod fence;
mod hostile;
mod safe;
mod twins;
mod verdicts;
mod world;
