//! The simulator: a whole clinic (server, tablets, network, disks, people, clocks) in one thread, from one
//! number. The real hub, the real tablets, the real journal over a modelled disk; no copies, no mocks.
//! `docs/testing.md` says how to run it and how to replay a seed.
//!
//! Reading direction: [`world`] is the clock and the queue; [`transition`] lists what can happen,
//! `desk` (people) and `happenings` (everything else) do it; `server` and `machine` drive the machines, `delivery` joins them; `net` and `disk` carry and keep;
//! `reference` remembers what people did and were told; `assertions`, `order` and `reports` hold the promises
//! against it, with the log read by `log` as the witness; [`plant`] breaks things on purpose, one of them through `gate`.
//!
//! Time and chance come from the seed alone: a failing seed replays exactly.

mod assertions;
mod clinic;
mod delivery;
mod desk;
mod dice;
mod disk;
mod gate;
mod happenings;
mod log;
mod machine;
mod net;
mod order;
mod people;
pub mod plant;
mod reference;
mod reports;
mod server;
mod tamper;
mod trace;
pub mod transition;
pub mod violation;
pub mod world;

pub use plant::Plant;
pub use violation::{Promise, Violation};
pub use world::{Options, Outcome, Tally, run};
