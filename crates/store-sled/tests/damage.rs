//! Bits flip and files are cut in a store that was closed in order: everything is intact when it is
//! opened again, or it is reported; never served wrong, never a panic out of opening.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests: a failed step is a failed test"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use chart::entropy::Entropy;
use journal::Seeded;
use store::{MemoryStore, Store, StoreReader, conformance};
use store_sled::{OpenReport, Options, SledStore};

fn options() -> Options {
    let journal = journal::Options { segment_bytes: 60_000, ..journal::Options::default() };
    Options { journal, checkpoint_bytes: 50_000, cache_bytes: 8 << 20, reserve_bytes: 0, full_check: false }
}

struct Whole {
    dir: tempfile::TempDir,
    model: MemoryStore,
}

fn whole() -> Whole {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) = SledStore::open(dir.path(), options(), &mut Seeded::new(1)).unwrap();
    let mut model = MemoryStore::new(store.tip().epoch_id);
    for round in 0..60 {
        let batch = conformance::sample_batch(round);
        store.commit(&batch).unwrap();
        model.commit(&batch).unwrap();
    }
    store.close().unwrap();
    Whole { dir, model }
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push(path),
        }
    }
    found.sort();
    found
}

fn copy(from: &Path, to: &Path) {
    for path in files(from) {
        let target = to.join(path.strip_prefix(from).unwrap());
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        std::fs::copy(&path, target).unwrap();
    }
}

impl Whole {
    /// The files that rot may meet, by what they are; empty files and locks left out.
    fn targets(&self, journal: bool) -> Vec<PathBuf> {
        let names = files(self.dir.path())
            .into_iter()
            .map(|path| path.strip_prefix(self.dir.path()).unwrap().to_owned());
        names
            .filter(|name| name.starts_with("journal") == journal && !name.ends_with("lock"))
            .filter(|name| std::fs::metadata(self.dir.path().join(name)).unwrap().len() > 0)
            .collect()
    }

    /// Damages a copy and opens it; what it then answers, in one word.
    fn check(&self, what: &str, damage: impl FnOnce(&Path)) -> &'static str {
        let dir = tempfile::tempdir().unwrap();
        copy(self.dir.path(), dir.path());
        damage(dir.path());
        match SledStore::open(dir.path(), options(), &mut Seeded::new(2)) {
            Err(error) => {
                eprintln!("{what}: {error}");
                "refused"
            }
            Ok((store, report)) => self.compare(what, store, &report),
        }
    }

    fn compare(&self, what: &str, mut store: SledStore, report: &OpenReport) -> &'static str {
        assert_eq!(store.tip(), self.model.tip(), "{what}: {report}");
        let entries = self.model.scan(0, usize::MAX).unwrap();
        assert!(store.scan(0, usize::MAX).unwrap() == entries, "{what}: entries differ ({report})");
        for key in entries.iter().flat_map(|entry| &entry.keys) {
            let found = store.find(*key, 0, usize::MAX).unwrap();
            assert_eq!(found, self.model.find(*key, 0, usize::MAX).unwrap(), "{what}: {report}");
        }
        store.commit(&conformance::sample_batch(61)).unwrap();
        if report.sentences().is_empty() { "unharmed" } else { "mended" }
    }
}

fn number(seeded: &mut Seeded, bound: usize) -> usize {
    let mut bytes = [0; 8];
    seeded.fill(&mut bytes);
    (u64::from_le_bytes(bytes) % bound as u64) as usize
}

fn tally(answers: impl Iterator<Item = &'static str>) -> BTreeMap<&'static str, u32> {
    let mut tally = BTreeMap::new();
    answers.for_each(|answer| *tally.entry(answer).or_default() += 1);
    tally
}

fn flips() -> usize {
    std::env::var("GAITWAY_BIT_FLIPS").ok().and_then(|text| text.parse().ok()).unwrap_or(200)
}

#[test]
fn every_flipped_bit_is_mended() {
    let whole = whole();
    let mut seeded = Seeded::new(7);
    let answers = (0..flips()).map(|n| {
        let targets = whole.targets(n % 2 == 0);
        let name = targets[number(&mut seeded, targets.len())].clone();
        let bytes = std::fs::read(whole.dir.path().join(&name)).unwrap();
        // A byte that carries something, as far as there are any: index files are mostly zeros.
        let carrying: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at] != 0).collect();
        let at = carrying[number(&mut seeded, carrying.len())];
        let bit = number(&mut seeded, 8);
        whole.check(&format!("{} byte {at} bit {bit}", name.display()), |dir| {
            let mut bytes = bytes.clone();
            bytes[at] ^= 1 << bit;
            std::fs::write(dir.join(&name), bytes).unwrap();
        })
    });
    let tally = tally(answers);
    println!("{tally:?}");
    assert_eq!(tally.get("refused"), None, "one flipped bit never costs the store: {tally:?}");
    assert!(tally["mended"] as usize > flips() / 3, "{tally:?}");
}

#[test]
fn cut_zeroed_and_missing_files_are_mended() {
    let whole = whole();
    let mut seeded = Seeded::new(8);
    let mut answers = Vec::new();
    for name in whole.targets(true).into_iter().chain(whole.targets(false)) {
        let bytes = std::fs::read(whole.dir.path().join(&name)).unwrap();
        let cut = number(&mut seeded, bytes.len());
        let variants = [
            ("cut", Some(bytes[..cut].to_vec())),
            ("empty", Some(vec![])),
            ("zeros", Some(vec![0; bytes.len()])),
            ("missing", None),
        ];
        for (how, bytes) in variants {
            answers.push(whole.check(&format!("{} {how} ({cut})", name.display()), |dir| match bytes {
                Some(bytes) => std::fs::write(dir.join(&name), bytes).unwrap(),
                None => std::fs::remove_file(dir.join(&name)).unwrap(),
            }));
        }
    }
    let tally = tally(answers.into_iter());
    println!("{tally:?}");
    assert_eq!(tally.get("refused"), None, "{tally:?}");
}

#[test]
fn a_copy_of_a_running_store_holds_everything_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) = SledStore::open(dir.path(), options(), &mut Seeded::new(1)).unwrap();
    let mut model = MemoryStore::new(store.tip().epoch_id);
    for round in 0..60 {
        let batch = conformance::sample_batch(round);
        store.commit(&batch).unwrap();
        model.commit(&batch).unwrap();
        if round % 7 == 0 {
            let taken = tempfile::tempdir().unwrap();
            copy(dir.path(), taken.path());
            let (copied, report) = SledStore::open(taken.path(), options(), &mut Seeded::new(2)).unwrap();
            assert!(report.journal.is_quiet(), "{report}");
            assert_eq!(copied.tip(), model.tip());
            assert!(copied.scan(0, usize::MAX).unwrap() == model.scan(0, usize::MAX).unwrap());
        }
    }
}
