//! The tablet in a browser: the same machine as everywhere, as a WebAssembly module that a Web Worker
//! runs. The worker owns the browser's store and the socket; a page watches the worker.
//!
//! A panic or an abort in here ends the worker's module and nothing else: the page stays, says so, and
//! starts another, which finds the mark of what it died of. This crate draws nothing, decides nothing
//! about charts, and touches neither the browser's store nor a socket: it answers the worker's calls with
//! bytes and JSON. A refusal crosses the border as a text; whatever else is thrown there is a death.

mod core;
mod fence;
mod identity;
mod record;

pub use crate::core::Core;
