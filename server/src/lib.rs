//! The edge of the house: sockets, files, clock, randomness and people at a command line, around the
//! pure machines below. It decides nothing about charts, units or findings.
//!
//! Reading direction: `cli` is the command; `init` makes a clinic's directory and `serve` runs a server
//! on it; `driver` is the one thread that owns the hub, `judge` the one that
//! judges; `http` is what it answers; `pages` turn values
//! into HTML. What a request may cost stands in `limits`.

pub mod access;
pub mod api;
pub mod app;
pub mod cli;
pub mod client;
pub mod config;
pub mod datadir;
pub mod demo;
pub mod driver;
pub mod edge;
pub mod faults;
pub mod http;
pub mod init;
pub mod judge;
pub mod limits;
pub mod load;
pub mod logging;
mod metered;
mod nearest;
pub mod opening;
pub mod pages;
pub mod record;
pub mod serve;
mod sites;
pub mod tablet;
pub mod view;
