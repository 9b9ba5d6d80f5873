//! Administrative acts: reference data, enrolment, revocation. Each becomes an entry and is done
//! when that entry is durable.

use std::collections::BTreeSet;

use chart::entropy::{Entropy, draw};
use chart::ids::{ClinicId, DeviceId, Digest, PersonId};
use chart::reference::{Device, Patient, Reference, Scope};
use chart::time::Timestamp;
use store::{Key, NewEntry, StoreReader};

use crate::entry::{Audit, Head, Id, ReferenceHead, kind_and_id};
use crate::hub::{After, Code, Enrolment, Hub, HubError, Ticket};
use crate::keys;
use crate::limits::{CODE_LIFE_MS, CODES_MAX};
use crate::record::RecordError;

impl Hub {
    /// Writes a piece of reference data; tablets that follow it get it in their feed.
    ///
    /// # Errors
    /// When the record cannot be written or the data does not fit.
    pub fn put_reference(
        &mut self,
        entropy: &mut dyn Entropy,
        reader: &dyn StoreReader,
        mut reference: Reference,
    ) -> Result<Ticket, HubError> {
        self.must_be_writable()?;
        if let Reference::Sharing(sharing) = &mut reference {
            // A clinic that enters now is given what others wrote who are out again.
            sharing.formerly.extend(self.directory.formerly(sharing));
        }
        check(&reference)?;
        self.check_shared(&reference)?;
        let mut names = vec![keys::references(&self.record.vault)];
        names.extend(self.audience(&reference));
        if let Reference::Claim(claim) = &reference {
            // Claims are one for every note: found by the note's name, never held in memory.
            names = vec![keys::claim(&self.record.vault, claim.visit)];
        }
        let entry = self.seal_own(entropy, names, &reference)?;
        let ticket = self.ticket();
        let mut after = vec![After::Done(ticket)];
        if matches!(reference, Reference::Claim(_)) {
            // Reports read the claim from the log, so they wait until it is there.
            after.push(After::Places);
            self.uncommitted_places += 1;
        }
        self.push_entry(None, entry, after);
        let shared = match &reference {
            Reference::Sharing(sharing) => self.directory.patients.get(&sharing.patient).cloned(),
            _ => None,
        };
        self.take_own(entropy, reader, reference)?;
        if let Some(patient) = shared {
            // Told again behind the sharing, so that clinics that enter get the file.
            self.put_reference(entropy, reader, Reference::Patient(patient))?;
        }
        self.pump(reader);
        Ok(ticket)
    }

    /// Seals a piece of reference data as this clinic knows it.
    pub(crate) fn seal_reference(
        &self,
        entropy: &mut dyn Entropy,
        names: Vec<Key>,
        reference: &Reference,
    ) -> Result<NewEntry, RecordError> {
        let (kind, id) = kind_and_id(reference);
        let head = Head::Reference(ReferenceHead { kind, id: Id::from(id), origin: None, written: None });
        let body = serde_json::to_vec(reference).map_err(|error| RecordError::Entry(error.to_string()))?;
        self.record.seal_plain(entropy, names, &head, &body)
    }

    /// Seals a piece of this clinic's own reference data.
    pub(crate) fn seal_own(
        &mut self,
        entropy: &mut dyn Entropy,
        names: Vec<Key>,
        reference: &Reference,
    ) -> Result<NewEntry, RecordError> {
        let entry = self.seal_reference(entropy, names, reference)?;
        // Whatever was written before in this epoch is older, wherever it stands.
        self.directory.note_written(self.config.clinic, reference, (self.epoch_to_be(), u64::MAX));
        Ok(entry)
    }

    /// The epoch in which the next entry is written.
    fn epoch_to_be(&self) -> u32 {
        self.tip.epoch.saturating_add(u32::from(self.new_epoch.is_some()))
    }

    /// Takes a piece of this clinic's own reference data whose entry is on its way, with what follows from it
    /// for places and reports.
    pub(crate) fn take_own(
        &mut self,
        entropy: &mut dyn Entropy,
        reader: &dyn StoreReader,
        reference: Reference,
    ) -> Result<(), RecordError> {
        let moved = match &reference {
            Reference::Patient(patient) => {
                let before = self.directory.patients.get(&patient.id);
                before.is_some_and(|before| before.care_team != patient.care_team).then_some(patient.id)
            }
            Reference::Sharing(sharing) => Some(sharing.patient),
            _ => None,
        };
        let everything = matches!(reference, Reference::Settings(_) | Reference::Person(_));
        self.touch_by_reference(reader, &reference)?;
        self.directory.take(reference);
        if let Some(patient) = moved {
            self.replace_patient(entropy, reader, patient)?;
            let members = self.members(reader, keys::patient(&self.record.vault, patient))?;
            self.stale.extend(members);
        }
        if everything {
            self.touch_everything(reader)?;
        }
        Ok(())
    }

    /// A patient's file is changed where it is kept; another clinic says who treats the patient there.
    fn check_shared(&self, reference: &Reference) -> Result<(), HubError> {
        let here = self.config.clinic;
        let home_of = |patient| self.directory.sharings.get(patient).map(|sharing| sharing.home);
        match reference {
            Reference::Patient(patient) if home_of(&patient.id).is_some_and(|home| home != here) => {
                let known = self.directory.patients.get(&patient.id);
                let same = known.is_some_and(|known| {
                    Patient { care_team: known.care_team.clone(), ..patient.clone() } == *known
                });
                let sentence =
                    "another clinic keeps this patient's file; here only the care team can be changed";
                if same { Ok(()) } else { Err(HubError::Refused(sentence.to_owned())) }
            }
            Reference::Sharing(sharing) => {
                let home = home_of(&sharing.patient).unwrap_or(here);
                if sharing.home != here || home != here {
                    let sentence =
                        "another clinic keeps this patient's file; it says who else treats the patient";
                    return Err(HubError::Refused(sentence.to_owned()));
                }
                if !self.directory.patients.contains_key(&sharing.patient) {
                    return Err(HubError::Refused("there is no such patient".to_owned()));
                }
                let known = |clinic: &&ClinicId| {
                    self.directory.peers.contains_key(*clinic)
                        || self.directory.introduced.contains_key(*clinic)
                };
                match sharing.clinics.iter().find(|clinic| !known(clinic)) {
                    Some(stranger) => {
                        Err(HubError::Refused(format!("{stranger} is not a clinic of this group")))
                    }
                    None => Ok(()),
                }
            }
            Reference::Peer(peer) => {
                let pinned = self.directory.peers.get(&peer.clinic);
                let introduced = self.directory.introduced.get(&peer.clinic);
                if peer.clinic == here || crate::sites::site_key(&peer.public_key).is_none() {
                    return Err(HubError::Refused("this is no other clinic's key".to_owned()));
                }
                let pinned = pinned.or(introduced);
                if pinned.is_some_and(|pinned| pinned.public_key != peer.public_key) {
                    let sentence = "this clinic is known here under another key; its key never changes";
                    return Err(HubError::Refused(sentence.to_owned()));
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Whose tablets get a piece of reference data.
    pub(crate) fn audience(&self, reference: &Reference) -> Vec<Key> {
        let vault = &self.record.vault;
        let caseload = |person: &PersonId| keys::scope(vault, Scope::Caseload(*person));
        match reference {
            Reference::Person(_) | Reference::Settings(_) => vec![keys::everyone(vault)],
            Reference::Patient(patient) => {
                let before = self.directory.patients.get(&patient.id);
                let mut teams: BTreeSet<PersonId> = patient.care_team.clone();
                teams.extend(before.into_iter().flat_map(|before| before.care_team.iter().copied()));
                let mut audience: Vec<Key> = teams.iter().map(caseload).collect();
                audience.push(keys::scope(vault, Scope::Clinic));
                audience
            }
            Reference::Appointment(appointment) => {
                vec![caseload(&appointment.provider), keys::scope(vault, Scope::Clinic)]
            }
            // Other tablets' keys and states, and claims, are the server's business alone.
            Reference::Device(_)
            | Reference::Claim(_)
            | Reference::Peer(_)
            | Reference::Sharing(_)
            | Reference::DayClosed(_)
            | Reference::Transfer(_) => Vec::new(),
        }
    }

    /// Makes a one-time code for a new tablet, good for fifteen minutes; only its digest is kept.
    ///
    /// # Errors
    /// When too many codes wait, or a person is not known.
    pub fn issue_code(
        &mut self,
        now: Timestamp,
        entropy: &mut dyn Entropy,
        device_name: &str,
        people: BTreeSet<PersonId>,
    ) -> Result<(Ticket, String), HubError> {
        self.must_be_writable()?;
        self.codes.retain(|code| code.expires_at > now);
        if self.codes.len() >= CODES_MAX {
            return Err(HubError::Refused("too many enrolment codes are waiting to be used".to_owned()));
        }
        if let Some(unknown) = people.iter().find(|person| !self.directory.active(**person)) {
            return Err(HubError::Refused(format!("{unknown} does not work here")));
        }
        let code = spell(draw(entropy));
        self.codes.push(Code {
            digest: digest_of_code(&code),
            device_name: device_name.chars().take(80).collect(),
            people,
            expires_at: now.plus_ms(CODE_LIFE_MS),
        });
        let ticket = self.audit(now, entropy, "code", &serde_json::json!({ "device_name": device_name }))?;
        Ok((ticket, code))
    }

    /// Enrols a tablet that brings a code and its own public key. A code works once.
    ///
    /// # Errors
    /// When the code is not good, with the same sentence whatever is wrong with it.
    pub fn enrol(
        &mut self,
        now: Timestamp,
        entropy: &mut dyn Entropy,
        reader: &dyn StoreReader,
        code: &str,
        public_key: [u8; 32],
    ) -> Result<(Ticket, Enrolment), HubError> {
        self.must_be_writable()?;
        let digest = digest_of_code(code.trim());
        let usable = self.codes.iter().position(|code| code.digest == digest && code.expires_at > now);
        let Some(place) = usable else {
            return Err(HubError::Refused("this enrolment code is not good, or not any more".to_owned()));
        };
        if ed25519_dalek::VerifyingKey::from_bytes(&public_key).is_err() {
            return Err(HubError::Refused("the tablet's public key is not a key".to_owned()));
        }
        let code = self.codes.swap_remove(place);
        let device = Device {
            id: DeviceId::random(entropy),
            name: code.device_name,
            public_key: Digest::from_bytes(public_key).to_string(),
            people: code.people,
            enrolled_at: now,
            revoked_at: None,
        };
        let enrolment = Enrolment {
            device: device.id,
            clinic: self.config.clinic,
            site_public_key: Digest::from_bytes(self.signer.verifying_key().to_bytes()).to_string(),
            name: device.name.clone(),
            people: device.people.clone(),
        };
        let ticket = self.put_reference(entropy, reader, Reference::Device(device))?;
        Ok((ticket, enrolment))
    }

    /// Revokes a tablet: nothing more is sent to it, what it still brings is held for a supervisor.
    ///
    /// # Errors
    /// When there is no such tablet.
    pub fn revoke_device(
        &mut self,
        now: Timestamp,
        entropy: &mut dyn Entropy,
        reader: &dyn StoreReader,
        device: DeviceId,
    ) -> Result<Ticket, HubError> {
        let known = self.directory.devices.get(&device).cloned();
        let Some(mut known) = known else {
            return Err(HubError::Refused(format!("there is no tablet {device}")));
        };
        known.revoked_at.get_or_insert(now);
        let ticket = self.put_reference(entropy, reader, Reference::Device(known))?;
        let open: Vec<_> = self
            .connections
            .iter()
            .filter(|(_, connection)| connection.device == Some(device))
            .map(|(id, _)| *id)
            .collect();
        for id in open {
            if let Some(connection) = self.connections.get_mut(&id) {
                let sentence = "this tablet was revoked; its unsent work is kept for a supervisor";
                let failure =
                    sync_protocol::Failure::fatal(sync_protocol::ErrorCode::DeviceRevoked, sentence);
                _ = connection.session.error(failure);
            }
        }
        Ok(ticket)
    }

    pub(crate) fn audit(
        &mut self,
        now: Timestamp,
        entropy: &mut dyn Entropy,
        act: &str,
        record: &serde_json::Value,
    ) -> Result<Ticket, HubError> {
        let entry = self.audit_entry(now, entropy, act, record)?;
        let ticket = self.ticket();
        self.push_entry(None, entry, vec![After::Done(ticket)]);
        Ok(ticket)
    }

    pub(crate) fn audit_entry(
        &self,
        at: Timestamp,
        entropy: &mut dyn Entropy,
        act: &str,
        record: &serde_json::Value,
    ) -> Result<NewEntry, RecordError> {
        let head = Head::Audit(Audit { act: act.to_owned(), at_ms: at.unix_ms() });
        let names = vec![keys::audit(&self.record.vault)];
        self.record.seal_plain(entropy, names, &head, record.to_string().as_bytes())
    }
}

fn check(reference: &Reference) -> Result<(), HubError> {
    let name = match reference {
        Reference::Person(person) => &person.name,
        Reference::Patient(patient) => &patient.name,
        Reference::Device(device) => &device.name,
        Reference::Settings(settings) => &settings.name,
        Reference::Peer(peer) => &peer.name,
        Reference::Appointment(_)
        | Reference::Claim(_)
        | Reference::Sharing(_)
        | Reference::DayClosed(_)
        | Reference::Transfer(_) => return Ok(()),
    };
    if name.trim().is_empty() || name.len() > 200 {
        return Err(HubError::Refused("a name has between 1 and 200 bytes".to_owned()));
    }
    Ok(())
}

/// Twelve letters and digits that cannot be mistaken for one another, in groups of four: 60 bits.
pub(crate) fn spell(bytes: [u8; 12]) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
    let letters: Vec<char> = bytes
        .iter()
        .filter_map(|byte| ALPHABET.get(usize::from(byte % 32)))
        .map(|letter| char::from(*letter))
        .collect();
    letters.chunks(4).map(|group| group.iter().collect::<String>()).collect::<Vec<_>>().join("-")
}

pub(crate) fn digest_of_code(code: &str) -> Digest {
    let plain: String =
        code.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_uppercase();
    Digest::from_bytes(*blake3::hash(plain.as_bytes()).as_bytes())
}
