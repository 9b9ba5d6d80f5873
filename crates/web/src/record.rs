//! The tablet's log as the browser keeps it: one record for each batch, added and never altered, and the
//! whole of it in memory, because the machine reads without waiting and a browser's store does not.
//! Touches no store: the worker does, and tells when a record is durable.

use chart::ids::EpochId;
use minicbor::{Decoder, Encoder};
use store::{Batch, Key, MemoryStore, NewEntry, Store, StoreError};

/// The format of records this version writes.
const FORMAT: u8 = 1;

/// The log in memory.
pub(crate) struct Log {
    pub(crate) store: MemoryStore,
}

impl Log {
    /// An empty log; the id is the same at every opening of one log.
    pub(crate) fn new(epoch_id: [u8; 16]) -> Self {
        Self { store: MemoryStore::new(EpochId::from_bytes(epoch_id)) }
    }

    /// Takes a batch that is durable; says the number of its first entry.
    pub(crate) fn add(&mut self, batch: &Batch) -> Result<u64, StoreError> {
        self.store.commit(batch)
    }
}

/// A batch as a record.
pub(crate) fn encode(batch: &Batch) -> Vec<u8> {
    let mut out = Encoder::new(Vec::new());
    // Writing to memory cannot fail.
    let _ = out.array(2).and_then(|out| out.u8(FORMAT)).and_then(|out| out.array(batch.entries.len() as u64));
    for entry in &batch.entries {
        let _ = out.array(2).and_then(|out| out.array(entry.keys.len() as u64));
        for key in &entry.keys {
            let _ = out.bytes(&key.0);
        }
        let _ = out.bytes(&entry.bytes);
    }
    out.into_writer()
}

/// Reads a record.
///
/// # Errors
/// One sentence when it is none, or a newer version wrote it.
pub(crate) fn decode(record: &[u8]) -> Result<Batch, String> {
    let mut d = Decoder::new(record);
    let damaged = |_| "this tablet's log is damaged".to_owned();
    d.array().map_err(damaged)?;
    if d.u8().map_err(damaged)? != FORMAT {
        return Err("this tablet's log was written by a newer version of the app: update the app".to_owned());
    }
    let mut batch = Batch::default();
    for _ in 0..d.array().map_err(damaged)?.unwrap_or(0) {
        d.array().map_err(damaged)?;
        let mut keys = Vec::new();
        for _ in 0..d.array().map_err(damaged)?.unwrap_or(0) {
            let key = d.bytes().map_err(damaged)?.try_into();
            keys.push(Key(key.map_err(|_| "this tablet's log is damaged".to_owned())?));
        }
        batch.entries.push(NewEntry { keys, bytes: d.bytes().map_err(damaged)?.to_vec() });
    }
    Ok(batch)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch() -> Batch {
        let entry = |keys: &[u8], bytes: &[u8]| NewEntry {
            keys: keys.iter().map(|byte| Key([*byte; 16])).collect(),
            bytes: bytes.to_vec(),
        };
        Batch { entries: vec![entry(&[1, 2], b"sealed"), entry(&[], b"")], new_epoch: None }
    }

    #[test]
    fn a_batch_comes_back_as_it_went() {
        assert_eq!(decode(&encode(&batch())), Ok(batch()));
    }

    #[test]
    fn a_record_cut_short_or_of_a_newer_version_is_refused() {
        let record = encode(&batch());
        for end in 0..record.len() {
            assert!(decode(&record[..end]).is_err(), "{end}");
        }
        let mut newer = record;
        newer[1] = FORMAT + 1;
        assert!(decode(&newer).unwrap_err().contains("newer version"));
    }
}
