//! Opening: lock, format, checkpoint, journal, index. The index is used as it is only when there is
//! reason to trust it; otherwise it serves as the journal's second copy once more and is built anew.

use std::path::{Path, PathBuf};

use chart::entropy::Entropy;
use journal::{Journal, RealFiles, Vfs, replace};
use store::StoreError;

use crate::checkpoint::{Checkpoint, boot, digest};
use crate::index::{Broken, Index, SecondCopy};
use crate::limits::{FORMAT, Options};
use crate::report::{IndexReport, OpenReport};

const FORMAT_FILE: &str = "format";
const DAMAGED: &str = "index-damaged";

/// Everything that opening made.
pub(crate) struct Opened {
    pub(crate) root: RealFiles,
    pub(crate) journal: Journal<RealFiles>,
    pub(crate) index: Index,
    pub(crate) generation: u32,
    pub(crate) boot: [u8; 32],
    pub(crate) report: OpenReport,
}

/// Whether the index may be used as it is.
enum Trust {
    Yes(Checkpoint),
    No(IndexReport),
}

pub(crate) fn disk(doing: &'static str) -> impl Fn(std::io::Error) -> StoreError {
    move |error| match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => StoreError::Full,
        _ => StoreError::Disk { doing, reason: error.to_string() },
    }
}

pub(crate) fn index_dir(dir: &Path, generation: u32) -> PathBuf {
    dir.join(format!("index-{generation:06}"))
}

pub(crate) fn open(dir: &Path, options: &Options, entropy: &mut dyn Entropy) -> Result<Opened, StoreError> {
    let root = RealFiles::new(dir).map_err(disk("make the store's directory"))?;
    root.lock().map_err(|error| match error.kind() {
        std::io::ErrorKind::WouldBlock => StoreError::InUse(root.place()),
        _ => disk("lock the store")(error),
    })?;
    check_format(&root)?;
    let files = RealFiles::new(dir.join("journal")).map_err(disk("make the journal's directory"))?;
    let there = generations(dir)?;
    let last = there.last().copied();
    let boot = boot();
    let trust = trust(dir, &root, options, boot)?;
    match trust {
        Trust::Yes(checkpoint) => {
            // From here on the files may change: what was closed in order counts as open.
            let open = Checkpoint { closed: None, boot, ..checkpoint };
            open.write(&root).map_err(disk("write the checkpoint"))?;
            match Index::open(&index_dir(dir, open.generation), options.cache_bytes) {
                Ok(index) => with_index(root, files, index, open, options, entropy),
                Err(Broken(why)) => {
                    set_aside(dir, open.generation)?;
                    let report = IndexReport::Rebuilt { why };
                    anew(dir, root, files, last, Some(open), report, options, entropy, boot)
                }
            }
        }
        Trust::No(report) => {
            let known = Checkpoint::read(&root).map_err(disk("read the checkpoint"))?;
            anew(dir, root, files, last, known, report, options, entropy, boot)
        }
    }
}

fn trust(dir: &Path, root: &RealFiles, options: &Options, boot: [u8; 32]) -> Result<Trust, StoreError> {
    let rebuilt = |why: &str| Ok(Trust::No(IndexReport::Rebuilt { why: why.to_owned() }));
    let found = Checkpoint::read(root).map_err(disk("read the checkpoint"))?;
    let Some(checkpoint) = found else {
        return match generations(dir)?.is_empty() {
            true => Ok(Trust::No(IndexReport::New)),
            false => rebuilt("the checkpoint is missing or does not read"),
        };
    };
    if options.full_check {
        return rebuilt("a full check was asked for");
    }
    let index = index_dir(dir, checkpoint.generation);
    match checkpoint.closed {
        _ if !index.is_dir() => rebuilt("the index is missing"),
        Some(closed) if digest(&index).ok() != Some(closed) => rebuilt("the index's files have changed"),
        Some(_) => Ok(Trust::Yes(checkpoint)),
        // The process died but the system did not: what was written is still there.
        None if checkpoint.boot == boot && boot != [0; 32] => Ok(Trust::Yes(checkpoint)),
        None => rebuilt("the machine stopped while the store was open"),
    }
}

/// Goes on with a trusted index: only what follows the checkpoint is read.
fn with_index(
    root: RealFiles,
    files: RealFiles,
    index: Index,
    checkpoint: Checkpoint,
    options: &Options,
    entropy: &mut dyn Entropy,
) -> Result<Opened, StoreError> {
    let mut broken = None;
    let opened = Journal::open(
        files,
        options.journal,
        entropy,
        &mut SecondCopy(Some(&index)),
        Some(&checkpoint.start),
        &mut |frame| {
            if broken.is_none() {
                broken = index.apply(frame).err();
            }
            Ok(())
        },
    );
    let (journal, found) = opened?;
    if let Err(why) = index.note_epochs(journal.epochs()) {
        broken = Some(why);
    }
    // Rows of a part that was cut would answer for entries that are written in its place.
    if found.lost_tail.is_some() {
        broken = Some(Broken("the journal lost its end".to_owned()));
    }
    let report = match &broken {
        Some(Broken(why)) => IndexReport::Rebuilt { why: why.clone() },
        None => IndexReport::Trusted { replayed: found.entries_read },
    };
    let (boot, mut generation) = (checkpoint.boot, checkpoint.generation);
    let index = match broken {
        None => index,
        Some(_) => {
            let dir = root.dir().to_owned();
            generation = generation.saturating_add(1);
            build(&dir, generation, &journal, Some(index), options)?
        }
    };
    let mut opened = Opened {
        root,
        journal,
        index,
        generation,
        boot,
        report: OpenReport { journal: found, index: report },
    };
    settle(&mut opened)?;
    Ok(opened)
}

/// Reads the whole journal, with what is left of the index as its second copy, and builds the index
/// anew.
#[allow(clippy::too_many_arguments, reason = "one step of opening, called from two places")]
fn anew(
    dir: &Path,
    root: RealFiles,
    files: RealFiles,
    last: Option<u32>,
    known: Option<Checkpoint>,
    report: IndexReport,
    options: &Options,
    entropy: &mut dyn Entropy,
    boot: [u8; 32],
) -> Result<Opened, StoreError> {
    let old_generation = known.as_ref().map(|known| known.generation).or(last);
    let old = old_generation
        .map(|generation| index_dir(dir, generation))
        .filter(|path| path.is_dir())
        .and_then(|path| Index::open(&path, options.cache_bytes).ok());
    let generation = last.unwrap_or(0).max(old_generation.unwrap_or(0)).saturating_add(1);
    let fresh = fresh_index(dir, generation, options)?;
    let mut broken = None;
    // The checkpoint's place says how far the journal had come; the walk itself starts at the beginning.
    let known_end = known.filter(|known| known.start.mark.tip.seq > 0).map(|mut known| {
        known.start.epochs.clear();
        known.start
    });
    let opened = Journal::open(
        files,
        options.journal,
        entropy,
        &mut SecondCopy(old.as_ref()),
        known_end.as_ref(),
        &mut |frame| {
            if broken.is_none() {
                broken = fresh.apply(frame).err();
            }
            Ok(())
        },
    );
    let (journal, found) = match opened {
        Ok(opened) => opened,
        Err(error) => {
            fresh.close();
            std::fs::remove_dir_all(index_dir(dir, generation))
                .map_err(disk("remove an unfinished index"))?;
            return Err(error);
        }
    };
    let done = fresh.note_epochs(journal.epochs());
    if let Some(Broken(why)) = broken.or(done.err()) {
        return Err(StoreError::Disk { doing: "build the index", reason: why });
    }
    if let Some(old) = &old {
        // What was kept is a convenience: an index that does not give it up loses it.
        let _ = fresh.take_kept(old);
    }
    let changed = matches!(&report, IndexReport::Rebuilt { why } if why.contains("changed"));
    if let Some(old) = old {
        old.close();
    }
    if let Some(generation) = old_generation.filter(|_| changed) {
        set_aside(dir, generation)?;
    }
    let report = OpenReport { journal: found, index: report };
    let mut opened = Opened { root, journal, index: fresh, generation, boot, report };
    settle(&mut opened)?;
    Ok(opened)
}

/// Builds an index from a journal that is open.
pub(crate) fn build(
    dir: &Path,
    generation: u32,
    journal: &Journal<RealFiles>,
    old: Option<Index>,
    options: &Options,
) -> Result<Index, StoreError> {
    let fresh = fresh_index(dir, generation, options)?;
    let failed = |Broken(reason)| StoreError::Disk { doing: "build the index", reason };
    journal.replay(None, &mut |frame| fresh.apply(frame).map_err(failed))?;
    fresh.note_epochs(journal.epochs()).map_err(failed)?;
    if let Some(old) = old {
        let _ = fresh.take_kept(&old);
        old.close();
    }
    Ok(fresh)
}

fn fresh_index(dir: &Path, generation: u32, options: &Options) -> Result<Index, StoreError> {
    let path = index_dir(dir, generation);
    if path.exists() {
        std::fs::remove_dir_all(&path).map_err(disk("remove an old index"))?;
    }
    Index::open(&path, options.cache_bytes)
        .map_err(|Broken(reason)| StoreError::Disk { doing: "make the index", reason })
}

/// Writes the checkpoint that goes with what was opened, and removes indexes that are not used.
pub(crate) fn settle(opened: &mut Opened) -> Result<(), StoreError> {
    opened.index.flush().map_err(|Broken(reason)| StoreError::Disk { doing: "sync the index", reason })?;
    let checkpoint = Checkpoint {
        generation: opened.generation,
        closed: None,
        boot: opened.boot,
        start: opened.journal.start(),
    };
    checkpoint.write(&opened.root).map_err(disk("write the checkpoint"))?;
    remove_others(opened.root.dir(), opened.generation)
}

pub(crate) fn remove_others(dir: &Path, used: u32) -> Result<(), StoreError> {
    for generation in generations(dir)?.into_iter().filter(|other| *other != used) {
        std::fs::remove_dir_all(index_dir(dir, generation)).map_err(disk("remove an old index"))?;
    }
    Ok(())
}

/// Moves a damaged index aside for people to look at; only the last one is kept.
pub(crate) fn set_aside(dir: &Path, generation: u32) -> Result<(), StoreError> {
    let (from, to) = (index_dir(dir, generation), dir.join(DAMAGED));
    if !from.is_dir() {
        return Ok(());
    }
    if to.exists() {
        std::fs::remove_dir_all(&to).map_err(disk("remove an old index"))?;
    }
    std::fs::rename(from, to).map_err(disk("move the damaged index aside"))
}

fn generations(dir: &Path) -> Result<Vec<u32>, StoreError> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(disk("list the store"))? {
        let name = entry.map_err(disk("list the store"))?.file_name();
        found.extend(name.to_str().and_then(|name| name.strip_prefix("index-")?.parse::<u32>().ok()));
    }
    found.sort_unstable();
    Ok(found)
}

/// The format file: one line for people, with a checksum. One that does not read is written anew: the
/// formats of the parts say the same.
fn check_format(root: &RealFiles) -> Result<(), StoreError> {
    let line = |format: u32| {
        let words = format!("gaitway store, format {format}");
        format!("{words}, check {:08x}\n", crc32c::crc32c(words.as_bytes()))
    };
    let mut bytes = vec![0; 256];
    let there = root.len(FORMAT_FILE).map_err(disk("read the format"))?.is_some();
    let read =
        if there { root.read_at(FORMAT_FILE, 0, &mut bytes).map_err(disk("read the format"))? } else { 0 };
    let text = String::from_utf8_lossy(bytes.get(..read).unwrap_or_default()).into_owned();
    let found = text
        .strip_prefix("gaitway store, format ")
        .and_then(|rest| rest.split(',').next()?.parse::<u32>().ok())
        .filter(|found| line(*found) == text);
    match found {
        Some(found) if found > FORMAT => Err(StoreError::NewerFormat { found, known: FORMAT }),
        Some(_) => Ok(()),
        None => replace(root, FORMAT_FILE, line(FORMAT).as_bytes()).map_err(disk("write the format")),
    }
}
