//! The project's own tools: what `cargo xtask` does, as a library so that the house tests can call it.
//!
//! Standard library and `serde_json` only, so that it builds in seconds on a machine that has nothing
//! but Rust. It reads the tree and starts `cargo`; it never changes a file of the project. Only
//! [`debian`] may install something, for the web app and its browser, and only as root on a Debian.
//!
//! [`layers`] and [`circles`] hold the direction of imports, [`tidy`] the habits of the tree;
//! [`suite`] is the test command, [`dist`] builds the web app, [`web`] drives it in a browser, [`product`]
//! starts `gaitway`, [`long`] and [`mutants`] the runs that take minutes.
//! [`source`], [`tokens`], [`said`] and [`modules`] read Rust text well enough for that, [`workspace`] finds the files.

pub mod circles;
pub mod debian;
pub mod dist;
pub mod layers;
pub mod long;
pub mod modules;
pub mod mutants;
pub mod product;
pub mod said;
pub mod shell;
pub mod source;
pub mod suite;
pub mod tidy;
pub mod tokens;
pub mod web;
pub mod workspace;
