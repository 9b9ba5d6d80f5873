//! The real binary, over real sockets and files: what it answers, what it refuses, how it starts and
//! stops. Nothing here looks inside the process.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the helpers of the tests fail as the tests themselves do"
)]

#[path = "edge/clinic.rs"]
mod clinic;
#[path = "edge/commands.rs"]
mod commands;
#[path = "edge/http.rs"]
mod http;
#[path = "edge/lifecycle.rs"]
mod lifecycle;
#[path = "edge/rules.rs"]
mod rules;
#[path = "edge/sockets.rs"]
mod sockets;
