//! With whom a patient is shared changes: who is out again keeps what was to be theirs, who enters gets what
//! stands, and no line ends over it.

use crate::*;

/// Clinics in a row; the first keeps the patient's file.
fn row(sites: usize) -> Group {
    let pairs: Vec<(usize, usize)> = (1..sites).map(|site| (site - 1, site)).collect();
    Group::new(sites, &pairs)
}

#[track_caller]
fn check_lines(group: &mut Group) {
    for (number, site) in group.sites.iter_mut().enumerate() {
        for other in site.hub.sites(&site.store) {
            assert!(other.connected, "clinic {number} lost {}: {:?}", other.name, other.trouble);
            assert_eq!(other.trouble, None, "clinic {number}");
        }
    }
}

fn writes(tablet: &mut Tablet, group: &mut Group, n: u8) {
    tablet.talks(group, None);
    tablet.does(group, &start(n, "97112", &format!("{n:02}:00")));
}

#[test]
fn a_clinic_that_is_out_again_sends_nothing_more_and_its_line_to_one_that_enters_stays() {
    let mut group = row(3);
    group.share(&[1]);
    group.sites[1].put(Reference::Patient(patient(&[therapist(1)])));
    let mut b = Tablet::enrol(&mut group, 1, 22);
    b.does(&mut group, &open_visit(1));
    group.share(&[2]);
    writes(&mut b, &mut group, 9);
    check_lines(&mut group);
    let [home, out, entered] = &group.heads(VISIT)[..] else { panic!("three clinics") };
    assert_eq!(home, out, "what is still written there goes home");
    assert!(entered.as_ref().is_none_or(|entered| Some(entered) == home.as_ref()), "{entered:?}");
}

#[test]
fn a_clinic_that_enters_gets_what_one_wrote_that_is_out_again() {
    let mut group = row(4);
    group.share(&[1, 2]);
    group.sites[2].put(Reference::Patient(patient(&[therapist(2)])));
    let mut c = Tablet::enrol(&mut group, 2, 23);
    c.does(&mut group, &open_visit(2));
    group.share(&[1]);
    // The one that enters is behind another one, and has never heard that the third one was in.
    group.pair(1, 3);
    group.cut(2, 3);
    group.connect(1, 3);
    group.share(&[1, 3]);
    check_lines_of(&mut group, &[0, 1]);
    let heads = group.heads(VISIT);
    assert!(heads[0].is_some());
    assert_eq!(heads[3], heads[0], "{heads:#?}");
}

#[track_caller]
fn check_lines_of(group: &mut Group, sites: &[usize]) {
    for site in sites {
        let site = &mut group.sites[*site];
        for other in site.hub.sites(&site.store) {
            assert_eq!(other.trouble, None, "to {}", other.name);
        }
    }
}

#[test]
fn who_treats_a_patient_is_known_to_a_clinic_that_enters_later() {
    let mut group = row(3);
    group.share(&[1]);
    group.sites[1].put(Reference::Patient(patient(&[therapist(1)])));
    let mut a = Tablet::enrol(&mut group, 0, 21);
    a.does(&mut group, &open_visit(0));
    group.share(&[1, 2]);
    check_equal(&mut group);
}
