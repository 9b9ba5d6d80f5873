//! The storm: every tablet comes online with its day at once while a supervisor watches. With a kill: the
//! server dies when the last tablet has its last receipt, and whoever comes afterwards asks for everything.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

use chart::ids::{ChangeHash, DocumentId};
use serde::Serialize;
use sync_protocol::message::ScopeName;
use tokio::runtime::Runtime;

use super::lived::{Lived, clinic_in, office_in, tablet_in, with_all};
use super::stage::{Counters, Stage, copy_all, patiently, reach, text};
use crate::tablet::driver::{Driver, Until};

/// What a storm cost. Times from the moment the tablets are told to connect.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Storm {
    /// Whether the server was killed at the last receipt.
    pub(super) killed: bool,
    pub(super) notes: usize,
    pub(super) changes: usize,
    /// Until every tablet had its last receipt.
    pub(super) receipts_ms: f64,
    /// Until the server had judged and reported everything.
    pub(super) reports_ms: f64,
    /// Until the supervisor's tablet held the heads of every note.
    pub(super) watcher_ms: f64,
    pub(super) cpu_to_receipts_s: f64,
    pub(super) cpu_to_reports_s: f64,
    pub(super) commits_to_receipts: u64,
    pub(super) commits: u64,
    pub(super) bytes_up: u64,
    pub(super) bytes_down: u64,
    pub(super) frames_up: u64,
    pub(super) frames_down: u64,
    pub(super) admitted: u64,
    pub(super) held: u64,
    pub(super) rejected: u64,
    pub(super) refused: u64,
    pub(super) published: u64,
    pub(super) rss_mb: f64,
    pub(super) rss_max_mb: f64,
    /// Until the killed server listened again.
    pub(super) restart_ms: f64,
    /// Notes that are whole for somebody who asks for everything afterwards.
    pub(super) whole_notes: usize,
    pub(super) changes_lost: usize,
}

fn ms(since: Duration) -> f64 {
    since.as_secs_f64() * 1_000.0
}

/// The tablets of a copy, connected to nothing.
struct Cast {
    tablets: Vec<Driver>,
    office: Driver,
}

/// Plays the storm on a copy of the day.
pub(super) fn play(
    program: &Path,
    lived: &Lived,
    copy: &Path,
    runtime: &Runtime,
    kill: bool,
) -> Result<Storm, String> {
    copy_all(&lived.dir, copy)?;
    let mut stage = Stage::on(program, &clinic_in(copy))?;
    let cast = open(&stage, lived, copy, runtime)?;
    cast.office.connect(None);
    reach(&cast.office, Until::Idle)?;
    let mut storm =
        Storm { killed: kill, notes: lived.heads.len(), changes: lived.offline_changes, ..Storm::default() };
    blow(&mut stage, &cast, lived, &mut storm)?;
    if kill {
        close(cast)?;
        after_the_kill(&stage, lived, copy, runtime, &mut storm)?;
    } else {
        let missing = missing(&cast.office, lived)?;
        (storm.whole_notes, storm.changes_lost) = (storm.notes - missing.len(), missing.values().sum());
        close(cast)?;
    }
    stage.stop()?;
    Ok(storm)
}

fn open(stage: &Stage, lived: &Lived, copy: &Path, runtime: &Runtime) -> Result<Cast, String> {
    let open = |(number, person)| stage.open(&tablet_in(copy, number), person, None, None, runtime);
    let tablets: Result<Vec<Driver>, String> = lived.people.iter().copied().enumerate().map(open).collect();
    let everything = Some(ScopeName::Clinic);
    let office = stage.open(&office_in(copy), lived.supervisor, everything, None, runtime)?;
    Ok(Cast { tablets: tablets?, office })
}

fn close(cast: Cast) -> Result<(), String> {
    for tablet in cast.tablets.into_iter().chain([cast.office]) {
        tablet.close()?;
    }
    Ok(())
}

fn blow(stage: &mut Stage, cast: &Cast, lived: &Lived, storm: &mut Storm) -> Result<(), String> {
    let (before, cpu) = (stage.counters()?, stage.cpu_seconds());
    let began = Instant::now();
    let times = with_all(&cast.tablets, |_, driver| {
        driver.connect(None);
        reach(driver, Until::Safe)?;
        Ok(began.elapsed())
    })?;
    storm.receipts_ms = times.into_iter().max().map_or(0.0, ms);
    if storm.killed {
        storm.restart_ms = ms(stage.kill_and_restart()?);
        return Ok(());
    }
    storm.cpu_to_receipts_s = stage.cpu_seconds() - cpu;
    storm.commits_to_receipts = stage.counters()?.since(&before, "commits");
    let watched = std::thread::scope(|scope| {
        let watching = scope.spawn(|| wait_for_heads(&cast.office, lived).map(|()| began.elapsed()));
        stage.wait_until_quiet()?;
        storm.reports_ms = ms(began.elapsed());
        storm.cpu_to_reports_s = stage.cpu_seconds() - cpu;
        watching.join().map_err(|_| "a thread died".to_owned())?
    })?;
    storm.watcher_ms = ms(watched);
    take_counters(storm, &stage.counters()?, &before);
    (storm.rss_mb, storm.rss_max_mb) = stage.memory_mb();
    Ok(())
}

fn take_counters(storm: &mut Storm, after: &Counters, before: &Counters) {
    let grown = |name| after.since(before, name);
    storm.commits = grown("commits");
    (storm.bytes_up, storm.bytes_down) = (grown("bytes_in"), grown("bytes_out"));
    (storm.frames_up, storm.frames_down) = (grown("frames_in"), grown("frames_out"));
    (storm.admitted, storm.held, storm.rejected) = (grown("admitted"), grown("held"), grown("rejected"));
    (storm.refused, storm.published) = (grown("refused"), grown("published"));
}

/// The heads a tablet holds of every note.
fn heads(driver: &Driver, lived: &Lived) -> Result<BTreeMap<DocumentId, BTreeSet<ChangeHash>>, String> {
    let documents: Vec<DocumentId> = lived.heads.keys().copied().collect();
    let asked = driver.ask(None, move |desk| {
        let known = |document: DocumentId| Some((document, desk.tablet.heads(document)?.clone()));
        Ok(documents.into_iter().filter_map(known).collect())
    });
    asked.wait().map_err(text)
}

fn wait_for_heads(driver: &Driver, lived: &Lived) -> Result<(), String> {
    patiently("the supervisor's tablet holds every note", || {
        Ok((heads(driver, lived)? == lived.heads).then_some(()))
    })
}

/// The notes that are not whole on a tablet, with how many changes each lacks.
fn missing(driver: &Driver, lived: &Lived) -> Result<BTreeMap<DocumentId, usize>, String> {
    let held = heads(driver, lived)?;
    let mut missing = BTreeMap::new();
    for (document, heads) in &lived.heads {
        if held.get(document) == Some(heads) {
            continue;
        }
        let (document, expected) = (*document, lived.changes.get(document).copied().unwrap_or(0));
        let note = driver.ask(None, move |desk| desk.tablet.note(desk.reader, document));
        let has = note.wait().map_or(0, |note| note.history.len());
        missing.insert(document, expected.saturating_sub(has));
    }
    Ok(missing)
}

/// A new tablet asks the restarted server for everything.
fn after_the_kill(
    stage: &Stage,
    lived: &Lived,
    copy: &Path,
    runtime: &Runtime,
    storm: &mut Storm,
) -> Result<(), String> {
    stage.wait_until_quiet()?;
    let dir = copy.join("newcomer");
    stage.enrol(&dir)?;
    let newcomer = stage.open(&dir, lived.supervisor, Some(ScopeName::Clinic), None, runtime)?;
    newcomer.connect(None);
    let deadline = Instant::now() + Duration::from_secs(60);
    while heads(&newcomer, lived)? != lived.heads && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(20));
    }
    reach(&newcomer, Until::Idle)?;
    let missing = missing(&newcomer, lived)?;
    (storm.whole_notes, storm.changes_lost) = (storm.notes - missing.len(), missing.values().sum());
    newcomer.close()
}
