//! Pairing: two clinics learn each other's keys once, by a code that works once, and keep them.

use chart::entropy::{Entropy, draw};
use chart::ids::{ClinicId, Digest};
use chart::reference::{DayClosed, Peer, Reference};
use chart::time::{Date, Timestamp};
use ed25519_dalek::Signer;
use serde::{Deserialize, Serialize};
use store::StoreReader;
use sync_protocol::ErrorCode;

use crate::acts::{digest_of_code, spell};
use crate::hub::{Hub, HubError, Invitation, Ticket};
use crate::limits::{CODE_LIFE_MS, CODES_MAX};

/// What a clinic says of itself when it is paired.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Introduction {
    /// The clinic.
    pub clinic: ClinicId,
    /// Its name.
    pub name: String,
    /// The Ed25519 public key of its site, 64 hexadecimal digits.
    pub public_key: String,
    /// Where its server is reached, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
}

impl Hub {
    /// How this clinic introduces itself.
    pub fn introduction(&self, address: Option<String>) -> Introduction {
        Introduction {
            clinic: self.config.clinic,
            name: self.directory.settings.as_ref().map_or_else(String::new, |settings| settings.name.clone()),
            public_key: Digest::from_bytes(self.signer.verifying_key().to_bytes()).to_string(),
            address,
        }
    }

    /// Makes a one-time code for another clinic, good for fifteen minutes; only its digest is kept.
    ///
    /// # Errors
    /// When too many codes wait, or the record cannot be written.
    pub fn invite_clinic(
        &mut self,
        now: Timestamp,
        entropy: &mut dyn Entropy,
    ) -> Result<(Ticket, String), HubError> {
        self.must_be_writable()?;
        self.invitations.retain(|invitation| invitation.expires_at > now);
        if self.invitations.len() >= CODES_MAX {
            return Err(HubError::Refused("too many pairing codes are waiting to be used".to_owned()));
        }
        let code = spell(draw(entropy));
        self.invitations
            .push(Invitation { digest: digest_of_code(&code), expires_at: now.plus_ms(CODE_LIFE_MS) });
        let ticket = self.audit(now, entropy, "invite clinic", &serde_json::json!({}))?;
        Ok((ticket, code))
    }

    /// Pairs with a clinic that brings a code. A code works once.
    ///
    /// # Errors
    /// When the code is not good, with the same sentence whatever is wrong with it; when the clinic is known
    /// under another key.
    pub fn pair_by_code(
        &mut self,
        now: Timestamp,
        entropy: &mut dyn Entropy,
        reader: &dyn StoreReader,
        code: &str,
        other: Introduction,
    ) -> Result<Ticket, HubError> {
        self.must_be_writable()?;
        let digest = digest_of_code(code.trim());
        let good = |invitation: &Invitation| invitation.digest == digest && invitation.expires_at > now;
        let Some(place) = self.invitations.iter().position(good) else {
            return Err(HubError::Refused("this pairing code is not good, or not any more".to_owned()));
        };
        self.invitations.swap_remove(place);
        self.pair(now, entropy, reader, other)
    }

    /// Pairs with a clinic whose introduction came over a line its administrator vouches for.
    ///
    /// # Errors
    /// When it is known under another key, or the record cannot be written.
    pub fn pair(
        &mut self,
        now: Timestamp,
        entropy: &mut dyn Entropy,
        reader: &dyn StoreReader,
        other: Introduction,
    ) -> Result<Ticket, HubError> {
        let Introduction { clinic, name, public_key, address } = other;
        let peer = Peer { clinic, name, public_key, address, paired_at: now, ended_at: None };
        self.put_reference(entropy, reader, Reference::Peer(peer))
    }

    /// Says that this clinic's charting is complete up to a day: every tablet has brought what it had. Clinics
    /// that treat the same patients wait for it before they call a day's report final.
    ///
    /// # Errors
    /// When the day is not over here yet, or work still waits for its verdict.
    pub fn close_day(
        &mut self,
        now: Timestamp,
        entropy: &mut dyn Entropy,
        reader: &dyn StoreReader,
        through: Date,
    ) -> Result<Ticket, HubError> {
        let offset = self.directory.settings.as_ref().map_or(0, |settings| settings.utc_offset_minutes);
        if through > now.clock_time(offset).local_date() {
            return Err(HubError::Refused(format!("{through} has not come yet")));
        }
        if !self.unjudged.is_empty() || self.judged_now.is_some() || !self.pending.is_empty() {
            let sentence = "work still waits to be saved or judged; try again in a moment";
            return Err(HubError::Refused(sentence.to_owned()));
        }
        let clinic = self.config.clinic;
        let signature = self.signer.sign(&DayClosed::statement(clinic, through, now)).to_bytes();
        let signature = signature.iter().map(|byte| format!("{byte:02x}")).collect();
        let ticket = self.put_reference(
            entropy,
            reader,
            Reference::DayClosed(DayClosed { clinic, through, at: now, signature }),
        )?;
        self.touch_shared(reader)?;
        Ok(ticket)
    }

    /// Ends a pairing: nothing more is sent to the clinic or taken from it; what was exchanged stays.
    ///
    /// # Errors
    /// When there is no such pairing.
    pub fn end_pairing(
        &mut self,
        now: Timestamp,
        entropy: &mut dyn Entropy,
        reader: &dyn StoreReader,
        clinic: ClinicId,
    ) -> Result<Ticket, HubError> {
        let Some(mut peer) = self.directory.peer(clinic).cloned() else {
            return Err(HubError::Refused(format!("{clinic} is not paired with this clinic")));
        };
        peer.ended_at = Some(now);
        let ticket = self.put_reference(entropy, reader, Reference::Peer(peer))?;
        self.unfollow(clinic);
        let of_it = |(id, connection): (&_, &crate::connection::Connection)| {
            (connection.site == Some(clinic)).then_some(*id)
        };
        let open: Vec<_> = self.connections.iter().filter_map(of_it).collect();
        for connection in open {
            let sentence = "this clinic is not paired with yours any more";
            self.turn_away(connection, ErrorCode::DeviceRevoked, sentence);
        }
        Ok(ticket)
    }
}
