//! Over raw sockets: frames that are too big, too odd or too slow end their own connection and nothing
//! else.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::clinic::{Clinic, Server, get};

type Socket = tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>>;

async fn connect(server: &Server) -> Socket {
    let url = format!("ws://{}/v1/sync", server.address());
    tokio_tungstenite::connect_async(url).await.unwrap().0
}

/// Reads to the end: binary frames, and the close code if there was one.
async fn to_the_end(socket: &mut Socket) -> (Vec<Vec<u8>>, Option<u16>) {
    let mut frames = Vec::new();
    let reading = async {
        loop {
            match socket.next().await {
                Some(Ok(Message::Binary(frame))) => frames.push(frame.to_vec()),
                Some(Ok(Message::Close(close))) => return close.map(|close| close.code.into()),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return None,
            }
        }
    };
    let code = tokio::time::timeout(Duration::from_secs(30), reading).await.unwrap();
    (frames, code)
}

#[tokio::test]
async fn the_server_greets_first_and_a_frame_it_cannot_read_ends_the_connection_with_a_word() {
    let clinic = Clinic::new();
    let server = clinic.serve();
    let mut socket = connect(&server).await;
    let Some(Ok(Message::Binary(challenge))) = socket.next().await else { panic!("no challenge came") };
    assert!(matches!(
        sync_protocol::codec::decode(&challenge),
        Ok(sync_protocol::message::Message::Challenge(_))
    ));
    socket.send(Message::Binary(vec![0xff; 100].into())).await.unwrap();
    let (frames, code) = to_the_end(&mut socket).await;
    let last = frames.last().expect("an error frame");
    assert!(matches!(sync_protocol::codec::decode(last), Ok(sync_protocol::message::Message::Error(_))));
    assert_eq!(code, Some(1000));
    assert_eq!(get(&server, "/readyz", &[]).status, 200);
}

#[tokio::test]
async fn a_frame_over_the_limit_is_refused_by_name() {
    let clinic = Clinic::new();
    let server = clinic.serve();
    let mut socket = connect(&server).await;
    let huge = vec![0u8; sync_protocol::limits::FRAME_BYTES_MAX + 1];
    match socket.send(Message::Binary(huge.into())).await {
        Ok(()) | Err(Error::Io(_) | Error::ConnectionClosed | Error::AlreadyClosed) => {}
        Err(other) => panic!("{other}"),
    }
    let (_, code) = to_the_end(&mut socket).await;
    assert!(matches!(code, Some(1009) | None), "{code:?}");
    assert_eq!(get(&server, "/readyz", &[]).status, 200);
}

#[tokio::test]
async fn text_is_not_spoken_here() {
    let clinic = Clinic::new();
    let server = clinic.serve();
    let mut socket = connect(&server).await;
    socket.send(Message::Text("hello".into())).await.unwrap();
    assert_eq!(to_the_end(&mut socket).await.1, Some(1003));
}

#[tokio::test]
async fn a_server_that_stops_says_so_to_its_tablets() {
    let clinic = Clinic::new();
    let server = clinic.serve();
    let mut socket = connect(&server).await;
    let Some(Ok(_)) = socket.next().await else { panic!("no challenge came") };
    let stopped = tokio::task::spawn_blocking(move || server.stop());
    let (frames, code) = to_the_end(&mut socket).await;
    let last = frames.last().expect("a frame that says why");
    assert!(matches!(sync_protocol::codec::decode(last), Ok(sync_protocol::message::Message::Error(_))));
    assert!(matches!(code, Some(1000 | 1012)), "{code:?}");
    assert_eq!(stopped.await.unwrap(), Some(0));
}

#[tokio::test]
async fn there_are_only_so_many_places() {
    let clinic = Clinic::new();
    let server = clinic.serve_with(&[("GAITWAY_CONNECTIONS_MAX", "3")]);
    let mut sockets = Vec::new();
    for _ in 0..3 {
        sockets.push(connect(&server).await);
    }
    let url = format!("ws://{}/v1/sync", server.address());
    match tokio_tungstenite::connect_async(&url).await {
        Err(Error::Http(response)) => assert_eq!(response.status(), 503),
        other => panic!("{other:?}"),
    }
    sockets.clear();
    let began = Instant::now();
    while tokio_tungstenite::connect_async(&url).await.is_err() {
        assert!(began.elapsed() < Duration::from_secs(20), "a place comes back");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[test]
fn who_sends_a_request_too_slowly_is_cut_off() {
    let clinic = Clinic::new();
    let server = clinic.serve();
    let mut slow = TcpStream::connect(server.address()).unwrap();
    slow.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    slow.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\nx-slow: ").unwrap();
    let began = Instant::now();
    let mut rest = Vec::new();
    let ended = slow.read_to_end(&mut rest);
    assert!(ended.is_ok() || !rest.is_empty(), "the connection ends: {ended:?}");
    assert!(began.elapsed() < Duration::from_secs(50));
    assert!(!String::from_utf8_lossy(&rest).contains("200 OK"));
}
