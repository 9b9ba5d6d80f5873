//! The system tests: the parts of the house together, from outside. One binary, one module a subject.

    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
#![allow(
)]
mod bad_input;
mod day;
mod demo;
mod house;
mod kill;
mod reconnect;
mod support;
mod tablet;
mod worked_example;
