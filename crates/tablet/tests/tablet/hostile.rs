//! A clinic's server, or a peer behind it, that sends what no tablet would write: the note is marked, the
//! bytes are kept, and everything else goes on.

use session_note::admit::{Limits, prescan};
use sync_protocol::message::{FeedBody, FeedChanges};
use tablet::Event;

use crate::world::{BEN, Clinic, OTHER_VISIT, Rig, VISIT, set_field};

/// `code name hex`, each upon the beginning of a visit; code 0 is an honest change, 2 one that waits.
const ROWS: &str = include_str!("../../../session-note/tests/gate/hostile.txt");

struct Row {
    code: u16,
    name: &'static str,
    bytes: Vec<u8>,
}

fn rows() -> Vec<Row> {
    let row = |line: &'static str| {
        let [code, name, hex] = line.split(' ').collect::<Vec<_>>().try_into().unwrap();
        let pair = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
        Row { code: code.parse().unwrap(), name, bytes: (0..hex.len()).step_by(2).map(pair).collect() }
    };
    ROWS.lines().map(row).collect()
}

/// The row as the feed brings it, under the name of another tablet.
fn fed(like: &FeedChanges, bytes: &[u8]) -> FeedBody {
    FeedBody::Changes(FeedChanges { changes: vec![bytes.to_vec()], ..like.clone() })
}

/// Own work on the note, and a page of another tablet's honest work to shape hostile pages after.
fn scene() -> (Rig, Clinic, FeedChanges) {
    let (mut rig, mut other, mut clinic) = (Rig::new(1), Rig::new(2), Clinic::new());
    other.edit(BEN, VISIT, vec![set_field("education", "given")]);
    clinic.connect(&mut other);
    let FeedBody::Changes(feed) = clinic.feed().remove(0) else { panic!("no changes") };
    rig.field(VISIT, "good");
    rig.pump();
    clinic.connect(&mut rig);
    (rig, clinic, feed)
}

fn survives(rig: &mut Rig, clinic: &mut Clinic, feed: &FeedChanges, why: &str) {
    assert_eq!(rig.response(VISIT).as_deref(), Some("good"), "{why}");
    // Honest work that comes after still arrives, and one can go on working, here and elsewhere.
    clinic.page(rig, vec![FeedBody::Changes(feed.clone())]);
    let visit = rig.tablet.note(&rig.store, VISIT).unwrap().visit.unwrap();
    assert_eq!(visit.fields["education"], "given", "{why}");
    rig.field(VISIT, "better");
    rig.field(OTHER_VISIT, "elsewhere");
    rig.pump();
    let mut again = rig.restarted(2);
    assert_eq!(again.heads(VISIT), rig.heads(VISIT), "{why}");
    for rig in [rig, &mut again] {
        assert_eq!(rig.response(VISIT).as_deref(), Some("better"), "{why}");
        assert_eq!(rig.response(OTHER_VISIT).as_deref(), Some("elsewhere"), "{why}");
        assert!(!rig.tablet.note(&rig.store, VISIT).unwrap().problems.is_empty(), "{why}: nobody is told");
    }
}

#[test]
fn each_attack_marks_the_note_and_harms_nothing() {
    let honest = rows().remove(0);
    for row in rows().into_iter().skip(1) {
        let (mut rig, mut clinic, feed) = scene();
        if row.code == 201 {
            clinic.page(&mut rig, vec![fed(&feed, &honest.bytes)]);
        }
        let heads = rig.heads(VISIT);
        clinic.page(&mut rig, vec![fed(&feed, &row.bytes)]);
        assert_eq!(rig.heads(VISIT), heads, "{}", row.name);
        let marked =
            rig.saw(|event| matches!(event, Event::CannotBeShown { document, .. } if *document == VISIT));
        assert_eq!(marked, row.code != 2, "{}", row.name);
        // The bytes are on the disk, and given to whoever asks for them by name.
        if let Ok(sketch) = prescan(&row.bytes, &Limits::V1) {
            clinic.ask(&mut rig, VISIT, vec![sketch.hash]);
            let supplied = clinic.supplies.iter().flat_map(|supply| &supply.entries);
            let kept = supplied.flat_map(|entry| &entry.changes).any(|bytes| *bytes == row.bytes);
            assert!(kept, "{}: the bytes are gone", row.name);
        }
        survives(&mut rig, &mut clinic, &feed, row.name);
    }
}

#[test]
fn all_attacks_at_once_between_honest_work_are_survived_too() {
    let (mut rig, mut clinic, feed) = scene();
    let attacks = rows().into_iter().map(|row| fed(&feed, &row.bytes));
    let page = attacks.chain([FeedBody::Changes(feed.clone())]).collect();
    clinic.page(&mut rig, page);
    survives(&mut rig, &mut clinic, &feed, "all at once");
}
