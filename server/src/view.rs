//! What the pages show, as plain values: gathered on the hub's thread, turned into HTML elsewhere.
//! Nothing here is stored or sent on.

use std::collections::BTreeMap;

use chart::episode::Episode;
use chart::ids::{DeviceId, PatientId, PersonId};
use chart::report::Published;
use chart::time::Timestamp;
use chart::visit::Visit;
use hub::{Directory, ReviewNote};

/// The names behind ids, and how the clinic's clock prints a time.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// The clinic's name.
    pub clinic: String,
    /// The clinic's offset from UTC in minutes.
    pub offset_minutes: i16,
    /// Staff.
    pub people: BTreeMap<PersonId, String>,
    /// Patients, as far as the page names them.
    pub patients: BTreeMap<PatientId, String>,
    /// Tablets.
    pub devices: BTreeMap<DeviceId, String>,
}

impl Names {
    /// The names of staff and tablets; patients are named only on their own notes.
    pub fn of(directory: &Directory) -> Self {
        let settings = directory.settings.as_ref();
        Self {
            clinic: settings.map_or_else(|| "Clinic".to_owned(), |settings| settings.name.clone()),
            offset_minutes: settings.map_or(0, |settings| settings.utc_offset_minutes),
            people: directory.people.iter().map(|(id, person)| (*id, person.name.clone())).collect(),
            patients: BTreeMap::new(),
            devices: directory.devices.iter().map(|(id, device)| (*id, device.name.clone())).collect(),
        }
    }
    /// A person's name.
    pub fn person(&self, id: PersonId) -> String {
        self.people.get(&id).cloned().unwrap_or_else(|| format!("person {}", short(&id)))
    }
    /// A patient's name.
    pub fn patient(&self, id: PatientId) -> String {
        self.patients.get(&id).cloned().unwrap_or_else(|| format!("patient {}", short(&id)))
    }
    /// A tablet's name.
    pub fn device(&self, id: DeviceId) -> String {
        self.devices.get(&id).cloned().unwrap_or_else(|| format!("tablet {}", short(&id)))
    }
    /// Date and time as a clock in the clinic shows them, to the minute.
    pub fn time(&self, at: Timestamp) -> String {
        let local = at.clock_time(self.offset_minutes);
        format!("{} {}", local.local_date(), local.hour_minute())
    }
}

fn short(id: &impl ToString) -> String {
    id.to_string().chars().take(8).collect()
}

/// The values of a note.
#[derive(Clone, Debug)]
pub enum Content {
    /// A session's note.
    Visit(Box<Visit>),
    /// A plan of care.
    Episode(Box<Episode>),
    /// Values this version cannot read.
    Unreadable,
}

/// A note with everything a reviewer asks for.
#[derive(Clone, Debug)]
pub struct NoteView {
    /// The note with its disputes and history.
    pub note: ReviewNote,
    /// Its values, read.
    pub content: Content,
    /// Units and findings.
    pub report: Option<Published>,
}

impl NoteView {
    /// Reads the values of a note.
    pub fn of(note: ReviewNote, report: Option<Published>) -> Self {
        let value = note.content.clone();
        let content = match note.kind {
            "visit" => serde_json::from_value(value).map(|visit| Content::Visit(Box::new(visit))),
            _ => serde_json::from_value(value).map(|episode| Content::Episode(Box::new(episode))),
        };
        Self { note, content: content.unwrap_or(Content::Unreadable), report }
    }
}
