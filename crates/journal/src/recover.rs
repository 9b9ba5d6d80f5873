//! Opening a journal: walks the chain, cuts an interrupted end, mends damage from a second copy, and
//! refuses what it cannot prove. Never serves a frame that does not continue the chain.
//!
//! What an end that does not read as a frame means:
//!
//! - It looks interrupted ([`looks_interrupted`]) and no mark says the log had gone further: a commit
//!   whose sync never returned, so it was never acknowledged. It is cut; the epoch goes on.
//! - Anything else: an acknowledged entry may be in it. It is copied aside and cut, and a new epoch
//!   begins, so that tablets offer their work again.

use chart::ids::EpochId;
use store::{Chain, StoreError, Tip};

use crate::frame::{Mark, SEGMENT_HEADER, SegmentHead, encode_frame};
use crate::report::{Cut, OpenReport};
use crate::scan::{Step, Walk, looks_interrupted, proof_after, segment_head, segment_name, segments, step};
use crate::vfs::{Vfs, disk, read_up_to, replace};

mod mend;
mod state;

pub use state::{EachFrame, NoSource, RepairSource, Start};
pub(crate) use state::{MARK, Recovery};

/// A journal ready to go on.
pub(crate) struct Recovered {
    pub(crate) walk: Walk,
    pub(crate) end: Mark,
    pub(crate) report: OpenReport,
}

/// Where the walk through one segment ended.
enum Walked {
    /// At this offset, with nothing behind.
    To(u64),
    /// The segment holds nothing and never did; the one before is the last.
    Nothing,
}

impl<V: Vfs> Recovery<'_, V> {
    pub(crate) fn run(mut self, from: Option<&Start>) -> Result<Recovered, StoreError> {
        self.sweep()?;
        self.known = self.read_mark()?.map(|mark| mark.tip);
        let asked = from.map(|start| start.mark.tip);
        if asked.map(|tip| (tip.epoch, tip.seq)) > self.known.map(|tip| (tip.epoch, tip.seq)) {
            self.known = asked;
        }
        let start = match from {
            Some(start) if self.usable(start)? => Some(start),
            Some(_) => {
                self.report.full_walk = true;
                None
            }
            None => None,
        };
        let (mut number, mut offset, mut walk) = match start {
            Some(start) => {
                let walk = Walk { tip: start.mark.tip, epochs: start.epochs.clone() };
                (start.mark.segment, Some(start.mark.offset), Some(walk))
            }
            None => (1, None, None),
        };
        let mut end_of_last = None;
        while let Walked::To(end) = self.segment(number, offset.take(), &mut walk)? {
            end_of_last = Some((number, end));
            if self.later(number)?.is_empty() {
                break;
            }
            number = number.saturating_add(1);
        }
        match (walk, end_of_last) {
            (Some(walk), Some((segment, offset))) => self.finish(walk, segment, offset),
            _ => self.fresh(),
        }
    }

    /// Removes files that were being made when the process died.
    fn sweep(&self) -> Result<(), StoreError> {
        for name in self.vfs.list().map_err(disk("list the journal"))? {
            if name.ends_with(".new") {
                self.vfs.remove(&name).map_err(disk("remove an unfinished file"))?;
            }
        }
        Ok(())
    }

    fn read_mark(&mut self) -> Result<Option<Mark>, StoreError> {
        if self.vfs.len(MARK).map_err(disk("read the journal"))?.is_none() {
            return Ok(None);
        }
        let mark = Mark::decode(&read_up_to(self.vfs, MARK, 0, 4096)?);
        if mark.is_none() {
            self.mark_is_bad = true;
            self.report.repaired.push("The journal's mark did not read and is written anew.".to_owned());
        }
        Ok(mark)
    }

    /// A start can be used if every segment up to it is there and its own reaches that far.
    fn usable(&self, start: &Start) -> Result<bool, StoreError> {
        let there = segments(self.vfs)?;
        let all = (1..=start.mark.segment).all(|number| there.binary_search(&number).is_ok());
        if !all || start.epochs.is_empty() {
            return Ok(false);
        }
        let name = segment_name(start.mark.segment);
        let long_enough = self.vfs.len(&name).map_err(disk("read the journal"))? >= Some(start.mark.offset);
        let head = segment_head(self.vfs, start.mark.segment)?;
        Ok(long_enough && head.is_some_and(|head| head.tip.seq <= start.mark.tip.seq))
    }

    /// Walks one segment, from its header or from `offset`.
    fn segment(
        &mut self,
        number: u64,
        offset: Option<u64>,
        walk: &mut Option<Walk>,
    ) -> Result<Walked, StoreError> {
        let mut at = match offset {
            Some(offset) => offset,
            None => match self.enter(number, walk)? {
                true => SEGMENT_HEADER as u64,
                false => return Ok(Walked::Nothing),
            },
        };
        let Some(walk) = walk.as_mut() else { return Ok(Walked::Nothing) };
        self.last_frame = None;
        loop {
            let len = self.len(number)?;
            match step(self.vfs, number, at, len, &walk.tip)? {
                Step::Frame(frame) => {
                    self.report.entries_read =
                        self.report.entries_read.saturating_add(frame.entries.len() as u64);
                    (self.each)(&frame)?;
                    walk.pass(frame.end.tip);
                    self.last_frame = Some(at);
                    at = frame.end.offset;
                }
                Step::End if !self.is_short(number, at, &walk.tip)? => return Ok(Walked::To(at)),
                Step::End | Step::Bad => {
                    if !self.mend(number, at, walk)? {
                        self.cut(number, at, &walk.tip)?;
                        return Ok(Walked::To(at));
                    }
                }
            }
        }
    }

    /// Whether more is known to follow than this segment's sound end shows.
    fn is_short(&mut self, number: u64, at: u64, tip: &Tip) -> Result<bool, StoreError> {
        let later = self.later(number)?;
        if let Some(proof) = proof_after(self.vfs, number, at, &later, tip)? {
            return Ok(proof.before.seq != tip.seq || proof.before.chain != tip.chain);
        }
        let next = tip.seq.checked_add(1).and_then(|seq| self.source.entry(seq));
        Ok(later.is_empty() && next.is_some_and(|(entry, _)| mend::follows(tip, &entry)))
    }

    /// Reads or mends a segment's header; false if the segment holds nothing and never did.
    fn enter(&mut self, number: u64, walk: &mut Option<Walk>) -> Result<bool, StoreError> {
        let there = self.vfs.len(&segment_name(number)).map_err(disk("read the journal"))?;
        let Some(len) = there else { return self.missing(number, walk) };
        if let Some(head) = segment_head(self.vfs, number)? {
            let fits = match walk.as_ref() {
                Some(walk) => head.tip.seq == walk.tip.seq && head.tip.chain == walk.tip.chain,
                None => head.tip.seq == 0 && head.tip.chain == Chain::START,
            };
            if fits {
                match walk {
                    Some(walk) if head.tip.epoch > walk.tip.epoch => walk.pass(head.tip),
                    Some(_) => {}
                    None => *walk = Some(Walk::new(head.tip)),
                }
                return Ok(true);
            }
        } else if len <= SEGMENT_HEADER as u64 && self.later(number)?.is_empty() {
            // Frames are written only after the header is durable, so there never was one here.
            return if self.nothing_known(walk.as_ref()) {
                self.vfs.remove(&segment_name(number)).map_err(disk("remove an unfinished file"))?;
                Ok(false)
            } else {
                self.missing(number, walk)
            };
        }
        self.mend_header(number, walk)?;
        Ok(true)
    }

    /// True if nothing says that the log went beyond where the walk stands.
    fn nothing_known(&mut self, walk: Option<&Walk>) -> bool {
        let seq = walk.map_or(0, |walk| walk.tip.seq);
        let known = self.known.is_some_and(|tip| tip.seq > seq);
        !known && self.source.entry(seq.saturating_add(1)).is_none()
    }

    /// Takes off an end that is no frame and could not be mended.
    fn cut(&mut self, number: u64, at: u64, tip: &Tip) -> Result<(), StoreError> {
        let name = segment_name(number);
        let len = self.len(number)?;
        let bytes = len.saturating_sub(at);
        let interrupted = looks_interrupted(self.vfs, number, at, len)? && !self.went_beyond(tip);
        let mut cut = Cut { after_seq: tip.seq, bytes, copy: None };
        if interrupted {
            self.report.interrupted = Some(cut);
        } else {
            cut.copy = Some(self.copy_aside(&name, at)?);
            self.report.lost_tail = Some(cut);
            if !self.went_beyond(tip) {
                // The cut must stay known until the new epoch is durable, whatever happens between.
                let beyond = Tip { seq: tip.seq.saturating_add(1), ..*tip };
                let mark = Mark { segment: number, offset: at, tip: beyond };
                replace(self.vfs, MARK, &mark.encode()).map_err(disk("write the journal's mark"))?;
            }
        }
        self.vfs.truncate(&name, at).map_err(disk("cut the journal's end"))?;
        self.vfs.sync_data(&name).map_err(disk("sync the journal"))
    }

    /// Starts an empty journal, unless one is known to have been here.
    fn fresh(self) -> Result<Recovered, StoreError> {
        if self.known.is_some_and(|tip| tip.seq > 0 || tip.epoch > 1) {
            return Err(StoreError::Damaged("the journal's files are missing".to_owned()));
        }
        let tip = Tip::empty(EpochId::random(self.entropy));
        write_segment_head(self.vfs, &SegmentHead { number: 1, tip })?;
        let end = Mark { segment: 1, offset: SEGMENT_HEADER as u64, tip };
        Ok(Recovered { walk: Walk::new(tip), end, report: self.report })
    }

    fn finish(mut self, mut walk: Walk, segment: u64, offset: u64) -> Result<Recovered, StoreError> {
        if self.went_beyond(&walk.tip) && self.report.lost_tail.is_none() {
            self.report.lost_tail = Some(Cut { after_seq: walk.tip.seq, bytes: 0, copy: None });
        }
        let name = segment_name(segment);
        let mut end = offset;
        if self.report.lost_tail.is_some() {
            let epoch = walk.tip.epoch.max(self.known.map_or(0, |tip| tip.epoch)).saturating_add(1);
            let epoch_id = EpochId::random(self.entropy);
            let frame = encode_frame(&walk.tip, epoch, epoch_id, &[]);
            self.vfs.write_at(&name, offset, &frame).map_err(disk("write to the journal"))?;
            end = end.saturating_add(frame.len() as u64);
            walk.pass(Tip { epoch, epoch_id, ..walk.tip });
            self.report.new_epoch = walk.epochs.last().copied();
        }
        self.write_again(&name, offset)?;
        self.vfs.sync_data(&name).map_err(disk("sync the journal"))?;
        self.vfs.sync_dir().map_err(disk("sync the journal's directory"))?;
        let end = Mark { segment, offset: end, tip: walk.tip };
        if self.report.new_epoch.is_some() || self.mark_is_bad {
            replace(self.vfs, MARK, &end.encode()).map_err(disk("write the journal's mark"))?;
        }
        Ok(Recovered { walk, end, report: self.report })
    }

    /// Writes the last frame (or the header, if there is none) again, byte for byte. After a sync that
    /// failed, the system may show bytes that never reached the disk and call them clean; only bytes
    /// written again are synced again.
    fn write_again(&self, name: &str, end: u64) -> Result<(), StoreError> {
        let from = self.last_frame.unwrap_or(0);
        let len = usize::try_from(end.saturating_sub(from)).unwrap_or(usize::MAX);
        let bytes = read_up_to(self.vfs, name, from, len)?;
        self.vfs.write_at(name, from, &bytes).map_err(disk("write to the journal"))
    }
}

/// Makes a segment: file, header, sync, directory sync.
pub(crate) fn write_segment_head<V: Vfs + ?Sized>(vfs: &V, head: &SegmentHead) -> Result<(), StoreError> {
    let name = segment_name(head.number);
    vfs.create(&name).map_err(disk("make a journal segment"))?;
    vfs.write_at(&name, 0, &head.encode()).map_err(disk("write to the journal"))?;
    vfs.sync_data(&name).map_err(disk("sync the journal"))?;
    vfs.sync_dir().map_err(disk("sync the journal's directory"))
}
