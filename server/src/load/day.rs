//! A clinic's day as people live it: who taps and types what, in which note, and when. Plain values and
//! the commands they become; plays nothing.

use std::collections::BTreeMap;

use chart::code::{Mode, ServiceCode};
use chart::ids::{ActivityId, DocumentId, GoalId, SegmentId};
use chart::time::{ClockTime, Date, Timestamp};
use chart::visit::SegmentValue;
use session_note::Command;
use session_note::command::SegmentPatch;

/// Typing is joined into one change up to this long, in milliseconds.
pub const PHRASE_MS: i64 = 2_000;
/// When the clinic opens, in minutes of the day.
pub const OPENS_MINUTE: u32 = 8 * 60;
/// Characters one change may hold, well below what the gate takes.
const PHRASE_CHARS: usize = 2_000;

/// A day of a clinic.
#[derive(Clone, Debug, PartialEq)]
pub struct Day {
    /// The date on the clinic's calendar.
    pub date: Date,
    /// The offset of its clocks from UTC, in minutes.
    pub offset_minutes: i16,
    /// How many tablets, each with one therapist.
    pub tablets: usize,
    /// The notes.
    pub notes: Vec<Note>,
}

/// One visit's note.
#[derive(Clone, Debug, PartialEq)]
pub struct Note {
    /// Its id.
    pub document: DocumentId,
    /// The tablet of the treating therapist.
    pub owner: usize,
    /// A second tablet that works on it, if any.
    pub second: Option<usize>,
    /// The payer profile.
    pub payer: String,
    /// The goals of the episode, in words.
    pub goals: Vec<String>,
    /// What the owner does.
    pub steps: Vec<Step>,
    /// The second tablet had seen so many of the owner's steps.
    pub seen: usize,
    /// What the second tablet does beside the rest of them.
    pub second_steps: Vec<Step>,
}

/// One thing a person does.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// When, in milliseconds since the clinic opened.
    pub at_ms: i64,
    /// What.
    pub act: Act,
}

/// What a person does.
#[derive(Clone, Debug, PartialEq)]
pub enum Act {
    /// Says where the note stands.
    Status(String),
    /// Starts an activity; activities count from 0.
    Start {
        /// Which.
        activity: usize,
        /// The service.
        code: String,
        /// The minute of the day.
        minute: u32,
    },
    /// Adds a technique.
    Technique {
        /// To which activity.
        activity: usize,
        /// The technique.
        name: String,
    },
    /// Stops an activity, and says how its time was spent.
    Stop {
        /// Which.
        activity: usize,
        /// The minute of the day.
        minute: u32,
        /// One provider with one patient, or the patient alone.
        one_on_one: bool,
    },
    /// Says how a goal stands.
    Goal {
        /// Which, from 0.
        goal: usize,
        /// How.
        status: String,
    },
    /// Types or takes out.
    Splice {
        /// In which text.
        field: String,
        /// Where, in code points.
        position: usize,
        /// How many code points are taken out.
        delete: usize,
        /// What is put in.
        insert: String,
    },
    /// Comments.
    Comment(String),
    /// Corrects an activity.
    Correct {
        /// Which.
        activity: usize,
        /// What.
        to: Correction,
    },
}

/// What a correction sets; absent parts stay.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Correction {
    /// The service.
    pub code: Option<String>,
    /// The start, as minute of the day.
    pub start: Option<u32>,
    /// The end, as minute of the day.
    pub end: Option<u32>,
    /// One provider with one patient, or the patient alone.
    pub one_on_one: Option<bool>,
}

/// What becomes one change: its time and its commands.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// What the tablet's clock shows.
    pub at: Timestamp,
    /// What was done.
    pub commands: Vec<Command>,
}

impl Day {
    /// A minute of the day as a clock shows it.
    fn clock(&self, minute: u32) -> Result<ClockTime, String> {
        ClockTime::on(self.date, minute / 60, minute % 60, self.offset_minutes)
            .map_err(|error| error.to_string())
    }

    /// The instant so many milliseconds after the clinic opened.
    pub fn instant(&self, at_ms: i64) -> Timestamp {
        let midnight = self.date.and_time(chrono::NaiveTime::MIN).and_utc().timestamp_millis();
        let opened = i64::from(OPENS_MINUTE) * 60_000 - i64::from(self.offset_minutes) * 60_000;
        Timestamp::from_unix_ms(midnight + opened + at_ms)
    }

    /// Steps as changes: typing into one text is joined while it lasts no longer than [`PHRASE_MS`].
    ///
    /// # Errors
    /// When a step has no form a note can take.
    pub fn entries(&self, note: &Note, steps: &[Step]) -> Result<Vec<Entry>, String> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut phrase: Option<(&str, i64, usize)> = None;
        for step in steps {
            let command = self.command(note, &step.act)?;
            if let Act::Splice { field, delete, insert, .. } = &step.act {
                let cost = delete + insert.chars().count();
                if let (Some((open, since, held)), Some(last)) = (&mut phrase, entries.last_mut())
                    && *open == field.as_str()
                    && step.at_ms - *since <= PHRASE_MS
                    && *held + cost <= PHRASE_CHARS
                {
                    *held += cost;
                    last.commands.push(command);
                    continue;
                }
                phrase = Some((field, step.at_ms, cost));
            } else {
                phrase = None;
            }
            entries.push(Entry { at: self.instant(step.at_ms), commands: vec![command] });
        }
        Ok(entries)
    }

    fn command(&self, note: &Note, act: &Act) -> Result<Command, String> {
        let status = |value: &String| Command::SetField { field: "status".to_owned(), value: value.clone() };
        Ok(match act {
            Act::Status(value) => status(value),
            Act::Start { activity, code, minute } => Command::StartSegment {
                activity: Some(note.activity(*activity)),
                segment: Some(note.segment(*activity)),
                code: service(code)?,
                start: self.clock(*minute)?,
                mode: Some(Mode::OneOnOne),
                performer: None,
            },
            Act::Technique { activity, name } => {
                Command::AddTechnique { activity: note.activity(*activity), technique: name.clone() }
            }
            Act::Stop { activity, minute, one_on_one } => {
                let to = Correction {
                    end: Some(*minute),
                    one_on_one: (!one_on_one).then_some(false),
                    ..Correction::default()
                };
                self.correct(note, *activity, &to, "charted when the activity ended")?
            }
            Act::Goal { goal, status } => {
                Command::SetGoalStatus { goal: note.goal(*goal), status: status.clone() }
            }
            Act::Splice { field, position, delete, insert } => Command::SpliceText {
                field: field.clone(),
                position: *position,
                delete: *delete,
                insert: insert.clone(),
            },
            Act::Comment(text) => Command::Comment { anchor: "plan".to_owned(), text: text.clone() },
            Act::Correct { activity, to } => {
                self.correct(note, *activity, to, "corrected on the second tablet")?
            }
        })
    }

    fn correct(
        &self,
        note: &Note,
        activity: usize,
        to: &Correction,
        reason: &str,
    ) -> Result<Command, String> {
        let (segment, activity) = (note.segment(activity), note.activity(activity));
        if let Correction { code: None, start: None, end: Some(end), one_on_one: None } = to {
            let end = self.clock(*end)?;
            return Ok(Command::StopSegment { activity, segment, end, elapsed_ms: None });
        }
        let set = SegmentPatch {
            code: to.code.as_deref().map(service).transpose()?,
            start: to.start.map(|minute| self.clock(minute)).transpose()?,
            end: to.end.map(|minute| self.clock(minute)).transpose()?,
            mode: to.one_on_one.map(mode),
            ..SegmentPatch::default()
        };
        Ok(Command::CorrectSegment { activity, segment, set, reason: reason.to_owned() })
    }

    /// Every value that is open at the end for an activity both tablets wrote: one value when they agree.
    ///
    /// # Errors
    /// When a step has no form a note can take.
    pub fn open_values(&self, note: &Note, activity: usize) -> Result<Vec<SegmentValue>, String> {
        let (before, after) = note.steps.split_at(note.seen.min(note.steps.len()));
        let mut base = None;
        self.follow(before, activity, &mut base)?;
        let (mut owners, mut seconds) = (base.clone(), base.clone());
        let owner_wrote = self.follow(after, activity, &mut owners)?;
        let second_wrote = self.follow(&note.second_steps, activity, &mut seconds)?;
        let mut open = Vec::new();
        if owner_wrote || !second_wrote {
            open.extend(owners);
        }
        if second_wrote {
            open.extend(seconds);
        }
        open.sort();
        open.dedup();
        Ok(open)
    }

    /// What some steps make of an activity; whether they wrote it at all.
    fn follow(
        &self,
        steps: &[Step],
        activity: usize,
        value: &mut Option<SegmentValue>,
    ) -> Result<bool, String> {
        let mut wrote = false;
        for step in steps {
            let to = match &step.act {
                Act::Start { activity: of, code, minute } if *of == activity => {
                    let mut started = SegmentValue::of(service(code)?);
                    started.start = Some(self.clock(*minute)?);
                    started.mode = Some(Mode::OneOnOne);
                    *value = Some(started);
                    wrote = true;
                    continue;
                }
                Act::Stop { activity: of, minute, one_on_one } if *of == activity => Correction {
                    end: Some(*minute),
                    one_on_one: (!one_on_one).then_some(false),
                    ..Correction::default()
                },
                Act::Correct { activity: of, to } if *of == activity => to.clone(),
                _ => continue,
            };
            let Some(value) = value.as_mut() else { continue };
            wrote = true;
            if let Some(code) = &to.code {
                value.code = service(code)?;
            }
            if let Some(minute) = to.start {
                value.start = Some(self.clock(minute)?);
            }
            if let Some(minute) = to.end {
                value.end = Some(self.clock(minute)?);
            }
            if let Some(one_on_one) = to.one_on_one {
                value.mode = Some(mode(one_on_one));
            }
        }
        Ok(wrote)
    }
}

impl Note {
    /// The id of an activity.
    pub fn activity(&self, number: usize) -> ActivityId {
        ActivityId::from_bytes(derived(self.document, "activity", number))
    }
    /// The id of an activity's stretch of time.
    pub fn segment(&self, number: usize) -> SegmentId {
        SegmentId::from_bytes(derived(self.document, "segment", number))
    }
    /// The id of a goal.
    pub fn goal(&self, number: usize) -> GoalId {
        GoalId::from_bytes(derived(self.document, "goal", number))
    }
    /// The id of the episode of care.
    pub fn episode(&self) -> DocumentId {
        DocumentId::from_bytes(derived(self.document, "episode", 0))
    }
    /// The texts as somebody sees them who did these steps, by field.
    pub fn texts(steps: &[Step]) -> BTreeMap<String, String> {
        let mut texts: BTreeMap<String, Vec<char>> = BTreeMap::new();
        for step in steps {
            if let Act::Splice { field, position, delete, insert } = &step.act {
                let text = texts.entry(field.clone()).or_default();
                let start = (*position).min(text.len());
                let end = (start + delete).min(text.len());
                text.splice(start..end, insert.chars());
            }
        }
        texts.into_iter().map(|(field, text)| (field, text.into_iter().collect())).collect()
    }
}

fn derived(document: DocumentId, purpose: &str, number: usize) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(document.as_bytes());
    hasher.update(purpose.as_bytes());
    hasher.update(&(number as u64).to_le_bytes());
    let mut id = [0; 16];
    hasher.finalize_xof().fill(&mut id);
    id
}

fn service(code: &str) -> Result<ServiceCode, String> {
    ServiceCode::parse(code).map_err(|error| error.to_string())
}

fn mode(one_on_one: bool) -> Mode {
    if one_on_one { Mode::OneOnOne } else { Mode::Independent }
}
