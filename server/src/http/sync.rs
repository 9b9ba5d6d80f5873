//! The tablets' WebSocket: frames in, frames out, and an end with a clear word. Understands no frame.

use std::sync::Arc;

use axum::extract::State;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use futures_util::{Sink, SinkExt, Stream, StreamExt};
use hub::ConnectionId;
use sync_protocol::limits::FRAME_BYTES_MAX;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_tungstenite::tungstenite;

use super::fault::Fault;
use crate::app::App;
use crate::driver::{Driver, Goodbye, Next, Outgoing};
use crate::limits;

/// Upgrades the connection. Who is at the other end proves itself in its first frame.
pub(crate) async fn upgrade(
    State(app): State<Arc<App>>,
    upgrade: WebSocketUpgrade,
) -> Result<Response, Fault> {
    let Ok(place) = Arc::clone(&app.sockets).try_acquire_owned() else {
        tracing::warn!("a tablet was turned away: every place is taken");
        return Err(Fault::Unavailable("Too many tablets are connected; try again soon.".to_owned()));
    };
    let driver = app.driver.clone();
    let upgrade = upgrade.max_message_size(FRAME_BYTES_MAX).max_frame_size(FRAME_BYTES_MAX);
    Ok(upgrade.on_upgrade(move |socket| async move {
        serve(socket, driver).await;
        drop(place);
    }))
}

async fn serve(socket: WebSocket, driver: Driver) {
    let Some((connection, outgoing)) = driver.connect().await else { return };
    tracing::debug!(connection = connection.0, "a tablet connected");
    carry(socket, driver, connection, outgoing).await;
}

/// Carries frames between a socket and the driver until either side ends.
pub(super) async fn carry(
    socket: WebSocket,
    driver: Driver,
    connection: ConnectionId,
    mut outgoing: Outgoing,
) {
    let (mut sink, stream) = socket.split();
    let goodbye = tokio::select! {
        goodbye = read(stream, &driver, connection) => goodbye,
        goodbye = write(&mut sink, &mut outgoing) => goodbye,
    };
    driver.disconnect(connection).await;
    if let Some(Goodbye { code, reason }) = goodbye {
        let close = Message::Close(Some(CloseFrame { code, reason: reason.into() }));
        let _ = timeout(limits::CLOSE_TIME, sink.send(close)).await;
        let _ = timeout(limits::CLOSE_TIME, sink.close()).await;
    }
    let reason = goodbye.map_or("gone", |goodbye| goodbye.reason);
    tracing::debug!(connection = connection.0, reason, "a connection ended");
}

/// Reads until the end; says how to close, or nothing if there is nobody left to tell.
async fn read(
    mut stream: impl Stream<Item = Result<Message, axum::Error>> + Unpin,
    driver: &Driver,
    connection: ConnectionId,
) -> Option<Goodbye> {
    loop {
        let taken = match stream.next().await {
            Some(Ok(Message::Binary(frame))) => driver.frame(connection, frame.into()).await,
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => driver.heard(connection).await,
            Some(Ok(Message::Text(_))) => return Some(Goodbye::NOT_BINARY),
            Some(Ok(Message::Close(_))) | None => return None,
            Some(Err(error)) => return is_too_big(error).then_some(Goodbye::TOO_BIG),
        };
        if !taken {
            return Some(Goodbye::RESTART);
        }
    }
}

fn is_too_big(error: axum::Error) -> bool {
    let inner = error.into_inner();
    let inner = inner.downcast_ref::<tungstenite::Error>();
    matches!(inner, Some(tungstenite::Error::Capacity(_)))
}

/// Writes what waits, with pings between; ends when told to, or when a frame does not leave in time.
async fn write(
    sink: &mut (impl Sink<Message, Error = axum::Error> + Unpin),
    outgoing: &mut Outgoing,
) -> Option<Goodbye> {
    let mut pings = interval(limits::PING_EVERY);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    pings.reset();
    loop {
        let (message, bytes) = tokio::select! {
            next = outgoing.next() => match next {
                Next::Frame(frame) => { let bytes = frame.len(); (Message::Binary(frame.into()), bytes) }
                Next::Close(goodbye) => return Some(goodbye),
            },
            _ = pings.tick() => (Message::Ping(Vec::new().into()), 0),
        };
        let sent = timeout(limits::WRITE_TIME, sink.send(message)).await;
        if bytes > 0 {
            outgoing.left(bytes);
        }
        if !matches!(sent, Ok(Ok(()))) {
            return None;
        }
    }
}
