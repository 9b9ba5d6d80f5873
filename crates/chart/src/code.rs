//! Service codes, modifiers, units, disciplines and payers, as the claim writes them.
//!
//! Only code numbers live here; what a code means is data under `rules/`.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A text that is no service code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a service code of five letters and digits")]
pub struct CodeError(String);

/// A CPT or HCPCS code: five letters and digits.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct ServiceCode(String);

impl ServiceCode {
    /// Reads a code; letters become upper case.
    pub fn parse(text: &str) -> Result<Self, CodeError> {
        let upper = text.trim().to_ascii_uppercase();
        if upper.len() == 5 && upper.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            Ok(Self(upper))
        } else {
            Err(CodeError(text.chars().take(20).collect()))
        }
    }
    /// The five characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ServiceCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ServiceCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for ServiceCode {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// A number of billable units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Units(u32);

impl Units {
    /// Takes a number of units.
    pub const fn new(units: u32) -> Self {
        Self(units)
    }
    /// The number of units.
    pub const fn count(self) -> u32 {
        self.0
    }
}

impl std::iter::Sum for Units {
    fn sum<I: Iterator<Item = Self>>(units: I) -> Self {
        units.fold(Self(0), |sum, next| Self(sum.0.saturating_add(next.0)))
    }
}

impl fmt::Display for Units {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A payer profile's name, such as `medicare_ffs`: lower-case letters, digits and underscores.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PayerId(pub String);

impl fmt::Display for PayerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

crate::open_enum! {
    /// The plan of care a service belongs to.
    Discipline {
        /// Physical therapy.
        PhysicalTherapy = "pt",
        /// Occupational therapy.
        OccupationalTherapy = "ot",
        /// Speech-language pathology.
        SpeechLanguage = "slp",
        /// Chiropractic.
        Chiropractic = "chiropractic",
    }
}

crate::open_enum! {
    /// How the time of a segment was spent.
    Mode {
        /// One provider with one patient.
        OneOnOne = "one_on_one",
        /// One provider with two or more patients at once.
        Group = "group",
        /// A modality that needs nobody beside the patient.
        Supervised = "supervised",
        /// The patient worked alone.
        Independent = "independent",
        /// Rest between efforts.
        Rest = "rest",
        /// Waiting.
        Waiting = "waiting",
        /// Setting up.
        SetUp = "set_up",
    }
}
