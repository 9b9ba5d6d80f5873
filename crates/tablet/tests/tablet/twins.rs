//! What was admitted is rejected after all, because another change of the same name stands in its place.

use sync_protocol::message::{FeedBody, Verdict, VerdictItem};
use sync_protocol::{Outcome, ReasonCode};
use tablet::SaveState;

use crate::world::{ANNA, BEN, Clinic, Rig, VISIT, hashes, set_field};

/// Two tablets that speak under one name, each with a first change, and what the feed says of both.
fn clones() -> (Rig, Clinic, FeedBody, FeedBody) {
    let (mut one, mut other) = (Rig::new(1), Rig::new(2));
    other.dice = one.dice.clone();
    one.edit(ANNA, VISIT, vec![set_field("response", "good")]);
    other.edit(BEN, VISIT, vec![set_field("education", "given")]);
    let (mut clinic, mut elsewhere) = (Clinic::new(), Clinic::new());
    clinic.connect(&mut one);
    elsewhere.connect(&mut other);
    let (own, twin) = (clinic.feed().remove(0), elsewhere.feed().remove(0));
    let actor = |clinic: &Clinic| {
        let change = &clinic.pushes[0].changes[0];
        let sketch = session_note::admit::prescan(change, &session_note::admit::Limits::V1).unwrap();
        (sketch.actor, sketch.seq)
    };
    assert_eq!(actor(&clinic), actor(&elsewhere), "one place");
    assert_ne!(hashes(&clinic.pushes[0]), hashes(&elsewhere.pushes[0]));
    (one, clinic, own, twin)
}

fn overruled(body: &FeedBody) -> FeedBody {
    let FeedBody::Changes(changes) = body else { panic!("changes") };
    let hashes = changes.changes.iter().map(|change| crate::world::hash_of(change)).collect();
    let (outcome, reason) = (Outcome::Rejected, ReasonCode::Equivocation);
    let item = VerdictItem { hashes, outcome, reason, sentence: "another one stands there".to_owned() };
    FeedBody::Verdict(Verdict { document: VISIT, items: vec![item], seq: 9 })
}

#[test]
fn whoever_wrote_it_makes_it_again_beside_what_stands_in_its_place() {
    let (mut rig, mut clinic, own, twin) = clones();
    let first = hashes(&clinic.pushes[0]);
    clinic.verdict(&mut rig, first.clone(), Outcome::Admitted, ReasonCode::None);
    clinic.page(&mut rig, vec![overruled(&own), twin]);
    rig.wait(1_000);
    clinic.talk(&mut rig);
    assert_eq!(clinic.pushes.len(), 2);
    assert_eq!(clinic.pushes[1].replaces, first);
    for rig in [&mut rig.restarted(2), &mut rig] {
        let view = rig.tablet.note(&rig.store, VISIT).unwrap();
        let fields = view.visit.unwrap().fields;
        assert_eq!((fields["response"].as_str(), fields["education"].as_str()), ("good", "given"));
        assert_eq!(view.history.len(), 2, "each once");
        assert!(view.status.notes.is_empty(), "{:?}", view.status.notes);
    }
    assert_eq!(rig.save_state(VISIT), SaveState::SafeAtClinic);
}

#[test]
fn what_stands_in_its_place_may_come_before_the_word_that_it_goes() {
    let (mut rig, mut clinic, own, twin) = clones();
    clinic.page(&mut rig, vec![twin.clone()]);
    clinic.page(&mut rig, vec![overruled(&own)]);
    rig.wait(1_000);
    clinic.talk(&mut rig);
    for rig in [&mut rig.restarted(2), &mut rig] {
        let view = rig.tablet.note(&rig.store, VISIT).unwrap();
        let fields = view.visit.unwrap().fields;
        assert_eq!((fields["response"].as_str(), fields["education"].as_str()), ("good", "given"));
        assert!(view.status.notes.is_empty(), "{:?}", view.status.notes);
    }
}

#[test]
fn whoever_was_sent_it_shows_what_stands_in_its_place_after_a_crash_at_any_commit() {
    let (_, _, own, twin) = clones();
    let (mut rig, mut clinic) = (Rig::new(3), Clinic::new());
    clinic.connect(&mut rig);
    clinic.page(&mut rig, vec![own.clone()]);
    assert_eq!(rig.response(VISIT).as_deref(), Some("good"));
    let behind = rig.store.clone();
    rig.disks.clear();
    clinic.page(&mut rig, vec![overruled(&own), twin.clone()]);
    let mut disks = vec![behind, rig.store.clone()];
    disks.append(&mut rig.disks);
    assert!(disks.len() > 3);
    for (number, disk) in disks.into_iter().enumerate() {
        let mut survivor = Rig::on(3, disk, 70);
        survivor.now = rig.now;
        survivor.pump();
        let mut again = Clinic::new();
        again.connect(&mut survivor);
        again.page(&mut survivor, vec![overruled(&own), twin.clone()]);
        let view = survivor.tablet.note(&survivor.store, VISIT).unwrap();
        let fields = view.visit.unwrap().fields;
        assert_eq!(fields.get("response"), None, "disk {number}");
        assert_eq!(fields["education"].as_str(), "given", "disk {number}");
        assert!(view.status.notes.is_empty(), "disk {number}: {:?}", view.status.notes);
        let whole = survivor.tablet.documents().iter().all(|summary| !summary.cannot_be_shown);
        assert!(whole, "disk {number}");
    }
}
