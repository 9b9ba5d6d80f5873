//! Opening a store, journal and index, of damaged files. An input says what befalls which of its files: flipped
//! bits, cuts, zeros, foreign bytes, longer, missing and swapped ones. Whatever befalls it: opening answers and
//! serves only what was written, from the beginning and in order. Where only one file is touched nothing is
//! lost and the store takes the next batch.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use journal::Seeded;
use store::{Store, StoreReader, StoredEntry};
use store_sled::{Options, SledStore};

use crate::journal::common::script;

/// What a store held before the damage, by file.
struct Whole {
    files: Vec<(PathBuf, Vec<u8>)>,
    entries: Vec<StoredEntry>,
}

fn options() -> Options {
    let journal = journal::Options { segment_bytes: 6_000, ..journal::Options::default() };
    Options { journal, checkpoint_bytes: 5_000, cache_bytes: 1 << 20, reserve_bytes: 0, full_check: false }
}

fn whole() -> &'static Whole {
    static WHOLE: OnceLock<Whole> = OnceLock::new();
    WHOLE.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let (mut store, _) = SledStore::open(dir.path(), options(), &mut Seeded::new(1)).unwrap();
        for batch in script(5) {
            store.commit(&batch).unwrap();
        }
        let entries = store.scan(0, usize::MAX).unwrap();
        store.close().unwrap();
        let mut files = Vec::new();
        read(dir.path(), dir.path(), &mut files);
        // Locks and files that are empty anyhow carry nothing that could rot.
        files.retain(|(name, bytes)| !bytes.is_empty() && !name.ends_with("lock"));
        files.sort();
        Whole { files, entries }
    })
}

fn read(root: &Path, dir: &Path, files: &mut Vec<(PathBuf, Vec<u8>)>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read(root, &path, files);
        } else {
            files.push((path.strip_prefix(root).unwrap().to_owned(), std::fs::read(&path).unwrap()));
        }
    }
}

/// One piece of damage to files in memory; returns the places of those it touched.
fn befall(files: &mut [Option<Vec<u8>>], [how, file, low, high, value]: [u8; 5]) -> Vec<usize> {
    let place = usize::from(file) % files.len();
    let Some(bytes) = &mut files[place] else { return Vec::new() };
    let at = usize::from(u16::from_le_bytes([low, high])) % bytes.len().max(1);
    match how % 7 {
        0 | 3 if bytes.is_empty() => {}
        0 => bytes[at] ^= 1 << (value % 8),
        1 => bytes.truncate(at),
        2 => {
            let end = (at + 1 + usize::from(value)).min(bytes.len());
            bytes[at.min(end)..end].fill(0);
        }
        3 => bytes[at] = value,
        4 => bytes.extend(vec![value; 1 + at]),
        5 => files[place] = None,
        _ => {
            let other = usize::from(value) % files.len();
            files.swap(place, other);
            return vec![place, other];
        }
    }
    vec![place]
}

pub(crate) fn run(input: &[u8]) -> String {
    let whole = whole();
    let mut files: Vec<Option<Vec<u8>>> = whole.files.iter().map(|(_, bytes)| Some(bytes.clone())).collect();
    let mut touched: Vec<usize> = Vec::new();
    for damage in input.as_chunks::<5>().0.iter().take(4) {
        touched.extend(befall(&mut files, *damage));
    }
    touched.sort_unstable();
    touched.dedup();
    let dir = tempfile::tempdir().unwrap();
    for ((name, _), bytes) in whole.files.iter().zip(&files) {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        if let Some(bytes) = bytes {
            std::fs::write(path, bytes).unwrap();
        }
    }
    match SledStore::open(dir.path(), options(), &mut Seeded::new(2)) {
        Err(error) => {
            assert!(touched.len() > 1, "one damaged file costs the store: {error}");
            "refused".to_owned()
        }
        Ok((mut store, report)) => {
            let found = store.scan(0, usize::MAX).unwrap();
            assert!(whole.entries.starts_with(&found), "wrong entries served: {report}");
            let all = found.len() == whole.entries.len();
            assert!(all || touched.len() > 1, "one damaged file loses entries: {report}");
            for entry in &found {
                for key in &entry.keys {
                    assert!(
                        store.find(*key, entry.seq - 1, 1).unwrap() == [entry.seq],
                        "not found: {report}"
                    );
                }
            }
            store.commit(&script(99)[0]).unwrap();
            let quiet = report.sentences().is_empty();
            let word = match (all, quiet) {
                (true, true) => "unharmed",
                (true, false) => "mended",
                (false, false) => "reported",
                (false, true) => "cut",
            };
            word.to_owned()
        }
    }
}

pub(crate) fn seeds() -> Vec<(String, Vec<u8>)> {
    let mut seeds = vec![("whole".to_owned(), vec![0])];
    let names = ["bit", "cut", "zeros", "byte", "longer", "missing", "swapped"];
    for (how, name) in (0u8..).zip(names) {
        for file in 0..6u8 {
            seeds.push((format!("{name}-{file}"), vec![how, file, 0x21, 0x03 * file, 0x15 + file]));
        }
    }
    seeds.push(("several".to_owned(), vec![0, 0, 9, 1, 3, 1, 1, 200, 2, 0, 2, 2, 50, 0, 60]));
    seeds
}
