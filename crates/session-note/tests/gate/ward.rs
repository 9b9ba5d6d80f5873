//! People who work on one document through every command there is, on tablets that hear each other
//! now and then. Everything follows from one number; the gate stands between the tablets. Never
//! touches the document engine, so that what it makes is what the product makes.

use std::collections::{BTreeMap, BTreeSet};

use chart::entropy::Entropy;
use chart::ids::{
    ActivityId, ActorId, ChangeHash, ClinicId, CommandId, DeviceId, DocumentId, GoalId, PatientId, PersonId,
    SegmentId,
};
use chart::time::Timestamp;
use serde_json::{Value, json};
use session_note::admission::Submitted;
use session_note::admit::{Candidate, Limits, Outcome};
use session_note::schema::Kind;
use session_note::{Author, Command, CommandError, Issued, NoteDocument, dispute};

/// Bytes that look random and follow from a number.
#[derive(Clone)]
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_add(0x1234_5678_9abc_def1))
    }
    pub(crate) fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
    pub(crate) fn below(&mut self, sides: usize) -> usize {
        (self.roll() % sides.max(1) as u64) as usize
    }
    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        let place = self.below(from.len());
        from.get(place)
    }
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for place in (1..items.len()).rev() {
            items.swap(place, self.below(place + 1));
        }
    }
}

impl Entropy for Chance {
    fn fill(&mut self, bytes: &mut [u8]) {
        bytes.iter_mut().for_each(|byte| *byte = self.roll() as u8);
    }
}

/// How many commands there are.
pub(crate) const COMMANDS: usize = 24;

/// The place of a command in [`draw`]. Names every variant: a new one does not compile until it has a
/// place, and no test passes until [`draw`] makes it.
pub(crate) const fn place(command: &Command) -> usize {
    match command {
        Command::OpenVisit(_) => 0,
        Command::OpenEpisode(_) => 1,
        Command::StartSegment { .. } => 2,
        Command::StopSegment { .. } => 3,
        Command::RecordSegment { .. } => 4,
        Command::CorrectSegment { .. } => 5,
        Command::SetFact { .. } => 6,
        Command::Resolve { .. } => 7,
        Command::SameActivity { .. } => 8,
        Command::SetField { .. } => 9,
        Command::SetActivityField { .. } => 10,
        Command::AddTechnique { .. } => 11,
        Command::RemoveTechnique { .. } => 12,
        Command::LinkGoal { .. } => 13,
        Command::SpliceText { .. } => 14,
        Command::SetMeasure { .. } => 15,
        Command::SetGoalStatus { .. } => 16,
        Command::SetGoal { .. } => 17,
        Command::Attest { .. } => 18,
        Command::Comment { .. } => 19,
        Command::CheckIn { .. } => 20,
        Command::CheckOut { .. } => 21,
        Command::Sign { .. } => 22,
        Command::Amend { .. } => 23,
    }
}

/// What a drawn command may speak of: what stands in the note, or something new.
struct Seen {
    activities: Vec<ActivityId>,
    segments: Vec<(ActivityId, SegmentId)>,
    disputes: Vec<dispute::Dispute>,
    text: (String, usize),
}

impl Seen {
    fn of(note: &NoteDocument, chance: &mut Chance) -> Self {
        let visit = &note.read_visit().value;
        let segments = visit.activities.iter();
        let segments = segments.flat_map(|(id, one)| one.segments.keys().map(|segment| (*id, *segment)));
        let texts: Vec<(String, usize)> = match note.kind() {
            Kind::Visit => {
                visit.text.iter().map(|(name, text)| (name.clone(), text.chars().count())).collect()
            }
            Kind::Episode => vec![("plan".to_owned(), 0), ("history".to_owned(), 0)],
        };
        Self {
            activities: visit.activities.keys().copied().collect(),
            segments: segments.collect(),
            disputes: dispute::disputes(visit),
            text: chance.pick(&texts).cloned().unwrap_or_default(),
        }
    }
    fn activity(&self, chance: &mut Chance) -> ActivityId {
        chance.pick(&self.activities).copied().unwrap_or(ActivityId::from_bytes([7; 16]))
    }
    fn segment(&self, chance: &mut Chance) -> (ActivityId, SegmentId) {
        let nothing = (ActivityId::from_bytes([7; 16]), SegmentId::from_bytes([8; 16]));
        chance.pick(&self.segments).copied().unwrap_or(nothing)
    }
}

fn clock(chance: &mut Chance) -> String {
    format!("2026-03-17T{:02}:{:02}-05:00", 8 + chance.below(9), chance.below(60))
}

fn word(chance: &mut Chance) -> &'static str {
    ["", "left hand opens", "Gehstrecke 👣 40 m", "two cues", "é", "stairs, rail right"][chance.below(6)]
}

fn code(chance: &mut Chance) -> &'static str {
    ["97110", "97112", "97530", "97140"][chance.below(4)]
}

fn fact(chance: &mut Chance) -> (&'static str, Value) {
    let units = chance.below(4);
    // The payer most often, so that people disagree on something.
    match chance.below(14) {
        0 => ("provider", json!(PersonId::from_bytes([1 + units as u8; 16]))),
        1 => ("date", json!(format!("2026-03-1{units}"))),
        2 => ("place", json!("11")),
        3 => ("diagnoses", json!(vec!["I63.9"; units])),
        4 => ("tie_pick", json!({ "97110": units })),
        5 => ("billed_units", json!({ "97110": units.to_string() })),
        6 => ("totals", json!({ "timed": 20 + units })),
        _ => ("payer", json!(["medicare_ffs", "commercial"][units % 2])),
    }
}

/// The JSON of some command of this place; it need not fit the note.
fn draw_json(place: usize, seen: &Seen, chance: &mut Chance) -> Value {
    let (activity, segment) = seen.segment(chance);
    let any_activity = seen.activity(chance);
    let goal = GoalId::from_bytes([0x60 + chance.below(3) as u8; 16]);
    let (name, value) = fact(chance);
    let mode = ["one_on_one", "group"][chance.below(2)];
    let plain = ["response", "assist"][chance.below(2)];
    match place {
        0 => json!({"command": "open_visit", "patient": PatientId::random(chance),
            "clinic": ClinicId::from_bytes([3; 16]), "discipline": "pt", "facts": {name: value}}),
        1 => json!({"command": "open_episode", "patient": PatientId::random(chance), "discipline": "ot",
            "started_on": "2026-03-01", "facts": {"payer": "medicare_ffs"}}),
        2 => json!({"command": "start_segment", "code": code(chance), "start": clock(chance), "mode": mode,
            "activity": (chance.below(2) == 0).then_some(any_activity)}),
        3 => json!({"command": "stop_segment", "activity": activity, "segment": segment,
            "end": clock(chance), "elapsed_ms": 61_000}),
        4 => json!({"command": "record_segment", "value": {"code": code(chance), "start": clock(chance),
            "typed_minutes": 1 + chance.below(40)}}),
        5 => json!({"command": "correct_segment", "activity": activity, "segment": segment,
            "set": {"end": clock(chance), "mode": mode}, "reason": "wall clock"}),
        6 => json!({"command": "set_fact", "fact": name, "value": value,
            "reason": (chance.below(2) == 0).then_some("asked")}),
        7 => {
            let dispute = chance.pick(&seen.disputes);
            let chosen = dispute.and_then(|one| one.sides.first()).and_then(|side| side.versions.first());
            json!({"command": "resolve", "fact": dispute.map_or("payer", |one| &one.fact),
                "choose": chosen.copied().unwrap_or(chart::ids::VersionId::from_bytes([0; 16])),
                "reason": "asked the patient"})
        }
        8 => json!({"command": "same_activity", "a": any_activity, "b": seen.activity(chance)}),
        9 => json!({"command": "set_field", "field": plain,
            "value": word(chance)}),
        10 => json!({"command": "set_activity_field", "activity": any_activity, "field": "cues",
            "value": word(chance)}),
        11 => json!({"command": "add_technique", "activity": any_activity, "technique": "weight shift"}),
        12 => json!({"command": "remove_technique", "activity": any_activity, "technique": "weight shift"}),
        13 => json!({"command": "link_goal", "activity": any_activity, "goal": goal}),
        14 => {
            let (field, length) = &seen.text;
            let position = chance.below(length + 1);
            let delete = chance.below((length - position).min(5) + 1);
            json!({"command": "splice_text", "field": field, "position": position, "delete": delete,
                "insert": word(chance)})
        }
        15 => json!({"command": "set_measure", "name": "TUG", "value": format!("{} s", chance.below(30))}),
        16 => json!({"command": "set_goal_status", "goal": goal, "status": word(chance)}),
        17 => {
            json!({"command": "set_goal", "goal": goal, "set": {"task": word(chance), "due": "2026-06-01"}})
        }
        18 => json!({"command": "attest", "anchor": "totals"}),
        19 => json!({"command": "comment", "anchor": "text/plan", "text": word(chance)}),
        20 => json!({"command": "check_in", "at": clock(chance)}),
        21 => json!({"command": "check_out", "at": clock(chance)}),
        22 => json!({"command": "sign", "meaning": "author", "credentials": "PT, DPT"}),
        _ => json!({"command": "amend", "kind": "addendum", "text": word(chance), "reason": "left out"}),
    }
}

/// One person at one tablet.
#[derive(Clone)]
pub(crate) struct Editor {
    pub(crate) author: Author,
    pub(crate) note: NoteDocument,
    older: Vec<BTreeSet<ChangeHash>>,
}

/// All of them, and what they made in the order in which they made it.
pub(crate) struct Ward {
    pub(crate) editors: Vec<Editor>,
    pub(crate) work: Vec<Submitted>,
    /// How often each command became a change.
    pub(crate) done: [usize; COMMANDS],
    chance: Chance,
    signing: bool,
}

pub(crate) const DOCUMENT: DocumentId = DocumentId::from_bytes([0xcc; 16]);

impl Ward {
    pub(crate) fn new(kind: Kind, people: u8, seed: u64) -> Self {
        let editor = |n: u8| Editor {
            author: Author {
                person: PersonId::from_bytes([n; 16]),
                device: DeviceId::from_bytes([n / 2 + 100; 16]),
                actor: ActorId::from_bytes([n + 200; 16]),
            },
            note: NoteDocument::new(DOCUMENT, kind),
            older: Vec::new(),
        };
        let editors = (1..=people).map(editor).collect();
        Self { editors, work: Vec::new(), done: [0; COMMANDS], chance: Chance::new(seed), signing: false }
    }

    /// Lives through `steps` steps; in the last quarter notes are signed and amended.
    pub(crate) fn live(&mut self, steps: usize) {
        for step in 0..steps {
            self.signing = step * 4 >= steps * 3;
            let who = self.chance.below(self.editors.len());
            if self.chance.below(6) == 0 {
                self.hear(who);
            } else {
                self.act(who);
            }
        }
    }

    fn command(&mut self, who: usize) -> Command {
        let disputed = !dispute::disputes(&self.editors[who].note.read_visit().value).is_empty();
        let place = loop {
            let place = self.chance.below(COMMANDS);
            if disputed && self.chance.below(2) == 0 {
                break 7;
            }
            if place != 22 || self.signing {
                break place;
            }
        };
        self.command_at(who, place)
    }

    pub(crate) fn command_at(&mut self, who: usize, place: usize) -> Command {
        let seen = Seen::of(&self.editors[who].note, &mut self.chance);
        let json = draw_json(place, &seen, &mut self.chance);
        let command: Command =
            serde_json::from_value(json.clone()).unwrap_or_else(|error| panic!("{json}: {error}"));
        assert_eq!(self::place(&command), place, "{json}");
        command
    }

    fn act(&mut self, who: usize) {
        let count = 1 + self.chance.below(6) / 4;
        let commands: Vec<Command> = (0..count).map(|_| self.command(who)).collect();
        self.gives(who, commands);
    }

    /// One person gives commands, mostly on what the tablet shows, sometimes on what it showed before.
    pub(crate) fn gives(&mut self, who: usize, commands: Vec<Command>) -> Option<Submitted> {
        let Self { editors, work, done, chance, .. } = self;
        let editor = &mut editors[who];
        let older = if chance.below(8) == 0 { chance.pick(&editor.older).cloned() } else { None };
        let seen = older.unwrap_or_else(|| editor.note.heads());
        let places: Vec<usize> = commands.iter().map(place).collect();
        let mut issue = |command| Issued { id: CommandId::random(chance), command };
        let issued: Vec<Issued> = commands.into_iter().map(&mut issue).collect();
        let at = Timestamp::from_unix_ms(1_773_738_000_000 + work.len() as i64 * 1_000);
        let fresh = ActorId::random(chance);
        match editor.note.commit(&editor.author, fresh, at, &seen, &issued) {
            Ok(committed) => {
                let candidate = Candidate::scan(committed.bytes, &Limits::V1).unwrap();
                let (person, device) = (editor.author.person, editor.author.device);
                work.push(Submitted { candidate, person, device });
                editor.older.push(editor.note.heads());
                places.into_iter().for_each(|place| done[place] += 1);
                work.last().cloned()
            }
            Err(CommandError::Engine(error)) => panic!("{error}"),
            Err(_) => None,
        }
    }

    fn hear(&mut self, who: usize) {
        let from = self.chance.below(self.editors.len());
        let other = self.editors[from].note.clone();
        self.takes(who, &other);
    }

    /// One tablet takes in what another holds, through the gate.
    pub(crate) fn takes(&mut self, who: usize, other: &NoteDocument) {
        let wanted: BTreeSet<ChangeHash> = {
            let note = &self.editors[who].note;
            other.changes_since(&note.heads()).into_iter().map(|(hash, _)| hash).collect()
        };
        let heard = self.work.iter().filter(|one| wanted.contains(&one.candidate.sketch().hash));
        let heard: Vec<Submitted> = heard.cloned().collect();
        let editor = &mut self.editors[who];
        editor.note = admitted(&editor.note, &heard);
        editor.older.push(editor.note.heads());
    }

    /// The document with everybody's work in it, merged tablet by tablet.
    pub(crate) fn merged(&mut self) -> NoteDocument {
        for from in 1..self.editors.len() {
            let other = self.editors[from].note.clone();
            self.takes(0, &other);
        }
        self.editors[0].note.clone()
    }
}

/// Admits honest work; anything but admission is a failure.
pub(crate) fn admitted(note: &NoteDocument, work: &[Submitted]) -> NoteDocument {
    let admission = note.admit(work).unwrap();
    for (_, outcome) in &admission.outcomes {
        assert!(matches!(outcome, Outcome::Admitted | Outcome::AlreadyKnown), "{outcome:?}");
    }
    admission.note
}

/// Admits work as it arrives in batches of up to `batch_max`, keeping what waits.
pub(crate) fn admitted_in_batches(
    start: &NoteDocument,
    arrivals: &[Submitted],
    batch_max: usize,
    chance: &mut Chance,
) -> (NoteDocument, BTreeMap<ChangeHash, Outcome>) {
    let (mut note, mut rest) = (start.clone(), arrivals);
    let mut waiting: Vec<Submitted> = Vec::new();
    let mut verdicts = BTreeMap::new();
    while !rest.is_empty() {
        let (batch, later) = rest.split_at((1 + chance.below(batch_max)).min(rest.len()));
        waiting.extend_from_slice(batch);
        rest = later;
        let admission = note.admit(&waiting).unwrap();
        verdicts.extend(admission.outcomes);
        note = admission.note;
        // What was rejected stays, so that its descendants find it.
        waiting.retain(|one| verdicts[&one.candidate.sketch().hash] != Outcome::Admitted);
    }
    (note, verdicts)
}
