//! What other clinics say of themselves and of patients treated at several: proven, kept apart from what
//! this clinic says, and told to this clinic's own tablets where they need it.

use chart::entropy::Entropy;
use chart::ids::{ClinicId, PatientId};
use chart::reference::Reference;
use ed25519_dalek::Signature;
use store::{Key, StoreReader};
use sync_protocol::message::FeedReference;
use sync_protocol::statement;

use crate::entry::{Head, Id, ReferenceHead, Written, kind_and_id};
use crate::hub::Hub;
use crate::import::Trouble;
use crate::keys;

impl Hub {
    /// Takes what another clinic says of itself or of a patient both treat, and what this clinic wrote itself
    /// and has lost. Every word is signed by the clinic whose it is, and an older one changes nothing.
    pub(crate) fn take_reference(
        &mut self,
        entropy: &mut dyn Entropy,
        reader: &dyn StoreReader,
        peer: ClinicId,
        told: &FeedReference,
    ) -> Result<(), Trouble> {
        let here = self.config.clinic;
        let origin = told.origin.unwrap_or(peer);
        let Some(body) = &told.body else { return Ok(()) };
        // A kind that a newer version added is passed over here.
        let Ok(reference) = serde_json::from_slice::<Reference>(body) else { return Ok(()) };
        let word = told.word.as_ref().ok_or(Trouble::BadSignature)?;
        let place = (word.epoch, word.seq);
        if !self.directory.is_later(origin, &reference, place) {
            return Ok(());
        }
        let signed = statement::reference(origin, word.epoch, word.seq, body);
        let signature = Signature::from_bytes(&word.signature);
        let holds = self.origin_key(origin)?.verify_strict(&signed, &signature).is_ok();
        if !holds {
            return Err(Trouble::BadSignature);
        }
        if origin != here && !self.directory.may_tell(here, origin, &reference) {
            return Ok(());
        }
        let (kind, id) = kind_and_id(&reference);
        let mut names = vec![keys::references(&self.record.vault)];
        names.extend(self.audience_of(origin, &reference));
        let written = Written { epoch: word.epoch, seq: word.seq, signature: word.signature.into() };
        let head = ReferenceHead {
            kind,
            id: Id::from(id),
            origin: Some(Id::from(*origin.as_bytes())),
            written: Some(written),
        };
        let entry = self.record.seal_plain(entropy, names, &Head::Reference(head), body)?;
        self.push_entry(None, entry, Vec::new());
        self.directory.note_written(origin, &reference, place);
        match origin == here {
            true => Ok(self.take_own(entropy, reader, reference)?),
            false => self.take_foreign(entropy, reader, origin, reference),
        }
    }

    /// Whose tablets get what a clinic said.
    fn audience_of(&self, origin: ClinicId, reference: &Reference) -> Vec<Key> {
        match reference {
            _ if origin == self.config.clinic => self.audience(reference),
            // People's names stand in notes: tablets get them, unless this clinic speaks for them itself.
            Reference::Person(person) if !self.directory.people.contains_key(&person.id) => {
                vec![keys::everyone(&self.record.vault)]
            }
            _ => Vec::new(),
        }
    }

    fn take_foreign(
        &mut self,
        entropy: &mut dyn Entropy,
        reader: &dyn StoreReader,
        origin: ClinicId,
        reference: Reference,
    ) -> Result<(), Trouble> {
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
            self.tell_team_again(entropy, patient)?;
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

    /// Who treats a shared patient here, told again behind the sharing: clinics that enter by it have not heard it.
    fn tell_team_again(&mut self, entropy: &mut dyn Entropy, patient: PatientId) -> Result<(), Trouble> {
        let shared = !self.directory.sites_of(self.config.clinic, Some(patient)).is_empty();
        let Some(patient) = self.directory.patients.get(&patient).filter(|_| shared).cloned() else {
            return Ok(());
        };
        let reference = Reference::Patient(patient);
        let mut names = vec![keys::references(&self.record.vault)];
        names.extend(self.audience(&reference));
        let entry = self.seal_own(entropy, names, &reference)?;
        self.push_entry(None, entry, Vec::new());
        Ok(())
    }

    /// Writes a patient as known here behind what another clinic said, for this clinic's own tablets.
    fn tell_tablets(&mut self, entropy: &mut dyn Entropy, patient: PatientId) -> Result<(), Trouble> {
        let Some(patient) = self.directory.patients.get(&patient).cloned() else { return Ok(()) };
        let reference = Reference::Patient(patient);
        let names = self.audience(&reference);
        let entry = self.seal_reference(entropy, names, &reference)?;
        self.push_entry(None, entry, Vec::new());
        Ok(())
    }
}
