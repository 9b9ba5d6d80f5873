//! The journal itself: appends batches, one sync each, and reads entries back by place. Keeps no index
//! of its entries; who owns it does.

use chart::entropy::Entropy;
use store::{BATCH_LIMIT, Batch, EpochStart, StoreError, Tip};

use crate::frame::{
    ENTRY_OVERHEAD, Frame, FrameEntry, FrameHead, KeysAndBytes, Mark, Place, SEGMENT_HEADER, SegmentHead,
    decode_alone, encode_frame,
};
use crate::recover::{EachFrame, MARK, Recovery, RepairSource, Start, write_segment_head};
use crate::report::OpenReport;
use crate::scan::{Step, Walk, segment_head, segment_name, step};
use crate::vfs::{Vfs, disk, read_up_to, replace};

/// What can be chosen about a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// A segment that has this many bytes is followed by a new one.
    pub segment_bytes: u64,
    /// The most a batch may weigh, in bytes (see [`Batch::weight`]).
    pub batch_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { segment_bytes: 64 * 1024 * 1024, batch_bytes: BATCH_LIMIT }
    }
}

/// What a journal has done since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Batches committed.
    pub commits: u64,
    /// Syncs of files and of the directory, without those of opening.
    pub fsyncs: u64,
    /// Bytes written.
    pub bytes: u64,
}

/// An append-only, chained, synced log over some files. One owner at a time.
#[derive(Debug)]
pub struct Journal<V: Vfs> {
    vfs: V,
    options: Options,
    walk: Walk,
    end: Mark,
    latched: bool,
    stats: Stats,
}

impl<V: Vfs> Journal<V> {
    /// Opens a journal, or makes one on empty ground: takes the lock, reads every frame (those after
    /// `from`, if it is given and holds) and hands it to `each`, cuts an interrupted end, mends damage
    /// from `source`. Fails with [`StoreError::InUse`], [`StoreError::Damaged`],
    /// [`StoreError::NewerFormat`] or what the disk says. `each` hears of entries again from the start
    /// when `from` does not hold ([`OpenReport::full_walk`]).
    pub fn open<'a>(
        vfs: V,
        options: Options,
        entropy: &'a mut dyn Entropy,
        source: &'a mut dyn RepairSource,
        from: Option<&Start>,
        each: &'a mut EachFrame<'a>,
    ) -> Result<(Self, OpenReport), StoreError> {
        vfs.lock().map_err(|error| match error.kind() {
            std::io::ErrorKind::WouldBlock => StoreError::InUse(vfs.place()),
            _ => disk("lock the journal")(error),
        })?;
        let recovered = recover(&vfs, entropy, source, from, each)?;
        let (walk, end) = (recovered.walk, recovered.end);
        Ok((Self { vfs, options, walk, end, latched: false, stats: Stats::default() }, recovered.report))
    }

    /// Where the log ends.
    pub fn tip(&self) -> Tip {
        self.walk.tip
    }
    /// Every epoch, oldest first.
    pub fn epochs(&self) -> &[EpochStart] {
        &self.walk.epochs
    }
    /// The place after the last frame.
    pub fn mark(&self) -> Mark {
        self.end
    }
    /// A start from here for a later open.
    pub fn start(&self) -> Start {
        Start { mark: self.end, epochs: self.walk.epochs.clone() }
    }
    /// What was done since opening.
    pub fn stats(&self) -> Stats {
        self.stats
    }
    /// True after a write that failed: only reading is possible.
    pub fn is_latched(&self) -> bool {
        self.latched
    }
    /// The files underneath.
    pub fn vfs(&self) -> &V {
        &self.vfs
    }
    /// Stops all writing until the journal is opened again, because its owner can no longer vouch for it.
    pub fn latch(&mut self) {
        self.latched = true;
    }

    /// Writes a batch and syncs it; returns its entries with their places. After an error of the disk
    /// the journal is latched: what of the batch is on the disk is decided when it is opened again.
    ///
    /// An empty batch without a new epoch does nothing.
    pub fn append(&mut self, batch: &Batch) -> Result<Vec<FrameEntry>, StoreError> {
        if self.latched {
            return Err(StoreError::Latched);
        }
        batch.check(self.options.batch_bytes)?;
        if batch.entries.is_empty() && batch.new_epoch.is_none() {
            return Ok(Vec::new());
        }
        let written = self.write(batch);
        self.latched = written.is_err();
        written
    }

    fn write(&mut self, batch: &Batch) -> Result<Vec<FrameEntry>, StoreError> {
        let (epoch, epoch_id) = match batch.new_epoch {
            Some(id) => (self.walk.tip.epoch.checked_add(1).ok_or(StoreError::Latched)?, id),
            None => (self.walk.tip.epoch, self.walk.tip.epoch_id),
        };
        let bytes = encode_frame(&self.walk.tip, epoch, epoch_id, &batch.entries);
        let full = self.end.offset.saturating_add(bytes.len() as u64) > self.options.segment_bytes;
        if full && self.end.offset > SEGMENT_HEADER as u64 {
            self.rotate()?;
        }
        let Mark { segment, offset, .. } = self.end;
        let name = segment_name(segment);
        self.vfs.write_at(&name, offset, &bytes).map_err(disk("write to the journal"))?;
        self.vfs.sync_data(&name).map_err(disk("sync the journal"))?;
        // Decoding what was written gives places and chain values, and is the last look at the bytes.
        let unsound = |_| StoreError::Damaged("a frame did not read back as it was written".to_owned());
        let (head, rest) = bytes.split_at_checked(crate::frame::FRAME_HEADER).unwrap_or_default();
        let frame = FrameHead::decode(head)
            .and_then(|head| head.decode_rest(rest, segment, offset))
            .map_err(unsound)?;
        self.walk.pass(frame.end.tip);
        self.end = frame.end;
        self.stats.commits = self.stats.commits.saturating_add(1);
        self.stats.fsyncs = self.stats.fsyncs.saturating_add(1);
        self.stats.bytes = self.stats.bytes.saturating_add(bytes.len() as u64);
        Ok(frame.entries)
    }

    fn rotate(&mut self) -> Result<(), StoreError> {
        let number = self.end.segment.checked_add(1).ok_or(StoreError::Latched)?;
        write_segment_head(&self.vfs, &SegmentHead { number, tip: self.walk.tip })?;
        self.end = Mark { segment: number, offset: SEGMENT_HEADER as u64, tip: self.walk.tip };
        self.stats.fsyncs = self.stats.fsyncs.saturating_add(2);
        self.write_mark()
    }

    /// Notes durably that the log has come this far, so that a shorter one is recognised later.
    pub fn write_mark(&mut self) -> Result<(), StoreError> {
        if self.latched {
            return Err(StoreError::Latched);
        }
        let written = replace(&self.vfs, MARK, &self.end.encode()).map_err(disk("write the journal's mark"));
        self.latched = written.is_err();
        self.stats.fsyncs = self.stats.fsyncs.saturating_add(2);
        written
    }

    /// Reads every frame from `from` (or the beginning) to the end and hands it to `each`. Fails with
    /// [`StoreError::Damaged`] at the first frame that is not sound.
    pub fn replay(
        &self,
        from: Option<&Mark>,
        each: &mut dyn FnMut(&Frame) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut number = from.map_or(1, |mark| mark.segment);
        let mut at = from.map(|mark| (mark.offset, mark.tip));
        while number <= self.end.segment {
            let (mut offset, mut tip) = match at.take() {
                Some(at) => at,
                None => (
                    SEGMENT_HEADER as u64,
                    segment_head(&self.vfs, number)?.ok_or_else(|| unsound(number, 0))?.tip,
                ),
            };
            let name = segment_name(number);
            let len = self.vfs.len(&name).map_err(disk("read the journal"))?.unwrap_or(0);
            let len = if number == self.end.segment { len.min(self.end.offset) } else { len };
            loop {
                match step(&self.vfs, number, offset, len, &tip)? {
                    Step::Frame(frame) => {
                        (offset, tip) = (frame.end.offset, frame.end.tip);
                        each(&frame)?;
                    }
                    Step::End => break,
                    Step::Bad => return Err(unsound(number, offset)),
                }
            }
            if number == self.end.segment && tip != self.end.tip {
                return Err(unsound(number, offset));
            }
            number = number.saturating_add(1);
        }
        Ok(())
    }

    /// The frame that holds an entry, found by reading through its segment.
    pub fn locate(&self, seq: u64) -> Result<Option<Frame>, StoreError> {
        for number in (1..=self.end.segment).rev() {
            let head = segment_head(&self.vfs, number)?;
            let Some(head) = head.filter(|head| head.tip.seq < seq) else { continue };
            let len = self.vfs.len(&segment_name(number)).map_err(disk("read the journal"))?.unwrap_or(0);
            let (mut offset, mut tip) = (SEGMENT_HEADER as u64, head.tip);
            while let Step::Frame(frame) = step(&self.vfs, number, offset, len, &tip)? {
                if frame.end.tip.seq >= seq {
                    return Ok(Some(frame));
                }
                (offset, tip) = (frame.end.offset, frame.end.tip);
            }
            return Ok(None);
        }
        Ok(None)
    }

    /// Reads one entry's keys and bytes; `Ok(None)` if its record is damaged or not there.
    pub fn read(&self, seq: u64, place: Place) -> Result<Option<KeysAndBytes>, StoreError> {
        let most = self.options.batch_bytes.max(BATCH_LIMIT).saturating_add(ENTRY_OVERHEAD);
        let len = place.len as usize;
        let name = segment_name(place.segment);
        if len > most || self.vfs.len(&name).map_err(disk("read the journal"))?.is_none() {
            return Ok(None);
        }
        Ok(decode_alone(&read_up_to(&self.vfs, &name, place.offset, len)?, seq))
    }
}

fn unsound(segment: u64, offset: u64) -> StoreError {
    StoreError::Damaged(format!("segment {segment} of the journal no longer reads from byte {offset} on"))
}

fn recover<'a, V: Vfs>(
    vfs: &'a V,
    entropy: &'a mut dyn Entropy,
    source: &'a mut dyn RepairSource,
    from: Option<&Start>,
    each: &'a mut EachFrame<'a>,
) -> Result<crate::recover::Recovered, StoreError> {
    Recovery::new(vfs, entropy, source, each).run(from)
}
