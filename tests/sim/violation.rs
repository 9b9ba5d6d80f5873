//! A broken promise, with the story to tell. Nothing else in the simulator says what went wrong.

use std::fmt;

/// What is promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Promise {
    /// What a tablet calls safe is in the clinic's log.
    Durable,
    /// What a tablet calls saved is there after the power came back.
    Saved,
    /// Replicas agree, and every command's effect is there once.
    Converged,
    /// Concurrent different billing facts are disputed, equal ones are not.
    Disputes,
    /// Verdicts do not depend on the order of arrival; what is not admitted is nowhere.
    Verdicts,
    /// Nobody holds a note outside their scopes.
    Scopes,
    /// A published report equals a fresh one.
    Reports,
    /// A tablet that holds what the server read shows the server's report, byte for byte.
    Confirmed,
    /// No clinic takes a piece of work in twice, and none is sent what it has by one that has it from elsewhere.
    Once,
    /// Everything comes to rest.
    Liveness,
    /// No machine reports an error that nobody caused.
    Quiet,
}

/// A broken promise.
#[derive(Clone, Debug)]
pub struct Violation {
    /// Which.
    pub promise: Promise,
    /// How.
    pub story: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.promise, self.story)
    }
}

impl std::error::Error for Violation {}

/// A broken promise with its story.
pub fn broken(promise: Promise, story: impl Into<String>) -> Violation {
    Violation { promise, story: story.into() }
}

/// Turns a machine's error into a broken promise.
pub trait Broken<T> {
    /// Names the promise that an error breaks.
    ///
    /// # Errors
    /// The broken promise.
    fn broken(self, promise: Promise) -> Result<T, Violation>;
}

impl<T, E: fmt::Display> Broken<T> for Result<T, E> {
    fn broken(self, promise: Promise) -> Result<T, Violation> {
        self.map_err(|error| broken(promise, error.to_string()))
    }
}
