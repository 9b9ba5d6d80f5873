//! The floor under the storm: what the same changes cost when nothing is promised, checked or kept.
//!
//! Hashing and reading every change, building every note from its raw changes in one go, and writing the
//! same bytes to a file with one sync. Measured in the same run, so that ratios mean something.

use std::collections::BTreeSet;
use std::fs::File;
use std::hint::black_box;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use chart::entropy::Entropy;
use chart::ids::{ActorId, ChangeHash, CommandId, DeviceId, DocumentId, PersonId};
use serde::Serialize;
use session_note::admit::{Limits, prescan};
use session_note::schema::{Kind, genesis_bytes};
use session_note::{Author, Issued, NoteDocument};

use super::day::{Day, Note, Step};
use super::stage::text;

/// Each figure is the best of so many runs.
const RUNS: usize = 5;

/// The floor.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Floor {
    pub(super) changes: usize,
    pub(super) bytes: usize,
    /// Reading and hashing every change.
    pub(super) hash_s: f64,
    /// Building every note from its raw changes.
    pub(super) merge_s: f64,
    /// Writing the bytes and one sync.
    pub(super) write_ms: f64,
    /// One sync of a short write.
    pub(super) sync_ms: f64,
}

/// Chance that need not be secret.
struct Dice(blake3::OutputReader);

impl Entropy for Dice {
    fn fill(&mut self, bytes: &mut [u8]) {
        self.0.fill(bytes);
    }
}

/// Measures the floor of a day.
pub(super) fn measure(day: &Day, dir: &Path) -> Result<Floor, String> {
    let mut dice = Dice(blake3::Hasher::new().update(b"floor").finalize_xof());
    let notes: Result<Vec<Raw>, String> = day.notes.iter().map(|note| raw(day, note, &mut dice)).collect();
    let notes = notes?;
    let all = || notes.iter().flat_map(|note| &note.changes);
    let mut floor = Floor {
        changes: all().count(),
        bytes: all().map(Vec::len).sum(),
        hash_s: f64::MAX,
        merge_s: f64::MAX,
        write_ms: f64::MAX,
        sync_ms: f64::MAX,
    };
    for _ in 0..RUNS {
        let began = Instant::now();
        for change in all() {
            black_box(prescan(change, &Limits::V1).map_err(text)?);
        }
        floor.hash_s = floor.hash_s.min(began.elapsed().as_secs_f64());
        let began = Instant::now();
        for note in &notes {
            let built = NoteDocument::load(note.document, Kind::Visit, &note.joined).map_err(text)?;
            if black_box(built).heads() != note.heads {
                return Err("the floor's notes did not merge".to_owned());
            }
        }
        floor.merge_s = floor.merge_s.min(began.elapsed().as_secs_f64());
        let joined: Vec<u8> = all().flatten().copied().collect();
        floor.write_ms = floor.write_ms.min(write(&dir.join("floor"), &joined)?);
        floor.sync_ms = floor.sync_ms.min(write(&dir.join("floor"), b"a short write")?);
    }
    Ok(floor)
}

fn write(path: &Path, bytes: &[u8]) -> Result<f64, String> {
    let mut file = File::create(path).map_err(text)?;
    let began = Instant::now();
    file.write_all(bytes).and_then(|()| file.sync_data()).map_err(text)?;
    Ok(began.elapsed().as_secs_f64() * 1_000.0)
}

/// A note's changes as they travel.
struct Raw {
    document: DocumentId,
    changes: Vec<Vec<u8>>,
    /// The genesis and all of them, one after the other.
    joined: Vec<u8>,
    heads: BTreeSet<ChangeHash>,
}

fn raw(day: &Day, note: &Note, dice: &mut Dice) -> Result<Raw, String> {
    let mut raw = Raw {
        document: note.document,
        changes: Vec::new(),
        joined: genesis_bytes(Kind::Visit).to_vec(),
        heads: BTreeSet::new(),
    };
    let mut owners = NoteDocument::new(note.document, Kind::Visit);
    let (before, after) = note.steps.split_at_checked(note.seen).unwrap_or((&note.steps, &[]));
    write_steps(day, note, before, &mut owners, note.owner, dice, &mut raw)?;
    if let Some(second) = note.second {
        let mut beside = owners.clone();
        write_steps(day, note, &note.second_steps, &mut beside, second, dice, &mut raw)?;
        raw.heads.extend(beside.heads());
    }
    write_steps(day, note, after, &mut owners, note.owner, dice, &mut raw)?;
    raw.heads.extend(owners.heads());
    raw.joined.extend(raw.changes.iter().flatten());
    Ok(raw)
}

fn write_steps(
    day: &Day,
    note: &Note,
    steps: &[Step],
    document: &mut NoteDocument,
    tablet: usize,
    dice: &mut Dice,
    raw: &mut Raw,
) -> Result<(), String> {
    let number = u8::try_from(tablet % 200).unwrap_or(0).saturating_add(1);
    let author = Author {
        person: PersonId::from_bytes([number; 16]),
        device: DeviceId::from_bytes([number; 16]),
        actor: ActorId::random(dice),
    };
    for entry in day.entries(note, steps)? {
        let issue = |command| Issued { id: CommandId::random(dice), command };
        let issued: Vec<Issued> = entry.commands.into_iter().map(issue).collect();
        let (seen, fresh) = (document.heads(), ActorId::random(dice));
        let made = document.commit(&author, fresh, entry.at, &seen, &issued).map_err(text)?;
        raw.changes.push(made.bytes);
    }
    Ok(())
}
