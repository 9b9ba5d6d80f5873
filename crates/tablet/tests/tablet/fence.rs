//! Work that ends the app that shows it, planted: the note is marked, its bytes are kept and passed on,
//! nothing else is lost, and it happens once.

use std::panic::{AssertUnwindSafe, catch_unwind};

use chart::ids::{ChangeHash, DocumentId};
use sync_protocol::message::{FeedBody, FeedChanges};
use tablet::{Event, Fence, LastEnd, TabletConfig};

use crate::world::{BEN, Clinic, OTHER_VISIT, Rig, VISIT, config, hash_of, set_field};

const THIRD_VISIT: DocumentId = DocumentId::from_bytes([0x13; 16]);
const DEADLY: &str = "xyzzy";
const NEWER: &str = "test 2";

/// Ends the app, as an engine would that aborts: nothing the app does comes after it.
struct Mine;

impl Fence for Mine {
    fn enter(&mut self, _: DocumentId, changes: &[&[u8]]) {
        let deadly = |bytes: &&[u8]| bytes.windows(DEADLY.len()).any(|window| window == DEADLY.as_bytes());
        assert!(!changes.iter().any(deadly), "the planted end of the engine");
    }
    fn leave(&mut self) {}
}

fn mined(rig: Rig) -> Rig {
    let mut rig = rig;
    rig.tablet.set_fence(Box::new(Mine));
    rig
}

fn app(name: &str) -> TabletConfig {
    TabletConfig { app: name.to_owned(), ..config(1) }
}

/// The tablet started again on what the last run left on the disk.
fn again(rig: &Rig, end: LastEnd, name: &str) -> Rig {
    let mut store = rig.store.clone();
    store.reopen();
    let start = 2 + rig.disks.len() as u64;
    let mut new = mined(Rig::after(end, app(name), 1, store, start));
    new.now = rig.now.plus_ms(60_000);
    new
}

/// Does something; whether the app died of it.
fn dies(rig: &mut Rig, act: impl FnOnce(&mut Rig)) -> bool {
    catch_unwind(AssertUnwindSafe(|| act(rig))).is_err()
}

/// Starts the app until it lives, and says how often it died on the way.
fn until_it_lives(rig: &Rig, end: LastEnd) -> (Rig, usize) {
    let mut rig = again(rig, end, "test 1");
    for deaths in 0..9 {
        if !dies(&mut rig, Rig::pump) {
            return (rig, deaths);
        }
        rig = again(&rig, end, "test 1");
    }
    panic!("it never lives");
}

fn work(other: &mut Rig, document: DocumentId, value: &str) {
    other.edit(BEN, document, vec![set_field("education", value)]);
}

/// A tablet with own work in the first note, and another's work on three notes, deadly in the first, as
/// the feed brings it.
fn scene() -> (Rig, Clinic, Vec<FeedBody>) {
    let (mut rig, mut other, mut clinic) = (mined(Rig::new(1)), Rig::new(2), Clinic::new());
    rig.field(VISIT, "own");
    rig.pump();
    clinic.connect(&mut rig);
    clinic.disconnect(&mut rig);
    clinic.pushes.clear();
    for (document, value) in [(OTHER_VISIT, "two"), (VISIT, DEADLY), (THIRD_VISIT, "three")] {
        work(&mut other, document, value);
    }
    clinic.connect(&mut other);
    let feed = clinic.feed();
    assert_eq!(feed.len(), 3);
    clinic.connect(&mut rig);
    (rig, clinic, feed)
}

fn of(feed: &[FeedBody], document: DocumentId) -> FeedChanges {
    let mut found = feed.iter().filter_map(|body| match body {
        FeedBody::Changes(feed) if feed.document == document => Some(feed.clone()),
        _ => None,
    });
    found.next().unwrap()
}

fn education(rig: &mut Rig, document: DocumentId) -> Option<String> {
    rig.tablet.note(&rig.store, document).unwrap().visit.unwrap().fields.remove("education")
}

fn check_set_aside(rig: &mut Rig) {
    let view = rig.tablet.note(&rig.store, VISIT).unwrap();
    let sentence = view.cannot_be_shown.unwrap();
    assert!(sentence.contains("Update the app; nothing of the note is lost"), "{sentence}");
    assert!(view.problems.contains(&sentence));
    assert_eq!(view.visit.unwrap().fields.get("education"), None);
    assert_eq!(rig.response(VISIT).as_deref(), Some("own"), "own work is shown");
    let marked: Vec<DocumentId> = rig
        .tablet
        .documents()
        .into_iter()
        .filter(|row| row.cannot_be_shown)
        .map(|row| row.document)
        .collect();
    assert_eq!(marked, [VISIT], "only the guilty one is marked");
    let status = rig.tablet.status(VISIT).unwrap();
    assert!(status.notes.iter().any(|note| note.state == "cannot_be_shown"), "{:?}", status.notes);
}

fn check_others(rig: &mut Rig) {
    assert_eq!(education(rig, OTHER_VISIT).as_deref(), Some("two"));
    assert_eq!(education(rig, THIRD_VISIT).as_deref(), Some("three"));
}

#[test]
fn a_change_that_ends_the_app_ends_it_once_and_marks_its_note() {
    let (mut rig, mut clinic, feed) = scene();
    let page = vec![FeedBody::Changes(of(&feed, VISIT))];
    assert!(dies(&mut rig, |rig| clinic.page(rig, page)));
    let (mut rig, deaths) = until_it_lives(&rig, LastEnd::InEngine);
    assert_eq!(deaths, 0);
    check_set_aside(&mut rig);
    assert!(rig.saw(|event| matches!(event, Event::CannotBeShown { document: VISIT, .. })));
    // It stays so, and the rest of the app works.
    let mut rig = again(&rig, LastEnd::Unknown, "test 1");
    rig.pump();
    check_set_aside(&mut rig);
    clinic.connect(&mut rig);
    let others = [OTHER_VISIT, THIRD_VISIT].map(|document| FeedBody::Changes(of(&feed, document)));
    clinic.page(&mut rig, others.to_vec());
    check_others(&mut rig);
    check_set_aside(&mut rig);
}

#[test]
fn of_a_page_of_many_notes_only_the_guilty_one_is_set_aside() {
    for end in [LastEnd::InEngine, LastEnd::Unknown] {
        let (mut rig, mut clinic, feed) = scene();
        assert!(dies(&mut rig, |rig| clinic.page(rig, feed)));
        let (mut rig, deaths) = until_it_lives(&rig, end);
        assert_eq!(deaths, if end == LastEnd::InEngine { 1 } else { 2 }, "{end:?}");
        check_set_aside(&mut rig);
        check_others(&mut rig);
    }
}

#[test]
fn an_app_that_died_of_something_else_shows_everything_after_all() {
    let (rig, mut clinic, feed) = scene();
    let mut rig = Rig { tablet: Rig::on(1, rig.store.clone(), 9).tablet, ..rig };
    clinic.connect(&mut rig);
    clinic.page(&mut rig, feed);
    let mut seen = 0;
    for disk in rig.disks.clone() {
        // The battery went after each commit, once under the mark: nothing is deadly here.
        let mut after = Rig::on(1, disk, 10);
        after.pump();
        if after.tablet.documents().len() == 3 {
            seen += 1;
            check_others(&mut after);
            assert_eq!(education(&mut after, VISIT).as_deref(), Some(DEADLY));
            assert!(after.tablet.documents().iter().all(|row| !row.cannot_be_shown));
        }
    }
    assert!(seen >= 2, "the mark and what came after it were met: {seen}");
}

#[test]
fn a_page_costs_one_commit_with_its_mark_and_one_after_it() {
    let (rig, mut clinic, feed) = scene();
    let mut rig = Rig { tablet: Rig::on(1, rig.store.clone(), 9).tablet, disks: Vec::new(), ..rig };
    rig.pump();
    clinic.connect(&mut rig);
    rig.disks.clear();
    clinic.page(&mut rig, feed);
    assert_eq!(rig.disks.len(), 2);
}

#[test]
fn work_that_is_set_aside_is_kept_and_given_to_whoever_asks() {
    let (mut rig, mut clinic, feed) = scene();
    assert!(dies(&mut rig, |rig| clinic.page(rig, feed.clone())));
    let (mut rig, _) = until_it_lives(&rig, LastEnd::InEngine);
    clinic.connect(&mut rig);
    let deadly = of(&feed, VISIT).changes.remove(0);
    for hashes in [vec![hash_of(&deadly)], Vec::<ChangeHash>::new()] {
        clinic.supplies.clear();
        clinic.ask(&mut rig, VISIT, hashes);
        let supplied = clinic.supplies.iter().flat_map(|supply| &supply.entries);
        assert!(supplied.flat_map(|entry| &entry.changes).any(|bytes| *bytes == deadly));
    }
    // It comes again, and is neither written down nor tried a second time.
    let before = rig.disks.len();
    clinic.page(&mut rig, vec![FeedBody::Changes(of(&feed, VISIT))]);
    assert!(rig.disks.len() <= before + 1, "at most the cursor");
    check_set_aside(&mut rig);
}

#[test]
fn own_work_on_a_marked_note_is_sent_and_one_can_go_on() {
    let (mut rig, mut clinic, feed) = scene();
    rig.field(VISIT, "unsent");
    rig.key(VISIT, 0, 0, "typed");
    assert!(dies(&mut rig, |rig| clinic.page(rig, feed)));
    let (mut rig, _) = until_it_lives(&rig, LastEnd::InEngine);
    rig.wait(3_000);
    rig.field(VISIT, "later");
    rig.pump();
    clinic.pushes.clear();
    clinic.connect(&mut rig);
    let sent: usize = clinic.pushes.iter().map(|push| push.changes.len()).sum();
    assert_eq!(sent, 3, "what was set, what was typed and what came later");
    assert_eq!(rig.save_state(VISIT), tablet::SaveState::SafeAtClinic);
    assert_eq!((rig.response(VISIT).as_deref(), rig.text(VISIT).as_str()), (Some("later"), "typed"));
}

#[test]
fn work_built_on_what_is_set_aside_waits_and_is_not_asked_for() {
    let (rig, mut clinic, feed) = scene();
    let mut other = Rig::new(3);
    clinic.pushes.clear();
    clinic.connect(&mut other);
    clinic.page(&mut other, vec![FeedBody::Changes(of(&feed, VISIT))]);
    other.edit(BEN, VISIT, vec![set_field("response", "upon it")]);
    other.pump();
    clinic.talk(&mut other);
    let upon = clinic.feed();
    assert_eq!(upon.len(), 1);
    let mut rig = rig;
    clinic.connect(&mut rig);
    assert!(dies(&mut rig, |rig| clinic.page(rig, feed)));
    let (mut rig, _) = until_it_lives(&rig, LastEnd::InEngine);
    clinic.connect(&mut rig);
    clinic.needs.clear();
    clinic.page(&mut rig, upon);
    check_set_aside(&mut rig);
    let mut rig = again(&rig, LastEnd::Unknown, "test 1");
    clinic.connect(&mut rig);
    assert!(clinic.needs.is_empty(), "{:?}", clinic.needs);
    // A version that survives it shows both.
    let mut rig = Rig::after(LastEnd::Unknown, app(NEWER), 1, rig.store.clone(), 30);
    rig.pump();
    assert_eq!(education(&mut rig, VISIT).as_deref(), Some(DEADLY));
    assert!(rig.tablet.note(&rig.store, VISIT).unwrap().cannot_be_shown.is_none());
}

#[test]
fn a_newer_version_tries_once_and_then_knows_for_itself() {
    let (mut rig, mut clinic, feed) = scene();
    assert!(dies(&mut rig, |rig| clinic.page(rig, feed)));
    let (rig, _) = until_it_lives(&rig, LastEnd::InEngine);
    for end in [LastEnd::InEngine, LastEnd::Unknown] {
        let mut newer = again(&rig, LastEnd::Unknown, NEWER);
        assert!(dies(&mut newer, Rig::pump), "it tries");
        let mut newer = again(&newer, end, NEWER);
        assert!(!dies(&mut newer, Rig::pump), "once, {end:?}");
        check_set_aside(&mut newer);
        let mut newer = again(&newer, LastEnd::Unknown, NEWER);
        assert!(!dies(&mut newer, Rig::pump));
        check_set_aside(&mut newer);
    }
}
