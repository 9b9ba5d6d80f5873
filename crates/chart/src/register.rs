//! A billing fact as a register of versions, so that two tablets can disagree in the open.
//!
//! Every edit adds a version that names the versions its author saw and replaces. Open versions are
//! those nobody replaced: one, or several with equal values, is agreement; several that differ are a
//! dispute that holds what depends on it from the bill. Nothing here picks a winner.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::attribution::Attribution;
use crate::ids::VersionId;

/// One version of a billing fact: never changed once written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Version<T> {
    /// The version's own name.
    pub id: VersionId,
    /// All values of the fact's group.
    pub value: T,
    /// Who wrote it, on which tablet, when.
    pub by: Attribution,
    /// Why, where the author gave a reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The versions its author saw and replaced.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub replaces: BTreeSet<VersionId>,
}

/// All versions of one fact, in the order of their ids' first appearance in a sorted document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Register<T> {
    versions: Vec<Version<T>>,
}

impl<T> Default for Register<T> {
    fn default() -> Self {
        Self { versions: Vec::new() }
    }
}

/// One side of a dispute.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Alternative<T> {
    /// The value of this side.
    pub value: T,
    /// The open versions that say so.
    pub versions: BTreeSet<VersionId>,
    /// Their authors, in the order of the versions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by: Vec<Attribution>,
}

/// What is known of a billing fact: never a winner among several.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fact<T> {
    /// Nobody recorded it.
    #[default]
    Missing,
    /// One value that nobody contests.
    Agreed(T),
    /// Several values; a person must choose.
    Disputed(Vec<Alternative<T>>),
}

impl<T> Fact<T> {
    /// The agreed value, if there is one.
    pub fn agreed(&self) -> Option<&T> {
        match self {
            Self::Agreed(value) => Some(value),
            Self::Missing | Self::Disputed(_) => None,
        }
    }
    /// Every value somebody stands by: none, one, or all sides of a dispute.
    pub fn values(&self) -> Vec<&T> {
        match self {
            Self::Missing => Vec::new(),
            Self::Agreed(value) => vec![value],
            Self::Disputed(sides) => sides.iter().map(|side| &side.value).collect(),
        }
    }
    /// Whether people disagree.
    pub const fn is_disputed(&self) -> bool {
        matches!(self, Self::Disputed(_))
    }
    /// The same fact with its values turned into something else.
    pub fn map<U>(&self, mut f: impl FnMut(&T) -> U) -> Fact<U> {
        match self {
            Self::Missing => Fact::Missing,
            Self::Agreed(value) => Fact::Agreed(f(value)),
            Self::Disputed(sides) => Fact::Disputed(
                sides
                    .iter()
                    .map(|side| Alternative {
                        value: f(&side.value),
                        versions: side.versions.clone(),
                        by: side.by.clone(),
                    })
                    .collect(),
            ),
        }
    }
}

impl<T: Clone + Ord> Register<T> {
    /// Gathers versions; order does not matter, and one given twice counts once.
    pub fn from_versions(versions: impl IntoIterator<Item = Version<T>>) -> Self {
        let unique: BTreeSet<Version<T>> = versions.into_iter().collect();
        Self { versions: unique.into_iter().collect() }
    }
    /// Every version ever written, ordered by id.
    pub fn versions(&self) -> &[Version<T>] {
        &self.versions
    }
    /// Whether nothing was ever written.
    pub fn is_empty(&self) -> bool {
        self.versions.is_empty()
    }
    /// The versions nobody replaced.
    pub fn open(&self) -> Vec<&Version<T>> {
        let replaced: BTreeSet<VersionId> =
            self.versions.iter().flat_map(|version| version.replaces.iter().copied()).collect();
        self.versions.iter().filter(|version| !replaced.contains(&version.id)).collect()
    }
    /// What the open versions say together.
    pub fn fact(&self) -> Fact<T> {
        let mut sides: Vec<Alternative<T>> = Vec::new();
        for version in self.open() {
            match sides.iter_mut().find(|side| side.value == version.value) {
                Some(side) => {
                    side.versions.insert(version.id);
                    side.by.push(version.by.clone());
                }
                None => sides.push(Alternative {
                    value: version.value.clone(),
                    versions: BTreeSet::from([version.id]),
                    by: vec![version.by.clone()],
                }),
            }
        }
        if sides.len() > 1 {
            sides.sort();
            return Fact::Disputed(sides);
        }
        sides.pop().map_or(Fact::Missing, |side| Fact::Agreed(side.value))
    }
    /// The registers of two names for one thing, united.
    pub fn united(&self, other: &Register<T>) -> Register<T> {
        Self::from_versions(self.versions.iter().chain(&other.versions).cloned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{DeviceId, PersonId};
    use crate::time::Timestamp;

    fn version(id: u8, value: u32, replaces: &[u8]) -> Version<u32> {
        Version {
            id: VersionId::from_bytes([id; 16]),
            value,
            by: Attribution {
                person: PersonId::from_bytes([id; 16]),
                device: DeviceId::from_bytes([id; 16]),
                at: Timestamp::from_unix_ms(0),
                change: None,
            },
            reason: None,
            replaces: replaces.iter().map(|id| VersionId::from_bytes([*id; 16])).collect(),
        }
    }

    #[test]
    fn two_concurrent_corrections_are_a_dispute_in_any_order() {
        let first = version(1, 15, &[]);
        let (a, b) = (version(2, 17, &[1]), version(3, 20, &[1]));
        let one = Register::from_versions([first.clone(), a.clone(), b.clone()]);
        let two = Register::from_versions([b, a, first]);
        assert_eq!(one, two);
        assert_eq!(one.fact().values(), vec![&17, &20]);
        assert!(one.fact().is_disputed());
    }

    #[test]
    fn equal_values_are_no_dispute() {
        let register =
            Register::from_versions([version(2, 17, &[1]), version(3, 17, &[1]), version(1, 15, &[])]);
        assert_eq!(register.fact(), Fact::Agreed(17));
    }

    #[test]
    fn a_resolution_replaces_every_side_and_keeps_them_readable() {
        let register = Register::from_versions([
            version(1, 15, &[]),
            version(2, 17, &[1]),
            version(3, 20, &[1]),
            version(4, 17, &[2, 3]),
        ]);
        assert_eq!(register.fact(), Fact::Agreed(17));
        assert_eq!(register.versions().len(), 4);
    }
}
