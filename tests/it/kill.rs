//! Parts of the clinic are killed at any moment, with `kill -9` and at planted points: nothing that was
//! acknowledged is lost, nothing is doubled, and no tablet calls safe what the clinic does not have.
//!
//! `GAITWAY_KILLS` says how often the server dies at work, how often while it starts, and how often a
//! tablet dies (20 each); `GAITWAY_KILL_SEED` repeats a run's dice.

#[path = "kill/ward.rs"]
pub(crate) mod ward;

use std::collections::BTreeSet;
use std::process::{Command, Stdio};
use std::time::Duration;

use gaitway::demo::parts::forget_settings;
use serde_json::json;

use crate::support::{copy_all, program};
use ward::{Dice, Ward};

/// The planted ends of a tablet.
const TABLET_ENDS: [&str; 8] = [
    "before-commit:1",
    "before-commit:3",
    "after-commit:1",
    "after-commit:2",
    "after-commit:5",
    "during-open:1",
    "during-open:2",
    "during-open:3",
];

/// The planted ends of a server at work.
const AT_WORK: [&str; 3] =
    ["between-sync-and-index", "after-commit-before-receipt", "after-receipt-before-verdict"];

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn seed() -> u64 {
    let nanos = std::time::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_nanos());
    number("GAITWAY_KILL_SEED", u64::try_from(nanos % 1_000_000_007).unwrap())
}

/// A server on the clinic's directory that nobody waits for.
fn server(ward: &Ward) -> Command {
    let mut command = Command::new(program());
    forget_settings(&mut command);
    command.arg("serve").arg("--data").arg(ward.clinic.data()).args(["--listen", "127.0.0.1:0"]);
    command.stdin(Stdio::null());
    command
}

/// Starts a server and kills it so soon that it may not have opened anything.
fn kill_during_start(ward: &Ward, after: Duration) {
    let mut child = server(ward).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    std::thread::sleep(after);
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Every tablet writes; in the middle of it the server dies. Whether it died by itself.
fn one_death(ward: &mut Ward, dice: &mut Dice, planted: bool) -> bool {
    for hand in &mut ward.hands {
        hand.tablet.say(&json!({ "do": "connect" })).unwrap();
    }
    let mut asked = Vec::new();
    for _ in 0..8 {
        for hand in 0..ward.hands.len() {
            let document = ward.notes_of(hand)[usize::from(dice.below(2) == 1)];
            asked.push((hand, document, ward.hands[hand].write(document).unwrap()));
        }
    }
    let running = ward.clinic.server.as_mut().unwrap();
    let by_itself = planted && running.wait_for_end(Duration::from_millis(4_000));
    if !planted {
        std::thread::sleep(Duration::from_millis(dice.below(400)));
    }
    ward.clinic.kill_server();
    for (hand, document, word) in asked {
        assert!(ward.hands[hand].hear(document, word), "a tablet died with its server");
    }
    by_itself
}

#[test]
fn a_server_killed_in_the_middle_of_sync_loses_nothing_it_acknowledged() {
    let (kills, seed) = (number("GAITWAY_KILLS", 20), seed());
    println!("GAITWAY_KILL_SEED={seed} GAITWAY_KILLS={kills}");
    let mut dice = Dice(seed);
    let mut ward = Ward::open(3);
    let mut planted: Option<&str> = None;
    let mut ended_at = BTreeSet::new();
    for round in 1..=kills {
        let context = format!("seed {seed}, round {round}, planted {planted:?}");
        if one_death(&mut ward, &mut dice, planted.is_some()) {
            ended_at.extend(planted);
        }
        let mut promised = Vec::new();
        for hand in &mut ward.hands {
            hand.tablet.say(&json!({ "do": "disconnect" })).unwrap();
            promised.push(hand.called_safe());
        }
        // What this death left half done is what the next start, cut short as well, has to mend.
        kill_during_start(&ward, Duration::from_millis(dice.below(120)));
        planted = AT_WORK.get(usize::try_from(round % 6).unwrap()).copied();
        let planted_at = planted.map(|point| format!("{point}:{}", 1 + dice.below(4)));
        let armed: Vec<(&str, &str)> =
            planted_at.iter().map(|point| ("GAITWAY_KILL_AT", point.as_str())).collect();
        if planted.is_some() {
            // What was logged and not judged is judged at the start, and that passes planted points too.
            ward.clinic.start_server(&[]);
            ward.check_promises(&promised, &context);
            ward.clinic.stop_server();
        }
        ward.clinic.start_server(&armed);
        if planted.is_none() {
            ward.check_promises(&promised, &context);
        }
    }
    ward.clinic.kill_server();
    ward.clinic.start_server(&[]);
    ward.check_whole(&format!("seed {seed}, at the end"));
    assert!(kills < 20 || ended_at.len() == AT_WORK.len(), "seed {seed}: it ended only at {ended_at:?}");
}

#[test]
fn a_server_that_dies_at_every_point_of_its_start_starts_again() {
    let mut ward = Ward::open(1);
    for round in 0..3 {
        let mut asked = Vec::new();
        for _ in 0..4 {
            let document = ward.notes_of(0)[round % 2];
            asked.push((document, ward.hands[0].write(document).unwrap()));
        }
        for (document, word) in asked {
            assert!(ward.hands[0].hear(document, word));
        }
        ward.clinic.kill_server();
        ward.hands[0].tablet.say(&json!({ "do": "disconnect" })).unwrap();
        let promised = [ward.hands[0].called_safe()];
        for point in 1..=3 {
            let died =
                server(&ward).env("GAITWAY_KILL_AT", format!("during-start:{point}")).output().unwrap();
            assert!(!died.status.success() && died.stdout.is_empty(), "it must die before it listens");
        }
        ward.clinic.start_server(&[]);
        ward.check_promises(&promised, &format!("round {round}"));
        ward.hands[0].tablet.say(&json!({ "do": "connect" })).unwrap();
    }
    ward.check_whole("after every start");
}

#[test]
fn a_record_whose_index_is_behind_its_journal_has_everything() {
    let mut ward = Ward::open(1);
    ward.clinic.stop_server();
    let record = ward.clinic.data().join("record");
    let indexes = || -> Vec<std::path::PathBuf> {
        let all = std::fs::read_dir(&record).unwrap().map(|entry| entry.unwrap().path());
        all.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("index-")).collect()
    };
    let aside = ward.clinic.dir().join("older-index");
    std::fs::create_dir(&aside).unwrap();
    for index in indexes() {
        copy_all(&index, &aside.join(index.file_name().unwrap()));
    }
    ward.clinic.start_server(&[]);
    ward.hands[0].tablet.say(&json!({ "do": "connect" })).unwrap();
    for round in 0..10 {
        let document = ward.notes_of(0)[round % 2];
        let word = ward.hands[0].write(document).unwrap();
        assert!(ward.hands[0].hear(document, word));
    }
    crate::support::sync(&mut ward.hands[0].tablet);
    ward.clinic.kill_server();
    ward.hands[0].tablet.say(&json!({ "do": "disconnect" })).unwrap();
    let promised = [ward.hands[0].called_safe()];
    assert_eq!(promised[0].len(), 2, "both notes were called safe");
    // The power went after the journal's fsync and before the index heard of it.
    for index in indexes() {
        std::fs::remove_dir_all(index).unwrap();
    }
    for entry in std::fs::read_dir(&aside).unwrap() {
        let older = entry.unwrap().path();
        copy_all(&older, &record.join(older.file_name().unwrap()));
    }
    ward.clinic.start_server(&[]);
    ward.check_promises(&promised, "an older index");
    ward.check_whole("an older index");
}

#[test]
fn a_clinic_that_forgot_what_it_acknowledged_is_caught_by_these_tests() {
    let mut ward = Ward::open(1);
    ward.clinic.stop_server();
    let (record, older) = (ward.clinic.data().join("record"), ward.clinic.dir().join("older"));
    copy_all(&record, &older);
    ward.clinic.start_server(&[]);
    ward.hands[0].tablet.say(&json!({ "do": "connect" })).unwrap();
    let word = ward.hands[0].write(ward.notes[1]).unwrap();
    assert!(ward.hands[0].hear(ward.notes[1], word));
    crate::support::sync(&mut ward.hands[0].tablet);
    ward.clinic.kill_server();
    ward.hands[0].tablet.say(&json!({ "do": "disconnect" })).unwrap();
    let promised = [ward.hands[0].called_safe()];
    std::fs::remove_dir_all(&record).unwrap();
    copy_all(&older, &record);
    ward.clinic.start_server(&[]);
    let lost = ward.lost(&promised);
    assert_eq!(lost.len(), 1, "the older record lacks one change that was called safe: {lost:?}");
    // It is not gone for good: the tablet still has it, and gives it again to the record it finds older.
    ward.check_whole("an older record");
}

#[test]
fn a_tablet_killed_at_any_moment_keeps_every_edit_it_called_saved() {
    let seed = seed();
    println!("GAITWAY_KILL_SEED={seed}");
    let mut dice = Dice(seed);
    let mut ward = Ward::open(1);
    for round in 0..number("GAITWAY_KILLS", 20) {
        // Every planted end first; then as often one of them as a moment of nobody's choice.
        let chosen = if round < 8 { round } else { dice.below(16) };
        let point = TABLET_ENDS.get(usize::try_from(chosen).unwrap()).copied().unwrap_or_default();
        let context = format!("seed {seed}, round {round}, `{point}`");
        ward.hands[0].tablet.kill();
        let (dir, person) = (ward.hands[0].dir.clone(), ward.hands[0].person.clone());
        let online: &[&str] = if round % 2 == 0 { &["--offline"] } else { &[] };
        ward.hands[0].tablet = ward.clinic.run(&dir, &person, online, &[("GAITWAY_KILL_AT", point)]);
        let mut asked = Vec::new();
        let died_early = point.starts_with("during-open");
        for turn in 0..6 {
            let document = ward.notes_of(0)[turn % 2];
            if died_early {
                break;
            }
            let Some(word) = ward.hands[0].write(document) else { break };
            asked.push((document, word));
        }
        if point.is_empty() {
            std::thread::sleep(Duration::from_millis(dice.below(120)));
            ward.hands[0].tablet.kill();
        } else {
            assert!(ward.hands[0].tablet.wait_for_end(Duration::from_secs(60)), "{context}: it did not die");
        }
        let mut unanswered = Vec::new();
        for (document, word) in asked {
            if !ward.hands[0].hear(document, word.clone()) {
                unanswered.push((document, word));
            }
        }
        ward.hands[0].tablet = ward.clinic.run(&dir, &person, &["--offline"], &[]);
        for document in ward.notes.clone() {
            let shown = ward.hands[0].tablet.say(&json!({ "do": "show", "document": document })).unwrap();
            let text = shown["note"]["visit"]["text"]["subjective"].as_str().unwrap_or_default();
            for (_, word) in ward.hands[0].saved.keys().filter(|(of, _)| *of == document) {
                assert_eq!(text.matches(word.as_str()).count(), 1, "{context}: {word} in {text}");
            }
            // An edit that was not answered is there whole or not at all.
            for (of, word) in &unanswered {
                if *of != document || !text.contains(word.as_str()) {
                    continue;
                }
                assert_eq!(text.matches(word.as_str()).count(), 1, "{context}: {word} in {text}");
                ward.hands[0].saved.insert((*of, word.clone()), None);
            }
        }
    }
    ward.check_whole(&format!("seed {seed}, at the end"));
}
