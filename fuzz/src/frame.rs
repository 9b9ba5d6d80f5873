//! The frame decoder and both machines behind it. An input is a state and frames, each with its length.
//! Whatever reads writes again to something that reads the same; no machine panics, and what a machine
//! says is itself a frame that reads.

use chart::ids::{ClinicId, DeviceId, Digest, EpochId};
use chart::time::Timestamp;
use sync_protocol::message::{Cursor, LogPosition};
use sync_protocol::{
    Acceptance, FEATURE_PACKED, Limits, ServerConfig, ServerEvent, ServerSession, Standing, TabletConfig,
    TabletEvent, TabletSession, VERSIONS, codec,
};

#[allow(dead_code, reason = "the samples are enough here")]
#[path = "../../sync-protocol/tests/protocol/samples.rs"]
mod samples;

const SITE: ClinicId = ClinicId::from_bytes([0xc1; 16]);
const NOW: Timestamp = Timestamp::from_unix_ms(1_773_738_000_000);

pub(crate) fn run(input: &[u8]) -> String {
    let Some((state, rest)) = input.split_first() else { return "empty".to_owned() };
    let frames = unpacked(rest);
    let mut word = "nothing".to_owned();
    for frame in &frames {
        word = match codec::unpack(frame).and_then(|frame| codec::decode(&frame)) {
            Err(error) => format!("{:?}", error.code()),
            Ok(message) => {
                // What was read may be too large to write, never different.
                if let Ok(again) = codec::encode(&message) {
                    assert_eq!(codec::decode(&again).as_ref(), Ok(&message));
                }
                message.name().to_owned()
            }
        };
    }
    let abilities = if state & 4 == 0 { Vec::new() } else { vec![FEATURE_PACKED.to_owned()] };
    let said =
        if state & 1 == 0 { server(state & 2 != 0, abilities, &frames) } else { tablet(abilities, &frames) };
    for frame in said {
        let frame = codec::unpack(&frame).expect("a machine says what unfolds");
        codec::decode(&frame).expect("a machine says what reads");
    }
    word
}

fn unpacked(mut rest: &[u8]) -> Vec<&[u8]> {
    let mut frames = Vec::new();
    while let Some((length, after)) = rest.split_first_chunk::<2>() {
        let (frame, later) = after.split_at(usize::from(u16::from_le_bytes(*length)).min(after.len()));
        frames.push(frame);
        rest = later;
        if frames.len() == 16 {
            break;
        }
    }
    frames
}

/// A server that hears these frames; it accepts whoever greets, if it is told to.
fn server(accepts: bool, features: Vec<String>, frames: &[&[u8]]) -> Vec<Vec<u8>> {
    let config = ServerConfig {
        site: SITE,
        nonce: [0x11; 32],
        versions: VERSIONS.to_vec(),
        limits: Limits::default(),
    };
    let mut session = ServerSession::new(config, NOW);
    let mut said = Vec::new();
    for frame in frames {
        session.handle_message(NOW, frame);
        while let Some(event) = session.poll_event() {
            if let (ServerEvent::Hello { hello, .. }, true) = (event, accepts) {
                let tip = LogPosition {
                    epoch: 1,
                    epoch_id: EpochId::from_bytes([0xf1; 16]),
                    seq: 41,
                    chain: Digest::from_bytes([0xaa; 32]),
                };
                let acceptance = Acceptance {
                    tip,
                    standing: Standing::Continues,
                    backup_covers_through: None,
                    features: features.clone(),
                    scopes: hello.scopes,
                };
                session.accept(NOW, acceptance);
            }
        }
        said.extend(std::iter::from_fn(|| session.poll_transmit()));
    }
    session.handle_timeout(NOW.plus_ms(120_000));
    said
}

/// A tablet that hears these frames.
fn tablet(features: Vec<String>, frames: &[&[u8]]) -> Vec<Vec<u8>> {
    let cursor = Cursor { epoch: 1, epoch_id: EpochId::from_bytes([0xf1; 16]), seq: 40 };
    let config = TabletConfig {
        versions: VERSIONS.to_vec(),
        site: SITE,
        device: DeviceId::from_bytes([0xd1; 16]),
        person: None,
        receipted: None,
        cursor: Some(cursor),
        scopes: Vec::new(),
        features,
        app: "fuzz".to_owned(),
        ask_verdicts: true,
    };
    let mut session = TabletSession::new(config, NOW);
    let mut said = Vec::new();
    for frame in frames {
        session.handle_message(NOW, frame);
        while let Some(event) = session.poll_event() {
            if let TabletEvent::Sign { .. } = event {
                session.prove(NOW, [0x50; 64]);
            }
        }
        said.extend(std::iter::from_fn(|| session.poll_transmit()));
    }
    session.handle_timeout(NOW.plus_ms(120_000));
    said
}

fn packed(state: u8, frames: &[&[u8]]) -> Vec<u8> {
    let mut input = vec![state];
    for frame in frames {
        input.extend((frame.len() as u16).to_le_bytes());
        input.extend(*frame);
    }
    input
}

pub(crate) fn seeds() -> Vec<(String, Vec<u8>)> {
    let every = samples::every_message();
    let frames: Vec<(&str, Vec<u8>)> =
        every.iter().filter_map(|(name, message)| Some((*name, codec::encode(message).ok()?))).collect();
    let frame =
        |name: &str| frames.iter().find(|(other, _)| *other == name).map(|(_, frame)| frame.as_slice());
    let mut seeds: Vec<(String, Vec<u8>)> = Vec::new();
    for (name, bytes) in &frames {
        let name = name.replace(' ', "-");
        // Alone, and after the greeting that lets it be heard.
        seeds.push((format!("{name}-to-server"), packed(0, &[bytes])));
        if let (Some(hello), Some(challenge), Some(welcome)) =
            (frame("hello"), frame("challenge"), frame("welcome"))
        {
            seeds.push((format!("{name}-greeted"), packed(2, &[hello, bytes])));
            seeds.push((format!("{name}-welcomed"), packed(1, &[challenge, welcome, bytes])));
            let folded = codec::pack(bytes.clone());
            seeds.push((format!("{name}-folded"), packed(6, &[hello, &folded])));
        }
    }
    seeds
}
