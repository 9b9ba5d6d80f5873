//! Work on its way: batches, parts, credit, and a reader that is slow.

use chart::ids::PushId;
use sync_protocol::message::*;
use sync_protocol::*;

use crate::pair::{Pair, server_config, tablet_config};
use crate::samples::{at, cursor, position, push};

fn pushed_frames(pair: &Pair) -> usize {
    let up = pair.flights.iter().filter(|flight| flight.up);
    up.flat_map(|flight| flight.names()).filter(|name| *name == "Push").count()
}

#[test]
fn small_pushes_share_a_frame() {
    let mut pair = Pair::open();
    for id in 0..40 {
        pair.tablet.queue_push(pair.now, push(id, &[200, 200])).expect("room");
    }
    pair.settle();
    assert_eq!(pushed_frames(&pair), 1);
    assert_eq!(pair.receipted().len(), 40);
}

#[test]
fn a_push_of_many_changes_travels_in_parts_and_arrives_whole_and_in_order() {
    let mut pair = Pair::open();
    let sizes: Vec<usize> = (0..6_000).map(|number| 100 + number % 300).collect();
    let sent = push(5, &sizes);
    pair.tablet.queue_push(pair.now, sent.clone()).expect("room");
    pair.tablet.queue_push(pair.now, push(6, &[10])).expect("room");
    pair.settle();
    assert!(pushed_frames(&pair) >= 5, "{} frames", pushed_frames(&pair));
    let arrived = pair.server_heard.iter().find_map(|event| match event {
        ServerEvent::Push(push) if push.push_id == sent.push_id => Some((**push).clone()),
        _ => None,
    });
    assert_eq!(arrived, Some(sent));
    assert_eq!(pair.receipted(), vec![PushId::from_bytes([5; 16]), PushId::from_bytes([6; 16])]);
}

#[test]
fn every_part_stays_within_the_frame_and_names_the_final_heads() {
    let mut pair = Pair::open();
    let sent = push(5, &[limits::CHANGE_BYTES_MAX; 8]);
    pair.tablet.queue_push(pair.now, sent.clone()).expect("room");
    let frames: Vec<_> = std::iter::from_fn(|| pair.tablet.poll_transmit()).collect();
    assert_eq!(frames.len(), 8);
    for (number, frame) in frames.iter().enumerate() {
        let Ok(Message::Push(Push { documents })) = codec::decode(frame) else { panic!("a push") };
        let part = &documents[0];
        assert_eq!((usize::from(part.part), part.more), (number, number < 7));
        assert_eq!((&part.heads, &part.envelope), (&sent.heads, &sent.envelope));
    }
}

#[test]
fn before_the_welcome_only_the_first_credit_is_used() {
    let mut pair = Pair::new();
    pair.judges = false;
    for id in 0..40 {
        pair.tablet.queue_push(at(0), push(id, &[50_000])).expect("room");
    }
    pair.settle();
    let sent = pair.tablet.in_flight_bytes();
    assert!(sent <= limits::CREDIT_INITIAL_BYTES && sent > limits::CREDIT_INITIAL_BYTES - 60_000, "{sent}");
    assert!(!pair.server.is_closed(), "the first credit always fits in what a server holds back");
    let Some(ServerEvent::Hello { hello, statement }) = pair.server_heard.first().cloned() else {
        panic!("a hello");
    };
    pair.judge(&hello, &statement);
    pair.drain_server();
    pair.settle();
    assert_eq!((pair.receipted().len(), pair.record.len()), (40, 40));
}

#[test]
fn the_credit_holds_pushes_back_until_answers_come() {
    let limits = Limits { credit_bytes: 1 << 20, push_bytes_max: 1 << 20, ..Limits::default() };
    let mut pair = Pair::with(tablet_config(), ServerConfig { limits, ..server_config() });
    pair.settle();
    pair.answers_pushes = false;
    for id in 0..30 {
        pair.tablet.queue_push(pair.now, push(id, &[100_000])).expect("room");
    }
    pair.settle();
    let sent = pair.server_heard.iter().filter(|event| matches!(event, ServerEvent::Push(_))).count();
    assert_eq!(sent, 10, "ten pushes of 100,512 bytes fit in 1 MiB");
    assert_eq!(pair.tablet.in_flight_bytes(), pair.server.unanswered_bytes());
    let refuse = Refuse {
        push_id: PushId::from_bytes([0; 16]),
        document: push(0, &[]).document,
        code: RefuseCode::Later,
        sentence: "Later, please.".to_owned(),
        per_change: Vec::new(),
        retry_after_ms: Some(1_000),
    };
    pair.server.refuse_push(refuse).expect("open");
    pair.answers_pushes = true;
    pair.settle();
    // The one answer lets one more through, whose receipt lets the next through, and so on.
    assert_eq!(pair.receipted().len(), 20);
    assert_eq!(pair.tablet.unanswered().len(), 9, "those the clinic has not answered");
    assert!(!pair.server.is_closed());
}

#[test]
fn a_tablet_that_ignores_the_credit_is_cut_off() {
    let limits = Limits { credit_bytes: 1 << 20, push_bytes_max: 1 << 20, ..Limits::default() };
    let mut pair = Pair::with(tablet_config(), ServerConfig { limits, ..server_config() });
    pair.settle();
    pair.answers_pushes = false;
    for id in 0..11 {
        let push = Push { documents: vec![push(id, &[100_000])] };
        pair.hand_server(&codec::encode(&Message::Push(push)).expect("within bounds"));
    }
    assert_eq!(pair.server_failure().map(|failure| failure.code), Some(ErrorCode::OverCredit));
}

#[test]
fn what_can_never_be_sent_is_said_at_once_and_stays_with_its_owner() {
    let mut pair = Pair::open();
    let mut check = |push: DocumentPush, expected: &str| {
        let error = pair.tablet.queue_push(pair.now, push).expect_err(expected);
        assert_eq!(error.to_string(), expected);
    };
    check(push(1, &[]), "a push without changes says nothing");
    check(push(1, &[262_145]), "a change of 262145 bytes is over the limit of 262144");
    check(push(1, &[262_144; 16]), "a push of 4194816 bytes is over the limit of 4194304");
    let hashes = vec![crate::samples::hash(1); limits::HASHES_MAX + 1];
    check(
        DocumentPush { heads: hashes, ..push(1, &[1]) },
        "a push names more hashes than the protocol allows",
    );
    pair.tablet.queue_push(pair.now, push(1, &[1])).expect("room");
    let again = pair.tablet.queue_push(pair.now, push(1, &[1]));
    assert_eq!(again, Err(QueueError::Repeated));
}

#[test]
fn lower_limits_in_the_welcome_turn_queued_work_back_to_its_owner() {
    let limits = Limits { change_bytes_max: 1_000, push_bytes_max: 4_000, ..Limits::default() };
    let mut pair = Pair::with(tablet_config(), ServerConfig { limits, ..server_config() });
    // Too much for the first credit, so that it still waits when the welcome comes.
    pair.tablet.queue_push(at(0), push(5, &[200_000; 3])).expect("room");
    pair.tablet.queue_push(at(0), push(6, &[900, 900])).expect("room");
    pair.settle();
    let codes = pair.tablet_heard.iter().filter_map(|event| match event {
        TabletEvent::Refused(refuse) => Some((refuse.push_id, refuse.code)),
        _ => None,
    });
    let codes: Vec<_> = codes.collect();
    assert_eq!(codes, vec![(PushId::from_bytes([5; 16]), RefuseCode::ChangeTooLarge)]);
    assert_eq!(pair.receipted(), vec![PushId::from_bytes([6; 16])]);
}

#[test]
fn a_push_over_the_servers_limit_is_refused_and_nothing_else_suffers() {
    let limits = Limits { change_bytes_max: 1_000, push_bytes_max: 4_000, ..Limits::default() };
    let mut pair = Pair::with(tablet_config(), ServerConfig { limits, ..server_config() });
    pair.settle();
    let part = |part: u16, more: bool| DocumentPush { part, more, ..push(5, &[900, 900]) };
    let frames = [part(0, true), part(1, true), part(2, false), push(6, &[5])];
    for document in frames {
        let frame = codec::encode(&Message::Push(Push { documents: vec![document] }));
        pair.hand_server(&frame.expect("within bounds"));
    }
    pair.settle();
    let refused = pair.tablet_heard.iter().find_map(|event| match event {
        TabletEvent::Refused(refuse) => Some((refuse.push_id, refuse.code)),
        _ => None,
    });
    assert_eq!(refused, Some((PushId::from_bytes([5; 16]), RefuseCode::PushTooLarge)));
    assert_eq!(pair.receipted(), vec![PushId::from_bytes([6; 16])]);
    assert!(!pair.server.is_closed());
}

#[test]
fn parts_that_do_not_continue_each_other_end_the_connection() {
    let part = |part: u16, more: bool| DocumentPush { part, more, ..push(5, &[9]) };
    let other_heads = DocumentPush { heads: Vec::new(), ..part(1, false) };
    let cases = [
        vec![part(1, false)],
        vec![part(0, true), part(2, false)],
        vec![part(0, true), part(0, true)],
        vec![part(0, true), push(6, &[1])],
        vec![part(0, true), other_heads],
    ];
    for documents in cases {
        let mut pair = Pair::open();
        pair.hand_server(&codec::encode(&Message::Push(Push { documents })).expect("within bounds"));
        assert_eq!(pair.server_failure().map(|failure| failure.code), Some(ErrorCode::OutOfTurn));
        assert!(pair.record.is_empty(), "a push that is not whole is never handed out");
    }
}

#[test]
fn pages_wait_for_a_slow_reader() {
    let mut pair = Pair::open();
    let body =
        FeedBody::Changes(FeedChanges { changes: vec![vec![7; 200_000]; 4], ..crate::samples::changes() });
    let entries = vec![FeedEntry { seq: 50, body }];
    let page = Page { entries, next: cursor(50), more: true, pull: 1, chain: None };
    assert!(pair.server.writable());
    let mut sent = 0;
    while pair.server.page(page.clone()).is_ok() {
        sent += 1;
        assert!(sent < 100, "the bound holds");
    }
    assert!(!pair.server.writable());
    assert!(pair.server.outgoing_bytes() <= limits::OUTGOING_BYTES_MAX + limits::FRAME_BYTES_MAX);
    assert!(matches!(pair.server.page(page), Err(SendError::Full { .. })));
    // What is owed to the tablet still goes out.
    let item =
        ReceiptItem { push_id: push(5, &[]).push_id, document: push(5, &[]).document, covers: Vec::new() };
    pair.server.receipt(vec![item], position(50)).expect("receipts are never held back");
    while pair.server.poll_transmit().is_some() {}
    assert!(pair.server.writable());
}

#[test]
fn a_tablet_that_asks_and_never_reads_is_cut_off() {
    let mut pair = Pair::open();
    let reserved = Message::Unread { kind: kind::SCOPE_CHANGED };
    let frame = codec::encode(&reserved).expect("within bounds");
    let mut asked = 0u32;
    while !pair.server.is_closed() {
        pair.server.handle_message(pair.now, &frame);
        asked += 1;
        assert!(asked < 1_000_000, "the bound holds");
    }
    pair.drain_server();
    assert_eq!(pair.server_failure().map(|failure| failure.code), Some(ErrorCode::SlowReader));
    assert!(pair.server.outgoing_bytes() < 1_000);
}

#[test]
fn many_receipts_are_sent_in_as_many_messages_as_it_takes() {
    let mut pair = Pair::open();
    let item = |number: u16| {
        let mut id = [0; 16];
        id[..2].copy_from_slice(&number.to_le_bytes());
        let covers = vec![crate::samples::hash(1); 20];
        ReceiptItem { push_id: PushId::from_bytes(id), document: push(5, &[]).document, covers }
    };
    pair.server.receipt((0..1_000).map(item).collect(), position(60)).expect("open");
    pair.settle();
    assert_eq!(pair.receipted().len(), 1_000);
}

#[test]
fn the_widest_push_fits_in_the_smallest_frame_limit() {
    let limits = Limits { frame_bytes_max: 1, ..Limits::default() };
    let mut pair = Pair::with(tablet_config(), ServerConfig { limits, ..server_config() });
    let hashes = vec![crate::samples::hash(1); limits::HASHES_MAX];
    let wide = |id: u8, sizes: &[usize]| DocumentPush {
        heads: hashes.clone(),
        base_heads: hashes.clone(),
        replaces: hashes.clone(),
        ..push(id, sizes)
    };
    pair.tablet.queue_push(at(0), wide(5, &[262_144, 32_000, 1])).expect("room");
    pair.tablet.queue_push(at(0), wide(6, &vec![60; 4_096])).expect("room");
    pair.settle();
    assert_eq!(pair.receipted().len(), 2);
}
