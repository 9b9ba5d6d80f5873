//! Opening a journal of damaged files. An input is a journal and what befalls its files: flipped bits,
//! cuts, zeros, foreign bytes, missing and swapped files. Whatever befalls it: opening answers, serves
//! only what was written, from the beginning and in order, and with a second copy serves everything.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use chart::ids::EpochId;
use journal::{JournalStore, RepairSource, Seeded, SimDisk, Vfs, verify};
use store::{EpochStart, Store, StoreReader, StoredEntry};

#[allow(dead_code, reason = "a part of the suite's runs is enough here")]
#[path = "../../crates/journal/tests/suite/common.rs"]
pub(crate) mod common;

use common::{OPTIONS, script};

/// What a journal held before the damage.
struct Whole {
    disk: SimDisk,
    files: Vec<String>,
    entries: Vec<StoredEntry>,
    epochs: Vec<EpochStart>,
}

fn journals() -> &'static [Whole] {
    static JOURNALS: OnceLock<Vec<Whole>> = OnceLock::new();
    JOURNALS.get_or_init(|| {
        let journal = |seed| {
            let disk = SimDisk::default();
            let script = script(seed);
            assert_eq!(common::run(disk.clone(), &script), script.len());
            let (store, _) = JournalStore::open(disk.snapshot(), OPTIONS, &mut Seeded::new(1)).unwrap();
            let files = disk.list().unwrap();
            Whole { files, entries: store.scan(0, usize::MAX).unwrap(), epochs: store.epochs(), disk }
        };
        [5, 6, 7, 8].map(journal).into()
    })
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

    fn file(&self, number: u8) -> &str {
        &self.files[usize::from(number) % self.files.len()]
    }

    /// One piece of damage; returns the files it touched.
    fn befall(&self, disk: &SimDisk, [how, file, low, high, value]: [u8; 5]) -> Vec<String> {
        let name = self.file(file);
        let Some(bytes) = disk.contents(name) else { return Vec::new() };
        let at = usize::from(u16::from_le_bytes([low, high])) % bytes.len().max(1);
        match how % 7 {
            0 => _ = disk.flip_bit(name, at as u64 * 8 + u64::from(value % 8)),
            1 => disk.put(name, &bytes[..at]),
            2 => {
                let end = (at + 1 + usize::from(value)).min(bytes.len());
                let mut bytes = bytes;
                bytes[at.min(end)..end].fill(0);
                disk.put(name, &bytes);
            }
            3 => {
                let mut bytes = bytes;
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = value;
                }
                disk.put(name, &bytes);
            }
            4 => disk.put(name, &[bytes, vec![value; 1 + at]].concat()),
            5 => disk.take_away(name),
            _ => {
                let other = self.file(value);
                let Some(theirs) = disk.contents(other) else { return Vec::new() };
                disk.put(name, &theirs);
                disk.put(other, &bytes);
                return vec![name.to_owned(), other.to_owned()];
            }
        }
        vec![name.to_owned()]
    }
}

pub(crate) fn run(input: &[u8]) -> String {
    let Some((number, rest)) = input.split_first() else { return "empty".to_owned() };
    let whole = &journals()[usize::from(*number) % journals().len()];
    let damaged = whole.disk.snapshot();
    let mut touched = Vec::new();
    for damage in rest.as_chunks::<5>().0.iter().take(6) {
        touched.extend(whole.befall(&damaged, *damage));
    }
    touched.sort();
    touched.dedup();
    let noticed = !matches!(verify(&damaged), Ok(verified) if verified.first_bad.is_none());
    let answer = match JournalStore::open(damaged.snapshot(), OPTIONS, &mut Seeded::new(2)) {
        Err(_) => "refused",
        Ok((store, report)) => {
            let found = store.scan(0, usize::MAX).unwrap();
            assert!(whole.entries.starts_with(&found), "wrong entries served");
            if found.len() == whole.entries.len() {
                "unharmed"
            } else {
                // Where the mark of the end is lost with the end itself, nobody can know of the loss.
                let known = report.lost_tail.is_some() && report.new_epoch.is_some();
                assert!(known || touched.len() > 1, "lost in silence");
                if known { "reported" } else { "cut" }
            }
        }
    };
    assert!(noticed || answer == "unharmed" || touched.len() > 1, "{answer}, but verifying saw nothing");
    let mended = damaged;
    match JournalStore::open_with(mended.clone(), OPTIONS, &mut Seeded::new(2), &mut whole.second()) {
        Ok((mut store, _)) => {
            assert!(store.scan(0, usize::MAX).unwrap() == whole.entries, "a second copy did not mend it");
            store.commit(&script(99)[0]).unwrap();
            assert_eq!(verify(&mended).unwrap().first_bad, None);
        }
        Err(error) => assert!(touched.len() > 1, "with a second copy: {error}"),
    }
    answer.to_owned()
}

pub(crate) fn seeds() -> Vec<(String, Vec<u8>)> {
    let mut seeds = vec![("whole".to_owned(), vec![0])];
    let names = ["bit", "cut", "zeros", "byte", "longer", "missing", "swapped"];
    for (how, name) in (0u8..).zip(names) {
        for file in 0..4u8 {
            let input = vec![file, how, file, 0x21, 0x03 * file, 0x15 + file];
            seeds.push((format!("{name}-{file}"), input));
        }
    }
    seeds.push(("several".to_owned(), vec![1, 0, 0, 9, 1, 3, 1, 1, 200, 2, 0, 2, 2, 50, 0, 60]));
    seeds
}
