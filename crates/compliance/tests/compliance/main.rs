//! The engine, tested from outside: facts or lines in, reports out. One program, so that a change of the
//! engine links its tests once. Reads no clock and no network.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail by panicking"
)]

mod any_facts;
mod assess;
mod billing;
mod claim_mutants;
mod course;
mod disputes;
mod edges;
mod examples;
mod figures;
mod mutants;
mod new_rules;
mod official;
mod rulebook;
mod schema;
mod statements;
mod unit_laws;
