//! Connections that are slow, silent, huge or too many: each ends by itself with a word, costs next to
//! nothing while it lasts, and nobody else notices.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use sync_protocol::codec;
use sync_protocol::message::Message;
use tokio_tungstenite::tungstenite::{self, WebSocket};

use crate::hostile::process::Process;
use crate::kill::ward::Ward;
use crate::rogue::{Rogue, line_to};

/// What one connection may cost.
const CPU_EACH: Duration = Duration::from_millis(50);
const BYTES_EACH: u64 = 16 << 20;

/// Sends a byte a second until the other side ends the connection; how long that took.
fn drip(mut stream: TcpStream, bytes: &[u8]) -> Duration {
    let began = Instant::now();
    stream.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    let mut heard = [0; 4096];
    for byte in bytes {
        if stream.write_all(&[*byte]).is_err() {
            break;
        }
        match stream.read(&mut heard) {
            Ok(0) => break,
            Ok(_) => {}
            Err(error)
                if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {}
            Err(_) => break,
        }
    }
    began.elapsed()
}

/// Reads to the end; the last error's sentence and how long it took.
fn listen(mut socket: WebSocket<TcpStream>) -> (Option<String>, Duration) {
    let (began, mut word) = (Instant::now(), None);
    while let Ok(message) = socket.read() {
        if let tungstenite::Message::Binary(frame) = message
            && let Ok(Message::Error(error)) = codec::decode(&frame)
        {
            word = Some(error.sentence);
        }
    }
    (word, began.elapsed())
}

/// A frame's header that announces so many bytes, masked.
fn header(bytes: u64) -> Vec<u8> {
    [vec![0x82, 0x80 | 127], bytes.to_be_bytes().to_vec(), vec![0; 4]].concat()
}

#[test]
fn slow_and_silent_connections_end_by_themselves_and_cost_next_to_nothing() {
    let mut ward = Ward::open(1);
    let server = Process(ward.clinic.server.as_ref().unwrap().id());
    let address = ward.clinic.url.trim_start_matches("http://").to_owned();
    let (person, dir) = (ward.clinic.person("Rogue", "therapist"), ward.clinic.enrol("rogue"));
    let connect = || TcpStream::connect(&address).unwrap();
    server.forget_peak();
    let (memory, cpu) = (server.memory(), server.cpu());
    let ends = std::thread::scope(|scope| {
        let head = scope.spawn(|| {
            drip(connect(), b"GET /v1/sync HTTP/1.1\r\nHost: a-very-long-name-of-a-clinic.example\r\n")
        });
        let body = scope.spawn(|| {
            let mut stream = connect();
            let head = b"POST /v1/enrol HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n";
            stream.write_all(head).unwrap();
            drip(stream, &[b' '; 200])
        });
        let silent = scope.spawn(|| listen(line_to(&ward.clinic.url)));
        let slow_hello = scope.spawn(|| {
            let mut socket = line_to(&ward.clinic.url);
            socket.get_mut().write_all(&header(1_000)).unwrap();
            drip(socket.get_mut().try_clone().unwrap(), &[1; 200])
        });
        let slow_work = scope.spawn(|| {
            let mut rogue = Rogue::connect(&ward.clinic.url, &dir, &person);
            rogue.stream().write_all(&header(1_000_000)).unwrap();
            drip(rogue.stream().try_clone().unwrap(), &[1; 200])
        });
        for word in 0..20 {
            let hand = &mut ward.hands[0];
            let written = hand.write(ward.notes[word % 2]).unwrap();
            assert!(hand.hear(ward.notes[word % 2], written));
            crate::support::sync(&mut hand.tablet);
            std::thread::sleep(Duration::from_millis(500));
        }
        let (said, silent) = silent.join().unwrap();
        assert!(said.is_some_and(|said| said.contains("hello")), "the silent one is told why");
        [
            ("the head of a request, a byte a second", 12, head.join().unwrap()),
            ("the body of a request, a byte a second", 18, body.join().unwrap()),
            ("a silent connection", 22, silent),
            ("a greeting, a byte a second", 22, slow_hello.join().unwrap()),
            ("an enrolled tablet's frame, a byte a second", 70, slow_work.join().unwrap()),
        ]
    });
    for (what, most, took) in ends {
        println!("{what}: ended after {:.1} s", took.as_secs_f64());
        assert!(took < Duration::from_secs(most), "{what}: {took:?}");
    }
    let (memory, cpu) = (server.peak().saturating_sub(memory), server.cpu().saturating_sub(cpu));
    // Twenty edits were saved, judged and reported on meanwhile.
    println!("all of it, with twenty edits of another tablet: {} KiB, {} ms", memory / 1024, cpu.as_millis());
    assert!(memory < BYTES_EACH, "{memory} bytes");
    ward.check_whole("beside slow connections");
}

#[test]
fn huge_frames_and_crowds_of_connections_are_turned_away_with_bounded_cost() {
    let mut ward = Ward::open(1);
    let server = Process(ward.clinic.server.as_ref().unwrap().id());
    let (person, dir) = (ward.clinic.person("Rogue", "therapist"), ward.clinic.enrol("rogue"));
    let cost = |what: &str, count: u32, act: &mut dyn FnMut()| {
        server.forget_peak();
        let (memory, cpu) = (server.memory(), server.cpu());
        act();
        let (memory, cpu) = (server.peak().saturating_sub(memory), server.cpu().saturating_sub(cpu));
        println!("{what}: {} KiB, {:.1} ms", memory / 1024, cpu.as_secs_f64() * 1_000.0);
        assert!(memory < BYTES_EACH && cpu < CPU_EACH * count, "{what}: {memory} bytes, {cpu:?}");
    };
    for bytes in [(1 << 20) + 1, 1 << 40, u64::MAX >> 1] {
        cost(&format!("a frame that says it has {bytes} bytes"), 1, &mut || {
            let mut socket = line_to(&ward.clinic.url);
            let _ = socket.get_mut().write_all(&header(bytes));
            let _ = socket.get_mut().write_all(&vec![1; 64 << 10]);
            assert!(listen(socket).1 < Duration::from_secs(20));
        });
    }
    let url = ward.clinic.url.clone();
    let mut lines: Vec<WebSocket<TcpStream>> = Vec::new();
    cost("300 connections that say nothing", 300, &mut || lines = (0..300).map(|_| line_to(&url)).collect());
    assert_eq!(open_of(&mut lines), hub::limits::UNPROVEN_CONNECTIONS_MAX);
    let mut rogues: Vec<Rogue> = Vec::new();
    cost("40 connections of one tablet", 40, &mut || {
        rogues = (0..40).map(|_| Rogue::connect(&url, &dir, &person)).collect();
        std::thread::sleep(Duration::from_secs(1));
    });
    let mut own: Vec<WebSocket<TcpStream>> = rogues.into_iter().map(Rogue::into_socket).collect();
    assert_eq!(open_of(&mut own), hub::limits::CONNECTIONS_PER_DEVICE_MAX);
    for word in 0..6 {
        let written = ward.hands[0].write(ward.notes[word % 2]).unwrap();
        assert!(ward.hands[0].hear(ward.notes[word % 2], written));
    }
    ward.check_whole("beside a crowd");
}

/// How many of these the server has not ended.
fn open_of(lines: &mut [WebSocket<TcpStream>]) -> usize {
    let mut open = 0;
    for socket in lines {
        socket.get_mut().set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        open += usize::from(loop {
            match socket.read() {
                Ok(tungstenite::Message::Close(_)) => break false,
                Ok(_) => {}
                Err(tungstenite::Error::Io(error)) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    break true;
                }
                Err(_) => break false,
            }
        });
    }
    open
}
