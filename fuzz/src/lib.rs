//! What must survive any bytes: five targets, each a function of an input that panics when a promise
//! is broken, with their corpora and a seeded mutator. The same functions run as tests, as long runs on
//! a stable compiler (`cargo xtask fuzz`) and under libFuzzer's guidance. Nothing here is part of the
//! product.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a target fails by panicking"
)]

#[path = "../../crates/session-note/tests/gate/chunks.rs"]
mod chunks;
pub mod corpus;
mod frame;
mod gate;
mod journal;
mod mutate;
mod prescan;
pub mod run;
mod stored;
#[allow(dead_code, reason = "a part of the tests' people is enough here")]
#[path = "../../crates/session-note/tests/gate/ward.rs"]
mod ward;

/// What is fuzzed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The whole gate, on changes with repaired lengths and checksums.
    Gate,
    /// The door's reading of a change, beside the document engine's.
    Prescan,
    /// The frame decoder, and both machines of the protocol behind it.
    Frame,
    /// Opening a journal of damaged files, without and with a second copy.
    Journal,
    /// Opening a store of damaged files, its journal's and its index's.
    Store,
}

impl Target {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Gate, Self::Prescan, Self::Frame, Self::Journal, Self::Store];

    /// Its name on the command line and in the corpus.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gate => "gate",
            Self::Prescan => "prescan",
            Self::Frame => "frame",
            Self::Journal => "journal",
            Self::Store => "store",
        }
    }

    /// The target of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|target| target.name() == name)
    }

    /// Runs it on one input. Panics if a promise is broken; otherwise says in a word what became of the
    /// input, so that a run can tell whether it reached anything.
    pub fn run(self, input: &[u8]) -> String {
        match self {
            Self::Gate => gate::run(input),
            Self::Prescan => prescan::run(input),
            Self::Frame => frame::run(input),
            Self::Journal => journal::run(input),
            Self::Store => stored::run(input),
        }
    }

    /// Inputs made of real work, by name: what the corpus begins with.
    pub fn seeds(self) -> Vec<(String, Vec<u8>)> {
        match self {
            Self::Gate => gate::seeds(),
            Self::Prescan => prescan::seeds(),
            Self::Frame => frame::seeds(),
            Self::Journal => journal::seeds(),
            Self::Store => stored::seeds(),
        }
    }
}
