//! The journal store passes the contract's suite, on real files and on the modelled disk.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests: a failed step is a failed test")]

use journal::{Fault, JournalStore, Options, RealFiles, Seeded, SimDisk};
use store::{Batch, NewEntry, Store, StoreError, StoreReader, conformance};

const SMALL: Options = Options { segment_bytes: 20_000, batch_bytes: store::BATCH_LIMIT };

fn open_sim(disk: &SimDisk) -> Box<dyn Store> {
    Box::new(JournalStore::open(disk.clone(), SMALL, &mut Seeded::new(1)).unwrap().0)
}

#[test]
fn the_journal_on_the_modelled_disk_passes_the_suite() {
    let disk = SimDisk::default();
    conformance::check(&mut || open_sim(&disk));
}

#[test]
fn the_journal_on_real_files_passes_the_suite() {
    let dir = tempfile::tempdir().unwrap();
    conformance::check(&mut || {
        let files = RealFiles::new(dir.path().join("a/b")).unwrap();
        Box::new(JournalStore::open(files, SMALL, &mut Seeded::new(1)).unwrap().0)
    });
}

#[test]
fn the_journal_latches_when_the_disk_refuses() {
    for fault in [Fault::Io, Fault::Full, Fault::ShortWrite] {
        for call in 0..2 {
            let disk = SimDisk::default();
            conformance::check_latching(&mut || open_sim(&disk), &mut |_| {
                disk.fail_call(disk.calls() + call, fault)
            });
        }
    }
}

#[test]
fn a_second_process_is_told_who_has_the_journal() {
    let dir = tempfile::tempdir().unwrap();
    let open = || {
        let files = RealFiles::new(dir.path()).unwrap();
        JournalStore::open(files, SMALL, &mut Seeded::new(1))
    };
    let first = open().unwrap();
    match open() {
        Err(StoreError::InUse(place)) => assert!(place.contains(&std::process::id().to_string()), "{place}"),
        other => panic!("{other:?}"),
    }
    drop(first);
    open().unwrap();
}

#[test]
fn a_commit_costs_one_sync() {
    let dir = tempfile::tempdir().unwrap();
    let files = RealFiles::new(dir.path()).unwrap();
    let (mut store, _) = JournalStore::open(files, Options::default(), &mut Seeded::new(1)).unwrap();
    let entry = NewEntry { keys: vec![], bytes: vec![1; 300] };
    for _ in 0..20 {
        store.commit(&Batch { entries: vec![entry.clone(); 5], new_epoch: None }).unwrap();
    }
    assert_eq!((store.stats().commits, store.stats().fsyncs), (20, 20));
    assert_eq!(store.tip().seq, 100);
}
