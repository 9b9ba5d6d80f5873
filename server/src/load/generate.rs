//! Our own clinic day, made from a number: the same number gives the same day on every machine.
//!
//! Each therapist sees one patient after another; a note has four activities, three goals and about
//! 1,200 characters, typed in bursts with their times, some in the middle of a text and some taken back.
//! On every tenth note a second tablet, cut off since the second activity began, comments, plans on and
//! corrects that activity, sometimes to the very value the owner chooses too. Nobody in it lives.

use chart::ids::DocumentId;
use chart::time::Date;

use super::day::{Act, Correction, Day, Note, OPENS_MINUTE, Step};

/// Minutes from one patient to the next.
const SLOT_MINUTES: u32 = 35;
const CODES: [&str; 6] = ["97112", "97110", "97140", "97530", "97116", "97535"];
const PAYERS: [&str; 4] = ["medicare_ffs", "aetna", "bcbs", "cash"];
const FIELDS: [&str; 4] = chart::visit::TEXT_FIELDS;
const STATUSES: [&str; 3] = ["progressing", "met", "no change"];
const TECHNIQUES: [&str; 8] = [
    "weight shift on foam",
    "stance on one leg",
    "stepping over low hurdles",
    "reaching past the base of support",
    "alternating holds",
    "heel-to-toe gait",
    "sit to stand without hands",
    "turning with closed eyes",
];
const WORDS: [&str; 40] = [
    "stands",
    "steadier",
    "than",
    "last",
    "week",
    "needs",
    "one",
    "cue",
    "for",
    "trunk",
    "control",
    "left",
    "ankle",
    "gives",
    "way",
    "on",
    "uneven",
    "ground",
    "walks",
    "to",
    "the",
    "mailbox",
    "with",
    "cane",
    "pain",
    "two",
    "of",
    "ten",
    "after",
    "stairs",
    "holds",
    "balance",
    "eight",
    "seconds",
    "goes",
    "home",
    "with",
    "three",
    "exercises",
    "daily",
];

/// What a day is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// The number it comes from.
    pub seed: u64,
    /// Tablets, each with one therapist.
    pub tablets: usize,
    /// Visits of each therapist.
    pub visits: usize,
    /// Every how many notes a second tablet works on one.
    pub shared_every: usize,
}

impl Shape {
    /// A whole day of a clinic: 168 notes, 17 of them with a second tablet.
    pub const fn full(seed: u64) -> Self {
        Self { seed, tablets: 12, visits: 14, shared_every: 10 }
    }
}

/// A small generator of numbers (SplitMix64): enough for a trace, never for a key.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from `low` to `high`, both included.
    fn within(&mut self, low: u32, high: u32) -> u32 {
        let span = u64::from(high.saturating_sub(low)) + 1;
        low + u32::try_from(self.next() % span).unwrap_or(0)
    }

    fn place(&mut self, length: usize) -> usize {
        usize::try_from(self.next() % (length as u64).max(1)).unwrap_or(0)
    }

    fn one_of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all.get(self.place(all.len())).copied().unwrap_or_default()
    }

    fn percent(&mut self, chance: u32) -> bool {
        self.within(1, 100) <= chance
    }
}

/// Makes a day.
pub fn day(shape: Shape) -> Day {
    let mut dice = Dice(shape.seed);
    let date = Date::from_ymd_opt(2026, 3, 17).unwrap_or_default();
    let mut notes = Vec::new();
    for owner in 0..shape.tablets {
        for visit in 0..shape.visits {
            let is_shared =
                shape.tablets > 1 && notes.len() % shape.shared_every.max(1) == 3 % shape.shared_every.max(1);
            let second = is_shared.then(|| (owner + 1 + dice.place(shape.tablets - 1)) % shape.tablets);
            notes.push(note(&mut dice, notes.len(), visit, owner, second));
        }
    }
    Day { date, offset_minutes: -300, tablets: shape.tablets, notes }
}

fn note(dice: &mut Dice, number: usize, visit: usize, owner: usize, second: Option<usize>) -> Note {
    let start = OPENS_MINUTE + SLOT_MINUTES * u32::try_from(visit).unwrap_or(0) + dice.within(0, 2);
    let activities = activities(dice, start);
    let mut acts = vec![Act::Status("in_progress".to_owned())];
    for (field, taps) in FIELDS.iter().zip(activities) {
        let length = 250 + dice.place(101);
        let typed = typing(dice, field, length);
        acts.extend(between(taps, typed));
    }
    for goal in 0..3 {
        acts.push(Act::Goal { goal, status: dice.one_of(&STATUSES).to_owned() });
    }
    acts.push(Act::Status("ready_to_sign".to_owned()));
    let begins = i64::from(start - OPENS_MINUTE) * 60_000;
    let ends = begins + 34 * 60_000;
    let steps = timed(dice, acts, begins, ends);
    let mut starts = steps
        .iter()
        .enumerate()
        .filter(|(_, step)| matches!(step.act, Act::Start { .. }))
        .map(|(index, _)| index);
    let seen = starts.nth(1).map_or(steps.len(), |index| index + 2).min(steps.len());
    let second_steps = match second {
        Some(_) => {
            let cut_off = steps.get(seen.saturating_sub(1)).map_or(begins, |step| step.at_ms);
            let acts = second_acts(dice, &steps);
            timed(dice, acts, cut_off, ends)
        }
        None => Vec::new(),
    };
    let id = (u128::from(dice.next()) << 64) | number as u128;
    Note {
        document: DocumentId::from_bytes(id.to_be_bytes()),
        owner,
        second,
        payer: dice.one_of(&PAYERS).to_owned(),
        goals: vec![
            format!("Stands on one leg for {} seconds", dice.within(8, 40)),
            format!("Walks {} metres outdoors without a stop", dice.within(50, 300)),
            format!("Rises from a chair {} times in half a minute", dice.within(6, 15)),
        ],
        steps,
        seen,
        second_steps,
    }
}

/// What is tapped for each of the four activities.
fn activities(dice: &mut Dice, start: u32) -> Vec<Vec<Act>> {
    let (mut minute, mut room) = (start, 32);
    let mut all = Vec::new();
    for activity in 0..4u32 {
        let later = 4 * (3 - activity);
        let length = dice.within(4, 12).min(room - later).max(4);
        room -= length;
        let number = activity as usize;
        let code = if activity == 0 { "97112" } else { dice.one_of(&CODES) };
        let mut taps = vec![Act::Start { activity: number, code: code.to_owned(), minute }];
        for _ in 0..2 {
            taps.push(Act::Technique { activity: number, name: dice.one_of(&TECHNIQUES).to_owned() });
        }
        minute += length;
        taps.push(Act::Stop { activity: number, minute, one_on_one: dice.percent(85) });
        minute += u32::from(room > later && dice.percent(30));
        all.push(taps);
    }
    all
}

/// Typing of a text of about this length.
fn typing(dice: &mut Dice, field: &str, length: usize) -> Vec<Act> {
    let mut source = String::new();
    while source.len() < length {
        source.push_str(dice.one_of(&WORDS));
        source.push_str(if dice.percent(8) { ". " } else { " " });
    }
    let letters: Vec<char> = source.chars().take(length).collect();
    let (mut acts, mut shown, mut typed) = (Vec::new(), 0usize, 0usize);
    let splice = |position, delete, insert| Act::Splice { field: field.to_owned(), position, delete, insert };
    while typed < letters.len() {
        if shown > 12 && dice.percent(4) {
            let delete = 1 + dice.place(6);
            shown -= delete;
            acts.push(splice(shown, delete, String::new()));
            continue;
        }
        let burst: String = letters.iter().skip(typed).take(1 + dice.place(12)).collect();
        let count = burst.chars().count();
        let position = if shown > 20 && dice.percent(6) { dice.place(shown + 1) } else { shown };
        acts.push(splice(position, 0, burst));
        shown += count;
        typed += count;
    }
    acts
}

/// Taps spread over the typing.
fn between(taps: Vec<Act>, typed: Vec<Act>) -> Vec<Act> {
    let every = (typed.len() / (taps.len() + 1)).max(1);
    let mut typed = typed.into_iter();
    let mut acts = Vec::new();
    for tap in taps {
        acts.extend(typed.by_ref().take(every));
        acts.push(tap);
    }
    acts.extend(typed);
    acts
}

/// What the second tablet does: comments, a plan of its own, and a word about the second activity.
fn second_acts(dice: &mut Dice, owners: &[Step]) -> Vec<Act> {
    let mut acts = Vec::new();
    for _ in 0..dice.within(2, 4) {
        let length = 5 + dice.place(8);
        let words: Vec<&str> = (0..length).map(|_| dice.one_of(&WORDS)).collect();
        acts.push(Act::Comment(words.join(" ")));
    }
    let length = 60 + dice.place(81);
    acts.extend(typing(dice, "plan", length));
    let (mut began, mut ended) = (0, 0);
    for step in owners {
        match step.act {
            Act::Start { activity: 1, minute, .. } => began = minute,
            Act::Stop { activity: 1, minute, .. } => ended = minute,
            _ => {}
        }
    }
    let to = match dice.within(0, 6) {
        0 | 1 => Some(Correction { end: Some(ended + dice.within(1, 3)), ..Correction::default() }),
        2 => Some(Correction { end: Some(ended), ..Correction::default() }),
        3 => Some(Correction { code: Some("97110".to_owned()), end: Some(ended), ..Correction::default() }),
        4 => Some(Correction { start: Some(began - dice.within(3, 9)), ..Correction::default() }),
        5 => Some(Correction { one_on_one: Some(false), ..Correction::default() }),
        _ => None,
    };
    if let Some(to) = to {
        let place = 1 + dice.place(acts.len());
        acts.insert(place.min(acts.len()), Act::Correct { activity: 1, to });
    }
    acts.push(Act::Status("needs_review".to_owned()));
    acts
}

/// Things done one after the other between two times.
fn timed(dice: &mut Dice, acts: Vec<Act>, begins: i64, ends: i64) -> Vec<Step> {
    let count = i64::try_from(acts.len()).unwrap_or(i64::MAX - 1);
    let every = ((ends - begins) / (count + 1)).max(1);
    let mut at_ms = begins;
    let mut steps = Vec::with_capacity(acts.len());
    for act in acts {
        let late = i64::from(dice.within(0, u32::try_from(every / 2).unwrap_or(0)));
        steps.push(Step { at_ms: at_ms + late, act });
        at_ms += every;
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_day_has_the_sizes_it_promises() {
        let made = day(Shape::full(7));
        assert_eq!(made.notes.len(), 168);
        assert_eq!(made.notes.iter().filter(|note| note.second.is_some()).count(), 17);
        let steps: usize = made.notes.iter().map(|note| note.steps.len()).sum();
        assert!((168 * 170..168 * 260).contains(&steps), "{steps} steps");
        let letters: usize =
            made.notes.iter().flat_map(|note| Note::texts(&note.steps)).map(|(_, text)| text.len()).sum();
        assert!((168 * 1_000..168 * 1_400).contains(&letters), "{letters} characters");
    }

    #[test]
    fn the_same_number_gives_the_same_day() {
        assert_eq!(day(Shape::full(7)), day(Shape::full(7)));
        assert_ne!(day(Shape::full(7)), day(Shape::full(8)));
    }

    #[test]
    fn second_tablets_agree_on_some_notes_and_not_on_others() {
        let made = day(Shape { shared_every: 2, ..Shape::full(7) });
        let open: Vec<usize> = made
            .notes
            .iter()
            .filter(|note| note.second.is_some())
            .map(|note| made.open_values(note, 1).unwrap().len())
            .collect();
        assert!(open.contains(&1) && open.contains(&2), "{open:?}");
    }

    #[test]
    fn every_step_has_a_form_a_note_can_take() {
        let made = day(Shape { tablets: 2, visits: 3, ..Shape::full(1) });
        for note in &made.notes {
            let entries = made.entries(note, &note.steps).unwrap();
            assert!(entries.len() <= note.steps.len() && !entries.is_empty());
            assert!(entries.windows(2).all(|pair| pair[0].at <= pair[1].at), "time goes forwards");
        }
    }
}
