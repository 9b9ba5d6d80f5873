//! The people of a clinic's day at work: tablets that write their notes, and where everything lies.

use std::path::PathBuf;
use std::time::Duration;

use gaitway::load::day::{Act, Day, Note, Step};
use serde_json::{Value, json};

use crate::support::{Clinic, TabletProcess, patiently, sync};

/// A tablet of the day.
pub(crate) struct Place {
    pub(crate) person: String,
    pub(crate) dir: PathBuf,
}

/// Everybody, before they come online.
pub(crate) struct Shift {
    pub(crate) clinic: Clinic,
    pub(crate) day: Day,
    /// The therapists' tablets, by number.
    pub(crate) places: Vec<Place>,
    /// The supervisor's, which follows the whole clinic.
    pub(crate) office: Place,
    pub(crate) supervisor: String,
}

/// The lines of one tablet, in order.
fn lines_of(day: &Day, note: &Note, steps: &[Step], by_keys: bool) -> Vec<Value> {
    if !by_keys {
        let entries = day.entries(note, steps).unwrap();
        return entries
            .into_iter()
            .map(|entry| json!({ "document": note.document, "at": entry.at, "commands": entry.commands }))
            .collect();
    }
    // Letter by letter, as a keyboard gives it; the tablet joins it into phrases by itself.
    let mut lines = Vec::new();
    for step in steps {
        let at = day.instant(step.at_ms);
        if let Act::Splice { field, position, delete, insert } = &step.act {
            lines.push(json!({
                "do": "keystroke", "document": note.document, "at": at, "field": field,
                "position": position, "delete": delete, "insert": insert,
            }));
        } else {
            for entry in day.entries(note, std::slice::from_ref(step)).unwrap() {
                lines.push(json!({ "document": note.document, "at": at, "commands": entry.commands }));
            }
        }
    }
    lines.push(json!({ "do": "flush", "document": note.document }));
    lines
}

/// Says lines without waiting between them, and hears all the answers.
fn say_all(tablet: &mut TabletProcess, lines: &[Value]) {
    for line in lines {
        tablet.send(line).unwrap();
    }
    for line in lines {
        let answer = tablet.answer(Duration::from_secs(120)).expect("an answer");
        assert_eq!(answer["ok"], json!(true), "{line}\n{answer}");
    }
}

/// Every tablet at once, each in a thread of its own.
pub(crate) fn all_at_once(tablets: &mut [TabletProcess], work: impl Fn(usize, &mut TabletProcess) + Sync) {
    std::thread::scope(|scope| {
        for (number, tablet) in tablets.iter_mut().enumerate() {
            let work = &work;
            scope.spawn(move || work(number, tablet));
        }
    });
}

impl Shift {
    /// Lives the day: what needs the network first, then everybody offline. All tablets end in order.
    pub(crate) fn live(day: Day) -> Self {
        let mut clinic = Clinic::start();
        let supervisor = clinic.person("Ismene", "supervisor");
        let people: Vec<String> = (0..day.tablets)
            .map(|number| clinic.person(&format!("therapist {number}"), "therapist"))
            .collect();
        let patients: Vec<String> = day
            .notes
            .iter()
            .enumerate()
            .map(|(number, note)| {
                let team: Vec<&str> = [Some(note.owner), note.second]
                    .into_iter()
                    .flatten()
                    .map(|n| people[n].as_str())
                    .collect();
                clinic.patient(&format!("Patient {number}"), &note.payer, &team)
            })
            .collect();
        let places: Vec<Place> = people
            .iter()
            .enumerate()
            .map(|(number, person)| Place {
                person: person.clone(),
                dir: clinic.enrol(&format!("t{number}")),
            })
            .collect();
        let office = Place { person: supervisor.clone(), dir: clinic.enrol("office") };
        let shift = Self { clinic, day, places, office, supervisor };
        let mut tablets: Vec<TabletProcess> =
            shift.places.iter().map(|place| shift.start(place, &[])).collect();
        let lines: Vec<Vec<Value>> =
            (0..tablets.len()).map(|number| shift.morning(number, &patients)).collect();
        all_at_once(&mut tablets, |number, tablet| {
            say_all(tablet, &lines[number]);
            sync(tablet);
        });
        shift.wait_for_shared(&mut tablets);
        let lines: Vec<Vec<Value>> = (0..tablets.len()).map(|number| shift.afternoon(number)).collect();
        all_at_once(&mut tablets, |number, tablet| {
            tablet.say(&json!({ "do": "disconnect" })).unwrap();
            say_all(tablet, &lines[number]);
            assert!(tablet.finish(), "a tablet did not end in order");
        });
        shift
    }

    fn start(&self, place: &Place, more: &[&str]) -> TabletProcess {
        self.clinic.run(&place.dir, &place.person, more, &[])
    }

    /// The heads of the day's notes, and what a second tablet will have seen.
    fn morning(&self, tablet: usize, patients: &[String]) -> Vec<Value> {
        let mut lines = Vec::new();
        for (note, patient) in self.day.notes.iter().zip(patients) {
            if note.owner != tablet {
                continue;
            }
            let mut plan = vec![json!({
                "command": "open_episode", "patient": patient, "discipline": "pt",
                "started_on": "2026-02-03", "facts": { "payer": note.payer, "diagnoses": ["R26.89"] },
            })];
            for (number, goal) in note.goals.iter().enumerate() {
                let set = json!({ "task": goal, "status": "active" });
                plan.push(json!({ "command": "set_goal", "goal": note.goal(number), "set": set }));
            }
            lines.push(json!({ "document": note.episode(), "commands": plan }));
            lines.push(json!({
                "document": note.document, "command": "open_visit", "patient": patient, "discipline": "pt",
                "episode": note.episode(),
                "facts": {
                    "provider": self.places[tablet].person, "date": self.day.date, "payer": note.payer,
                },
            }));
            if note.second.is_some() {
                lines.extend(lines_of(&self.day, note, &note.steps[..note.seen], false));
            }
        }
        lines
    }

    /// What is done without a network.
    fn afternoon(&self, tablet: usize) -> Vec<Value> {
        let mut lines = Vec::new();
        for (number, note) in self.day.notes.iter().enumerate() {
            let by_keys = number % 3 == 0;
            if note.owner == tablet {
                let from = if note.second.is_some() { note.seen } else { 0 };
                lines.extend(lines_of(&self.day, note, &note.steps[from..], by_keys));
            } else if note.second == Some(tablet) {
                lines.extend(lines_of(&self.day, note, &note.second_steps, by_keys));
            }
        }
        lines
    }

    fn wait_for_shared(&self, tablets: &mut [TabletProcess]) {
        for note in &self.day.notes {
            let Some(second) = note.second else { continue };
            let show = json!({ "do": "show", "document": note.document });
            let seen = tablets[note.owner].say(&show).unwrap()["note"]["heads"].clone();
            patiently("the second tablet sees what the owner began", || {
                let shown = tablets[second].say(&show).ok()?;
                (shown["note"]["heads"] == seen).then_some(())
            });
        }
    }
}
