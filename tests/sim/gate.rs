//! Gates that are not the machine's own. Whoever judges by one of these has a bug, and the net must find it.

use std::collections::{BTreeMap, BTreeSet};

use chart::ids::ChangeHash;
use session_note::NoteDocument;
use session_note::admission::{Admission, Submitted};
use session_note::admit::{IndexError, Outcome};

/// Judges each change against the note as it is now instead of against the change's own ancestry: who comes
/// second, from a tablet that had not seen the first, is rejected.
pub(crate) fn by_arrival(note: &NoteDocument, submitted: &[Submitted]) -> Result<Admission, IndexError> {
    let heads = note.heads();
    let mut seen: BTreeMap<ChangeHash, BTreeSet<ChangeHash>> = BTreeMap::new();
    let mut late = Vec::new();
    let mut rest = Vec::new();
    for one in submitted {
        let sketch = one.candidate.sketch();
        let mut sees: BTreeSet<ChangeHash> = sketch.deps.iter().copied().collect();
        sees.extend(
            sketch.deps.iter().filter_map(|dep| seen.get(dep)).flatten().copied().collect::<Vec<_>>(),
        );
        let has_seen = heads.is_subset(&sees);
        seen.insert(sketch.hash, sees);
        if has_seen {
            rest.push(one.clone());
        } else {
            let sentence = "somebody else came first".to_owned();
            late.push((sketch.hash, Outcome::Rejected { code: 399, sentence }));
        }
    }
    let mut admission = note.admit(&rest)?;
    admission.outcomes.extend(late);
    Ok(admission)
}
