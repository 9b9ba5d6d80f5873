//! The system tests: the parts of the house together, from outside. One binary, one module a subject.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, its helpers too"
)]

mod again;
mod any_order;
mod apart;
mod bad_input;
mod caseload;
mod day;
mod demo;
mod ended;
mod hostile;
mod house;
mod kill;
mod quarantine;
mod reconnect;
mod rogue;
mod sim;
mod sites;
mod slow;
mod support;
mod tablet;
mod worked_example;
