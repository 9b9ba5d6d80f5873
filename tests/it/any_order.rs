//! One note edited on several tablets apart and merged in any order: every replica's report has the same
//! bytes, and no replica shows a claim line that another does not.

use std::collections::{BTreeMap, BTreeSet};

use chart::entropy::Entropy;
use chart::facts::Standing;
use chart::ids::{
    ActivityId, ActorId, ChangeHash, CommandId, DeviceId, DocumentId, PatientId, PersonId, SegmentId,
};
use chart::time::Timestamp;
use compliance::{Rulebook, recompute};
use serde_json::{Value, json};
use session_note::admission::Submitted;
use session_note::admit::{Candidate, Limits};
use session_note::facts::{Around, gather};
use session_note::schema::Kind;
use session_note::{Author, Issued, NoteDocument};

const VISIT: DocumentId = DocumentId::from_bytes([0xcc; 16]);
/// Worlds that are tried; `GAITWAY_ORDERS` for more.
const WORLDS: u64 = 60;

struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

impl Entropy for Dice {
    fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            *byte = u8::try_from(self.below(256)).unwrap();
        }
    }
}

type Proof = BTreeMap<ChangeHash, (PersonId, DeviceId)>;

/// One person's copy of the note.
struct Replica {
    author: Author,
    note: NoteDocument,
}

impl Replica {
    fn new(n: u8) -> Self {
        let author = Author {
            person: PersonId::from_bytes([n; 16]),
            device: DeviceId::from_bytes([n + 100; 16]),
            actor: ActorId::from_bytes([n + 200; 16]),
        };
        Self { author, note: NoteDocument::new(VISIT, Kind::Visit) }
    }

    /// Does something; what the note refuses is not done.
    fn does(&mut self, dice: &mut Dice, command: &Value) {
        let issued =
            Issued { id: CommandId::random(dice), command: serde_json::from_value(command.clone()).unwrap() };
        let fresh = ActorId::random(dice);
        let at = Timestamp::from_unix_ms(1_773_000_000_000 + i64::try_from(dice.below(1_000)).unwrap());
        let seen = self.note.heads();
        let _ = self.note.commit(&self.author, fresh, at, &seen, &[issued]);
    }

    /// Takes in what another copy holds, through the gate.
    fn hears(&mut self, other: &NoteDocument, authors: &Proof) {
        let submitted: Vec<Submitted> = other
            .changes_since(&self.note.heads())
            .into_iter()
            .map(|(hash, bytes)| {
                let (person, device) = authors[&hash];
                Submitted { candidate: Candidate::scan(bytes, &Limits::V1).unwrap(), person, device }
            })
            .collect();
        self.note = self.note.admit(&submitted).unwrap().note;
    }

    fn report(&self, book: &Rulebook) -> Vec<u8> {
        let as_of = "2026-03-18".parse().unwrap();
        let facts = gather(&self.note, Around::default(), as_of, Standing::Complete);
        serde_json::to_vec(&recompute(&facts, book)).unwrap()
    }
}

fn clock(minute: u64) -> String {
    format!("2026-03-17T{:02}:{:02}-05:00", 9 + minute / 60, minute % 60)
}

/// Something a therapist may do to this note: the stretches have few names, so that tablets meet.
fn anything(dice: &mut Dice) -> Value {
    let activity = ActivityId::from_bytes([u8::try_from(dice.below(3)).unwrap() + 1; 16]);
    let segment = SegmentId::from_bytes([u8::try_from(dice.below(2)).unwrap() + 1; 16]);
    let code = ["97112", "97110", "97140", "95851"][usize::try_from(dice.below(4)).unwrap()];
    let start = dice.below(60);
    let end = start + dice.below(40);
    match dice.below(8) {
        0..=2 => json!({
            "command": "record_segment", "activity": activity, "segment": segment,
            "value": {"code": code, "start": clock(start), "end": clock(end), "mode": "one_on_one"},
        }),
        3 => json!({
            "command": "correct_segment", "activity": activity, "segment": segment,
            "set": {"end": clock(end)}, "reason": "the wall clock",
        }),
        4 => {
            let payer = ["medicare_ffs", "aetna"][usize::try_from(dice.below(2)).unwrap()];
            json!({"command": "set_fact", "fact": "payer", "value": payer, "reason": "the card"})
        }
        5 => {
            let diagnosis = ["I69.354", "R26.89"][usize::try_from(dice.below(2)).unwrap()];
            json!({"command": "set_fact", "fact": "diagnoses", "value": [diagnosis], "reason": "the plan"})
        }
        6 => {
            json!({"command": "set_fact", "fact": "billed_units", "value": {code: dice.below(4).to_string()}})
        }
        _ => {
            json!({"command": "set_field", "field": "response", "value": format!("sway {} cm", dice.below(9))})
        }
    }
}

/// A note begun by one, copied, edited apart by three, and merged in this order by everybody.
fn world(seed: u64, book: &Rulebook) -> (usize, usize) {
    let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let patient = PatientId::from_bytes([9; 16]);
    let mut replicas: Vec<Replica> = (1..=3).map(Replica::new).collect();
    let facts = json!({"payer": "medicare_ffs", "date": "2026-03-17", "provider": replicas[0].author.person});
    replicas[0].does(
        &mut dice,
        &json!({"command": "open_visit", "patient": patient, "discipline": "pt", "facts": facts}),
    );
    let begun = replicas[0].note.clone();
    let mut authors: Proof = BTreeMap::new();
    let know = |authors: &mut Proof, note: &NoteDocument| {
        for entry in note.history() {
            authors.insert(entry.by.change.unwrap(), (entry.by.person, entry.by.device));
        }
    };
    know(&mut authors, &begun);
    for replica in &mut replicas[1..] {
        replica.hears(&begun, &authors);
    }
    for round in 0..2 {
        for replica in &mut replicas {
            for _ in 0..=dice.below(4) {
                let command = anything(&mut dice);
                replica.does(&mut dice, &command);
            }
        }
        for replica in &replicas {
            know(&mut authors, &replica.note);
        }
        // In the first round only some hear of each other; in the second everybody hears everybody, each in an
        // order of its own.
        let hearings = if round == 0 { 2 } else { 12 };
        for _ in 0..hearings {
            let (from, to) = (dice.below(3), dice.below(3));
            let note = replicas[usize::try_from(from).unwrap()].note.clone();
            replicas[usize::try_from(to).unwrap()].hears(&note, &authors);
        }
    }
    let notes: Vec<NoteDocument> = replicas.iter().map(|replica| replica.note.clone()).collect();
    for (index, replica) in replicas.iter_mut().enumerate() {
        for step in 0..3 {
            replica.hears(&notes[(index + step) % 3], &authors);
        }
    }
    let reports: BTreeSet<Vec<u8>> = replicas.iter().map(|replica| replica.report(book)).collect();
    let heads: BTreeSet<_> = replicas.iter().map(|replica| replica.note.heads()).collect();
    assert_eq!((heads.len(), reports.len()), (1, 1), "seed {seed}");
    let report: Value = serde_json::from_slice(reports.first().unwrap()).unwrap();
    let disputed = report["pools"][0]["outcome"]["state"] == "disputed";
    let lines = report.pointer("/billing/lines").and_then(Value::as_array).map_or(0, Vec::len);
    assert!(!disputed || lines == 0, "seed {seed}: a disputed pool has lines");
    (usize::from(disputed), usize::from(lines > 0))
}

#[test]
fn any_order_of_merges_gives_byte_equal_reports() {
    let book = Rulebook::builtin().unwrap();
    let worlds = std::env::var("GAITWAY_ORDERS").ok().and_then(|n| n.parse().ok()).unwrap_or(WORLDS);
    let (mut disputed, mut billed) = (0, 0);
    for seed in 0..worlds {
        let (open, lines) = world(seed, &book);
        disputed += open;
        billed += lines;
    }
    assert!(
        disputed > 0 && billed > 0,
        "{disputed} disputed and {billed} with lines: the worlds show too little"
    );
}
