//! From stretches of time to minutes that count: the patient-day in pools.
//!
//! Works on settled facts (every open choice made, see `disputes`). A minute of a patient counts once:
//! where two counted stretches share minutes, the one that began first keeps them and the pool is held
//! until somebody trims. Nothing here knows a rule of counting.

use std::collections::{BTreeMap, BTreeSet};

use chart::code::{Discipline, Mode, PayerId, ServiceCode};
use chart::facts::{DaySlice, Facts, SegmentFacts};
use chart::ids::{ActivityId, DeviceId, DocumentId, PersonId, SegmentId};
use chart::time::{Minutes, Span};
use chart::visit::SegmentValue;
use chrono::NaiveDate;

use crate::bundling::tables;
use crate::limits;
use crate::rulebook::{Basis, Code, Contact, Rulebook};
use crate::units::{UnitMap, Work, is_pooled};

/// One stretch of time of the patient-day, settled.
#[derive(Clone, Debug)]
pub(crate) struct Seg<'a> {
    pub(crate) document: DocumentId,
    pub(crate) activity: ActivityId,
    pub(crate) segment: SegmentId,
    pub(crate) devices: &'a BTreeSet<DeviceId>,
    pub(crate) value: &'a SegmentValue,
    /// Who did it: its performer, else the note's provider.
    pub(crate) performer: Option<PersonId>,
    /// The code's row, if the code is known.
    pub(crate) row: Option<&'a Code>,
    /// Its times, where both are there and in order.
    pub(crate) span: Option<Span>,
    /// Minutes that count toward units.
    pub(crate) counted: u32,
    /// Whether it would count, overlaps aside.
    pub(crate) counts: bool,
}

impl Seg<'_> {
    /// The code in print.
    pub(crate) fn code(&self) -> &ServiceCode {
        &self.value.code
    }
    /// Whether it has begun and not ended.
    pub(crate) fn is_running(&self) -> bool {
        self.value.start.is_some() && self.value.end.is_none()
    }
    /// How the start prints.
    pub(crate) fn start_text(&self) -> String {
        self.value.start.map_or_else(|| "an unknown time".to_owned(), |t| t.hour_minute())
    }
    /// How the end prints.
    pub(crate) fn end_text(&self) -> String {
        self.value.end.map_or_else(|| "an unknown time".to_owned(), |t| t.hour_minute())
    }
    /// How the mode prints.
    pub(crate) fn mode_text(&self) -> String {
        self.value.mode.as_ref().map_or("unrecorded", Mode::as_str).replace('_', " ")
    }
    /// Whether its code needs one provider with one patient.
    pub(crate) fn needs_one_on_one(&self) -> bool {
        self.row.is_some_and(|row| row.contact == Contact::OneOnOne)
    }
    /// Minutes of its times, else those typed.
    pub(crate) fn own_minutes(&self) -> u32 {
        self.span.map(|span| span.minutes()).or(self.value.typed_minutes).unwrap_or_default().count()
    }
}

/// Minutes two stretches share.
#[derive(Clone, Debug)]
pub(crate) struct Overlap {
    /// Index of the one that keeps the minutes.
    pub(crate) first: usize,
    /// Index of the other.
    pub(crate) second: usize,
    /// The shared time.
    pub(crate) span: Span,
}

/// One patient's day, all disciplines.
#[derive(Clone, Debug)]
pub(crate) struct Day<'a> {
    /// Every stretch that is not entered in error, in order of start.
    pub(crate) segs: Vec<Seg<'a>>,
    /// Which counted stretches share minutes.
    pub(crate) overlaps: Vec<Overlap>,
    /// What was done, by discipline.
    pub(crate) pools: BTreeMap<Option<Discipline>, PoolWork>,
}

/// What one discipline did that day.
#[derive(Clone, Debug, Default)]
pub(crate) struct PoolWork {
    /// Minutes and codes, ready to count.
    pub(crate) work: Work,
    /// The notes counted together.
    pub(crate) documents: BTreeSet<DocumentId>,
    /// Who pays, by any of the notes.
    pub(crate) payers: BTreeSet<Option<PayerId>>,
    /// Allocations that were recorded as chosen.
    pub(crate) picks: Vec<UnitMap>,
    /// Why nothing may be billed yet, each in one sentence.
    pub(crate) holds: Vec<String>,
}

/// The slices of the patient-day: the note's own first, then the others of the same date.
pub(crate) fn slices(facts: &Facts) -> Vec<&DaySlice> {
    let own = &facts.note.slice;
    let date: Option<&NaiveDate> = own.date.agreed();
    let same_patient = |slice: &DaySlice| match (slice.patient, own.patient) {
        (Some(theirs), Some(ours)) => theirs == ours,
        _ => true,
    };
    let same_date = |slice: &DaySlice| match (slice.date.agreed(), date) {
        (Some(theirs), Some(ours)) => theirs == ours,
        _ => true,
    };
    let others = facts
        .patient_day
        .iter()
        .filter(|slice| slice.document != own.document && same_patient(slice) && same_date(slice));
    let mut all: Vec<&DaySlice> = std::iter::once(own).chain(others).collect();
    // The order in which notes were gathered must not show: of two recorded choices the first is looked at first.
    if let Some((_, others)) = all.split_first_mut() {
        others.sort_by_key(|slice| slice.document);
    }
    all
}

/// One stretch, settled; `None` if nothing is agreed of it or it was entered in error.
pub(crate) fn seg<'a>(book: &'a Rulebook, slice: &DaySlice, facts: &'a SegmentFacts) -> Option<Seg<'a>> {
    let value = facts.value.agreed().filter(|value| !value.entered_in_error)?;
    let span = match (value.start, value.end) {
        (Some(start), Some(end)) => Span::between(start, end).filter(|span| span.minutes() > Minutes::new(0)),
        _ => None,
    };
    let row = book.code(&value.code);
    Some(Seg {
        document: slice.document,
        activity: facts.activity,
        segment: facts.segment,
        devices: &facts.devices,
        value,
        performer: value.performer.or_else(|| slice.provider.agreed().copied()),
        row,
        span,
        counted: 0,
        counts: counts(row, value),
    })
}

/// Whether a stretch's minutes count as treatment in its code's time: one-on-one (or not yet said), and
/// nobody said it does not count. Rest, waiting, set-up, work alone and groups never do.
fn counts(row: Option<&Code>, value: &SegmentValue) -> bool {
    let timed = row.is_some_and(|row| matches!(row.basis, Basis::Timed | Basis::LongTimed));
    timed && value.counted != Some(false) && matches!(value.mode, None | Some(Mode::OneOnOne))
}

/// Whether an untimed service was done by this stretch.
fn done(row: &Code, value: &SegmentValue) -> bool {
    if value.counted == Some(false) {
        return false;
    }
    match &value.mode {
        Some(Mode::Rest | Mode::Waiting | Mode::SetUp) => false,
        Some(Mode::Independent) => row.contact == Contact::Supervised,
        _ => true,
    }
}

impl<'a> Day<'a> {
    /// Gathers the patient-day of settled facts.
    pub(crate) fn of(book: &'a Rulebook, facts: &'a Facts) -> Self {
        let slices = slices(facts);
        let date = facts.note.slice.date.agreed().copied();
        let mut segs: Vec<Seg<'a>> = slices
            .iter()
            .flat_map(|slice| slice.segments.iter().filter_map(|facts| seg(book, slice, facts)))
            .collect();
        segs.sort_by_key(|seg| {
            (seg.span.map_or(i64::MAX, Span::start), seg.span.map_or(0, Span::end), seg.document, seg.segment)
        });
        let overlaps = share_out(&mut segs);
        let mut pools: BTreeMap<Option<Discipline>, PoolWork> = BTreeMap::new();
        for slice in &slices {
            let pool = pools.entry(slice.discipline.clone()).or_default();
            pool.documents.insert(slice.document);
            pool.payers.insert(slice.payer.agreed().cloned());
            pool.picks.extend(slice.tie_pick.agreed().cloned());
            for (code, text) in slice.billed_units.agreed().into_iter().flatten() {
                if let Ok(units) = text.trim().parse::<u32>() {
                    let sum = pool.work.entered.entry(code.clone()).or_default();
                    *sum = sum.saturating_add(units);
                    let limit = book.limit(code, tables(&facts.settings), date);
                    pool.work.most.extend(limit.map(|limit| (code.clone(), limit.units)));
                }
            }
        }
        let mut day = Self { segs, overlaps, pools };
        day.fill(book);
        day
    }

    /// The discipline of a document of this day.
    fn discipline_of(&self, document: DocumentId) -> Option<Discipline> {
        self.pools.iter().find(|(_, pool)| pool.documents.contains(&document)).and_then(|(d, _)| d.clone())
    }

    fn fill(&mut self, book: &Rulebook) {
        let mut holds: Vec<(Option<Discipline>, String)> = Vec::new();
        for seg in &self.segs {
            let discipline = self.discipline_of(seg.document);
            if let Some(reason) = hold(book, seg) {
                holds.push((discipline.clone(), reason));
            }
            let Some(pool) = self.pools.get_mut(&discipline) else { continue };
            let timed = seg.row.is_none_or(|row| matches!(row.basis, Basis::Timed | Basis::LongTimed));
            if timed {
                let sum = pool.work.minutes.entry(seg.code().clone()).or_default();
                *sum = sum.saturating_add(seg.counted);
            } else if !seg.is_running() && seg.row.is_some_and(|row| done(row, seg.value)) {
                pool.work.done.insert(seg.code().clone());
            }
        }
        for overlap in &self.overlaps {
            let (Some(first), Some(second)) = (self.segs.get(overlap.first), self.segs.get(overlap.second))
            else {
                continue;
            };
            let reason = format!(
                "{} and {} share {} minutes; trim one",
                first.code(),
                second.code(),
                overlap.span.minutes()
            );
            for seg in [first, second] {
                holds.push((self.discipline_of(seg.document), reason.clone()));
            }
        }
        let mut said: BTreeSet<(Option<Discipline>, String)> = BTreeSet::new();
        for (discipline, reason) in holds {
            if let Some(pool) = self.pools.get_mut(&discipline)
                && said.insert((discipline, reason.clone()))
            {
                pool.holds.push(reason);
            }
        }
        for pool in self.pools.values_mut() {
            if pool.payers.len() > 1 {
                pool.holds.push("the notes of this day name different payers".to_owned());
            }
        }
    }
}

/// Why a stretch holds its pool, if it does.
fn hold(book: &Rulebook, seg: &Seg<'_>) -> Option<String> {
    let code = seg.code();
    if seg.is_running() {
        return Some(format!("{code} is still running since {}", seg.start_text()));
    }
    if seg.value.start.is_some() && seg.span.is_none() {
        return Some(format!("{code} ends at or before its start"));
    }
    if seg.row.is_none() {
        return Some(format!("{code} is not in the code table"));
    }
    let by_minutes = is_pooled(book, code) || seg.counts;
    let unknown =
        seg.span.is_none() && seg.value.typed_minutes.is_none() && seg.value.co_treatment_share.is_none();
    (by_minutes && seg.counts && unknown).then(|| format!("the minutes of {code} are not known"))
}

/// Gives every counting stretch its minutes, each shared minute to the one that began first.
///
/// Minutes typed without times cannot overlap anything. A stretch with a co-treatment share counts its
/// share and is kept apart: whether the shares fit the time treated is a finding of its own.
/// The stretches come in order of start, so what earlier ones cover of one is a piece at its beginning.
fn share_out(segs: &mut [Seg<'_>]) -> Vec<Overlap> {
    let mut overlaps = Vec::new();
    let mut open: Vec<(usize, Span)> = Vec::new();
    let mut reached = i64::MIN;
    for (index, seg) in segs.iter_mut().enumerate() {
        if !seg.counts {
            continue;
        }
        let Some(span) = seg.span else {
            let typed = if seg.value.start.is_none() { seg.value.typed_minutes } else { None };
            seg.counted = seg.value.co_treatment_share.or(typed).unwrap_or_default().count();
            continue;
        };
        if let Some(share) = seg.value.co_treatment_share {
            seg.counted = share.count().min(span.minutes().count());
            continue;
        }
        open.retain(|(_, earlier)| earlier.end() > span.start());
        for (first, earlier) in &open {
            if let Some(shared) = span.shared(*earlier)
                && overlaps.len() < limits::OVERLAPS_NAMED
            {
                overlaps.push(Overlap { first: *first, second: index, span: shared });
            }
        }
        let fresh = span.end().saturating_sub(span.start().max(reached)).max(0);
        seg.counted = u32::try_from(fresh).unwrap_or(u32::MAX);
        reached = reached.max(span.end());
        if open.len() < limits::OVERLAPS_NAMED {
            open.push((index, span));
        }
    }
    overlaps
}
