//! A day lived up to the moment the network comes back: a clinic's directory and the directories of its
//! tablets, all closed, to be copied for every run.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use chart::ids::{ChangeHash, DocumentId, PersonId};
use chart::time::Timestamp;
use serde_json::{Value, json};
use session_note::Command;
use session_note::schema::Kind;
use tablet::Edit;
use tokio::runtime::Runtime;

use super::day::{Day, Note, Step};
use super::stage::{Stage, patiently, reach, text};
use crate::tablet::driver::{Driver, Until};

/// Edits asked of a tablet before their answers are awaited.
const ASKED: usize = 256;

/// A day that was lived offline.
pub(super) struct Lived {
    pub(super) dir: PathBuf,
    /// The therapists, by the number of their tablet.
    pub(super) people: Vec<PersonId>,
    pub(super) supervisor: PersonId,
    /// The heads every replica must hold in the end.
    pub(super) heads: BTreeMap<DocumentId, BTreeSet<ChangeHash>>,
    /// How many changes each note must have in the end.
    pub(super) changes: BTreeMap<DocumentId, usize>,
    /// Changes made offline.
    pub(super) offline_changes: usize,
}

/// The names of the directories.
pub(super) fn clinic_in(dir: &Path) -> PathBuf {
    dir.join("clinic")
}
pub(super) fn tablet_in(dir: &Path, number: usize) -> PathBuf {
    dir.join(format!("tablet-{number}"))
}
pub(super) fn office_in(dir: &Path) -> PathBuf {
    dir.join("office")
}

/// Does something with every tablet at once, each in a thread of its own.
pub(super) fn with_all<T: Send>(
    tablets: &[Driver],
    work: impl Fn(usize, &Driver) -> Result<T, String> + Sync,
) -> Result<Vec<T>, String> {
    std::thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> = tablets
            .iter()
            .enumerate()
            .map(|(number, tablet)| scope.spawn(move || work(number, tablet)))
            .collect();
        let died = || "a thread died".to_owned();
        threads.into_iter().map(|thread| thread.join().map_err(|_| died())?).collect()
    })
}

/// What a tablet did: in each note the change that came last, and how many there were.
#[derive(Default)]
struct Done(BTreeMap<DocumentId, (ChangeHash, usize)>);

struct Author<'a> {
    driver: &'a Driver,
    person: PersonId,
    waiting: Vec<crate::tablet::driver::Reply<((), Option<crate::tablet::driver::Saved>)>>,
    done: Done,
}

impl<'a> Author<'a> {
    fn new(driver: &'a Driver, person: PersonId) -> Self {
        Self { driver, person, waiting: Vec::new(), done: Done::default() }
    }

    fn edit(
        &mut self,
        document: DocumentId,
        kind: Kind,
        at: Timestamp,
        commands: Vec<Command>,
    ) -> Result<(), String> {
        let edit = Edit { person: self.person, document, kind, seen: None, commands };
        self.waiting.push(self.driver.edit(Some(at), edit));
        if self.waiting.len() >= ASKED { self.hear() } else { Ok(()) }
    }

    fn play(&mut self, day: &Day, note: &Note, steps: &[Step]) -> Result<(), String> {
        for entry in day.entries(note, steps)? {
            self.edit(note.document, Kind::Visit, entry.at, entry.commands)?;
        }
        Ok(())
    }

    fn hear(&mut self) -> Result<(), String> {
        for reply in self.waiting.drain(..) {
            let (_, saved) = reply.wait().map_err(text)?;
            let saved = saved.ok_or("an edit was saved without a word")?;
            let done = self.done.0.entry(saved.document).or_insert((saved.change, 0));
            *done = (saved.change, done.1 + 1);
        }
        Ok(())
    }
}

impl Lived {
    /// Lives a day: the morning with a network, the rest without.
    pub(super) fn live(program: &Path, dir: &Path, day: Day, runtime: &Runtime) -> Result<Self, String> {
        crate::datadir::make_private_dir(dir).map_err(text)?;
        let stage = Stage::new(program, &clinic_in(dir))?;
        let supervisor = stage.enter_person("Supervisor", "supervisor")?;
        let people: Result<Vec<PersonId>, String> = (0..day.tablets)
            .map(|number| stage.enter_person(&format!("Therapist {number}"), "therapist"))
            .collect();
        let people = people?;
        let patients = enter_patients(&stage, &day, &people)?;
        stage.enrol(&office_in(dir))?;
        let mut tablets = Vec::new();
        for (number, person) in people.iter().enumerate() {
            stage.enrol(&tablet_in(dir, number))?;
            tablets.push(stage.open(&tablet_in(dir, number), *person, None, None, runtime)?);
        }
        let mornings = with_all(&tablets, |number, driver| {
            driver.connect(None);
            let done = morning(&day, number, &people, &patients, driver)?;
            reach(driver, Until::Safe)?;
            Ok(done)
        })?;
        wait_for_shared(&day, &tablets, &mornings)?;
        let afternoons = with_all(&tablets, |number, driver| {
            reach(driver, Until::Idle)?;
            driver.disconnect();
            afternoon(&day, number, &people, driver)
        })?;
        for tablet in tablets {
            tablet.close()?;
        }
        stage.wait_until_quiet()?;
        stage.stop()?;
        Ok(Self::of(dir, people, supervisor, &mornings, &afternoons))
    }

    fn of(
        dir: &Path,
        people: Vec<PersonId>,
        supervisor: PersonId,
        mornings: &[Done],
        afternoons: &[Done],
    ) -> Self {
        let mut heads: BTreeMap<DocumentId, BTreeSet<ChangeHash>> = BTreeMap::new();
        let mut changes: BTreeMap<DocumentId, usize> = BTreeMap::new();
        let mut offline_changes = 0;
        for Done(done) in mornings {
            for (document, (_, count)) in done {
                *changes.entry(*document).or_default() += count;
            }
        }
        for Done(done) in afternoons {
            for (document, (last, count)) in done {
                heads.entry(*document).or_default().insert(*last);
                *changes.entry(*document).or_default() += count;
                offline_changes += count;
            }
        }
        Self { dir: dir.to_owned(), people, supervisor, heads, changes, offline_changes }
    }
}

fn enter_patients(stage: &Stage, day: &Day, people: &[PersonId]) -> Result<Vec<String>, String> {
    let enter = |(number, note): (usize, &Note)| {
        let team: Vec<&PersonId> =
            [Some(note.owner), note.second].into_iter().flatten().filter_map(|n| people.get(n)).collect();
        let input = json!({ "name": format!("Patient {number}"), "payer": note.payer, "care_team": team });
        stage.enter("patients", &input)
    };
    day.notes.iter().enumerate().map(enter).collect()
}

fn command(value: Value) -> Result<Command, String> {
    serde_json::from_value(value).map_err(text)
}

/// Plans of care, the heads of the notes, and what a second tablet will have seen.
fn morning(
    day: &Day,
    tablet: usize,
    people: &[PersonId],
    patients: &[String],
    driver: &Driver,
) -> Result<Done, String> {
    let person = *people.get(tablet).ok_or("there is no such tablet")?;
    let mut author = Author::new(driver, person);
    let at = day.instant(-3_600_000);
    for (note, patient) in day.notes.iter().zip(patients).filter(|(note, _)| note.owner == tablet) {
        let mut plan = vec![command(json!({
            "command": "open_episode", "patient": patient, "discipline": "pt",
            "started_on": day.date - chrono::Days::new(40),
            "facts": { "payer": note.payer, "diagnoses": ["R26.89"] },
        }))?];
        for (number, goal) in note.goals.iter().enumerate() {
            let set = json!({ "task": goal, "status": "active" });
            plan.push(command(json!({ "command": "set_goal", "goal": note.goal(number), "set": set }))?);
        }
        author.edit(note.episode(), Kind::Episode, at, plan)?;
        let head = command(json!({
            "command": "open_visit", "patient": patient, "discipline": "pt", "episode": note.episode(),
            "facts": { "provider": person, "date": day.date, "payer": note.payer },
        }))?;
        author.edit(note.document, Kind::Visit, at, vec![head])?;
        if note.second.is_some() {
            author.play(day, note, note.steps.get(..note.seen).unwrap_or_default())?;
        }
    }
    author.hear()?;
    Ok(author.done)
}

/// What is done without a network.
fn afternoon(day: &Day, tablet: usize, people: &[PersonId], driver: &Driver) -> Result<Done, String> {
    let person = *people.get(tablet).ok_or("there is no such tablet")?;
    let mut author = Author::new(driver, person);
    for note in &day.notes {
        if note.owner == tablet {
            let from = if note.second.is_some() { note.seen } else { 0 };
            author.play(day, note, note.steps.get(from..).unwrap_or_default())?;
        } else if note.second == Some(tablet) {
            author.play(day, note, &note.second_steps)?;
        }
    }
    author.hear()?;
    Ok(author.done)
}

/// Every second tablet must hold what the owner did in the morning.
fn wait_for_shared(day: &Day, tablets: &[Driver], mornings: &[Done]) -> Result<(), String> {
    for note in &day.notes {
        let Some(second) = note.second.and_then(|second| tablets.get(second)) else { continue };
        let (document, made) = (note.document, mornings.get(note.owner));
        let Some((last, _)) = made.and_then(|Done(made)| made.get(&document)).copied() else { continue };
        patiently("the second tablet sees what the owner began", || {
            let heads = second.ask(None, move |desk| Ok(desk.tablet.heads(document).cloned()));
            let heads = heads.wait().map_err(text)?;
            Ok(heads.is_some_and(|heads| heads.contains(&last)).then_some(()))
        })?;
    }
    Ok(())
}
