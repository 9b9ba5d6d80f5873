//! A mutator for any bytes: flips, small steps, insertions, cuts, copies, and pieces of other inputs.
//! Knows no format; what a format needs to be right (lengths, checksums) its target mends.

use crate::ward::Chance;

/// The longest input that is made.
const LONGEST: usize = 8 * 1024;

/// Numbers that formats stumble over.
const NUMBERS: [u8; 10] = [0, 1, 2, 0x10, 0x3f, 0x40, 0x7e, 0x7f, 0x80, 0xff];

/// Breaks an input in one to five places, with `other` to take pieces from.
pub(crate) fn mutate(input: &mut Vec<u8>, other: &[u8], chance: &mut Chance) {
    for _ in 0..=chance.below(5).min(chance.below(5)) {
        if input.is_empty() {
            input.push(chance.roll() as u8);
        }
        let at = chance.below(input.len());
        match chance.below(11) {
            0 => input[at] ^= 1 << chance.below(8),
            1 => input[at] = input[at].wrapping_add(1),
            2 => input[at] = input[at].wrapping_sub(1),
            3 => input[at] = chance.roll() as u8,
            4 => input[at] = NUMBERS[chance.below(NUMBERS.len())],
            5 => input.insert(at, chance.roll() as u8),
            6 => drop(input.remove(at)),
            7 => input.truncate(at),
            8 => {
                let end = (at + 1 + chance.below(16)).min(input.len());
                let piece = input[at..end].to_vec();
                let to = chance.below(input.len());
                input.splice(to..to, piece);
            }
            9 => {
                let end = (at + 1 + chance.below(8)).min(input.len());
                drop(input.drain(at..end));
            }
            _ if !other.is_empty() => {
                let from = chance.below(other.len());
                let end = (from + 1 + chance.below(48)).min(other.len());
                let over = (at + chance.below(48)).min(input.len());
                input.splice(at..over, other[from..end].iter().copied());
            }
            _ => input.push(0),
        }
    }
    input.truncate(LONGEST);
}
