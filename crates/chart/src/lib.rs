//! The words every other crate speaks: ids, minutes, codes, a visit, the facts and the report,
//! as plain values.
//!
//! Nothing here knows a document engine, a rule, a wire or a disk; nothing here reads a clock or
//! draws a random number. Reading direction: [`ids`], [`time`] and [`code`] are the smallest words;
//! [`register`] is how a billing fact is written down so that two tablets can disagree in the open;
//! [`visit`] and [`episode`] are the chart; [`reference`] is what the clinic knows beside the chart, with
//! [`patient_file`] and [`claim`]; [`history`] is how a note was written; [`facts`] is what the compliance engine is told and [`report`] what it answers.

mod attribution;
pub mod billing;
pub mod claim;
pub mod code;
pub mod entropy;
pub mod episode;
pub mod facts;
pub mod history;
pub mod ids;
pub mod open_enum;
pub mod patient_file;
pub mod reference;
pub mod register;
pub mod report;
pub mod time;
pub mod visit;

pub use attribution::Attribution;
