//! A server that comes back from yesterday's backup is made whole by the other clinic and by its own tablets,
//! and says so while it is.

use chart::ids::DocumentId;
use serde_json::{Value, json};

use super::{Site, VISIT, agree, pair};
use crate::support::{copy_all, gaitway, patiently, sync};

/// A note of a patient nobody else treats.
const OWN: DocumentId = DocumentId::from_bytes([0x52; 16]);

/// `gaitway status` as a person reads it.
fn status(site: &Site) -> String {
    let data = site.clinic.data();
    let told = gaitway(&["status", "--data", data.to_str().unwrap()]);
    String::from_utf8_lossy(&told.stdout).into_owned()
}

fn open(patient: &str, provider: &str, document: DocumentId) -> Value {
    json!({
        "document": document, "command": "open_visit", "patient": patient, "discipline": "pt",
        "facts": { "provider": provider, "date": "2026-03-17", "payer": "medicare_ffs" },
    })
}

#[test]
fn a_server_put_back_to_yesterday_is_made_whole_by_its_peer_and_its_tablet_and_says_so() {
    let [mut home, mut east] = ["Avery", "Blair"].map(Site::open);
    pair(&home, &east);
    let patient = home.clinic.patient("Alder Quince", "medicare_ffs", &[&home.therapist]);
    home.command(&["share", &patient, "--with", &east.id]);
    east.treats(&patient, "medicare_ffs");
    let own = east.clinic.patient("Bryony Slate", "medicare_ffs", &[&east.therapist]);
    home.tablet.say(&open(&patient, &home.therapist, VISIT)).unwrap();
    sync(&mut home.tablet);
    east.sees_the_note();
    assert!(!status(&east).contains("put back"));

    // Yesterday's backup.
    let (data, backup) = (east.clinic.data(), east.clinic.dir().join("yesterday"));
    east.clinic.stop_server();
    copy_all(&data, &backup);
    east.clinic.start_server(&[]);

    // What the backup has not: acknowledged work on a shared note, and on one nobody else has.
    east.write("East after the backup. ");
    home.write("Home after the backup. ");
    east.tablet.say(&open(&own, &east.therapist, OWN)).unwrap();
    sync(&mut east.tablet);
    let (_, text) = agree(&[&home, &east]);
    for part in ["East after the backup. ", "Home after the backup. "] {
        assert_eq!(text.matches(part).count(), 1, "{text}");
    }
    let of_own = format!("/v1/review/notes/{OWN}");
    patiently("the own note is shown", || east.read(&of_own).map(drop));
    east.tablet.say(&json!({ "do": "disconnect" })).unwrap();
    let away = json!({
        "document": VISIT, "command": "splice_text", "field": "subjective", "position": 0, "insert": "Away. ",
    });
    east.tablet.say(&away).unwrap();

    // The disk is lost.
    east.clinic.kill_server();
    std::fs::remove_dir_all(&data).unwrap();
    copy_all(&backup, &data);
    east.clinic.start_server(&[]);
    assert!(east.read(&of_own).is_none(), "the backup does not have it");
    patiently("it says that it was put back, and what is missing", || {
        status(&east).contains("0 of 1 tablets").then_some(())
    });
    // The other clinic brings back what both had, this one's own work too.
    let (_, text) = agree(&[&home, &east]);
    for part in ["East after the backup. ", "Home after the backup. "] {
        assert_eq!(text.matches(part).count(), 1, "{text}");
    }
    assert!(east.read(&of_own).is_none() && home.read(&of_own).is_none());
    assert!(
        status(&east).contains("is being made whole: 0 of 1 tablets and 1 of 1 clinics"),
        "{}",
        status(&east)
    );

    // Its tablet brings back the rest, and what it did meanwhile.
    east.tablet.say(&json!({ "do": "connect" })).unwrap();
    sync(&mut east.tablet);
    patiently("the own note is back", || east.read(&of_own).map(drop));
    patiently("nothing is missing any more", || (!status(&east).contains("put back")).then_some(()));
    let (_, text) = patiently("what was written away is everywhere", || {
        let (heads, text) = agree(&[&home, &east]);
        text.contains("Away. ").then_some((heads, text))
    });
    for part in ["East after the backup. ", "Home after the backup. ", "Away. "] {
        assert_eq!(text.matches(part).count(), 1, "{text}");
    }
    // Nobody else ever got the patient who is not shared.
    assert!(home.read(&of_own).is_none());
    let history = |site: &Site| {
        let note = site.read(&format!("/v1/review/notes/{VISIT}")).unwrap();
        let mut rows: Vec<String> =
            note["history"].as_array().unwrap().iter().map(Value::to_string).collect();
        rows.sort();
        rows
    };
    let rows = history(&home);
    assert_eq!(rows, history(&east), "who wrote what, on which tablet, received when");
    assert_eq!(rows.len(), 4, "each change once");
    for site in [&mut home, &mut east] {
        site.tablet.say(&json!({ "do": "disconnect" })).unwrap();
        site.clinic.stop_server();
        let verified = gaitway(&["verify", site.clinic.data().to_str().unwrap()]);
        assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
    }
}
