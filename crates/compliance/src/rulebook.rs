//! The rulebook: dated, cited rule data, parsed and checked once, then only read.
//!
//! Codes, counting rules, payers, thresholds, word lists and the texts of findings all come from
//! here; the engine's source names none of them. Nothing here reads a file: texts are arguments, and
//! the built-in ones are compiled in.

mod book;
mod builtin;
pub mod catalogue;
mod claim_rows;
mod coverage;
mod document;
mod editions;
mod load;
pub mod official;
mod payer_rows;
mod record_rows;
mod rows;

pub use book::{CodeState, Rulebook};
pub use claim_rows::{
    AssistantModifier, AssistantSplit, Bucket, Conversion, Deadline, Edition, Limit, ModifierOrder,
    ModifierSet, Pair, PlanModifier, YearAmounts,
};
pub use coverage::Coverage;
pub use load::RulebookError;
pub use payer_rows::{ActiveTreatment, ExcludedProfession, Flag, NotPayable, Payer, Policy, PolicyKind};
pub(crate) use record_rows::plain_code;
pub use record_rows::{Diagnosis, EvaluationLevel, Monitoring, PayerTerms, SmallestChange};
pub use rows::{
    Basis, Code, Contact, Fee, FindingText, Method, Mue, Pooled, Retired, ServiceRole, Setting, Source,
    Therapy, UnitRuleRow, WordList,
};

impl Rulebook {
    /// Reads rule files: pairs of a file name (such as `codes.toml`) and its text.
    ///
    /// # Errors
    /// One sentence naming the file and what is wrong: an unknown key, a missing citation or start
    /// date, a code, source or list that does not exist, a finding without text.
    pub fn parse(files: &[(&str, &str)]) -> Result<Self, RulebookError> {
        load::load(files)
    }

    /// The rulebook compiled in from `rules/`.
    ///
    /// # Errors
    /// None as shipped (a test parses it); the type says what a broken copy would answer.
    pub fn builtin() -> Result<Self, RulebookError> {
        Self::parse(builtin::FILES)
    }

    /// The built-in files with others beside them; one of the same name takes a built-in file's place. A file
    /// that says `overrides = true` is read after all others, and its rows take the place of those of the
    /// same name.
    ///
    /// # Errors
    /// As [`Rulebook::parse`]: the file, the line and what is wrong.
    pub fn builtin_with(files: &[(&str, &str)]) -> Result<Self, RulebookError> {
        let kept = builtin::FILES.iter().filter(|(name, _)| files.iter().all(|(new, _)| new != name));
        let all: Vec<(&str, &str)> = kept.chain(files).copied().collect();
        Self::parse(&all)
    }

    /// The built-in files by name, for listing and for overriding some of them.
    pub fn builtin_files() -> &'static [(&'static str, &'static str)] {
        builtin::FILES
    }
}
