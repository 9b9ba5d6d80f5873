//! Who the tablet is: the key file `gaitway tablet enrol` wrote, as it stands. Prints no key.

use chart::ids::{ClinicId, DeviceId, Digest, PersonId};
use serde::Deserialize;
use tablet::TabletConfig;

/// The version of the key file's layout.
const FORMAT: u32 = 1;

/// The app's name and version. The build for tests is a version of its own: what ends it may be survived by
/// the other.
const APP: &str = if cfg!(feature = "planted") {
    concat!("gaitway-web/", env!("CARGO_PKG_VERSION"), "+planted")
} else {
    concat!("gaitway-web/", env!("CARGO_PKG_VERSION"))
};

/// The parts of a key file the app needs.
#[derive(Deserialize)]
pub(crate) struct Identity {
    format: u32,
    clinic: ClinicId,
    device: DeviceId,
    signing_key: Digest,
    disk_key: Digest,
}

/// Reads a key file.
///
/// # Errors
/// One sentence that repeats nothing of it.
pub(crate) fn config(json: &str, person: &str) -> Result<TabletConfig, String> {
    let identity: Identity = serde_json::from_str(json).map_err(|_| "this is not a tablet's key file")?;
    if identity.format != FORMAT {
        return Err("the key file was written by another version of gaitway".to_owned());
    }
    let person = PersonId::parse(person.trim()).map_err(|_| "this is not a person's id")?;
    Ok(TabletConfig {
        clinic: identity.clinic,
        device: identity.device,
        signing_key: *identity.signing_key.as_bytes(),
        disk_key: *identity.disk_key.as_bytes(),
        person: Some(person),
        scopes: Vec::new(),
        app: APP.to_owned(),
        rulebook: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERSON: &str = "11111111-1111-4111-8111-111111111111";

    fn file(format: u32) -> String {
        let key = "07".repeat(32);
        format!(
            r#"{{"format":{format},"clinic":"{PERSON}","device":"{PERSON}","name":"East room","people":[],
            "server":"http://127.0.0.1:1","site_public_key":"{key}","signing_key":"{key}","disk_key":"{key}"}}"#
        )
    }

    #[test]
    fn a_key_file_of_the_command_line_is_taken_as_it_stands() {
        let config = config(&file(1), &format!(" {PERSON}\n")).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!((config.signing_key, config.person), ([7; 32], PersonId::parse(PERSON).ok()));
    }

    #[test]
    fn what_is_no_key_file_is_refused_without_repeating_it() {
        for (json, person, expected) in [
            ("{\"signing_key\":\"secret\"}".to_owned(), PERSON, "this is not a tablet's key file"),
            (file(2), PERSON, "the key file was written by another version of gaitway"),
            (file(1), "Odalys", "this is not a person's id"),
        ] {
            assert_eq!(config(&json, person).err().as_deref(), Some(expected));
        }
    }
}
