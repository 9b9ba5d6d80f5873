//! Work that kills whoever judges it, planted: the server dies once, starts again, holds that work for a
//! supervisor and nothing else, and goes on. Real processes, real aborts.

use std::time::{Duration, Instant};

use chart::ids::DocumentId;
use serde_json::{Value, json};

use crate::kill::ward::Ward;
use crate::support::{ServerProcess, patiently, program, sync};

const TRIGGER: &str = "xyzzy";

fn write(ward: &mut Ward, hand: usize, document: DocumentId, text: &str) {
    let line = json!({
        "document": document, "command": "splice_text", "field": "objective", "position": 0, "insert": text,
    });
    ward.hands[hand].tablet.say(&line).unwrap();
}

fn quarantine(ward: &Ward) -> Vec<Value> {
    let found: Value = ward.clinic.admin().get("/v1/admin/quarantine?limit=200").unwrap();
    found["quarantine"].as_array().unwrap().clone()
}

/// What the tablet tells its person about a note.
fn told(ward: &mut Ward, hand: usize, document: DocumentId) -> String {
    let status = ward.hands[hand].tablet.say(&json!({ "do": "status" })).unwrap();
    let rows = status["documents"].as_array().unwrap();
    let row = rows.iter().find(|row| row["document"] == json!(document)).unwrap();
    row["notes"].to_string()
}

/// A clinic whose server was killed by work in its first tablet's own note, with sound work before it,
/// after it and beside it; then started again with the fault still there.
fn struck(kind: &str) -> (Ward, ServerProcess) {
    let mut ward = Ward::open(2);
    let fault = format!("{kind}:{TRIGGER}");
    let environment = [("GAITWAY_JUDGING_FAULT", fault.as_str())];
    ward.clinic.stop_server();
    ward.clinic.start_server(&environment);
    ward.settle();
    ward.hands[0].tablet.say(&json!({ "do": "disconnect" })).unwrap();
    let own = ward.notes[1];
    for text in ["sound before. ", TRIGGER, "built upon it. "] {
        write(&mut ward, 0, own, text);
    }
    let shared = ward.notes[0];
    write(&mut ward, 0, shared, "sound beside. ");
    ward.hands[0].tablet.say(&json!({ "do": "connect" })).unwrap();
    let died = ward.clinic.server.as_mut().unwrap().wait_for_end(Duration::from_secs(60));
    assert!(died, "the planted fault must kill the server");
    ward.clinic.server = None;
    let listen = ward.clinic.url.trim_start_matches("http://").to_owned();
    let server = ServerProcess::start(program(), &ward.clinic.data(), &listen, &environment).unwrap();
    (ward, server)
}

/// The server is up, everybody's work is in, the deadly change and what follows it stand in quarantine.
fn check_struck(kind: &str, how: &str) -> Ward {
    let (mut ward, server) = struck(kind);
    ward.clinic.server = Some(server);
    let began = Instant::now();
    let own = ward.notes[1];
    let held = patiently("the deadly work is held", || {
        let rows = quarantine(&ward);
        (rows.len() == 2).then_some(rows)
    });
    println!("{kind}: held {:?} after the start", began.elapsed());
    let reasons: Vec<&str> = held.iter().map(|row| row["reason"].as_str().unwrap()).collect();
    assert!(reasons.contains(&"NeedsAttention") && reasons.contains(&"DependsOn"), "{reasons:?}");
    let deadly = held.iter().find(|row| row["reason"] == "NeedsAttention").unwrap();
    let sentence = deadly["sentence"].as_str().unwrap();
    assert!(sentence.ends_with(how), "{sentence}");
    assert_eq!(deadly["person_name"], "therapist 0");
    assert_eq!(deadly["hashes"].as_array().unwrap().len(), 1, "one change alone is deadly");
    // Everybody else goes on, and so does this tablet in its other note.
    let shared = ward.notes[0];
    write(&mut ward, 1, shared, "the other tablet. ");
    for hand in &mut ward.hands {
        sync(&mut hand.tablet);
    }
    ward.judged();
    let text =
        |ward: &Ward, document| ward.server_note(document).unwrap()["content"]["text"]["objective"].clone();
    let both = text(&ward, shared);
    let both = both.as_str().unwrap();
    assert!(both.contains("sound beside. ") && both.contains("the other tablet. "), "{both}");
    assert_eq!(text(&ward, own), json!("sound before. "));
    patiently("the tablet says what waits and why", || {
        let why = "until a supervisor decides: checking it stopped the clinic's server";
        told(&mut ward, 0, own).contains(why).then_some(())
    });
    // It is not tried again: the next start is an ordinary one.
    ward.clinic.stop_server();
    ward.clinic.start_server(&[("GAITWAY_JUDGING_FAULT", &format!("{kind}:{TRIGGER}"))]);
    ward.judged();
    assert_eq!(quarantine(&ward).len(), 2);
    ward
}

#[test]
fn work_that_aborts_its_judge_costs_one_restart_and_waits_for_a_supervisor() {
    let mut ward = check_struck("abort", "stopped a process of its own too");
    let held = quarantine(&ward);
    let deadly = held.iter().find(|row| row["reason"] == "NeedsAttention").unwrap().clone();
    let supervisor = ward.clinic.person("Oswin", "supervisor");
    let release = json!({
        "document": deadly["document"], "hashes": deadly["hashes"], "by": supervisor, "reason": "looks sound",
    });
    // Its release is tried apart first, so it does not kill the server either.
    let refused = ward.clinic.admin().post::<Value>("/v1/admin/quarantine/release", &release);
    let sentence = refused.unwrap_err().to_string();
    assert!(sentence.contains("nothing of it could be admitted"), "{sentence}");
    assert!(ward.clinic.server.as_mut().unwrap().is_running());
    // With a server that survives it, the original bytes are admitted, and what was built upon them.
    ward.clinic.stop_server();
    ward.clinic.start_server(&[]);
    ward.clinic.admin().post::<Value>("/v1/admin/quarantine/release", &release).unwrap();
    ward.judged();
    ward.settle();
    let own = ward.notes[1];
    let note = ward.server_note(own).unwrap();
    let whole = format!("built upon it. {TRIGGER}sound before. ");
    assert_eq!(note["content"]["text"]["objective"], json!(whole));
    patiently("the tablet has nothing to tell any more", || {
        let told = told(&mut ward, 0, own);
        (told == "[]").then_some(())
    });
}

#[test]
fn a_child_that_never_ends_is_ended() {
    check_struck("hang", "did not come to an end");
}

#[test]
fn a_child_that_eats_memory_is_stopped_by_its_bound() {
    check_struck("eat", "stopped a process of its own too");
}

/// Why the server says a note is not to be billed.
fn held_back(ward: &Ward, document: DocumentId) -> Option<Vec<String>> {
    let report = ward.server_report(document)?;
    serde_json::from_value(report["report"]["bill"]["reasons"].clone()).ok()
}

#[test]
fn a_report_that_aborts_the_server_costs_one_restart_and_is_withheld_while_its_note_stays_readable() {
    let (mut ward, server) = struck("reckon-abort");
    ward.clinic.server = Some(server);
    let (shared, own) = (ward.notes[0], ward.notes[1]);
    let withheld = |ward: &Ward| {
        let reasons = held_back(ward, own)?;
        let word = "computing this report stopped the clinic's server; it is withheld";
        reasons.iter().any(|reason| reason.starts_with(word)).then_some(reasons)
    };
    let reasons = patiently("the report is withheld", || withheld(&ward));
    assert_eq!(reasons.len(), 1, "and nothing else is said of it: {reasons:?}");
    // The note is whole, nothing of it is kept back, and everybody goes on.
    write(&mut ward, 1, shared, "the other tablet. ");
    for hand in &mut ward.hands {
        sync(&mut hand.tablet);
    }
    ward.judged();
    assert_eq!(quarantine(&ward), Vec::<Value>::new());
    let note = ward.server_note(own).unwrap();
    let whole = format!("built upon it. {TRIGGER}sound before. ");
    assert_eq!(note["content"]["text"]["objective"], json!(whole));
    let beside = held_back(&ward, shared).unwrap_or_default();
    assert!(!beside.iter().any(|reason| reason.contains("withheld")), "{beside:?}");
    // The next start does not die of it, and reading it does not either.
    let environment = [("GAITWAY_JUDGING_FAULT", format!("reckon-abort:{TRIGGER}"))];
    let environment = environment.each_ref().map(|(name, value)| (*name, value.as_str()));
    ward.clinic.stop_server();
    ward.clinic.start_server(&environment);
    ward.judged();
    write(&mut ward, 0, own, "later. ");
    sync(&mut ward.hands[0].tablet);
    ward.judged();
    patiently("the later edit is in the withheld report's note", || {
        let text = ward.server_note(own)?["content"]["text"]["objective"].clone();
        text.as_str()?.contains("later. ").then_some(())
    });
    assert!(withheld(&ward).is_some());
    assert!(ward.clinic.server.as_mut().unwrap().is_running());
    // With an engine that survives it the next edit brings the report.
    ward.clinic.stop_server();
    ward.clinic.start_server(&[]);
    write(&mut ward, 0, own, "and again. ");
    sync(&mut ward.hands[0].tablet);
    patiently("the report is computed", || withheld(&ward).is_none().then_some(()));
}

#[test]
fn a_report_that_never_ends_costs_one_restart_and_is_withheld_while_everybody_goes_on() {
    let (mut ward, server) = struck("reckon-hang");
    ward.clinic.server = Some(server);
    let (shared, own) = (ward.notes[0], ward.notes[1]);
    let word = "computing this report stopped the clinic's server; it is withheld";
    let withheld =
        |ward: &Ward| held_back(ward, own).filter(|all| all.iter().any(|one| one.starts_with(word)));
    let reasons = patiently("the report is withheld", || withheld(&ward));
    assert_eq!(reasons.len(), 1, "and nothing else is said of it: {reasons:?}");
    write(&mut ward, 1, shared, "the other tablet. ");
    for hand in &mut ward.hands {
        sync(&mut hand.tablet);
    }
    ward.judged();
    let note = ward.server_note(own).unwrap();
    let whole = format!("built upon it. {TRIGGER}sound before. ");
    assert_eq!(note["content"]["text"]["objective"], json!(whole));
    // Each further edit makes other facts. Soon they are not tried any more, and nobody waits for them.
    for edit in 0..4 {
        write(&mut ward, 0, own, "later. ");
        sync(&mut ward.hands[0].tablet);
        ward.judged();
        patiently("the edit is in the withheld report's note", || {
            let text = ward.server_note(own)?["content"]["text"]["objective"].clone();
            (text.as_str()?.matches("later. ").count() == edit + 1).then_some(())
        });
    }
    assert!(withheld(&ward).is_some());
    let log = std::fs::read_to_string(ward.clinic.data().join("server.log")).unwrap();
    let tried = |line: &&str| line.contains("tried in a process apart") && line.contains("false");
    let tries = log.lines().filter(tried).count();
    assert_eq!(tries, gaitway::limits::RECKONED_SLOW_MAX as usize, "{log}");
    assert!(ward.clinic.server.as_mut().unwrap().is_running());
}
