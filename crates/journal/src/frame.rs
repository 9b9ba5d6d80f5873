//! The bytes of a journal: segment headers, frames, entry records and marks. Encodes and decodes;
//! touches no file. All numbers are little-endian; see docs/storage.md for the layout.

use chart::ids::EpochId;
use store::{Chain, EpochStart, Key, NewEntry, Tip, chain_after};

/// The format this version writes, and the newest it reads.
pub const FORMAT: u8 = 1;
/// Bytes of a segment's header.
pub(crate) const SEGMENT_HEADER: usize = 80;
/// Bytes of a frame's header.
pub(crate) const FRAME_HEADER: usize = 84;
/// Bytes of an entry record beside its keys and its bytes.
pub(crate) const ENTRY_OVERHEAD: usize = 10;

const SEGMENT_MAGIC: [u8; 4] = *b"GWJS";
const FRAME_MAGIC: [u8; 4] = *b"GWJF";
const MARK_MAGIC: [u8; 4] = *b"GWJM";
const BATCH: u8 = 1;

/// Where an entry's record lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The segment's number.
    pub segment: u64,
    /// The record's first byte in the segment's file.
    pub offset: u64,
    /// The record's length in bytes.
    pub len: u32,
}

/// A place between two frames and the state of the log there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The segment's number.
    pub segment: u64,
    /// Where the next frame begins in the segment's file.
    pub offset: u64,
    /// Where the log ends there.
    pub tip: Tip,
}

/// Why bytes are no frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bad {
    /// They end before the frame does, and its header (as far as it goes) is sound or not there.
    Short,
    /// A checksum or a length does not fit.
    Checksum,
    /// A newer version wrote them.
    Newer(u8),
}

/// An entry's keys and its bytes.
pub type KeysAndBytes = (Vec<Key>, Vec<u8>);

/// What a frame's header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FrameHead {
    pub(crate) body_len: u32,
    pub(crate) count: u32,
    pub(crate) epoch: u32,
    pub(crate) epoch_id: EpochId,
    pub(crate) first_seq: u64,
    pub(crate) before: Chain,
    body_crc: u32,
}

/// What a segment's header says: its number and the state of the log before its first frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentHead {
    pub(crate) number: u64,
    pub(crate) tip: Tip,
}

/// An entry as read from a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrameEntry {
    /// Its number.
    pub seq: u64,
    /// Its keys.
    pub keys: Vec<Key>,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// The chain value after it.
    pub chain: Chain,
    /// Where its record lies.
    pub place: Place,
}

/// A frame as read: one batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The epoch it was written in.
    pub epoch: u32,
    /// That epoch's id.
    pub epoch_id: EpochId,
    /// Its entries, in order.
    pub entries: Vec<FrameEntry>,
    /// The place after it.
    pub end: Mark,
}

impl FrameHead {
    /// Decodes a header; `bytes` may be shorter than one.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Bad> {
        let Some(head) = bytes.get(..FRAME_HEADER) else { return Err(Bad::Short) };
        let mut from = checked(head, FRAME_MAGIC)?;
        let kind = from.byte()?;
        if kind != BATCH {
            return Err(Bad::Newer(kind));
        }
        from.skip(2)?;
        Ok(Self {
            body_len: from.u32()?,
            count: from.u32()?,
            epoch: from.u32()?,
            first_seq: from.u64()?,
            epoch_id: EpochId::from_bytes(from.array()?),
            before: Chain(from.array()?),
            body_crc: from.u32()?,
        })
    }

    /// The whole frame's length in bytes, with the zeros that fill it up to a multiple of 8.
    ///
    /// Frames begin at multiples of 8, so the part of a frame in any sector is 8 bytes or more: enough to
    /// tell a sector that was never written from one that was.
    pub(crate) fn frame_len(&self) -> u64 {
        (FRAME_HEADER as u64).saturating_add(u64::from(self.body_len)).next_multiple_of(8)
    }

    /// The length of what follows the header.
    pub(crate) fn rest_len(&self) -> usize {
        usize::try_from(self.frame_len()).unwrap_or(usize::MAX).saturating_sub(FRAME_HEADER)
    }

    /// Decodes what follows the header into entries; `at` is the frame's first byte.
    pub(crate) fn decode_rest(&self, rest: &[u8], segment: u64, at: u64) -> Result<Frame, Bad> {
        let (body, filling) = rest.split_at_checked(self.body_len as usize).ok_or(Bad::Checksum)?;
        let filled = rest.len() == self.rest_len() && filling.iter().all(|byte| *byte == 0);
        if !filled || crc32c::crc32c(body) != self.body_crc {
            return Err(Bad::Checksum);
        }
        let mut from = Cursor(body);
        let mut entries = Vec::new();
        let mut tip = Tip {
            epoch: self.epoch,
            epoch_id: self.epoch_id,
            seq: self.first_seq.checked_sub(1).ok_or(Bad::Checksum)?,
            chain: self.before,
        };
        for _ in 0..self.count {
            let seq = tip.seq.checked_add(1).ok_or(Bad::Checksum)?;
            let rest = from.0;
            let offset =
                at.saturating_add(FRAME_HEADER as u64).saturating_add((body.len() - rest.len()) as u64);
            let (keys, bytes) = decode_record(&mut from, seq)?;
            let len = u32::try_from(rest.len() - from.0.len()).map_err(|_| Bad::Checksum)?;
            tip.chain = chain_after(tip.chain, seq, &keys, &bytes);
            tip.seq = seq;
            entries.push(FrameEntry {
                seq,
                keys,
                bytes,
                chain: tip.chain,
                place: Place { segment, offset, len },
            });
        }
        if !from.0.is_empty() {
            return Err(Bad::Checksum);
        }
        let offset = at.saturating_add(self.frame_len());
        Ok(Frame { epoch: self.epoch, epoch_id: self.epoch_id, entries, end: Mark { segment, offset, tip } })
    }
}

/// Encodes a frame that follows `before` in the epoch named by `epoch` and `epoch_id`.
///
/// The caller keeps entries within the limits of a batch, so every length fits its field.
pub(crate) fn encode_frame(before: &Tip, epoch: u32, epoch_id: EpochId, entries: &[NewEntry]) -> Vec<u8> {
    let mut body = Vec::new();
    let mut seq = before.seq;
    for entry in entries {
        seq = seq.saturating_add(1);
        encode_record(&mut body, seq, &entry.keys, &entry.bytes);
    }
    let mut out = Vec::with_capacity(FRAME_HEADER + body.len());
    out.extend_from_slice(&FRAME_MAGIC);
    out.extend_from_slice(&[FORMAT, BATCH, 0, 0]);
    out.extend_from_slice(&(body.len() as u32).to_le_bytes());
    out.extend_from_slice(&(entries.len() as u32).to_le_bytes());
    out.extend_from_slice(&epoch.to_le_bytes());
    out.extend_from_slice(&before.seq.saturating_add(1).to_le_bytes());
    out.extend_from_slice(epoch_id.as_bytes());
    out.extend_from_slice(&before.chain.0);
    out.extend_from_slice(&crc32c::crc32c(&body).to_le_bytes());
    seal(&mut out);
    out.extend_from_slice(&body);
    out.resize(out.len().next_multiple_of(8), 0);
    out
}

fn encode_record(out: &mut Vec<u8>, seq: u64, keys: &[Key], bytes: &[u8]) {
    let start = out.len();
    out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    out.extend_from_slice(&(keys.len() as u16).to_le_bytes());
    for key in keys {
        out.extend_from_slice(&key.0);
    }
    out.extend_from_slice(bytes);
    let crc = record_crc(seq, out.get(start..).unwrap_or_default());
    out.extend_from_slice(&crc.to_le_bytes());
}

fn record_crc(seq: u64, record: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&seq.to_le_bytes()), record)
}

fn decode_record(from: &mut Cursor<'_>, seq: u64) -> Result<KeysAndBytes, Bad> {
    let whole = from.0;
    let len = from.u32()?;
    let keys = from.u16()?;
    let keys = (0..keys).map(|_| from.array().map(Key)).collect::<Result<Vec<_>, _>>()?;
    let bytes = from.take(len as usize)?.to_vec();
    let covered = whole.get(..whole.len() - from.0.len()).unwrap_or_default();
    if from.u32()? != record_crc(seq, covered) {
        return Err(Bad::Checksum);
    }
    Ok((keys, bytes))
}

/// Decodes one entry's record on its own; `None` if it is damaged or another entry's.
pub(crate) fn decode_alone(record: &[u8], seq: u64) -> Option<KeysAndBytes> {
    let mut from = Cursor(record);
    let found = decode_record(&mut from, seq).ok()?;
    from.0.is_empty().then_some(found)
}

impl SegmentHead {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = SEGMENT_MAGIC.to_vec();
        out.extend_from_slice(&[FORMAT, 0, 0, 0]);
        out.extend_from_slice(&self.number.to_le_bytes());
        encode_tip(&mut out, &self.tip);
        seal(&mut out);
        out
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Bad> {
        let Some(head) = bytes.get(..SEGMENT_HEADER) else { return Err(Bad::Short) };
        let mut from = checked(head, SEGMENT_MAGIC)?;
        from.skip(3)?;
        Ok(Self { number: from.u64()?, tip: decode_tip(&mut from)? })
    }
}

impl Mark {
    /// The mark as 88 bytes with a checksum of their own.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = MARK_MAGIC.to_vec();
        out.extend_from_slice(&[FORMAT, 0, 0, 0]);
        out.extend_from_slice(&self.segment.to_le_bytes());
        out.extend_from_slice(&self.offset.to_le_bytes());
        encode_tip(&mut out, &self.tip);
        seal(&mut out);
        out
    }

    /// Reads a mark; `None` if the bytes are not one.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut from = checked(bytes, MARK_MAGIC).ok()?;
        from.skip(3).ok()?;
        let (segment, offset) = (from.u64().ok()?, from.u64().ok()?);
        let tip = decode_tip(&mut from).ok()?;
        from.0.is_empty().then_some(Self { segment, offset, tip })
    }
}

/// An epoch's start as 60 bytes.
pub fn encode_epoch(start: &EpochStart) -> Vec<u8> {
    let mut out = Vec::new();
    let tip = Tip {
        epoch: start.epoch,
        epoch_id: start.epoch_id,
        seq: start.parent_seq,
        chain: start.parent_chain,
    };
    encode_tip(&mut out, &tip);
    out
}

/// Reads an epoch's start; `None` if the bytes are not one.
pub fn decode_epoch(bytes: &[u8]) -> Option<EpochStart> {
    let mut from = Cursor(bytes);
    let tip = decode_tip(&mut from).ok()?;
    let start =
        EpochStart { epoch: tip.epoch, epoch_id: tip.epoch_id, parent_seq: tip.seq, parent_chain: tip.chain };
    from.0.is_empty().then_some(start)
}

fn encode_tip(out: &mut Vec<u8>, tip: &Tip) {
    out.extend_from_slice(&tip.epoch.to_le_bytes());
    out.extend_from_slice(tip.epoch_id.as_bytes());
    out.extend_from_slice(&tip.seq.to_le_bytes());
    out.extend_from_slice(&tip.chain.0);
}

fn decode_tip(from: &mut Cursor<'_>) -> Result<Tip, Bad> {
    Ok(Tip {
        epoch: from.u32()?,
        epoch_id: EpochId::from_bytes(from.array()?),
        seq: from.u64()?,
        chain: Chain(from.array()?),
    })
}

fn seal(out: &mut Vec<u8>) {
    let crc = crc32c::crc32c(out);
    out.extend_from_slice(&crc.to_le_bytes());
}

/// Checks the closing checksum, the magic and the format; what lies between follows.
fn checked(bytes: &[u8], magic: [u8; 4]) -> Result<Cursor<'_>, Bad> {
    let (covered, crc) = bytes.split_last_chunk::<4>().ok_or(Bad::Short)?;
    let mut from = Cursor(covered);
    if crc32c::crc32c(covered) != u32::from_le_bytes(*crc) || from.array::<4>()? != magic {
        return Err(Bad::Checksum);
    }
    match from.byte()? {
        FORMAT => Ok(from),
        format => Err(Bad::Newer(format)),
    }
}

struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], Bad> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or(Bad::Checksum)?;
        self.0 = rest;
        Ok(taken)
    }
    fn skip(&mut self, len: usize) -> Result<(), Bad> {
        self.take(len).map(|_| ())
    }
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Bad> {
        let (taken, rest) = self.0.split_first_chunk::<N>().ok_or(Bad::Checksum)?;
        self.0 = rest;
        Ok(*taken)
    }
    fn byte(&mut self) -> Result<u8, Bad> {
        self.array().map(u8::from_le_bytes)
    }
    fn u16(&mut self) -> Result<u16, Bad> {
        self.array().map(u16::from_le_bytes)
    }
    fn u32(&mut self) -> Result<u32, Bad> {
        self.array().map(u32::from_le_bytes)
    }
    fn u64(&mut self) -> Result<u64, Bad> {
        self.array().map(u64::from_le_bytes)
    }
}

#[cfg(test)]
mod tests;
