//! A tablet without a screen keeps its word: what it calls saved survives anything, and what it cannot do
//! it says in one sentence.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Clinic, TabletProcess, gaitway, patiently, sync};

const VISIT: &str = "11111111-1111-1111-1111-111111111111";

fn field(value: &str) -> Value {
    json!({ "document": VISIT, "command": "set_field", "field": "education", "value": value })
}

/// A clinic with one therapist, one patient and an enrolled tablet that nobody runs yet.
fn clinic() -> (Clinic, std::path::PathBuf, String) {
    let mut clinic = Clinic::start();
    let person = clinic.person("Odalys Brenwick", "therapist");
    clinic.patient("Teodor Vance-Hollin", "medicare_ffs", &[&person]);
    let dir = clinic.enrol("own");
    (clinic, dir, person)
}

fn shown(tablet: &mut TabletProcess) -> Value {
    tablet.say(&json!({ "do": "show", "document": VISIT })).unwrap()
}

/// Runs a one-shot command; its answer.
#[track_caller]
fn ask(arguments: &[&str]) -> Value {
    let told = gaitway(arguments);
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    serde_json::from_slice(&told.stdout).unwrap()
}

/// Runs a command that must fail with one sentence.
#[track_caller]
fn refusal(arguments: &[&str]) -> String {
    let told = gaitway(arguments);
    let error = String::from_utf8_lossy(&told.stderr).into_owned();
    assert_eq!((told.status.code(), error.lines().count()), (Some(1), 1), "{error}");
    error
}

fn path(dir: &Path) -> &str {
    dir.to_str().unwrap()
}

#[test]
fn a_second_process_on_a_tablets_directory_is_told_who_has_it() {
    let (clinic, dir, person) = clinic();
    let mut tablet = clinic.run(&dir, &person, &["--offline"], &[]);
    tablet.say(&json!({ "do": "list" })).unwrap();
    let error = refusal(&["tablet", "list", path(&dir)]);
    assert!(error.contains(&format!("process {}", tablet.id())), "{error}");
    assert!(tablet.finish());
    assert_eq!(ask(&["tablet", "list", path(&dir)])["documents"], json!([]));
}

#[test]
fn charting_needs_no_server_and_reaches_it_when_there_is_one() {
    let (mut clinic, dir, person) = clinic();
    clinic.kill_server();
    let mut tablet = clinic.run(&dir, &person, &[], &[]);
    let saved = tablet.say(&field("why the wrist stays up")).unwrap();
    assert_eq!((&saved["saved"], &saved["status"]), (&json!(true), &json!("saved_on_tablet")));
    let sentence = tablet.say(&json!({ "do": "sync", "timeout_ms": 300 })).unwrap_err();
    assert!(sentence.contains("1 changes in 1 documents wait"), "{sentence}");
    clinic.start_server(&[]);
    tablet.say(&json!({ "do": "connect" })).unwrap();
    sync(&mut tablet);
    assert_eq!(shown(&mut tablet)["status"], "safe_at_clinic");
    assert!(tablet.finish());
    let status = ask(&["tablet", "status", path(&dir)]);
    assert_eq!(status["documents"][0]["words"], "Safe at clinic");
}

#[test]
fn what_was_called_saved_survives_a_kill_and_reaches_the_clinic() {
    let (clinic, dir, person) = clinic();
    let mut tablet = clinic.run(&dir, &person, &["--offline"], &[]);
    tablet.say(&field("kept")).unwrap();
    let typed =
        json!({ "do": "keystroke", "document": VISIT, "field": "plan", "position": 0, "insert": "Cups" });
    assert_eq!(tablet.say(&typed).unwrap()["draft"], true);
    tablet.kill();
    let mut again = clinic.run(&dir, &person, &[], &[]);
    sync(&mut again);
    let note = shown(&mut again);
    assert_eq!(note.pointer("/note/visit/fields/education"), Some(&json!("kept")));
    assert_eq!(note.pointer("/note/visit/text/plan"), Some(&json!("Cups")));
    assert_eq!(note["status"], "safe_at_clinic");
}

/// Lets a tablet die at a point while it is given edits; says how many were answered and how many are there
/// afterwards.
fn die_at(point: &str) -> (usize, usize) {
    let (clinic, dir, person) = clinic();
    let mut tablet = clinic.run(&dir, &person, &["--offline"], &[("GAITWAY_KILL_AT", point)]);
    let mut answered = 0;
    for n in 1..10 {
        let value = format!("edit {n}");
        let comment = json!({ "document": VISIT, "command": "comment", "anchor": "plan", "text": value });
        if tablet.say(&comment).is_err() {
            break;
        }
        answered += 1;
    }
    assert!(tablet.wait_for_end(Duration::from_secs(20)), "{point} did not kill it");
    let mut again = clinic.run(&dir, &person, &[], &[]);
    let comments = match again.say(&json!({ "do": "show", "document": VISIT })) {
        Ok(note) => {
            note.pointer("/note/visit/comments").and_then(Value::as_object).map_or(0, |all| all.len())
        }
        Err(_) => 0,
    };
    sync(&mut again);
    (answered, comments)
}

#[test]
fn dying_before_the_commit_loses_only_what_was_not_answered() {
    let (answered, there) = die_at("before-commit:4");
    assert_eq!(answered, there);
    assert!((1..9).contains(&answered), "{answered}");
}

#[test]
fn dying_after_the_commit_keeps_what_was_not_answered_yet() {
    let (answered, there) = die_at("after-commit:4");
    assert_eq!(answered + 1, there);
}

#[test]
fn dying_while_opening_harms_nothing() {
    let (clinic, dir, person) = clinic();
    let mut tablet = clinic.run(&dir, &person, &["--offline"], &[]);
    tablet.say(&field("kept")).unwrap();
    tablet.kill();
    for point in ["during-open:1", "during-open:2", "during-open:3"] {
        let mut dying = clinic.run(&dir, &person, &["--offline"], &[("GAITWAY_KILL_AT", point)]);
        assert!(dying.wait_for_end(Duration::from_secs(20)));
        assert!(!dying.finish());
    }
    let note = ask(&["tablet", "show", path(&dir), VISIT]);
    assert_eq!(note.pointer("/note/visit/fields/education"), Some(&json!("kept")));
}

#[test]
fn a_line_that_cannot_be_done_is_answered_and_the_next_one_is_done() {
    let (clinic, dir, person) = clinic();
    let mut tablet = clinic.run(&dir, &person, &["--offline", "--strict"], &[]);
    let mut answers = Vec::new();
    for line in [
        json!({ "do": "dance" }),
        json!("x"),
        json!({ "do": "show", "document": VISIT }),
        json!({ "document": VISIT, "command": "resolve", "fact": "payer", "choose": VISIT, "reason": "r" }),
        field("done"),
    ] {
        tablet.send(&line).unwrap();
        answers.push(tablet.answer(Duration::from_secs(60)).unwrap());
    }
    let codes: Vec<Value> = answers
        .iter()
        .map(|answer| answer.pointer("/error/code").cloned().unwrap_or(json!("done")))
        .collect();
    assert_eq!(codes, ["malformed", "malformed", "unknown_document", "refused", "done"]);
    let numbers: Vec<u64> = answers.iter().map(|answer| answer["line"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5]);
    assert!(!tablet.finish(), "--strict ends with an error if a line was refused");
}

#[test]
fn a_tablet_whose_clock_is_wrong_is_told_how_wrong() {
    let (clinic, dir, person) = clinic();
    let mut tablet = clinic.run(&dir, &person, &["--clock-offset-ms", "-600000"], &[]);
    let offset = patiently("the tablet learns the clinic's time", || {
        tablet.say(&json!({ "do": "status" })).unwrap().pointer("/connection/clock_offset_ms")?.as_i64()
    });
    assert!((540_000..660_000).contains(&offset), "{offset}");
}

#[test]
fn a_code_that_is_not_good_enrols_nobody() {
    let clinic = Clinic::start();
    let dir = clinic.dir().join("new");
    let enrol = ["tablet", "enrol", path(&dir), "--server", &clinic.url, "--code", "AAAA-AAAA-AAAA"];
    let error = refusal(&enrol);
    assert!(error.starts_with("gaitway: the server refused the enrolment:"), "{error}");
    let error = refusal(&["tablet", "list", path(&dir)]);
    assert!(error.contains("is no tablet's directory"), "{error}");
}
