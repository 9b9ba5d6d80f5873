//! Everything that can happen in a world, as one closed list with its weight. What each does stands in
//! the files it concerns.

use crate::cast::Kind;
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
    /// A clinic's settings change, and with them every report.
    SettingsChange,
    /// Two clinics do not reach each other for a while.
    LineOff,
    /// Two clinics reach each other again.
    LineOn,
    /// A line between clinics breaks at a random frame.
    LineCut,
    /// A line between clinics stalls.
    LineStall,
    /// A patient is shared with some clinics.
    Share,
    /// A patient is treated at home alone again.
    EndSharing,
    /// A caseload changes hands.
    Transfer,
    /// A clinic says that a day's charting is complete.
    CloseDay,
}

use Transition as T;

/// What can happen to one clinic, with how often.
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

/// What can happen to clinics that follow each other, with how often.
pub const GROUP_WEIGHTS: [(Transition, u64); 26] = [
    (T::Act, 400),
    (T::Type, 60),
    (T::Look, 50),
    (T::Blur, 15),
    (T::SyncOff, 25),
    (T::SyncOn, 30),
    (T::Cut, 20),
    (T::CrashTablet, 15),
    (T::CrashServer, 45),
    (T::CopyTablet, 8),
    (T::RestoreTablet, 4),
    (T::BackupServer, 35),
    (T::RestoreServer, 16),
    (T::ClockJump, 8),
    (T::CareTeamChange, 30),
    (T::Revoke, 2),
    (T::Release, 10),
    (T::SettingsChange, 6),
    (T::LineOff, 45),
    (T::LineOn, 40),
    (T::LineCut, 45),
    (T::LineStall, 20),
    (T::Share, 40),
    (T::EndSharing, 8),
    (T::Transfer, 10),
    (T::CloseDay, 15),
];

impl Transition {
    /// Draws what happens next.
    pub(crate) fn draw(dice: &mut Dice, kind: Kind) -> Self {
        let weights: &[(Self, u64)] = match kind {
            Kind::Clinic => &WEIGHTS,
            Kind::Group => &GROUP_WEIGHTS,
        };
        let total = weights.iter().map(|(_, weight)| *weight).sum();
        let mut at = dice.below(total);
        for (transition, weight) in weights.iter().copied() {
            match at.checked_sub(weight) {
                Some(rest) => at = rest,
                None => return transition,
            }
        }
        Self::Act
    }
}
