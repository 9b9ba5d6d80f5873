//! What opening a journal works with: the files, the second copy, and what is known so far. Decides
//! nothing.

use chart::entropy::Entropy;
use chart::ids::EpochId;
use store::{EpochStart, StoreError, StoredEntry, Tip};

use crate::frame::{Frame, Mark};
use crate::report::OpenReport;
use crate::scan::{segment_name, segments};
use crate::vfs::{Vfs, disk};

/// The file with the last mark that was written: the log had come at least this far.
pub(crate) const MARK: &str = "mark";

/// A second copy of the entries, asked when the journal is damaged.
pub trait RepairSource {
    /// The entry with this number and the id of its epoch, if it is there. The journal checks it
    /// against its chain, so a wrong answer does no harm.
    fn entry(&mut self, seq: u64) -> Option<(StoredEntry, EpochId)>;
}

/// No second copy.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoSource;

impl RepairSource for NoSource {
    fn entry(&mut self, _seq: u64) -> Option<(StoredEntry, EpochId)> {
        None
    }
}

/// A place to start reading from, instead of the beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// The place.
    pub mark: Mark,
    /// Every epoch up to it.
    pub epochs: Vec<EpochStart>,
}

/// What is told of every frame that is read, in order.
pub type EachFrame<'a> = dyn FnMut(&Frame) -> Result<(), StoreError> + 'a;

pub(crate) struct Recovery<'a, V: Vfs> {
    pub(crate) vfs: &'a V,
    pub(crate) entropy: &'a mut dyn Entropy,
    pub(crate) source: &'a mut dyn RepairSource,
    pub(crate) each: &'a mut EachFrame<'a>,
    pub(crate) report: OpenReport,
    /// How far the log is known to have come.
    pub(super) known: Option<Tip>,
    /// Where mending was last tried, so that it is not tried twice.
    pub(super) tried: Option<(u64, u64)>,
    pub(super) mark_is_bad: bool,
    /// The first byte of the last frame in the current segment.
    pub(super) last_frame: Option<u64>,
}

impl<'a, V: Vfs> Recovery<'a, V> {
    pub(crate) fn new(
        vfs: &'a V,
        entropy: &'a mut dyn Entropy,
        source: &'a mut dyn RepairSource,
        each: &'a mut EachFrame<'a>,
    ) -> Self {
        let report = OpenReport::default();
        Self {
            vfs,
            entropy,
            source,
            each,
            report,
            known: None,
            tried: None,
            mark_is_bad: false,
            last_frame: None,
        }
    }

    pub(super) fn later(&self, number: u64) -> Result<Vec<u64>, StoreError> {
        Ok(segments(self.vfs)?.into_iter().filter(|other| *other > number).collect())
    }

    /// Whether the log is known to have come further than `tip`.
    pub(super) fn went_beyond(&self, tip: &Tip) -> bool {
        self.known.is_some_and(|known| (known.epoch, known.seq) > (tip.epoch, tip.seq))
    }

    pub(super) fn len(&self, number: u64) -> Result<u64, StoreError> {
        Ok(self.vfs.len(&segment_name(number)).map_err(disk("read the journal"))?.unwrap_or(0))
    }
}
