//! What goes wrong: silence, nonsense, frames out of turn, a connection that drops. One clear word
//! each, and no work lost.

use sync_protocol::message::*;
use sync_protocol::*;

use crate::pair::{Pair, tablet_config};
use crate::samples::{at, every_message, push};

fn encoded(message: &Message) -> Vec<u8> {
    codec::encode(message).expect("within bounds")
}

fn frame_named(name: &str) -> Vec<u8> {
    let found = every_message().into_iter().find(|(other, _)| *other == name);
    encoded(&found.expect(name).1)
}

#[test]
fn silence_ends_the_connection_on_both_sides() {
    let mut pair = Pair::open();
    assert_eq!(pair.tablet.poll_timeout(), Some((at(limits::IDLE_TIMEOUT_MS), "the server falls silent")));
    pair.push_clock(limits::IDLE_TIMEOUT_MS - 1);
    pair.tablet.heard(pair.now);
    pair.server.heard(pair.now);
    pair.push_clock(limits::IDLE_TIMEOUT_MS - 1);
    assert!(!pair.tablet.is_closed() && !pair.server.is_closed(), "a pong counts as a word");
    pair.push_clock(1);
    assert_eq!(pair.tablet_failure().map(|failure| failure.code), Some(ErrorCode::IdleTimeout));
    assert_eq!(pair.server_failure().map(|failure| failure.code), Some(ErrorCode::IdleTimeout));
}

#[test]
fn a_push_without_an_answer_is_reported_and_pushed_again_by_its_owner() {
    let mut pair = Pair::open();
    pair.answers_pushes = false;
    pair.tablet.queue_push(pair.now, push(5, &[300])).expect("room");
    pair.settle();
    assert_eq!(
        pair.tablet.poll_timeout(),
        Some((at(limits::ANSWER_TIMEOUT_MS), "a push stays without an answer"))
    );
    pair.push_clock(limits::ANSWER_TIMEOUT_MS);
    let failure = pair.tablet_failure().expect("told").clone();
    assert_eq!(failure.code, ErrorCode::AnswerTimeout);
    assert_eq!(failure.unanswered, vec![push(5, &[]).push_id]);

    // The clinic had written it after all: the same push on the next connection is answered again.
    let mut next = Pair::new();
    next.record.insert(push(5, &[]).push_id, push(5, &[300]).changes);
    let seq = next.seq;
    next.tablet.queue_push(next.now, push(5, &[300])).expect("room");
    next.settle();
    assert_eq!((next.receipted(), next.seq), (failure.unanswered, seq));
}

#[test]
fn the_same_push_twice_on_one_connection_is_answered_twice() {
    let mut pair = Pair::open();
    let frame = encoded(&Message::Push(Push { documents: vec![push(5, &[300])] }));
    pair.hand_server(&frame);
    pair.hand_server(&frame);
    pair.settle();
    assert_eq!((pair.receipted().len(), pair.record.len()), (2, 1));
    assert_eq!(pair.server.unanswered_bytes(), 0);
}

#[test]
fn a_repeated_receipt_does_no_harm() {
    let mut pair = Pair::open();
    pair.answers_pushes = false;
    pair.tablet.queue_push(pair.now, push(5, &[300])).expect("room");
    pair.tablet.queue_push(pair.now, push(6, &[300])).expect("room");
    pair.settle();
    let receipt = frame_named("receipt");
    pair.hand_tablet(&receipt);
    let left = pair.tablet.in_flight_bytes();
    pair.hand_tablet(&receipt);
    assert_eq!(pair.tablet.in_flight_bytes(), left);
    assert_eq!(pair.tablet.unanswered(), vec![push(6, &[]).push_id]);
}

#[test]
fn a_lost_connection_reports_what_was_sent_and_what_was_not() {
    let mut pair = Pair::open();
    pair.answers_pushes = false;
    pair.tablet.queue_push(pair.now, push(5, &[300])).expect("room");
    pair.settle();
    pair.tablet.queue_push(pair.now, push(6, &[300])).expect("room");
    pair.tablet.connection_lost(pair.now);
    pair.drain_tablet();
    let failure = pair.tablet_failure().expect("told");
    assert_eq!(failure.code, ErrorCode::ConnectionLost);
    assert_eq!(failure.unanswered, vec![push(5, &[]).push_id, push(6, &[]).push_id]);
    assert_eq!(pair.tablet.queue_push(pair.now, push(7, &[1])), Err(QueueError::Closed));
}

#[test]
fn nonsense_is_answered_with_a_reason_and_ends_the_connection() {
    let check = |frame: Vec<u8>, code: ErrorCode| {
        let mut pair = Pair::open();
        pair.hand_server(&frame);
        assert_eq!(pair.server_failure().map(|failure| failure.code), Some(code));
        pair.settle();
        let told = pair.tablet_failure().expect("the tablet is told");
        assert_eq!((told.code, told.fatal), (code, true));
        assert!(!told.sentence.is_empty() && !told.sentence.contains('\n'));
    };
    check(vec![codec::FORMAT, 0x82, 4], ErrorCode::Malformed);
    check(vec![0; 40], ErrorCode::UnknownVersion);
    check(vec![codec::FORMAT; limits::FRAME_BYTES_MAX + 1], ErrorCode::FrameTooLarge);
    check(encoded(&Message::Unread { kind: 999 }), ErrorCode::UnknownMessage);
    check(frame_named("hello"), ErrorCode::OutOfTurn);
    check(frame_named("receipt"), ErrorCode::OutOfTurn);
}

#[test]
fn a_frame_over_the_announced_limit_is_refused_even_if_the_protocol_allows_it() {
    let limits = Limits { frame_bytes_max: 1, ..Limits::default() };
    let config = ServerConfig { limits, ..crate::pair::server_config() };
    let mut pair = Pair::with(tablet_config(), config);
    pair.settle();
    pair.hand_server(&encoded(&Message::Push(Push { documents: vec![push(5, &[262_144; 3])] })));
    assert_eq!(pair.server_failure().map(|failure| failure.code), Some(ErrorCode::FrameTooLarge));
}

#[test]
fn frames_out_of_turn_end_the_connection_before_the_greeting_too() {
    for name in ["push", "pull", "welcome", "challenge"] {
        let mut pair = Pair::new();
        pair.hand_server(&frame_named(name));
        assert_eq!(pair.server_failure().map(|failure| failure.code), Some(ErrorCode::OutOfTurn), "{name}");
    }
    for name in ["receipt", "page", "welcome", "hello"] {
        let mut pair = Pair::new();
        pair.hand_tablet(&frame_named(name));
        assert_eq!(pair.tablet_failure().map(|failure| failure.code), Some(ErrorCode::OutOfTurn), "{name}");
    }
    for name in ["challenge", "welcome", "push", "pull"] {
        let mut pair = Pair::open();
        pair.hand_tablet(&frame_named(name));
        assert_eq!(pair.tablet_failure().map(|failure| failure.code), Some(ErrorCode::OutOfTurn), "{name}");
    }
}

#[test]
fn optional_messages_of_a_newer_peer_are_ignored_and_reserved_ones_answered() {
    let mut pair = Pair::open();
    for kind in [kind::PRESENCE, kind::OPTIONAL | 77] {
        let frame = encoded(&Message::Unread { kind });
        pair.hand_server(&frame);
        pair.hand_tablet(&frame);
    }
    assert!(pair.tablet_heard.is_empty() && pair.server_heard.is_empty());
    pair.settle();
    assert!(pair.flights.is_empty(), "nobody answers");
    pair.hand_server(&encoded(&Message::Unread { kind: kind::SCOPE_CHANGED }));
    pair.server.unsupported(kind::DIGEST);
    pair.settle();
    let unsupported = pair.tablet_heard.iter().filter(|event| {
        matches!(event, TabletEvent::Failed(failure)
            if failure.code == ErrorCode::Unsupported && !failure.fatal)
    });
    assert_eq!(unsupported.count(), 2);
    assert!(!pair.tablet.is_closed() && !pair.server.is_closed());
}

#[test]
fn everything_a_server_can_say_reaches_the_tablets_owner() {
    let mut pair = Pair::open();
    pair.tablet.pull(None, Vec::new(), Priority::All, 1_000, true).expect("open");
    pair.tablet.pull(None, Vec::new(), Priority::All, 1_000, true).expect("open");
    pair.tablet.pull(None, Vec::new(), Priority::All, 1_000, true).expect("open");
    let said = [
        "refuse",
        "verdict",
        "page",
        "supply",
        "report-body",
        "need",
        "revoked",
        "digest",
        "digest-differs",
        "error",
    ];
    for name in said {
        pair.hand_tablet(&frame_named(name));
    }
    let kinds = pair.tablet_heard.iter().map(|event| match event {
        TabletEvent::Refused(_) => "refuse",
        TabletEvent::Verdict(_) => "verdict",
        TabletEvent::Page(_) => "page",
        TabletEvent::Supply(_) => "supply",
        TabletEvent::Report(_) => "report-body",
        TabletEvent::ServerNeeds(_) => "need",
        TabletEvent::Digest(_) => "digest",
        TabletEvent::DigestDiff(_) => "digest-differs",
        TabletEvent::Revoked(_) => "revoked",
        TabletEvent::Failed(_) => "error",
        TabletEvent::Sign { .. } | TabletEvent::Welcomed(_) | TabletEvent::Receipted { .. } => "another",
    });
    let kinds: Vec<_> = kinds.collect();
    assert_eq!(kinds, said);
    assert!(pair.tablet.is_closed());
}

#[test]
fn everything_a_tablet_can_ask_reaches_the_servers_owner() {
    let mut pair = Pair::open();
    let document = push(5, &[]).document;
    pair.tablet.need(document, Vec::new(), vec![crate::samples::hash(1)]).expect("open");
    pair.tablet.fetch_report(document).expect("open");
    let supply = Supply { document, entries: vec![crate::samples::changes()], more: false };
    pair.tablet.supply(supply.clone()).expect("open");
    let (digest, diff) = crate::samples::digests();
    pair.tablet.digest(digest.clone()).expect("open");
    pair.tablet.digest_diff(diff.clone()).expect("open");
    pair.settle();
    let need = Need { document, have: Vec::new(), hashes: vec![crate::samples::hash(1)] };
    let expected = [
        ServerEvent::Need(need),
        ServerEvent::FetchReport { document },
        ServerEvent::Supply(supply),
        ServerEvent::Digest(digest),
        ServerEvent::DigestDiff(diff),
    ];
    assert_eq!(pair.server_heard, expected);
}

#[test]
fn any_order_and_any_repetition_of_frames_never_breaks_a_machine() {
    use proptest::prelude::*;
    let frames: Vec<Vec<u8>> = every_message().iter().map(|(_, message)| encoded(message)).collect();
    let steps = proptest::collection::vec((any::<prop::sample::Index>(), any::<bool>(), 0i64..20_000), 1..40);
    proptest!(ProptestConfig::with_cases(256), |(steps in steps, opened in any::<bool>())| {
        let mut pair = if opened { Pair::open() } else { Pair::new() };
        for (which, up, wait) in steps {
            let frame = &frames[which.index(frames.len())];
            if up { pair.hand_server(frame) } else { pair.hand_tablet(frame) }
            pair.push_clock(wait);
            pair.settle();
            prop_assert_eq!(pair.tablet.is_closed(), pair.tablet.poll_timeout().is_none());
        }
    });
}

#[test]
fn waits_between_tries_double_up_to_a_bound_and_are_spread() {
    struct Fixed(u8);
    impl chart::entropy::Entropy for Fixed {
        fn fill(&mut self, bytes: &mut [u8]) {
            bytes.fill(self.0);
        }
    }
    for failures in [0, 1, 5, 20, u32::MAX] {
        let ceiling = (limits::BACKOFF_MIN_MS << failures.min(20)).min(limits::BACKOFF_MAX_MS);
        for seed in 0..=255 {
            let wait = limits::backoff_ms(failures, &mut Fixed(seed));
            assert!((ceiling / 2..=ceiling).contains(&wait), "{failures} failures: {wait} ms");
        }
    }
    assert_ne!(limits::backoff_ms(9, &mut Fixed(1)), limits::backoff_ms(9, &mut Fixed(7)));
}
