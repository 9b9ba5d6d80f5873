//! Every known attack in one table. Whoever tries attacks takes them from here: the gate alone, a tablet
//! (through `hostile.txt`, which is held to this table) and a server over a real connection. It asserts nothing.

use super::attacks::{Attack, Ground};
use super::broken;

/// All of them, upon this ground.
pub(crate) fn table(ground: &Ground) -> Vec<Attack> {
    let mut all = ground.controls();
    all.extend(ground.lost_references());
    all.extend(ground.misfits());
    all.extend(ground.headers());
    all.extend(ground.nests());
    all.extend(ground.equivocation());
    all.extend(broken::chunks(ground));
    all.extend(broken::columns(ground));
    all.extend(broken::others(ground));
    all
}
