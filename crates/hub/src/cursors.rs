//! How far other clinics' feeds were followed, kept beside the very record that holds what came.

use chart::entropy::Entropy;
use chart::ids::{ClinicId, Digest};
use chart::time::Timestamp;
use minicbor::bytes::ByteArray;
use minicbor::{Decode, Encode};
use store::StoreReader;
use sync_protocol::message::Cursor;

use crate::hub::Hub;
use crate::keys;
use crate::limits::HEARD_EVERY_MS;
use crate::links::{Place, Reached};

/// What is kept of a clinic that is followed.
#[derive(Encode, Decode)]
struct Kept {
    /// Where this clinic's own record ended then.
    #[n(0)]
    seq: u64,
    /// And its chain value there.
    #[n(1)]
    chain: ByteArray<32>,
    /// How far the other's feed was followed.
    #[n(2)]
    cursor: Cursor,
    /// The chain value there, if it was told.
    #[n(3)]
    at: Option<ByteArray<32>>,
    #[n(4)]
    heard_at_ms: Option<i64>,
    #[n(5)]
    caught_up_at_ms: Option<i64>,
    /// In which epoch of this clinic's record that was.
    #[n(6)]
    caught_up_in: Option<u32>,
}

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
        if reached.whole_at.is_some() {
            (followed.caught_up_at, followed.caught_up_in) = (reached.whole_at, Some(self.tip.epoch));
        }
        self.lines.cursors_due.insert(reached.clinic);
        if let Some(now) = reached.whole_at {
            self.may_ask(reached.clinic, now);
        }
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
            let Some(followed) = self.lines.followed.get_mut(&clinic) else { continue };
            let Some(place) = followed.place else { continue };
            followed.heard_kept_at = followed.heard_at;
            let kept = Kept {
                seq: self.tip.seq,
                chain: ByteArray::from(self.tip.chain.0),
                cursor: place.cursor,
                at: place.chain.map(|chain| ByteArray::from(*chain.as_bytes())),
                heard_at_ms: followed.heard_at.map(Timestamp::unix_ms),
                caught_up_at_ms: followed.caught_up_at.map(Timestamp::unix_ms),
                caught_up_in: followed.caught_up_in,
            };
            let Ok(value) = minicbor::to_vec(kept) else { continue };
            if let Ok(sealed) = self.record.vault.seal(entropy, None, &value, &[]) {
                self.keep.push((keys::followed(&self.record.vault, clinic), Some(sealed)));
            }
        }
    }

    /// How far a clinic was followed: remembered, or kept beside this very record. A kept place of another
    /// branch of this record says nothing: then the feed is read from its start and nothing comes twice.
    pub(crate) fn place_of(&mut self, reader: &dyn StoreReader, clinic: ClinicId) -> Option<Place> {
        let followed = self.lines.followed.entry(clinic).or_default();
        if followed.place.is_some() || followed.kept_read {
            return followed.place;
        }
        let bytes = reader.kept(keys::followed(&self.record.vault, clinic)).ok()?;
        let Some(bytes) = bytes else {
            followed.kept_read = true;
            return None;
        };
        let head = self.record.vault.open_head(&bytes).ok()?;
        let kept: Kept = minicbor::decode(&head.bytes).ok()?;
        followed.heard_at = followed.heard_at.or(kept.heard_at_ms.map(Timestamp::from_unix_ms));
        let at = reader.entry(kept.seq).ok()?;
        followed.kept_read = true;
        let same = kept.seq == 0 || at.is_some_and(|entry| entry.chain.0 == *kept.chain);
        if !same {
            return None;
        }
        if followed.caught_up_at.is_none() {
            followed.caught_up_at = kept.caught_up_at_ms.map(Timestamp::from_unix_ms);
            followed.caught_up_in = kept.caught_up_in;
        }
        let chain = kept.at.map(|chain| Digest::from_bytes(*chain));
        followed.place = Some(Place { cursor: kept.cursor, chain });
        followed.place
    }

    /// A clinic was heard.
    pub(crate) fn note_site_heard(&mut self, now: Timestamp, clinic: ClinicId) {
        let followed = self.lines.followed.entry(clinic).or_default();
        followed.heard_at = Some(now);
        if followed.heard_kept_at.is_none_or(|kept| now.since_ms(kept) >= HEARD_EVERY_MS) {
            followed.heard_kept_at = Some(now);
            self.lines.cursors_due.insert(clinic);
        }
    }
}
