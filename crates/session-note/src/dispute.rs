//! Which billing facts of a note are contested, and by whom. Never picks a side.

use chart::register::{Fact, Register};
use chart::visit::Visit;
use serde::Serialize;

use crate::schema::FactName;

/// A contested billing fact of a note.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Dispute {
    /// The fact, in the form that `Resolve` takes.
    pub fact: String,
    /// Every side: value, versions, authors.
    pub sides: Vec<chart::register::Alternative<serde_json::Value>>,
}

/// All contested billing facts of a visit.
pub fn disputes(visit: &Visit) -> Vec<Dispute> {
    let mut found = Vec::new();
    push(&mut found, "provider", &visit.provider);
    push(&mut found, "date", &visit.date);
    push(&mut found, "place", &visit.place);
    push(&mut found, "payer", &visit.payer);
    push(&mut found, "diagnoses", &visit.diagnoses);
    push(&mut found, "tie_pick", &visit.tie_pick);
    push(&mut found, "billed_units", &visit.billed_units);
    push(&mut found, "totals", &visit.totals);
    for (activity, content) in &visit.activities {
        for (segment, register) in &content.segments {
            push(&mut found, &FactName::Segment(*activity, *segment).to_string(), register);
        }
    }
    found
}

fn push<T: Clone + Ord + Serialize>(found: &mut Vec<Dispute>, fact: &str, register: &Register<T>) {
    let values = register.fact().map(|value| serde_json::to_value(value).unwrap_or_default());
    if let Fact::Disputed(sides) = values {
        found.push(Dispute { fact: fact.to_owned(), sides });
    }
}
