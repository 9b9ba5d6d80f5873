//! Laws of the codec: total over any bytes, the inverse of itself, patient with newer peers.

use chart::ids::{ChangeHash, DocumentId, PushId};
use minicbor::Encoder;
use proptest::collection::vec;
use proptest::prelude::*;
use sync_protocol::message::*;
use sync_protocol::*;

use crate::samples::{at, changes, cursor, document, envelope, every_message, hash, position};

fn hashes() -> impl Strategy<Value = Vec<ChangeHash>> {
    vec(any::<[u8; 32]>().prop_map(ChangeHash::from_bytes), 0..6)
}
fn documents() -> impl Strategy<Value = DocumentId> {
    any::<[u8; 16]>().prop_map(DocumentId::from_bytes)
}
fn blobs() -> impl Strategy<Value = Vec<Vec<u8>>> {
    vec(vec(any::<u8>(), 0..200), 0..8)
}

fn any_push() -> impl Strategy<Value = DocumentPush> {
    let ids = (any::<[u8; 16]>().prop_map(PushId::from_bytes), documents(), any::<u16>());
    let work = (hashes(), hashes(), blobs(), hashes(), any::<(u16, bool, u64)>());
    (ids, work).prop_map(|((push_id, document, kind), (base_heads, heads, changes, replaces, rest))| {
        let (part, more, counter) = rest;
        let envelope = Envelope { counter, ..envelope() };
        let kind = DocumentKind::from_number(kind);
        DocumentPush { push_id, document, kind, base_heads, heads, changes, envelope, replaces, part, more }
    })
}

fn any_scope() -> impl Strategy<Value = ScopeName> {
    prop_oneof![
        Just(ScopeName::Clinic),
        any::<[u8; 16]>().prop_map(|id| ScopeName::Caseload(chart::ids::PersonId::from_bytes(id))),
        any::<[u8; 16]>().prop_map(|id| ScopeName::Site(chart::ids::ClinicId::from_bytes(id))),
        (4u16..).prop_map(ScopeName::Other),
    ]
}

fn any_body() -> impl Strategy<Value = FeedBody> {
    let scope = || {
        (any_scope(), vec((documents(), hashes()), 0..5)).prop_map(|(scope, documents)| {
            let one = |(document, heads)| ScopeDocument { document, heads };
            ScopeChange { scope, documents: documents.into_iter().map(one).collect() }
        })
    };
    let reference = (any::<u16>(), vec(any::<u8>(), 0..20), proptest::option::of(vec(any::<u8>(), 0..99)));
    prop_oneof![
        (documents(), blobs(), hashes(), any::<bool>()).prop_map(|(document, blobs, heads, signed)| {
            let envelope = signed.then(envelope);
            FeedBody::Changes(FeedChanges { document, changes: blobs, heads, envelope, ..changes() })
        }),
        reference.prop_map(|(kind, id, body)| {
            FeedBody::Reference(FeedReference {
                kind: ReferenceKind::from_number(kind),
                id,
                body,
                origin: None,
                word: None,
            })
        }),
        scope().prop_map(FeedBody::Entered),
        scope().prop_map(FeedBody::Left),
        (7u16..).prop_map(FeedBody::Other),
    ]
}

fn any_message() -> impl Strategy<Value = Message> {
    let fixed: Vec<Message> = every_message().into_iter().map(|(_, message)| message).collect();
    prop_oneof![
        proptest::sample::select(fixed),
        vec(any_push(), 0..5).prop_map(|documents| Message::Push(Push { documents })),
        (vec((any::<u64>(), any_body()), 0..9), any::<(bool, u32, u64)>()).prop_map(|(entries, rest)| {
            let entry = |(seq, body)| FeedEntry { seq, body };
            let entries = entries.into_iter().map(entry).collect();
            Message::Page(Page { entries, next: cursor(rest.2), more: rest.0, pull: rest.1, chain: None })
        }),
        (documents(), hashes(), hashes()).prop_map(|(document, have, hashes)| Message::Need(Need {
            document,
            have,
            hashes
        })),
        (any::<u16>(), any::<bool>(), proptest::option::of(any::<u64>()), vec(any::<u16>(), 0..5), ".{0,40}")
            .prop_map(|(code, fatal, retry_after_ms, versions, sentence)| {
                let code = ErrorCode::from_number(code);
                let document = fatal.then_some(document(1));
                Message::Error(ErrorMessage { code, sentence, fatal, retry_after_ms, versions, document })
            }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn what_was_written_reads_back_equal(message in any_message()) {
        let frame = codec::encode(&message).expect("within bounds");
        prop_assert_eq!(codec::decode(&frame), Ok(message));
    }

    #[test]
    fn any_bytes_give_a_message_or_a_reason(bytes in vec(any::<u8>(), 0..600)) {
        let _ = codec::decode(&bytes);
        let framed: Vec<u8> = [codec::FORMAT, 0x82].into_iter().chain(bytes).collect();
        let _ = codec::decode(&framed);
    }

    #[test]
    fn a_damaged_frame_gives_a_message_or_a_reason(
        message in any_message(),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut frame = codec::encode(&message).expect("within bounds");
        for (place, byte) in damage {
            let place = place.index(frame.len());
            frame[place] = byte;
        }
        let _ = codec::decode(&frame);
        let _ = codec::decode(&frame[..cut.index(frame.len())]);
        // Whatever reads, writes again to something that reads the same.
        if let Ok(read) = codec::decode(&frame)
            && let Ok(again) = codec::encode(&read)
        {
            prop_assert_eq!(codec::decode(&again), Ok(read));
        }
    }

    #[test]
    fn a_frame_with_something_behind_it_is_refused(message in any_message(), extra in any::<u8>()) {
        let mut frame = codec::encode(&message).expect("within bounds");
        frame.push(extra);
        prop_assert!(codec::decode(&frame).is_err());
    }
}

/// Rewrites a CBOR array so that it ends in fields that no version knows.
fn with_unknown_field(array: &[u8]) -> Vec<u8> {
    let mut decoder = minicbor::Decoder::new(array);
    let count = decoder.array().expect("an array").expect("of definite length");
    let mut bytes = Vec::new();
    let mut e = Encoder::new(&mut bytes);
    // Fields that are absent at the end are not written: a newer peer would write null for them.
    let known = 12;
    e.array(known + 2).expect("vec");
    let rest = &array[decoder.position()..];
    e.writer_mut().extend_from_slice(rest);
    for _ in count..known {
        e.null().expect("vec");
    }
    e.str("a newer field").expect("vec");
    e.map(1)
        .expect("vec")
        .u8(1)
        .expect("vec")
        .array(2)
        .expect("vec")
        .u8(1)
        .expect("vec")
        .bool(true)
        .expect("vec");
    bytes
}

#[test]
fn unknown_trailing_fields_are_skipped() {
    for (name, message) in every_message() {
        let frame = codec::encode(&message).expect(name);
        if matches!(message, Message::Unread { .. }) {
            continue;
        }
        let mut decoder = minicbor::Decoder::new(&frame[1..]);
        decoder.array().expect("frame");
        let kind = decoder.u16().expect("kind");
        let body = with_unknown_field(&frame[1 + decoder.position()..]);
        let mut newer = vec![codec::FORMAT];
        let mut e = Encoder::new(&mut newer);
        e.array(3).expect("vec").u16(kind).expect("vec");
        e.writer_mut().extend_from_slice(&body);
        e.str("and one behind the body").expect("vec");
        assert_eq!(codec::decode(&newer), Ok(message), "{name}");
    }
}

#[test]
fn a_length_that_lies_costs_nothing() {
    // A push whose list of documents claims 2^32 elements, then 2^64 - 1; a text of 2^60 bytes.
    for lie in ["9affffffff", "9bffffffffffffffff", "7b1000000000000000", "bbffffffffffffffff"] {
        let lie = (0..lie.len()).step_by(2).map(|i| u8::from_str_radix(&lie[i..i + 2], 16).expect("hex"));
        let frame: Vec<u8> = [codec::FORMAT, 0x82, 4, 0x81].into_iter().chain(lie).collect();
        assert_eq!(codec::decode(&frame).map_err(|error| error.code()), Err(ErrorCode::Malformed));
    }
}

#[test]
fn frames_over_a_bound_are_refused_before_anything_is_built() {
    let check = |body: Vec<u8>, expected: &str| {
        let frame: Vec<u8> = [codec::FORMAT].into_iter().chain(body).collect();
        let error = codec::decode(&frame).expect_err(expected).to_string();
        assert!(error.contains(expected), "{error}");
    };
    check(vec![0; limits::FRAME_BYTES_MAX], "over the limit");
    check(vec![0x81; 9], "ends too early");
    check([vec![0x81; 64], vec![0]].concat(), "nests too deeply");
    check([vec![0x9a, 0, 0, 0xff, 0xff], vec![0; 0xffff]].concat(), "too many items");
    check(vec![0x9f, 0xff], "indefinite");
    check(vec![0x82, 0x1c, 0], "reserved");
    check(Vec::new(), "ends too early");
    assert_eq!(codec::decode(&[]).map_err(|error| error.code()), Err(ErrorCode::Malformed));
    assert_eq!(codec::decode(&[2, 0x80]), Err(DecodeError::Format(2)));
}

#[test]
fn a_message_that_breaks_a_bound_is_not_written() {
    let need = |count: usize| {
        let hashes = vec![hash(1); count];
        codec::encode(&Message::Need(Need { document: document(1), have: Vec::new(), hashes }))
    };
    assert!(need(limits::HASHES_MAX).is_ok());
    assert!(matches!(need(limits::HASHES_MAX + 1), Err(EncodeError::Bounds { .. })));
    let body = Some(vec![0; limits::FRAME_BYTES_MAX]);
    let report = ReportBody { document: document(1), digest: position(1).chain, body };
    assert!(matches!(codec::encode(&Message::ReportBody(report)), Err(EncodeError::TooLarge { .. })));
}

#[test]
fn numbers_of_another_version_are_kept_as_they_came() {
    for number in 0..=u16::MAX {
        assert_eq!(ErrorCode::from_number(number).number(), number);
        assert_eq!(RefuseCode::from_number(number).number(), number);
        assert_eq!(ReasonCode::from_number(number).number(), number);
    }
}

#[test]
fn an_entry_takes_as_many_bytes_in_a_page_as_it_is_said_to() {
    let page = |entries| {
        let page = Page { entries, next: cursor(1), more: false, pull: 1, chain: None };
        codec::encode(&Message::Page(page)).expect("within bounds").len()
    };
    let entry =
        FeedEntry { seq: 300, body: FeedBody::Changes(FeedChanges { received_at: at(1), ..changes() }) };
    // An absent list and a list of one take one byte of head each.
    assert_eq!(page(vec![entry.clone()]), page(Vec::new()) + codec::entry_bytes(&entry));
}

#[test]
fn a_list_over_its_bound_is_not_read() {
    let need = |count: u64| {
        let mut frame = vec![codec::FORMAT];
        let mut e = Encoder::new(&mut frame);
        e.array(2).expect("vec").u16(kind::NEED).expect("vec").array(3).expect("vec");
        e.bytes(&[1; 16]).expect("vec").null().expect("vec").array(count).expect("vec");
        for _ in 0..count {
            e.bytes(&[2; 32]).expect("vec");
        }
        codec::decode(&frame)
    };
    assert!(need(limits::HASHES_MAX as u64).is_ok());
    let error = need(limits::HASHES_MAX as u64 + 1).expect_err("over the bound").to_string();
    assert!(error.contains("a list is longer than the protocol allows"), "{error}");
}

#[test]
fn unknown_fields_inside_a_page_are_skipped() {
    let report = FeedReport { document: document(9), digest: position(1).chain, body: None };
    let left = ScopeChange { scope: ScopeName::Clinic, documents: Vec::new() };
    let mut frame = vec![codec::FORMAT];
    let mut e = Encoder::new(&mut frame);
    e.array(2).expect("vec").u16(kind::PAGE).expect("vec").array(4).expect("vec").array(3).expect("vec");
    // A report, its entry and its pair of kind and body each with something newer behind.
    e.array(3).expect("vec").u64(40).expect("vec").array(4).expect("vec").u16(3).expect("vec");
    e.encode(&report).expect("vec").str("newer").expect("vec").array(0).expect("vec");
    e.bool(true).expect("vec");
    // A scope with something newer behind its name.
    e.array(2).expect("vec").u64(41).expect("vec").array(2).expect("vec").u16(6).expect("vec");
    e.array(1).expect("vec").array(2).expect("vec").u16(1).expect("vec").str("newer").expect("vec");
    // An entry of a kind from another time.
    e.array(2)
        .expect("vec")
        .u64(42)
        .expect("vec")
        .array(2)
        .expect("vec")
        .u16(900)
        .expect("vec")
        .map(0)
        .expect("vec");
    e.encode(cursor(42)).expect("vec").bool(false).expect("vec").u32(1).expect("vec");
    let bodies = [FeedBody::Report(report), FeedBody::Left(left), FeedBody::Other(900)];
    let entries = (40..).zip(bodies).map(|(seq, body)| FeedEntry { seq, body }).collect();
    let page = Page { entries, next: cursor(42), more: false, pull: 1, chain: None };
    assert_eq!(codec::decode(&frame), Ok(Message::Page(page)));
}
