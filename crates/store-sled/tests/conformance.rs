//! The server's store passes the contract's suite.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests: a failed step is a failed test")]

use journal::Seeded;
use store::{Store, StoreError, conformance};
use store_sled::{IndexReport, Options, SledStore};

fn options() -> Options {
    let journal = journal::Options { segment_bytes: 20_000, ..journal::Options::default() };
    Options { journal, checkpoint_bytes: 30_000, cache_bytes: 8 << 20, reserve_bytes: 0, full_check: false }
}

#[test]
fn the_store_passes_the_suite() {
    let dir = tempfile::tempdir().unwrap();
    conformance::check(&mut || {
        let (store, report) = SledStore::open(dir.path(), options(), &mut Seeded::new(1)).unwrap();
        assert!(!matches!(report.index, IndexReport::Rebuilt { .. }), "{report}");
        Box::new(store)
    });
}

#[test]
fn a_second_process_is_told_who_has_the_store() {
    let dir = tempfile::tempdir().unwrap();
    let open = || SledStore::open(dir.path(), options(), &mut Seeded::new(1));
    let first = open().unwrap();
    match open() {
        Err(StoreError::InUse(place)) => assert!(place.contains(&std::process::id().to_string()), "{place}"),
        other => panic!("{other:?}"),
    }
    first.0.close().unwrap();
    open().unwrap();
}

#[test]
fn a_store_closed_in_order_reads_nothing_again() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) = SledStore::open(dir.path(), options(), &mut Seeded::new(1)).unwrap();
    for round in 0..20 {
        store.commit(&conformance::sample_batch(round)).unwrap();
    }
    store.close().unwrap();
    let (store, report) = SledStore::open(dir.path(), options(), &mut Seeded::new(2)).unwrap();
    assert_eq!(report.index, IndexReport::Trusted { replayed: 0 });
    assert_eq!(report.sentences(), Vec::<String>::new());
    store.check().unwrap();
}
