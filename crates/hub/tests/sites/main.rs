//! Clinics that follow each other, told as sentences: the real hubs, the protocol's own machines at both
//! ends of every line, the reference store. Nothing here opens a socket or a file.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::collections::{BTreeMap, BTreeSet};

use chart::entropy::Entropy;
use chart::ids::{
    ActivityId, ActorId, ChangeHash, ClinicId, CommandId, DocumentId, EpochId, PatientId, PersonId, PushId,
    SegmentId,
};
use chart::patient_file::PatientFile;
use chart::reference::{ClinicSettings, Patient, Person, Reference, Role, Sharing};
use chart::time::Timestamp;
use ed25519_dalek::{Signer, SigningKey};
use hub::{ConnectionId, Hub, HubConfig, SiteStatus};
use session_note::admission::Submitted;
use session_note::admit::{Candidate, Limits, Outcome as GateOutcome};
use session_note::schema::Kind;
use session_note::{Author, Issued, NoteDocument};
use store::{MemoryStore, Store};
use sync_protocol::message::{DocumentPush, Envelope, FeedBody, ScopeName};
use sync_protocol::{DocumentKind, Outcome, Priority, RefuseCode, TabletConfig, TabletEvent, TabletSession};

mod digests;
mod ended;
mod group;
mod sharing;
mod tablet;
mod trust;
mod twins;
mod weather;

use group::*;
use tablet::*;

#[test]
fn an_idle_line_stays_open_while_the_other_side_shows_that_it_is_there_and_ends_when_it_does_not() {
    let mut group = Group::new(2, &[(0, 1)]);
    let connected = |group: &mut Group| group.sites.iter_mut().all(|site| site.status().connected);
    assert!(connected(&mut group));
    let pass = |group: &mut Group, pings: bool| {
        for _ in 0..15 {
            group.now = group.now.plus_ms(20_000);
            for wire in group.wires.clone().into_iter().filter(|_| pings) {
                group.sites[wire.server].hub.heard(group.now, wire.connection);
            }
            for site in &mut group.sites {
                site.hub.handle_timeout(group.now, &mut site.entropy, &site.store);
            }
            group.run();
        }
    };
    // What was exchanged last is proved to be the same; then there is nothing to say for a while.
    pass(&mut group, true);
    let before = group.bytes;
    pass(&mut group, true);
    assert!(connected(&mut group), "ten idle minutes");
    assert_eq!(group.bytes, before, "and not a byte beside the pings");
    pass(&mut group, false);
    assert!(!connected(&mut group));
}

#[test]
fn a_note_of_a_shared_patient_is_at_both_clinics_with_its_author_and_an_equal_report() {
    let mut group = Group::new(2, &[(0, 1)]);
    group.share(&[1]);
    let mut a = Tablet::enrol(&mut group, 0, 21);
    for json in [open_visit(0), start(1, "97112", "09:00"), stop(1, "09:23")] {
        a.does(&mut group, &json);
    }
    check_equal(&mut group);
    let Site { hub, store, .. } = &mut group.sites[1];
    let note = hub.note(store, VISIT).unwrap().unwrap();
    assert_eq!(note.people[&therapist(0)], "Person 0", "who wrote it");
    assert!(note.history.iter().all(|line| line.received_at == Some(Timestamp::from_unix_ms(START))));
}

#[test]
fn a_report_of_a_shared_patient_is_provisional_until_every_clinic_has_closed_the_day() {
    let mut group = Group::new(3, &[(0, 1), (0, 2)]);
    group.share(&[1, 2]);
    let mut a = Tablet::enrol(&mut group, 0, 21);
    for json in [open_visit(0), start(1, "97112", "09:00"), stop(1, "09:23")] {
        a.does(&mut group, &json);
    }
    let day = chart::time::Date::from_ymd_opt(2026, 3, 17).unwrap();
    for closing in [1, 0, 2] {
        for report in group.reports(VISIT) {
            let report = report.unwrap();
            assert!(report.contains(r#""standing":"provisional""#), "before clinic {closing} closes");
            assert!(report.contains(&format!("{}\"", clinic_id(closing))), "names who is not heard");
        }
        let now = group.now;
        let Site { hub, store, entropy, .. } = &mut group.sites[closing];
        assert!(hub.close_day(now, entropy, store, day.succ_opt().unwrap()).is_err(), "not come yet");
        hub.close_day(now, entropy, store, day).unwrap();
        group.run();
    }
    check_equal(&mut group);
    assert!(group.reports(VISIT)[1].as_ref().unwrap().contains(r#""standing":"complete""#));
}

#[test]
fn a_patient_who_is_not_shared_is_nothing_another_clinic_hears_of() {
    let mut group = Group::new(2, &[(0, 1)]);
    let mut a = Tablet::enrol(&mut group, 0, 21);
    a.does(&mut group, &open_visit(0));
    assert_eq!(group.heads(VISIT)[1], None);
    assert!(group.sites[1].hub.directory().patients.is_empty());
}

#[test]
fn sharing_a_patient_later_brings_everything_that_was_written_before() {
    let mut group = Group::new(2, &[(0, 1)]);
    let mut a = Tablet::enrol(&mut group, 0, 21);
    for json in [open_visit(0), start(1, "97112", "09:00"), stop(1, "09:23")] {
        a.does(&mut group, &json);
    }
    group.share(&[1]);
    check_equal(&mut group);
}

#[test]
fn both_clinics_write_while_the_line_is_cut_and_agree_when_it_heals() {
    let mut group = Group::new(2, &[(0, 1)]);
    group.share(&[1]);
    let Site { .. } = &group.sites[1];
    group.sites[1].put(Reference::Patient(patient(&[therapist(1)])));
    let (mut a, mut b) = (Tablet::enrol(&mut group, 0, 21), Tablet::enrol(&mut group, 1, 22));
    for json in [open_visit(0), start(1, "97112", "09:00")] {
        a.does(&mut group, &json);
    }
    b.talks(&mut group, None);
    assert_eq!(a.note.heads(), b.note.heads(), "the tablet of the other clinic has the note");
    group.cut(0, 1);
    a.does(&mut group, &stop(1, "09:17"));
    b.does(&mut group, &stop(1, "09:23"));
    a.does(&mut group, &start(2, "97110", "09:30"));
    b.does(&mut group, &start(3, "97140", "10:00"));
    assert_ne!(group.heads(VISIT)[0], group.heads(VISIT)[1]);
    group.connect(0, 1);
    check_equal(&mut group);
    assert!(group.reports(VISIT)[0].as_ref().unwrap().contains("disputed"), "two ends are a dispute at both");
}

#[test]
fn work_passes_over_a_clinic_in_the_middle_and_comes_back_to_nobody_twice() {
    for pairs in [vec![(0, 1), (0, 2)], vec![(0, 1), (0, 2), (1, 2)]] {
        let mut group = Group::new(3, &pairs);
        group.share(&[1, 2]);
        for site in [1, 2] {
            group.sites[site].put(Reference::Patient(patient(&[therapist(site)])));
        }
        let mut tablets: Vec<Tablet> =
            (0..3).map(|site| Tablet::enrol(&mut group, site, 21 + site as u8)).collect();
        tablets[1].does(&mut group, &open_visit(1));
        tablets[2].talks(&mut group, None);
        tablets[0].talks(&mut group, None);
        for (n, tablet) in tablets.iter_mut().enumerate() {
            tablet.does(&mut group, &start(n as u8 + 1, "97112", &format!("{:02}:00", 9 + n)));
            tablet.does(&mut group, &stop(n as u8 + 1, &format!("{:02}:23", 9 + n)));
        }
        check_equal(&mut group);
        let resting = group.bytes;
        group.run();
        assert_eq!(group.bytes, resting, "an idle line carries nothing");
    }
}

#[test]
fn a_clinic_that_stops_goes_on_where_it_stood() {
    let mut group = Group::new(2, &[(0, 1)]);
    group.share(&[1]);
    let mut a = Tablet::enrol(&mut group, 0, 21);
    a.does(&mut group, &open_visit(0));
    group.cut(0, 1);
    group.sites[1].hub = Hub::open(config(1), &group.sites[1].store).unwrap();
    a.does(&mut group, &start(1, "97112", "09:00"));
    a.does(&mut group, &stop(1, "09:23"));
    let before = group.bytes;
    group.connect(0, 1);
    check_equal(&mut group);
    let caught_up = group.bytes - before;
    group.cut(0, 1);
    let before = group.bytes;
    group.connect(0, 1);
    let nothing_new = group.bytes - before;
    assert!(nothing_new < caught_up && nothing_new < 2_000, "{nothing_new} of {caught_up} bytes");
    let heard_at = group.sites[1].status().heard_at;
    group.cut(0, 1);
    group.sites[1].hub = Hub::open(config(1), &group.sites[1].store).unwrap();
    assert_eq!(group.sites[1].status().heard_at, heard_at, "it knows when it heard the other last");
    let before = group.bytes;
    group.connect(0, 1);
    let started_again = group.bytes - before;
    assert!(started_again <= nothing_new, "{started_again} bytes against {nothing_new}");
}
