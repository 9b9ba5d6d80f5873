//! What becomes of an index that cannot be believed: it is mended or built anew, and what it served
//! stays right.

use std::path::Path;

use journal::Seeded;
use store::conformance::sample_batch;
use store::{MemoryStore, NewEntry};

use super::*;
use crate::report::IndexReport;

const BATCHES: u64 = 40;

fn options() -> Options {
    let journal = journal::Options { segment_bytes: 20_000, ..journal::Options::default() };
    Options { journal, checkpoint_bytes: 50_000, cache_bytes: 8 << 20, reserve_bytes: 0, full_check: false }
}

fn open(dir: &Path) -> (SledStore, OpenReport) {
    SledStore::open(dir, options(), &mut Seeded::new(1)).unwrap()
}

/// A store with some batches in it, and the reference that has the same.
fn filled(dir: &Path) -> (SledStore, MemoryStore) {
    let (mut store, _) = open(dir);
    let mut model = MemoryStore::new(store.tip().epoch_id);
    for round in 0..BATCHES {
        store.commit(&sample_batch(round)).unwrap();
        model.commit(&sample_batch(round)).unwrap();
    }
    (store, model)
}

fn check(store: &SledStore, model: &MemoryStore) {
    assert_eq!(store.tip(), model.tip());
    assert_eq!(store.epochs(), model.epochs());
    let entries = model.scan(0, usize::MAX).unwrap();
    assert!(store.scan(0, usize::MAX).unwrap() == entries, "the entries differ");
    for key in entries.iter().flat_map(|entry| &entry.keys) {
        assert_eq!(store.find(*key, 0, usize::MAX).unwrap(), model.find(*key, 0, usize::MAX).unwrap());
    }
    assert_eq!(store.check().unwrap(), model.tip().seq);
}

fn copy_all(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy_all(&entry.path(), &target),
            false => drop(std::fs::copy(entry.path(), target).unwrap()),
        }
    }
}

fn rebuilt(report: &OpenReport) -> &str {
    match &report.index {
        IndexReport::Rebuilt { why } => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn after_the_process_died_only_the_rest_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let (store, model) = filled(dir.path());
    drop(store);
    let (store, report) = open(dir.path());
    let IndexReport::Trusted { replayed } = report.index else { panic!("{report}") };
    assert!(replayed > 0 && replayed < model.tip().seq / 2, "{replayed} entries read again");
    check(&store, &model);
}

#[test]
fn a_process_that_died_between_sync_and_index_has_the_batch() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, mut model) = filled(dir.path());
    let aside = tempfile::tempdir().unwrap();
    let (from, to) = (dir.path().to_owned(), aside.path().to_owned());
    store.between_sync_and_index(move || copy_all(&from, &to));
    store.commit(&sample_batch(BATCHES)).unwrap();
    model.commit(&sample_batch(BATCHES)).unwrap();
    drop(store);
    let (died, report) = open(aside.path());
    let IndexReport::Trusted { replayed } = report.index else { panic!("{report}") };
    assert!(replayed > 0);
    check(&died, &model);
}

#[test]
fn after_the_machine_stopped_the_index_is_built_anew() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, model) = filled(dir.path());
    let (small, large) = (Key([1; 16]), Key([2; 16]));
    store.keep(&[(small, Some(vec![1, 2])), (large, Some(vec![3; 9000]))]).unwrap();
    store.checkpoint().unwrap();
    let mut checkpoint = Checkpoint::read(&store.root).unwrap().unwrap();
    checkpoint.boot = [9; 32];
    checkpoint.write(&store.root).unwrap();
    drop(store);
    let (store, report) = open(dir.path());
    assert_eq!(rebuilt(&report), "the machine stopped while the store was open");
    check(&store, &model);
    assert_eq!(store.kept(small).unwrap(), Some(vec![1, 2]), "derived values are carried over");
    assert_eq!(store.kept(large).unwrap(), Some(vec![3; 9000]));
}

#[test]
fn a_missing_index_or_checkpoint_is_made_again() {
    for (what, why) in
        [("index", "the index is missing"), ("checkpoint", "the checkpoint is missing or does not read")]
    {
        let dir = tempfile::tempdir().unwrap();
        let (store, model) = filled(dir.path());
        let index = index_dir(dir.path(), store.slot().generation);
        store.close().unwrap();
        match what {
            "index" => std::fs::remove_dir_all(index).unwrap(),
            other => std::fs::remove_file(dir.path().join(other)).unwrap(),
        }
        let (store, report) = open(dir.path());
        assert_eq!(rebuilt(&report), why);
        check(&store, &model);
    }
}

#[test]
fn a_row_that_is_gone_or_wrong_is_taken_from_the_journal() {
    let dir = tempfile::tempdir().unwrap();
    let (store, model) = filled(dir.path());
    store.with_index(|index| index.spoil_row(3, None)).unwrap();
    store.with_index(|index| index.spoil_row(7, Some(b"rot"))).unwrap();
    store.with_index(|index| index.spoil_pieces()).unwrap();
    let generation = store.slot().generation;
    assert!(store.scan(0, usize::MAX).unwrap() == model.scan(0, usize::MAX).unwrap());
    assert_eq!(store.slot().generation, generation, "single rows are put right in place");
    check(&store, &model);
}

#[test]
fn a_missing_key_row_is_found_by_the_check() {
    let dir = tempfile::tempdir().unwrap();
    let (store, model) = filled(dir.path());
    let entry = model.scan(0, usize::MAX).unwrap().into_iter().find(|entry| !entry.keys.is_empty()).unwrap();
    let generation = store.slot().generation;
    store.with_index(|index| index.spoil_key(entry.keys[0], entry.seq)).unwrap();
    store.check().unwrap();
    assert_eq!(store.slot().generation, generation + 1);
    check(&store, &model);
}

#[test]
fn lost_segments_come_back_from_the_index() {
    let dir = tempfile::tempdir().unwrap();
    let (store, model) = filled(dir.path());
    store.close().unwrap();
    let journal = dir.path().join("journal");
    let names = |dir: &Path| -> Vec<_> {
        let mut names: Vec<_> = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
        names.sort();
        names.retain(|path| path.extension().is_some_and(|ext| ext == "seg"));
        names
    };
    let segments = names(&journal);
    assert!(segments.len() >= 3, "{segments:?}");
    for path in &segments {
        std::fs::remove_file(path).unwrap();
        let (store, report) = open(dir.path());
        assert!(!report.journal.repaired.is_empty(), "{path:?}: {report:?}");
        check(&store, &model);
        store.close().unwrap();
    }
    for path in names(&journal) {
        std::fs::remove_file(path).unwrap();
    }
    let (store, report) = open(dir.path());
    assert!(!report.journal.repaired.is_empty(), "{report:?}");
    check(&store, &model);
}

#[test]
fn both_halves_gone_is_refused_and_never_an_empty_store() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = filled(dir.path());
    let index = index_dir(dir.path(), store.slot().generation);
    store.close().unwrap();
    std::fs::remove_dir_all(index).unwrap();
    std::fs::remove_dir_all(dir.path().join("journal")).unwrap();
    for _ in 0..2 {
        let opened = SledStore::open(dir.path(), options(), &mut Seeded::new(2));
        assert!(matches!(opened, Err(StoreError::Damaged(_))), "{opened:?}");
    }
}

#[test]
fn a_newer_format_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = filled(dir.path());
    store.close().unwrap();
    let words = "gaitway store, format 2";
    let line = format!("{words}, check {:08x}\n", crc32c::crc32c(words.as_bytes()));
    std::fs::write(dir.path().join("format"), line).unwrap();
    let opened = SledStore::open(dir.path(), options(), &mut Seeded::new(2));
    assert!(matches!(opened, Err(StoreError::NewerFormat { found: 2, known: 1 })), "{opened:?}");
}

#[test]
fn a_store_whose_index_cannot_be_built_keeps_what_it_acknowledged_and_latches() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, mut model) = filled(dir.path());
    // The index fails, and a file stands where its successor would go.
    let next = index_dir(dir.path(), store.slot().generation + 1);
    std::fs::write(&next, b"in the way").unwrap();
    let broken = store.slot().index.take();
    broken.unwrap().close();
    let batch = Batch { entries: vec![NewEntry { keys: vec![], bytes: vec![1] }], new_epoch: None };
    store.commit(&batch).unwrap();
    model.commit(&batch).unwrap();
    assert!(store.is_latched());
    assert!(matches!(store.commit(&batch), Err(StoreError::Latched)));
    drop(store);
    std::fs::remove_file(&next).ok();
    let (store, _) = open(dir.path());
    check(&store, &model);
}

/// A store whose index breaks and whose next index cannot be made.
fn with_a_lost_index(dir: &Path) -> (SledStore, MemoryStore) {
    let (store, model) = filled(dir);
    let next = store.slot().generation + 1;
    std::fs::write(index_dir(dir, next), "in the way").unwrap();
    (store, model)
}

#[test]
fn an_index_that_cannot_be_built_anew_is_tried_once_and_latches_the_store_until_it_is_opened_again() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, mut model) = with_a_lost_index(dir.path());
    let broken = store.with_index(|_| Err::<(), _>(Broken("planted".to_owned())));
    assert!(broken.is_err());
    assert!(store.is_latched());
    std::fs::remove_file(index_dir(dir.path(), store.slot().generation)).unwrap();
    let said = store.entry(1).unwrap_err().to_string();
    assert!(said.contains("could not be built anew"), "{said}");
    assert!(matches!(store.commit(&sample_batch(BATCHES)), Err(StoreError::Latched)));
    assert!(matches!(store.keep(&[]), Err(StoreError::Latched)));
    let made = std::fs::read_dir(dir.path())
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with("index-0"));
    assert_eq!(made.count(), 0, "no index is begun again and again");
    assert!(store.close().is_err(), "it says that it was not closed in order");
    let (mut store, _) = open(dir.path());
    check(&store, &model);
    store.commit(&sample_batch(BATCHES)).unwrap();
    model.commit(&sample_batch(BATCHES)).unwrap();
    check(&store, &model);
}

#[test]
fn a_batch_whose_index_is_lost_beside_it_counts_and_the_store_takes_no_more() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, mut model) = with_a_lost_index(dir.path());
    if let Some(index) = store.slot().index.take() {
        assert!(index.close());
    }
    store.commit(&sample_batch(BATCHES)).unwrap();
    model.commit(&sample_batch(BATCHES)).unwrap();
    assert!(store.is_latched(), "told without a further commit");
    drop(store);
    std::fs::remove_file(index_dir(dir.path(), 2)).unwrap();
    check(&open(dir.path()).0, &model);
}

#[test]
fn a_disk_with_too_little_room_is_full_before_it_is_and_goes_on_reading() {
    let dir = tempfile::tempdir().unwrap();
    let (store, model) = filled(dir.path());
    store.close().unwrap();
    let greedy = Options { reserve_bytes: u64::MAX, ..options() };
    let (mut store, _) = SledStore::open(dir.path(), greedy, &mut Seeded::new(1)).unwrap();
    assert!(matches!(store.commit(&sample_batch(BATCHES)), Err(StoreError::Full)));
    assert!(store.is_latched());
    check(&store, &model);
}
