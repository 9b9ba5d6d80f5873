//! A line that is paid by the byte: it rests when the day's bytes have passed, and nothing is lost by it.

use super::*;

#[test]
fn a_line_paid_by_the_byte_rests_when_the_days_bytes_have_passed_and_loses_nothing() {
    let [mut middle, mut east] = ["Avery", "Blair"].map(Site::open);
    pair(&middle, &east);
    let patient = middle.clinic.patient("Alder Quince", "medicare_ffs", &[&middle.therapist]);
    middle.command(&["share", &patient, "--with", &east.id]);
    east.treats(&patient, "medicare_ffs");
    let open = json!({
        "document": VISIT, "command": "open_visit", "patient": patient, "discipline": "pt",
        "facts": { "provider": middle.therapist, "date": "2026-03-17", "payer": "medicare_ffs" },
    });
    middle.tablet.say(&open).unwrap();
    sync(&mut middle.tablet);
    east.sees_the_note();
    east.clinic.stop_server();
    east.clinic.start_server(&[("GAITWAY_CLINIC_LINE_MEGABYTES_A_DAY", "0.02")]);

    for number in 0..60 {
        middle.write(&format!("Sentence {number} of the day. "));
    }
    let told = patiently("the line rests", || {
        let rows: Vec<SiteRow> = serde_json::from_value(east.command(&["list"])).unwrap();
        rows[0].trouble.clone().filter(|why| why.contains("MB of today"))
    });
    assert_eq!(told, "the 0.02 MB of today are used; the line opens again tomorrow, and nothing is lost");
    // The day's last bytes may have brought everything there was; what is written now stays where it is.
    middle.write("Middle goes on alone. ");
    patiently("only one of them has what was written last", || {
        (east.heads() != middle.heads()).then_some(())
    });
    east.write("East goes on alone. ");

    east.clinic.stop_server();
    east.clinic.start_server(&[]);
    let (_, text) = agree(&[&middle, &east]);
    for part in ["Sentence 0 of", "Sentence 59 of", "Middle goes on alone. ", "East goes on alone. "] {
        assert_eq!(text.matches(part).count(), 1, "{text}");
    }
}
