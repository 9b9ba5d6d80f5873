//! A look over a frame before anything is built from it: no allocation but a small stack, no copying.
//!
//! Accepts exactly one CBOR item of definite lengths (RFC 8949), at most
//! [`FRAME_DEPTH_MAX`](crate::limits::FRAME_DEPTH_MAX) deep and
//! [`FRAME_ITEMS_MAX`](crate::limits::FRAME_ITEMS_MAX) items large, with nothing behind it.

use crate::limits::{FRAME_DEPTH_MAX, FRAME_ITEMS_MAX};

/// What is wrong with a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Short,
    Long,
    Indefinite,
    Reserved,
    TooDeep,
    TooMany,
}

impl Fault {
    pub(super) const fn sentence(self) -> &'static str {
        match self {
            Self::Short => "it ends too early",
            Self::Long => "something follows its end",
            Self::Indefinite => "it holds an item of indefinite length",
            Self::Reserved => "it holds a reserved CBOR value",
            Self::TooDeep => "it nests too deeply",
            Self::TooMany => "it holds too many items",
        }
    }
}

/// Looks over the CBOR part of a frame.
pub(super) fn skim(bytes: &[u8]) -> Result<(), Fault> {
    let mut rest = bytes;
    let mut items = 0usize;
    // How many items are still to come on each level.
    let mut levels: Vec<u64> = vec![1];
    while let Some(level) = levels.last_mut() {
        if *level == 0 {
            levels.pop();
            continue;
        }
        *level -= 1;
        items += 1;
        if items > FRAME_ITEMS_MAX {
            return Err(Fault::TooMany);
        }
        let children = take_head(&mut rest)?;
        if children > 0 {
            if children > rest.len() as u64 {
                return Err(Fault::Short);
            }
            if levels.len() > FRAME_DEPTH_MAX {
                return Err(Fault::TooDeep);
            }
            levels.push(children);
        }
    }
    if rest.is_empty() { Ok(()) } else { Err(Fault::Long) }
}

/// Takes one item without its children and says how many children follow.
fn take_head(rest: &mut &[u8]) -> Result<u64, Fault> {
    let (&first, after) = rest.split_first().ok_or(Fault::Short)?;
    *rest = after;
    let argument = match first & 0x1f {
        small @ 0..=23 => u64::from(small),
        24 => take_number(rest, 1)?,
        25 => take_number(rest, 2)?,
        26 => take_number(rest, 4)?,
        27 => take_number(rest, 8)?,
        31 => return Err(Fault::Indefinite),
        _ => return Err(Fault::Reserved),
    };
    match first >> 5 {
        2 | 3 => {
            let length = usize::try_from(argument).map_err(|_| Fault::Short)?;
            *rest = rest.get(length..).ok_or(Fault::Short)?;
            Ok(0)
        }
        4 => Ok(argument),
        5 => argument.checked_mul(2).ok_or(Fault::Short),
        6 => Ok(1),
        _ => Ok(0),
    }
}

fn take_number(rest: &mut &[u8], length: usize) -> Result<u64, Fault> {
    let (digits, after) = rest.split_at_checked(length).ok_or(Fault::Short)?;
    *rest = after;
    Ok(digits.iter().fold(0, |number, digit| number << 8 | u64::from(*digit)))
}
