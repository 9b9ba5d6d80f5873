//! Frames, headers and marks read back what was written, and nothing else.

use proptest::prelude::*;

use super::*;

fn tip() -> impl Strategy<Value = Tip> {
    (1u32..9, any::<[u8; 16]>(), 0u64..1 << 40, any::<[u8; 32]>()).prop_map(|(epoch, id, seq, chain)| Tip {
        epoch,
        epoch_id: EpochId::from_bytes(id),
        seq,
        chain: Chain(chain),
    })
}

fn entries() -> impl Strategy<Value = Vec<NewEntry>> {
    let entry = (
        prop::collection::vec(any::<[u8; 16]>().prop_map(Key), 0..4),
        prop::collection::vec(any::<u8>(), 0..90),
    );
    prop::collection::vec(entry.prop_map(|(keys, bytes)| NewEntry { keys, bytes }), 0..5)
}

fn decode(bytes: &[u8]) -> Result<Frame, Bad> {
    let head = FrameHead::decode(bytes)?;
    head.decode_rest(bytes.get(FRAME_HEADER..).unwrap_or_default(), 3, 80)
}

proptest! {
    #[test]
    fn a_frame_reads_back_what_was_written(before in tip(), entries in entries()) {
        let bytes = encode_frame(&before, before.epoch, before.epoch_id, &entries);
        prop_assert_eq!(bytes.len() % 8, 0);
        let frame = decode(&bytes).unwrap();
        prop_assert_eq!(frame.end.offset, 80 + bytes.len() as u64);
        let read: Vec<_> = frame.entries.iter().map(|e| NewEntry { keys: e.keys.clone(), bytes: e.bytes.clone() }).collect();
        prop_assert_eq!(&read, &entries);
        for entry in &frame.entries {
            let at = usize::try_from(entry.place.offset).unwrap() - 80;
            let record = &bytes[at..at + entry.place.len as usize];
            prop_assert_eq!(decode_alone(record, entry.seq), Some((entry.keys.clone(), entry.bytes.clone())));
            prop_assert_eq!(decode_alone(record, entry.seq + 1), None);
        }
    }

    #[test]
    fn a_frame_with_any_bit_flipped_is_refused(before in tip(), entries in entries(), bit: prop::sample::Index) {
        let mut bytes = encode_frame(&before, before.epoch, before.epoch_id, &entries);
        let bit = bit.index(bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(decode(&bytes).is_err());
    }

    #[test]
    fn any_bytes_are_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(decode(&bytes).is_err());
        prop_assert!(SegmentHead::decode(&bytes).is_err());
        prop_assert!(Mark::decode(&bytes).is_none());
    }

    #[test]
    fn marks_headers_and_epochs_read_back(tip in tip(), segment: u64, offset: u64) {
        let mark = Mark { segment, offset, tip };
        prop_assert_eq!(mark.encode().len(), 88);
        prop_assert_eq!(Mark::decode(&mark.encode()), Some(mark));
        let head = SegmentHead { number: segment, tip };
        prop_assert_eq!(head.encode().len(), SEGMENT_HEADER);
        prop_assert_eq!(SegmentHead::decode(&head.encode()), Ok(head));
        let start = EpochStart { epoch: tip.epoch, epoch_id: tip.epoch_id, parent_seq: tip.seq, parent_chain: tip.chain };
        prop_assert_eq!(decode_epoch(&encode_epoch(&start)), Some(start));
    }
}
