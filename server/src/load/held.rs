//! Coming back to many notes of which one changed: how long, how many bytes, how many frames.

use std::path::Path;
use std::time::Instant;

use chart::ids::{DocumentId, PatientId, PersonId};
use chart::time::Date;
use serde::Serialize;
use serde_json::json;
use session_note::Command;
use session_note::command::OpenVisit;
use session_note::schema::Kind;
use sync_protocol::message::ScopeName;
use tablet::Edit;
use tokio::runtime::Runtime;

use super::stage::{Stage, patiently, reach, text};
use crate::tablet::driver::{Driver, Until};

/// Notes of one patient, each on a day of its own.
const NOTES_EACH: usize = 100;
/// Edits asked before their answers are awaited.
const ASKED: usize = 256;

/// What coming back cost.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Reconnect {
    /// Notes the tablet holds.
    pub(super) notes: usize,
    /// Whether the server had just been started.
    pub(super) cold: bool,
    /// From the wish to connect, the sockets' greetings included, until the change is on the tablet's disk.
    pub(super) ms: f64,
    /// Both ways, the challenge and the bodies of the change and its report included.
    pub(super) bytes: u64,
    pub(super) frames: u64,
    /// Processor time of the server for it, in steps of 10 ms.
    pub(super) server_cpu_ms: f64,
}

struct Cast {
    stage: Stage,
    writer: Driver,
    author: PersonId,
    reader: Driver,
}

/// Fills a clinic and lets a tablet come back, warm and after a restart of the server.
pub(super) fn play(
    program: &Path,
    dir: &Path,
    notes: usize,
    repeat: usize,
    runtime: &Runtime,
) -> Result<Vec<Reconnect>, String> {
    crate::datadir::make_private_dir(dir).map_err(text)?;
    let mut cast = fill(program, dir, notes, runtime)?;
    let mut costs = Vec::new();
    for round in 0..repeat {
        for cold in [false, true] {
            if cold {
                cast.stage.stop_and_restart()?;
            }
            costs.push(come_back(&cast, notes, cold, round)?);
        }
    }
    cast.writer.close()?;
    cast.reader.close()?;
    cast.stage.stop()?;
    Ok(costs)
}

fn visit(number: usize) -> DocumentId {
    DocumentId::from_bytes((0x9000_0000_u128 + number as u128).to_be_bytes())
}

fn fill(program: &Path, dir: &Path, notes: usize, runtime: &Runtime) -> Result<Cast, String> {
    let stage = Stage::new(program, &dir.join("clinic"))?;
    let author = stage.enter_person("Therapist", "therapist")?;
    let supervisor = stage.enter_person("Supervisor", "supervisor")?;
    let mut patients: Vec<PatientId> = Vec::new();
    for number in 0..notes.div_ceil(NOTES_EACH) {
        let input = json!({ "name": format!("Patient {number}"), "care_team": [author] });
        patients.push(stage.enter("patients", &input)?.parse().map_err(|_| "the server gave no patient id")?);
    }
    for name in ["writer", "reader"] {
        stage.enrol(&dir.join(name))?;
    }
    let writer = stage.open(&dir.join("writer"), author, None, None, runtime)?;
    let reader = stage.open(&dir.join("reader"), supervisor, Some(ScopeName::Clinic), None, runtime)?;
    let first_day = Date::from_ymd_opt(2026, 1, 5).unwrap_or_default();
    let mut waiting = Vec::new();
    for number in 0..notes {
        let day = first_day + chrono::Days::new((number % NOTES_EACH) as u64);
        let open = Command::OpenVisit(OpenVisit {
            patient: patients.get(number / NOTES_EACH).copied(),
            facts: [("date".to_owned(), json!(day))].into(),
            ..OpenVisit::default()
        });
        waiting.push(edit(&writer, author, visit(number), open));
        if waiting.len() >= ASKED {
            waiting.drain(..).try_for_each(|reply| reply.wait().map(|_| ()).map_err(text))?;
        }
    }
    waiting.drain(..).try_for_each(|reply| reply.wait().map(|_| ()).map_err(text))?;
    writer.connect(None);
    reach(&writer, Until::Safe)?;
    stage.wait_until_quiet()?;
    reader.connect(None);
    patiently("the tablet holds every note", || {
        let held = reader.ask(None, |desk| Ok(desk.tablet.documents().len())).wait().map_err(text)?;
        Ok((held >= notes).then_some(()))
    })?;
    for tablet in [&writer, &reader] {
        reach(tablet, Until::Idle)?;
        tablet.disconnect();
    }
    Ok(Cast { stage, writer, author, reader })
}

type Reply = crate::tablet::driver::Reply<((), Option<crate::tablet::driver::Saved>)>;

fn edit(driver: &Driver, person: PersonId, document: DocumentId, command: Command) -> Reply {
    driver.edit(None, Edit { person, document, kind: Kind::Visit, seen: None, commands: vec![command] })
}

/// Somebody else changes one note; the tablet comes back.
fn come_back(cast: &Cast, notes: usize, cold: bool, round: usize) -> Result<Reconnect, String> {
    let Cast { stage, writer, author, reader } = cast;
    let changed = visit((notes / 3 + round * 7) % notes.max(1));
    let word = format!("steadier, round {round}, {}", if cold { "cold" } else { "warm" });
    let says = Command::SetField { field: "response".to_owned(), value: word };
    let (_, saved) = edit(writer, *author, changed, says).wait().map_err(text)?;
    let wanted = saved.ok_or("the edit was not saved")?.change;
    writer.connect(None);
    reach(writer, Until::Idle)?;
    stage.wait_until_quiet()?;
    writer.disconnect();
    patiently("the writer is gone", || Ok((stage.counters()?.get("connections") == 0).then_some(())))?;
    let (before, cpu) = (stage.counters()?, stage.cpu_seconds());
    let began = Instant::now();
    reader.connect(None);
    let took = patiently("the change arrives", || {
        let heads = reader.ask(None, move |desk| Ok(desk.tablet.heads(changed).cloned()));
        let heads = heads.wait().map_err(text)?;
        Ok(heads.is_some_and(|heads| heads.contains(&wanted)).then(|| began.elapsed()))
    })?;
    reach(reader, Until::Idle)?;
    let after = stage.counters()?;
    reader.disconnect();
    patiently("the reader is gone", || Ok((stage.counters()?.get("connections") == 0).then_some(())))?;
    let grown = |name| after.since(&before, name);
    Ok(Reconnect {
        notes,
        cold,
        ms: took.as_secs_f64() * 1_000.0,
        bytes: grown("bytes_in") + grown("bytes_out"),
        // The challenge leaves before `Hello`.
        frames: (grown("frames_in") + grown("frames_out")).saturating_sub(1),
        server_cpu_ms: (stage.cpu_seconds() - cpu) * 1_000.0,
    })
}
