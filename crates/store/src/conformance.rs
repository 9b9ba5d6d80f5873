//! The suite every back end must pass, compared step by step with the reference store. It opens,
//! writes and reopens; it never cuts the power (the journal's own suites do).
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test suite: a failed step is a failed test"
)]

use chart::ids::EpochId;

use crate::contract::{
    Batch, Chain, KEYS_LIMIT, Key, NewEntry, Store, StoreError, StoreReader, StoredEntry, chain_after,
};
use crate::memory::MemoryStore;

/// Opens the store under test: the first call on empty ground, every later one on what the one before
/// left behind (which has been dropped without any farewell).
pub type Open<'a> = dyn FnMut() -> Box<dyn Store> + 'a;

/// Runs every check; panics with the name of the promise that was broken. `open` must start on empty
/// ground.
pub fn check(open: &mut Open<'_>) {
    let mut store = open();
    starts_empty(store.as_mut());
    let mut model = MemoryStore::new(store.tip().epoch_id);
    empty_batches_write_nothing(store.as_mut(), &mut model);
    for round in 0..24u64 {
        let batch = sample_batch(round);
        let first = store.commit(&batch).unwrap();
        assert_eq!(first, model.commit(&batch).unwrap(), "a commit returns the number of its first entry");
        same_log(store.as_ref(), &model);
        if round % 6 == 5 {
            drop(store);
            store = open();
            same_log(store.as_ref(), &model);
        }
    }
    too_large_batches_change_nothing(store.as_mut(), &model);
    searches_keep_their_limits(store.as_ref(), &model);
    chain_is_continuous(store.as_ref());
    derived_values(store.as_mut());
    drop(store);
    let mut store = open();
    same_log(store.as_ref(), &model);
    if let Some(value) = store.kept(key(900)).unwrap() {
        assert_eq!(value, vec![7; 5000], "a kept value that survived is the one that was kept");
    }
    assert_eq!(store.kept(key(901)).unwrap(), None, "a forgotten value stays forgotten");
    let batch = sample_batch(77);
    assert_eq!(store.commit(&batch).unwrap(), model.commit(&batch).unwrap());
    same_log(store.as_ref(), &model);
}

/// Checks the latch: after `fail_next` the next commit must fail, every later one say so, reading go
/// on, and reopening lift it.
pub fn check_latching(open: &mut Open<'_>, fail_next: &mut dyn FnMut(&mut Box<dyn Store>)) {
    let mut store = open();
    store.commit(&sample_batch(1)).unwrap();
    let before = store.tip();
    fail_next(&mut store);
    assert!(
        matches!(store.commit(&sample_batch(2)), Err(StoreError::Disk { .. } | StoreError::Full)),
        "a commit the disk refused must fail"
    );
    for _ in 0..3 {
        assert!(
            matches!(store.commit(&sample_batch(3)), Err(StoreError::Latched)),
            "a failed commit latches"
        );
    }
    assert_eq!(store.tip(), before, "a failed commit moves nothing");
    assert_eq!(store.scan(0, 100).unwrap().len() as u64, before.seq, "a latched store still reads");
    drop(store);
    let mut store = open();
    assert!(store.tip().seq >= before.seq, "reopening keeps what was acknowledged");
    store.commit(&sample_batch(4)).unwrap();
}

/// A batch of one to four entries whose keys and sizes follow from `round`: every eighth begins an
/// epoch, every fifth entry is over 4 KiB, some have no keys, some several.
pub fn sample_batch(round: u64) -> Batch {
    let entries = (0..1 + round % 4).map(|n| sample_entry(round * 16 + n)).collect();
    let new_epoch = (round % 8 == 7).then(|| EpochId::from_bytes([round as u8; 16]));
    Batch { entries, new_epoch }
}

fn sample_entry(n: u64) -> NewEntry {
    let len = if n.is_multiple_of(5) { 4097 + n as usize } else { (n * 37 % 400) as usize };
    let bytes = (0..len).map(|at| (at as u64 * 31 + n) as u8).collect();
    let keys = match n % 4 {
        0 => vec![],
        1 => vec![key(1)],
        2 => vec![key(1), key(2 + n % 3)],
        _ => vec![key(2 + n % 3), key(1000 + n)],
    };
    NewEntry { keys, bytes }
}

fn key(n: u64) -> Key {
    let mut bytes = [0; 16];
    bytes[4..12].copy_from_slice(&n.to_be_bytes());
    Key(bytes)
}

fn starts_empty(store: &mut dyn Store) {
    let tip = store.tip();
    assert_eq!((tip.epoch, tip.seq, tip.chain), (1, 0, Chain::START), "a new log is empty, in epoch 1");
    assert_eq!(store.epochs().len(), 1, "a store knows its first epoch");
    assert_eq!(store.scan(0, 10).unwrap(), vec![]);
    assert_eq!(store.entry(1).unwrap(), None);
    assert_eq!(store.find(key(1), 0, 10).unwrap(), Vec::<u64>::new());
    assert_eq!(store.find_last(key(1), u64::MAX).unwrap(), None);
    assert_eq!(store.kept(key(1)).unwrap(), None);
}

fn empty_batches_write_nothing(store: &mut dyn Store, model: &mut MemoryStore) {
    assert_eq!(store.commit(&Batch::default()).unwrap(), 1, "an empty batch returns the next number");
    assert_eq!(store.tip().seq, 0, "an empty batch writes nothing");
    let batch = Batch { entries: vec![], new_epoch: Some(EpochId::from_bytes([9; 16])) };
    assert_eq!(store.commit(&batch).unwrap(), model.commit(&batch).unwrap());
    assert_eq!(store.tip(), model.tip(), "an epoch can begin without an entry");
}

fn same_log(store: &dyn Store, model: &MemoryStore) {
    assert_eq!(store.tip(), model.tip(), "the log ends where it was left");
    assert_eq!(store.epochs(), model.epochs(), "every epoch is known with its parent");
    assert_eq!(
        store.scan(0, usize::MAX).unwrap(),
        model.scan(0, usize::MAX).unwrap(),
        "every entry, in order"
    );
    for k in (0..6).chain(1000..1040) {
        let found = store.find(key(k), 0, usize::MAX).unwrap();
        assert_eq!(found, model.find(key(k), 0, usize::MAX).unwrap(), "entries are found under each key");
    }
}

fn too_large_batches_change_nothing(store: &mut dyn Store, model: &MemoryStore) {
    let entry = NewEntry { keys: vec![], bytes: vec![0; 17 * 1024 * 1024] };
    let batch = Batch { entries: vec![entry], new_epoch: None };
    assert!(
        matches!(store.commit(&batch), Err(StoreError::TooLarge { .. })),
        "an oversized batch is refused"
    );
    let entry = NewEntry { keys: vec![key(1); KEYS_LIMIT + 1], bytes: vec![] };
    let batch = Batch { entries: vec![entry], new_epoch: Some(EpochId::from_bytes([1; 16])) };
    assert!(matches!(store.commit(&batch), Err(StoreError::TooLarge { .. })), "too many keys are refused");
    same_log(store, model);
}

fn searches_keep_their_limits(store: &dyn Store, model: &MemoryStore) {
    let last = model.tip().seq;
    for after in (0..=last + 1).chain([u64::MAX - 1, u64::MAX]) {
        assert_eq!(store.entry(after).unwrap(), model.entry(after).unwrap());
        for limit in [0, 1, 3] {
            assert_eq!(
                store.scan(after, limit).unwrap(),
                model.scan(after, limit).unwrap(),
                "scan keeps to limits"
            );
        }
        for k in 0..6 {
            for limit in [0, 1, 2] {
                let found = store.find(key(k), after, limit).unwrap();
                assert_eq!(found, model.find(key(k), after, limit).unwrap(), "find keeps to its limits");
            }
            let found = store.find_last(key(k), after).unwrap();
            assert_eq!(found, model.find_last(key(k), after).unwrap(), "find_last does not pass its bound");
        }
    }
}

fn chain_is_continuous(store: &dyn Store) {
    let mut chain = Chain::START;
    for (at, StoredEntry { seq, keys, bytes, chain: stored, .. }) in
        store.scan(0, usize::MAX).unwrap().iter().enumerate()
    {
        assert_eq!(*seq, at as u64 + 1, "numbers have no gaps");
        chain = chain_after(chain, *seq, keys, bytes);
        assert_eq!(*stored, chain, "every entry carries the chain value after it");
    }
    assert_eq!(store.tip().chain, chain);
}

fn derived_values(store: &mut dyn Store) {
    store.keep(&[(key(900), Some(vec![1])), (key(901), Some(vec![2; 100_000])), (key(902), None)]).unwrap();
    assert_eq!(store.kept(key(901)).unwrap(), Some(vec![2; 100_000]), "a value just kept is there");
    store.keep(&[(key(900), Some(vec![7; 5000])), (key(901), None)]).unwrap();
    assert_eq!(store.kept(key(900)).unwrap(), Some(vec![7; 5000]), "the newer value replaces the older");
    assert_eq!(store.kept(key(901)).unwrap(), None, "a forgotten value is gone");
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use super::*;
    use crate::contract::{EpochStart, Retained, StoreReader, Tip};

    /// A store whose contents outlive it, as a disk's do.
    struct Shared(Rc<RefCell<MemoryStore>>);

    impl StoreReader for Shared {
        fn tip(&self) -> Tip {
            self.0.borrow().tip()
        }
        fn epochs(&self) -> Vec<EpochStart> {
            self.0.borrow().epochs()
        }
        fn entry(&self, seq: u64) -> Result<Option<StoredEntry>, StoreError> {
            self.0.borrow().entry(seq)
        }
        fn scan(&self, after: u64, limit: usize) -> Result<Vec<StoredEntry>, StoreError> {
            self.0.borrow().scan(after, limit)
        }
        fn find(&self, key: Key, after: u64, limit: usize) -> Result<Vec<u64>, StoreError> {
            self.0.borrow().find(key, after, limit)
        }
        fn find_last(&self, key: Key, at_most: u64) -> Result<Option<u64>, StoreError> {
            self.0.borrow().find_last(key, at_most)
        }
        fn kept(&self, key: Key) -> Result<Option<Vec<u8>>, StoreError> {
            self.0.borrow().kept(key)
        }
    }

    impl Store for Shared {
        fn commit(&mut self, batch: &Batch) -> Result<u64, StoreError> {
            self.0.borrow_mut().commit(batch)
        }
        fn keep(&mut self, values: &[Retained]) -> Result<(), StoreError> {
            self.0.borrow_mut().keep(values)
        }
    }

    fn shared() -> (Rc<RefCell<MemoryStore>>, impl FnMut() -> Box<dyn Store>) {
        let store = Rc::new(RefCell::new(MemoryStore::new(EpochId::from_bytes([3; 16]))));
        let disk = store.clone();
        (store, move || {
            disk.borrow_mut().reopen();
            Box::new(Shared(disk.clone()))
        })
    }

    #[test]
    fn the_reference_store_passes_its_own_suite() {
        let (_, mut open) = shared();
        check(&mut open);
    }

    #[test]
    fn the_reference_store_latches() {
        let (store, mut open) = shared();
        check_latching(&mut open, &mut |_| store.borrow_mut().fail_next_commit());
    }

    /// The net must catch fish: a store that skips an entry's second key does not pass.
    #[test]
    #[should_panic(expected = "entries are found under each key")]
    fn a_store_that_forgets_a_key_does_not_pass() {
        struct Forgetful(Shared);
        impl StoreReader for Forgetful {
            fn tip(&self) -> Tip {
                self.0.tip()
            }
            fn epochs(&self) -> Vec<EpochStart> {
                self.0.epochs()
            }
            fn entry(&self, seq: u64) -> Result<Option<StoredEntry>, StoreError> {
                self.0.entry(seq)
            }
            fn scan(&self, after: u64, limit: usize) -> Result<Vec<StoredEntry>, StoreError> {
                self.0.scan(after, limit)
            }
            fn find(&self, key: Key, after: u64, limit: usize) -> Result<Vec<u64>, StoreError> {
                let mut found = self.0.find(key, after, limit)?;
                found.retain(|seq| seq % 5 != 0);
                Ok(found)
            }
            fn find_last(&self, key: Key, at_most: u64) -> Result<Option<u64>, StoreError> {
                self.0.find_last(key, at_most)
            }
            fn kept(&self, key: Key) -> Result<Option<Vec<u8>>, StoreError> {
                self.0.kept(key)
            }
        }
        impl Store for Forgetful {
            fn commit(&mut self, batch: &Batch) -> Result<u64, StoreError> {
                self.0.commit(batch)
            }
            fn keep(&mut self, values: &[Retained]) -> Result<(), StoreError> {
                self.0.keep(values)
            }
        }
        let (store, _) = shared();
        check(&mut move || Box::new(Forgetful(Shared(store.clone()))));
    }
}
