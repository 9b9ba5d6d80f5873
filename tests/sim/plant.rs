//! Bugs planted at the seams between a machine and its driver, one at a time, to see that the net
//! catches them. None of them is ever in a machine.

/// A planted bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plant {
    /// The server's disk says "synced" without syncing: work is acknowledged before it is durable.
    ServerAcksBeforeSync,
    /// A tablet's disk says "synced" without syncing: keystrokes and commands are called saved.
    TabletAcksBeforeSync,
    /// The server's driver stops giving the hub time once everything is judged.
    ReportsForgotten,
    /// The server's index answers questions from the first answer it gave.
    StaleIndex,
    /// A retried edit is given to the tablet a second time.
    RetriedEdit,
    /// Something between tablet and server answers pushes with receipts of its own.
    ForgedReceipt,
    /// The server judges a change against what came before it instead of against what its author had seen.
    VerdictByArrival,
    /// Entries that say a note entered the scope are lost from tablets' pages.
    EnteredLost,
    /// A clinic judges what another one admitted once more, by what it has itself at that moment.
    JudgedAgain,
    /// A clinic is not told that a note entered its scope, and its place in the feed moves on.
    EntrySkipped,
    /// A clinic in the middle passes on others' work whole instead of naming it.
    ForwardedTwice,
}
