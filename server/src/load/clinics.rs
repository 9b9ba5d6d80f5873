//! Two clinics and a line that is cut while one of them works: what catching up costs, by how much was changed
//! and by how much is held, and what it costs to prove that both hold the same.

use std::path::Path;
use std::time::{Duration, Instant};

use chart::ids::{ClinicId, PatientId, PersonId};
use chart::time::Date;
use serde::Serialize;
use serde_json::{Value, json};
use session_note::Command;
use session_note::command::OpenVisit;

use super::stage::{PATIENCE, Stage, text};
use super::writers::{Edit, Writers};
use crate::api::SiteRow;
use crate::demo::line::Line;

/// Notes of one patient.
const NOTES_EACH: usize = 100;
/// Days over which the notes are spread: a provider's day stays a day.
const DAYS: usize = 16_000;
/// How many notes are changed while the line is cut.
const CHANGED: [usize; 4] = [0, 10, 100, 1_000];
/// How often is looked whether something has come.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// And where nothing is measured.
const LOOK_SELDOM: Duration = Duration::from_millis(500);

/// What catching up cost.
#[derive(Clone, Debug, Serialize)]
pub(super) struct CatchUp {
    /// Notes both clinics hold.
    pub(super) notes: usize,
    /// Notes that were changed, one change each, while the line was cut.
    pub(super) changed: usize,
    /// Everything the line carried, both ways: opening it, greetings, pages, the comparison that follows.
    pub(super) bytes: u64,
    /// From the open line until the changes are merged; to some 20 ms.
    pub(super) ms: f64,
    /// Processor time of both servers, until the reports are computed again; in steps of 10 ms.
    pub(super) cpu_ms: f64,
}

/// What proving that both hold the same cost.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Proof {
    /// Notes both clinics hold.
    pub(super) notes: usize,
    /// Frames and their bytes, both ways.
    pub(super) frames: u64,
    pub(super) bytes: u64,
}

impl CatchUp {
    /// As a line for people.
    pub(super) fn line(&self) -> String {
        let Self { notes, changed, bytes, ms, cpu_ms } = self;
        format!(
            "Clinics that hold {notes} notes, {changed} changed while the line was cut: {bytes} bytes, {ms:.0} ms, \
             {cpu_ms:.0} ms CPU of both"
        )
    }
}

impl Proof {
    /// As a line for people.
    pub(super) fn line(&self) -> String {
        let Self { notes, frames, bytes } = self;
        format!("Clinics that hold the same {notes} notes prove it in {frames} frames, {bytes} bytes")
    }
}

/// Everything of one run.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Clinics {
    pub(super) catching_up: Vec<CatchUp>,
    pub(super) proofs: Vec<Proof>,
}

struct Pair {
    home: Stage,
    away: Stage,
    line: Line,
    away_id: ClinicId,
    writers: Writers,
    author: PersonId,
    patients: Vec<PatientId>,
    filled: usize,
}

/// Fills two clinics to each of the sizes in turn and measures there.
pub(super) fn play(program: &Path, dir: &Path, sizes: &[usize], says: fn(&str)) -> Result<Clinics, String> {
    crate::datadir::make_private_dir(dir).map_err(text)?;
    let mut pair = Pair::open(program, dir)?;
    let mut clinics = Clinics::default();
    let mut sizes = sizes.to_vec();
    sizes.sort_unstable();
    for notes in sizes {
        says(&format!("two clinics come to hold {notes} notes"));
        pair.fill(notes)?;
        let proof = pair.prove()?;
        says(&proof.line());
        clinics.proofs.push(proof);
        for (round, changed) in CHANGED.into_iter().filter(|changed| *changed <= notes).enumerate() {
            let one = pair.catch_up(changed, round)?;
            says(&one.line());
            clinics.catching_up.push(one);
        }
    }
    let Pair { home, away, .. } = pair;
    away.stop()?;
    home.stop()?;
    Ok(clinics)
}

/// Looks again and again, less often than a server would notice.
fn wait_for<T>(what: &str, mut look: impl FnMut() -> Result<Option<T>, String>) -> Result<T, String> {
    let deadline = Instant::now() + 4 * PATIENCE;
    while Instant::now() < deadline {
        if let Some(found) = look()? {
            return Ok(found);
        }
        std::thread::sleep(LOOK_EVERY);
    }
    Err(format!("it did not happen in time that {what}"))
}

fn site(stage: &Stage) -> Result<SiteRow, String> {
    let rows: Value = stage.admin()?.get("/v1/admin/sites").map_err(text)?;
    let row = rows.pointer("/sites/0").cloned().ok_or("the clinics are not paired")?;
    serde_json::from_value(row).map_err(text)
}

impl Pair {
    fn open(program: &Path, dir: &Path) -> Result<Self, String> {
        let (home, away) = (Stage::new(program, &dir.join("home"))?, Stage::new(program, &dir.join("away"))?);
        let line = Line::to(&home.address()?.http(""))?;
        let invited: Value = home.admin()?.post("/v1/admin/sites/invite", &json!({})).map_err(text)?;
        let code = invited.get("code").cloned().ok_or("the server gave no code")?;
        let join = json!({ "address": line.url(), "code": code });
        let _: Value = away.admin()?.post("/v1/admin/sites/join", &join).map_err(text)?;
        let status: Value = away.admin()?.get("/v1/admin/status").map_err(text)?;
        let away_id = status.get("clinic").and_then(Value::as_str).and_then(|id| id.parse().ok());
        let away_id = away_id.ok_or("the server does not say which clinic it is")?;
        let author = home.enter_person("Therapist", "therapist")?;
        let writers = Writers::enrol(&home, dir, author)?;
        let pair = Self { home, away, line, away_id, writers, author, patients: Vec::new(), filled: 0 };
        pair.until_connected()?;
        Ok(pair)
    }

    fn until_connected(&self) -> Result<(), String> {
        wait_for("the line is open", || Ok(site(&self.away)?.connected.then_some(())))
    }

    fn imported(&self) -> Result<u64, String> {
        Ok(self.away.counters()?.get("imported"))
    }

    /// Has edits made and brought to their clinic, until it has judged them and said what follows.
    fn write(&mut self, edits: Vec<Edit>) -> Result<(), String> {
        self.writers.write(&self.home, edits)?;
        self.home.wait_until_quiet()
    }

    fn patient(&mut self, number: usize) -> Result<PatientId, String> {
        while self.patients.len() <= number {
            let name = format!("Patient {}", self.patients.len());
            let input = json!({ "name": name, "care_team": [self.author] });
            let patient = self.home.enter("patients", &input)?;
            self.home.enter(&format!("sites/patients/{patient}"), &json!({ "clinics": [self.away_id] }))?;
            self.patients.push(patient.parse().map_err(|_| "the server gave no patient id")?);
        }
        self.patients.get(number).copied().ok_or_else(|| "there is no such patient".to_owned())
    }

    fn fill(&mut self, notes: usize) -> Result<(), String> {
        let before = self.imported()?;
        let more = notes.saturating_sub(self.filled);
        self.patient(notes.div_ceil(NOTES_EACH))?;
        let first_day = Date::from_ymd_opt(1980, 1, 1).unwrap_or_default();
        let open = |number: usize| {
            let day = first_day + chrono::Days::new((number % DAYS) as u64);
            let patient = self.patients.get(number / NOTES_EACH).copied();
            let facts = [("date".to_owned(), json!(day))].into();
            (number, Command::OpenVisit(OpenVisit { patient, facts, ..OpenVisit::default() }))
        };
        let edits = (self.filled..notes).map(open).collect();
        self.write(edits)?;
        wait_for("the other clinic has every note", || {
            let there = self.imported()? >= before + more as u64;
            if !there {
                std::thread::sleep(LOOK_SELDOM);
            }
            Ok(there.then_some(()))
        })?;
        self.filled = notes;
        self.away.wait_until_quiet()
    }

    /// Has the other clinic ask whether both hold the same, until both know it.
    fn prove(&self) -> Result<Proof, String> {
        let ask = || self.away.admin()?.post::<Value>("/v1/admin/sites/compare", &json!({})).map_err(text);
        let same_at = || Ok::<_, String>(site(&self.away)?.same_at);
        let proved =
            |before| wait_for("both hold the same", || Ok(same_at()?.filter(|now| Some(*now) > before)));
        // The first time each sums up what it never summed up before.
        let before = same_at()?;
        wait_for("both hold the same", || {
            ask()?;
            std::thread::sleep(Duration::from_millis(500));
            Ok(same_at()?.filter(|now| Some(*now) > before))
        })?;
        std::thread::sleep(Duration::from_secs(2));
        let (before, counted) = (same_at()?, self.home.counters()?);
        ask()?;
        proved(before)?;
        let after = self.home.counters()?;
        let grown = |name| after.since(&counted, name);
        let (frames, bytes) =
            (grown("frames_in") + grown("frames_out"), grown("bytes_in") + grown("bytes_out"));
        Ok(Proof { notes: self.filled, frames, bytes })
    }

    fn catch_up(&mut self, changed: usize, round: usize) -> Result<CatchUp, String> {
        self.line.cut();
        wait_for("the line is seen to be cut", || Ok((!site(&self.away)?.connected).then_some(())))?;
        let stride = (self.filled / changed.max(1)).max(1);
        let says = |number: usize| {
            let value = format!("steadier, round {round} with {} notes", self.filled);
            (number * stride, Command::SetField { field: "response".to_owned(), value })
        };
        let edits = (0..changed).map(says).collect();
        self.write(edits)?;
        let (before, imported) = (self.line.carried(), self.imported()?);
        let same_before = site(&self.away)?.same_at;
        let cpu = self.home.cpu_seconds() + self.away.cpu_seconds();
        self.line.heal();
        self.until_connected()?;
        let began = Instant::now();
        wait_for("the changes are there", || {
            Ok((self.imported()? >= imported + changed as u64).then_some(()))
        })?;
        let ms = began.elapsed().as_secs_f64() * 1_000.0;
        self.away.wait_until_quiet()?;
        let cpu_ms = (self.home.cpu_seconds() + self.away.cpu_seconds() - cpu) * 1_000.0;
        if changed == 0 {
            wait_for("both hold the same", || {
                Ok(site(&self.away)?.same_at.filter(|now| Some(*now) > same_before))
            })?;
        }
        // What is on its way still belongs to it.
        std::thread::sleep(Duration::from_millis(500));
        Ok(CatchUp { notes: self.filled, changed, bytes: self.line.carried() - before, ms, cpu_ms })
    }
}
