//! What is held, released, rejected and made again: between real servers and real tablets, decided by a
//! supervisor at the command line.

use std::collections::{BTreeMap, BTreeSet};

use chart::ids::DocumentId;
use gaitway::api::Token;
use gaitway::client::Client;
use gaitway::datadir::DataDir;
use serde_json::{Value, json};

use crate::support::{Clinic, TabletProcess, gaitway, patiently, sync};

const VISIT: DocumentId = DocumentId::from_bytes([0x21; 16]);
/// Edits that follow the change that is rejected.
const FOLLOWING: usize = 50;

/// A clinic with two people on one tablet, a third on another, and a supervisor.
struct House {
    clinic: Clinic,
    avery: String,
    blair: String,
    supervisor: String,
    token: String,
    shared: TabletProcess,
    other: TabletProcess,
}

impl House {
    fn open() -> Self {
        let mut clinic = Clinic::start();
        let [avery, blair, cleo] = ["Avery", "Blair", "Cleo"].map(|name| clinic.person(name, "therapist"));
        let supervisor = clinic.person("Oswin", "supervisor");
        let token: Token = clinic.admin().post("/v1/admin/tokens", &json!({ "person": supervisor })).unwrap();
        let patient = clinic.patient("Alder Quince", "medicare_ffs", &[&avery, &blair, &cleo]);
        let mut shared = clinic.tablet("shared", &avery, &[]);
        let other = clinic.tablet("other", &cleo, &[]);
        let open = json!({
            "document": VISIT, "command": "open_visit", "patient": patient, "discipline": "pt",
            "facts": { "provider": avery, "date": "2026-03-17", "payer": "medicare_ffs" },
        });
        shared.say(&open).unwrap();
        sync(&mut shared);
        let house = Self { clinic, avery, blair, supervisor, token: token.token, shared, other };
        house.judged();
        house
    }

    fn role(&self, role: &str) {
        let input = json!({ "id": self.avery, "name": "Avery", "credentials": "PT", "roles": [role] });
        self.clinic.enter("people", &input);
    }

    /// Somebody writes on the shared tablet at a minute of its clock.
    fn write(&mut self, person: &str, minute: usize, text: &str) {
        let line = json!({
            "document": VISIT, "command": "splice_text", "field": "subjective", "position": 0, "insert": text,
            "person": person, "device_time": time(minute),
        });
        self.shared.say(&line).unwrap();
    }

    fn judged(&self) {
        let admin = self.clinic.admin();
        patiently("the server judges what it holds", || {
            let status: Value = admin.get("/v1/admin/status").ok()?;
            (status["hub"]["unjudged"] == json!(0)).then_some(())
        });
    }

    fn note(&self) -> Value {
        let data = DataDir::new(self.clinic.data());
        let client = Client::new(&data, Some(self.clinic.url.clone()), Some(self.token.clone())).unwrap();
        client.get(&format!("/v1/review/notes/{VISIT}")).unwrap()
    }

    /// `gaitway quarantine ...` against the server.
    fn command(&self, arguments: &[&str]) -> Result<Value, String> {
        let data = self.clinic.data();
        let mut all = vec!["quarantine"];
        all.extend(arguments);
        all.extend(["--data", data.to_str().unwrap(), "--json"]);
        let told = gaitway(&all);
        if told.status.success() {
            return Ok(serde_json::from_slice(&told.stdout).unwrap());
        }
        Err(String::from_utf8_lossy(&told.stderr).into_owned())
    }

    fn decide(&self, act: &str, changes: &[String]) -> Result<Value, String> {
        let document = VISIT.to_string();
        let mut arguments =
            vec![act, "--document", &document, "--by", &self.supervisor, "--reason", "talked it over"];
        for change in changes {
            arguments.extend(["--change", change]);
        }
        self.command(&arguments)
    }

    /// The held work, oldest first.
    fn held(&self) -> Vec<Value> {
        let mut rows: Vec<Value> = self
            .command(&["list"])
            .unwrap()
            .as_array()
            .unwrap()
            .iter()
            .filter(|row| row["outcome"] == "held")
            .cloned()
            .collect();
        rows.reverse();
        rows
    }

    /// What the shared tablet tells about the note: the words of each line, and their sentences.
    fn told(&mut self) -> Vec<(String, String)> {
        let status = self.shared.say(&json!({ "do": "status" })).unwrap();
        let row = status["documents"].as_array().unwrap()[0].clone();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let notes = row["notes"].as_array().unwrap();
        notes.iter().map(|note| (text(&note["state"]), text(&note["sentence"]))).collect()
    }
}

fn time(minute: usize) -> String {
    format!("2026-03-17T{:02}:{:02}:00.000Z", 14 + minute / 60, minute % 60)
}

fn hashes(rows: &[Value]) -> Vec<String> {
    let all = rows.iter().flat_map(|row| row["hashes"].as_array().unwrap());
    all.map(|hash| hash.as_str().unwrap().to_owned()).collect()
}

#[test]
fn released_work_is_admitted_as_the_very_bytes_that_were_held() {
    let mut house = House::open();
    house.role("front_desk");
    let avery = house.avery.clone();
    house.write(&avery, 1, "held for its author's role. ");
    sync(&mut house.shared);
    house.judged();
    let held = house.held();
    assert_eq!((held.len(), held[0]["reason"].as_str()), (1, Some("Role")));
    assert_eq!((held[0]["person_name"].as_str(), &held[0]["open"]), (Some("Avery"), &json!(true)));
    let number = held[0]["seq"].to_string();
    let shown = house.command(&["show", &number]).unwrap();
    let bytes = shown["changes"][0]["bytes"].as_str().unwrap().to_owned();
    assert!(bytes.contains(&"held for its".bytes().map(|byte| format!("{byte:02x}")).collect::<String>()));
    let told = house.told();
    let sentence = "The clinic holds this until a supervisor decides: this person may not write notes here; a supervisor decides";
    assert_eq!(told, [("held".to_owned(), sentence.to_owned())]);
    let changes = hashes(&held);
    house.decide("release", &changes).unwrap();
    house.judged();
    let note = house.note();
    assert_eq!(note["content"]["text"]["subjective"], "held for its author's role. ");
    let history = note["history"].as_array().unwrap();
    assert!(history.iter().any(|entry| entry["by"]["change"] == json!(changes[0])), "the original change");
    for act in ["release", "reject"] {
        let sentence = house.decide(act, &changes).unwrap_err();
        assert!(sentence.contains("nothing of this is held"), "{act}: {sentence}");
    }
    patiently("the tablet has nothing to tell any more", || house.told().is_empty().then_some(()));
}

#[test]
fn a_rejected_change_and_fifty_edits_of_two_people_upon_it_are_made_again_once_everywhere() {
    let mut house = House::open();
    let (avery, blair) = (house.avery.clone(), house.blair.clone());
    house.role("front_desk");
    house.shared.say(&json!({ "do": "disconnect" })).unwrap();
    let mut written: BTreeMap<String, (String, String)> = BTreeMap::new();
    for number in 0..=FOLLOWING {
        let person = if number % 2 == 0 { &avery } else { &blair };
        let word = format!("[{number:02}]");
        house.write(person, number, &word);
        written.insert(time(number), (person.clone(), word));
    }
    house.shared.say(&json!({ "do": "connect" })).unwrap();
    sync(&mut house.shared);
    house.judged();
    let held = house.held();
    let before: BTreeSet<String> = hashes(&held).into_iter().collect();
    assert_eq!(before.len(), FOLLOWING + 1, "one is held for its author, the rest build upon it");
    let reasons: BTreeSet<&str> = held.iter().map(|row| row["reason"].as_str().unwrap()).collect();
    assert_eq!(reasons, BTreeSet::from(["DependsOn", "Role"]));
    assert_eq!(house.told().len(), FOLLOWING + 1);
    let first = house.first_written(&before);
    house.role("therapist");
    house.decide("reject", std::slice::from_ref(&first)).unwrap();
    let sentence = house.decide("release", std::slice::from_ref(&first)).unwrap_err();
    assert!(sentence.contains("nothing of this is held"), "{sentence}");
    house.check_made_again(&written, &before);
    // Nothing comes back after a restart of everything.
    house.clinic.stop_server();
    house.clinic.start_server(&[]);
    house.check_made_again(&written, &before);
    assert_eq!(
        house
            .command(&["list"])
            .unwrap()
            .as_array()
            .unwrap()
            .iter()
            .filter(|row| row["outcome"] == "held")
            .count(),
        0
    );
}

#[test]
fn what_the_gate_of_a_real_server_rejects_takes_fifty_edits_of_two_people_along_and_all_are_made_again_once()
{
    let mut house = House::open();
    let (avery, blair) = (house.avery.clone(), house.blair.clone());
    house.clinic.stop_server();
    house.clinic.start_server(&[("GAITWAY_JUDGING_FAULT", "reject-once:[00]")]);
    house.shared.say(&json!({ "do": "disconnect" })).unwrap();
    let mut written: BTreeMap<String, (String, String)> = BTreeMap::new();
    for number in 0..=FOLLOWING {
        let person = if number % 2 == 0 { &avery } else { &blair };
        let word = format!("[{number:02}]");
        house.write(person, number, &word);
        written.insert(time(number), (person.clone(), word));
    }
    house.shared.say(&json!({ "do": "connect" })).unwrap();
    sync(&mut house.shared);
    house.judged();
    let rejected = patiently("all of it is rejected", || {
        let rows = house.command(&["list"]).ok()?;
        let rows: Vec<Value> =
            rows.as_array()?.iter().filter(|row| row["outcome"] == "rejected").cloned().collect();
        (hashes(&rows).len() == FOLLOWING + 1).then_some(rows)
    });
    let before: BTreeSet<String> = hashes(&rejected).into_iter().collect();
    let own = rejected.iter().filter(|row| row["reason"] != "DependsOn");
    assert_eq!(
        hashes(&own.cloned().collect::<Vec<_>>()).len(),
        1,
        "the gate rejected one, the rest build upon it"
    );
    house.check_made_again(&written, &before);
    house.clinic.stop_server();
    house.clinic.start_server(&[]);
    house.check_made_again(&written, &before);
}

impl House {
    /// The change among these that builds upon none of them.
    fn first_written(&self, among: &BTreeSet<String>) -> String {
        for row in self.held() {
            let shown = self.command(&["show", &row["seq"].to_string()]).unwrap();
            for change in shown["changes"].as_array().unwrap() {
                let builds_on = change["builds_on"].as_array().unwrap();
                if !builds_on.iter().any(|hash| among.contains(hash.as_str().unwrap())) {
                    return change["hash"].as_str().unwrap().to_owned();
                }
            }
        }
        panic!("every held change builds upon a held one");
    }

    /// Everybody's work is there once, under their names and times, on every replica; nothing else is.
    fn check_made_again(&mut self, written: &BTreeMap<String, (String, String)>, before: &BTreeSet<String>) {
        let complete = written.len() + 1;
        let note = patiently("all of it is in the note", || {
            let note = self.note();
            (note["history"].as_array().unwrap().len() >= complete).then_some(note)
        });
        let history = note["history"].as_array().unwrap();
        assert_eq!(history.len(), complete, "each once, and the one that began the note");
        for entry in history {
            assert!(
                !before.contains(entry["by"]["change"].as_str().unwrap()),
                "what was rejected is not in it"
            );
        }
        let text = note["content"]["text"]["subjective"].as_str().unwrap().to_owned();
        for (at, (person, word)) in written {
            assert_eq!(text.matches(word.as_str()).count(), 1, "{word} in {text}");
            let theirs = history
                .iter()
                .filter(|entry| entry["by"]["at"] == json!(at) && entry["by"]["person"] == json!(person));
            assert_eq!(theirs.count(), 1, "{word} by {person} at {at}");
        }
        for index in 0..2 {
            patiently("the tablet holds the same", || {
                let tablet = if index == 0 { &mut self.shared } else { &mut self.other };
                let shown = tablet.say(&json!({ "do": "show", "document": VISIT })).ok()?;
                let same = shown["note"]["heads"] == note["heads"];
                (same && shown["note"]["visit"]["text"] == note["content"]["text"]).then_some(())
            });
        }
        assert_eq!(self.told(), Vec::new(), "nothing waits and nothing is missing");
    }
}
