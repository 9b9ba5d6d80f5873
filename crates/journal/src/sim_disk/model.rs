//! The words of the modelled disk, and repeatable bytes. Holds no state of a disk.

use chart::entropy::{Entropy, draw};

/// How directory entries become durable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dirs {
    /// In order, by any sync: a journalling file system.
    #[default]
    Journal,
    /// Only by a sync of the directory: what POSIX promises.
    Strict,
}

/// What a crash does to pending data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// Loses all of it.
    Drop,
    /// Keeps everything up to a random operation.
    Prefix,
    /// Keeps a random choice of operations.
    Subset,
    /// Keeps a random choice of 512-byte sectors of a random choice of writes.
    Torn,
}

impl Crash {
    /// Every kind of crash.
    pub const ALL: [Self; 4] = [Self::Drop, Self::Prefix, Self::Subset, Self::Torn];
}

/// How one call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// An input/output error; on a sync, what was pending is lost.
    Io,
    /// No space left; nothing is written.
    Full,
    /// A write that stops half-way for lack of space; on other calls like [`Fault::Io`].
    ShortWrite,
}

/// Repeatable bytes from a number, for tests and simulations; never for keys.
#[derive(Clone, Debug)]
pub struct Seeded(u64);

impl Seeded {
    /// The source that starts from `seed`.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

impl Entropy for Seeded {
    fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            for (to, from) in chunk.iter_mut().zip(self.next().to_le_bytes()) {
                *to = from;
            }
        }
    }
}

/// A number below `bound`, or 0 when `bound` is 0.
pub(super) fn below(entropy: &mut dyn Entropy, bound: u64) -> u64 {
    u64::from_le_bytes(draw(entropy)).checked_rem(bound).unwrap_or(0)
}
