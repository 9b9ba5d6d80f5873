//! The power goes at every point of a run, in every way the model knows; every acknowledged batch must
//! be there, whole and in order, never half a batch, and the store must be able to go on.

use std::io;

use crate::common::{OPTIONS, expected, run, script};
use journal::{Crash, Dirs, JournalStore, Seeded, SimDisk, Vfs, verify};
use store::{Batch, NewEntry, Store, StoreReader, StoredEntry};

/// Checks a disk after a crash; `Err` says what was broken.
fn survey<V: Vfs + Clone>(vfs: V, script: &[Batch], acknowledged: usize) -> Result<(), String> {
    let (mut store, report) =
        JournalStore::open(vfs.clone(), OPTIONS, &mut Seeded::new(2)).map_err(|error| error.to_string())?;
    let read: Vec<StoredEntry> = store.scan(0, usize::MAX).map_err(|error| error.to_string())?;
    let found: Vec<_> = read.into_iter().map(|entry| (entry.keys, entry.bytes)).collect();
    let whole = (acknowledged..=script.len().min(acknowledged + 1)).find(|n| expected(script, *n) == found);
    let Some(whole) = whole else {
        return Err(format!("{} entries after {acknowledged} acknowledged batches ({report})", found.len()));
    };
    if report.lost_tail.is_some() {
        return Err(format!("a plain crash was taken for a loss: {report}"));
    }
    let more = Batch { entries: vec![NewEntry { keys: vec![], bytes: vec![1, 2, 3] }], new_epoch: None };
    store.commit(&more).map_err(|error| format!("cannot go on: {error}"))?;
    let tip = store.tip();
    if tip.seq != expected(script, whole).len() as u64 + 1 {
        return Err("the numbers do not go on".to_owned());
    }
    let verified = verify(&vfs).map_err(|error| error.to_string())?;
    if verified.first_bad.is_some() || verified.tip != Some(tip) {
        return Err(format!("the chain does not verify: {verified:?}"));
    }
    Ok(())
}

/// Goes through crash states until there were `states` of them; returns how many, and the first few
/// that broke the promise.
fn sweep<V: Vfs + Clone>(states: u64, over: impl Fn(SimDisk) -> V) -> (u64, Vec<String>) {
    let (mut seen, mut broken) = (0, Vec::new());
    for seed in 0.. {
        let script = script(seed);
        let whole = SimDisk::default();
        assert_eq!(run(over(whole.clone()), &script), script.len());
        for dirs in [Dirs::Journal, Dirs::Strict] {
            for cut in 0..=whole.calls() {
                let disk = SimDisk::new(dirs);
                disk.cut_power_at(cut);
                let acknowledged = run(over(disk.clone()), &script);
                for mode in Crash::ALL {
                    let draws = if mode == Crash::Drop { 1 } else { 6 };
                    for draw in 0..draws {
                        let crashed = disk.snapshot();
                        crashed.crash(mode, &mut Seeded::new(seed * 7919 + cut * 31 + draw));
                        seen += 1;
                        if let Err(why) = survey(over(crashed), &script, acknowledged) {
                            broken.push(format!(
                                "seed {seed}, {dirs:?}, cut at call {cut}, {mode:?} {draw}: {why}"
                            ));
                        }
                    }
                }
                if seen >= states || broken.len() >= 5 {
                    return (seen, broken);
                }
            }
        }
    }
    (seen, broken)
}

#[test]
fn every_acknowledged_batch_survives_every_crash_state() {
    let wanted =
        std::env::var("GAITWAY_CRASH_STATES").ok().and_then(|text| text.parse().ok()).unwrap_or(100_000);
    let (seen, broken) = sweep(wanted, |disk| disk);
    assert_eq!(broken, Vec::<String>::new());
    assert!(seen >= wanted, "{seen} of {wanted} crash states");
    println!("{seen} crash states");
}

#[test]
fn a_crash_while_recovering_from_a_crash_loses_nothing() {
    let mut seen = 0;
    for seed in 0..3 {
        let script = script(seed);
        let whole = SimDisk::default();
        run(whole.clone(), &script);
        for cut in (0..whole.calls()).step_by(3) {
            for (n, mode) in (0..).zip(Crash::ALL) {
                let disk = SimDisk::new(if cut % 2 == 0 { Dirs::Journal } else { Dirs::Strict });
                disk.cut_power_at(cut);
                let acknowledged = run(disk.clone(), &script);
                disk.crash(mode, &mut Seeded::new(cut));
                let before = disk.calls();
                let _ = JournalStore::open(disk.snapshot(), OPTIONS, &mut Seeded::new(3));
                for again in 0..40 {
                    let second = disk.snapshot();
                    second.cut_power_at(before + again);
                    let _ = JournalStore::open(second.clone(), OPTIONS, &mut Seeded::new(3));
                    second.crash(Crash::ALL[(again as usize + n) % 4], &mut Seeded::new(again));
                    seen += 1;
                    let why = survey(second, &script, acknowledged);
                    assert_eq!(why, Ok(()), "seed {seed}, cut at {cut}, {mode:?}, again at {again}");
                }
            }
        }
    }
    assert!(seen > 2_000, "{seen}");
}

/// A disk that says yes to some syncs and does nothing.
#[derive(Clone)]
struct Lying {
    disk: SimDisk,
    data: bool,
    dir: bool,
}

impl Vfs for Lying {
    fn lock(&self) -> io::Result<()> {
        self.disk.lock()
    }
    fn place(&self) -> String {
        self.disk.place()
    }
    fn list(&self) -> io::Result<Vec<String>> {
        self.disk.list()
    }
    fn len(&self, name: &str) -> io::Result<Option<u64>> {
        self.disk.len(name)
    }
    fn create(&self, name: &str) -> io::Result<()> {
        self.disk.create(name)
    }
    fn read_at(&self, name: &str, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.disk.read_at(name, offset, buffer)
    }
    fn write_at(&self, name: &str, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.disk.write_at(name, offset, bytes)
    }
    fn truncate(&self, name: &str, len: u64) -> io::Result<()> {
        self.disk.truncate(name, len)
    }
    fn sync_data(&self, name: &str) -> io::Result<()> {
        if self.data { Ok(()) } else { self.disk.sync_data(name) }
    }
    fn sync_dir(&self) -> io::Result<()> {
        if self.dir { Ok(()) } else { self.disk.sync_dir() }
    }
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.disk.rename(from, to)
    }
    fn remove(&self, name: &str) -> io::Result<()> {
        self.disk.remove(name)
    }
}

#[test]
fn the_suite_finds_an_acknowledgement_before_the_sync() {
    let (seen, broken) = sweep(2_000, |disk| Lying { disk, data: true, dir: false });
    assert!(!broken.is_empty(), "{seen} states found nothing");
}

#[test]
fn the_suite_finds_a_missing_directory_sync() {
    let (seen, broken) = sweep(5_000, |disk| Lying { disk, data: false, dir: true });
    assert!(!broken.is_empty(), "{seen} states found nothing");
}
