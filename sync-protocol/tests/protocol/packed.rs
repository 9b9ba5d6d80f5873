//! Frames packed for slow lines: the same messages, smaller, and never larger than a frame may be.

use std::io::Write;

use proptest::prelude::*;
use sync_protocol::limits::FRAME_BYTES_MAX;
use sync_protocol::message::Message;
use sync_protocol::{DecodeError, ErrorCode, FEATURE_PACKED, codec};

use crate::pair::*;
use crate::samples::every_message;

fn deflated(body: &[u8]) -> Vec<u8> {
    let level = flate2::Compression::default();
    let mut encoder = flate2::write::DeflateEncoder::new(vec![codec::FORMAT_PACKED], level);
    encoder.write_all(body).expect("a vector takes everything");
    encoder.finish().expect("a vector takes everything")
}

#[test]
fn every_message_unfolds_to_the_very_frame_that_was_packed() {
    for (name, message) in every_message() {
        let frame = codec::encode(&message).expect("within bounds");
        let packed = codec::pack(frame.clone());
        assert!(packed.len() <= frame.len(), "{name}");
        assert_eq!(codec::unpack(&packed), Ok(frame), "{name}");
    }
}

#[test]
fn a_frame_that_unfolds_to_more_than_a_frame_is_refused_before_it_is_built() {
    let bomb = deflated(&vec![0; 64 << 20]);
    assert!(bomb.len() < 100_000, "{}", bomb.len());
    let most = allocation_counter::measure(|| {
        assert!(matches!(codec::unpack(&bomb), Err(DecodeError::TooLarge { .. })));
    });
    assert!(most.bytes_max < 4 * FRAME_BYTES_MAX as u64, "{} bytes", most.bytes_max);
}

proptest! {
    #[test]
    fn any_bytes_unfold_or_give_a_reason(body in proptest::collection::vec(any::<u8>(), 0..600), cut in 0usize..600) {
        let frame: Vec<u8> = std::iter::once(codec::FORMAT_PACKED).chain(body.iter().copied()).collect();
        let _ = codec::unpack(&frame);
        let mut torn = deflated(&body);
        torn.truncate(cut.max(1));
        let _ = codec::unpack(&torn);
    }
}

#[test]
fn pages_are_packed_where_both_sides_have_said_that_they_pack_and_nowhere_else() {
    for packs in [true, false] {
        let mut pair = if packs { Pair::open_with(&[FEATURE_PACKED]) } else { Pair::open() };
        let page = every_message().into_iter().find(|(name, _)| *name == "page").map(|(_, page)| page);
        let Some(Message::Page(page)) = page else { panic!("a page") };
        let plain = codec::encode(&Message::Page(page.clone())).expect("within bounds");
        pair.server.page(page.clone()).expect("open");
        let frame = pair.server.poll_transmit().expect("a frame");
        assert_eq!(frame.first() == Some(&codec::FORMAT_PACKED), packs);
        assert_eq!(frame.len() < plain.len(), packs);
        pair.hand_tablet(&codec::pack(plain));
        let ended = pair.tablet_failure().map(|failure| failure.code);
        assert_eq!(ended, (!packs).then_some(ErrorCode::UnknownVersion));
    }
}
