//! Clinics that prove to each other that they hold the same, and what becomes of a difference.

use sync_protocol::message::Message;

use crate::*;

/// Lets time pass, with both sides of every line showing that they are there.
pub(crate) fn pass(group: &mut Group, ms: i64) {
    let until = group.now.plus_ms(ms);
    while group.now < until {
        group.now = group.now.plus_ms(20_000);
        for wire in group.wires.clone() {
            group.sites[wire.server].hub.heard(group.now, wire.connection);
        }
        for site in &mut group.sites {
            site.hub.handle_timeout(group.now, &mut site.entropy, &site.store);
        }
        group.run();
    }
}

/// Two clinics that share a patient, and a tablet at the first.
fn pair() -> (Group, Tablet) {
    let mut group = Group::new(2, &[(0, 1)]);
    group.share(&[1]);
    let tablet = Tablet::enrol(&mut group, 0, 21);
    (group, tablet)
}

/// Takes all changes of the visit out of the pages that pass.
fn without_the_visit(message: Message) -> Message {
    match message {
        Message::Page(mut page) => {
            page.entries.retain(
                |entry| !matches!(&entry.body, FeedBody::Changes(changes) if changes.document == VISIT),
            );
            Message::Page(page)
        }
        other => other,
    }
}

#[test]
fn clinics_that_hold_the_same_prove_it_in_one_round_trip_of_less_than_a_kilobyte() {
    let (mut group, mut tablet) = pair();
    for json in [open_visit(0), start(1, "97112", "09:00"), stop(1, "09:23")] {
        tablet.does(&mut group, &json);
    }
    pass(&mut group, 120_000);
    let proved = group.sites[0].status().same_at;
    assert!(proved.is_some() && group.sites[1].status().same_at.is_some());
    let (before, equal) = (group.bytes, group.sites[0].hub.metrics().digests_equal);
    pass(&mut group, 16 * 60_000);
    assert!(group.sites[0].status().same_at > proved, "and again after a quarter of an hour");
    assert_eq!(group.sites[0].hub.metrics().digests_equal, equal + 1);
    let bytes = group.bytes - before;
    assert!(bytes < 1_000, "both directions together: {bytes} bytes");
    assert_eq!(group.sites[0].hub.metrics().digests_different, 0);
}

#[test]
fn a_clinic_that_was_away_is_behind_by_the_notes_it_has_not_taken_and_does_not_differ() {
    let (mut group, mut tablet) = pair();
    tablet.does(&mut group, &open_visit(0));
    pass(&mut group, 120_000);
    assert_eq!(group.sites[0].status().behind, Some(0));
    group.cut(0, 1);
    for json in [start(1, "97112", "09:00"), stop(1, "09:23")] {
        tablet.does(&mut group, &json);
    }
    assert_eq!(group.sites[0].status().behind, Some(1), "one note, however many changes");
    assert_eq!(group.sites[1].status().behind, Some(0), "it has nothing the other lacks");
    let Site { hub, store, .. } = &mut group.sites[0];
    *hub = Hub::open(config(0), store).unwrap();
    assert_eq!(group.sites[0].status().behind, Some(1), "a server that was started again knows it too");
    group.connect(0, 1);
    pass(&mut group, 120_000);
    for site in 0..2 {
        let status = group.sites[site].status();
        assert_eq!((status.behind, status.coming, status.differing), (Some(0), Some(0), 0));
        assert_eq!(group.sites[site].hub.metrics().digests_different, 0);
    }
}

#[test]
fn what_comes_between_a_question_and_its_answer_is_no_difference() {
    let (mut group, _) = pair();
    group.sites[1].put(Reference::Patient(patient(&[therapist(1)])));
    let mut tablet = Tablet::enrol(&mut group, 1, 22);
    tablet.does(&mut group, &open_visit(1));
    pass(&mut group, 120_000);
    let before = group.sites[0].status().same_at;
    assert!(before.is_some());
    group.now = group.now.plus_ms(60_000);
    let now = group.now;
    group.sites.iter_mut().for_each(|site| site.hub.compare_now(now));
    // Both ask; the second clinic answers, writes more, and all of it comes to the first at once.
    group.waits = Some(0);
    group.run();
    tablet.does(&mut group, &start(1, "97112", "09:00"));
    assert!(group.waiting.len() >= 3, "a question, an answer and a page");
    group.hand_over_what_waits();
    group.sites[0].write();
    group.run();
    assert_eq!(group.heads(VISIT)[0], group.heads(VISIT)[1], "it has what came");
    let told = group.sites[0].hub.metrics();
    assert_eq!((told.digests_different, told.notes_fetched_again), (0, 0));
    assert_eq!(group.sites[0].status().same_at, before, "nothing is said of what was not compared");
    pass(&mut group, 80_000);
    assert!(group.sites[0].status().same_at > before, "it asks again");
    assert_eq!(group.sites[0].hub.metrics().digests_different, 0);
}

#[test]
fn a_change_that_was_passed_over_is_found_fetched_and_said() {
    for lost in ["the whole note", "its last changes"] {
        let (mut group, mut tablet) = pair();
        if lost == "its last changes" {
            tablet.does(&mut group, &open_visit(0));
            pass(&mut group, 120_000);
        }
        group.hands = Some(without_the_visit);
        let json = if lost == "the whole note" { open_visit(0) } else { start(1, "97112", "09:00") };
        tablet.does(&mut group, &json);
        group.hands = None;
        let heads = group.heads(VISIT);
        assert_ne!(heads[0], heads[1], "{lost} never came, and the cursor moved on");
        pass(&mut group, 60_000);
        let told = group.sites[1].hub.metrics();
        assert_eq!((told.digests_different, told.notes_fetched_again), (1, 1), "{lost}");
        assert_eq!(group.sites[1].status().differing, 1, "it is said");
        check_equal(&mut group);
        pass(&mut group, 80_000);
        let status = group.sites[1].status();
        assert_eq!(status.differing, 0, "and said no more");
        assert!(status.same_at.is_some());
    }
}

#[test]
fn a_clinic_that_was_put_back_is_behind_by_its_own_work_and_does_not_differ() {
    let (mut group, mut tablet) = pair();
    tablet.does(&mut group, &open_visit(0));
    pass(&mut group, 120_000);
    let copy = group.sites[0].store.clone();
    tablet.does(&mut group, &start(1, "97112", "09:00"));
    group.restart(0, &mut BTreeSet::new(), Some(copy));
    group.connect(0, 1);
    check_equal(&mut group);
    pass(&mut group, 120_000);
    for site in &mut group.sites {
        assert_eq!(site.hub.metrics().digests_different, 0);
        assert!(site.status().same_at.is_some());
    }
}
