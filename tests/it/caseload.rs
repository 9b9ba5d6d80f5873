//! A caseload changes hands while a tablet is away with edits nobody has sent: a real server that is killed in
//! the middle of the act, real tablets, the command line.

use std::collections::BTreeSet;

use chart::ids::DocumentId;
use gaitway::api::Token;
use gaitway::client::Client;
use gaitway::datadir::DataDir;
use serde_json::{Value, json};

use crate::support::{Clinic, TabletProcess, gaitway, patiently, sync};

/// Begun before the patient moves, and signed.
const SIGNED: DocumentId = DocumentId::from_bytes([0x61; 16]);
/// Begun before the patient moves, and not signed.
const UNSIGNED: DocumentId = DocumentId::from_bytes([0x62; 16]);
/// Begun before the patient moves on a tablet without a network.
const BEFORE: DocumentId = DocumentId::from_bytes([0x63; 16]);
/// Begun after it, on the same tablet.
const AFTER: DocumentId = DocumentId::from_bytes([0x64; 16]);

struct House {
    clinic: Clinic,
    avery: String,
    blair: String,
    supervisor: String,
    token: String,
    patient: String,
    old: TabletProcess,
    new: TabletProcess,
}

impl House {
    fn open() -> Self {
        let mut clinic = Clinic::start();
        let [avery, blair] = ["Avery", "Blair"].map(|name| clinic.person(name, "therapist"));
        let supervisor = clinic.person("Oswin", "supervisor");
        let token: Token = clinic.admin().post("/v1/admin/tokens", &json!({ "person": supervisor })).unwrap();
        let patient = clinic.patient("Alder Quince", "medicare_ffs", &[&avery]);
        let old = clinic.tablet("old", &avery, &[]);
        let new = clinic.tablet("new", &blair, &[]);
        let mut house = Self { clinic, avery, blair, supervisor, token: token.token, patient, old, new };
        for document in [SIGNED, UNSIGNED] {
            house.begin(document);
        }
        let sign = json!({ "document": SIGNED, "command": "sign", "meaning": "author", "credentials": "PT" });
        house.old.say(&sign).unwrap();
        sync(&mut house.old);
        house.judged();
        house
    }

    fn begin(&mut self, document: DocumentId) {
        let open = json!({
            "document": document, "command": "open_visit", "patient": self.patient, "discipline": "pt",
            "facts": { "provider": self.avery, "date": "2026-03-17", "payer": "medicare_ffs" },
        });
        self.old.say(&open).unwrap();
        self.writes(document, "begun. ");
    }

    fn writes(&mut self, document: DocumentId, text: &str) {
        let line = json!({
            "document": document, "command": "splice_text", "field": "subjective", "position": 0, "insert": text,
        });
        self.old.say(&line).unwrap();
    }

    fn judged(&self) {
        let admin = self.clinic.admin();
        patiently("the server judges what it holds", || {
            let status: Value = admin.get("/v1/admin/status").ok()?;
            (status["hub"]["unjudged"] == json!(0)).then_some(())
        });
    }

    /// `gaitway ...` against the server.
    fn command(&self, arguments: &[&str]) -> Result<Value, String> {
        let data = self.clinic.data();
        let mut all = arguments.to_vec();
        all.extend(["--data", data.to_str().unwrap(), "--json"]);
        let told = gaitway(&all);
        if told.status.success() {
            return Ok(serde_json::from_slice(&told.stdout).unwrap());
        }
        Err(String::from_utf8_lossy(&told.stderr).into_owned())
    }

    fn preview(&self) -> Value {
        self.command(&["caseload", "preview", "--from", &self.avery, "--to", &self.blair]).unwrap()
    }

    fn transfer(&self, preview: &Value) -> Result<Value, String> {
        let text = |key: &str| preview[key].as_str().unwrap().to_owned();
        let (act, state) = (text("act"), text("state"));
        self.command(&[
            "caseload",
            "transfer",
            "--from",
            &self.avery,
            "--to",
            &self.blair,
            "--act",
            &act,
            "--state",
            &state,
            "--by",
            &self.supervisor,
            "--reason",
            "she moves to another town",
        ])
    }

    fn team(&self) -> Vec<String> {
        let all: Value = self.clinic.admin().get("/v1/admin/patients").unwrap();
        serde_json::from_value(all["patients"][0]["care_team"].clone()).unwrap()
    }

    fn note(&self, document: DocumentId) -> Option<Value> {
        let data = DataDir::new(self.clinic.data());
        let client = Client::new(&data, Some(self.clinic.url.clone()), Some(self.token.clone())).unwrap();
        client.get(&format!("/v1/review/notes/{document}")).ok()
    }

    fn held(&self) -> Vec<Value> {
        let rows = self.command(&["quarantine", "list"]).unwrap();
        rows.as_array().unwrap().iter().filter(|row| row["outcome"] == "held").cloned().collect()
    }
}

/// The documents a tablet lists.
fn listed(tablet: &mut TabletProcess) -> BTreeSet<DocumentId> {
    let list = tablet.say(&json!({ "do": "list" })).unwrap();
    let rows = list["documents"].as_array().unwrap().iter();
    rows.map(|row| serde_json::from_value(row["document"].clone()).unwrap()).collect()
}

#[test]
fn a_patient_moves_while_a_tablet_is_away_with_edits_and_the_server_dies_in_the_act() {
    let mut house = House::open();
    // The tablet goes out of reach and is written on before anybody decides anything.
    house.old.say(&json!({ "do": "disconnect" })).unwrap();
    house.begin(BEFORE);
    house.writes(UNSIGNED, "finished at home. ");

    let preview = house.preview();
    let row = &preview["patients"][0];
    assert_eq!(
        (&row["notes"], &row["unsigned"], &row["episodes"]),
        (&json!(2), &json!(1), &json!(0)),
        "{row}"
    );
    let tablets = preview["tablets"].as_array().unwrap();
    assert_eq!(tablets.len(), 1, "{preview}");
    assert_eq!((&tablets[0]["name"], &tablets[0]["connected"]), (&json!("old"), &json!(false)));
    assert!(tablets[0]["heard_at"].is_string(), "it may hold edits since: {preview}");

    // The server dies in the middle of the act, at one point after the other; the same act is sent again.
    for point in
        ["between-sync-and-index:1", "after-commit-before-receipt:1", "after-commit-before-receipt:2"]
    {
        house.clinic.stop_server();
        house.clinic.start_server(&[("GAITWAY_KILL_AT", point)]);
        // It answers, dies before it can, or has done it already: nobody can tell from here.
        _ = house.transfer(&preview);
        _ = house.clinic.server.as_mut().unwrap().wait_for_end(std::time::Duration::from_secs(3));
        house.clinic.kill_server();
        house.clinic.start_server(&[]);
        let team = house.team();
        let done = house.command(&["caseload", "list"]).unwrap().as_array().unwrap().len();
        let expected = if done == 1 { &house.blair } else { &house.avery };
        assert_eq!(team, std::slice::from_ref(expected), "wholly or not at all, {point}");
    }
    house.transfer(&preview).unwrap();
    assert_eq!(house.team(), [house.blair.clone()]);
    let done = house.command(&["caseload", "list"]).unwrap();
    assert_eq!(done.as_array().unwrap().len(), 1, "once: {done}");
    assert_eq!(
        (&done[0]["by"], &done[0]["reason"]),
        (&json!(house.supervisor), &json!("she moves to another town"))
    );
    let other = house.command(&[
        "caseload",
        "transfer",
        "--from",
        &house.avery,
        "--to",
        &house.blair,
        "--by",
        &house.supervisor,
        "--reason",
        "again",
        "--act",
        "77777777-7777-4777-8777-777777777777",
        "--state",
        preview["state"].as_str().unwrap(),
    ]);
    assert!(other.unwrap_err().contains("nobody on this caseload"));

    // The tablet does not know; what is written on it from here on waits for a supervisor.
    house.begin(AFTER);
    house.old.say(&json!({ "do": "connect" })).unwrap();
    sync(&mut house.old);
    house.judged();
    let held = house.held();
    let about: BTreeSet<&str> = held.iter().map(|row| row["document"].as_str().unwrap()).collect();
    assert_eq!(about, [AFTER.to_string().as_str()].into(), "{held:?}");
    assert_eq!(held[0]["person_name"], json!("Avery"));
    assert!(held.iter().any(|row| row["reason"] == json!("CaseloadMoved")), "{held:?}");
    let shown = house.note(AFTER).map(|note| note["history"].clone());
    assert!(shown.is_none_or(|history| history == json!([])), "not silently admitted");
    for (document, text) in [(BEFORE, "begun. "), (UNSIGNED, "finished at home. begun. ")] {
        let note = house.note(document).unwrap();
        assert_eq!(note["content"]["text"]["subjective"], json!(text));
    }
    patiently("the tablet says that it is held", || {
        let status = house.old.say(&json!({ "do": "status" })).ok()?.to_string();
        status.contains("had left this person's caseload").then_some(())
    });

    // Released, it is there once, as its author wrote it.
    let document = AFTER.to_string();
    let hashes: Vec<String> = held
        .iter()
        .flat_map(|row| row["hashes"].as_array().unwrap())
        .map(|hash| hash.as_str().unwrap().to_owned())
        .collect();
    let mut arguments = vec!["quarantine", "release", "--document", &document, "--by", &house.supervisor];
    arguments.extend(["--reason", "it was her session"]);
    hashes.iter().for_each(|hash| arguments.extend(["--change", hash]));
    house.command(&arguments).unwrap();
    house.judged();
    let note = house.note(AFTER).unwrap();
    assert_eq!(note["content"]["text"]["subjective"], json!("begun. "));
    let history = note["history"].as_array().unwrap();
    for hash in &hashes {
        let theirs: Vec<_> = history.iter().filter(|row| row["by"]["change"] == json!(hash)).collect();
        assert_eq!(theirs.len(), 1, "once");
        assert_eq!(theirs[0]["by"]["person"], json!(house.avery), "with its author");
    }
    assert_eq!(house.held(), Vec::<Value>::new());

    // The new therapist has everything; the old one what is to be finished.
    let all: BTreeSet<DocumentId> = [SIGNED, UNSIGNED, BEFORE, AFTER].into();
    patiently("the new therapist's tablet has every note", || (listed(&mut house.new) == all).then_some(()));
    for document in all {
        let served = house.note(document).unwrap();
        patiently("it has them whole", || {
            let shown = house.new.say(&json!({ "do": "show", "document": document })).ok()?;
            (shown["note"]["heads"] == served["heads"]).then_some(())
        });
    }
    patiently("the signed note has left the old therapist's tablet", || {
        (!listed(&mut house.old).contains(&SIGNED)).then_some(())
    });
    let rest = listed(&mut house.old);
    assert!(rest.contains(&UNSIGNED), "{rest:?}");
}
