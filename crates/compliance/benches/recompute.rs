//! What a report costs, printed: `cargo bench -p compliance --bench recompute`. Asserts no time.
//!
//! A visit told in full stands in a patient-day with another discipline, in a provider-day of other patients'
//! notes, and in an episode with its plan and its list of visits, every field filled that a server gathers.
//! One of the three sizes is varied at a time. With arguments (`interventions notes visits rounds`) only
//! that one report is computed, for a profiler.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a measurement fails by panicking"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::hint::black_box;

use chart::code::ServiceCode;
use chart::facts::{Facts, Input, Repeats, VisitFacts};
use chart::ids::{Digest, DocumentId, PatientId};
use chart::register::Fact;
use chart::time::ClockTime;
use chrono::{Datelike, Days, NaiveDate};
use compliance::assess::read_visit;
use compliance::{Rulebook, recompute};
use serde_json::{Value, json};

const CODES: [&str; 4] = ["97112", "97110", "97140", "97530"];
/// Minutes of a stretch: so short that a day holds the largest visit beside the largest provider-day.
const STRETCH: usize = 5;
/// The sizes that are not varied: those of the goal.
const USUAL: Size = Size { interventions: 4, notes: 13, visits: 20 };

#[derive(Clone, Copy)]
struct Size {
    interventions: usize,
    /// Other notes of the provider's day.
    notes: usize,
    /// Visits of the episode, this one counted.
    visits: usize,
}

fn clock(minute: usize) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

/// A visit of so many interventions, one after another from midnight on.
fn visit(interventions: usize, stretch: usize) -> Facts {
    let segments: Vec<Value> = (0..interventions)
        .map(|n| {
            json!({
                "code": CODES[n % 4], "start": clock(n * stretch), "end": clock((n + 1) * stretch),
                "mode": "one_on_one", "provider": "pt1", "role": "PT", "goal": 1, "tablet": "one",
                "text": "tandem stance on foam with perturbation, trunk control for reaching",
                "techniques": ["single leg stance", "rhythmic stabilization"], "region": "trunk",
                "cueing": "verbal and tactile cues", "assistance": "contact guard", "dose": "3 sets of 5",
                "response": "sway down from 5 to 2 cm after correction", "element": "balance",
                "purpose": "standing at the sink",
            })
        })
        .collect();
    let minutes = interventions * stretch;
    let line = json!({
        "date": "2024-08-05", "payer": "medicare", "discipline": "pt", "provider": "pt1", "place": "11",
        "patient": "p1", "diagnoses": ["I69.354", "R26.89"], "segments": segments, "signed": true,
        "impairment": "poor dynamic standing balance", "function": "standing to cook",
        "reason": "needs graded handling by a therapist", "lost_task": "cooking at the stove",
        "response": "fewer losses of balance", "education": "why the wrist stays up",
        "subjective": "I feel steadier", "objective": "Berg 41", "assessment": "progressing",
        "plan": "progress to uneven ground", "totals": {"timed": minutes, "treatment": minutes},
        "check_in": "00:00", "check_out": "23:59", "home_program": "bridging, twice a day",
        "goals": [
            {"task": "stand at the sink 5 min", "baseline": "2 min", "target": "5 min", "due": "2024-09-30"},
            {"task": "walk 200 m outdoors", "baseline": "40 m", "target": "200 m", "due": "2024-09-30"},
            {"task": "climb 12 stairs", "baseline": "2 stairs", "target": "12 stairs", "due": "2024-09-30"},
        ],
        "measures": {"Berg": "41/56", "Timed up and go": "14.2 s", "Gait speed": "0.81 m/s"},
        "people": {"pt1": {"npi": "1234567893", "license_valid_to": "2026-01-01"}},
        "other_notes": [{"discipline": "ot", "segments": [
            {"code": "97535", "start": "23:00", "end": "23:30", "mode": "one_on_one", "provider": "ot1"}
        ]}],
    });
    read_visit(&line.to_string()).unwrap()
}

/// The days of treatment up to the visit's, Mondays, Wednesdays and Fridays, the earliest first.
fn treatment_days(until: NaiveDate, count: usize) -> Vec<NaiveDate> {
    let back = (0u64..).map(|days| until.checked_sub_days(Days::new(days)).unwrap());
    let treated = back.filter(|day| matches!(day.weekday().number_from_monday(), 1 | 3 | 5));
    let mut days: Vec<NaiveDate> = treated.take(count).collect();
    days.reverse();
    days
}

/// The same with a plan of care and its visits, as a server gathers them: every visit with who treated, what
/// was measured and how each goal stood, every tenth a progress report.
fn with_episode(mut facts: Facts, visits: usize) -> Facts {
    let date = *facts.note.slice.date.agreed().unwrap();
    let own = facts.note.slice.document;
    let provider = *facts.note.slice.provider.agreed().unwrap();
    let episode = facts.episode.as_mut().unwrap();
    let days = treatment_days(date, visits);
    let told = days.iter().enumerate().map(|(n, day)| {
        let last = n + 1 == visits;
        let document = DocumentId::from_bytes(u128::try_from(n + 1_000).unwrap().to_be_bytes());
        let goals = episode.goals.keys().map(|goal| (*goal, format!("{} % of the way", n % 90)));
        VisitFacts {
            document: if last { own } else { document },
            date: Some(*day),
            kind: if n % 10 == 9 && !last { "progress_report".to_owned() } else { String::new() },
            signed: true,
            performers: BTreeSet::from([provider]),
            measures: BTreeMap::from([
                ("Berg".to_owned(), format!("{}/56", 20 + n % 30)),
                ("Timed up and go".to_owned(), format!("{}.4 s", 30 - n % 20)),
                ("Gait speed".to_owned(), format!("0.{} m/s", 40 + n % 50)),
            ]),
            goal_status: goals.collect(),
            home_program: n % 4 == 1,
        }
    });
    episode.visits = told.collect();
    let first = days[0];
    episode.started_on = Some(first);
    let count = u32::try_from(visits).unwrap();
    episode.visits_by_code = CODES.iter().map(|code| (ServiceCode::parse(code).unwrap(), count)).collect();
    let recent = date.checked_sub_days(Days::new(20)).unwrap();
    for (name, value) in [
        ("poc.services", "97112; 97110; 97140; 97530".to_owned()),
        ("poc.frequency", "3 times a week".to_owned()),
        ("poc.duration", "12 weeks".to_owned()),
        ("poc.established", recent.to_string()),
        ("poc.first_treatment", first.to_string()),
        ("poc.signed", recent.to_string()),
        ("referral.signed", first.to_string()),
        ("referral.npi", "1234567893".to_owned()),
    ] {
        episode.fields.insert(name.to_owned(), value);
    }
    episode.repeats = Some(Repeats { document: DocumentId::from_bytes([7; 16]), percent: 31, words: 120 });
    facts
}

/// The same with so many other notes of the provider's day, of other patients, one after another.
fn with_day(mut facts: Facts, notes: usize) -> Facts {
    let other = visit(4, STRETCH).note.slice;
    let begins = facts.note.slice.segments.len();
    facts.provider_day = (0..notes)
        .map(|n| {
            let mut slice = other.clone();
            let name = u128::try_from(n + 1).unwrap().to_be_bytes();
            slice.document = DocumentId::from_bytes(name);
            slice.patient = Some(PatientId::from_bytes(name));
            for (k, segment) in slice.segments.iter_mut().enumerate() {
                let mut value = segment.value.agreed().unwrap().clone();
                let shift = i64::try_from((begins + n * 4) * STRETCH).unwrap();
                let later = |time: Option<ClockTime>| ClockTime::new(time.unwrap().minute() + shift, 0).ok();
                (value.start, value.end) = (later(value.start), later(value.end));
                segment.value = Fact::Agreed(value);
                segment.segment = format!("{:08x}-0000-4000-8000-{k:012x}", n + 1).parse().unwrap();
            }
            slice
        })
        .collect();
    facts
}

/// Everything around the visit, its people and its inputs.
fn facts(size: Size) -> Facts {
    let mut facts = with_day(with_episode(visit(size.interventions, STRETCH), size.visits), size.notes);
    let provider = *facts.note.slice.provider.agreed().unwrap();
    facts.people.entry(provider).or_default();
    let digest = Digest::from_bytes([1; 32]);
    facts.inputs =
        std::iter::once(Input::Document { document: facts.note.slice.document, heads: BTreeSet::new() })
            .chain(facts.provider_day.iter().map(|slice| Input::Slice { document: slice.document, digest }))
            .chain(
                ["episode", "people", "settings", "arrivals"]
                    .map(|name| Input::Values { name: name.to_owned(), digest }),
            )
            .collect();
    facts
}

/// Rounds over all sizes, and reports of each in a round.
const ROUNDS: usize = 15;
const REPORTS: usize = 101;

#[expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]
fn median_us(facts: &Facts, book: &Rulebook, reports: usize) -> f64 {
    let mut times: Vec<u128> = (0..reports)
        .map(|_| {
            let start = std::time::Instant::now();
            black_box(recompute(black_box(facts), book));
            start.elapsed().as_nanos()
        })
        .collect();
    times.sort_unstable();
    f64::from(u32::try_from(times[times.len() / 2]).unwrap_or(u32::MAX)) / 1_000.0
}

/// One table: a size grows, the others stay. The sizes take turns, so that what else runs on the machine
/// meets all of them; the median of the quietest round is compared.
fn table(book: &Rulebook, of: &str, sizes: &[usize], make: impl Fn(usize) -> Size) {
    let all: Vec<Facts> = sizes.iter().map(|n| facts(make(*n))).collect();
    let mut medians: Vec<Vec<f64>> = vec![Vec::new(); sizes.len()];
    for _ in 0..ROUNDS {
        for (facts, medians) in all.iter().zip(&mut medians) {
            medians.push(median_us(facts, book, REPORTS));
        }
    }
    println!("\n{of:>14} | findings | quiet us | usual us | one more, us | size, cost beside the row above");
    let mut before: Option<(usize, f64)> = None;
    for ((n, facts), mut medians) in sizes.iter().zip(&all).zip(medians) {
        medians.sort_by(f64::total_cmp);
        let (quiet, usual) = (medians[0], medians[ROUNDS / 2]);
        let findings = recompute(facts, book).findings.len();
        let count = |n: usize| f64::from(u32::try_from(n).unwrap());
        let beside = before.map_or(String::new(), |(m, us)| {
            let one = (quiet - us) / count(n - m);
            format!("{one:12.2} | x {:.2}, x {:.2}", count(*n) / count(m.max(1)), quiet / us)
        });
        println!("{n:14} | {findings:8} | {quiet:8.1} | {usual:8.1} | {beside}");
        before = Some((*n, quiet));
    }
}

fn main() {
    let book = Rulebook::builtin().unwrap();
    let asked: Vec<usize> = std::env::args().filter_map(|arg| arg.parse().ok()).collect();
    if let [interventions, notes, visits, rounds] = asked[..] {
        let facts = facts(Size { interventions, notes, visits });
        println!("{:.1} us", median_us(&facts, &book, rounds));
        return;
    }
    let example = facts(USUAL);
    let found = recompute(&example, &book).findings;
    let names: Vec<&str> = found.iter().map(|finding| finding.id.as_str()).collect();
    println!("findings of the usual visit: {}", names.join(", "));
    table(&book, "interventions", &[4, 8, 16, 32, 64, 120, 180], |interventions| Size {
        interventions,
        ..USUAL
    });
    table(&book, "notes of a day", &[0, 13, 26, 52, 66, 132], |notes| Size { notes, ..USUAL });
    table(&book, "visits", &[1, 20, 40, 80, 160, 320], |visits| Size { visits, ..USUAL });
}
