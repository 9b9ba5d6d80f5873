//! From the tap to the receipt: what is saved, what is safe, what a crash leaves.

use store::StoreReader;
use sync_protocol::{RefuseCode, Standing};
use tablet::{Event, SaveState};

use crate::world::{ANNA, BEN, Clinic, OTHER_VISIT, Rig, VISIT, hashes, set_field};

#[test]
fn an_edit_is_saved_only_after_its_commit() {
    let mut rig = Rig::new(1);
    let ticket = rig.field(VISIT, "good");
    assert_eq!(rig.save_state(VISIT), SaveState::Saving);
    assert!(rig.tablet.poll_event().is_none_or(|event| matches!(event, Event::Changed { .. })));
    assert_eq!(rig.store.tip().seq, 0);
    rig.pump();
    assert_eq!(rig.save_state(VISIT), SaveState::SavedOnTablet);
    let heads = rig.heads(VISIT);
    assert!(rig.saw(|event| matches!(event, Event::Saved { ticket: told, heads: with, .. } if *told == ticket && *with == heads)));
}

#[test]
fn an_edit_that_could_not_be_written_is_not_saved_and_not_lost() {
    let mut rig = Rig::new(1);
    rig.field(VISIT, "first");
    rig.pump();
    rig.store.fail_next_commit();
    let ticket = rig.field(VISIT, "second");
    rig.pump();
    assert_eq!(rig.save_state(VISIT), SaveState::Saving);
    assert!(rig.saw(|event| matches!(event, Event::NotSaved { tickets, .. } if tickets == &[ticket])));
    assert!(!rig.saw(|event| matches!(event, Event::Saved { ticket: told, .. } if *told == ticket)));
    rig.store.reopen();
    rig.tablet.retry_commit();
    rig.pump();
    assert_eq!(rig.save_state(VISIT), SaveState::SavedOnTablet);
    assert!(rig.saw(|event| matches!(event, Event::Saved { ticket: told, .. } if *told == ticket)));
    assert_eq!(rig.restarted(2).response(VISIT).as_deref(), Some("second"));
}

#[test]
fn nothing_is_sent_before_it_is_written() {
    let (mut rig, mut clinic) = (Rig::new(1), Clinic::new());
    rig.pump();
    clinic.connect(&mut rig);
    rig.field(VISIT, "good");
    assert!(rig.tablet.poll_transmit().is_none());
    assert!(clinic.pushes.is_empty());
    clinic.talk(&mut rig);
    assert_eq!(clinic.pushes.len(), 1);
}

#[test]
fn safe_means_a_receipt_of_these_very_heads() {
    let (mut rig, mut clinic) = (Rig::new(1), Clinic::new());
    rig.field(VISIT, "good");
    rig.pump();
    clinic.receipts = false;
    clinic.connect(&mut rig);
    assert_eq!(clinic.pushes.len(), 1);
    assert_eq!(rig.save_state(VISIT), SaveState::Sending);
    clinic.disconnect(&mut rig);
    assert_eq!(rig.save_state(VISIT), SaveState::SavedOnTablet);
    clinic.receipts = true;
    clinic.connect(&mut rig);
    assert_eq!(rig.save_state(VISIT), SaveState::SafeAtClinic);
    assert_eq!(clinic.pushes[1].heads, rig.heads(VISIT).into_iter().collect::<Vec<_>>());
    rig.field(VISIT, "better");
    rig.pump();
    assert_ne!(rig.save_state(VISIT), SaveState::SafeAtClinic);
    clinic.talk(&mut rig);
    assert_eq!(rig.save_state(VISIT), SaveState::SafeAtClinic);
}

#[test]
fn a_push_holds_one_persons_changes_and_stands_for_itself() {
    let (mut rig, mut clinic) = (Rig::new(1), Clinic::new());
    for (person, value) in [(ANNA, "one"), (ANNA, "two"), (BEN, "three"), (ANNA, "four")] {
        rig.edit(person, VISIT, vec![set_field("response", value)]);
    }
    rig.edit(BEN, OTHER_VISIT, vec![set_field("response", "other")]);
    rig.pump();
    clinic.connect(&mut rig);
    let of_visit: Vec<_> = clinic.pushes.iter().filter(|push| push.document == VISIT).collect();
    let sizes: Vec<_> = of_visit.iter().map(|push| (push.envelope.person, push.changes.len())).collect();
    assert_eq!(sizes, [(ANNA, 2), (BEN, 1), (ANNA, 1)]);
    for pair in of_visit.windows(2) {
        assert_eq!(pair[1].base_heads, pair[0].heads);
    }
    assert_eq!(clinic.pushes.len(), 4);
    assert_eq!(rig.save_state(OTHER_VISIT), SaveState::SafeAtClinic);
}

#[test]
fn hello_pushes_and_pull_leave_in_one_flight() {
    let (mut rig, mut clinic) = (Rig::new(1), Clinic::new());
    rig.field(VISIT, "good");
    rig.pump();
    clinic.receipts = false;
    clinic.connect(&mut rig);
    assert_eq!(clinic.frames_in, 3, "hello, push, pull");
}

#[test]
fn reconnecting_with_nothing_to_say_sends_one_small_flight() {
    let (mut rig, mut clinic) = (Rig::new(1), Clinic::new());
    for index in 0..50 {
        rig.field(VISIT, &format!("value {index}"));
    }
    clinic.connect(&mut rig);
    clinic.disconnect(&mut rig);
    clinic.connect(&mut rig);
    assert_eq!(clinic.frames_in, 2, "hello and pull");
    assert!(clinic.bytes_in < 400, "{} bytes", clinic.bytes_in);
    assert!(clinic.receipted_at_hello[1].is_some());
}

#[test]
fn a_lost_receipt_only_repeats_the_push() {
    let (mut rig, mut clinic) = (Rig::new(1), Clinic::new());
    rig.field(VISIT, "good");
    clinic.connect(&mut rig);
    assert_eq!(rig.save_state(VISIT), SaveState::SafeAtClinic);
    // The receipt waits for company, and the power goes before it is written.
    let mut rig = rig.restarted(2);
    rig.pump();
    assert_eq!(rig.save_state(VISIT), SaveState::SavedOnTablet);
    clinic.connect(&mut rig);
    assert_eq!(rig.save_state(VISIT), SaveState::SafeAtClinic);
    assert_eq!(hashes(&clinic.pushes[0]), hashes(&clinic.pushes[1]));
    rig.wait(6_000);
    assert_eq!(rig.restarted(3).save_state(VISIT), SaveState::SafeAtClinic);
}

#[test]
fn a_rewound_record_takes_safe_back_and_gets_everything_again() {
    let (mut rig, mut clinic) = (Rig::new(1), Clinic::new());
    rig.field(VISIT, "good");
    rig.edit(BEN, OTHER_VISIT, vec![set_field("response", "other")]);
    clinic.connect(&mut rig);
    let all: Vec<_> = clinic.pushes.iter().flat_map(hashes).collect();
    clinic.verdict(&mut rig, all.clone(), sync_protocol::Outcome::Admitted, sync_protocol::ReasonCode::None);
    clinic.disconnect(&mut rig);
    clinic.pushes.clear();
    clinic.standing = Standing::Rewound;
    clinic.receipts = false;
    clinic.connect(&mut rig);
    assert!(rig.saw(|event| *event == Event::Rewound));
    assert_eq!(rig.save_state(VISIT), SaveState::Sending);
    assert_ne!(rig.restarted(9).save_state(VISIT), SaveState::SafeAtClinic);
    assert_eq!(clinic.pulls.last().unwrap().cursor, None);
    let mut again: Vec<_> = clinic.pushes.iter().flat_map(hashes).collect();
    again.sort();
    let mut all = all;
    all.sort();
    assert_eq!(again, all);
    clinic.disconnect(&mut rig);
    clinic.standing = Standing::Continues;
    clinic.receipts = true;
    clinic.connect(&mut rig);
    assert_eq!(rig.save_state(VISIT), SaveState::SafeAtClinic);
}

#[test]
fn a_busy_door_is_knocked_at_again_later() {
    let (mut rig, mut clinic) = (Rig::new(1), Clinic::new());
    rig.field(VISIT, "good");
    clinic.refuse = Some((RefuseCode::Later, Some(5_000)));
    clinic.connect(&mut rig);
    assert_eq!(rig.save_state(VISIT), SaveState::SavedOnTablet);
    assert_eq!(rig.tablet.status(VISIT).unwrap().notes[0].state, "turned_away");
    rig.wait(4_000);
    clinic.talk(&mut rig);
    assert_eq!(clinic.pushes.len(), 1);
    clinic.refuse = None;
    rig.wait(1_500);
    clinic.talk(&mut rig);
    assert_eq!(clinic.pushes.len(), 2);
    assert_eq!(rig.save_state(VISIT), SaveState::SafeAtClinic);
    assert!(rig.tablet.status(VISIT).unwrap().notes.is_empty());
}

#[test]
fn the_connection_is_tried_again_with_growing_waits() {
    let mut rig = Rig::new(1);
    let mut waits = Vec::new();
    for _ in 0..8 {
        rig.tablet.disconnected(rig.now, &mut rig.dice);
        rig.pump();
        let Some(Event::Offline { retry_at, .. }) = rig.events.pop() else { panic!("no word") };
        waits.push(retry_at.since_ms(rig.now));
        rig.wait(retry_at.since_ms(rig.now));
        assert_eq!(rig.events.pop(), Some(Event::Connect));
    }
    assert!(waits[0] <= 500 && waits[7] >= 30_000 && waits.iter().all(|wait| *wait <= 60_000), "{waits:?}");
}

#[test]
fn a_second_opening_reads_the_same_state() {
    let mut rig = Rig::new(1);
    for index in 0..40 {
        rig.field(VISIT, &format!("value {index}"));
        rig.pump();
    }
    let heads = rig.heads(VISIT);
    let mut again = rig.restarted(2);
    assert_eq!(again.heads(VISIT), heads);
    assert_eq!(again.tablet.documents(), rig.tablet.documents());
    // A kept snapshot gives the same note as the log alone.
    let mut from_snapshot = Rig::on(1, rig.store.clone(), 3);
    assert_eq!(from_snapshot.heads(VISIT), heads);
    assert_eq!(from_snapshot.response(VISIT).as_deref(), Some("value 39"));
}

#[test]
fn an_edit_that_does_not_fit_begins_no_document() {
    let mut rig = Rig::new(1);
    let stop = session_note::Command::StopSegment {
        activity: chart::ids::ActivityId::from_bytes([1; 16]),
        segment: chart::ids::SegmentId::from_bytes([2; 16]),
        end: chart::time::ClockTime::parse("2026-09-21T09:17-05:00").unwrap(),
        elapsed_ms: None,
    };
    assert!(rig.try_edit(ANNA, VISIT, None, vec![stop]).unwrap_err().is_refusal());
    rig.pump();
    assert!(rig.tablet.documents().is_empty());
    assert_eq!(rig.tablet.status(VISIT), None);
    rig.field(VISIT, "good");
    rig.pump();
    assert_eq!(rig.restarted(2).response(VISIT).as_deref(), Some("good"));
}

#[test]
fn an_edit_on_an_older_screen_stands_beside_what_came_since_but_not_beside_ones_own() {
    let mut rig = Rig::new(1);
    rig.field(VISIT, "one");
    let screen = rig.heads(VISIT);
    rig.field(VISIT, "two");
    // The person's own later edit is known to them: the next one follows it.
    rig.try_edit(ANNA, VISIT, Some(screen.clone()), vec![set_field("education", "given")]).unwrap();
    assert_eq!(rig.heads(VISIT).len(), 1);
    rig.edit(BEN, VISIT, vec![set_field("home_program", "printed")]);
    rig.try_edit(ANNA, VISIT, Some(screen), vec![set_field("education", "again")]).unwrap();
    assert_eq!(rig.heads(VISIT).len(), 2);
    rig.pump();
    let heads = rig.heads(VISIT);
    assert_eq!(rig.restarted(2).heads(VISIT), heads);
}
