//! The chain check has work to do: without it a forged frame with good checksums is served.

use chart::ids::EpochId;
use store::{Batch, NewEntry, Store, StoreReader};

use super::planted::IGNORE_CHAIN;
use crate::{JournalStore, Options, Seeded, SimDisk, verify};

fn journal(first: &[u8]) -> SimDisk {
    let disk = SimDisk::default();
    let (mut store, _) = JournalStore::open(disk.clone(), Options::default(), &mut Seeded::new(1)).unwrap();
    for bytes in [first, b"second"] {
        let entry = NewEntry { keys: vec![], bytes: bytes.to_vec() };
        store.commit(&Batch { entries: vec![entry], new_epoch: None }).unwrap();
    }
    disk
}

/// A journal whose first frame was exchanged for another journal's, which is sound in itself.
fn forged() -> SimDisk {
    let (disk, other) = (journal(b"honest"), journal(b"forged"));
    let name = super::segment_name(1);
    let (mut bytes, other) = (disk.contents(&name).unwrap(), other.contents(&name).unwrap());
    let frame = crate::frame::SEGMENT_HEADER..crate::frame::SEGMENT_HEADER + 104;
    bytes[frame.clone()].copy_from_slice(&other[frame]);
    disk.put(&name, &bytes);
    disk
}

#[test]
fn a_forged_frame_with_good_checksums_is_refused() {
    let opened = JournalStore::open(forged(), Options::default(), &mut Seeded::new(2));
    assert!(opened.is_err());
    assert_eq!(verify(&forged()).unwrap().first_bad.unwrap().seq, 2);
}

#[test]
fn without_the_chain_check_it_would_be_served() {
    IGNORE_CHAIN.set(true);
    let (store, _) = JournalStore::open(forged(), Options::default(), &mut Seeded::new(2)).unwrap();
    assert_eq!(verify(&forged()).unwrap().first_bad, None);
    IGNORE_CHAIN.set(false);
    assert_eq!(store.tip().seq, 2);
}

#[test]
fn a_newer_journal_is_named_and_left_alone() {
    let disk = journal(b"honest");
    let name = super::segment_name(1);
    let mut bytes = disk.contents(&name).unwrap();
    bytes[4] = 2;
    let crc = crc32c::crc32c(&bytes[..76]).to_le_bytes();
    bytes[76..80].copy_from_slice(&crc);
    disk.put(&name, &bytes);
    let error = JournalStore::open(disk.clone(), Options::default(), &mut Seeded::new(2)).unwrap_err();
    assert!(error.to_string().contains("format 2"), "{error}");
    assert_eq!(disk.contents(&name).unwrap(), bytes);
}

#[test]
fn epochs_that_hold_nothing_are_remembered() {
    let disk = SimDisk::default();
    let (mut store, _) = JournalStore::open(disk.clone(), Options::default(), &mut Seeded::new(1)).unwrap();
    let batch = Batch { entries: vec![], new_epoch: Some(EpochId::from_bytes([8; 16])) };
    store.commit(&batch).unwrap();
    drop(store);
    let (store, _) = JournalStore::open(disk, Options::default(), &mut Seeded::new(1)).unwrap();
    assert_eq!((store.tip().epoch, store.tip().epoch_id), (2, EpochId::from_bytes([8; 16])));
    assert_eq!(store.epochs().len(), 2);
}
