//! The simulator: a whole clinic, or several that follow each other (servers, tablets, network, disks, people,
//! clocks) in one thread, from one number. The real hub, the real tablets, the real journal over a modelled disk; no copies, no mocks.
//! `docs/testing.md` says how to run it and how to replay a seed.
//!
//! Reading direction: [`world`] is the clock and the queue, `cast` says who is in it; [`transition`] lists what
//! can happen, `desk` (people at tablets), `sharing` (what clinics agree on) and `happenings` (everything else) do
//! it; `server` and `machine` drive the machines, `delivery` and `lines` join them; `net` and `disk` carry and keep.
//!
//! `reference` remembers what people did and were told; `assertions` holds the promises against it, clinic by
//! clinic, with the log read by `log`, `truth` and `roster` as the witness (`effects`, `disputes`, `holdings`, `order`,
//! `reports`), `between` those that join clinics; [`plant`] breaks things on purpose, through `tamper` and `gate`.
//!
//! Time and chance come from the seed alone: a failing seed replays exactly.

mod assertions;
mod between;
mod cast;
mod clinic;
mod delivery;
mod desk;
mod dice;
mod disk;
mod disputes;
mod effects;
mod gate;
mod happenings;
mod holdings;
mod lines;
mod log;
mod machine;
mod net;
mod order;
mod people;
pub mod plant;
mod reference;
mod reports;
mod roster;
mod server;
mod sharing;
mod tamper;
mod trace;
pub mod transition;
mod truth;
pub mod violation;
pub mod world;

pub use cast::Kind;
pub use plant::Plant;
pub use violation::{Promise, Violation};
pub use world::{Options, Outcome, Tally, run};
