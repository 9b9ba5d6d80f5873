//! What opening a journal found and did, in words a person can act on. Holds no patient words: numbers
//! of entries, names of files.

use std::fmt;

use store::EpochStart;

/// What opening found and did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenReport {
    /// Entries read while opening (those after the mark it started from).
    pub entries_read: u64,
    /// An interrupted write at the end that was cut: it had never been acknowledged.
    pub interrupted: Option<Cut>,
    /// A cut of the end that may have lost acknowledged entries; a new epoch began.
    pub lost_tail: Option<Cut>,
    /// Damage that was repaired without loss, one sentence each.
    pub repaired: Vec<String>,
    /// The epoch that opening had to begin.
    pub new_epoch: Option<EpochStart>,
    /// The mark could not be used, so the whole journal was read.
    pub full_walk: bool,
}

/// A part of the end that was taken off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The last entry that is still there.
    pub after_seq: u64,
    /// Bytes taken off.
    pub bytes: u64,
    /// Where a copy of them was put, if they may matter.
    pub copy: Option<String>,
}

impl OpenReport {
    /// True if nothing but reading happened.
    pub fn is_quiet(&self) -> bool {
        self.interrupted.is_none()
            && self.lost_tail.is_none()
            && self.repaired.is_empty()
            && self.new_epoch.is_none()
    }

    /// The report in sentences, the most pressing first; none if nothing happened.
    pub fn sentences(&self) -> Vec<String> {
        let mut out = Vec::new();
        if let Some(cut) = &self.lost_tail {
            let copy = cut.copy.as_ref().map(|name| format!(" (a copy is in {name})")).unwrap_or_default();
            out.push(format!(
                "The journal ends after entry {}, earlier than it should: entries that were acknowledged may be \
                 missing{copy}. Tablets will offer their work again.",
                cut.after_seq
            ));
        }
        if let Some(epoch) = &self.new_epoch {
            out.push(format!("Epoch {} began after entry {}.", epoch.epoch, epoch.parent_seq));
        }
        out.extend(self.repaired.iter().cloned());
        if let Some(cut) = &self.interrupted {
            out.push(format!(
                "A write of {} bytes after entry {} had been interrupted and was taken off; it had not been \
                 acknowledged.",
                cut.bytes, cut.after_seq
            ));
        }
        out
    }
}

impl fmt::Display for OpenReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentences().join(" "))
    }
}
