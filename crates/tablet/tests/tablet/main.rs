//! The tablet against a real store and a clinic that speaks the real protocol.

mod drafts;
mod feed;
mod safe;
mod verdicts;
mod world;
