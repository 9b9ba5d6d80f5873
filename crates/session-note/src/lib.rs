//! The note as a document that two tablets can edit at once and no merge can spoil.
//!
//! Four promises: nothing a person wrote is lost in a merge; reading never fails; what was signed
//! stays readable byte for byte; what a newer version wrote passes through an older one untouched.
//! This crate alone knows the document engine. It never reads a clock, draws a random number, touches
//! a disk, or decides what may be billed.
//!
//! A [`command::Command`] becomes one change ([`document::NoteDocument::commit`]); changes of others
//! enter only through the gate ([`admit`]); [`read`] turns a document into plain values with the
//! disputes in the open; [`facts`] cuts from them what the compliance engine is told, [`course`] what of the
//! episode.

pub mod admission;
pub mod admit;
mod author;
pub mod command;
pub mod course;
pub mod dispute;
pub mod document;
mod edit;
pub mod facts;
mod graph;
pub mod history;
mod origin;
pub mod read;
pub mod schema;
pub mod sign;
mod slices;

pub use author::Author;
pub use command::{Command, Issued};
pub use document::{Committed, NoteDocument};
pub use edit::{CommandError, NAME_BYTES_MAX, TEXT_BYTES_MAX};
