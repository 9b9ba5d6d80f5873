//! One actor at two clinics that do not hear of each other: each admits what it gets, and both must end with the
//! same note.

use crate::*;

/// Two clinics with a shared note, a tablet at each, and at each a clone: another one that speaks under the same
/// name.
fn torn(n: u8) -> (Group, [Tablet; 2], [Tablet; 2]) {
    let mut group = Group::new(2, &[(0, 1)]);
    group.share(&[1]);
    group.sites[1].put(Reference::Patient(patient(&[therapist(1)])));
    let mut own = [0, 1].map(|site| Tablet::enrol(&mut group, site, 21 + site as u8));
    let mut clones = [0, 1].map(|site| Tablet::enrol(&mut group, site, n + site as u8));
    clones[1].author.actor = clones[0].author.actor;
    own[0].does(&mut group, &open_visit(0));
    own.iter_mut().chain(&mut clones).for_each(|tablet| tablet.talks(&mut group, None));
    group.cut(0, 1);
    (group, own, clones)
}

fn text(words: &str) -> String {
    format!(r#"{{"command":"splice_text","field":"subjective","position":0,"insert":"{words}"}}"#)
}

/// The numbers of changes in the quarantine of a clinic, by the reason.
fn quarantine(site: &mut Site) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    for row in site.hub.quarantine(&site.store, 50).unwrap() {
        assert!(row.open && row.outcome == "rejected", "{row:?}");
        *found.entry(row.reason).or_insert(0) += row.hashes.len();
    }
    found
}

fn check_shown(group: &mut Group) {
    for Site { hub, store, .. } in &mut group.sites {
        assert!(!hub.note(store, VISIT).unwrap().unwrap().cannot_be_shown);
    }
}

/// Nobody takes another clinic for one that holds something else.
fn check_proved(group: &mut Group) {
    digests::pass(group, 240_000);
    for site in &mut group.sites {
        for status in site.hub.sites(&site.store) {
            assert_eq!((status.behind, status.differing, status.trouble), (Some(0), 0, None));
            assert!(status.same_at.is_some());
        }
        assert_eq!(site.hub.metrics().digests_different, 0);
    }
}

#[test]
fn of_two_changes_under_one_number_the_smaller_stays_at_both_clinics_and_nothing_is_lost() {
    let mut lost_at = BTreeSet::new();
    for n in (30..70).step_by(2) {
        let (mut group, mut own, mut clones) = torn(n);
        let mut first = Vec::new();
        for site in [0, 1] {
            first.push(clones[site].does(&mut group, &text("first")));
            own[site].talks(&mut group, None);
            let on_top = own[site].does(&mut group, &start(site as u8 + 1, "97112", "09:00"));
            clones[site].talks(&mut group, None);
            clones[site].does(&mut group, &text("second"));
            assert!(own[site].known.contains_key(&on_top));
        }
        group.connect(0, 1);
        check_equal(&mut group);
        check_shown(&mut group);
        let lost = usize::from(first[0] < first[1]);
        lost_at.insert(lost);
        for site in [0, 1] {
            let expected = [("Equivocation".to_owned(), 1), ("DependsOn".to_owned(), 2)].into();
            assert_eq!(quarantine(&mut group.sites[site]), expected, "its bytes are kept, with the reason");
        }
        // Whoever wrote it hears so, and whoever was sent it.
        for tablet in own.iter_mut().chain(&mut clones) {
            tablet.talks(&mut group, None);
            assert!(tablet.site != lost || tablet.rejected.contains(&first[lost]));
            assert!(!tablet.rejected.contains(&first[1 - lost]));
            assert_eq!(tablet.misfits, 0, "it hears of what goes before it is sent what stays");
            assert_eq!(Some(tablet.note.heads()), group.heads(VISIT)[0], "all tablets show the same");
        }
        // Work goes on, the lost work too, under another name.
        for site in [0, 1] {
            clones[site].does(&mut group, &text("again"));
            own[site].talks(&mut group, None);
            own[site].does(&mut group, &start(site as u8 + 3, "97110", "10:00"));
        }
        check_equal(&mut group);
        check_proved(&mut group);
    }
    assert_eq!(lost_at, [0, 1].into(), "each clinic's was the smaller once");
}

#[test]
fn a_note_that_was_begun_twice_under_one_name_is_one_note_afterwards() {
    let mut group = Group::new(2, &[(0, 1)]);
    group.share(&[1]);
    group.sites[1].put(Reference::Patient(patient(&[therapist(1)])));
    let mut tablets = [0, 1].map(|site| Tablet::enrol(&mut group, site, 21 + site as u8));
    tablets[1].author.actor = tablets[0].author.actor;
    group.cut(0, 1);
    for tablet in &mut tablets {
        let site = tablet.site;
        tablet.does(&mut group, &open_visit(site));
        tablet.does(&mut group, &start(site as u8 + 1, "97112", "09:00"));
    }
    group.connect(0, 1);
    check_equal(&mut group);
    check_shown(&mut group);
    let total = |site: &mut Site| quarantine(site).values().sum::<usize>();
    assert_eq!(group.sites.iter_mut().map(total).collect::<Vec<_>>(), [2, 2]);
    check_proved(&mut group);
}

#[test]
fn a_clinic_that_enters_the_sharing_later_is_started_again_or_put_back_decides_the_same() {
    for n in [30, 32, 34, 36] {
        let mut group = Group::new(3, &[(0, 1), (1, 2)]);
        // With room for keys, so that notes are kept.
        for (number, site) in group.sites.iter_mut().enumerate() {
            let roomy = HubConfig { documents_resident_max: 8, ..config(number) };
            site.hub = Hub::open(roomy, &site.store).unwrap();
        }
        for (one, other) in [(0, 1), (1, 2)] {
            group.cut(one, other);
            group.connect(one, other);
        }
        group.share(&[1]);
        group.sites[1].put(Reference::Patient(patient(&[therapist(1)])));
        let mut clones = [0, 1].map(|site| Tablet::enrol(&mut group, site, n + site as u8));
        clones[1].author.actor = clones[0].author.actor;
        let mut own = Tablet::enrol(&mut group, 0, 21);
        own.does(&mut group, &open_visit(0));
        clones.iter_mut().for_each(|tablet| tablet.talks(&mut group, None));
        group.cut(0, 1);
        for _ in 0..12 {
            clones.iter_mut().for_each(|tablet| _ = tablet.does(&mut group, &text("words")));
        }
        let apart = [0, 1].map(|site| group.sites[site].store.clone());
        // What was kept of the note is from before.
        group.sites.iter_mut().for_each(|site| site.forgets = true);
        group.connect(0, 1);
        assert_eq!(group.heads(VISIT)[0], group.heads(VISIT)[1]);
        group.share(&[1, 2]);
        check_equal(&mut group);
        let copies = apart.into_iter().enumerate().map(|(site, copy)| (site, Some(copy)));
        for (site, copy) in [(0, None), (1, None)].into_iter().chain(copies) {
            group.restart(site, &mut BTreeSet::new(), copy);
            for (one, other) in [(0, 1), (1, 2), (0, 1), (1, 2)] {
                group.cut(one, other);
                group.connect(one, other);
            }
            check_equal(&mut group);
            check_shown(&mut group);
        }
        own.talks(&mut group, None);
        own.does(&mut group, &start(1, "97112", "09:00"));
        check_equal(&mut group);
        check_proved(&mut group);
    }
}

#[test]
fn a_clinic_that_was_out_when_it_came_out_hears_of_it_when_it_enters_again() {
    let mut lost_at = BTreeSet::new();
    for n in (30..50).step_by(2) {
        let mut group = Group::new(3, &[(0, 1), (0, 2)]);
        group.share(&[1, 2]);
        group.sites[1].put(Reference::Patient(patient(&[therapist(1)])));
        let mut clones = [0, 1].map(|site| Tablet::enrol(&mut group, site, n + site as u8));
        clones[1].author.actor = clones[0].author.actor;
        Tablet::enrol(&mut group, 0, 21).does(&mut group, &open_visit(0));
        clones.iter_mut().for_each(|tablet| tablet.talks(&mut group, None));
        group.cut(0, 1);
        let first: Vec<_> = clones.iter_mut().map(|tablet| tablet.does(&mut group, &text("first"))).collect();
        lost_at.insert(first[0] < first[1]);
        group.share(&[1]);
        group.connect(0, 1);
        group.share(&[1, 2]);
        check_equal(&mut group);
        check_proved(&mut group);
    }
    assert_eq!(lost_at.len(), 2);
}

#[test]
fn what_a_third_clinic_builds_meanwhile_on_what_goes_goes_with_it_everywhere() {
    let mut lost_at = BTreeSet::new();
    for n in (30..50).step_by(2) {
        let mut group = Group::new(3, &[(0, 1), (1, 2)]);
        group.share(&[1, 2]);
        for site in [1, 2] {
            group.sites[site].put(Reference::Patient(patient(&[therapist(site)])));
        }
        let mut clones = [0, 1].map(|site| Tablet::enrol(&mut group, site, n + site as u8));
        clones[1].author.actor = clones[0].author.actor;
        let mut third = Tablet::enrol(&mut group, 2, 23);
        Tablet::enrol(&mut group, 0, 21).does(&mut group, &open_visit(0));
        clones.iter_mut().for_each(|tablet| tablet.talks(&mut group, None));
        group.cut(0, 1);
        let first: Vec<_> = clones.iter_mut().map(|tablet| tablet.does(&mut group, &text("first"))).collect();
        group.cut(1, 2);
        third.talks(&mut group, None);
        let built = third.does(&mut group, &text("third"));
        group.connect(0, 1);
        group.connect(1, 2);
        check_equal(&mut group);
        check_shown(&mut group);
        check_proved(&mut group);
        third.talks(&mut group, None);
        assert_eq!(third.rejected.contains(&built), first[0] < first[1], "its author hears of it");
        lost_at.insert(first[0] < first[1]);
    }
    assert_eq!(lost_at.len(), 2);
}
