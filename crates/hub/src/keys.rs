//! The names under which the log's entries are found again. All are keyed hashes; none says anything.

use chart::ids::{ActorId, ClinicId, DeviceId, DocumentId, PatientId, PersonId};
use chart::reference::Scope;
use chart::time::Date;
use store::Key;
use store::vault::Vault;

/// Every entry of a document: work, verdicts, releases, its key, its places.
pub(crate) fn document(vault: &Vault, document: DocumentId) -> Key {
    vault.key("document", &[document.as_bytes()])
}
/// The first entry of every document.
pub(crate) fn documents(vault: &Vault) -> Key {
    vault.key("documents", &[])
}
/// The first entry of every document of a range of the digest.
pub(crate) fn range(vault: &Vault, range: u8) -> Key {
    vault.key("range", &[&[range]])
}
/// The wrapped key of a document.
pub(crate) fn document_key(vault: &Vault, document: DocumentId) -> Key {
    vault.key("document key", &[document.as_bytes()])
}
/// The first work of an actor.
pub(crate) fn actor(vault: &Vault, actor: ActorId) -> Key {
    vault.key("actor", &[actor.as_bytes()])
}
/// All work.
pub(crate) fn work(vault: &Vault) -> Key {
    vault.key("work", &[])
}
/// All verdicts.
pub(crate) fn verdicts(vault: &Vault) -> Key {
    vault.key("verdicts", &[])
}
/// Verdicts on a device's own work that were not plain admissions.
pub(crate) fn device(vault: &Vault, device: DeviceId) -> Key {
    vault.key("device", &[device.as_bytes()])
}
/// Everything held back.
pub(crate) fn quarantine(vault: &Vault) -> Key {
    vault.key("quarantine", &[])
}
/// What was admitted and is not part of its note, because another change stands in the place of one of it.
pub(crate) fn overruled(vault: &Vault) -> Key {
    vault.key("overruled", &[])
}
/// All reference data.
pub(crate) fn references(vault: &Vault) -> Key {
    vault.key("references", &[])
}
/// All report markers.
pub(crate) fn markers(vault: &Vault) -> Key {
    vault.key("markers", &[])
}
/// Report markers of one note.
pub(crate) fn marker(vault: &Vault, document: DocumentId) -> Key {
    vault.key("marker", &[document.as_bytes()])
}
/// The feed of a scope.
pub(crate) fn scope(vault: &Vault, scope: Scope) -> Key {
    match scope {
        Scope::Clinic => vault.key("scope clinic", &[]),
        Scope::Caseload(person) => vault.key("scope caseload", &[person.as_bytes()]),
        Scope::Site(clinic) => vault.key("scope site", &[clinic.as_bytes()]),
    }
}
/// What every tablet of the clinic gets.
pub(crate) fn everyone(vault: &Vault) -> Key {
    vault.key("scope everyone", &[])
}
/// Places: documents of a patient.
pub(crate) fn patient(vault: &Vault, patient: PatientId) -> Key {
    vault.key("patient", &[patient.as_bytes()])
}
/// Places: notes of a patient on a date.
pub(crate) fn patient_day(vault: &Vault, patient: PatientId, date: Date) -> Key {
    vault.key("patient day", &[patient.as_bytes(), date.to_string().as_bytes()])
}
/// Places: notes of a provider on a date.
pub(crate) fn provider_day(vault: &Vault, person: PersonId, date: Date) -> Key {
    vault.key("provider day", &[person.as_bytes(), date.to_string().as_bytes()])
}
/// Reference data: the claims of a visit.
pub(crate) fn claim(vault: &Vault, visit: DocumentId) -> Key {
    vault.key("claim", &[visit.as_bytes()])
}
/// Places: visits of an episode.
pub(crate) fn episode(vault: &Vault, episode: DocumentId) -> Key {
    vault.key("episode", &[episode.as_bytes()])
}
/// Kept: a document's snapshot.
pub(crate) fn snapshot(vault: &Vault, document: DocumentId) -> Key {
    vault.key("snapshot", &[document.as_bytes()])
}
/// Kept: a report's body.
pub(crate) fn report(vault: &Vault, document: DocumentId) -> Key {
    vault.key("report", &[document.as_bytes()])
}
/// Verdicts that other clinics reached.
pub(crate) fn imported(vault: &Vault) -> Key {
    vault.key("imported", &[])
}
/// Kept: how far another clinic's feed has been taken over.
pub(crate) fn followed(vault: &Vault, clinic: ClinicId) -> Key {
    vault.key("followed", &[clinic.as_bytes()])
}
/// Kept: the sum of what is shared with another clinic.
pub(crate) fn digest(vault: &Vault, clinic: ClinicId) -> Key {
    vault.key("digest", &[clinic.as_bytes()])
}
/// Kept: when a tablet was last heard, and what it had been sent.
pub(crate) fn heard(vault: &Vault, device: DeviceId) -> Key {
    vault.key("heard", &[device.as_bytes()])
}
/// Administrative acts.
pub(crate) fn audit(vault: &Vault) -> Key {
    vault.key("audit", &[])
}
