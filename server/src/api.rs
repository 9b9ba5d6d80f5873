//! The shapes of the administrator's interface, shared by the server and the command line. Plain values;
//! checks that need no directory are here.

mod site_row;

use std::collections::BTreeSet;

use chart::code::{Discipline, PayerId};
use chart::ids::{ChangeHash, ClinicId, DeviceId, DocumentId, PatientId, PersonId};
use chart::reference::{Profession, Role};
use chart::time::{ClockTime, Date, Timestamp};
use serde::{Deserialize, Serialize};

pub use self::site_row::SiteRow;
use crate::nearest::did_you_mean;

/// Longest name of anything, in bytes.
pub const NAME_BYTES: usize = 200;

/// A member of staff to enter or to change.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PersonInput {
    /// Whom to change; a new person if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<PersonId>,
    /// The name as the note prints it.
    pub name: String,
    /// The professional designation as printed after the name.
    #[serde(default)]
    pub credentials: String,
    /// What the person may do.
    pub roles: BTreeSet<Role>,
    /// Profession.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profession: Option<Profession>,
    /// National provider identifier, ten digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub npi: Option<String>,
    /// The last day the licence is valid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub license_valid_to: Option<Date>,
    /// The first day on the exclusion list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub excluded_from: Option<Date>,
    /// No longer works here.
    #[serde(default)]
    pub inactive: bool,
}

/// A patient to enter or to change.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PatientInput {
    /// Whom to change; a new patient if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<PatientId>,
    /// The name.
    pub name: String,
    /// Date of birth.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub born_on: Option<Date>,
    /// The usual payer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payer: Option<PayerId>,
    /// Whose caseload the patient is on.
    #[serde(default)]
    pub care_team: BTreeSet<PersonId>,
}

/// An appointment to enter or to change; its id becomes the visit's.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AppointmentInput {
    /// Which to change; a new appointment if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<DocumentId>,
    /// Who comes.
    pub patient: PatientId,
    /// The episode of care.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub episode: Option<DocumentId>,
    /// Who treats.
    pub provider: PersonId,
    /// When.
    pub at: ClockTime,
    /// Under which plan.
    pub discipline: Discipline,
    /// Who pays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payer: Option<PayerId>,
}

/// A rule setting of the clinic.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SettingInput {
    /// Its name, as the rulebook lists it.
    pub name: String,
    /// Its value; taken away if absent.
    #[serde(default)]
    pub value: Option<String>,
}

/// A one-time enrolment code to be made.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CodeInput {
    /// What people will call the tablet.
    pub name: String,
    /// Who may work on it; everybody if empty.
    #[serde(default)]
    pub people: BTreeSet<PersonId>,
}

/// A tablet that enrols itself with a one-time code.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnrolInput {
    /// The code.
    pub code: String,
    /// The tablet's Ed25519 public key, 64 hexadecimal digits.
    pub public_key: chart::ids::Digest,
}

/// Held work to be released or rejected.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReleaseInput {
    /// The note it belongs to.
    pub document: DocumentId,
    /// The held changes.
    pub hashes: BTreeSet<ChangeHash>,
    /// The supervisor who decides it.
    pub by: PersonId,
    /// Why.
    pub reason: String,
}

/// Whose access token is to be made or taken away.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenInput {
    /// The person.
    pub person: PersonId,
}

/// The id of what was entered.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Entered {
    /// Its id.
    pub id: String,
}

/// A one-time enrolment code.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Code {
    /// The code.
    pub code: String,
    /// How long it is good for, in minutes.
    pub valid_minutes: i64,
}

/// An access token: told once.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Token {
    /// The token.
    pub token: String,
    /// The day and time it ends.
    pub expires_at: Timestamp,
}

/// A tablet in a list.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DeviceRow {
    /// Its id.
    pub id: DeviceId,
    /// What people call it.
    pub name: String,
    /// Who may work on it; everybody if empty.
    pub people: BTreeSet<PersonId>,
    /// When it was enrolled.
    pub enrolled_at: Timestamp,
    /// When it was revoked, if it was.
    pub revoked_at: Option<Timestamp>,
}

/// Fails unless a text is a name: one line, not blank, not too long.
pub fn check_name(what: &str, text: &str) -> Result<(), String> {
    if text.trim().is_empty() {
        return Err(format!("{what} must not be empty"));
    }
    if text.len() > NAME_BYTES {
        return Err(format!("{what} is longer than {NAME_BYTES} bytes"));
    }
    if text.chars().any(char::is_control) {
        return Err(format!("{what} must be one line of plain text"));
    }
    Ok(())
}

impl PersonInput {
    /// Fails unless the values make sense by themselves.
    pub fn check(&self) -> Result<(), String> {
        check_name("the name", &self.name)?;
        if self.roles.is_empty() {
            return Err(format!("a person needs a role: {}", Role::KNOWN.join(", ")));
        }
        for role in &self.roles {
            if let Role::Other(text) = role {
                let text: String = text.chars().take(40).collect();
                let hint = did_you_mean(&text, Role::KNOWN.iter().copied());
                return Err(format!("`{text}` is no role{hint} (known: {})", Role::KNOWN.join(", ")));
            }
        }
        if let Some(Profession::Other(text)) = &self.profession {
            let text: String = text.chars().take(40).collect();
            let hint = did_you_mean(&text, Profession::KNOWN.iter().copied());
            return Err(format!("`{text}` is no profession{hint} (known: {})", Profession::KNOWN.join(", ")));
        }
        match &self.npi {
            Some(npi) if npi.len() != 10 || !npi.bytes().all(|byte| byte.is_ascii_digit()) => {
                Err("a national provider identifier has ten digits".to_owned())
            }
            _ => Ok(()),
        }
    }
}

/// What a clinic brings to be paired.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PairInput {
    /// The one-time code made at the other clinic.
    pub code: String,
    /// Who it is.
    pub introduction: hub::Introduction,
}

/// A clinic to pair with.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JoinInput {
    /// Where its server is reached from this one.
    pub address: String,
    /// The one-time code made there.
    pub code: String,
}

/// Which other clinics treat a patient.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SharingInput {
    /// The clinics.
    pub clinics: BTreeSet<ClinicId>,
}

/// Up to which day a clinic's charting is complete.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CloseDayInput {
    /// The last day.
    pub through: Date,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_role_names_the_nearest_one() {
        let input: PersonInput =
            serde_json::from_str(r#"{"name":"Maria Lopez","roles":["therapst"]}"#).unwrap();
        let sentence = input.check().unwrap_err();
        assert!(sentence.starts_with("`therapst` is no role; did you mean `therapist`?"), "{sentence}");
    }

    #[test]
    fn a_name_is_one_line() {
        for (name, fits) in [("Maria Lopez", true), (" ", false), ("a\nb", false)] {
            assert_eq!(check_name("the name", name).is_ok(), fits, "{name:?}");
        }
    }
}
