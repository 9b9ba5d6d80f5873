//! The system tests: the parts of the house together, from outside. One binary, one module a subject.

mod demo;
mod house;
mod kill;
mod reconnect;
mod support;
mod worked_example;
