//! Verifying a journal from its files alone: no key, no index, no lock, no write.

use store::{Chain, StoreError, Tip};

use crate::frame::SEGMENT_HEADER;
use crate::recover::MARK;
use crate::scan::{Step, Walk, segment_head, segment_name, segments, step};
use crate::vfs::{Vfs, disk, read_up_to};

/// What verifying found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Where the sound part ends; `None` if not even the first header reads.
    pub tip: Option<Tip>,
    /// The first thing that is wrong, if anything is.
    pub first_bad: Option<FirstBad>,
}

/// The first thing that is wrong in a journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstBad {
    /// The first entry that cannot be vouched for.
    pub seq: u64,
    /// Its segment's number.
    pub segment: u64,
    /// Where in the segment's file.
    pub offset: u64,
    /// What is wrong, in a few words.
    pub what: &'static str,
}

/// Walks the whole journal and names the first bad entry. Run it on a closed journal or on a copy: a
/// commit under way looks like an interrupted end.
pub fn verify<V: Vfs + ?Sized>(vfs: &V) -> Result<Verified, StoreError> {
    let mut walk: Option<Walk> = None;
    let numbers = segments(vfs)?;
    for (expected, number) in (1..).zip(&numbers) {
        let at = |walk: &Option<Walk>, offset, what| {
            let seq = walk.as_ref().map_or(0, |walk| walk.tip.seq).saturating_add(1);
            let first_bad = Some(FirstBad { seq, segment: expected, offset, what });
            Verified { tip: walk.as_ref().map(|walk| walk.tip), first_bad }
        };
        if *number != expected {
            return Ok(at(&walk, 0, "the segment is missing"));
        }
        let Some(head) = segment_head(vfs, *number)? else {
            return Ok(at(&walk, 0, "the segment's header is damaged"));
        };
        let (seq, chain) = walk.as_ref().map_or((0, Chain::START), |walk| (walk.tip.seq, walk.tip.chain));
        if (head.tip.seq, head.tip.chain) != (seq, chain) {
            return Ok(at(&walk, 0, "the segment does not continue the one before"));
        }
        let here = walk.get_or_insert_with(|| Walk::new(head.tip));
        if head.tip.epoch > here.tip.epoch {
            here.pass(head.tip);
        }
        let len = vfs.len(&segment_name(*number)).map_err(disk("read the journal"))?.unwrap_or(0);
        let mut offset = SEGMENT_HEADER as u64;
        loop {
            match step(vfs, *number, offset, len, &here.tip)? {
                Step::Frame(frame) => {
                    offset = frame.end.offset;
                    here.pass(frame.end.tip);
                }
                Step::End => break,
                Step::Bad => {
                    return Ok(at(&walk, offset, "the frame is damaged or does not continue the chain"));
                }
            }
        }
    }
    let tip = walk.map(|walk| walk.tip);
    Ok(Verified { tip, first_bad: behind_mark(vfs, tip, numbers.len() as u64)? })
}

/// The mark says how far the log had come at least.
fn behind_mark<V: Vfs + ?Sized>(
    vfs: &V,
    tip: Option<Tip>,
    segment: u64,
) -> Result<Option<FirstBad>, StoreError> {
    if vfs.len(MARK).map_err(disk("read the journal"))?.is_none() {
        return Ok(None);
    }
    let mark = crate::frame::Mark::decode(&read_up_to(vfs, MARK, 0, 4096)?);
    let (epoch, seq) = tip.map_or((0, 0), |tip| (tip.epoch, tip.seq));
    Ok(match mark {
        Some(mark) if (mark.tip.epoch, mark.tip.seq) > (epoch, seq) => Some(FirstBad {
            seq: seq.saturating_add(1),
            segment,
            offset: 0,
            what: "the journal ends too early",
        }),
        _ => None,
    })
}
