//! The checkpoint: which index goes with the journal, how far it is known to go, and whether both were
//! left in order. Written so that the old or the new one is there, whole.

use std::io::Read;
use std::path::Path;

use journal::{Mark, RealFiles, Start, Vfs, decode_epoch, encode_epoch, replace};

pub(crate) const CHECKPOINT: &str = "checkpoint";
const MAGIC: [u8; 4] = *b"GWSC";
const MARK_LEN: usize = 88;

/// What is known of the index at some place of the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    /// The number in the index directory's name.
    pub(crate) generation: u32,
    /// The digest of the index's files, if it was closed in order and not opened since.
    pub(crate) closed: Option<[u8; 32]>,
    /// Names the running system the index was last opened under; zeros if the system does not say.
    pub(crate) boot: [u8; 32],
    /// How far the index goes at least.
    pub(crate) start: Start,
}

impl Checkpoint {
    /// `"GWSC"` ‖ 1 ‖ closed (1) ‖ 0 ‖ 0 ‖ generation (4) ‖ digest (32) ‖ boot (32) ‖ mark (88) ‖
    /// epochs (60 each) ‖ CRC32C (4).
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.extend_from_slice(&[1, u8::from(self.closed.is_some()), 0, 0]);
        out.extend_from_slice(&self.generation.to_le_bytes());
        out.extend_from_slice(&self.closed.unwrap_or_default());
        out.extend_from_slice(&self.boot);
        out.extend_from_slice(&self.start.mark.encode());
        self.start.epochs.iter().for_each(|start| out.extend_from_slice(&encode_epoch(start)));
        let crc = crc32c::crc32c(&out);
        out.extend_from_slice(&crc.to_le_bytes());
        out
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (covered, crc) = bytes.split_last_chunk::<4>()?;
        if crc32c::crc32c(covered) != u32::from_le_bytes(*crc) {
            return None;
        }
        let (head, rest) = covered.split_first_chunk::<8>()?;
        let [m0, m1, m2, m3, 1, closed, _, _] = *head else { return None };
        if [m0, m1, m2, m3] != MAGIC {
            return None;
        }
        let (generation, rest) = rest.split_first_chunk::<4>()?;
        let (digest, rest) = rest.split_first_chunk::<32>()?;
        let (boot, rest) = rest.split_first_chunk::<32>()?;
        let (mark, rest) = rest.split_at_checked(MARK_LEN)?;
        let epochs = rest.chunks(60).map(decode_epoch).collect::<Option<Vec<_>>>()?;
        Some(Self {
            generation: u32::from_le_bytes(*generation),
            closed: (closed == 1).then_some(*digest),
            boot: *boot,
            start: Start { mark: Mark::decode(mark)?, epochs },
        })
    }

    pub(crate) fn read(root: &RealFiles) -> std::io::Result<Option<Self>> {
        let Some(len) = root.len(CHECKPOINT)? else { return Ok(None) };
        let mut bytes = vec![0; usize::try_from(len.min(1 << 24)).unwrap_or(0)];
        let read = root.read_at(CHECKPOINT, 0, &mut bytes)?;
        Ok(bytes.get(..read).and_then(Self::decode))
    }

    pub(crate) fn write(&self, root: &RealFiles) -> std::io::Result<()> {
        replace(root, CHECKPOINT, &self.encode())
    }
}

/// Names the running system: what it wrote is still in its memory as long as this stays the same. Zeros
/// where the system does not say.
pub(crate) fn boot() -> [u8; 32] {
    match std::fs::read("/proc/sys/kernel/random/boot_id") {
        Ok(id) => *blake3::hash(&id).as_bytes(),
        Err(_) => [0; 32],
    }
}

/// The digest of all files of a closed index: names, lengths and bytes.
pub(crate) fn digest(dir: &Path) -> std::io::Result<[u8; 32]> {
    let mut files = Vec::new();
    let mut dirs = vec![dir.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(&dir)? {
            let entry = entry?;
            match entry.file_type()?.is_dir() {
                true => dirs.push(entry.path()),
                false => files.push(entry.path()),
            }
        }
    }
    files.sort();
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; 1 << 20];
    for path in files {
        let name = path.strip_prefix(dir).unwrap_or(&path).to_string_lossy().into_owned();
        let mut file = std::fs::File::open(&path)?;
        hasher.update(&(name.len() as u64).to_le_bytes());
        hasher.update(name.as_bytes());
        hasher.update(&file.metadata()?.len().to_le_bytes());
        loop {
            let read = file.read(&mut buffer)?;
            if read == 0 {
                break;
            }
            hasher.update(buffer.get(..read).unwrap_or_default());
        }
    }
    Ok(*hasher.finalize().as_bytes())
}
