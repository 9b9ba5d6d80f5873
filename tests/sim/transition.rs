//! Everything that can happen in a world, as one closed list with its weight. What each does stands in
//! the files it concerns.

use crate::dice::Dice;

/// Something that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Transition {
    /// A person does something on a tablet: begins, times, corrects, resolves, comments, signs, amends.
    Act,
    /// A person begins to type.
    Type,
    /// A person looks at a note: what is on the screen from here on.
    Look,
    /// A person leaves the text.
    Blur,
    /// A tablet loses the network for a while.
    SyncOff,
    /// A tablet gets the network back.
    SyncOn,
    /// A connection breaks at a random frame.
    Cut,
    /// A connection stalls: nothing arrives for a while, nobody is told.
    Stall,
    /// A tablet's power goes.
    CrashTablet,
    /// The server's power goes.
    CrashServer,
    /// A copy of a tablet's disk is made.
    CopyTablet,
    /// A tablet starts from an older copy of its disk.
    RestoreTablet,
    /// A backup of the server is made.
    BackupServer,
    /// The server starts from an older backup, in a new epoch.
    RestoreServer,
    /// A tablet's clock is set.
    ClockJump,
    /// A patient's care team changes.
    CareTeamChange,
    /// A tablet is revoked.
    Revoke,
    /// A supervisor releases what is held.
    Release,
    /// A supervisor has held work made again.
    Reject,
    /// Somebody may not write notes for a while, or may again.
    RoleChange,
    /// One of the next calls to the server's disk fails.
    ServerDiskFault,
    /// One of the next calls to a tablet's disk fails.
    TabletDiskFault,
    /// The clinic's settings change, and with them every report.
    SettingsChange,
}

use Transition as T;

/// Everything that can happen, with how often.
pub const WEIGHTS: [(Transition, u64); 23] = [
    (T::Act, 420),
    (T::Type, 110),
    (T::Look, 60),
    (T::Blur, 20),
    (T::SyncOff, 40),
    (T::SyncOn, 50),
    (T::Cut, 40),
    (T::Stall, 15),
    (T::CrashTablet, 30),
    (T::CrashServer, 30),
    (T::CopyTablet, 15),
    (T::RestoreTablet, 8),
    (T::BackupServer, 15),
    (T::RestoreServer, 6),
    (T::ClockJump, 12),
    (T::CareTeamChange, 25),
    (T::Revoke, 3),
    (T::Release, 14),
    (T::Reject, 14),
    (T::RoleChange, 16),
    (T::ServerDiskFault, 6),
    (T::TabletDiskFault, 8),
    (T::SettingsChange, 6),
];

impl Transition {
    /// Draws what happens next.
    pub(crate) fn draw(dice: &mut Dice) -> Self {
        let total = WEIGHTS.iter().map(|(_, weight)| *weight).sum();
        let mut at = dice.below(total);
        for (transition, weight) in WEIGHTS {
            match at.checked_sub(weight) {
                Some(rest) => at = rest,
                None => return transition,
            }
        }
        Self::Act
    }
}
