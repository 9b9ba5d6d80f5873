//! Work that ends the tablet that shows it, planted: real processes, real aborts. The tablet dies once,
//! its next start lives, and nothing is lost.

use std::time::Duration;

use chart::ids::DocumentId;
use serde_json::{Value, json};

use crate::kill::ward::Ward;
use crate::support::{TabletProcess, patiently, sync};

const TRIGGER: &str = "xyzzy";
const FAULT: (&str, &str) = ("GAITWAY_APPLYING_FAULT", "abort:xyzzy");

fn write(tablet: &mut TabletProcess, document: DocumentId, field: &str, text: &str) {
    let line = json!({
        "document": document, "command": "splice_text", "field": field, "position": 0, "insert": text,
    });
    tablet.say(&line).unwrap();
}

fn shown(tablet: &mut TabletProcess, document: DocumentId) -> Value {
    tablet.say(&json!({ "do": "show", "document": document })).unwrap()
}

fn text(note: &Value, field: &str) -> String {
    note.pointer(&format!("/note/visit/text/{field}")).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn marked(tablet: &mut TabletProcess) -> Vec<Value> {
    let list = tablet.say(&json!({ "do": "list" })).unwrap();
    let rows = list["documents"].as_array().unwrap().iter();
    rows.filter(|row| row["cannot_be_shown"] == json!(true)).map(|row| row["document"].clone()).collect()
}

/// Starts the second tablet with the fault until it lives; how often it died.
fn until_it_lives(ward: &mut Ward) -> usize {
    for deaths in 0..9 {
        let hand = &ward.hands[1];
        let mut tablet = ward.clinic.run(&hand.dir, &hand.person, &[], &[FAULT]);
        if tablet.say(&json!({ "do": "list" })).is_ok() && tablet.say(&json!({ "do": "list" })).is_ok() {
            ward.hands[1].tablet = tablet;
            return deaths;
        }
        assert!(tablet.wait_for_end(Duration::from_secs(60)));
    }
    panic!("it never lives");
}

/// A clinic of two tablets. The second, with the fault, has unsent work in the note they share; meanwhile
/// the first has written in `notes`, deadly words in the shared one. The second has died of it.
fn struck(also: &[usize]) -> Ward {
    let mut ward = Ward::open(2);
    let shared = ward.notes[0];
    ward.hands[1].tablet.finish();
    let (dir, person) = (ward.hands[1].dir.clone(), ward.hands[1].person.clone());
    let mut offline = ward.clinic.run(&dir, &person, &["--offline"], &[FAULT]);
    write(&mut offline, shared, "plan", "unsent");
    for number in also {
        let note = ward.notes[*number];
        write(&mut ward.hands[0].tablet, note, "objective", "harmless ");
    }
    write(&mut ward.hands[0].tablet, shared, "objective", TRIGGER);
    sync(&mut ward.hands[0].tablet);
    ward.judged();
    offline.send(&json!({ "do": "connect" })).unwrap();
    assert!(offline.wait_for_end(Duration::from_secs(60)), "the planted fault must end the tablet");
    ward.hands[1].tablet = offline;
    ward
}

fn check_marked(ward: &mut Ward) {
    let shared = ward.notes[0];
    let tablet = &mut ward.hands[1].tablet;
    assert_eq!(marked(tablet), [json!(shared)], "only the guilty note");
    let note = shown(tablet, shared);
    let sentence = note["note"]["cannot_be_shown"].as_str().unwrap();
    assert!(sentence.contains("Update the app"), "{sentence}");
    assert_eq!((text(&note, "objective").as_str(), text(&note, "plan").as_str()), ("", "unsent"));
}

#[test]
fn work_that_ends_a_tablet_ends_it_once_and_nothing_is_lost() {
    let mut ward = struck(&[]);
    assert_eq!(until_it_lives(&mut ward), 0);
    check_marked(&mut ward);
    // What it had not sent is sent, and the person goes on in this very note.
    write(&mut ward.hands[1].tablet, ward.notes[0], "plan", "later ");
    sync(&mut ward.hands[1].tablet);
    ward.judged();
    let content = ward.server_note(ward.notes[0]).unwrap()["content"]["text"].clone();
    assert_eq!((&content["plan"], &content["objective"]), (&json!("later unsent"), &json!(TRIGGER)));
    // Killed and started again it is the same; without the fault, the version is still the same one.
    ward.hands[1].tablet.kill();
    assert_eq!(until_it_lives(&mut ward), 0);
    let shared = ward.notes[0];
    assert_eq!(marked(&mut ward.hands[1].tablet), [json!(shared)]);
    write(&mut ward.hands[0].tablet, ward.notes[1], "objective", "elsewhere ");
    write(&mut ward.hands[1].tablet, ward.notes[2], "objective", "here ");
    sync(&mut ward.hands[1].tablet);
}

#[test]
fn of_many_notes_only_the_guilty_one_is_marked() {
    let mut ward = struck(&[1, 2]);
    let deaths = until_it_lives(&mut ward);
    assert!(deaths <= 1, "{deaths}");
    let other = ward.notes[2];
    let tablet = &mut ward.hands[1].tablet;
    patiently("the other notes are shown", || {
        (text(&shown(tablet, other), "objective") == "harmless ").then_some(())
    });
    check_marked(&mut ward);
    sync(&mut ward.hands[1].tablet);
}
