//! Every call to the disk fails once: the store latches, keeps what it acknowledged, and goes on when
//! it is opened again, even through a power cut after a sync that had failed.

use crate::common::{OPTIONS, expected, script};
use journal::{Crash, Dirs, Fault, JournalStore, Seeded, SimDisk, verify};
use store::{Batch, Store, StoreError, StoreReader};

/// Writes a script with one call failing; after a refusal every further commit must be refused too.
/// Returns the batches acknowledged, and whether anything was refused.
fn run_with_fault(disk: &SimDisk, script: &[Batch]) -> (usize, bool) {
    let Ok((mut store, _)) = JournalStore::open(disk.clone(), OPTIONS, &mut Seeded::new(1)) else {
        return (0, true);
    };
    for (done, batch) in script.iter().enumerate() {
        let Err(error) = store.commit(batch) else { continue };
        assert!(matches!(error, StoreError::Disk { .. } | StoreError::Full), "{error:?}");
        assert!(matches!(store.commit(batch), Err(StoreError::Latched)), "a refused write latches");
        assert_eq!(store.scan(0, usize::MAX).unwrap().len(), expected(script, done).len());
        return (done, true);
    }
    let refused = store.close().is_err();
    (script.len(), refused)
}

/// Opens the disk, checks what is there, and writes the rest of the script.
fn go_on(disk: &SimDisk, script: &[Batch], acknowledged: usize) {
    let (mut store, report) = JournalStore::open(disk.clone(), OPTIONS, &mut Seeded::new(2)).unwrap();
    assert!(report.lost_tail.is_none(), "{report}");
    let count = store.tip().seq as usize;
    let whole = (acknowledged..=script.len()).find(|n| expected(script, *n).len() == count).unwrap();
    assert!(whole <= acknowledged + 1, "only the batch in flight may be there beside the acknowledged ones");
    for batch in &script[whole..] {
        store.commit(batch).unwrap();
    }
    drop(store);
}

fn all_there(disk: &SimDisk, script: &[Batch], context: &str) {
    let (store, _) = JournalStore::open(disk.clone(), OPTIONS, &mut Seeded::new(3)).unwrap();
    let found: Vec<_> =
        store.scan(0, usize::MAX).unwrap().into_iter().map(|entry| (entry.keys, entry.bytes)).collect();
    assert!(found == expected(script, script.len()), "{context}: {} entries", found.len());
    assert_eq!(verify(disk).unwrap().first_bad, None, "{context}");
}

#[test]
fn every_call_fails_once_and_nothing_acknowledged_is_lost() {
    let mut refused_runs = 0;
    for seed in 0..4 {
        let script = script(seed);
        let whole = SimDisk::default();
        run_with_fault(&whole, &script);
        for call in 0..whole.calls() {
            for fault in [Fault::Io, Fault::Full, Fault::ShortWrite] {
                for dirs in [Dirs::Journal, Dirs::Strict] {
                    let disk = SimDisk::new(dirs);
                    disk.fail_call(call, fault);
                    let (acknowledged, refused) = run_with_fault(&disk, &script);
                    refused_runs += u32::from(refused);
                    let context = format!("seed {seed}, call {call}, {fault:?}, {dirs:?}");
                    // Opened again at once, and opened again after the power went.
                    for crash in [None, Some(Crash::Drop), Some(Crash::Torn)] {
                        let disk = disk.snapshot();
                        if let Some(mode) = crash {
                            disk.crash(mode, &mut Seeded::new(call));
                        }
                        go_on(&disk, &script, acknowledged);
                        // Whatever was acknowledged since must not rest on bytes a failed sync lost.
                        disk.crash(Crash::Drop, &mut Seeded::new(call));
                        all_there(&disk, &script, &context);
                    }
                }
            }
        }
    }
    assert!(refused_runs > 1_000, "{refused_runs} runs met their fault");
}
