//! Many documents and their admitted changes as one small value: a sum over the hashes of all changes, kept
//! for 256 ranges of documents. Sets that are equal have equal sums, in whatever order they grew, and what a
//! document adds can be taken away again. Pure arithmetic; reads no record and knows no clinic.
//!
//! It finds what was lost or left out. It is no defence against a clinic that lies about what it holds.

use std::collections::BTreeSet;

use chart::ids::{ChangeHash, Digest, DocumentId};
use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};
use sync_protocol::limits::{DIGEST_RANGES, DIGEST_SUM_BYTES};

/// A sum of hashes, modulo 2^256.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sum([u64; 4]);

impl Sum {
    fn of(document: DocumentId, change: &ChangeHash) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"gaitway digest 1\0").update(document.as_bytes()).update(change.as_bytes());
        Self::from_bytes(*hasher.finalize().as_bytes())
    }

    fn from_bytes(bytes: [u8; 32]) -> Self {
        let mut limbs = [0u64; 4];
        for (limb, part) in limbs.iter_mut().zip(bytes.chunks_exact(8)) {
            *limb = part.try_into().map_or(0, u64::from_le_bytes);
        }
        Self(limbs)
    }

    pub(crate) fn to_bytes(self) -> [u8; 32] {
        let mut bytes = [0u8; 32];
        for (part, limb) in bytes.chunks_exact_mut(8).zip(self.0) {
            part.copy_from_slice(&limb.to_le_bytes());
        }
        bytes
    }

    /// The first bytes of it.
    pub(crate) fn short<const N: usize>(self) -> [u8; N] {
        self.to_bytes().first_chunk().copied().unwrap_or([0; N])
    }

    fn plus(self, other: Self) -> Self {
        let mut carry = false;
        let mut sum = [0u64; 4];
        for ((sum, one), other) in sum.iter_mut().zip(self.0).zip(other.0) {
            let (half, over) = one.overflowing_add(other);
            let (whole, again) = half.overflowing_add(u64::from(carry));
            (*sum, carry) = (whole, over || again);
        }
        Self(sum)
    }

    fn minus(self, other: Self) -> Self {
        let one = Self([1, 0, 0, 0]);
        self.plus(Self(other.0.map(|limb| !limb))).plus(one)
    }
}

/// What one document adds. A document without an admitted change adds nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) present: bool,
    pub(crate) sum: Sum,
}

impl Part {
    pub(crate) fn of(document: DocumentId, admitted: &BTreeSet<ChangeHash>) -> Self {
        let sums = admitted.iter().map(|change| Sum::of(document, change));
        Self { present: !admitted.is_empty(), sum: sums.fold(Sum::default(), Sum::plus) }
    }
}

/// The range a document belongs to. Ids may begin with a time, so their hash decides.
pub(crate) fn range_of(document: DocumentId) -> u8 {
    blake3::hash(document.as_bytes()).as_bytes().first().copied().unwrap_or_default()
}

/// One range.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Range {
    documents: u64,
    sum: Sum,
}

/// All ranges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ranges(Vec<Range>);

impl Default for Ranges {
    fn default() -> Self {
        Self(vec![Range::default(); DIGEST_RANGES])
    }
}

/// How ranges are kept.
#[derive(Encode, Decode)]
struct Kept {
    #[n(0)]
    documents: Vec<u64>,
    #[n(1)]
    sums: ByteVec,
}

impl Ranges {
    /// A document adds something else than before.
    pub(crate) fn replace(&mut self, document: DocumentId, before: Part, after: Part) {
        if let Some(range) = self.0.get_mut(usize::from(range_of(document))) {
            range.documents = range.documents.saturating_sub(u64::from(before.present));
            range.documents = range.documents.saturating_add(u64::from(after.present));
            range.sum = range.sum.minus(before.sum).plus(after.sum);
        }
    }

    /// How many documents have something.
    pub(crate) fn documents(&self) -> u64 {
        self.0.iter().map(|range| range.documents).sum()
    }

    /// The sum of everything.
    pub(crate) fn fingerprint(&self) -> Digest {
        let all = self.0.iter().fold(Sum::default(), |all, range| all.plus(range.sum));
        Digest::from_bytes(all.to_bytes())
    }

    /// The beginning of every range's sum, for a question.
    pub(crate) fn short_sums(&self) -> Vec<u8> {
        self.0.iter().flat_map(|range| range.sum.short::<DIGEST_SUM_BYTES>()).collect()
    }

    /// The ranges in which these differ from what a question says; all, if it says it in another shape.
    pub(crate) fn differing(&self, short_sums: &[u8]) -> BTreeSet<u8> {
        let own = self.short_sums();
        let theirs = short_sums.chunks(DIGEST_SUM_BYTES).chain(std::iter::repeat(&[][..]));
        let pairs = (0u8..=u8::MAX).zip(own.chunks(DIGEST_SUM_BYTES)).zip(theirs);
        pairs.filter(|((_, own), theirs)| own != theirs).map(|((range, _), _)| range).collect()
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let documents = self.0.iter().map(|range| range.documents).collect();
        let sums: Vec<u8> = self.0.iter().flat_map(|range| range.sum.to_bytes()).collect();
        // Writing to a vector cannot fail.
        minicbor::to_vec(Kept { documents, sums: sums.into() }).unwrap_or_default()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let kept: Kept = minicbor::decode(bytes).ok()?;
        let sums = kept.sums.chunks_exact(32).filter_map(|sum| Some(Sum::from_bytes(sum.try_into().ok()?)));
        let ranges: Vec<Range> = kept
            .documents
            .iter()
            .zip(sums)
            .map(|(documents, sum)| Range { documents: *documents, sum })
            .collect();
        (ranges.len() == DIGEST_RANGES).then_some(Self(ranges))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn part(document: u8, changes: &BTreeSet<u8>) -> (DocumentId, Part) {
        let document = DocumentId::from_bytes([document; 16]);
        let changes = changes.iter().map(|byte| ChangeHash::from_bytes([*byte; 32])).collect();
        (document, Part::of(document, &changes))
    }

    /// What becomes of documents, step by step: which one, and the changes it has then.
    fn steps() -> impl Strategy<Value = Vec<(u8, BTreeSet<u8>)>> {
        proptest::collection::vec((0u8..12, proptest::collection::btree_set(0u8..8, 0..5)), 0..40)
    }

    proptest! {
        #[test]
        fn equal_documents_have_equal_sums_by_whatever_way_they_came_to_be(steps in steps()) {
            let mut state = std::collections::BTreeMap::new();
            let mut grown = Ranges::default();
            for (document, changes) in steps {
                let (id, after) = part(document, &changes);
                let before = state.insert(document, changes).map_or(Part::default(), |old| part(document, &old).1);
                grown.replace(id, before, after);
            }
            let mut anew = Ranges::default();
            for (document, changes) in state.iter().rev() {
                let (id, after) = part(*document, changes);
                anew.replace(id, Part::default(), after);
            }
            prop_assert_eq!(&grown, &anew);
            prop_assert_eq!(grown.documents(), state.values().filter(|changes| !changes.is_empty()).count() as u64);
            prop_assert_eq!(Ranges::decode(&grown.encode()).unwrap(), grown);
        }

        #[test]
        fn one_change_more_shows_in_the_fingerprint_and_in_its_range_alone(steps in steps(), document in 0u8..12) {
            let mut ranges = Ranges::default();
            let mut state = std::collections::BTreeMap::new();
            for (document, changes) in steps {
                let (id, after) = part(document, &changes);
                let before = state.insert(document, changes).map_or(Part::default(), |old| part(document, &old).1);
                ranges.replace(id, before, after);
            }
            let before = ranges.clone();
            let old = state.get(&document).cloned().unwrap_or_default();
            let mut more = old.clone();
            more.insert(200);
            let (id, after) = part(document, &more);
            ranges.replace(id, part(document, &old).1, after);
            prop_assert_ne!(ranges.fingerprint(), before.fingerprint());
            prop_assert_eq!(ranges.differing(&before.short_sums()), BTreeSet::from([range_of(id)]));
            prop_assert_eq!(ranges.differing(&ranges.short_sums()), BTreeSet::new());
        }
    }

    #[test]
    fn a_question_of_another_shape_differs_where_it_says_nothing() {
        assert_eq!(Ranges::default().differing(&[]).len(), DIGEST_RANGES);
        assert_eq!(Ranges::default().differing(&[0; DIGEST_SUM_BYTES]).len(), DIGEST_RANGES - 1);
    }
}
