//! A clinic's server, or a peer behind it, that sends what no tablet would write: the note is marked, the
//! bytes are kept, and everything else goes on.

use session_note::admit::{Limits, prescan};
use sync_protocol::message::{FeedBody, FeedChanges};
use tablet::Event;

use crate::world::{BEN, Clinic, OTHER_VISIT, Rig, VISIT, set_field};

/// Every known attack: `code name bytes`, with what must be in the note before at the end; the first line is
/// the ground of all. A code of 0 is an honest change, 2 one that waits. The gate's own tests hold the file to
/// their table.
const ROWS: &str = include_str!("../../../session-note/tests/gate/hostile.txt");

struct Row {
    code: u16,
    name: &'static str,
    bytes: Vec<u8>,
    before: Option<Vec<u8>>,
}

/// Hex, with `(xx*n)` for n equal bytes.
fn read(mut spelt: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let Some(first) = spelt.chars().next() {
        let (pair, count, rest) = if first == '(' {
            let (run, rest) = spelt[1..].split_once(')').unwrap();
            let (pair, count) = run.split_once('*').unwrap();
            (pair, count.parse().unwrap(), rest)
        } else {
            (&spelt[..2], 1, &spelt[2..])
        };
        bytes.resize(bytes.len() + count, u8::from_str_radix(pair, 16).unwrap());
        spelt = rest;
    }
    bytes
}

fn rows() -> Vec<Row> {
    let row = |line: &'static str| {
        let mut words = line.split(' ');
        let mut word = || words.next();
        let (code, name) = (word().unwrap().parse().unwrap(), word().unwrap());
        Row { code, name, bytes: read(word().unwrap()), before: word().map(read) }
    };
    let rows: Vec<Row> = ROWS.lines().map(row).collect();
    assert!(rows.len() > 100);
    rows
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

fn survives(rig: &mut Rig, clinic: &mut Clinic, feed: &FeedChanges, why: &str, told: bool) {
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
        assert_eq!(!rig.tablet.note(&rig.store, VISIT).unwrap().problems.is_empty(), told, "{why}");
    }
}

#[test]
fn each_attack_marks_the_note_and_harms_nothing() {
    let mut rows = rows();
    let ground = rows.remove(0);
    for row in rows {
        let (mut rig, mut clinic, feed) = scene();
        let before = [Some(&ground.bytes), row.before.as_ref()].into_iter().flatten();
        clinic.page(&mut rig, before.map(|bytes| fed(&feed, bytes)).collect());
        let heads = rig.heads(VISIT);
        clinic.page(&mut rig, vec![fed(&feed, &row.bytes)]);
        assert_eq!(rig.heads(VISIT) == heads, row.code != 0, "{}", row.name);
        let marked =
            rig.saw(|event| matches!(event, Event::CannotBeShown { document, .. } if *document == VISIT));
        assert_eq!(marked, row.code > 2, "{}", row.name);
        // The bytes are on the disk, and given to whoever asks for them by name.
        if let Ok(sketch) = prescan(&row.bytes, &Limits::V1) {
            clinic.ask(&mut rig, VISIT, vec![sketch.hash]);
            let supplied = clinic.supplies.iter().flat_map(|supply| &supply.entries);
            let kept = supplied.flat_map(|entry| &entry.changes).any(|bytes| *bytes == row.bytes);
            assert!(kept, "{}: the bytes are gone", row.name);
        }
        survives(&mut rig, &mut clinic, &feed, row.name, row.code != 0);
    }
}

#[test]
fn all_attacks_at_once_between_honest_work_are_survived_too() {
    let (mut rig, mut clinic, feed) = scene();
    let attacks = rows().into_iter().map(|row| fed(&feed, &row.bytes));
    let page: Vec<FeedBody> = attacks.chain([FeedBody::Changes(feed.clone())]).collect();
    for page in page.chunks(20) {
        clinic.page(&mut rig, page.to_vec());
    }
    survives(&mut rig, &mut clinic, &feed, "all at once", true);
}
