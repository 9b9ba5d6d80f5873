//! The system tests: the parts of the house together, from outside. One binary, one module a subject.

mod house;
