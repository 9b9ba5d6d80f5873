//! The greeting: one flight, one round trip, nothing read before the proof is judged.

use ed25519_dalek::SigningKey;
use sync_protocol::message::*;
use sync_protocol::*;

use crate::pair::{Pair, server_config, tablet_config};
use crate::samples::{SITE, at, cursor, push};

fn pull(pair: &mut Pair) {
    let scopes = tablet_config().scopes;
    pair.tablet.pull(Some(cursor(40)), scopes, Priority::Today, 65_536, true).expect("open");
}

#[test]
fn a_reconnect_is_one_round_trip_counted_from_the_hello() {
    let mut pair = Pair::new();
    pair.tablet.queue_push(at(0), push(5, &[300])).expect("room");
    pair.tablet.queue_push(at(0), push(6, &[200, 100])).expect("room");
    pull(&mut pair);
    pair.settle();
    let flights: Vec<_> = pair.flights.iter().map(|flight| (flight.up, flight.names())).collect();
    let down = vec!["Welcome", "Receipt", "Receipt", "Page"];
    let expected = vec![(false, vec!["Challenge"]), (true, vec!["Hello", "Push", "Pull"]), (false, down)];
    assert_eq!(flights, expected);
    assert_eq!(pair.receipted().len(), 2);
    assert!(pair.tablet.unanswered().is_empty());
}

#[test]
fn a_reconnect_with_nothing_new_takes_under_a_thousand_bytes() {
    let mut pair = Pair::new();
    pull(&mut pair);
    pair.settle();
    let bytes: usize = pair.flights.iter().map(|flight| flight.bytes()).sum();
    let frames: usize = pair.flights.iter().map(|flight| flight.frames.len()).sum();
    assert_eq!(frames, 5, "challenge, hello, pull, welcome, page");
    assert!(bytes < 1_000, "{bytes} bytes");
}

#[test]
fn the_proof_is_checked_before_anything_else_is_read() {
    let mut pair = Pair::new();
    pair.signs_with = SigningKey::from_bytes(&[0x43; 32]);
    pair.tablet.queue_push(at(0), push(5, &[300])).expect("room");
    pair.settle();
    assert!(pair.record.is_empty());
    assert!(!pair.server_heard.iter().any(|event| matches!(event, ServerEvent::Push(_))));
    let failure = pair.tablet_failure().expect("told");
    assert_eq!((failure.code, failure.fatal), (ErrorCode::ProofRefused, true));
    assert_eq!(failure.unanswered, vec![push(5, &[]).push_id], "the work is still the tablet's");
}

#[test]
fn a_signature_for_one_challenge_does_not_answer_another() {
    let statement = |nonce: [u8; 32]| statement::hello(&nonce, SITE, tablet_config().device, 1, None);
    assert_ne!(statement([1; 32]), statement([2; 32]));
    let mut first = Pair::new();
    first.carry_down();
    let hello = first.tablet.poll_transmit().expect("a hello");
    let config = ServerConfig { nonce: [0x12; 32], ..server_config() };
    let mut second = Pair::with(tablet_config(), config);
    second.hand_server(&hello);
    assert_eq!(second.server_failure().map(|failure| failure.code), Some(ErrorCode::ProofRefused));
}

#[test]
fn frames_behind_the_hello_wait_for_the_verdict_on_it() {
    let mut pair = Pair::new();
    pair.judges = false;
    pair.tablet.queue_push(at(0), push(5, &[300])).expect("room");
    pair.settle();
    assert!(matches!(pair.server_heard.as_slice(), [ServerEvent::Hello { .. }]));
    let Some(ServerEvent::Hello { hello, statement }) = pair.server_heard.first().cloned() else {
        panic!("a hello");
    };
    pair.judge(&hello, &statement);
    pair.drain_server();
    pair.settle();
    assert_eq!(pair.receipted(), vec![push(5, &[]).push_id]);
}

#[test]
fn a_stranger_cannot_fill_the_memory_while_the_proof_is_judged() {
    let mut pair = Pair::new();
    pair.judges = false;
    pair.settle();
    let junk = vec![0u8; 300 << 10];
    for _ in 0..3 {
        pair.hand_server(&junk);
    }
    assert!(!pair.server.is_closed(), "below the bound nothing is read and nothing is judged");
    pair.hand_server(&junk);
    assert_eq!(pair.server_failure().map(|failure| failure.code), Some(ErrorCode::OverCredit));
    let mut pair = Pair::new();
    pair.judges = false;
    pair.settle();
    for _ in 0..=limits::UNJUDGED_FRAMES_MAX {
        pair.hand_server(&[]);
    }
    assert!(pair.server.is_closed());
}

#[test]
fn sides_without_a_common_version_say_which_they_speak() {
    let tablet = TabletConfig { versions: vec![7, 8], ..tablet_config() };
    let mut pair = Pair::with(tablet, ServerConfig { versions: vec![1, 2], ..server_config() });
    pair.tablet.queue_push(at(0), push(5, &[300])).expect("room");
    pair.settle();
    let failure = pair.tablet_failure().expect("told");
    assert_eq!(failure.code, ErrorCode::UnknownVersion);
    assert_eq!(
        failure.sentence,
        "the server speaks version 1, 2, this tablet version 7, 8: update the older of the two"
    );
    assert_eq!(failure.unanswered.len(), 1);
    let heard = pair.server_failure().expect("told too");
    assert_eq!((heard.code, heard.versions.clone()), (ErrorCode::UnknownVersion, vec![7, 8]));
}

#[test]
fn the_highest_common_version_is_taken() {
    let tablet = TabletConfig { versions: vec![1, 2, 3], ..tablet_config() };
    let mut pair = Pair::with(tablet, ServerConfig { versions: vec![1, 2], ..server_config() });
    pair.settle();
    let Some(TabletEvent::Welcomed(welcome)) = pair.tablet_heard.first() else { panic!("a welcome") };
    assert_eq!(welcome.version, 2);
}

#[test]
fn a_hello_in_a_version_the_server_did_not_offer_is_refused() {
    let mut pair = Pair::with(tablet_config(), ServerConfig { versions: vec![1], ..server_config() });
    let (_, hello) = crate::samples::every_message().remove(1);
    let Message::Hello(hello) = hello else { panic!("a hello") };
    let hello = Hello { version: 9, ..*hello };
    pair.hand_server(&codec::encode(&Message::Hello(Box::new(hello))).expect("within bounds"));
    let failure = pair.server_failure().expect("refused");
    assert_eq!((failure.code, failure.versions.clone()), (ErrorCode::UnknownVersion, vec![1]));
}

#[test]
fn a_server_of_another_clinic_gets_no_proof() {
    let config = ServerConfig { site: chart::ids::ClinicId::from_bytes([9; 16]), ..server_config() };
    let mut pair = Pair::with(tablet_config(), config);
    pair.settle();
    assert_eq!(pair.tablet_failure().map(|failure| failure.code), Some(ErrorCode::WrongClinic));
    assert!(!pair.server_heard.iter().any(|event| matches!(event, ServerEvent::Hello { .. })));
}

#[test]
fn a_rewound_record_drops_the_pages_of_the_old_pull() {
    let mut pair = Pair::new();
    pair.standing = Standing::Rewound;
    pull(&mut pair);
    pair.settle();
    let Some(TabletEvent::Welcomed(welcome)) = pair.tablet_heard.first() else { panic!("a welcome") };
    assert_eq!(welcome.standing, Standing::Rewound);
    assert!(!pair.tablet_heard.iter().any(|event| matches!(event, TabletEvent::Page(_))));
    let scopes = tablet_config().scopes;
    pair.tablet.pull(None, scopes, Priority::All, 65_536, false).expect("open");
    pair.settle();
    let pages = pair.tablet_heard.iter().filter(|event| matches!(event, TabletEvent::Page(_)));
    assert_eq!(pages.count(), 1);
}

#[test]
fn a_greeting_that_takes_too_long_ends_on_both_sides() {
    let mut pair = Pair::new();
    assert_eq!(pair.server.poll_timeout(), Some((at(limits::HANDSHAKE_TIMEOUT_MS), "no hello comes")));
    pair.push_clock(limits::HANDSHAKE_TIMEOUT_MS - 1);
    assert!(!pair.tablet.is_closed() && !pair.server.is_closed());
    pair.push_clock(1);
    assert_eq!(pair.tablet_failure().map(|failure| failure.code), Some(ErrorCode::HandshakeTimeout));
    assert_eq!(pair.server_failure().map(|failure| failure.code), Some(ErrorCode::HandshakeTimeout));
    assert_eq!((pair.tablet.poll_timeout(), pair.server.poll_timeout()), (None, None));
}
