//! What the clinic says later: held, rejected, and work made again once.

use sync_protocol::{Outcome, ReasonCode, RefuseCode};
use tablet::{Event, SaveState};

use crate::world::{ANNA, BEN, Clinic, Rig, VISIT, hashes, set_field, sign};

fn states(rig: &Rig) -> Vec<&'static str> {
    rig.tablet.status(VISIT).unwrap().notes.iter().map(|note| note.state).collect()
}

#[test]
fn held_work_waits_and_says_why() {
    let (mut rig, mut clinic) = (Rig::new(1), Clinic::new());
    rig.field(VISIT, "good");
    clinic.connect(&mut rig);
    let work = hashes(&clinic.pushes[0]);
    clinic.verdict(&mut rig, work.clone(), Outcome::Held, ReasonCode::CaseloadMoved);
    let status = rig.tablet.status(VISIT).unwrap();
    assert_eq!(status.save, SaveState::SafeAtClinic);
    assert_eq!(status.notes[0].state, "held");
    assert!(status.notes[0].sentence.contains("CaseloadMoved"), "{}", status.notes[0].sentence);
    assert_eq!(rig.response(VISIT).as_deref(), Some("good"));
    rig = rig.restarted(2);
    assert_eq!(states(&rig), ["held"]);
    clinic.connect(&mut rig);
    clinic.verdict(&mut rig, work, Outcome::Admitted, ReasonCode::Released);
    assert_eq!(states(&rig), Vec::<&str>::new());
    assert_eq!(clinic.pushes.len(), 1, "held work is not pushed again");
}

#[test]
fn rejected_work_is_made_again_once_with_its_author_time_and_ids() {
    let (mut rig, mut clinic) = (Rig::new(1), Clinic::new());
    rig.edit(BEN, VISIT, vec![set_field("education", "given")]);
    clinic.connect(&mut rig);
    let written_at = rig.now;
    rig.edit(ANNA, VISIT, vec![set_field("response", "good")]);
    clinic.talk(&mut rig);
    rig.wait(10_000);
    let first = hashes(&clinic.pushes[1]);
    clinic.verdict(&mut rig, first.clone(), Outcome::Rejected, ReasonCode::Structure);
    rig.wait(1);
    clinic.talk(&mut rig);
    assert!(rig.saw(|event| matches!(event, Event::Rejected { .. })));
    assert_eq!(clinic.pushes.len(), 3);
    let replay = &clinic.pushes[2];
    assert_eq!(replay.replaces, first);
    assert_eq!(replay.base_heads, clinic.pushes[0].heads);
    assert_eq!(replay.envelope.person, ANNA);
    let history = rig.tablet.note(&rig.store, VISIT).unwrap().history;
    assert_eq!(history.len(), 2, "the rejected change is not in the note");
    let made_again = history.iter().find(|entry| entry.by.person == ANNA).unwrap();
    assert_eq!(made_again.by.at, written_at);
    assert_eq!(rig.response(VISIT).as_deref(), Some("good"));
    assert_eq!(states(&rig), Vec::<&str>::new());
    assert_eq!(rig.save_state(VISIT), SaveState::SafeAtClinic);
    // A second rejection goes to a person.
    let second = hashes(replay);
    assert_ne!(second, first);
    clinic.verdict(&mut rig, second, Outcome::Rejected, ReasonCode::Structure);
    rig.wait(1_000);
    clinic.talk(&mut rig);
    assert_eq!(clinic.pushes.len(), 3);
    assert_eq!(states(&rig), ["needs_supervisor"]);
    assert!(rig.saw(|event| matches!(event, Event::NeedsSupervisor { .. })));
    assert_eq!(states(&rig.restarted(3)), ["needs_supervisor"]);
}

#[test]
fn what_builds_on_rejected_work_is_made_again_with_it() {
    let (mut rig, mut clinic) = (Rig::new(1), Clinic::new());
    for value in ["one", "two", "three"] {
        rig.field(VISIT, value);
    }
    clinic.connect(&mut rig);
    let all = hashes(&clinic.pushes[0]);
    clinic.verdict(&mut rig, vec![all[0]], Outcome::Rejected, ReasonCode::Equivocation);
    rig.wait(1);
    clinic.talk(&mut rig);
    let replays: Vec<_> = clinic.pushes[1..].iter().flat_map(|push| push.replaces.clone()).collect();
    assert_eq!(replays, all);
    assert_eq!(rig.response(VISIT).as_deref(), Some("three"));
    // The server's own word on the descendants comes late and changes nothing.
    clinic.verdict(&mut rig, all[1..].to_vec(), Outcome::Rejected, ReasonCode::DependsOn);
    rig.wait(1);
    clinic.talk(&mut rig);
    assert_eq!(clinic.pushes[1..].iter().map(|push| push.changes.len()).sum::<usize>(), 3);
    assert_eq!(rig.restarted(2).response(VISIT).as_deref(), Some("three"));
}

#[test]
fn a_crash_at_every_commit_of_a_replay_makes_it_once() {
    let (mut rig, mut clinic) = (Rig::new(1), Clinic::new());
    for value in ["one", "two", "three"] {
        rig.field(VISIT, value);
    }
    clinic.connect(&mut rig);
    let all = hashes(&clinic.pushes[0]);
    rig.disks.clear();
    clinic.verdict(&mut rig, vec![all[1]], Outcome::Rejected, ReasonCode::Equivocation);
    rig.wait(1);
    rig.disks.push(rig.store.clone());
    assert!(rig.disks.len() >= 3);
    for (index, disk) in rig.disks.iter().enumerate() {
        let mut survivor = Rig::on(1, disk.clone(), 70);
        survivor.now = rig.now;
        survivor.pump();
        survivor.wait(1);
        assert_eq!(survivor.response(VISIT).as_deref(), Some("three"), "disk {index}");
        let history = survivor.tablet.note(&survivor.store, VISIT).unwrap().history;
        assert_eq!(history.len(), 3, "disk {index}");
    }
}

#[test]
fn work_that_waits_for_a_supervisor_is_offered_again_to_a_record_that_has_lost_it() {
    let (mut rig, mut clinic) = (Rig::new(1), Clinic::new());
    rig.field(VISIT, "good");
    clinic.connect(&mut rig);
    for push in 0..2 {
        let made = hashes(&clinic.pushes[push]);
        clinic.verdict(&mut rig, made, Outcome::Rejected, ReasonCode::Declined);
        rig.wait(1_000);
        clinic.talk(&mut rig);
    }
    assert_eq!(states(&rig), ["needs_supervisor"]);
    clinic.disconnect(&mut rig);
    clinic.standing = sync_protocol::Standing::Rewound;
    clinic.receipts = false;
    clinic.connect(&mut rig);
    let again = clinic.pushes.last().unwrap().clone();
    assert_eq!((clinic.pushes.len(), hashes(&again)), (3, hashes(&clinic.pushes[1])));
    assert_eq!(again.replaces, hashes(&clinic.pushes[0]));
    assert_ne!(rig.save_state(VISIT), SaveState::SafeAtClinic, "nobody has it yet");
    clinic.verdict(&mut rig, hashes(&again), Outcome::Rejected, ReasonCode::Declined);
    assert_eq!(states(&rig), ["needs_supervisor"], "decided anew");
    assert_eq!(states(&rig.restarted(2)), ["needs_supervisor"]);
}

#[test]
fn a_signature_is_not_given_again_for_anybody() {
    let (mut rig, mut clinic) = (Rig::new(1), Clinic::new());
    rig.field(VISIT, "good");
    rig.edit(ANNA, VISIT, vec![sign()]);
    clinic.connect(&mut rig);
    let all = hashes(&clinic.pushes[0]);
    clinic.verdict(&mut rig, vec![all[0]], Outcome::Rejected, ReasonCode::Equivocation);
    rig.wait(1);
    clinic.talk(&mut rig);
    assert!(rig.saw(|event| matches!(event, Event::SignAgain { person, .. } if *person == ANNA)));
    assert_eq!(states(&rig), ["sign_again"]);
    let visit = rig.tablet.note(&rig.store, VISIT).unwrap().visit.unwrap();
    assert!(visit.signatures.is_empty());
    assert_eq!(visit.fields["response"], "good");
    assert_eq!(states(&rig.restarted(2)), ["sign_again"]);
}

#[test]
fn a_change_refused_at_the_door_is_made_again_under_a_new_actor() {
    let (mut rig, mut clinic) = (Rig::new(1), Clinic::new());
    rig.field(VISIT, "good");
    clinic.refuse = Some((RefuseCode::NewActor, None));
    clinic.connect(&mut rig);
    clinic.refuse = None;
    rig.wait(1);
    clinic.talk(&mut rig);
    assert_eq!(clinic.pushes.len(), 2);
    let actor = |index: usize| {
        let change = &clinic.pushes[index].changes[0];
        session_note::admit::prescan(change, &session_note::admit::Limits::V1).unwrap().actor
    };
    assert_ne!(actor(0), actor(1));
    assert_eq!(clinic.pushes[1].replaces, hashes(&clinic.pushes[0]));
    assert_eq!(rig.save_state(VISIT), SaveState::SafeAtClinic);
}

#[test]
fn an_actor_is_never_used_after_a_restart() {
    let (mut rig, mut clinic) = (Rig::new(1), Clinic::new());
    rig.field(VISIT, "one");
    rig.pump();
    let mut rig = rig.restarted(2);
    rig.field(VISIT, "two");
    clinic.connect(&mut rig);
    let actors: std::collections::BTreeSet<_> = clinic
        .pushes
        .iter()
        .flat_map(|push| &push.changes)
        .map(|change| session_note::admit::prescan(change, &session_note::admit::Limits::V1).unwrap().actor)
        .collect();
    assert_eq!(actors.len(), 2);
}

#[test]
fn what_is_being_typed_upon_rejected_work_lands_in_what_is_made_again() {
    let (mut rig, mut clinic) = (Rig::new(1), Clinic::new());
    rig.field(VISIT, "good");
    clinic.connect(&mut rig);
    rig.key(VISIT, 0, 0, "one ");
    rig.wait(3_000);
    clinic.talk(&mut rig);
    let first = hashes(&clinic.pushes[1]);
    rig.type_text(VISIT, 4, "two");
    clinic.verdict(&mut rig, first, Outcome::Rejected, ReasonCode::Equivocation);
    rig.wait(1);
    clinic.talk(&mut rig);
    rig.wait(3_000);
    clinic.talk(&mut rig);
    assert!(!rig.saw(|event| matches!(event, Event::DraftStuck { .. })));
    assert_eq!(rig.text(VISIT), "one two");
    assert_eq!(rig.tablet.note(&rig.store, VISIT).unwrap().drafts.len(), 0);
    assert_eq!(rig.restarted(2).text(VISIT), "one two");
    assert_eq!(rig.save_state(VISIT), SaveState::SafeAtClinic);
}
