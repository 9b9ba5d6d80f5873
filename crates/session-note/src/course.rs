//! The course of an episode as a note's rules see it: its visits up to the note's date, and how much of
//! the last signed note this one repeats.
//!
//! Shared by server and tablet, so that equal inputs give equal facts. Counts and compares; judges nothing.

use std::collections::{BTreeMap, BTreeSet};

use chart::episode::Episode;
use chart::facts::{DaySlice, EpisodeFacts, NoteFacts, Repeats, VisitFacts};
use chart::ids::{ChangeHash, DocumentId, PersonId};
use chart::time::Date;
use chart::visit::{Activity, Visit, activity_field, field};

use crate::slices::{dates, providers};

/// What its episode sees of a visit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EpisodeVisit {
    /// As rules ask.
    pub facts: VisitFacts,
    slice_codes: BTreeSet<chart::code::ServiceCode>,
    latest: Option<Date>,
    /// The runs of words of a signed note. An unsigned note's text is nobody else's business, so that
    /// a word typed in it touches no other report.
    text: BTreeSet<u64>,
}

impl EpisodeVisit {
    /// What the episode sees of this visit.
    pub fn of(visit: &Visit, slice: &DaySlice) -> Self {
        let signed = visit.signatures.values().any(|signature| signature.meaning == "author");
        let values = slice.segments.iter().flat_map(|segment| segment.value.values());
        let text = if signed { runs(&words(&visit.text, &visit.activities)) } else { BTreeSet::new() };
        let told = |name: &str| visit.fields.get(name).map_or("", |text| text.trim());
        Self {
            facts: VisitFacts {
                document: visit.id,
                date: slice.date.agreed().copied(),
                kind: told(field::KIND).to_owned(),
                signed,
                performers: performers(slice),
                measures: visit
                    .measures
                    .values()
                    .map(|measure| (measure.name.trim().to_owned(), measure.value.trim().to_owned()))
                    .collect(),
                goal_status: visit.goal_status.clone(),
                home_program: !told(field::HOME_PROGRAM).is_empty(),
            },
            slice_codes: values
                .filter(|value| !value.entered_in_error)
                .map(|value| value.code.clone())
                .collect(),
            latest: dates(slice).into_iter().max(),
            text,
        }
    }
}

/// Who treated: performers of stretches that were no mistake, else the note's provider.
fn performers(slice: &DaySlice) -> BTreeSet<PersonId> {
    let values = slice.segments.iter().flat_map(|segment| segment.value.values());
    let named: BTreeSet<PersonId> =
        values.filter(|value| !value.entered_in_error).filter_map(|value| value.performer).collect();
    if named.is_empty() { providers(slice) } else { named }
}

/// An episode with its visits, cut for one note.
#[derive(Clone, Debug)]
pub struct Course {
    /// The episode.
    pub document: DocumentId,
    /// The heads it was read at.
    pub heads: BTreeSet<ChangeHash>,
    facts: EpisodeFacts,
    /// The last signed note before this one, and its runs of words.
    last: Option<(DocumentId, BTreeSet<u64>)>,
}

/// Cuts an episode for the note of a slice: visits up to the slice's latest date count.
pub fn course(
    episode: &Episode,
    heads: BTreeSet<ChangeHash>,
    own: &DaySlice,
    visits: impl IntoIterator<Item = EpisodeVisit>,
) -> Course {
    let until = dates(own).into_iter().max();
    let mut facts = EpisodeFacts {
        diagnoses: episode.diagnoses.fact().agreed().cloned().unwrap_or_default(),
        goals: episode.goals.clone(),
        started_on: episode.started_on,
        fields: episode.fields.clone(),
        ..EpisodeFacts::default()
    };
    let mut last: Option<(Date, DocumentId, BTreeSet<u64>)> = None;
    for visit in visits {
        if visit.latest > until {
            continue;
        }
        for code in &visit.slice_codes {
            let count = facts.visits_by_code.entry(code.clone()).or_insert(0u32);
            *count = count.saturating_add(1);
        }
        let before = visit.facts.date.filter(|date| Some(*date) < until && !visit.text.is_empty());
        if let Some(date) = before
            && visit.facts.document != own.document
            && last.as_ref().is_none_or(|(day, document, _)| (*day, *document) < (date, visit.facts.document))
        {
            last = Some((date, visit.facts.document, visit.text));
        }
        facts.visits.push(visit.facts);
    }
    facts.visits.sort_by_key(|visit| (visit.date, visit.document));
    Course { document: episode.id, heads, facts, last: last.map(|(_, document, text)| (document, text)) }
}

impl Course {
    /// The facts for this very note, its text compared.
    pub(crate) fn facts_for(self, note: &NoteFacts) -> EpisodeFacts {
        let mut facts = self.facts;
        if let Some((document, theirs)) = self.last {
            let words = words(&note.text, &note.activities);
            let ours = runs(&words);
            let (shared, all) = (ours.intersection(&theirs).count(), ours.len().saturating_add(theirs.len()));
            let percent = shared.saturating_mul(200).checked_div(all).unwrap_or(0);
            facts.repeats = Some(Repeats {
                document,
                percent: u32::try_from(percent).unwrap_or(100),
                words: u32::try_from(words.len()).unwrap_or(u32::MAX),
            });
        }
        facts
    }

    /// Everyone who treated in the episode.
    pub(crate) fn performers(&self) -> impl Iterator<Item = PersonId> + '_ {
        self.facts.visits.iter().flat_map(|visit| visit.performers.iter().copied())
    }
}

/// The words of a note in lower case: its texts, then what was done and how the patient responded.
fn words(
    text: &BTreeMap<String, String>,
    activities: &BTreeMap<chart::ids::ActivityId, Activity>,
) -> Vec<String> {
    let told = [activity_field::DESCRIPTION, activity_field::RESPONSE, activity_field::PURPOSE];
    // Activities carry new ids in every note, so their words are put in an order of their own.
    let mut done: Vec<&str> = activities
        .values()
        .flat_map(|activity| told.iter().filter_map(|name| activity.fields.get(*name)))
        .map(String::as_str)
        .collect();
    done.sort_unstable();
    let all = text.values().map(String::as_str).chain(done);
    all.flat_map(|text| text.split(|c: char| !c.is_alphanumeric()))
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}

/// The words of a run that are compared as one.
const RUN: usize = 3;

/// Every run of three words, hashed; a short text is one run.
fn runs(words: &[String]) -> BTreeSet<u64> {
    use sha2::Digest as _;
    let run = |words: &[String]| {
        let mut hash = sha2::Sha256::new();
        for word in words {
            hash.update(word.as_bytes());
            hash.update([0]);
        }
        let digest: [u8; 32] = hash.finalize().into();
        digest.first_chunk::<8>().map_or(0, |bytes| u64::from_le_bytes(*bytes))
    };
    if words.is_empty() {
        return BTreeSet::new();
    }
    if words.len() < RUN {
        return BTreeSet::from([run(words)]);
    }
    words.windows(RUN).map(run).collect()
}
