//! Clinics that follow each other: real servers as processes, paired at the command line, with real tablets;
//! lines that are cut, a server that is killed.

#[path = "sites/day.rs"]
mod day;
#[path = "sites/metered.rs"]
mod metered;
#[path = "sites/rollback.rs"]
mod rollback;

use std::collections::BTreeMap;

use chart::ids::DocumentId;
use gaitway::api::{SiteRow, Token};
use gaitway::client::Client;
use gaitway::datadir::DataDir;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite;

use crate::support::{Clinic, TabletProcess, gaitway, patiently, sync};

const VISIT: DocumentId = DocumentId::from_bytes([0x51; 16]);

/// One clinic with its therapist, who has a tablet.
struct Site {
    clinic: Clinic,
    id: String,
    therapist: String,
    token: String,
    tablet: TabletProcess,
}

impl Site {
    fn open(name: &str) -> Self {
        let mut clinic = Clinic::start();
        let therapist = clinic.person(name, "therapist");
        let supervisor = clinic.person("Oswin", "supervisor");
        let token: Token = clinic.admin().post("/v1/admin/tokens", &json!({ "person": supervisor })).unwrap();
        let status: Value = clinic.admin().get("/v1/admin/status").unwrap();
        let id = status["clinic"].as_str().unwrap().to_owned();
        let tablet = clinic.tablet("room", &therapist, &[]);
        Self { clinic, id, therapist, token: token.token, tablet }
    }

    /// `gaitway site ...` against the server.
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
        let url = Some(self.clinic.url.clone());
        Client::new(&data, url, Some(self.token.clone())).unwrap().get(path).ok()
    }

    fn heads(&self) -> Option<Value> {
        Some(self.read(&format!("/v1/review/notes/{VISIT}"))?["heads"].clone())
    }

    fn report(&self) -> Option<Value> {
        self.read(&format!("/v1/review/notes/{VISIT}/report"))
    }

    /// Says who treats a shared patient here, once the patient's file has come.
    fn treats(&self, patient: &str, payer: &str) {
        let admin = self.clinic.admin();
        let input =
            json!({ "id": patient, "name": "Alder Quince", "payer": payer, "care_team": [self.therapist] });
        patiently("the patient's file arrives", || {
            admin.post::<Value>("/v1/admin/patients", &input).ok().map(drop)
        });
    }

    fn write(&mut self, text: &str) {
        let line = json!({
            "document": VISIT, "command": "splice_text", "field": "subjective", "position": 0, "insert": text,
        });
        self.tablet.say(&line).unwrap();
        sync(&mut self.tablet);
    }

    /// Waits until the tablet has the note.
    fn sees_the_note(&mut self) {
        patiently("the note reaches the tablet", || {
            let status = self.tablet.say(&json!({ "do": "status" })).ok()?;
            let known = status["documents"].as_array()?.iter().any(|row| row["document"] == json!(VISIT));
            known.then_some(())
        });
    }

    fn is_connected_to(&self, others: usize) -> bool {
        let rows: Vec<SiteRow> = serde_json::from_value(self.command(&["list"])).unwrap();
        rows.iter().filter(|row| row.connected).count() == others
    }
}

/// The second pairs with the first, by a code made there, and calls it from then on.
fn pair(first: &Site, second: &Site) {
    let code = first.command(&["invite"])["code"].as_str().unwrap().to_owned();
    second.command(&["join", &first.clinic.url, &code]);
    let data = second.clinic.data();
    let again = gaitway(&["site", "join", &first.clinic.url, &code, "--data", data.to_str().unwrap()]);
    assert!(!again.status.success(), "a code works once");
    let said = String::from_utf8_lossy(&again.stderr).into_owned();
    assert!(said.contains("does not take this code"), "{said}");
}

/// Waits until every clinic has the same note and the same report, and says what the note reads.
fn agree(sites: &[&Site]) -> (Value, String) {
    let heads = patiently("every clinic has the same note", || {
        let all: Option<Vec<Value>> = sites.iter().map(|site| site.heads()).collect();
        let all = all?;
        all.iter().all(|other| *other == all[0]).then(|| all[0].clone())
    });
    let report = patiently("every clinic has the same report", || {
        let all: Option<Vec<Value>> = sites.iter().map(|site| site.report()).collect();
        let all = all?;
        all.iter().all(|other| *other == all[0]).then(|| all[0].clone())
    });
    assert!(!report.is_null());
    let note = sites[0].read(&format!("/v1/review/notes/{VISIT}")).unwrap();
    (heads, note["content"]["text"]["subjective"].to_string())
}

#[test]
fn three_clinics_end_with_one_note_after_lines_were_cut_and_a_server_was_killed() {
    let [mut middle, mut east, mut west] = ["Avery", "Blair", "Cleo"].map(Site::open);
    pair(&middle, &east);
    pair(&middle, &west);
    let patient = middle.clinic.patient("Alder Quince", "medicare_ffs", &[&middle.therapist]);
    middle.command(&["share", &patient, "--with", &east.id]);
    // Clinics that know of each other over the middle alone may share as well.
    middle.command(&["share", &patient, "--with", &east.id, "--with", &west.id]);
    east.treats(&patient, "medicare_ffs");
    west.treats(&patient, "medicare_ffs");
    let open = json!({
        "document": VISIT, "command": "open_visit", "patient": patient, "discipline": "pt",
        "facts": { "provider": middle.therapist, "date": "2026-03-17", "payer": "medicare_ffs" },
    });
    middle.tablet.say(&open).unwrap();
    sync(&mut middle.tablet);
    for site in [&mut east, &mut west] {
        site.sees_the_note();
    }

    // The lines are cut: the middle is gone in order. Both others work alone.
    middle.clinic.stop_server();
    east.write("East wrote this alone. ");
    west.write("West wrote this alone. ");
    assert_ne!(east.heads(), west.heads());
    middle.clinic.start_server(&[]);
    let (_, text) = agree(&[&middle, &east, &west]);
    for part in ["East wrote this alone. ", "West wrote this alone. "] {
        assert_eq!(text.matches(part).count(), 1, "{text}");
    }

    // One server is killed while the others go on, and comes back to what it has.
    middle.write("Before the kill. ");
    west.clinic.kill_server();
    middle.write("During the outage. ");
    east.write("East again. ");
    west.clinic.start_server(&[]);
    let (_, text) = agree(&[&middle, &east, &west]);
    for part in ["Before the kill. ", "During the outage. ", "East again. ", "East wrote", "West wrote"] {
        assert_eq!(text.matches(part).count(), 1, "{text}");
    }
    patiently("the middle is connected to both", || middle.is_connected_to(2).then_some(()));

    // What was acknowledged lies in every record once.
    let mut seen: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (name, site) in [("middle", &mut middle), ("east", &mut east), ("west", &mut west)] {
        site.tablet.say(&json!({ "do": "disconnect" })).unwrap();
        let note = site.read(&format!("/v1/review/notes/{VISIT}")).unwrap();
        // Of edits made apart neither came first.
        let mut history: Vec<String> =
            note["history"].as_array().unwrap().iter().map(Value::to_string).collect();
        history.sort();
        seen.insert(name, history);
        site.clinic.stop_server();
        let verified = gaitway(&["verify", site.clinic.data().to_str().unwrap()]);
        assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
    }
    assert_eq!(seen["east"], seen["middle"], "who wrote what, on which tablet, received when");
    assert_eq!(seen["west"], seen["middle"]);
}

#[test]
fn a_clinic_that_was_not_invited_is_not_let_in() {
    let [one, other] = ["Avery", "Blair"].map(Site::open);
    let data = other.clinic.data();
    for code in ["ABCD-EFGH-JKLM", ""] {
        let told = gaitway(&["site", "join", &one.clinic.url, code, "--data", data.to_str().unwrap()]);
        assert!(!told.status.success());
    }
    assert_eq!(one.command(&["list"]), json!([]));
    assert_eq!(other.command(&["list"]), json!([]));
    // A line that claims to be a clinic nobody is paired with gets no word.
    let url = format!("{}/v1/site?clinic={}", one.clinic.url.replace("http://", "ws://"), other.id);
    let (mut socket, _) = tungstenite::connect(url).unwrap();
    assert!(matches!(socket.read(), Err(_) | Ok(tungstenite::Message::Close(_))), "not even a challenge");
}
