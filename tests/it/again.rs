//! Rejected work that is made again, and the ways in which it could be there twice or not at all. The real hub
//! and real tablets, a gate that rejects what the test names.

#[path = "again/rig.rs"]
mod rig;

use std::collections::BTreeMap;

use chart::ids::{ChangeHash, PersonId};
use chart::reference::Role;
use chart::time::Timestamp;
use rig::{ANNA, BEN, House, stricter};

/// Each word with who wrote it and when.
type Written = BTreeMap<String, (PersonId, Timestamp)>;

/// Edits that follow the change that is rejected.
const FOLLOWING: usize = 50;

/// Two people write in turn on the shared tablet without a network: the first change is the gate's to reject.
fn two_people_write(house: &mut House) -> Written {
    house.disconnect(0);
    let mut written = BTreeMap::new();
    for number in 0..=FOLLOWING {
        let person = if number % 2 == 0 { ANNA } else { BEN };
        let word = format!("[{number:02}]");
        written.insert(word.clone(), (person, house.now));
        house.write(0, person, &word);
    }
    written
}

/// Everything written is there once, under its author and time, everywhere; nothing waits.
#[track_caller]
fn check_once(house: &mut House, written: &Written) {
    let text = house.words();
    for word in written.keys() {
        assert_eq!(text.matches(word.as_str()).count(), 1, "{word} in {text}");
    }
    assert_eq!(text.len(), written.keys().map(String::len).sum::<usize>(), "and nothing else: {text}");
    for seat in 0..house.seats.len() {
        let history = house.history(seat);
        assert_eq!(history.len(), written.len() + 1, "each once, and the one that began the note");
        for (word, (person, at)) in written {
            let theirs = history.iter().filter(|(by, when, _)| by == person && when == at);
            assert_eq!(theirs.count(), 1, "{word}");
        }
    }
}

#[test]
fn work_that_the_gate_itself_rejects_takes_fifty_edits_of_two_people_along_and_all_are_made_again_once() {
    let mut house = House::open();
    let before: Vec<ChangeHash> = house.history(0).iter().map(|(_, _, change)| *change).collect();
    let written = two_people_write(&mut house);
    let first = house.history(0).iter().map(|(_, _, change)| *change).find(|hash| !before.contains(hash));
    let first = first.unwrap();
    house.gate = stricter(move |one| one.candidate.sketch().hash == first);
    let made: Vec<ChangeHash> = house.history(0).iter().map(|(_, _, change)| *change).collect();
    house.connect(0);
    house.pass(10_000);
    check_once(&mut house, &written);
    assert_eq!(house.told(0), Vec::<&str>::new());
    let again: Vec<ChangeHash> = house.history(1).iter().map(|(_, _, change)| *change).collect();
    assert!(made.iter().filter(|hash| !before.contains(hash)).all(|hash| !again.contains(hash)));
    assert_eq!(house.hub.metrics().rejected, u64::try_from(FOLLOWING + 1).unwrap());
    // A start of everything brings nothing back and loses nothing.
    house.restart(0, None);
    house.restart(1, None);
    check_once(&mut house, &written);
}

#[test]
fn what_is_rejected_a_second_time_goes_to_a_supervisor_alone() {
    let mut house = House::open();
    let mut written = two_people_write(&mut house);
    // What it says is what the gate does not take, so making it again does not help.
    house.gate = stricter(|one| one.candidate.bytes().windows(4).any(|window| window == b"[00]"));
    house.connect(0);
    house.pass(10_000);
    written.remove("[00]");
    check_once(&mut house, &written);
    assert_eq!(house.told(0), ["needs_supervisor"]);
    house.restart(0, None);
    check_once(&mut house, &written);
    assert_eq!(house.told(0), ["needs_supervisor"]);
}

/// A note with a held chain of three changes of the shared tablet, and the server's backup from then.
fn with_held_work() -> (House, store::MemoryStore, Vec<ChangeHash>, Written) {
    let mut house = House::open();
    house.role(ANNA, Role::FrontDesk);
    let mut written = BTreeMap::new();
    for word in ["one ", "two ", "three "] {
        written.insert(word.to_owned(), (ANNA, house.now));
        house.write(0, ANNA, word);
    }
    house.pass(10_000);
    let held = house.held();
    assert_eq!(held.len(), 3);
    assert_eq!(house.told(0), ["held"; 3]);
    house.role(ANNA, Role::Therapist);
    let backup = house.store.clone();
    (house, backup, held, written)
}

#[test]
fn what_is_made_again_cannot_be_released_too() {
    let (mut house, backup, held, written) = with_held_work();
    house.reject(&held).unwrap();
    house.pass(10_000);
    check_once(&mut house, &written);
    // The server forgets its rejection with its disk; the tablet offers what it made again.
    house.restore(backup);
    house.connect(0);
    house.connect(1);
    house.pass(60_000);
    check_once(&mut house, &written);
    let held = house.held();
    assert_eq!(held.len(), 3, "the backup still holds the originals");
    let sentence = house.release(&held).unwrap_err();
    assert!(sentence.contains("part of the note already"), "{sentence}");
    house.pass(10_000);
    check_once(&mut house, &written);
    assert_eq!(house.held(), []);
    assert_eq!(house.told(0), Vec::<&str>::new());
}

#[test]
fn what_is_released_takes_the_place_of_what_was_made_again_meanwhile() {
    let (mut house, backup, held, mut written) = with_held_work();
    house.reject(&held).unwrap();
    house.pass(10_000);
    house.restore(backup);
    house.release(&held).unwrap();
    // The tablet, which has made it again, and somebody has built upon that, hears of it only now.
    written.insert("four ".into(), (BEN, house.now));
    house.write(0, BEN, "four ");
    house.connect(0);
    house.connect(1);
    house.pass(60_000);
    check_once(&mut house, &written);
    let history = house.history(1);
    let is_there = |hash: &ChangeHash| history.iter().any(|(_, _, change)| change == hash);
    assert!(held.iter().all(is_there), "the originals are what was released");
    assert_eq!(house.told(0), Vec::<&str>::new());
    house.restart(0, None);
    check_once(&mut house, &written);
    assert_eq!(house.told(0), Vec::<&str>::new());
}

#[test]
fn a_tablet_that_forgot_making_work_again_does_not_bring_it_twice() {
    let (mut house, _, held, written) = with_held_work();
    let disk = house.seats[0].store.clone();
    house.reject(&held).unwrap();
    house.pass(10_000);
    check_once(&mut house, &written);
    house.restart(0, Some(disk));
    house.pass(60_000);
    check_once(&mut house, &written);
    assert_eq!(house.told(0), Vec::<&str>::new());
}

#[test]
fn a_release_and_a_rejection_of_the_same_work_exclude_each_other_in_either_order() {
    for first_released in [true, false] {
        let (mut house, _, held, written) = with_held_work();
        let (first, second) = if first_released {
            (house.release(&held), house.reject(&held))
        } else {
            (house.reject(&held), house.release(&held))
        };
        first.unwrap();
        assert!(second.unwrap_err().contains("nothing of this is held"));
        house.pass(10_000);
        check_once(&mut house, &written);
        assert_eq!(house.told(0), Vec::<&str>::new());
    }
}

#[test]
fn an_original_and_its_replay_that_wait_together_are_not_both_admitted() {
    let (mut house, _, held, written) = with_held_work();
    let before = house.seats[0].store.clone();
    house.reject(&held).unwrap();
    house.pass(10_000);
    let after = house.seats[0].store.clone();
    // The server's disk is older than all of it, and it judges nothing while a tablet offers the originals
    // and then, from a newer disk, the replays.
    let beginning = house.beginning.clone();
    house.restore(beginning);
    house.judging = false;
    house.restart(0, Some(before));
    house.restart(0, Some(after));
    house.judging = true;
    house.pass(60_000);
    house.connect(1);
    house.pass(60_000);
    let metrics = house.hub.metrics();
    assert_eq!((metrics.admitted, metrics.rejected), (3, 3), "each once, whichever came first");
    check_once(&mut house, &written);
    assert_eq!(house.told(0), Vec::<&str>::new());
}
