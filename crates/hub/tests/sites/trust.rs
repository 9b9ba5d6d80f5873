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
    let status = group.sites[1].hub.sites().remove(0);
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
    let before = group.sites[1].hub.sites().remove(0).caught_up_at;
    assert_eq!(before, Some(group.now), "what was there before");
    group.now = group.now.plus_ms(60_000);
    group.wire(0, 1);
    let caught_up = |group: &Group| group.sites[1].hub.sites().remove(0).caught_up_at;
    let mut waited = 0;
    while group.step_without_commits() {
        assert_eq!(caught_up(&group), before, "nothing is durable");
        waited += 1;
    }
    assert!(waited > 2, "the page came in {waited} steps");
    group.run();
    assert_eq!(caught_up(&group), Some(group.now));
    check_equal(&mut group);
}
