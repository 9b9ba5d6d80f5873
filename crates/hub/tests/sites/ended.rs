//! What becomes of notes and lines when a patient is not shared with a clinic any more.

use crate::*;

#[test]
fn a_clinic_that_was_away_when_a_sharing_ended_goes_on_reading() {
    for tablet_at in [0, 1] {
        let mut group = Group::new(3, &[(0, 1), (0, 2)]);
        group.share(&[1, 2]);
        group.sites[1].put(Reference::Patient(patient(&[therapist(1)])));
        group.run();
        let mut tablet = Tablet::enrol(&mut group, tablet_at, 21);
        group.cut(0, 2);
        for json in [open_visit(tablet_at), start(1, "97112", "09:00"), stop(1, "09:23")] {
            tablet.does(&mut group, &json);
        }
        group.share(&[1]);
        group.connect(0, 2);
        assert_eq!(group.heads(VISIT)[2], None, "nothing of the note is given to it any more");
        let late = Person { id: therapist(9), ..person(0) };
        group.sites[0].put(Reference::Person(late));
        group.run();
        assert!(group.sites[2].hub.directory().person(therapist(9)).is_some(), "the line goes on");
        digests::pass(&mut group, 120_000);
        for site in [0, 2] {
            assert_eq!(group.sites[site].hub.metrics().digests_different, 0, "clinic {site}");
        }
    }
}

#[test]
fn what_is_still_written_of_a_note_that_was_shared_reaches_the_clinic_that_keeps_the_file() {
    let mut group = Group::new(2, &[(0, 1)]);
    group.share(&[1]);
    group.sites[1].put(Reference::Patient(patient(&[therapist(1)])));
    group.run();
    let mut tablet = Tablet::enrol(&mut group, 1, 21);
    tablet.does(&mut group, &open_visit(1));
    group.cut(0, 1);
    group.share(&[]);
    tablet.does(&mut group, &start(1, "97112", "09:00"));
    group.connect(0, 1);
    let heads = group.heads(VISIT);
    assert_eq!(heads[0], heads[1], "what was written before it heard of the end");
    tablet.does(&mut group, &stop(1, "09:23"));
    let heads = group.heads(VISIT);
    assert_eq!(heads[0], heads[1], "and what is written after it has");
    digests::pass(&mut group, 120_000);
    for site in [0, 1] {
        let status = group.sites[site].status();
        assert_eq!((status.behind, status.differing), (Some(0), 0), "clinic {site}");
        assert!(status.same_at.is_some());
        assert_eq!(group.sites[site].hub.metrics().digests_different, 0, "clinic {site}");
    }
}
