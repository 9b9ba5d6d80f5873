//! What a report costs, printed: `cargo bench -p compliance --bench recompute`. Asserts no time.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a measurement fails by panicking"
)]

use std::hint::black_box;

use chart::facts::Facts;
use chart::ids::{DocumentId, PatientId};
use chart::register::Fact;
use chart::time::ClockTime;
use compliance::assess::read_visit;
use compliance::{Rulebook, recompute};
use serde_json::{Value, json};

const CODES: [&str; 4] = ["97112", "97110", "97140", "97530"];

/// A visit of so many interventions of four minutes and more, one after another.
fn visit(interventions: usize) -> Facts {
    let minutes = (480 / interventions).clamp(4, 15);
    let clock = |minute: usize| format!("{:02}:{:02}", 8 + minute / 60, minute % 60);
    let segments: Vec<Value> = (0..interventions)
        .map(|n| {
            json!({
                "code": CODES[n % 4], "start": clock(n * minutes), "end": clock((n + 1) * minutes),
                "mode": "one_on_one", "provider": "pt1", "role": "PT", "goal": 1, "tablet": "one",
                "text": "tandem stance on foam with perturbation, trunk control for reaching",
                "techniques": ["single leg stance", "rhythmic stabilization"], "region": "trunk",
                "cueing": "verbal and tactile cues", "assistance": "contact guard", "dose": "3 sets of 5",
                "response": "sway down from 5 to 2 cm after correction", "element": "balance",
                "purpose": "standing at the sink",
            })
        })
        .collect();
    let line = json!({
        "date": "2024-08-05", "payer": "medicare", "discipline": "pt", "provider": "pt1", "place": "11",
        "diagnoses": ["I69.354", "R26.89"], "segments": segments, "signed": true,
        "impairment": "poor dynamic standing balance", "function": "standing to cook",
        "reason": "needs graded handling by a therapist", "lost_task": "cooking at the stove",
        "response": "fewer losses of balance", "education": "why the wrist stays up",
        "subjective": "I feel steadier", "objective": "Berg 41", "assessment": "progressing",
        "plan": "progress to uneven ground", "totals": {"timed": 60, "treatment": 60},
        "goals": [{"task": "stand at the sink 5 min", "baseline": "2 min", "target": "5 min", "due": "2024-09-30"}],
        "measures": {"Berg": "41/56"}, "episode": {"visits_97112": 12, "started_on": "2024-07-01"},
        "people": {"pt1": {"npi": "1234567893", "license_valid_to": "2026-01-01"}},
        "other_notes": [{"discipline": "ot", "segments": [
            {"code": "97535", "start": "17:00", "end": "17:30", "mode": "one_on_one", "provider": "ot1"}
        ]}],
    });
    read_visit(&line.to_string()).unwrap()
}

/// The same with so many other notes of the provider's day, of other patients, at other times.
fn with_day(mut facts: Facts, notes: usize) -> Facts {
    let other = visit(4).note.slice;
    facts.provider_day = (0..notes)
        .map(|n| {
            let mut slice = other.clone();
            let byte = u8::try_from(n % 250).unwrap();
            slice.document = DocumentId::from_bytes([byte; 16]);
            slice.patient = Some(PatientId::from_bytes([byte; 16]));
            // One patient after another: a day nobody has to complain of.
            for segment in &mut slice.segments {
                let mut value = segment.value.agreed().unwrap().clone();
                let later = |time: Option<ClockTime>| {
                    let minute = time.unwrap().minute() + 61 * (i64::try_from(n).unwrap() + 1);
                    ClockTime::new(minute, 0).ok()
                };
                (value.start, value.end) = (later(value.start), later(value.end));
                segment.value = Fact::Agreed(value);
            }
            slice.segments.sort_by_key(|segment| segment.segment);
            slice
        })
        .collect();
    facts
}

#[expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]
fn median_us(facts: &Facts, book: &Rulebook) -> f64 {
    let mut times: Vec<u128> = (0..301)
        .map(|_| {
            let start = std::time::Instant::now();
            black_box(recompute(black_box(facts), book));
            start.elapsed().as_nanos()
        })
        .collect();
    times.sort_unstable();
    f64::from(u32::try_from(times[times.len() / 2]).unwrap_or(u32::MAX)) / 1_000.0
}

fn main() {
    let book = Rulebook::builtin().unwrap();
    let example = with_day(visit(4), 12);
    let report = recompute(&example, &book);
    println!("{} findings in the visit of four interventions", report.findings.len());
    println!("interventions | notes of the provider's day | median us | us for each stretch of time");
    for (interventions, notes) in [
        (4, 0),
        (4, 12),
        (4, 24),
        (4, 48),
        (4, 96),
        (4, 192),
        (8, 12),
        (16, 12),
        (32, 12),
        (64, 12),
        (120, 12),
    ] {
        let facts = with_day(visit(interventions), notes);
        let us = median_us(&facts, &book);
        let stretches = u32::try_from(interventions + 1 + notes * 4).unwrap();
        println!("{interventions:13} | {notes:27} | {us:9.1} | {:.2}", us / f64::from(stretches));
    }
}
