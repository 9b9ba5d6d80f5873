//! Writing chunks by hand, with the right length and checksum whatever the content. Nothing is judged here.

use sha2::{Digest, Sha256};

pub(crate) fn uleb(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number > 0x7f {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

/// Wraps data into a chunk.
pub(crate) fn chunk(kind: u8, data: &[u8]) -> Vec<u8> {
    let hashed = [vec![kind], uleb(data.len() as u64), data.to_vec()].concat();
    let checksum = Sha256::digest(&hashed)[..4].to_vec();
    [vec![0x85, 0x6f, 0x4a, 0x83], checksum, hashed].concat()
}
