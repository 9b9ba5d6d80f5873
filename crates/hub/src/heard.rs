//! When each tablet was last heard and how far the feed had been sent to it: what an administrator wants to
//! know before a caseload changes hands. Kept as a derived value; losing it loses nothing but the answer.

use std::collections::BTreeSet;

use chart::entropy::Entropy;
use chart::ids::{DeviceId, PersonId};
use chart::reference::Device;
use chart::time::Timestamp;
use minicbor::bytes::ByteArray;
use serde::{Deserialize, Serialize};
use store::StoreReader;

use crate::connection::{ConnectionId, Heard};
use crate::hub::Hub;
use crate::keys;
use crate::limits::HEARD_EVERY_MS;
use crate::links::SiteStatus;

/// A record that was put back to an older state, or lost its end, and who has offered again since what it
/// may lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PutBack {
    /// The epoch that began then.
    pub epoch: u32,
    /// Tablets that were heard in it.
    pub tablets_heard: u64,
    /// Tablets that are let in.
    pub tablets: u64,
    /// Other clinics everything of which was read in it.
    pub clinics_heard: u64,
    /// Other clinics.
    pub clinics: u64,
}

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
            epoch: 0,
            kept_at: None,
        });
        heard.at = now;
        heard.epoch = self.tip.epoch;
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
            let Ok(value) = minicbor::to_vec((heard.at.unix_ms(), heard.through, people, heard.epoch)) else {
                continue;
            };
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
        let (at, through, people, epoch): (i64, u64, Vec<ByteArray<16>>, u32) =
            minicbor::decode(&head.bytes).ok()?;
        let people = people.into_iter().map(|person| PersonId::from_bytes(*person)).collect();
        let (at, through) = (Timestamp::from_unix_ms(at), through.min(self.tip.seq));
        Some(Heard { at, through, people, epoch, kept_at: None })
    }

    /// How far a record that was put back has been made whole again; `None` for one that never was, and when
    /// everybody has been heard since.
    pub fn put_back(&mut self, reader: &dyn StoreReader) -> Option<PutBack> {
        if reader.epochs().len() < 2 {
            return None;
        }
        let clinics = self.sites(reader);
        let here = |device: &&Device| device.revoked_at.is_none();
        let tablets: Vec<&Device> = self.directory.devices.values().filter(here).collect();
        let heard = |device: &&&Device| {
            self.last_heard(reader, device.id).is_some_and(|heard| heard.epoch == self.tip.epoch)
        };
        let caught_up = |site: &SiteStatus| {
            let followed = self.lines.followed.get(&site.clinic);
            followed.and_then(|followed| followed.caught_up_in) == Some(self.tip.epoch)
        };
        let put_back = PutBack {
            epoch: self.tip.epoch,
            tablets_heard: tablets.iter().filter(heard).count() as u64,
            tablets: tablets.len() as u64,
            clinics_heard: clinics.iter().filter(|site| caught_up(site)).count() as u64,
            clinics: clinics.len() as u64,
        };
        let whole = put_back.tablets_heard == put_back.tablets && put_back.clinics_heard == put_back.clinics;
        (!whole).then_some(put_back)
    }

    /// Whether a line to a tablet is open.
    pub(crate) fn is_connected(&self, device: DeviceId) -> bool {
        self.connections
            .values()
            .any(|connection| connection.device == Some(device) && !connection.session.is_closed())
    }
}
