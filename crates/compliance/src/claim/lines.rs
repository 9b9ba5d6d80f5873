//! One line for each code, two where therapist and assistant both earned units of it.

use std::collections::BTreeSet;

use chart::billing::BillLine;
use chart::code::ServiceCode;
use chart::facts::NoteFacts;
use chart::report::{Counted, Pool};

use super::estimate::Day;
use super::marks::{Marks, recorded};
use super::whose;
use crate::assistant::{self, Method, Minutes, Split};
use crate::rulebook::Payer;
use crate::view::View;

/// Most diagnoses a line points to.
const MOST_POINTERS: usize = 4;

/// The lines of a counted pool, and why something done has none.
pub(super) fn lines(
    view: &View<'_>,
    note: &NoteFacts,
    pool: &Pool,
    counted: &Counted,
    payer: Option<&Payer>,
    day: &Day,
) -> (Vec<BillLine>, Vec<String>) {
    let mut withheld = Vec::new();
    let billed = |code: &ServiceCode, n: u32, withheld: &mut Vec<String>| match unpayable(view, code, payer) {
        Some(reason) if n > 0 => {
            withheld.push(reason);
            false
        }
        _ => n > 0,
    };
    let codes: Vec<(&ServiceCode, u32)> = counted
        .per_code
        .iter()
        .map(|(code, n)| (code, *n))
        .filter(|(code, n)| billed(code, *n, &mut withheld))
        .collect();
    let of_day: BTreeSet<ServiceCode> =
        day.codes().chain(codes.iter().map(|(code, _)| *code)).cloned().collect();
    let marks = Marks::of(view, pool, payer, &of_day);
    let worked = whose::minutes(view, pool);
    let date = view.date.unwrap_or(view.facts.as_of);
    let method = Method::of(&view.facts.settings);
    let pointers = pointers(note);
    let mut lines: Vec<BillLine> = Vec::new();
    for (code, units) in codes {
        let minutes = worked.get(code).copied().unwrap_or_default();
        let split = match marks.assistant() {
            Some(_) => assistant::split(view.book, code, units, minutes, date, method),
            None => Split { plain: units, assist: 0 },
        };
        for (units, by_assistant) in [(split.plain, false), (split.assist, true)] {
            if units == 0 {
                continue;
            }
            let (modifiers, asked) = marks.of_line(code, by_assistant);
            lines.push(BillLine {
                number: u32::try_from(lines.len() + 1).unwrap_or(u32::MAX),
                code: code.clone(),
                modifiers,
                asked,
                units,
                minutes: behind(minutes, split, by_assistant),
                pointers: pointers.clone(),
                estimate_cents: day.line_cents(view, code, split, by_assistant),
            });
        }
    }
    (lines, withheld)
}

/// The minutes behind a line: all of the code's, or those of whoever earned its units.
fn behind(minutes: Minutes, split: Split, by_assistant: bool) -> u32 {
    match (split.plain > 0 && split.assist > 0, by_assistant) {
        (true, true) => minutes.assistant,
        (true, false) => minutes.therapist,
        (false, _) => minutes.therapist.saturating_add(minutes.assistant),
    }
}

/// Why a payer gets no line of a code, unless the note marks it as knowingly not covered.
fn unpayable(view: &View<'_>, code: &ServiceCode, payer: Option<&Payer>) -> Option<String> {
    let payer = payer?;
    let row = payer.not_payable.iter().find(|row| row.codes.contains(code))?;
    let notices = ["notice-excluded", "notice-none", "notice-signed", "notice-voluntary"];
    let noticed = recorded(view, code)
        .iter()
        .any(|mark| notices.iter().any(|set| view.book.modifiers(set).contains(mark)));
    let instead = row.swap.as_ref().map_or(String::new(), |swap| format!(" It takes {swap} instead."));
    (!noticed).then(|| format!("{} does not pay {code}.{instead}", payer.label))
}

/// The first diagnoses, while everybody agrees on them.
fn pointers(note: &NoteFacts) -> Vec<u32> {
    let known = note.diagnoses.agreed().map_or(0, Vec::len).min(MOST_POINTERS);
    (1..=u32::try_from(known).unwrap_or(0)).collect()
}
