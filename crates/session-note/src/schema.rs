//! Where every value lives in the document, and the constant changes every document begins with.
//!
//! Layout version 1. Containers are made once, by the genesis change, which is the same for all
//! documents of a kind: two copies started offline share them and merge. Billing facts are entries of
//! one flat map (`registers`), keyed `<fact>/<version id>`, each written once and never overwritten;
//! a nested map per fact would let one of two concurrent creations hide the other.

use automerge::transaction::{CommitOptions, Transactable};
use automerge::{ActorId as EngineActor, Automerge, ObjType, ROOT, TextEncoding};
use chart::ids::{ActivityId, ChangeHash, SegmentId, VersionId};

/// The layout version this code writes.
pub const SCHEMA: u32 = 1;

/// Positions in text count Unicode code points, on every platform.
pub(crate) const TEXT_ENCODING: TextEncoding = TextEncoding::UnicodeCodePoint;

/// The kinds of documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// One session note.
    Visit,
    /// One plan of care.
    Episode,
}

impl Kind {
    /// The number that travels and is stored: 1 for a visit, 2 for an episode.
    pub const fn number(self) -> u8 {
        match self {
            Self::Visit => 1,
            Self::Episode => 2,
        }
    }
    /// The kind with this number.
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Visit),
            2 => Some(Self::Episode),
            _ => None,
        }
    }
    /// The text stored in the document.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Visit => "visit",
            Self::Episode => "episode",
        }
    }
}

/// Names of the root keys.
pub(crate) mod root {
    pub(crate) const SCHEMA: &str = "schema";
    pub(crate) const KIND: &str = "kind";
    pub(crate) const ACTORS: &str = "actors";
    pub(crate) const HEADER: &str = "header";
    pub(crate) const REGISTERS: &str = "registers";
    pub(crate) const ACTIVITIES: &str = "activities";
    pub(crate) const SAME: &str = "same";
    pub(crate) const TEXT: &str = "text";
    pub(crate) const FIELDS: &str = "fields";
    pub(crate) const MEASURES: &str = "measures";
    pub(crate) const GOAL_STATUS: &str = "goal_status";
    pub(crate) const ATTESTATIONS: &str = "attestations";
    pub(crate) const COMMENTS: &str = "comments";
    pub(crate) const SIGNATURES: &str = "signatures";
    pub(crate) const AMENDMENTS: &str = "amendments";
    pub(crate) const GOALS: &str = "goals";
}

/// Keys under an activity.
pub(crate) mod activity {
    pub(crate) const TECHNIQUES: &str = "techniques";
    pub(crate) const FIELDS: &str = "fields";
    pub(crate) const GOAL: &str = "goal";
}

const VISIT_MAPS: [&str; 13] = [
    root::ACTORS,
    root::HEADER,
    root::REGISTERS,
    root::ACTIVITIES,
    root::SAME,
    root::FIELDS,
    root::MEASURES,
    root::GOAL_STATUS,
    root::ATTESTATIONS,
    root::COMMENTS,
    root::SIGNATURES,
    root::AMENDMENTS,
    root::TEXT,
];
const EPISODE_MAPS: [&str; 6] =
    [root::ACTORS, root::HEADER, root::REGISTERS, root::GOALS, root::FIELDS, root::TEXT];
const VISIT_TEXTS: [&str; 4] = chart::visit::TEXT_FIELDS;
const EPISODE_TEXTS: [&str; 2] = ["history", "plan"];

const GENESIS_VISIT: &[u8] = include_bytes!("schema/visit-1.change");
const GENESIS_EPISODE: &[u8] = include_bytes!("schema/episode-1.change");

/// The constant first change of a kind, as stored and sent.
pub const fn genesis_bytes(kind: Kind) -> &'static [u8] {
    match kind {
        Kind::Visit => GENESIS_VISIT,
        Kind::Episode => GENESIS_EPISODE,
    }
}

/// The hash of the constant first change, by which the gate admits it.
pub fn genesis_hash(kind: Kind) -> ChangeHash {
    // The chunk names its own hash only by four bytes, so it is computed; 300 bytes, once per use.
    use sha2::Digest as _;
    let bytes = genesis_bytes(kind);
    let hash = sha2::Sha256::digest(bytes.get(8..).unwrap_or_default());
    ChangeHash::from_bytes(hash.into())
}

/// Builds the genesis change with the engine: the pinned files must equal its bytes.
pub fn build_genesis(kind: Kind) -> Result<Vec<u8>, automerge::AutomergeError> {
    let actor = *b"gaitway-genesis\x01";
    let mut doc = Automerge::new_with_encoding(TEXT_ENCODING).with_actor(EngineActor::from(actor.as_slice()));
    let (maps, texts): (&[&str], &[&str]) = match kind {
        Kind::Visit => (&VISIT_MAPS, &VISIT_TEXTS),
        Kind::Episode => (&EPISODE_MAPS, &EPISODE_TEXTS),
    };
    let mut tx = doc.transaction();
    tx.put(ROOT, root::KIND, kind.name())?;
    tx.put(ROOT, root::SCHEMA, i64::from(SCHEMA))?;
    for map in maps {
        tx.put_object(ROOT, *map, ObjType::Map)?;
    }
    if let Some((_, text)) = tx_get(&tx, root::TEXT)? {
        for field in texts {
            tx.put_object(&text, *field, ObjType::Text)?;
        }
    }
    tx.commit_with(CommitOptions::default().with_time(0));
    let change = doc.get_changes(&[]).into_iter().next();
    Ok(change.map(|change| change.raw_bytes().to_vec()).unwrap_or_default())
}

fn tx_get<'a>(
    tx: &'a automerge::transaction::Transaction<'_>,
    key: &str,
) -> Result<Option<(automerge::Value<'a>, automerge::ObjId)>, automerge::AutomergeError> {
    use automerge::ReadDoc;
    tx.get(ROOT, key)
}

/// The name of a billing fact: what stands before the `/` and the version id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FactName {
    /// A fact of the whole note, such as `payer`.
    Note(String),
    /// A stretch of time.
    Segment(ActivityId, SegmentId),
}

/// Names of the facts of a whole note.
pub mod fact {
    /// Treating provider: a person id.
    pub const PROVIDER: &str = "provider";
    /// Date of service: `2026-03-17`.
    pub const DATE: &str = "date";
    /// Place of service: two digits.
    pub const PLACE: &str = "place";
    /// Payer profile.
    pub const PAYER: &str = "payer";
    /// Diagnosis codes in pointer order.
    pub const DIAGNOSES: &str = "diagnoses";
    /// The chosen one of several acceptable allocations: units by code.
    pub const TIE_PICK: &str = "tie_pick";
    /// Units as typed, by code.
    pub const BILLED_UNITS: &str = "billed_units";
    /// Typed totals.
    pub const TOTALS: &str = "totals";
    /// All of them.
    pub const ALL: [&str; 8] = [PROVIDER, DATE, PLACE, PAYER, DIAGNOSES, TIE_PICK, BILLED_UNITS, TOTALS];
}

impl std::fmt::Display for FactName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Note(name) => f.write_str(name),
            Self::Segment(activity, segment) => write!(f, "segment/{activity}/{segment}"),
        }
    }
}

impl FactName {
    /// Reads the form that [`std::fmt::Display`] writes.
    pub fn parse(text: &str) -> Option<Self> {
        let Some(rest) = text.strip_prefix("segment/") else {
            return Some(Self::Note(text.to_owned()));
        };
        let (activity, segment) = rest.split_once('/')?;
        Some(Self::Segment(ActivityId::parse(activity).ok()?, SegmentId::parse(segment).ok()?))
    }
    /// The key of one version in the registers map.
    pub(crate) fn version_key(&self, version: VersionId) -> String {
        format!("{self}/{version}")
    }
    /// Splits a key of the registers map.
    pub(crate) fn split_key(key: &str) -> Option<(Self, VersionId)> {
        let (name, version) = key.rsplit_once('/')?;
        Some((Self::parse(name)?, VersionId::parse(version).ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pinned_genesis_is_what_the_engine_builds() {
        for kind in [Kind::Visit, Kind::Episode] {
            assert_eq!(build_genesis(kind).unwrap(), genesis_bytes(kind), "{}", kind.name());
            let doc = Automerge::load(genesis_bytes(kind)).unwrap();
            assert_eq!(doc.get_heads(), vec![automerge::ChangeHash(*genesis_hash(kind).as_bytes())]);
        }
    }

    #[test]
    fn register_keys_name_their_fact_and_version() {
        let version = VersionId::from_bytes([9; 16]);
        let segment = FactName::Segment(ActivityId::from_bytes([1; 16]), SegmentId::from_bytes([2; 16]));
        for name in [FactName::Note("payer".into()), segment] {
            assert_eq!(FactName::split_key(&name.version_key(version)), Some((name, version)));
        }
        assert_eq!(FactName::split_key("payer"), None);
    }
}
