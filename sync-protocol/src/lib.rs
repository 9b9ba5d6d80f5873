//! The sync protocol between tablets and a clinic's server: messages, their bytes, and the two
//! machines that speak them.
//!
//! Nothing here opens a socket, reads a clock, draws a random number, makes or checks a signature, or
//! knows what a change says: changes are opaque bytes. `docs/wire.md` is the specification.
//!
//! Both machines have the same verbs: `handle_message(now, frame)`, `handle_timeout(now)`,
//! `poll_transmit()`, `poll_event()`, `poll_timeout()`; and verbs of their own for what their owner
//! wants to say.
//!
//! **The contract of the loop: after every call that takes `&mut self` other than a poll, the owner
//! drains the machine: `poll_transmit` until it is empty (or the transport is full), `poll_event`
//! until it is empty, then one `poll_timeout`, which says when to call `handle_timeout` and why. Only
//! then comes the next call. Once `is_closed`, the owner sends what `poll_transmit` still holds and
//! drops the transport.** A machine lives as long as its connection; nothing in it need be kept.
//!
//! What the protocol promises, and where each promise is kept:
//! - *A receipt means durable.* The server's machine never makes one: its owner calls
//!   [`ServerSession::receipt`] after its commit has returned.
//! - *Everything may be sent again.* Work is named by the hash of its change, so a repeated push
//!   changes nothing and is answered again.
//! - *Nothing unproven is read.* Until the owner has judged a hello, frames behind it are kept as bytes,
//!   bounded, and thrown away if it is refused.
//! - *Nothing grows without bound.* Every list, frame, queue and wait has a bound in [`limits`].

mod code;
pub mod codec;
mod field;
pub mod limits;
pub mod message;
mod server_session;
mod session;
pub mod statement;
mod tablet_session;

pub use code::{
    DocumentKind, ErrorCode, Outcome, Priority, ReasonCode, ReferenceKind, RefuseCode, RevokeReason, Standing,
};
pub use codec::{DecodeError, EncodeError};
pub use limits::Limits;
pub use server_session::{Acceptance, ServerConfig, ServerEvent, ServerSession};
pub use session::{FEATURE_PACKED, Failure, SendError};
pub use tablet_session::{QueueError, TabletConfig, TabletEvent, TabletSession};

/// The version of the protocol this crate speaks best.
pub const VERSION: u16 = 1;
/// Every version it speaks.
pub const VERSIONS: &[u16] = &[VERSION];
