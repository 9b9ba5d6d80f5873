//! Frames made smaller on slow lines: the same body under another format byte, deflated (RFC 1951). Bounded
//! both ways: what a packed frame unfolds to is never over the frame limit, whatever it claims.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;

use super::{DecodeError, FORMAT, malformed};
use crate::limits::{FRAME_BYTES_MAX, PACKED_LEAST_BYTES};

/// The format byte of a packed frame.
pub const FORMAT_PACKED: u8 = 2;

/// The frame packed, or as it is where that would not save anything.
pub fn pack(frame: Vec<u8>) -> Vec<u8> {
    let Some((&FORMAT, body)) = frame.split_first() else { return frame };
    if frame.len() < PACKED_LEAST_BYTES {
        return frame;
    }
    let mut encoder = DeflateEncoder::new(vec![FORMAT_PACKED], Compression::default());
    let packed = encoder.write_all(body).and_then(|()| encoder.finish());
    match packed {
        Ok(packed) if packed.len() < frame.len() => packed,
        // Writing to a vector does not fail; sent as it is the frame says the same.
        _ => frame,
    }
}

/// A frame as it was before it was packed; one that is not packed as it is.
///
/// # Errors
/// When it does not unfold, or unfolds to more than a frame may have.
pub fn unpack(frame: &[u8]) -> Result<Vec<u8>, DecodeError> {
    let Some((&FORMAT_PACKED, body)) = frame.split_first() else { return Ok(frame.to_vec()) };
    let mut unpacked = vec![FORMAT];
    let most = FRAME_BYTES_MAX as u64 + 1;
    let read = DeflateDecoder::new(body).take(most).read_to_end(&mut unpacked);
    read.map_err(|_| malformed("a packed frame does not unfold"))?;
    if unpacked.len() > FRAME_BYTES_MAX {
        return Err(DecodeError::TooLarge { bytes: unpacked.len(), limit: FRAME_BYTES_MAX });
    }
    Ok(unpacked)
}
