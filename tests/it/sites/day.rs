//! A clinic day in a group: three real servers, each pair of them on a line of its own, and tablets that are
//! processes. Lines are cut, healed, slowed to 30 kbit/s with 600 ms and losses, and made deaf, so that what was
//! done is said again; one server is killed at work and one comes back from yesterday's backup.
//!
//! At the end every replica that should hold a note holds equal heads, nobody holds a note outside its scope,
//! every acknowledged change is there once under its author, and reports of equal inputs are equal. Inputs that
//! may differ are times of arrival, once a record was put back, and nothing else.
//! `GAITWAY_SITES_DAY=full` plays twelve tablets, otherwise six.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use chart::ids::DocumentId;
use gaitway::api::{SiteRow, Token};
use gaitway::client::Client;
use gaitway::datadir::DataDir;
use gaitway::demo::line::{Line, Weather};
use gaitway::edge::now;
use serde_json::{Value, json};

use crate::support::{Clinic, TabletProcess, copy_all, gaitway, patiently};

/// 30 kbit/s, 600 ms there and back, two packets of a hundred lost at first.
const POOR: Weather = Weather {
    cut: false,
    bytes_per_second: 3_750,
    delay: Duration::from_millis(300),
    lost_per_mille: 20,
    deaf: false,
};
const DEAF: Weather =
    Weather { deaf: true, cut: false, bytes_per_second: 0, delay: Duration::ZERO, lost_per_mille: 0 };
const NAMES: [&str; 3] = ["Millbrook", "Riverside", "Hillcrest"];
/// How long the group may take to agree after the last line was healed.
const AGREE_IN: Duration = Duration::from_secs(180);

/// A therapist with a tablet.
struct Desk {
    person: String,
    tablet: TabletProcess,
    /// Notes this tablet follows.
    follows: BTreeSet<DocumentId>,
}

struct Place {
    clinic: Clinic,
    id: String,
    token: String,
    desks: Vec<Desk>,
}

/// A change that somebody was told is saved, with who made it.
struct Acknowledged {
    document: DocumentId,
    change: String,
    person: String,
    words: String,
}

/// A note and the places that are to hold it.
struct Note {
    document: DocumentId,
    places: BTreeSet<usize>,
}

struct Group {
    places: Vec<Place>,
    /// Lines between the first, the second and the third: 0-1, 0-2, 1-2.
    lines: Vec<Line>,
    notes: Vec<Note>,
    acknowledged: Vec<Acknowledged>,
    number: u64,
}

impl Place {
    fn open(name: &str, tablets: usize) -> Self {
        let mut clinic = Clinic::start();
        let supervisor = clinic.person("Oswin", "supervisor");
        let token: Token = clinic.admin().post("/v1/admin/tokens", &json!({ "person": supervisor })).unwrap();
        let status: Value = clinic.admin().get("/v1/admin/status").unwrap();
        let desks = (0..tablets)
            .map(|number| {
                let person = clinic.person(&format!("{name} {number}"), "therapist");
                let tablet = clinic.tablet(&format!("room {number}"), &person, &[]);
                Desk { person, tablet, follows: BTreeSet::new() }
            })
            .collect();
        Self { id: status["clinic"].as_str().unwrap().to_owned(), clinic, token: token.token, desks }
    }

    #[track_caller]
    fn command(&self, arguments: &[&str]) -> Value {
        let data = self.clinic.data();
        let mut all = vec!["site"];
        all.extend(arguments);
        all.extend(["--data", data.to_str().unwrap(), "--json"]);
        let told = gaitway(&all);
        assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
        serde_json::from_slice(&told.stdout).unwrap()
    }

    fn read(&self, path: &str) -> Option<Value> {
        let data = DataDir::new(self.clinic.data());
        Client::new(&data, Some(self.clinic.url.clone()), Some(self.token.clone())).unwrap().get(path).ok()
    }

    fn note(&self, document: DocumentId) -> Option<Value> {
        self.read(&format!("/v1/review/notes/{document}"))
    }

    fn everybody(&self) -> Vec<String> {
        self.desks.iter().map(|desk| desk.person.clone()).collect()
    }
}

impl Group {
    fn open(tablets: usize) -> Self {
        let places: Vec<Place> = NAMES.iter().map(|name| Place::open(name, tablets)).collect();
        let lines = [(0, 1), (0, 2), (1, 2)].map(|(first, second)| {
            let line = Line::to(&places[first].clinic.url).unwrap();
            let code = places[first].command(&["invite"])["code"].as_str().unwrap().to_owned();
            places[second].command(&["join", &line.url(), &code]);
            line
        });
        let lines = lines.into();
        let group = Self { places, lines, notes: Vec::new(), acknowledged: Vec::new(), number: 0 };
        group.connected();
        group
    }

    fn connected(&self) {
        patiently("every clinic reaches both others", || {
            let all = self.places.iter().all(|place| {
                let rows: Vec<SiteRow> = serde_json::from_value(place.command(&["list"])).unwrap();
                rows.iter().filter(|row| row.connected).count() == 2
            });
            all.then_some(())
        });
    }

    /// A patient of some places; the first of them keeps the file.
    fn patient(&self, name: &str, places: &[usize]) -> String {
        let home = &self.places[places[0]];
        let everybody = home.everybody();
        let team: Vec<&str> = everybody.iter().map(String::as_str).collect();
        let patient = home.clinic.patient(name, "medicare_ffs", &team);
        let mut share = vec!["share", patient.as_str()];
        for place in &places[1..] {
            share.extend(["--with", self.places[*place].id.as_str()]);
        }
        if share.len() > 2 {
            home.command(&share);
        }
        for place in &places[1..] {
            let place = &self.places[*place];
            let input = json!({
                "id": patient, "name": name, "payer": "medicare_ffs", "care_team": place.everybody(),
            });
            patiently("the patient's file arrives", || {
                place.clinic.admin().post::<Value>("/v1/admin/patients", &input).ok().map(drop)
            });
        }
        patient
    }

    fn say(&mut self, (place, desk): (usize, usize), document: DocumentId, mut line: Value, words: &str) {
        line["document"] = json!(document);
        let desk = &mut self.places[place].desks[desk];
        let told = desk.tablet.say(&line).unwrap();
        assert_eq!(told["saved"], json!(true));
        self.acknowledged.push(Acknowledged {
            document,
            change: told["change"].as_str().unwrap().to_owned(),
            person: desk.person.clone(),
            words: words.to_owned(),
        });
    }

    /// A tablet begins a note of a patient of these places. Each kind of patient comes on a day of its own: a
    /// report reads all notes of the provider's day, and inputs are only equal where all may be seen.
    fn begin(&mut self, at: (usize, usize), patient: &str, places: &[usize]) -> DocumentId {
        self.number += 1;
        let mut bytes = [0x70; 16];
        bytes[8..].copy_from_slice(&self.number.to_be_bytes());
        let document = DocumentId::from_bytes(bytes);
        let provider = self.places[at.0].desks[at.1].person.clone();
        let date = ["2026-03-16", "2026-03-17", "2026-03-18"][places.len() - 1];
        let line = json!({
            "command": "open_visit", "patient": patient, "discipline": "pt",
            "facts": { "provider": provider, "date": date, "payer": "medicare_ffs" },
        });
        self.say(at, document, line, "");
        for place in places {
            self.places[*place].desks.iter_mut().for_each(|desk| _ = desk.follows.insert(document));
        }
        self.notes.push(Note { document, places: places.iter().copied().collect() });
        document
    }

    /// A tablet writes words that are there once in the world.
    fn write(&mut self, at: (usize, usize), document: DocumentId) {
        self.number += 1;
        let words = format!("[{} {} {:04}] ", NAMES[at.0], at.1, self.number);
        let line = json!({
            "command": "splice_text", "field": "subjective", "position": 0, "insert": words,
        });
        self.say(at, document, line, &words);
    }

    /// Everybody writes in some of the notes they follow, wherever those began.
    fn everybody_writes(&mut self) {
        for place in 0..self.places.len() {
            for desk in 0..self.places[place].desks.len() {
                let known = self.known(place, desk);
                for (number, document) in known.into_iter().enumerate() {
                    if (number + place + desk) % 3 == 0 {
                        self.write((place, desk), document);
                    }
                }
            }
        }
    }

    /// The notes a tablet holds.
    fn known(&mut self, place: usize, desk: usize) -> BTreeSet<DocumentId> {
        let list = self.places[place].desks[desk].tablet.say(&json!({ "do": "list" })).unwrap();
        let rows = list["documents"].as_array().unwrap().iter();
        rows.map(|row| serde_json::from_value(row["document"].clone()).unwrap()).collect()
    }

    /// Everybody of a place whose server runs waits until all is on its disk.
    fn safe(&mut self, place: usize) {
        for desk in &mut self.places[place].desks {
            desk.tablet.say(&json!({ "do": "sync", "until": "safe", "timeout_ms": 80_000 })).unwrap();
        }
    }

    /// What keeps the replicas from agreeing; nothing if they do.
    fn differs(&mut self, other_times: &mut usize) -> Option<String> {
        *other_times = 0;
        for note in 0..self.notes.len() {
            let document = self.notes[note].document;
            let mut heads: Option<Value> = None;
            let mut report: Option<Value> = None;
            for place in self.notes[note].places.clone() {
                let Some(here) = self.places[place].note(document) else {
                    return Some(format!("{} lacks {document}", NAMES[place]));
                };
                let told = self.places[place].read(&format!("/v1/review/notes/{document}/report"));
                if heads.get_or_insert_with(|| here["heads"].clone()) != &here["heads"] {
                    return Some(format!("{} has other heads of {document}", NAMES[place]));
                }
                let Some(told) = told else {
                    return Some(format!("{} has no report of {document}", NAMES[place]));
                };
                let first = report.get_or_insert_with(|| told.clone());
                if *first != told {
                    *other_times += 1;
                    let (one, other) = (without_arrivals(first), without_arrivals(&told));
                    if one != other {
                        let name = NAMES[place];
                        let where_ = difference(&one, &other);
                        return Some(format!("{name} has another report of {document}: {where_}"));
                    }
                }
                for desk in &mut self.places[place].desks {
                    let shown = desk.tablet.say(&json!({ "do": "show", "document": document }));
                    if shown.ok().map(|shown| shown["note"]["heads"].clone()) != heads {
                        return Some(format!("a tablet of {} has other heads of {document}", NAMES[place]));
                    }
                }
            }
        }
        None
    }

    /// How every clinic stands with the others, and how much each has of every note.
    fn standing(&self) -> String {
        let mut told = String::new();
        let made = |note: &Note| self.acknowledged.iter().filter(|one| one.document == note.document).count();
        told.push_str(&format!("made: {:?}\n", self.notes.iter().map(made).collect::<Vec<_>>()));
        for (place, name) in self.places.iter().zip(NAMES) {
            let rows: Vec<SiteRow> = serde_json::from_value(place.command(&["list"])).unwrap();
            told.extend(rows.iter().map(|row| format!("{name}: {}\n", row.brief(now(), 0))));
            let changes = |note: &Note| {
                let shown = place.note(note.document);
                shown.map_or(0, |shown| shown["history"].as_array().map_or(0, Vec::len))
            };
            told.push_str(&format!("{name}: {:?}\n", self.notes.iter().map(changes).collect::<Vec<_>>()));
            let status: Value = place.clinic.admin().get("/v1/admin/status").unwrap();
            let held: Value = place.clinic.admin().get("/v1/admin/quarantine").unwrap();
            let held: Vec<&Value> = held["quarantine"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|row| row["open"] == json!(true))
                .collect();
            told.push_str(&format!("{name}: {} {held:?}\n", status["hub"]));
        }
        told
    }

    /// Waits until everything agrees; says how long that took, and how many reports name other times of arrival.
    fn agree(&mut self) -> (Duration, usize) {
        let began = Instant::now();
        let mut other_times = 0;
        while let Some(why) = self.differs(&mut other_times) {
            assert!(began.elapsed() < AGREE_IN, "the group does not agree: {why}\n{}", self.standing());
            std::thread::sleep(Duration::from_millis(300));
        }
        (began.elapsed(), other_times)
    }

    /// Nobody holds what is none of their business, and everything acknowledged is there once.
    fn check_scopes_and_changes(&mut self) {
        for (place, name) in NAMES.iter().enumerate() {
            for note in &self.notes {
                let held = self.places[place].note(note.document).is_some();
                assert_eq!(held, note.places.contains(&place), "{name} and {}", note.document);
            }
            for desk in 0..self.places[place].desks.len() {
                let known = self.known(place, desk);
                assert_eq!(known, self.places[place].desks[desk].follows, "a tablet of {name}");
            }
        }
        let mut expected: BTreeMap<DocumentId, usize> = BTreeMap::new();
        for one in &self.acknowledged {
            *expected.entry(one.document).or_default() += 1;
            let note = self.notes.iter().find(|note| note.document == one.document).unwrap();
            for place in &note.places {
                let shown = self.places[*place].note(one.document).unwrap();
                let history = shown["history"].as_array().unwrap();
                let found: Vec<&Value> =
                    history.iter().filter(|row| row["by"]["change"] == json!(one.change)).collect();
                assert_eq!(found.len(), 1, "{} in {} at {}", one.change, one.document, NAMES[*place]);
                assert_eq!(found[0]["by"]["person"], json!(one.person), "with its author");
                let text = shown["content"]["text"]["subjective"].as_str().unwrap_or_default();
                assert!(one.words.is_empty() || text.matches(one.words.as_str()).count() == 1, "{text}");
            }
        }
        for note in &self.notes {
            let place = *note.places.first().unwrap();
            let shown = self.places[place].note(note.document).unwrap();
            let changes = shown["history"].as_array().unwrap().len();
            assert_eq!(
                Some(&changes),
                expected.get(&note.document),
                "and nothing else is in {}",
                note.document
            );
        }
    }
}

/// A report but for when work arrived, which is one of its inputs: a clinic whose record was put back received
/// work a second time, and who had it from the first time keeps that time.
fn without_arrivals(report: &Value) -> Value {
    let mut report = report.clone();
    report["confirmed"]["arrivals"] = Value::Null;
    report["report"]["inputs"] = Value::Null;
    report
}

/// The first place where two values differ.
fn difference(one: &Value, other: &Value) -> String {
    if let (Some(one), Some(other)) = (one.as_object(), other.as_object()) {
        for (key, value) in one {
            let theirs = other.get(key).unwrap_or(&Value::Null);
            if value != theirs {
                return format!("{key}/{}", difference(value, theirs));
            }
        }
    }
    format!("{one} and {other}").chars().take(400).collect()
}

#[test]
fn a_day_of_three_clinics_with_bad_lines_a_killed_server_and_one_put_back_ends_equal() {
    let full = std::env::var("GAITWAY_SITES_DAY").is_ok_and(|size| size == "full");
    let tablets = if full { 4 } else { 2 };
    let began = Instant::now();
    let mut group = Group::open(tablets);
    // Patients of all three, of two, and of one each.
    let all = group.patient("Alder Quince", &[0, 1, 2]);
    let two = group.patient("Bryony Slate", &[1, 2]);
    let own: Vec<String> = (0..3).map(|place| group.patient(&format!("Own {place}"), &[place])).collect();
    let begin_all = |group: &mut Group| {
        for (place, own) in own.iter().enumerate() {
            for desk in 0..tablets {
                group.begin((place, desk), &all, &[0, 1, 2]);
                group.begin((place, desk), own, &[place]);
                if place > 0 {
                    group.begin((place, desk), &two, &[1, 2]);
                }
            }
        }
    };
    begin_all(&mut group);
    (0..3).for_each(|place| group.safe(place));
    let (first, other_times) = group.agree();
    assert_eq!(other_times, 0, "equal inputs, so equal reports");

    // Yesterday's backup of the third.
    let (data, backup) = (group.places[2].clinic.data(), group.places[2].clinic.dir().join("yesterday"));
    group.places[2].clinic.stop_server();
    copy_all(&data, &backup);
    group.places[2].clinic.start_server(&[]);

    // One line is cut, one is poor.
    group.lines[0].cut();
    group.lines[1].set(POOR);
    group.lines[2].set(POOR);
    begin_all(&mut group);
    group.everybody_writes();
    (0..3).for_each(|place| group.safe(place));

    // The first is killed while everybody writes.
    group.everybody_writes();
    group.places[0].clinic.kill_server();
    group.everybody_writes();
    group.places[0].clinic.start_server(&[]);
    group.lines[0].heal();
    (0..3).for_each(|place| group.safe(place));

    // Lines on which nothing comes back, cut, and slow again: what was done is said again.
    for line in &group.lines {
        line.set(DEAF);
    }
    group.everybody_writes();
    (0..3).for_each(|place| group.safe(place));
    std::thread::sleep(Duration::from_secs(2));
    group.lines.iter().for_each(Line::cut);
    for desk in 0..tablets {
        group.places[1].desks[desk].tablet.say(&json!({ "do": "disconnect" })).unwrap();
    }
    group.everybody_writes();
    for line in &group.lines {
        line.set(POOR);
    }
    for desk in 0..tablets {
        group.places[1].desks[desk].tablet.say(&json!({ "do": "connect" })).unwrap();
    }
    (0..3).for_each(|place| group.safe(place));

    // The third loses its disk and comes back as it was yesterday, while everybody writes on.
    group.places[2].clinic.kill_server();
    std::fs::remove_dir_all(&data).unwrap();
    copy_all(&backup, &data);
    group.everybody_writes();
    group.places[2].clinic.start_server(&[]);
    group.lines.iter().for_each(Line::heal);
    (0..3).for_each(|place| group.safe(place));

    let (last, _) = group.agree();
    for place in &group.places {
        patiently("the day is closed", || {
            let data = place.clinic.data();
            let told = gaitway(&["site", "close-day", "2026-03-18", "--data", data.to_str().unwrap()]);
            told.status.success().then_some(())
        });
    }
    patiently("nobody is missing in any report", || {
        let unheard = |note: &Note| {
            let place = &group.places[*note.places.first().unwrap()];
            let report = place.read(&format!("/v1/review/notes/{}/report", note.document));
            report.is_some_and(|report| {
                report.pointer("/confirmed/unheard").and_then(Value::as_array).is_none_or(Vec::is_empty)
            })
        };
        group.notes.iter().all(unheard).then_some(())
    });
    let (_, other_times) = group.agree();
    group.check_scopes_and_changes();
    let carried: u64 = group.lines.iter().map(Line::carried).sum();
    println!(
        "three clinics, {} tablets, {} notes, {} acknowledged changes: agreed after {:.1} s in good weather, {:.1} s \
         after the last trouble; {other_times} reports name other times of arrival; {carried} bytes between the \
         clinics; the whole day {:.0} s",
        tablets * 3,
        group.notes.len(),
        group.acknowledged.len(),
        first.as_secs_f32(),
        last.as_secs_f32(),
        began.elapsed().as_secs_f32(),
    );
    for place in &mut group.places {
        place.desks.iter_mut().for_each(|desk| assert!(desk.tablet.finish()));
        place.clinic.stop_server();
        let verified = gaitway(&["verify", place.clinic.data().to_str().unwrap()]);
        assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
    }
}
