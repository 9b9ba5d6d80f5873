//! The protocol, tested from outside: its bytes, its laws, and two machines joined in memory under a
//! clock that is pushed. No socket, no real time.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a helper that finds nothing to work with fails its test"
)]

mod bytes_on_the_wire;
mod codec_laws;
mod credit;
mod greeting;
mod packed;
mod pair;
mod samples;
mod trouble;
