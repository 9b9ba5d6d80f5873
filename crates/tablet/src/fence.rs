//! The fence around the document engine: what the driver is told when the engine begins and when it is
//! done, and what the driver says at the next opening. Applies nothing.
//!
//! The mark in the log survives any death of the app, but cannot tell an engine that died from a battery
//! that did. The driver often can: a page that watches a worker, a byte in a file that needs no sync.

use chart::ids::DocumentId;

/// Is told of each turn of the document engine over what was received. It may take notes, never long.
pub trait Fence: Send {
    /// The engine begins with these changes of a document. They stand in the log, marked.
    fn enter(&mut self, document: DocumentId, changes: &[&[u8]]);
    /// The engine is done, whatever came of it.
    fn leave(&mut self);
}

/// How the app ended the last time, as far as the driver knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LastEnd {
    /// In order, or nobody knows how.
    #[default]
    Unknown,
    /// Between [`Fence::enter`] and [`Fence::leave`]: the engine ended it.
    InEngine,
}
