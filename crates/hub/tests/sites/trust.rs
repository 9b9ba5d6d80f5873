//! What is believed of another clinic's word, what is not, and when this clinic says that it has everything.

use crate::*;

/// Two clinics with a shared patient, a tablet at the first, and its first note at both.
fn with_a_shared_note() -> (Group, Tablet) {
    let mut group = Group::new(2, &[(0, 1)]);
    group.share(&[1]);
    let mut tablet = Tablet::enrol(&mut group, 0, 21);
    tablet.does(&mut group, &open_visit(0));
    (group, tablet)
}

#[test]
fn work_whose_verdict_could_not_be_written_is_asked_for_again() {
    let (mut group, mut a) = with_a_shared_note();
    group.sites[1].unreadable = true;
    a.does(&mut group, &start(1, "97112", "09:00"));
    assert_ne!(group.heads(VISIT)[0], group.heads(VISIT)[1], "it could not be merged");
    group.sites[1].unreadable = false;
    a.does(&mut group, &stop(1, "09:23"));
    let status = group.sites[1].status();
    assert!(!status.connected, "the line is begun anew");
    assert!(status.trouble.is_some(), "somebody is told why");
    group.cut(0, 1);
    group.connect(0, 1);
    check_equal(&mut group);
}

#[test]
fn a_clinic_says_that_it_has_everything_only_when_all_of_it_is_durable() {
    let (mut group, mut a) = with_a_shared_note();
    group.cut(0, 1);
    a.does(&mut group, &start(1, "97112", "09:00"));
    let before = group.sites[1].status().caught_up_at;
    assert_eq!(before, Some(group.now), "what was there before");
    group.now = group.now.plus_ms(60_000);
    group.wire(0, 1);
    let caught_up = |group: &mut Group| group.sites[1].status().caught_up_at;
    let mut waited = 0;
    while group.step_without_commits() {
        assert_eq!(caught_up(&mut group), before, "nothing is durable");
        waited += 1;
    }
    assert!(waited > 2, "the page came in {waited} steps");
    group.run();
    assert_eq!(caught_up(&mut group), Some(group.now));
    check_equal(&mut group);
}

/// The patient's file at the second clinic, with its own therapist.
fn treat_at_both(group: &mut Group) {
    group.sites[1].put(Reference::Patient(patient(&[therapist(1)])));
    group.run();
}

#[test]
fn a_clinic_cannot_make_itself_the_keeper_of_another_clinics_patient() {
    let mut group = Group::new(2, &[(0, 1)]);
    // The second clinic has learned the patient's id somehow, and says that the file is its own.
    group.sites[1].put(Reference::Patient(Patient { name: "Another Name".into(), ..patient(&[]) }));
    let (home, clinics) = (clinic_id(1), [clinic_id(0)].into());
    group.sites[1].put(Reference::Sharing(Sharing::new(PATIENT, home, clinics)));
    group.run();
    let known = &group.sites[0].hub.directory().patients[&PATIENT];
    assert_eq!(known.name, "Fictional Patient");
    assert!(group.sites[0].hub.directory().sharings.is_empty());
    assert!(group.sites[0].status().connected, "the line goes on");
}

#[test]
fn work_in_the_note_of_a_patient_who_was_never_shared_is_not_taken_in() {
    let mut group = Group::new(2, &[(0, 1)]);
    let mut b = Tablet::enrol(&mut group, 1, 22);
    // The same patient's id at a clinic that was never let in.
    group.sites[1].put(Reference::Patient(patient(&[therapist(1)])));
    b.does(&mut group, &open_visit(1));
    let (home, clinics) = (clinic_id(1), [clinic_id(0)].into());
    group.sites[1].put(Reference::Sharing(Sharing::new(PATIENT, home, clinics)));
    group.run();
    assert_eq!(group.heads(VISIT)[0], None);
    let status = group.sites[0].status();
    assert!(status.trouble.unwrap().contains("never shared"));
    assert!(group.copies(0, VISIT).is_empty(), "nothing of it lies in the log");
}

#[test]
fn what_a_clinic_wrote_while_a_patient_was_shared_is_taken_in_afterwards() {
    let (mut group, _) = with_a_shared_note();
    treat_at_both(&mut group);
    let mut b = Tablet::enrol(&mut group, 1, 22);
    b.talks(&mut group, None);
    group.cut(0, 1);
    b.does(&mut group, &start(1, "97112", "09:00"));
    group.share(&[]);
    group.connect(0, 1);
    assert_eq!(group.heads(VISIT)[0], group.heads(VISIT)[1], "the work of both");
}

#[test]
fn an_older_word_that_comes_late_by_another_way_changes_nothing() {
    let mut group = Group::new(3, &[(0, 1), (1, 2), (0, 2)]);
    let renamed = |name: &str| Reference::Person(Person { name: name.into(), ..person(1) });
    let known = |group: &Group| group.sites[0].hub.directory().person(therapist(1)).unwrap().name.clone();
    group.cut(0, 1);
    group.cut(0, 2);
    group.sites[1].put(renamed("Second Name"));
    group.run();
    group.cut(1, 2);
    group.sites[1].put(renamed("Third Name"));
    group.connect(0, 1);
    assert_eq!(known(&group), "Third Name");
    // The clinic that heard nothing since brings what it knows.
    group.connect(0, 2);
    assert_eq!(known(&group), "Third Name");
}

#[test]
fn a_clinic_that_was_put_back_hears_its_own_words_from_others() {
    let (mut group, _) = with_a_shared_note();
    let copy = group.sites[0].store.clone();
    let before = group.sites[0].hub.directory().clone();
    let mut late = Tablet::enrol(&mut group, 0, 23);
    group.sites[0].put(Reference::Person(Person { name: "Later Name".into(), ..person(0) }));
    late.does(&mut group, &start(1, "97112", "09:00"));
    group.run();
    let lost = group.sites[0].hub.directory().clone();
    assert_ne!(lost.devices, before.devices);
    let mut up = BTreeSet::from([(0, 1)]);
    group.restart(0, &mut up, Some(copy));
    assert_eq!(group.sites[0].hub.directory().devices, before.devices, "put back");
    group.connect(0, 1);
    let healed = group.sites[0].hub.directory().clone();
    assert_eq!(healed.devices, lost.devices, "the tablet is enrolled");
    assert_eq!(healed.people[&therapist(0)].name, "Later Name");
    // Twice: what was healed is not told round in circles.
    let resting = group.bytes;
    group.run();
    assert_eq!(group.bytes, resting);
    late.talks(&mut group, None);
    check_equal(&mut group);
}

#[test]
fn a_clinic_that_heard_that_another_was_put_back_does_not_take_up_its_old_place_again() {
    let (mut group, mut a) = with_a_shared_note();
    let copy = group.sites[0].store.clone();
    a.does(&mut group, &start(1, "97112", "09:00"));
    group.restart(0, &mut BTreeSet::new(), Some(copy));
    // The second clinic is told, and the line is cut before anything of the new course is durable.
    group.wire(0, 1);
    for _ in 0..4 {
        group.step_without_commits();
    }
    assert!(group.sites[1].status().connected, "it was let in, and somebody looked how it stands");
    group.cut(0, 1);
    group.wire(0, 1);
    group.step_without_commits();
    let greeting = |frame: &[u8]| match sync_protocol::codec::decode(frame).unwrap() {
        sync_protocol::message::Message::Hello(hello) => Some(hello.cursor),
        _ => None,
    };
    let asked = group.asked();
    let cursor = asked.iter().find(|(wire, _)| wire.reader == 1).and_then(|(_, frame)| greeting(frame));
    assert_eq!(cursor, Some(None), "it reads the feed from its start");
}

#[test]
fn whoever_wrote_in_a_note_of_others_hears_of_it_from_a_clinic_that_was_put_back() {
    let mut group = Group::new(2, &[(0, 1)]);
    group.share(&[1]);
    let mut tablet = Tablet::enrol(&mut group, 1, 22);
    let copy = group.sites[1].store.clone();
    // Somebody at the second clinic begins a note for the therapist of the first.
    let begun = tablet.does(&mut group, &open_visit(0));
    assert!(tablet.told.contains(&begun), "by the clinic that judged it");
    group.restart(1, &mut BTreeSet::new(), Some(copy));
    group.connect(0, 1);
    check_equal(&mut group);
    tablet.talks(&mut group, None);
    assert!(tablet.told.contains(&begun), "and by the same with the verdict that another one kept");
}

#[test]
fn what_one_clinic_has_rejected_makes_no_report_differ() {
    let (mut group, _) = with_a_shared_note();
    treat_at_both(&mut group);
    let mut b = Tablet::enrol(&mut group, 1, 22);
    b.talks(&mut group, None);
    // A tablet that was put back to a copy of itself uses a number twice.
    let copy = b.note.clone();
    b.does(&mut group, &start(1, "97112", "09:00"));
    b.note = copy;
    group.now = group.now.plus_ms(60_000);
    b.does(&mut group, &start(2, "97110", "10:00"));
    let Site { hub, store, .. } = &mut group.sites[1];
    let rows = hub.quarantine(store, 10).unwrap();
    assert_eq!((rows.len(), rows[0].outcome), (1, "rejected"));
    check_equal(&mut group);
}
