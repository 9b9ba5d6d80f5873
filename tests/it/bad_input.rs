//! What must not be believed: strange frames on the wire, codes and times that are none, damaged files,
//! a full disk. Each gets a clear word; nothing acknowledged is lost or served wrong, and nobody else
//! notices.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use chart::ids::{DeviceId, DocumentId};
use chart::time::Timestamp;
use serde_json::{Value, json};
use sync_protocol::message::{Hello, Message};
use sync_protocol::{ErrorCode, codec};
use tokio_tungstenite::tungstenite::{self, WebSocket};

use crate::kill::ward::{Ward, changes};
use crate::support::{ServerProcess, copy_all, patiently, program};

/// A stranger's line to the server, after its challenge.
fn stranger(ward: &Ward) -> WebSocket<TcpStream> {
    let address = ward.clinic.url.trim_start_matches("http://").to_owned();
    let stream = TcpStream::connect(&address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let (mut socket, _) = tungstenite::client(format!("ws://{address}/v1/sync"), stream).unwrap();
    let challenge = socket.read().unwrap().into_data();
    assert!(matches!(codec::decode(&challenge), Ok(Message::Challenge(_))));
    socket
}

/// The error a line ends with: its code and its sentence.
fn last_word(mut socket: WebSocket<TcpStream>) -> Option<(ErrorCode, String)> {
    let mut word = None;
    while let Ok(message) = socket.read() {
        if let tungstenite::Message::Binary(frame) = message
            && let Ok(Message::Error(error)) = codec::decode(&frame)
        {
            word = Some((error.code, error.sentence));
        }
    }
    word
}

#[test]
fn strange_frames_end_their_own_line_with_a_code_and_a_sentence_and_no_other() {
    let mut ward = Ward::open(1);
    let hello = Hello {
        version: 99,
        device: DeviceId::from_bytes([9; 16]),
        person: None,
        proof: [0; 64],
        receipted: None,
        cursor: None,
        scopes: Vec::new(),
        features: Vec::new(),
        app: "from the future".to_owned(),
        device_time: Timestamp::from_unix_ms(1_773_757_800_000),
        ask_verdicts: false,
    };
    let newer = codec::encode(&Message::Hello(Box::new(hello.clone()))).unwrap();
    let unknown = codec::encode(&Message::Hello(Box::new(Hello { version: 1, ..hello }))).unwrap();
    let cases: [(&str, Vec<u8>, ErrorCode); 6] = [
        ("garbage", [vec![1], vec![0xff; 300]].concat(), ErrorCode::Malformed),
        ("a format nobody speaks", vec![0xff; 300], ErrorCode::UnknownVersion),
        ("nothing", Vec::new(), ErrorCode::Malformed),
        ("half a frame", newer[..newer.len() / 2].to_vec(), ErrorCode::Malformed),
        ("a version nobody speaks", newer, ErrorCode::UnknownVersion),
        ("a tablet nobody knows", unknown, ErrorCode::DeviceUnknown),
    ];
    for (what, frame, expected) in cases {
        let mut socket = stranger(&ward);
        let word = ward.hands[0].write(ward.notes[0]).unwrap();
        socket.send(tungstenite::Message::Binary(frame.into())).unwrap();
        let (code, sentence) = last_word(socket).unwrap_or_else(|| panic!("{what}: no word at the end"));
        assert_eq!(code, expected, "{what}: {sentence}");
        assert!(sentence.contains(' ') && sentence.len() > 15, "{what}: `{sentence}` is no sentence");
        assert!(ward.hands[0].hear(ward.notes[0], word));
        assert!(ward.clinic.server.as_mut().unwrap().is_running(), "{what}: the server died of it");
    }
    ward.check_whole("beside strange frames");
}

#[test]
fn codes_and_times_that_are_none_become_findings_and_never_units() {
    let mut ward = Ward::open(1);
    let document = ward.notes[1];
    let segment = |code: &str, start: &str, end: &str| {
        json!({ "command": "record_segment", "value": {
            "code": code, "start": format!("2026-03-17T{start}-05:00"),
            "end": format!("2026-03-17T{end}-05:00"), "mode": "one_on_one",
        } })
    };
    let commands = [segment("99ZZ9", "09:00", "09:20"), segment("97110", "10:15", "10:00")];
    ward.hands[0].tablet.say(&json!({ "document": document, "commands": commands })).unwrap();
    let refused = ward.hands[0]
        .tablet
        .say(&json!({ "document": document, "commands": [segment("not a code", "09:00", "09:20")] }));
    assert!(refused.unwrap_err().contains("is not a service code"));
    ward.settle();
    let report = patiently("the server reports on the note", || {
        let report = ward.server_report(document)?;
        let found = report["report"]["findings"].to_string();
        (found.contains("code-unknown") && found.contains("time-end-not-after-start")).then_some(report)
    });
    let units = report["report"]["pools"].to_string();
    assert!(!units.contains("\"99ZZ9\":1") && !units.contains("\"97110\":1"), "{units}");
}

/// Every file of a directory whose path contains a part, largest first.
fn files(dir: &Path, part: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![dir.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.to_str().unwrap().contains(part) {
                found.push(path);
            }
        }
    }
    found.sort_by_key(|path| std::cmp::Reverse(std::fs::metadata(path).unwrap().len()));
    found
}

fn damage(path: &Path, harm: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = std::fs::read(path).unwrap();
    harm(&mut bytes);
    std::fs::write(path, bytes).unwrap();
}

type Harm = fn(&Path);

fn journal_of(record: &Path) -> PathBuf {
    files(record, "/journal/").remove(0)
}
fn index_of(record: &Path) -> PathBuf {
    files(record, "/index-").remove(0)
}

const HARMS: [(&str, Harm); 8] = [
    ("a bit flipped early in the journal", |record| {
        damage(&journal_of(record), |bytes| bytes[200] ^= 4);
    }),
    ("a bit flipped in the middle of the journal", |record| {
        damage(&journal_of(record), |bytes| {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
        });
    }),
    ("the journal cut in the middle", |record| {
        damage(&journal_of(record), |bytes| bytes.truncate(bytes.len() / 2));
    }),
    ("the journal's last byte gone", |record| {
        damage(&journal_of(record), |bytes| bytes.truncate(bytes.len() - 1));
    }),
    ("bits flipped all over the index", |record| {
        damage(&index_of(record), |bytes| bytes.iter_mut().step_by(1_009).for_each(|byte| *byte ^= 0x10));
    }),
    ("the index cut in the middle", |record| {
        damage(&index_of(record), |bytes| bytes.truncate(bytes.len() / 2));
    }),
    ("the index gone", |record| {
        let index = index_of(record);
        std::fs::remove_dir_all(index.parent().unwrap()).unwrap();
    }),
    ("the journal cut and the index gone", |record| {
        damage(&journal_of(record), |bytes| bytes.truncate(bytes.len() / 2));
        let index = index_of(record);
        std::fs::remove_dir_all(index.parent().unwrap()).unwrap();
    }),
];

/// The notes of a server by their changes, and their texts.
fn notes(ward: &Ward) -> BTreeMap<DocumentId, (BTreeSet<String>, Value)> {
    ward.judged();
    let read = |document: &DocumentId| {
        let note = ward.server_note(*document)?;
        Some((*document, (changes(&note), note["content"]["text"].clone())))
    };
    ward.notes.iter().filter_map(read).collect()
}

#[test]
fn damaged_files_are_mended_or_refused_with_a_sentence_and_never_served_wrong() {
    let mut ward = Ward::open(1);
    for round in 0..12 {
        let document = ward.notes_of(0)[round % 2];
        let word = ward.hands[0].write(document).unwrap();
        assert!(ward.hands[0].hear(document, word));
        if round % 4 == 3 {
            crate::support::sync(&mut ward.hands[0].tablet);
        }
    }
    ward.settle();
    let before = notes(&ward);
    ward.clinic.stop_server();
    ward.hands[0].tablet.say(&json!({ "do": "disconnect" })).unwrap();
    let record = ward.clinic.data().join("record");
    let sound = ward.clinic.dir().join("sound");
    copy_all(&record, &sound);
    for (what, harm) in HARMS {
        std::fs::remove_dir_all(&record).unwrap();
        copy_all(&sound, &record);
        harm(&record);
        let listen = ward.clinic.url.trim_start_matches("http://").to_owned();
        match ServerProcess::start(program(), &ward.clinic.data(), &listen, &[]) {
            Ok(server) => ward.clinic.server = Some(server),
            Err(sentence) => {
                println!("{what}: refused: {sentence}");
                assert!(sentence.len() > 60 && !sentence.contains("panicked"), "{what}: {sentence}");
                continue;
            }
        }
        let after = notes(&ward);
        let kept = after == before;
        println!("{what}: {}", if kept { "mended" } else { "the tablets bring back what is gone" });
        for (document, (changes, text)) in &after {
            let (known, whole) = &before[document];
            assert!(changes.is_subset(known), "{what}: something nobody wrote is served");
            assert!(changes != known || text == whole, "{what}: {text} is served for {whole}");
        }
        let both = what.contains(" and ");
        assert!(kept || both, "{what}: one sound half mends the other");
        if both {
            ward.check_whole(what);
            assert_eq!(notes(&ward), before, "{what}: what the tablets still have comes back");
        }
        ward.hands[0].tablet.say(&json!({ "do": "disconnect" })).unwrap();
        ward.clinic.stop_server();
    }
}

/// A file that runs the program with a bound on what it may write into one file, as a full disk would.
fn bounded_program(dir: &Path, kilobytes: u64) -> PathBuf {
    let path = dir.join("bounded.sh");
    let mut file = std::fs::File::create(&path).unwrap();
    writeln!(
        file,
        "#!/bin/sh\ntrap '' XFSZ\nulimit -f {}\nexec '{}' \"$@\"",
        kilobytes * 2,
        program().display()
    )
    .unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
    path
}

/// A small file system over a directory; gone when this is.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// `None` where this process may not mount.
    fn over(dir: &Path, megabytes: u64) -> Option<Self> {
        let aside = dir.with_extension("aside");
        copy_all(dir, &aside);
        let disk = Self(dir.to_owned());
        if !disk.mount(&format!("size={megabytes}m")) {
            std::mem::forget(disk);
            return None;
        }
        copy_all(&aside, dir);
        Some(disk)
    }

    fn mount(&self, options: &str) -> bool {
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "none"])
            .arg(&self.0)
            .stderr(Stdio::null())
            .status();
        mount.is_ok_and(|status| status.success())
    }

    fn grow(&self) {
        assert!(self.mount("remount,size=512m"));
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

fn status_of(url: &str, path: &str) -> u16 {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(Duration::from_secs(20)))
        .http_status_as_error(false)
        .build()
        .into();
    agent.get(format!("{url}{path}")).call().map_or(0, |answer| answer.status().as_u16())
}

/// Writes until the server cannot; gives what was called safe by then.
fn fill(ward: &mut Ward) -> BTreeMap<DocumentId, BTreeSet<String>> {
    let document = ward.notes[1];
    ward.hands[0].tablet.say(&json!({ "do": "connect" })).unwrap();
    let url = ward.clinic.url.clone();
    let refused = (0..2_000).any(|round| {
        let text = format!("{round:04} {}", "the left ankle gives way on uneven ground. ".repeat(500));
        let line = json!({ "document": document, "command": "comment", "anchor": "plan", "text": text });
        ward.hands[0].tablet.say(&line).unwrap();
        round % 4 == 3 && status_of(&url, "/readyz") != 200
    });
    if !refused {
        // A busy machine's server takes longer than the tablet needed to write.
        patiently("the disk is full", || (status_of(&url, "/readyz") != 200).then_some(()));
    }
    assert_eq!(status_of(&url, "/readyz"), 503, "not ready");
    assert_eq!(status_of(&url, "/healthz"), 200, "the server stays up");
    let said =
        ward.clinic.admin().post::<Value>("/v1/admin/people", &json!({ "name": "N", "roles": ["auditor"] }));
    let sentence = said.unwrap_err().to_string();
    assert!(sentence.contains("cannot be written"), "{sentence}");
    ward.hands[0].tablet.say(&json!({ "do": "disconnect" })).unwrap();
    ward.hands[0].called_safe()
}

/// What leaves the record without room.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Room {
    /// A bound on how far one file may grow.
    BoundedFiles,
    /// A file system of its own that the record itself fills.
    SmallDisk,
    /// A file system that something else fills to the last byte while the server runs.
    FilledDisk,
}

/// The store leaves 64 MiB of a disk alone: six more are the room there is.
const DISK_MB: u64 = 70;

fn without_room_nothing_acknowledged_is_lost(room: Room) {
    let mut ward = Ward::open(1);
    ward.clinic.stop_server();
    let listen = ward.clinic.url.trim_start_matches("http://").to_owned();
    let record = ward.clinic.data().join("record");
    let disk = (room != Room::BoundedFiles).then(|| SmallDisk::over(&record, DISK_MB));
    let (disk, program) = match disk {
        Some(Some(disk)) => (Some(disk), program().to_owned()),
        Some(None) => return eprintln!("SKIP: this process may not mount a file system of its own"),
        None => (None, bounded_program(ward.clinic.dir(), 2_048)),
    };
    ward.clinic.server = Some(ServerProcess::start(&program, &ward.clinic.data(), &listen, &[]).unwrap());
    if room == Room::FilledDisk {
        let mut filler = std::fs::File::create(record.join("filler")).unwrap();
        while filler.write_all(&[7; 4096]).is_ok() {}
    }
    let promised = [fill(&mut ward)];
    ward.clinic.kill_server();
    if let Some(disk) = &disk {
        disk.grow();
    }
    ward.clinic.start_server(&[]);
    ward.check_promises(&promised, "after a full disk");
    ward.hands[0].tablet.say(&json!({ "do": "connect" })).unwrap();
    crate::support::sync(&mut ward.hands[0].tablet);
    ward.clinic.stop_server();
}

#[test]
fn a_record_that_may_not_grow_loses_nothing_acknowledged() {
    without_room_nothing_acknowledged_is_lost(Room::BoundedFiles);
}

#[test]
fn a_record_that_fills_its_disk_stops_taking_work_and_loses_nothing_acknowledged() {
    without_room_nothing_acknowledged_is_lost(Room::SmallDisk);
}

#[test]
fn a_disk_that_something_else_fills_stops_the_record_and_loses_nothing_acknowledged() {
    without_room_nothing_acknowledged_is_lost(Room::FilledDisk);
}
