//! Reading a journal frame by frame, and looking for what lies behind damage. Only reads.

use store::{EpochStart, StoreError, Tip};

use crate::frame::{Bad, FORMAT, FRAME_HEADER, Frame, FrameHead, SEGMENT_HEADER, SegmentHead};
use crate::vfs::{Vfs, disk, read_up_to};

/// Where the log stands while it is walked.
#[derive(Clone, Debug)]
pub(crate) struct Walk {
    pub(crate) tip: Tip,
    pub(crate) epochs: Vec<EpochStart>,
}

impl Walk {
    /// The walk that starts in this epoch, at `tip`.
    pub(crate) fn new(tip: Tip) -> Self {
        let start = EpochStart {
            epoch: tip.epoch,
            epoch_id: tip.epoch_id,
            parent_seq: tip.seq,
            parent_chain: tip.chain,
        };
        Self { tip, epochs: vec![start] }
    }

    /// Goes over to `tip`, noting the epoch it may begin.
    pub(crate) fn pass(&mut self, tip: Tip) {
        if tip.epoch != self.tip.epoch {
            self.epochs.push(EpochStart {
                epoch: tip.epoch,
                epoch_id: tip.epoch_id,
                parent_seq: self.tip.seq,
                parent_chain: self.tip.chain,
            });
        }
        self.tip = tip;
    }
}

/// What lies at a place.
pub(crate) enum Step {
    /// A frame that continues the log.
    Frame(Frame),
    /// The end of the segment.
    End,
    /// No frame, or one that does not continue the log.
    Bad,
}

/// Something sound that lies behind: the log stood at `seq` with `chain` before it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Proof {
    pub(crate) before: Tip,
    /// Where it is, if in the segment that was searched first.
    pub(crate) offset: Option<u64>,
}

impl Proof {
    /// The number of the first missing entry behind `tip`, and the last.
    pub(crate) fn gap(&self, tip: &Tip) -> (u64, u64) {
        (tip.seq.saturating_add(1), self.before.seq)
    }
}

pub(crate) fn segment_name(number: u64) -> String {
    format!("journal-{number:010}.seg")
}

/// The numbers of the segments that are there, in order.
pub(crate) fn segments<V: Vfs + ?Sized>(vfs: &V) -> Result<Vec<u64>, StoreError> {
    let names = vfs.list().map_err(disk("list the journal"))?;
    let number = |name: &String| name.strip_prefix("journal-")?.strip_suffix(".seg")?.parse().ok();
    let mut numbers: Vec<u64> = names.iter().filter_map(number).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

/// Reads what lies at `offset` of a segment whose file has `len` bytes, when the log stands at `tip`.
pub(crate) fn step<V: Vfs + ?Sized>(
    vfs: &V,
    segment: u64,
    offset: u64,
    len: u64,
    tip: &Tip,
) -> Result<Step, StoreError> {
    if offset >= len {
        return Ok(Step::End);
    }
    let name = segment_name(segment);
    let head = match FrameHead::decode(&read_up_to(vfs, &name, offset, FRAME_HEADER)?) {
        Ok(head) => head,
        Err(Bad::Newer(found)) => return Err(newer(found)),
        Err(_) => return Ok(Step::Bad),
    };
    if !continues(&head, tip) || head.frame_len() > len.saturating_sub(offset) {
        return Ok(Step::Bad);
    }
    let rest = read_up_to(vfs, &name, offset.saturating_add(FRAME_HEADER as u64), head.rest_len())?;
    match head.decode_rest(&rest, segment, offset) {
        Ok(frame) => Ok(Step::Frame(frame)),
        Err(_) => Ok(Step::Bad),
    }
}

pub(crate) fn newer(found: u8) -> StoreError {
    StoreError::NewerFormat { found: u32::from(found), known: u32::from(FORMAT) }
}

fn continues(head: &FrameHead, tip: &Tip) -> bool {
    let epoch_fits = head.epoch > tip.epoch || (head.epoch == tip.epoch && head.epoch_id == tip.epoch_id);
    let chain_fits = head.before == tip.chain || planted::chain_is_ignored();
    epoch_fits && chain_fits && Some(head.first_seq) == tip.seq.checked_add(1)
}

/// Reads a segment's header; `None` if it is not sound or another segment's.
pub(crate) fn segment_head<V: Vfs + ?Sized>(vfs: &V, number: u64) -> Result<Option<SegmentHead>, StoreError> {
    match SegmentHead::decode(&read_up_to(vfs, &segment_name(number), 0, SEGMENT_HEADER)?) {
        Ok(head) => Ok((head.number == number).then_some(head)),
        Err(Bad::Newer(found)) => Err(newer(found)),
        Err(_) => Ok(None),
    }
}

/// Looks for anything sound behind `offset` of a segment and in the `later` ones.
pub(crate) fn proof_after<V: Vfs + ?Sized>(
    vfs: &V,
    segment: u64,
    offset: u64,
    later: &[u64],
    tip: &Tip,
) -> Result<Option<Proof>, StoreError> {
    if let Some((at, before)) = frame_after(vfs, segment, offset, tip)? {
        return Ok(Some(Proof { before, offset: Some(at) }));
    }
    for number in later {
        let head = segment_head(vfs, *number)?.filter(|head| head.tip.seq >= tip.seq);
        if let Some(head) = head {
            return Ok(Some(Proof { before: head.tip, offset: None }));
        }
        if let Some((_, before)) = frame_after(vfs, *number, 0, tip)? {
            return Ok(Some(Proof { before, offset: None }));
        }
    }
    Ok(None)
}

/// The first sound frame from `offset` on that could follow `tip` now or later: its place, and how the
/// log stood before it.
pub(crate) fn frame_after<V: Vfs + ?Sized>(
    vfs: &V,
    segment: u64,
    offset: u64,
    tip: &Tip,
) -> Result<Option<(u64, Tip)>, StoreError> {
    let name = segment_name(segment);
    let Some(len) = vfs.len(&name).map_err(disk("read the journal"))? else { return Ok(None) };
    let rest = usize::try_from(len.saturating_sub(offset)).unwrap_or(usize::MAX);
    let bytes = read_up_to(vfs, &name, offset, rest)?;
    for start in 0..bytes.len() {
        let Some(candidate) = bytes.get(start..).filter(|rest| rest.starts_with(b"GWJF")) else { continue };
        let Ok(head) = FrameHead::decode(candidate) else { continue };
        let end = FRAME_HEADER.saturating_add(head.rest_len());
        let Some(rest) = candidate.get(FRAME_HEADER..end) else { continue };
        let at = offset.saturating_add(start as u64);
        if head.decode_rest(rest, segment, at).is_err() {
            continue;
        }
        let before = Tip {
            epoch: head.epoch,
            epoch_id: head.epoch_id,
            seq: head.first_seq.saturating_sub(1),
            chain: head.before,
        };
        // One with the next number and another chain proves that one of the two was forged.
        if before.seq >= tip.seq {
            return Ok(Some((at, before)));
        }
    }
    Ok(None)
}

/// Whether the end from `offset` on looks like a write that power loss interrupted: its file ends
/// before the frame does, or a stretch of it within one 512-byte sector never left zero.
pub(crate) fn looks_interrupted<V: Vfs + ?Sized>(
    vfs: &V,
    segment: u64,
    offset: u64,
    len: u64,
) -> Result<bool, StoreError> {
    let name = segment_name(segment);
    let left = usize::try_from(len.saturating_sub(offset)).unwrap_or(usize::MAX);
    let bytes = read_up_to(vfs, &name, offset, left)?;
    match FrameHead::decode(&bytes) {
        Err(Bad::Short) => return Ok(true),
        Ok(head) if head.frame_len() > bytes.len() as u64 => return Ok(true),
        _ => {}
    }
    let into_sector = usize::try_from(offset % 512).unwrap_or(0);
    let (first, rest) = bytes.split_at_checked(512 - into_sector).unwrap_or((&bytes, &[]));
    let empty = |sector: &[u8]| sector.len() >= 8 && sector.iter().all(|byte| *byte == 0);
    Ok(empty(first) || rest.chunks(512).any(empty))
}

/// A bug that tests plant to see that their net catches it; always off outside them.
pub(crate) mod planted {
    #[cfg(test)]
    thread_local! {
        pub(crate) static IGNORE_CHAIN: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
    }
    #[cfg(test)]
    pub(crate) fn chain_is_ignored() -> bool {
        IGNORE_CHAIN.get()
    }
    #[cfg(not(test))]
    pub(crate) const fn chain_is_ignored() -> bool {
        false
    }
}

#[cfg(test)]
mod tests;
