//! Lines to other clinics on the driver's side: one transport, both directions. A frame's first byte says
//! which end of the sender speaks; the rest is the protocol's.

use std::collections::BTreeMap;

use chart::ids::ClinicId;
use hub::{ConnectionId, Hub};
use store::StoreReader;

use crate::edge::{OsEntropy, now};

/// The sender's serving end speaks: challenge, welcome, pages.
pub(crate) const FROM_SERVER: u8 = 0;
/// The sender's following end speaks: hello, pull, need.
pub(crate) const FROM_FOLLOWER: u8 = 1;

/// The open lines: which connection serves which clinic.
#[derive(Debug, Default)]
pub(super) struct Lines(BTreeMap<ConnectionId, ClinicId>);

impl Lines {
    /// Opens a line; `None` if the clinic is not paired with this one.
    pub(super) fn open(
        &mut self,
        hub: &mut Hub,
        reader: &dyn StoreReader,
        clinic: ClinicId,
    ) -> Option<ConnectionId> {
        let connection = hub.connect(now(), &mut OsEntropy);
        if let Err(error) = hub.follow(now(), reader, clinic, connection) {
            tracing::warn!(%clinic, reason = %error, "a clinic was turned away");
            hub.disconnect(connection);
            return None;
        }
        self.0.insert(connection, clinic);
        Some(connection)
    }

    /// A connection is gone.
    pub(super) fn closed(&mut self, hub: &mut Hub, connection: ConnectionId) {
        if let Some(clinic) = self.0.remove(&connection) {
            hub.follow_lost(clinic, connection);
        }
    }

    /// Takes a frame if it came over a line; otherwise gives it back.
    pub(super) fn take(
        &self,
        hub: &mut Hub,
        reader: &dyn StoreReader,
        connection: ConnectionId,
        frame: &[u8],
    ) -> bool {
        let Some(clinic) = self.0.get(&connection).copied() else { return false };
        match frame.split_first() {
            Some((&FROM_SERVER, frame)) => {
                hub.handle_followed(now(), &mut OsEntropy, reader, clinic, frame);
            }
            Some((&FROM_FOLLOWER, frame)) => {
                hub.handle_frame(now(), &mut OsEntropy, reader, connection, frame);
            }
            // A later version may have more to say; what this one does not know it passes over.
            _ => {}
        }
        true
    }

    /// A frame of the serving end, as it leaves.
    pub(super) fn served(&self, connection: ConnectionId, frame: Vec<u8>) -> Vec<u8> {
        if self.0.contains_key(&connection) { tagged(FROM_SERVER, &frame) } else { frame }
    }

    /// The next frame of a following end, with its connection.
    pub(super) fn next_followed(&self, hub: &mut Hub) -> Option<(ConnectionId, Vec<u8>)> {
        loop {
            let (clinic, frame) = hub.poll_follow()?;
            // The newest line to a clinic is the one that is followed.
            let newest = self.0.iter().rev().find(|(_, other)| **other == clinic);
            if let Some((connection, _)) = newest {
                return Some((*connection, tagged(FROM_FOLLOWER, &frame)));
            }
        }
    }

    /// Lines whose following end is over: their transports are to be closed and opened anew.
    pub(super) fn over(&self, hub: &Hub) -> Vec<ConnectionId> {
        let over = |(connection, clinic): (&ConnectionId, &ClinicId)| {
            (!hub.is_following_beside(*clinic, *connection)).then_some(*connection)
        };
        self.0.iter().filter_map(over).collect()
    }
}

fn tagged(tag: u8, frame: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(frame.len().saturating_add(1));
    bytes.push(tag);
    bytes.extend_from_slice(frame);
    bytes
}
