//! What one check is: the names it may push beside the function that pushes them. Holds no check.

use crate::finding::Findings;
use crate::view::View;

/// One check: the names it may push, and what it does.
pub(crate) struct Check {
    pub(crate) pushes: &'static [&'static str],
    pub(crate) run: fn(&View<'_>, &mut Findings<'_>),
}
