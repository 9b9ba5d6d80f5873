//! What the costliest frames cost a decoder: processor time and memory, measured. No wall clock, so a
//! busy machine changes nothing.

#![cfg(test)]

use std::hint::black_box;

use chart::ids::{ChangeHash, DocumentId};
use sync_protocol::message::{Message, Need};
use sync_protocol::{codec, limits};

const CPU_MS_MAX: f64 = 50.0;
const BYTES_MAX: u64 = 16 << 20;

/// Processor time of this thread, in milliseconds.
fn cpu_ms() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e3 + time.tv_nsec as f64 / 1e6
}

fn check(name: &str, frame: &[u8], reads: bool) {
    assert_eq!(codec::decode(frame).is_ok(), reads, "{name}");
    let mut best = f64::INFINITY;
    for _ in 0..9 {
        let start = cpu_ms();
        _ = black_box(codec::decode(frame));
        best = best.min(cpu_ms() - start);
    }
    let bytes = allocation_counter::measure(|| _ = black_box(codec::decode(frame))).bytes_max;
    println!("{name:40} {:8} bytes {best:8.3} ms {:8} KiB", frame.len(), bytes >> 10);
    assert!(best < CPU_MS_MAX, "{name}: {best} ms");
    assert!(bytes < BYTES_MAX, "{name}: {bytes} bytes");
}

/// A frame of one kind with this body.
fn frame(kind: u8, body: &[u8]) -> Vec<u8> {
    [vec![codec::FORMAT, 0x82], vec![kind], body.to_vec()].concat()
}

fn filled(head: &[u8], filling: u8) -> Vec<u8> {
    let mut frame = head.to_vec();
    frame.resize(limits::FRAME_BYTES_MAX, filling);
    frame
}

#[test]
fn a_hostile_frame_costs_little() {
    check("a frame over the limit", &vec![codec::FORMAT; 64 << 20], false);
    check("a megabyte of empty arrays", &filled(&[codec::FORMAT, 0x9a, 0, 0x0f, 0xff, 0xfa], 0x80), false);
    check("a megabyte of arrays in arrays", &filled(&[codec::FORMAT], 0x81), false);
    check("a megabyte of numbers", &filled(&[codec::FORMAT, 0x9a, 0, 0x0f, 0xff, 0xfa], 0x00), false);
    check(
        "a list that says 2^64 - 1",
        &frame(4, &[0x81, 0x9b, 255, 255, 255, 255, 255, 255, 255, 255]),
        false,
    );
    let items = limits::FRAME_ITEMS_MAX as u32 - 8;
    let most = [vec![0x81, 0x9a], items.to_be_bytes().to_vec(), vec![0x80; items as usize]].concat();
    check("as many empty documents as items", &frame(4, &most), false);
    // One text that fills the frame, where a push should stand.
    let length = limits::FRAME_BYTES_MAX as u32 - 9;
    let text = [vec![0x81, 0x7a], length.to_be_bytes().to_vec(), vec![b'x'; length as usize]].concat();
    check("a text of a megabyte", &frame(4, &text), false);
}

#[test]
fn the_largest_frames_that_are_read_cost_little_too() {
    let hashes = vec![ChangeHash::from_bytes([7; 32]); limits::HASHES_MAX];
    let need = Need { document: DocumentId::from_bytes([1; 16]), have: hashes.clone(), hashes };
    let need = codec::encode(&Message::Need(need)).expect("within bounds");
    check("8,192 hashes", &need, true);
    let unread = [
        vec![codec::FORMAT, 0x82, 0x19, 0x7f, 0xff, 0x9a],
        30_000u32.to_be_bytes().to_vec(),
        vec![0; 30_000],
    ];
    check("a kind nobody knows", &unread.concat(), true);
}
