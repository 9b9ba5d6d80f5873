//! Cases of findings: a note in the short form, what must be found in it and what must not.

use std::collections::BTreeSet;

use serde_json::Value;

use super::case::CaseResult;
use crate::assess::visit_of_case;
use crate::recompute;
use crate::rulebook::Rulebook;

pub(super) fn run(case: &Value, book: &Rulebook) -> CaseResult {
    let ids = |name: &str| -> BTreeSet<String> {
        let list = case.get(name).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let (must, must_not) = (ids("must_include"), ids("must_not_include"));
    let expected = format!("with {must:?}, without {must_not:?}");
    let facts = visit_of_case(case.get("note").unwrap_or(&Value::Null))
        .map_err(|error| (expected.clone(), error.sentence))?;
    let found: BTreeSet<String> =
        recompute(&facts, book).findings.into_iter().map(|finding| finding.id).collect();
    if must.is_subset(&found) && must_not.is_disjoint(&found) {
        return Ok(());
    }
    let missing: Vec<&String> = must.difference(&found).collect();
    let unwanted: Vec<&String> = must_not.intersection(&found).collect();
    Err((expected, format!("missing {missing:?}, unwanted {unwanted:?}")))
}
