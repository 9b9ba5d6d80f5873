//! Rot and hands on a closed journal: every flipped bit, every cut, missing, swapped and emptied files.
//! With a second copy everything comes back; without one it is reported. Never served wrong, never a
//! panic.

use std::collections::BTreeMap;

use crate::common::{OPTIONS, run, script};
use chart::ids::EpochId;
use journal::{JournalStore, RepairSource, Seeded, SimDisk, Vfs, verify};
use store::{EpochStart, Store, StoreReader, StoredEntry};

/// What the log held before the damage.
struct Whole {
    disk: SimDisk,
    entries: Vec<StoredEntry>,
    epochs: Vec<EpochStart>,
}

fn whole(seed: u64) -> Whole {
    let disk = SimDisk::default();
    let script = script(seed);
    assert_eq!(run(disk.clone(), &script), script.len());
    let (store, _) = JournalStore::open(disk.snapshot(), OPTIONS, &mut Seeded::new(1)).unwrap();
    Whole { disk, entries: store.scan(0, usize::MAX).unwrap(), epochs: store.epochs() }
}

/// A second copy in memory.
struct Second(BTreeMap<u64, (StoredEntry, EpochId)>);

impl RepairSource for Second {
    fn entry(&mut self, seq: u64) -> Option<(StoredEntry, EpochId)> {
        self.0.get(&seq).cloned()
    }
}

impl Whole {
    fn second(&self) -> Second {
        let id = |epoch| self.epochs.iter().find(|start| start.epoch == epoch).unwrap().epoch_id;
        Second(self.entries.iter().map(|entry| (entry.seq, (entry.clone(), id(entry.epoch)))).collect())
    }

    /// Opens a damaged copy without and with a second copy; returns what the first answered.
    fn check(&self, damage: impl Fn(&SimDisk), what: &str) -> &'static str {
        let alone = self.disk.snapshot();
        damage(&alone);
        // Only a file that is not part of the record may differ unnoticed.
        let noticed = !matches!(verify(&alone), Ok(verified) if verified.first_bad.is_none());
        let answer = match JournalStore::open(alone.snapshot(), OPTIONS, &mut Seeded::new(2)) {
            Err(_) => "refused",
            Ok((store, report)) => {
                let found = store.scan(0, usize::MAX).unwrap();
                assert!(self.entries.starts_with(&found), "{what}: wrong entries served");
                if found.len() < self.entries.len() {
                    assert!(
                        report.lost_tail.is_some() && report.new_epoch.is_some(),
                        "{what}: lost in silence"
                    );
                    "reported"
                } else {
                    "unharmed"
                }
            }
        };
        assert!(noticed || answer == "unharmed", "{what}: {answer}, but verifying saw nothing");
        let mended = self.disk.snapshot();
        damage(&mended);
        let (mut store, report) =
            JournalStore::open_with(mended.clone(), OPTIONS, &mut Seeded::new(2), &mut self.second())
                .unwrap_or_else(|error| panic!("{what}: {error}"));
        assert!(store.scan(0, usize::MAX).unwrap() == self.entries, "{what}: {report}");
        if noticed && answer != "unharmed" {
            assert!(!report.is_quiet(), "{what}: mended in silence");
        }
        let before = store.tip();
        store.commit(&script(99)[0]).unwrap();
        let verified = verify(&mended).unwrap();
        assert_eq!(verified.first_bad, None, "{what}");
        assert!(verified.tip.unwrap().seq > before.seq);
        answer
    }

    fn files(&self) -> Vec<String> {
        self.disk.list().unwrap()
    }

    fn segments(&self) -> Vec<String> {
        self.files().into_iter().filter(|name| name.ends_with(".seg")).collect()
    }
}

fn tally(answers: impl Iterator<Item = &'static str>) -> BTreeMap<&'static str, u32> {
    let mut tally = BTreeMap::new();
    answers.for_each(|answer| *tally.entry(answer).or_default() += 1);
    tally
}

#[test]
fn every_flipped_bit_is_mended_or_reported() {
    let whole = whole(5);
    let mut flips = Vec::new();
    for name in whole.files() {
        let bits = whole.disk.contents(&name).unwrap().len() as u64 * 8;
        // A step that is prime to 8 meets every bit of a byte and every field.
        flips.extend((0..bits).step_by(7).map(|bit| (name.clone(), bit)));
    }
    assert!(flips.len() > 5_000, "{}", flips.len());
    let tally = tally(flips.iter().map(|(name, bit)| {
        whole.check(|disk| assert!(disk.flip_bit(name, *bit)), &format!("{name}, bit {bit}"))
    }));
    println!("{tally:?} of {}", flips.len());
    assert!(tally["refused"] > 1_000, "{tally:?}");
}

#[test]
fn every_cut_file_is_mended_or_reported() {
    let whole = whole(6);
    for name in whole.files() {
        let bytes = whole.disk.contents(&name).unwrap();
        for len in (0..bytes.len()).step_by(11) {
            whole.check(|disk| disk.put(&name, &bytes[..len]), &format!("{name} cut at {len}"));
        }
    }
}

#[test]
fn missing_swapped_and_emptied_files_are_mended_or_reported() {
    let whole = whole(7);
    let segments = whole.segments();
    assert!(segments.len() >= 3);
    for name in &segments {
        let len = whole.disk.contents(name).unwrap().len();
        whole.check(|disk| disk.take_away(name), &format!("{name} missing"));
        whole.check(|disk| disk.put(name, &vec![0; len]), &format!("{name} all zeros"));
        whole.check(|disk| disk.put(name, b""), &format!("{name} empty"));
        let longer = [whole.disk.contents(name).unwrap(), vec![0xa5; 700]].concat();
        whole.check(|disk| disk.put(name, &longer), &format!("{name} with bytes added"));
    }
    for pair in segments.windows(2) {
        let swap = |disk: &SimDisk| {
            let (a, b) = (disk.contents(&pair[0]).unwrap(), disk.contents(&pair[1]).unwrap());
            disk.put(&pair[0], &b);
            disk.put(&pair[1], &a);
        };
        whole.check(swap, &format!("{pair:?} swapped"));
    }
    let answer =
        whole.check(|disk| segments.iter().for_each(|name| disk.take_away(name)), "all segments missing");
    assert_eq!(answer, "refused", "a journal that was there does not start again from nothing");
}

#[test]
fn a_loss_stays_known_through_a_crash_while_it_is_dealt_with() {
    let whole = whole(5);
    let damaged = whole.disk.snapshot();
    let last = whole.segments().pop().unwrap();
    let len = damaged.contents(&last).unwrap().len() as u64;
    damaged.put("mark", &[]);
    damaged.flip_bit(&last, len * 8 - 100);
    let before = damaged.calls();
    for cut in 0..40 {
        let disk = damaged.snapshot();
        disk.cut_power_at(before + cut);
        let _ = JournalStore::open(disk.clone(), OPTIONS, &mut Seeded::new(2));
        disk.crash(journal::Crash::ALL[cut as usize % 4], &mut Seeded::new(cut));
        let (store, report) = JournalStore::open(disk, OPTIONS, &mut Seeded::new(3)).unwrap();
        let known = report.new_epoch.is_some() || store.tip().epoch > whole.epochs.last().unwrap().epoch;
        assert!(known, "cut at {cut}: {report}");
    }
}
