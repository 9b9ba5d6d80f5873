//! What other clinics say of themselves and of patients treated at several: proven, kept apart from what
//! this clinic says, and told to this clinic's own tablets where they need it.

use chart::entropy::Entropy;
use chart::ids::{ClinicId, Digest, PatientId};
use chart::reference::{DayClosed, Reference};
use ed25519_dalek::Signature;
use store::StoreReader;
use sync_protocol::message::FeedReference;

use crate::acts::kind_and_id;
use crate::entry::{Head, Id, ReferenceHead};
use crate::hub::Hub;
use crate::import::Trouble;
use crate::keys;

impl Hub {
    /// Takes what another clinic says of itself or of a patient both treat.
    pub(crate) fn take_reference(
        &mut self,
        entropy: &mut dyn Entropy,
        reader: &dyn StoreReader,
        peer: ClinicId,
        told: &FeedReference,
    ) -> Result<(), Trouble> {
        let origin = told.origin.unwrap_or(peer);
        let Some(body) = &told.body else { return Ok(()) };
        // A kind that a newer version added is passed over here.
        let Ok(reference) = serde_json::from_slice::<Reference>(body) else { return Ok(()) };
        if origin == self.config.clinic || !self.directory.may_tell(self.config.clinic, origin, &reference) {
            return Ok(());
        }
        if self.directory.knows_from(origin, &reference) {
            return Ok(());
        }
        if let Reference::DayClosed(closed) = &reference {
            let signed = DayClosed::statement(closed.clinic, closed.through, closed.at);
            let signature = signature_of(&closed.signature).ok_or(Trouble::BadSignature)?;
            let holds = self.origin_key(origin)?.verify_strict(&signed, &signature).is_ok();
            if !holds {
                return Err(Trouble::BadSignature);
            }
        }
        let (kind, id) = kind_and_id(&reference);
        let vault = &self.record.vault;
        let mut names = vec![keys::references(vault)];
        match &reference {
            // People's names stand in notes: tablets get them, unless this clinic speaks for them itself.
            Reference::Person(person) if !self.directory.people.contains_key(&person.id) => {
                names.push(keys::everyone(vault));
            }
            _ => {}
        }
        let origin_id = Some(Id::from(*origin.as_bytes()));
        let head = Head::Reference(ReferenceHead { kind, id: Id::from(id), origin: origin_id });
        let entry = self.record.seal_plain(entropy, names, &head, body)?;
        self.push_entry(None, entry, Vec::new());
        let patient = match &reference {
            Reference::Patient(patient) => Some(patient.id),
            _ => None,
        };
        let closed = matches!(&reference, Reference::DayClosed(_));
        let (everything, moved) = match &reference {
            Reference::Person(_) | Reference::Settings(_) => (true, None),
            Reference::Sharing(sharing) => (false, Some(sharing.patient)),
            _ => (false, None),
        };
        let before = patient.and_then(|patient| self.directory.with_every_team(patient));
        self.directory.take_from(origin, reference);
        let after = patient.and_then(|patient| self.directory.with_every_team(patient));
        if let (Some(patient), true) = (&after, before != after) {
            let members = self.members(reader, keys::patient(&self.record.vault, patient.id))?;
            self.stale.extend(members);
            self.tell_tablets(entropy, patient.id)?;
        }
        if let Some(patient) = moved {
            self.replace_patient(entropy, reader, patient)?;
            let members = self.members(reader, keys::patient(&self.record.vault, patient))?;
            self.stale.extend(members);
        }
        if everything {
            self.touch_everything(reader)?;
        }
        if closed {
            self.touch_shared(reader)?;
        }
        Ok(())
    }

    /// Writes a patient as known here behind what another clinic said, for this clinic's own tablets.
    fn tell_tablets(&mut self, entropy: &mut dyn Entropy, patient: PatientId) -> Result<(), Trouble> {
        let Some(patient) = self.directory.patients.get(&patient).cloned() else { return Ok(()) };
        let reference = Reference::Patient(patient);
        let (kind, id) = kind_and_id(&reference);
        let names = self.audience(&reference);
        let head = Head::Reference(ReferenceHead { kind, id: Id::from(id), origin: None });
        let body = serde_json::to_vec(&reference).map_err(|error| Trouble::NotWritten(error.to_string()))?;
        let entry = self.record.seal_plain(entropy, names, &head, &body)?;
        self.push_entry(None, entry, Vec::new());
        Ok(())
    }
}

/// A signature from 128 hexadecimal digits.
fn signature_of(text: &str) -> Option<Signature> {
    let half = |at: usize| Digest::parse(text.get(at..at.checked_add(64)?)?).ok();
    let (one, other) = (half(0)?, half(64)?);
    let mut bytes = [0; 64];
    bytes.iter_mut().zip(one.as_bytes().iter().chain(other.as_bytes())).for_each(|(to, from)| *to = *from);
    (text.len() == 128).then(|| Signature::from_bytes(&bytes))
}
