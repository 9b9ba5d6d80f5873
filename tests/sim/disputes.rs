//! What is disputed in a note, held against who had seen what: worked out from the changes' ancestry alone.

use std::collections::{BTreeMap, BTreeSet};

use chart::ids::{ChangeHash, DocumentId};
use chart::register::{Fact, Register};
use session_note::schema::Kind;

use crate::log::LoggedDocument;
use crate::truth::Truth;
use crate::violation::{Promise, Violation, broken};

/// A version is open exactly if no other version of its fact was written by somebody who had seen it.
pub(crate) fn check_disputes(
    document: DocumentId,
    truth: &Truth,
    logged: Option<&LoggedDocument>,
    tally: &mut u64,
) -> Result<(), Violation> {
    if truth.note.kind() != Kind::Visit {
        return Ok(());
    }
    let ancestry = ancestry(logged);
    let visit = &truth.note.read_visit().value;
    check_register(document, "provider", &visit.provider, &ancestry, tally)?;
    check_register(document, "date", &visit.date, &ancestry, tally)?;
    check_register(document, "place", &visit.place, &ancestry, tally)?;
    check_register(document, "payer", &visit.payer, &ancestry, tally)?;
    check_register(document, "diagnoses", &visit.diagnoses, &ancestry, tally)?;
    for activity in visit.activities.values() {
        for register in activity.segments.values() {
            check_register(document, "a segment", register, &ancestry, tally)?;
        }
    }
    Ok(())
}

/// Everything each change of a document has seen.
fn ancestry(logged: Option<&LoggedDocument>) -> BTreeMap<ChangeHash, BTreeSet<ChangeHash>> {
    let mut all: BTreeMap<ChangeHash, BTreeSet<ChangeHash>> = BTreeMap::new();
    let Some(logged) = logged else { return all };
    let mut waiting: Vec<ChangeHash> = logged.order.clone();
    while !waiting.is_empty() {
        let before = waiting.len();
        waiting.retain(|hash| {
            let Some(change) = logged.changes.get(hash) else { return false };
            let deps = &change.submitted.candidate.sketch().deps;
            let known = |dep: &ChangeHash| all.contains_key(dep) || !logged.changes.contains_key(dep);
            if !deps.iter().all(known) {
                return true;
            }
            let mut above: BTreeSet<ChangeHash> = deps.iter().copied().collect();
            above.extend(deps.iter().filter_map(|dep| all.get(dep)).flatten().copied());
            all.insert(*hash, above);
            false
        });
        if waiting.len() == before {
            break;
        }
    }
    all
}

fn check_register<T: Clone + Ord + std::fmt::Debug>(
    document: DocumentId,
    name: &str,
    register: &Register<T>,
    ancestry: &BTreeMap<ChangeHash, BTreeSet<ChangeHash>>,
    tally: &mut u64,
) -> Result<(), Violation> {
    let of = |version: &chart::register::Version<T>| version.by.change;
    let seen = |version: &chart::register::Version<T>| {
        register.versions().iter().any(|other| {
            let above = of(other).and_then(|change| ancestry.get(&change));
            above.zip(of(version)).is_some_and(|(above, change)| above.contains(&change))
        })
    };
    let open: Vec<_> = register.versions().iter().filter(|version| !seen(version)).collect();
    let sides: BTreeSet<&T> = open.iter().map(|version| &version.value).collect();
    let fits = match register.fact() {
        Fact::Missing => sides.is_empty(),
        Fact::Agreed(value) => sides.len() == 1 && sides.contains(&value),
        Fact::Disputed(shown) => {
            *tally += 1;
            shown.iter().map(|side| &side.value).collect::<BTreeSet<_>>() == sides
        }
    };
    if fits {
        Ok(())
    } else {
        let story =
            format!("{name} of {document}: {sides:?} are open, and the note says {:?}", register.fact());
        Err(broken(Promise::Disputes, story))
    }
}
