//! Mending a damaged journal from a second copy: the segment is written anew beside the damaged one,
//! which is kept. Nothing is believed that does not continue the chain.

use chart::ids::EpochId;
use store::{NewEntry, StoreError, StoredEntry, Tip, chain_after};

use super::state::Recovery;
use crate::frame::{SegmentHead, encode_frame};
use crate::scan::{Proof, Walk, frame_after, proof_after, segment_name};
use crate::vfs::{Vfs, disk, read_up_to};

/// Entries and bytes of a frame made from a second copy.
const FRAME_ENTRIES: usize = 256;
const FRAME_BYTES: usize = 1024 * 1024;
const COPY: usize = 1024 * 1024;

/// A part of a segment written anew.
enum Piece {
    Bytes(Vec<u8>),
    /// From the damaged file: first byte and the byte after the last.
    Old(u64, u64),
}

/// What the second copy had to give.
struct Filled {
    frames: Vec<u8>,
    entries: u64,
    tip: Tip,
}

/// Whether an entry continues a log that stands at `tip`.
pub(super) fn follows(tip: &Tip, entry: &StoredEntry) -> bool {
    Some(entry.seq) == tip.seq.checked_add(1)
        && entry.epoch >= tip.epoch
        && chain_after(tip.chain, entry.seq, &entry.keys, &entry.bytes) == entry.chain
}

impl<V: Vfs> Recovery<'_, V> {
    /// Mends what lies at `at`; false if it is the end and there is nothing to mend it with.
    pub(super) fn mend(&mut self, number: u64, at: u64, walk: &Walk) -> Result<bool, StoreError> {
        let later = self.later(number)?;
        let proof = proof_after(self.vfs, number, at, &later, &walk.tip)?;
        if self.tried.replace((number, at)) == Some((number, at)) {
            return Err(self.damaged(number, at, proof, &walk.tip));
        }
        let filled = self.fill(&walk.tip, proof.map(|proof| proof.before.seq));
        match proof {
            Some(proof) if !joins(&filled.tip, &proof) => {
                return Err(self.damaged(number, at, Some(proof), &walk.tip));
            }
            None if filled.entries == 0 => return Ok(false),
            _ => {}
        }
        let len = self.len(number)?;
        let rest = proof.and_then(|proof| proof.offset).map(|from| Piece::Old(from, len));
        let mut pieces = vec![Piece::Old(0, at), Piece::Bytes(filled.frames)];
        pieces.extend(rest);
        let copy = self.rewrite(number, &pieces)?;
        self.report.repaired.push(format!(
            "Segment {number} was damaged at byte {at}; {} entries after entry {} were restored from the second \
             copy{copy}.",
            filled.entries, walk.tip.seq
        ));
        Ok(true)
    }

    /// Makes a segment that is not there although later ones are, or although the log is known to go on.
    pub(super) fn missing(&mut self, number: u64, walk: &mut Option<Walk>) -> Result<bool, StoreError> {
        let later = self.later(number)?;
        let first = walk.as_ref().map_or(1, |walk| walk.tip.seq.saturating_add(1));
        let next = self.source.entry(first);
        let tip = match (walk.as_ref(), &next) {
            (Some(walk), _) => walk.tip,
            (None, Some((entry, epoch_id))) => Tip { epoch: entry.epoch, ..Tip::empty(*epoch_id) },
            (None, None) if later.is_empty() && self.known.is_none_or(|tip| tip.seq == 0) => {
                return Ok(false);
            }
            (None, None) => {
                return Err(StoreError::Damaged(format!("segment {number} of the journal is missing")));
            }
        };
        if later.is_empty() && next.is_none() {
            // The end is gone; the segment before goes on, and a new epoch will say so.
            let there = self.vfs.len(&segment_name(number)).map_err(disk("read the journal"))?.is_some();
            if there {
                self.vfs.remove(&segment_name(number)).map_err(disk("remove an unfinished file"))?;
            }
            return Ok(false);
        }
        let proof = proof_after(self.vfs, number, 0, &later, &tip)?;
        let filled = self.fill(&tip, proof.map(|proof| proof.before.seq));
        if proof.is_some_and(|proof| !joins(&filled.tip, &proof)) || (proof.is_none() && filled.entries == 0)
        {
            return Err(StoreError::Damaged(format!(
                "segment {number} of the journal is missing, with entries from {first} on, and there is no second copy"
            )));
        }
        let head = SegmentHead { number, tip }.encode();
        let copy = self.rewrite(number, &[Piece::Bytes(head), Piece::Bytes(filled.frames)])?;
        self.report.repaired.push(format!(
            "Segment {number} was missing; {} entries from {first} on were restored from the second copy{copy}.",
            filled.entries
        ));
        walk.get_or_insert_with(|| Walk::new(tip));
        Ok(true)
    }

    /// Writes a segment's header anew from how the log stands.
    pub(super) fn mend_header(&mut self, number: u64, walk: &mut Option<Walk>) -> Result<(), StoreError> {
        let tip = match walk.as_ref() {
            Some(walk) => walk.tip,
            None => self.first_tip(number)?,
        };
        if self.tried.replace((number, 0)) == Some((number, 0)) {
            return Err(StoreError::Damaged(format!(
                "segment {number} of the journal does not begin as it should"
            )));
        }
        let head = SegmentHead { number, tip }.encode();
        let (from, len) = (head.len() as u64, self.len(number)?);
        let copy = self.rewrite(number, &[Piece::Bytes(head), Piece::Old(from, len)])?;
        self.report
            .repaired
            .push(format!("The header of segment {number} was damaged and was written anew{copy}."));
        walk.get_or_insert_with(|| Walk::new(tip));
        Ok(())
    }

    /// How the log stood before its first entry, when the first header does not say.
    fn first_tip(&mut self, number: u64) -> Result<Tip, StoreError> {
        if let Some((entry, epoch_id)) = self.source.entry(1) {
            return Ok(Tip { epoch: entry.epoch, ..Tip::empty(epoch_id) });
        }
        let empty = Tip::empty(EpochId::from_bytes([0; 16]));
        match frame_after(self.vfs, number, 0, &empty)? {
            Some((_, before)) => Ok(Tip { seq: 0, chain: empty.chain, ..before }),
            None => Err(StoreError::Damaged("nothing in the journal's first segment can be read".to_owned())),
        }
    }

    fn damaged(&self, number: u64, at: u64, proof: Option<Proof>, tip: &Tip) -> StoreError {
        let missing = match proof.map(|proof| proof.gap(tip)) {
            Some((first, last)) if first <= last => format!("entries {first} to {last} are missing"),
            _ => format!("what follows entry {} does not continue it", tip.seq),
        };
        StoreError::Damaged(format!(
            "segment {number} of the journal, byte {at}: {missing}, and there is no second copy; restore a backup or \
             bring the file back"
        ))
    }

    /// Frames with the entries after `tip`, up to `until` or as far as the second copy goes.
    fn fill(&mut self, tip: &Tip, until: Option<u64>) -> Filled {
        let mut filled = Filled { frames: Vec::new(), entries: 0, tip: *tip };
        let mut batch: Vec<NewEntry> = Vec::new();
        let mut bytes = 0usize;
        let mut before = *tip;
        while until.is_none_or(|until| filled.tip.seq < until) {
            let found = filled.tip.seq.checked_add(1).and_then(|seq| self.source.entry(seq));
            let Some((entry, epoch_id)) = found.filter(|(entry, _)| follows(&filled.tip, entry)) else {
                break;
            };
            let turns =
                entry.epoch != filled.tip.epoch || batch.len() >= FRAME_ENTRIES || bytes >= FRAME_BYTES;
            if turns && !batch.is_empty() {
                let Tip { epoch, epoch_id, .. } = filled.tip;
                filled.frames.extend(encode_frame(&before, epoch, epoch_id, &batch));
                before = filled.tip;
                batch.clear();
                bytes = 0;
            }
            let epoch_id = if entry.epoch == filled.tip.epoch { filled.tip.epoch_id } else { epoch_id };
            filled.tip = Tip { epoch: entry.epoch, epoch_id, seq: entry.seq, chain: entry.chain };
            filled.entries = filled.entries.saturating_add(1);
            bytes = bytes.saturating_add(entry.bytes.len());
            batch.push(NewEntry { keys: entry.keys, bytes: entry.bytes });
        }
        if !batch.is_empty() {
            filled.frames.extend(encode_frame(&before, filled.tip.epoch, filled.tip.epoch_id, &batch));
        }
        filled
    }

    /// Writes a segment anew; the damaged file is kept under another name. Returns the words about it.
    fn rewrite(&mut self, number: u64, pieces: &[Piece]) -> Result<String, StoreError> {
        let name = segment_name(number);
        let there = self.vfs.len(&name).map_err(disk("read the journal"))?.is_some();
        let copy = match there {
            true => format!(" (the damaged file is kept as {})", self.copy_aside(&name, 0)?),
            false => String::new(),
        };
        let fresh = format!("{name}.new");
        self.vfs.create(&fresh).map_err(disk("make a journal segment"))?;
        let mut to = 0u64;
        for piece in pieces {
            match piece {
                Piece::Bytes(bytes) => {
                    self.vfs.write_at(&fresh, to, bytes).map_err(disk("write to the journal"))?;
                    to = to.saturating_add(bytes.len() as u64);
                }
                Piece::Old(from, end) => to = self.copy(&name, (*from, *end), &fresh, to)?,
            }
        }
        self.vfs.sync_data(&fresh).map_err(disk("sync the journal"))?;
        self.vfs.rename(&fresh, &name).map_err(disk("replace a journal segment"))?;
        self.vfs.sync_dir().map_err(disk("sync the journal's directory"))?;
        Ok(copy)
    }

    /// Copies a file from `at` on under a name of its own, durably, and returns the name.
    pub(super) fn copy_aside(&mut self, name: &str, at: u64) -> Result<String, StoreError> {
        let there = self.vfs.list().map_err(disk("list the journal"))?;
        let free = |n: &u32| !there.contains(&format!("damaged-{n:04}-{name}"));
        let n = (1..u32::MAX).find(free).unwrap_or(u32::MAX);
        let copy = format!("damaged-{n:04}-{name}");
        self.vfs.create(&copy).map_err(disk("keep a damaged file"))?;
        let len = self.vfs.len(name).map_err(disk("read the journal"))?.unwrap_or(0);
        self.copy(name, (at, len), &copy, 0)?;
        self.vfs.sync_data(&copy).map_err(disk("keep a damaged file"))?;
        self.vfs.sync_dir().map_err(disk("sync the journal's directory"))?;
        Ok(copy)
    }

    fn copy(
        &self,
        name: &str,
        (mut from, end): (u64, u64),
        fresh: &str,
        mut to: u64,
    ) -> Result<u64, StoreError> {
        while from < end {
            let len = usize::try_from(end.saturating_sub(from)).unwrap_or(usize::MAX).min(COPY);
            let bytes = read_up_to(self.vfs, name, from, len)?;
            if bytes.is_empty() {
                break;
            }
            self.vfs.write_at(fresh, to, &bytes).map_err(disk("write to the journal"))?;
            from = from.saturating_add(bytes.len() as u64);
            to = to.saturating_add(bytes.len() as u64);
        }
        Ok(to)
    }
}

fn joins(tip: &Tip, proof: &Proof) -> bool {
    tip.seq == proof.before.seq && tip.chain == proof.before.chain
}
