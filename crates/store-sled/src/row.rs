//! The bytes of index rows, each with a checksum of its own. Touches no file.

use journal::{FrameEntry, Place};
use store::{Chain, Key};

use crate::limits::INLINE;

/// What a row says of an entry, without its record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) epoch: u32,
    pub(crate) chain: Chain,
    pub(crate) place: Place,
}

/// Where the second copy of an entry's record lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Copy {
    /// In the row itself.
    Inline(Vec<u8>),
    /// In this many pieces.
    Pieces(u32),
}

/// A row and its pieces, encoded.
pub(crate) struct Encoded {
    pub(crate) row: Vec<u8>,
    pub(crate) pieces: Vec<Vec<u8>>,
}

/// Puts a checksum over `name` and `value` before the value.
pub(crate) fn guarded(name: &[u8], value: &[u8]) -> Vec<u8> {
    let crc = crc32c::crc32c_append(crc32c::crc32c(name), value);
    [crc.to_le_bytes().as_slice(), value].concat()
}

/// Takes the checksum off; `None` if it does not fit.
pub(crate) fn unguarded<'a>(name: &[u8], stored: &'a [u8]) -> Option<&'a [u8]> {
    let (crc, value) = stored.split_first_chunk::<4>()?;
    (u32::from_le_bytes(*crc) == crc32c::crc32c_append(crc32c::crc32c(name), value)).then_some(value)
}

/// The name of a piece of an entry's record.
pub(crate) fn piece_name(seq: u64, piece: u32) -> [u8; 12] {
    let mut name = [0; 12];
    let bytes = seq.to_be_bytes().into_iter().chain(piece.to_be_bytes());
    name.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
    name
}

/// The name of an index key's row for an entry.
pub(crate) fn key_name(key: Key, seq: u64) -> [u8; 24] {
    let mut name = [0; 24];
    let bytes = key.0.into_iter().chain(seq.to_be_bytes());
    name.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
    name
}

/// The number at the end of an index key's row name.
pub(crate) fn seq_of(key_name: &[u8]) -> Option<u64> {
    key_name.last_chunk::<8>().map(|seq| u64::from_be_bytes(*seq))
}

/// Encodes an entry as a row: checksum ‖ epoch ‖ chain ‖ segment ‖ offset ‖ length ‖ pieces (0: the
/// record follows) ‖ record. A record is the number of keys ‖ keys ‖ bytes.
pub(crate) fn encode(epoch: u32, entry: &FrameEntry) -> Encoded {
    let mut record = (entry.keys.len() as u32).to_le_bytes().to_vec();
    entry.keys.iter().for_each(|key| record.extend_from_slice(&key.0));
    record.extend_from_slice(&entry.bytes);
    let mut row = epoch.to_le_bytes().to_vec();
    row.extend_from_slice(&entry.chain.0);
    row.extend_from_slice(&entry.place.segment.to_le_bytes());
    row.extend_from_slice(&entry.place.offset.to_le_bytes());
    row.extend_from_slice(&entry.place.len.to_le_bytes());
    let mut pieces = Vec::new();
    if record.len() > INLINE {
        for (n, piece) in (0..).zip(record.chunks(INLINE)) {
            pieces.push(guarded(&piece_name(entry.seq, n), piece));
        }
        row.extend_from_slice(&(pieces.len() as u32).to_le_bytes());
    } else {
        row.extend_from_slice(&0u32.to_le_bytes());
        row.extend_from_slice(&record);
    }
    Encoded { row: guarded(&entry.seq.to_be_bytes(), &row), pieces }
}

/// Reads a row; `None` if it is damaged.
pub(crate) fn decode(seq: u64, stored: &[u8]) -> Option<(Row, Copy)> {
    let value = unguarded(&seq.to_be_bytes(), stored)?;
    let (epoch, rest) = value.split_first_chunk::<4>()?;
    let (chain, rest) = rest.split_first_chunk::<32>()?;
    let (segment, rest) = rest.split_first_chunk::<8>()?;
    let (offset, rest) = rest.split_first_chunk::<8>()?;
    let (len, rest) = rest.split_first_chunk::<4>()?;
    let (pieces, record) = rest.split_first_chunk::<4>()?;
    let place = Place {
        segment: u64::from_le_bytes(*segment),
        offset: u64::from_le_bytes(*offset),
        len: u32::from_le_bytes(*len),
    };
    let row = Row { epoch: u32::from_le_bytes(*epoch), chain: Chain(*chain), place };
    let copy = match u32::from_le_bytes(*pieces) {
        0 => Copy::Inline(record.to_vec()),
        pieces => Copy::Pieces(pieces),
    };
    Some((row, copy))
}

/// Reads a record: keys and bytes.
pub(crate) fn decode_record(record: &[u8]) -> Option<journal::KeysAndBytes> {
    let (count, rest) = record.split_first_chunk::<4>()?;
    let len = usize::try_from(u32::from_le_bytes(*count)).ok()?.checked_mul(16)?;
    let (keys, bytes) = rest.split_at_checked(len)?;
    let keys = keys.chunks_exact(16).filter_map(|key| key.try_into().ok().map(Key)).collect();
    Some((keys, bytes.to_vec()))
}
