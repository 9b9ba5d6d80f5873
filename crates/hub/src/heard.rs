//! When each tablet was last heard and how far the feed had been sent to it: what an administrator wants to
//! know before a caseload changes hands. Kept as a derived value; losing it loses nothing but the answer.

use std::collections::BTreeSet;

use chart::entropy::Entropy;
use chart::ids::{DeviceId, PersonId};
use chart::time::Timestamp;
use minicbor::bytes::ByteArray;
use store::StoreReader;

use crate::connection::{ConnectionId, Heard};
use crate::hub::Hub;
use crate::keys;
use crate::limits::HEARD_EVERY_MS;

impl Hub {
    /// A tablet has shown that it is there.
    pub(crate) fn note_heard(&mut self, now: Timestamp, connection: ConnectionId) {
        let Some(state) = self.connections.get(&connection) else { return };
        let (Some(device), None) = (state.device, state.site) else { return };
        let sent = state.pull.map(|following| following.after);
        let heard = self.heard_of.entry(device).or_insert_with(|| Heard {
            at: now,
            through: 0,
            people: BTreeSet::new(),
            kept_at: None,
        });
        heard.at = now;
        heard.through = sent.unwrap_or(heard.through);
        heard.people.extend(state.person);
        if heard.kept_at.is_none_or(|kept| now.since_ms(kept) >= HEARD_EVERY_MS) {
            self.heard_due.insert(device);
        }
    }

    /// A line to a tablet is gone.
    pub(crate) fn note_gone(&mut self, connection: ConnectionId) {
        let device = self.connections.get(&connection).and_then(|state| state.device);
        self.heard_due.extend(device.filter(|device| self.heard_of.contains_key(device)));
    }

    /// Keeps it now and then, so that a server that was started again can still answer.
    pub(crate) fn keep_heard(&mut self, entropy: &mut dyn Entropy, reader: &dyn StoreReader) {
        for device in std::mem::take(&mut self.heard_due) {
            let before = self.kept_heard(reader, device);
            let Some(heard) = self.heard_of.get_mut(&device) else { continue };
            // What was known before this server was started goes on being known.
            heard.people.extend(before.into_iter().flat_map(|before| before.people));
            heard.kept_at = Some(heard.at);
            let people: Vec<ByteArray<16>> =
                heard.people.iter().map(|person| ByteArray::from(*person.as_bytes())).collect();
            let Ok(value) = minicbor::to_vec((heard.at.unix_ms(), heard.through, people)) else { continue };
            if let Ok(sealed) = self.record.vault.seal(entropy, None, &value, &[]) {
                self.keep.push((keys::heard(&self.record.vault, device), Some(sealed)));
            }
        }
    }

    /// When a tablet was last heard, as far as is remembered or was kept.
    pub(crate) fn last_heard(&self, reader: &dyn StoreReader, device: DeviceId) -> Option<Heard> {
        if let Some(heard) = self.heard_of.get(&device) {
            return Some(heard.clone());
        }
        self.kept_heard(reader, device)
    }

    fn kept_heard(&self, reader: &dyn StoreReader, device: DeviceId) -> Option<Heard> {
        let bytes = reader.kept(keys::heard(&self.record.vault, device)).ok().flatten()?;
        let head = self.record.vault.open_head(&bytes).ok()?;
        let (at, through, people): (i64, u64, Vec<ByteArray<16>>) = minicbor::decode(&head.bytes).ok()?;
        let people = people.into_iter().map(|person| PersonId::from_bytes(*person)).collect();
        let (at, through) = (Timestamp::from_unix_ms(at), through.min(self.tip.seq));
        Some(Heard { at, through, people, kept_at: None })
    }

    /// Whether a line to a tablet is open.
    pub(crate) fn is_connected(&self, device: DeviceId) -> bool {
        self.connections
            .values()
            .any(|connection| connection.device == Some(device) && !connection.session.is_closed())
    }
}
