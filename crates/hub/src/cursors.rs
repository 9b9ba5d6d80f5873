//! How far other clinics' feeds were followed, kept beside the very record that holds what came.

use chart::entropy::Entropy;
use chart::ids::{ClinicId, Digest};
use minicbor::bytes::ByteArray;
use store::StoreReader;
use sync_protocol::message::Cursor;

use crate::hub::Hub;
use crate::keys;
use crate::links::{Place, Reached};

impl Hub {
    /// A place of another clinic's feed up to which its bytes are durable here.
    pub(crate) fn note_taken(&mut self, reached: Reached) {
        if self.is_relied_on(&reached) {
            self.lines.taken.push(reached);
        }
    }

    /// A place of another clinic's feed up to which its bytes and their verdicts are durable here.
    pub(crate) fn note_followed(&mut self, reached: Reached) {
        if !self.is_relied_on(&reached) {
            return;
        }
        let followed = self.lines.followed.entry(reached.clinic).or_default();
        followed.place = Some(reached.place);
        followed.caught_up_at = reached.whole_at.or(followed.caught_up_at);
        self.lines.cursors_due.insert(reached.clinic);
    }

    /// What was reached of a clinic's feed so far is not to be relied on.
    pub(crate) fn doubt(&mut self, clinic: ClinicId) {
        self.lines.followed.entry(clinic).or_default().doubt += 1;
    }

    fn is_relied_on(&self, reached: &Reached) -> bool {
        let followed = self.lines.followed.get(&reached.clinic);
        followed.is_some_and(|followed| followed.doubt == reached.doubt)
    }

    pub(crate) fn keep_cursors(&mut self, entropy: &mut dyn Entropy) {
        for clinic in std::mem::take(&mut self.lines.cursors_due) {
            let Some(place) = self.lines.followed.get(&clinic).and_then(|followed| followed.place) else {
                continue;
            };
            let tip = (self.tip.seq, ByteArray::from(self.tip.chain.0));
            let Ok(value) = minicbor::to_vec((
                tip.0,
                tip.1,
                place.cursor,
                place.chain.map(|chain| ByteArray::from(*chain.as_bytes())),
            )) else {
                continue;
            };
            if let Ok(sealed) = self.record.vault.seal(entropy, None, &value, &[]) {
                self.keep.push((keys::followed(&self.record.vault, clinic), Some(sealed)));
            }
        }
    }

    /// How far a clinic was followed: remembered, or kept beside this very record. A kept place of another
    /// branch of this record says nothing: then the feed is read from its start and nothing comes twice.
    pub(crate) fn place_of(&mut self, reader: &dyn StoreReader, clinic: ClinicId) -> Option<Place> {
        if let Some(place) = self.lines.followed.get(&clinic).and_then(|followed| followed.place) {
            return Some(place);
        }
        let bytes = reader.kept(keys::followed(&self.record.vault, clinic)).ok().flatten()?;
        let head = self.record.vault.open_head(&bytes).ok()?;
        let (seq, chain, cursor, at): (u64, ByteArray<32>, Cursor, Option<ByteArray<32>>) =
            minicbor::decode(&head.bytes).ok()?;
        let same = seq == 0 || reader.entry(seq).ok().flatten()?.chain.0 == *chain;
        same.then(|| Place { cursor, chain: at.map(|chain| Digest::from_bytes(*chain)) })
    }
}
