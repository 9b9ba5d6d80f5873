//! Which codes are counted from the pool of timed minutes. Counts nothing.

use chart::code::ServiceCode;

use crate::rulebook::{Basis, Rulebook};

/// Whether a code's minutes belong to the pool.
pub(crate) fn is_pooled(book: &Rulebook, code: &ServiceCode) -> bool {
    book.code(code).is_some_and(|row| {
        row.basis == Basis::Timed && !row.add_on_to.iter().any(|first| outside_pool(book, first))
    })
}

fn outside_pool(book: &Rulebook, first: &ServiceCode) -> bool {
    book.code(first).is_some_and(|row| row.basis != Basis::Timed)
}
