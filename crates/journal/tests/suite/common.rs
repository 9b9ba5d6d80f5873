//! Runs that the suites share: what is written, and what must be read back.

use chart::entropy::Entropy;
use chart::ids::EpochId;
use journal::{JournalStore, Options, Seeded, Vfs};
use store::{Batch, Key, NewEntry, Store};

/// Small segments, so that a short run has several.
pub(crate) const OPTIONS: Options = Options { segment_bytes: 3000, batch_bytes: store::BATCH_LIMIT };

/// What a run wants to write, in order.
pub(crate) fn script(seed: u64) -> Vec<Batch> {
    let mut seeded = Seeded::new(seed);
    let mut draw = |bound: u64| {
        let mut bytes = [0; 8];
        seeded.fill(&mut bytes);
        u64::from_le_bytes(bytes) % bound
    };
    (0..12u64)
        .map(|round| {
            let entries = (0..1 + draw(4))
                .map(|n| {
                    let len = if draw(6) == 0 { 600 + draw(1500) } else { draw(300) };
                    let bytes = (0..len).map(|_| draw(256) as u8).collect();
                    NewEntry { keys: vec![Key([n as u8; 16]); draw(3) as usize], bytes }
                })
                .collect();
            let new_epoch = (draw(7) == 0).then(|| EpochId::from_bytes([round as u8; 16]));
            Batch { entries, new_epoch }
        })
        .collect()
}

/// Writes the script until the disk refuses; returns how many batches were acknowledged.
pub(crate) fn run<V: Vfs>(vfs: V, script: &[Batch]) -> usize {
    let Ok((mut store, _)) = JournalStore::open(vfs, OPTIONS, &mut Seeded::new(1)) else { return 0 };
    let acknowledged = script.iter().take_while(|batch| store.commit(batch).is_ok()).count();
    if acknowledged == script.len() {
        let _ = store.close();
    }
    acknowledged
}

/// The entries of the first `batches` of a script, as they must be read back.
pub(crate) fn expected(script: &[Batch], batches: usize) -> Vec<journal::KeysAndBytes> {
    let entries = script[..batches].iter().flat_map(|batch| &batch.entries);
    entries.map(|entry| (entry.keys.clone(), entry.bytes.clone())).collect()
}
