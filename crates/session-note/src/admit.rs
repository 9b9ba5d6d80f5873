//! The gate: nothing reaches the document engine but through here.
//!
//! The engine trusts any change whose hash is right; a change that names an object which does not
//! exist makes it panic, one that misnames what it overwrites makes a document that saves and never
//! loads again. So a change passes two doors. [`prescan`] reads the bytes alone, before the log;
//! [`judge`] reads the change in its own ancestry, after the log, applies it on a clone and proves
//! the clone by saving and loading it. What comes out is an [`Admitted`] change, which nothing else
//! can make.
//!
//! Who may write, from which device, with which signature: none of that is decided here. Nothing
//! here reads a clock, draws a random number, touches a disk or installs a panic hook.
//! `docs/gate.md` lists every check, code and limit.

mod ancestry;
mod body;
mod clock;
mod columns;
mod content;
mod cursor;
mod judge;
mod limits;
mod policy;
mod prescan;
mod refusal;
mod settle;
mod structure;

pub use ancestry::{AncestryIndex, IndexError};
pub use body::{Edit, OpId, Scalar};
pub use content::{ContentOp, ContentRefusal, ContentView};
pub use judge::{Admitted, Candidate, ContentRule, Judged, Outcome, judge};
pub use limits::Limits;
pub use policy::{Policy, Roots};
pub use prescan::{ChangeSketch, prescan};
pub use refusal::{DoorRefusal, JudgeRefusal};

/// The bytes of a change as the gate takes them: plain, never compressed, whatever its size.
pub fn plain_bytes(change: &automerge::Change) -> Vec<u8> {
    change.raw_bytes().to_vec()
}
