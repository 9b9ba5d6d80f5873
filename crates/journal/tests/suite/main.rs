//! The journal under everything that can happen to a disk: power cuts, refused calls, rot. One program,
//! so that its parts share what they write and read.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests: a failed step is a failed test"
)]

mod common;
mod crash;
mod damage;
mod faults;
