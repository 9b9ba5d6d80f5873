//! Keystrokes: on the disk at once, a change within two seconds, none lost.

use session_note::Command;
use store::Store;
use tablet::{Event, SaveState};

use crate::world::{ANNA, BEN, Clinic, Rig, VISIT, set_field, sign};

#[test]
fn typing_becomes_one_change_within_two_seconds() {
    let mut rig = Rig::new(1);
    rig.field(VISIT, "begun");
    rig.pump();
    let before = rig.tablet.note(&rig.store, VISIT).unwrap().history.len();
    for (index, letter) in "stiff today".chars().enumerate() {
        rig.key(VISIT, index, 0, &letter.to_string());
        rig.pump();
        rig.wait(100);
    }
    assert_eq!(rig.tablet.note(&rig.store, VISIT).unwrap().history.len(), before);
    let view = rig.tablet.note(&rig.store, VISIT).unwrap();
    assert_eq!(view.drafts[0].text, "stiff today");
    rig.wait(1_000);
    assert_eq!(rig.tablet.note(&rig.store, VISIT).unwrap().history.len(), before + 1);
    assert_eq!(rig.text(VISIT), "stiff today");
    assert!(rig.tablet.note(&rig.store, VISIT).unwrap().drafts.is_empty());
}

#[test]
fn typing_does_not_wait_for_a_clock_that_was_put_back() {
    let mut rig = Rig::new(1);
    rig.field(VISIT, "begun");
    rig.type_text(VISIT, 0, "stiff");
    rig.now = rig.now.plus_ms(-60_000);
    rig.tablet.handle_timeout(rig.now, &mut rig.dice, &rig.store).unwrap();
    rig.pump();
    assert_eq!(rig.text(VISIT), "stiff");
    assert!(rig.tablet.note(&rig.store, VISIT).unwrap().drafts.is_empty());
    rig.type_text(VISIT, 5, " today");
    rig.now = rig.now.plus_ms(-60_000);
    rig.type_text(VISIT, 11, " and sore");
    rig.wait(2_000);
    assert_eq!(rig.text(VISIT), "stiff today and sore");
}

#[test]
fn a_long_run_of_typing_is_cut_every_two_seconds() {
    let mut rig = Rig::new(1);
    rig.field(VISIT, "begun");
    rig.pump();
    let before = rig.tablet.note(&rig.store, VISIT).unwrap().history.len();
    let text = "the quick brown fox jumps over the lazy dog again and again";
    for (index, letter) in text.chars().enumerate() {
        rig.key(VISIT, index, 0, &letter.to_string());
        rig.pump();
        rig.wait(150);
    }
    rig.wait(2_000);
    let changes = rig.tablet.note(&rig.store, VISIT).unwrap().history.len() - before;
    let seconds = text.len() * 150 / 1_000;
    assert_eq!(rig.text(VISIT), text);
    assert!((seconds / 2..=seconds / 2 + 2).contains(&changes), "{changes} changes in {seconds} s");
}

#[test]
fn a_crash_at_every_commit_loses_no_keystroke() {
    let mut rig = Rig::new(1);
    rig.field(VISIT, "begun");
    rig.pump();
    rig.disks.clear();
    let mut expected = Vec::new();
    let mut typed = String::new();
    for (index, letter) in "abc def ghi jkl".chars().enumerate() {
        rig.key(VISIT, index, 0, &letter.to_string());
        typed.push(letter);
        let disks = rig.disks.len();
        rig.pump();
        expected.resize(disks, String::new());
        expected.resize(rig.disks.len(), typed.clone());
        rig.wait(300);
        expected.resize(rig.disks.len(), typed.clone());
    }
    rig.wait(5_000);
    expected.resize(rig.disks.len(), typed.clone());
    assert!(rig.disks.len() > 15);
    for (disk, expected) in rig.disks.iter().zip(&expected) {
        let mut survivor = Rig::on(1, disk.clone(), 50);
        survivor.now = rig.now;
        survivor.pump();
        survivor.wait(1);
        assert_eq!(&survivor.text(VISIT), expected);
        assert_eq!(survivor.save_state(VISIT), SaveState::SavedOnTablet);
        // And once more, right after the recovery.
        let mut again = survivor.restarted(60);
        again.wait(1);
        assert_eq!(&again.text(VISIT), expected);
    }
}

#[test]
fn taking_back_what_was_typed_leaves_no_trace() {
    let mut rig = Rig::new(1);
    rig.field(VISIT, "begun");
    rig.type_text(VISIT, 0, "abc");
    let before = rig.tablet.note(&rig.store, VISIT).unwrap().history.len();
    for position in [2, 1, 0] {
        rig.key(VISIT, position, 1, "");
        rig.pump();
    }
    rig.wait(3_000);
    assert_eq!(rig.text(VISIT), "");
    assert_eq!(rig.tablet.note(&rig.store, VISIT).unwrap().history.len(), before);
}

#[test]
fn signing_flushes_what_was_typed_and_covers_it() {
    let mut rig = Rig::new(1);
    rig.field(VISIT, "begun");
    rig.type_text(VISIT, 0, "done");
    let seen = rig.heads(VISIT);
    rig.try_edit(ANNA, VISIT, Some(seen), vec![sign()]).unwrap();
    rig.pump();
    let visit = rig.tablet.note(&rig.store, VISIT).unwrap().visit.unwrap();
    assert_eq!(visit.text["subjective"], "done");
    let signature = visit.signatures.values().next().unwrap();
    assert!(signature.content.contains("done"));
}

#[test]
fn a_signed_note_takes_no_more_typing() {
    let mut rig = Rig::new(1);
    rig.field(VISIT, "begun");
    rig.edit(ANNA, VISIT, vec![sign()]);
    assert!(rig.try_key(VISIT, 0, 0, "x").unwrap_err().is_refusal());
}

#[test]
fn a_draft_recovered_after_a_signature_stands_beside_it() {
    let mut rig = Rig::new(1);
    rig.field(VISIT, "begun");
    rig.type_text(VISIT, 0, "late");
    let disk = rig.store.clone();
    // Another tablet's copy of the note was signed without these drafts, and is merged after the crash.
    let (mut other, mut clinic) = (Rig::new(2), Clinic::new());
    other.field(VISIT, "begun elsewhere");
    other.edit(BEN, VISIT, vec![sign()]);
    clinic.connect(&mut other);
    let feed = clinic.feed();
    let mut survivor = Rig::on(1, disk, 5);
    survivor.pump();
    clinic.connect(&mut survivor);
    clinic.page(&mut survivor, feed);
    survivor.wait(3_000);
    let view = survivor.tablet.note(&survivor.store, VISIT).unwrap();
    let visit = view.visit.unwrap();
    assert_eq!(visit.text["subjective"], "late");
    assert_eq!(visit.signatures.len(), 1);
    assert!(view.drafts.is_empty());
}

#[test]
fn a_paste_too_long_for_one_change_becomes_several_that_land_together() {
    let mut rig = Rig::new(1);
    rig.field(VISIT, "begun");
    rig.pump();
    let text = "x".repeat(9_000);
    let splice =
        Command::SpliceText { field: "plan".to_owned(), position: 0, delete: 0, insert: text.clone() };
    let commits = rig.disks.len();
    rig.edit(ANNA, VISIT, vec![splice]);
    rig.pump();
    assert_eq!(rig.disks.len(), commits + 1);
    let view = rig.tablet.note(&rig.store, VISIT).unwrap();
    assert_eq!(view.visit.unwrap().text["plan"], text);
    assert_eq!(view.history.len(), 1 + 3);
    let mut clinic = Clinic::new();
    clinic.connect(&mut rig);
    assert_eq!(rig.save_state(VISIT), SaveState::SafeAtClinic);
}

#[test]
fn a_draft_keeps_the_note_from_being_called_safe() {
    let (mut rig, mut clinic) = (Rig::new(1), Clinic::new());
    rig.field(VISIT, "begun");
    clinic.connect(&mut rig);
    rig.type_text(VISIT, 0, "a");
    clinic.talk(&mut rig);
    assert_eq!(rig.save_state(VISIT), SaveState::SavedOnTablet);
    rig.wait(2_500);
    clinic.talk(&mut rig);
    assert_eq!(rig.save_state(VISIT), SaveState::SafeAtClinic);
    assert!(!rig.saw(|event| matches!(event, Event::DraftStuck { .. })));
}

#[test]
fn other_edits_in_between_do_not_shift_what_is_typed() {
    let mut rig = Rig::new(1);
    rig.field(VISIT, "begun");
    rig.type_text(VISIT, 0, "left right");
    rig.edit(BEN, VISIT, vec![set_field("education", "given")]);
    rig.type_text(VISIT, 4, " and");
    rig.wait(3_000);
    assert_eq!(rig.text(VISIT), "left and right");
}

#[test]
fn a_phrase_completed_while_its_drafts_are_being_written_is_made_once() {
    let mut rig = Rig::new(1);
    rig.field(VISIT, "begun");
    rig.pump();
    rig.key(VISIT, 0, 0, "once");
    let batch = rig.tablet.poll_commit(&mut rig.dice).unwrap();
    rig.tablet.flush(rig.now, &mut rig.dice, &rig.store, VISIT).unwrap();
    let first = rig.store.commit(&batch).unwrap();
    rig.tablet.committed(rig.now, first, &rig.store);
    rig.tablet.handle_timeout(rig.now.plus_ms(5_000), &mut rig.dice, &rig.store).unwrap();
    rig.pump();
    assert_eq!(rig.text(VISIT), "once");
    assert_eq!(rig.restarted(2).text(VISIT), "once");
}
