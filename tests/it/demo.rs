//! The demo tells the truth: it runs to its end and says what it promises to say.

use crate::support::gaitway;

#[test]
fn the_demo_tells_its_story_and_checks_it() {
    let told = gaitway(&["demo", "--once"]);
    let said = String::from_utf8_lossy(&told.stdout).into_owned();
    assert!(told.status.success(), "{said}\n{}", String::from_utf8_lossy(&told.stderr));
    let mut rest = said.as_str();
    for sentence in [
        "A small clinic of invented people",
        "5 people, 8 patients, 7 payers.",
        "1 unit so far. What is still running is not counted.",
        "The clinic's server is stopped.",
        "Saved on this tablet",
        "Saved on this tablet",
        "The room's tablet: Safe at clinic.",
        "Odalys's tablet: Safe at clinic.",
        "97112 has two ends, and both are kept:",
        "09:17  Joren Tavish, on the room's tablet",
        "09:20  Odalys Brenwick, on Odalys's tablet",
        "Not on the bill until somebody chooses: between 2 and 3 units.",
        "If 97112 ends 09:17: 2 units (97112 × 1, 97530 × 1)",
        "Timed minutes: 97110 5 + 97112 17 + 97530 15 = 37.",
        "If 97112 ends 09:20: 3 units (97112 × 2, 97530 × 1)",
        "(only if 97112 ends 09:20)",
        "Odalys's signature stands, over the text she signed.",
        "The other visits of the day",
        "Wilhelmina Orsk (commercial plan): 3 units (97110 × 2, 97140 × 1), ready to bill.",
        "Casimir Lindqvell (Medicare): 3 units (97112 × 2, 97116 × 1), ready to bill.",
        "not ready to bill.",
        "chooses 9:17",
        "2 units (97112 × 1, 97530 × 1). Before the outage: 1.",
        "Ready to bill.",
        "agree to the last word.",
        "/review/notes/",
        "Sign in as Ismene Dunmore with: gwp_",
    ] {
        let at = rest
            .find(sentence)
            .unwrap_or_else(|| panic!("`{sentence}` is missing, or out of order, in\n{said}"));
        rest = &rest[at + sentence.len()..];
    }
    assert!(!said.contains('\x1b'), "colours are for terminals only");
    assert!(!said.contains("NOT AS IT SHOULD BE"), "{said}");
}

#[test]
fn the_demo_of_two_clinics_cuts_the_line_works_at_both_and_heals_it() {
    let told = gaitway(&["demo", "--sites", "--once"]);
    let said = String::from_utf8_lossy(&told.stdout).into_owned();
    assert!(told.status.success(), "{said}\n{}", String::from_utf8_lossy(&told.stderr));
    let mut rest = said.as_str();
    for sentence in [
        "Two invented clinics of one group",
        "which works once; Riverside entered it.",
        "Wilhelmina Orsk is treated at both",
        "Riverside has the note, on its server and on Odalys's tablet.",
        "The line is cut",
        "Millbrook, Joren: \"ended 9:20, by the wall clock\".  Safe at clinic.",
        "Riverside, Odalys: \"ended 9:24, she stayed until the taxi came\".  Safe at clinic.",
        "Millbrook Rehab: last heard",
        "The line is back",
        "both clinics have the same note and the same report.",
        "Joren Tavish, on Millbrook's tablet",
        "Odalys Brenwick, on Riverside's tablet",
        "97110 ends at 9:20 or at 9:24: both are kept, and the bill waits until a person chooses.",
        "Casimir Lindqvell is treated at Riverside alone: Millbrook has nothing of him.",
        "The report is provisional",
        "Riverside closes the day.",
        "the same report, to the byte, and nobody is missing in it.",
    ] {
        let at = rest
            .find(sentence)
            .unwrap_or_else(|| panic!("`{sentence}` is missing, or out of order, in\n{said}"));
        rest = &rest[at + sentence.len()..];
    }
    assert!(!said.contains("NOT AS IT SHOULD BE"), "{said}");
}

#[test]
fn a_demo_in_a_directory_that_is_in_use_says_so_in_one_sentence() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("letter.txt"), "mine").unwrap();
    let told = gaitway(&["demo", "--once", "--keep", dir.path().to_str().unwrap()]);
    let error = String::from_utf8_lossy(&told.stderr).into_owned();
    assert_eq!(told.status.code(), Some(1), "{error}");
    assert_eq!(error.lines().count(), 1, "{error}");
    assert!(error.contains("is not empty"), "{error}");
}
