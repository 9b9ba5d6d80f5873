//! Making a clinic's directory: keys, tokens, a commented configuration, the clinic's settings and its
//! first administrator. All of it appears at once, or nothing does.

use std::path::{Path, PathBuf};

use chart::entropy::draw;
use chart::ids::{ClinicId, PersonId};
use chart::reference::{ClinicSettings, Person, Reference, Role};
use hub::{Hub, Ticket};
use serde::Serialize;

use crate::api::check_name;
use crate::config::{Config, TEMPLATE};
use crate::datadir::{
    DataDir, DataError, Keys, make_private_dir, move_into_place, must_be_empty, write_secret,
};
use crate::edge::{OsEntropy, new_token};
use crate::faults::Faults;
use crate::opening::{OpenError, open, rulebook};
use crate::record::Record;

/// Why a clinic's directory could not be made.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// A name or an offset that is none.
    #[error("{0}")]
    Input(String),
    /// The directory.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The record in it.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The first entries could not be written.
    #[error("the first entries could not be written: {0}")]
    Entries(String),
}

/// What a new clinic is called and who runs it.
#[derive(Clone, Debug)]
pub struct NewClinic {
    /// Its name.
    pub name: String,
    /// The offset of its clocks from UTC, in minutes.
    pub offset_minutes: i16,
    /// The first administrator's name.
    pub admin: String,
}

/// What was made.
#[derive(Clone, Debug, Serialize)]
pub struct Made {
    /// The directory.
    pub directory: PathBuf,
    /// The clinic's id.
    pub clinic: ClinicId,
    /// The first administrator's id.
    pub admin: PersonId,
}

/// Makes a clinic's directory.
pub fn init(dir: &Path, clinic: &NewClinic) -> Result<Made, InitError> {
    check_name("the clinic's name", &clinic.name).map_err(InitError::Input)?;
    check_name("the administrator's name", &clinic.admin).map_err(InitError::Input)?;
    if !(-14 * 60..=14 * 60).contains(&clinic.offset_minutes) {
        return Err(InitError::Input("the offset lies between -840 and 840 minutes".to_owned()));
    }
    must_be_empty(dir)?;
    let beside = beside(dir);
    must_be_empty(&beside)?;
    make_private_dir(&beside)?;
    let made = fill(&beside, clinic).and_then(|(clinic, admin)| {
        move_into_place(&beside, dir)?;
        Ok(Made { directory: dir.to_owned(), clinic, admin })
    });
    if made.is_err() {
        let _ = std::fs::remove_dir_all(&beside);
    }
    made
}

/// A directory next to the one that is to appear.
fn beside(dir: &Path) -> PathBuf {
    let name = dir.file_name().and_then(|name| name.to_str()).unwrap_or("clinic");
    dir.with_file_name(format!(".{name}.init-{}", std::process::id()))
}

fn fill(dir: &Path, clinic: &NewClinic) -> Result<(ClinicId, PersonId), InitError> {
    let data = DataDir::new(dir);
    let mut entropy = OsEntropy;
    let keys = Keys {
        clinic: ClinicId::random(&mut entropy),
        clinic_key: draw(&mut entropy),
        site_key: draw(&mut entropy),
    };
    let id = keys.clinic;
    data.write_keys(&keys)?;
    write_secret(&data.admin_token(), &format!("{}\n", new_token("gwa")))?;
    write_secret(&data.metrics_token(), &format!("{}\n", new_token("gwm")))?;
    write_secret(&data.config(), TEMPLATE)?;
    let config = Config::default();
    let faults = Faults::default();
    let mut opened = open(&data, keys, rulebook(None)?, config.documents_resident_max, &faults)?;
    let admin = PersonId::random(&mut entropy);
    let references = [
        Reference::Settings(ClinicSettings {
            clinic: id,
            name: clinic.name.clone(),
            utc_offset_minutes: clinic.offset_minutes,
            rules: std::collections::BTreeMap::new(),
        }),
        Reference::Person(Person {
            id: admin,
            name: clinic.admin.clone(),
            credentials: String::new(),
            roles: [Role::ClinicAdmin, Role::Supervisor].into(),
            profession: None,
            npi: None,
            license_valid_to: None,
            excluded_from: None,
            inactive: false,
        }),
    ];
    for reference in references {
        let ticket = opened
            .hub
            .put_reference(&mut OsEntropy, &opened.record, reference)
            .map_err(|error| InitError::Entries(error.to_string()))?;
        finish(&mut opened.hub, &opened.record, ticket)?;
    }
    opened.record.close().map_err(|error| InitError::Entries(error.to_string()))?;
    Ok((id, admin))
}

/// Commits until an act is done.
fn finish(hub: &mut Hub, record: &Record, ticket: Ticket) -> Result<(), InitError> {
    let failed = |sentence: String| InitError::Entries(sentence);
    while let Some(batch) = hub.poll_commit() {
        let first_seq = record.commit(&batch).map_err(|error| failed(error.to_string()))?;
        hub.committed(record, first_seq);
        while let Some((done, result)) = hub.poll_done() {
            if done == ticket {
                return result.map_err(failed);
            }
        }
    }
    Err(failed("the entry was never written".to_owned()))
}
