//! Twelve tablets beside a heavy note: how long the server takes to say "safe" to each of their edits, with
//! and without somebody who brings thousands of changes of one note as fast as they are taken.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use chart::entropy::Entropy;
use chart::ids::{ActorId, ChangeHash, CommandId, DeviceId, DocumentId, PersonId};
use chart::time::Timestamp;
use serde::Serialize;
use serde_json::Value;
use session_note::command::OpenVisit;
use session_note::schema::Kind;
use session_note::{Author, Command, Issued, NoteDocument};

use super::stage::{Stage, text};
use super::wire::Wire;
use crate::client::Client;
use crate::edge::{OsEntropy, now};
use crate::tablet::home::Home;

/// The others.
const TABLETS: usize = 12;
/// How long one phase is measured.
const PHASE: Duration = Duration::from_secs(5);
/// Between an answer and a tablet's next edit.
const PAUSE: Duration = Duration::from_millis(40);
/// Between two looks whether the heavy work is judged: seldom, for a look is work too.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Changes of each heavy note.
const HEAVY_CHANGES: usize = 3_000;
/// Heavy notes for one phase.
const HEAVY_NOTES: usize = 3;
/// Changes in one push of a heavy note.
const HEAVY_PUSH: usize = 100;

/// What one pair of phases measured.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Beside {
    pub(super) edits_alone: usize,
    pub(super) p50_alone_ms: f64,
    pub(super) p95_alone_ms: f64,
    pub(super) edits_beside: usize,
    pub(super) p50_beside_ms: f64,
    pub(super) p95_beside_ms: f64,
    /// Changes of the heavy notes the server took meanwhile.
    pub(super) heavy_changes: usize,
}

/// Somebody who writes into one note.
struct Pen {
    wire: Wire,
    document: DocumentId,
    note: NoteDocument,
    author: Author,
    at: Timestamp,
}

/// Work that is made before it is sent: pushes with their heads.
type Made = Vec<(ChangeHash, Vec<Vec<u8>>)>;

/// Measures so many pairs of phases on a new clinic.
pub(super) fn play(program: &Path, dir: &Path, repeat: usize) -> Result<Vec<Beside>, String> {
    crate::datadir::make_private_dir(dir).map_err(text)?;
    let stage = Stage::new(program, &dir.join("clinic"))?;
    let person = stage.enter_person("Therapist", "therapist")?;
    let home = |number: usize| dir.join(format!("tablet-{number}"));
    (0..=TABLETS).try_for_each(|number| stage.enrol(&home(number)))?;
    let connect = |number: usize| Wire::connect(&stage.address()?, &home(number), person);
    let device = Home::new(home(TABLETS)).identity().map_err(text)?.device;
    let mut measured = Vec::new();
    for _ in 0..repeat {
        // Made before anybody connects: who says nothing for a minute is cut off.
        let notes: Result<Vec<(DocumentId, Made)>, String> =
            (0..HEAVY_NOTES).map(|_| make(person, device)).collect();
        let notes = notes?;
        // Each phase begins notes of its own, for what an edit costs grows with its note.
        let pens = || (0..TABLETS).map(|number| Pen::begin(connect(number)?)).collect::<Result<Vec<_>, _>>();
        let alone = phase(stage.admin()?, &mut pens()?, None)?.0;
        stage.wait_until_quiet()?;
        let (mut pens, mut heavy) = (pens()?, connect(TABLETS)?);
        let (beside, heavy_changes) = phase(stage.admin()?, &mut pens, Some((&mut heavy, notes)))?;
        drop(pens);
        stage.wait_until_quiet()?;
        measured.push(Beside {
            edits_alone: alone.len(),
            p50_alone_ms: quantile(&alone, 50),
            p95_alone_ms: quantile(&alone, 95),
            edits_beside: beside.len(),
            p50_beside_ms: quantile(&beside, 50),
            p95_beside_ms: quantile(&beside, 95),
            heavy_changes,
        });
    }
    stage.stop()?;
    Ok(measured)
}

/// Everybody edits for a while, the heavy one too if there is one; the others' answer times, sorted, and how
/// many heavy changes were taken. A heavy phase ends when the heavy work is judged, if that comes first.
fn phase(
    admin: Client,
    pens: &mut [Pen],
    heavy: Option<(&mut Wire, Vec<(DocumentId, Made)>)>,
) -> Result<(Vec<f64>, usize), String> {
    let (over, until) = (AtomicBool::new(false), Instant::now() + PHASE);
    let over = &over;
    std::thread::scope(|scope| {
        let heavy = heavy.map(|(wire, notes)| {
            scope.spawn(move || {
                let taken = send_all(wire, notes, until).and_then(|taken| {
                    while Instant::now() < until && unjudged(&admin)? > TABLETS as u64 {
                        std::thread::sleep(LOOK_EVERY);
                    }
                    Ok(taken)
                });
                over.store(true, Ordering::Release);
                taken
            })
        });
        let editing: Vec<_> = pens
            .iter_mut()
            .enumerate()
            .map(|(number, pen)| {
                scope.spawn(move || {
                    std::thread::sleep(Duration::from_millis(3 * number as u64));
                    let mut times = Vec::new();
                    while Instant::now() < until && !over.load(Ordering::Acquire) {
                        times.push(pen.edit()?);
                        std::thread::sleep(PAUSE);
                    }
                    Ok::<Vec<f64>, String>(times)
                })
            })
            .collect();
        let died = || "a thread died".to_owned();
        let mut times = Vec::new();
        for one in editing {
            times.extend(one.join().map_err(|_| died())??);
        }
        let taken = match heavy {
            Some(heavy) => heavy.join().map_err(|_| died())??,
            None => 0,
        };
        times.sort_by(f64::total_cmp);
        Ok((times, taken))
    })
}

/// Pieces of work without a verdict.
fn unjudged(admin: &Client) -> Result<u64, String> {
    let status: Value = admin.get("/v1/admin/status").map_err(text)?;
    Ok(status.pointer("/hub/unjudged").and_then(Value::as_u64).unwrap_or(0))
}

fn send_all(wire: &mut Wire, notes: Vec<(DocumentId, Made)>, until: Instant) -> Result<usize, String> {
    let mut taken = 0;
    for (document, pushes) in notes {
        for (head, changes) in pushes {
            if Instant::now() >= until {
                return Ok(taken);
            }
            taken += changes.len();
            wire.push(document, head, changes)?;
        }
    }
    Ok(taken)
}

/// The value so many in a hundred stay below.
fn quantile(sorted: &[f64], percent: usize) -> f64 {
    let place = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(place).copied().unwrap_or(0.0)
}

impl Pen {
    /// Begins a note at the server.
    fn begin(wire: Wire) -> Result<Self, String> {
        let document = DocumentId::random(&mut OsEntropy);
        let (note, author) = fresh(document, wire.person, wire.device);
        let mut pen = Self { wire, document, note, author, at: now() };
        let (head, bytes) = pen.write(opening(pen.wire.person))?;
        pen.wire.push(document, head, vec![bytes])?;
        Ok(pen)
    }

    /// One change, made and not sent.
    fn write(&mut self, command: Command) -> Result<(ChangeHash, Vec<u8>), String> {
        self.at = self.at.plus_ms(1_000);
        commit(&mut self.note, &self.author, self.at, command)
    }

    /// One edit; how long until it was safe, in milliseconds.
    fn edit(&mut self) -> Result<f64, String> {
        let value = format!("steadier at {}", self.at);
        let (head, bytes) = self.write(Command::SetField { field: "response".to_owned(), value })?;
        let began = Instant::now();
        self.wire.push(self.document, head, vec![bytes])?;
        Ok(began.elapsed().as_secs_f64() * 1_000.0)
    }
}

/// A heavy note: thousands of changes, made before anything is measured.
fn make(person: PersonId, device: DeviceId) -> Result<(DocumentId, Made), String> {
    let document = DocumentId::random(&mut OsEntropy);
    let (mut note, author) = fresh(document, person, device);
    let mut at = now();
    let mut pushes: Made = Vec::new();
    let mut parcel = Vec::new();
    for number in 0..HEAVY_CHANGES {
        at = at.plus_ms(1);
        let typed = Command::SpliceText {
            field: "subjective".to_owned(),
            position: 0,
            delete: 0,
            insert: format!("the left knee gives way on stairs, {number}. "),
        };
        let command = if number == 0 { opening(person) } else { typed };
        let (head, bytes) = commit(&mut note, &author, at, command)?;
        parcel.push(bytes);
        if parcel.len() == HEAVY_PUSH || number + 1 == HEAVY_CHANGES {
            pushes.push((head, std::mem::take(&mut parcel)));
        }
    }
    Ok((document, pushes))
}

fn fresh(document: DocumentId, person: PersonId, device: DeviceId) -> (NoteDocument, Author) {
    let actor = ActorId::random(&mut OsEntropy);
    (NoteDocument::new(document, Kind::Visit), Author { person, device, actor })
}

fn opening(provider: PersonId) -> Command {
    let facts = [("provider".to_owned(), serde_json::json!(provider))].into();
    Command::OpenVisit(OpenVisit { facts, ..OpenVisit::default() })
}

fn commit(
    note: &mut NoteDocument,
    author: &Author,
    at: Timestamp,
    command: Command,
) -> Result<(ChangeHash, Vec<u8>), String> {
    let entropy: &mut dyn Entropy = &mut OsEntropy;
    let issued = [Issued { id: CommandId::random(entropy), command }];
    let seen = note.heads();
    let made = note.commit(author, ActorId::random(entropy), at, &seen, &issued).map_err(text)?;
    Ok((made.hash, made.bytes))
}
