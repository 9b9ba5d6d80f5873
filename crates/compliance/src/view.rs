//! What a check looks at: settled facts, the patient-day in pools, the payer's profile, the lines.
//!
//! Built once for each combination of open choices; no dispute is left in it.

mod told;

use std::collections::{BTreeMap, BTreeSet};

use chart::code::{Discipline, PayerId, ServiceCode};
use chart::facts::{Facts, NoteFacts, PersonFacts};
use chart::ids::{DocumentId, PersonId};
use chart::reference::{Profession, Role};
use chart::report::{Counted, UnitRule};
use chart::time::ClockTime;
use chrono::NaiveDate;

use crate::course::Course;
use crate::day::{Day, PoolWork, Seg, seg};
use crate::rulebook::{Code, Flag, Payer, PayerTerms, Rulebook};
use crate::units::{UnitMap, count};

pub(crate) use told::{Told, of_activity};

/// A stretch of another patient's note, settled.
pub(crate) struct OtherSeg<'a> {
    pub(crate) seg: Seg<'a>,
    /// Whether it certainly belongs to this patient.
    pub(crate) same_patient: bool,
}

/// Settled facts with everything derived from them that checks ask for.
pub(crate) struct View<'a> {
    pub(crate) book: &'a Rulebook,
    pub(crate) facts: &'a Facts,
    pub(crate) note: &'a NoteFacts,
    pub(crate) date: Option<NaiveDate>,
    pub(crate) payer_id: Option<&'a PayerId>,
    pub(crate) payer: Option<&'a Payer>,
    pub(crate) rule: Option<UnitRule>,
    pub(crate) day: Day<'a>,
    /// The episode up to this note.
    pub(crate) course: Course<'a>,
    /// Units of every pool of the day.
    pub(crate) counted: BTreeMap<Option<Discipline>, Counted>,
    /// Stretches of other notes in which a provider of this note treated somebody.
    pub(crate) others: Vec<OtherSeg<'a>>,
    own_codes: BTreeSet<ServiceCode>,
    told: Vec<Told<'a>>,
}

/// Counts a pool; without a known rule by the day's total, for the screen only.
pub(crate) fn count_pool(book: &Rulebook, pool: &PoolWork) -> Counted {
    match pool_rule(book, pool) {
        Some(rule) => count(book, rule, &pool.work, &pool.picks),
        None => Counted { rule: None, ..count(book, UnitRule::Cms8Minute, &pool.work, &pool.picks) },
    }
}

/// The rule of a pool's payer, if all its notes name one payer and its profile has one.
pub(crate) fn pool_rule(book: &Rulebook, pool: &PoolWork) -> Option<UnitRule> {
    pool_payer(pool).and_then(|payer| book.payer(&payer.0)).and_then(|payer| payer.unit_rule)
}

/// Who pays for a pool, if its notes agree.
pub(crate) fn pool_payer(pool: &PoolWork) -> Option<&PayerId> {
    match pool.payers.len() {
        1 => pool.payers.first().and_then(Option::as_ref),
        _ => None,
    }
}

impl<'a> View<'a> {
    pub(crate) fn of(book: &'a Rulebook, facts: &'a Facts) -> Self {
        let day = Day::of(book, facts);
        let counted = day.pools.iter().map(|(d, pool)| (d.clone(), count_pool(book, pool))).collect();
        let note = &facts.note;
        let payer_id = note.slice.payer.agreed();
        let payer = payer_id.and_then(|id| book.payer(&id.0));
        let ours: BTreeSet<DocumentId> =
            day.pools.values().flat_map(|pool| pool.documents.iter().copied()).collect();
        let mut others = Vec::new();
        for slice in &facts.provider_day {
            if ours.contains(&slice.document) {
                continue;
            }
            let same_patient = slice.patient.is_some() && slice.patient == note.slice.patient;
            let segs = slice.segments.iter().filter_map(|facts| seg(book, slice, facts));
            others.extend(segs.map(|seg| OtherSeg { seg, same_patient }));
        }
        let own = day.segs.iter().enumerate().filter(|(_, seg)| seg.document == note.slice.document);
        let told = told::told(&note.activities, own.clone());
        let entered = note.slice.billed_units.agreed().into_iter().flatten().map(|(code, _)| code);
        let own_codes = own.map(|(_, seg)| seg.code()).chain(entered).cloned().collect();
        Self {
            book,
            facts,
            note,
            own_codes,
            told,
            date: note.slice.date.agreed().copied(),
            payer_id,
            payer,
            rule: payer.and_then(|payer| payer.unit_rule),
            day,
            course: Course::of(facts),
            counted,
            others,
        }
    }

    /// The stretches of this note.
    pub(crate) fn own(&self) -> impl Iterator<Item = &Seg<'a>> {
        self.day.segs.iter().filter(|seg| seg.document == self.note.slice.document)
    }
    /// What this note's discipline did that day.
    pub(crate) fn pool(&self) -> Option<&PoolWork> {
        self.day.pools.get(&self.note.slice.discipline)
    }
    /// The units of this note's pool.
    pub(crate) fn units(&self) -> Option<&Counted> {
        self.counted.get(&self.note.slice.discipline)
    }
    /// Units entered for this note's pool.
    pub(crate) fn entered(&self) -> UnitMap {
        self.pool().map(|pool| pool.work.entered.clone()).unwrap_or_default()
    }
    /// Every code of the patient-day with its units: those entered, else those computed.
    pub(crate) fn lines(&self) -> UnitMap {
        let mut lines = UnitMap::new();
        for (discipline, pool) in &self.day.pools {
            let computed = self.counted.get(discipline).map(|counted| &counted.per_code);
            let units = if pool.work.entered.is_empty() { computed } else { Some(&pool.work.entered) };
            for (code, n) in units.into_iter().flatten().filter(|(_, n)| **n > 0) {
                let sum: &mut u32 = lines.entry(code.clone()).or_default();
                *sum = sum.saturating_add(*n);
            }
        }
        lines
    }
    /// The codes of this note: of its stretches and of its entered units.
    pub(crate) fn own_codes(&self) -> &BTreeSet<ServiceCode> {
        &self.own_codes
    }
    /// The row of a code.
    pub(crate) fn row(&self, code: &ServiceCode) -> Option<&'a Code> {
        self.book.code(code)
    }
    /// Whether the payer's profile has a switch on; `unknown` where there is no profile.
    pub(crate) fn has(&self, flag: Flag, unknown: bool) -> bool {
        self.payer.map_or(unknown, |payer| payer.has(flag))
    }
    /// How the payer prints.
    pub(crate) fn payer_text(&self) -> String {
        match (self.payer, self.payer_id) {
            (Some(payer), _) => payer.label.clone(),
            (None, Some(id)) => id.to_string(),
            (None, None) => "the payer".to_owned(),
        }
    }
    /// A threshold, the clinic's own or the rulebook's.
    pub(crate) fn setting(&self, name: &str) -> i64 {
        self.book.setting(&self.facts.settings, name)
    }
    /// A plain field of the note, trimmed; empty if absent.
    pub(crate) fn field(&self, name: &str) -> &str {
        self.note.fields.get(name).map_or("", |text| text.trim())
    }
    /// A plain field of the episode, trimmed; empty if absent.
    pub(crate) fn episode_field(&self, name: &str) -> &str {
        self.facts.episode.as_ref().and_then(|e| e.fields.get(name)).map_or("", |text| text.trim())
    }
    /// A date among the episode's fields.
    pub(crate) fn episode_date(&self, name: &str) -> Option<NaiveDate> {
        self.episode_field(name).parse().ok()
    }
    /// The payer's terms that hold on the date.
    pub(crate) fn terms(&self) -> Option<&'a PayerTerms> {
        let date = self.date.unwrap_or(self.facts.as_of);
        let terms = self.payer.and_then(|payer| self.book.records.terms.get(&payer.id));
        terms.filter(|terms| terms.from <= date)
    }
    /// The offset of the note's clock from UTC, in minutes.
    pub(crate) fn offset_minutes(&self) -> i16 {
        let started = || self.own().find_map(|seg| seg.value.start);
        self.note.check_in.or_else(started).map_or(0, ClockTime::offset_minutes)
    }
    /// The words of a list.
    pub(crate) fn words(&self, list: &str) -> &'a [String] {
        self.book.words(list)
    }
    /// What is known of a person.
    pub(crate) fn person(&self, id: PersonId) -> Option<&'a PersonFacts> {
        self.facts.people.get(&id)
    }
    /// The people who treated in this note.
    pub(crate) fn performers(&self) -> BTreeSet<PersonId> {
        self.own().filter_map(|seg| seg.performer).chain(self.note.slice.provider.agreed().copied()).collect()
    }
    /// This note's activities with their stretches, activities without stretches left out.
    pub(crate) fn activities(&self) -> impl Iterator<Item = (&Told<'a>, Vec<&Seg<'a>>)> {
        self.told
            .iter()
            .map(|told| (told, told.segs.iter().filter_map(|place| self.day.segs.get(*place)).collect()))
    }
    /// How a minute of the day prints on the clock of a stretch.
    pub(crate) fn clock(&self, seg: &Seg<'_>, minute: i64) -> String {
        let offset = seg.value.start.map_or(0, ClockTime::offset_minutes);
        ClockTime::new(minute, offset).map_or_else(|_| "unknown".to_owned(), |time| time.hour_minute())
    }
}

/// Whether a person is an assistant.
pub(crate) fn is_assistant(person: &PersonFacts) -> bool {
    matches!(
        person.profession,
        Some(Profession::PhysicalTherapistAssistant | Profession::OccupationalTherapyAssistant)
    ) || (person.roles.contains(&Role::Assistant) && !person.roles.contains(&Role::Therapist))
}

/// Whether a person is a student.
pub(crate) fn is_student(person: &PersonFacts) -> bool {
    person.profession == Some(Profession::Student)
        || (person.roles.contains(&Role::Student) && !person.roles.contains(&Role::Therapist))
}

/// Whether a person is an aide.
pub(crate) fn is_aide(person: &PersonFacts) -> bool {
    person.profession == Some(Profession::Aide)
}
