//! The tablet's end of the WebSocket: frames out, frames in, and how it ended. Understands no frame.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use sync_protocol::limits::FRAME_BYTES_MAX;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use crate::tablet::address::ServerAddress;

/// How long a connection may take to stand.
const CONNECT_TIME: Duration = Duration::from_secs(10);
/// How long one frame may take to leave.
const WRITE_TIME: Duration = Duration::from_secs(30);
/// How long saying goodbye may take.
const CLOSE_TIME: Duration = Duration::from_secs(1);

/// What the socket tells, each with the number of its connection.
pub(super) enum Net {
    /// The connection stands.
    Opened(u64),
    /// A frame came in.
    Frame(u64, Vec<u8>),
    /// The connection is over, or never stood.
    Closed(u64, String),
}

/// Connects and carries frames until either side ends; dropping the sender of `outgoing` ends it after
/// what waits has left.
pub(super) async fn run(
    number: u64,
    server: ServerAddress,
    net: mpsc::Sender<Net>,
    outgoing: mpsc::UnboundedReceiver<Vec<u8>>,
) {
    let why = match timeout(CONNECT_TIME, connect(&server)).await {
        Err(_) => "the clinic's server did not answer in time".to_owned(),
        Ok(Err(error)) => format!("the clinic's server cannot be reached: {error}"),
        Ok(Ok(socket)) => {
            if net.send(Net::Opened(number)).await.is_err() {
                return;
            }
            carry(number, socket, &net, outgoing).await
        }
    };
    let _ = net.send(Net::Closed(number, why)).await;
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

async fn connect(server: &ServerAddress) -> Result<Socket, tokio_tungstenite::tungstenite::Error> {
    let config = WebSocketConfig::default()
        .max_message_size(Some(FRAME_BYTES_MAX))
        .max_frame_size(Some(FRAME_BYTES_MAX));
    let (socket, _) = connect_async_with_config(server.websocket(), Some(config), true).await?;
    Ok(socket)
}

async fn carry(
    number: u64,
    socket: Socket,
    net: &mpsc::Sender<Net>,
    mut outgoing: mpsc::UnboundedReceiver<Vec<u8>>,
) -> String {
    let (mut sink, mut stream) = socket.split();
    let writing = async {
        while let Some(frame) = outgoing.recv().await {
            match timeout(WRITE_TIME, sink.send(Message::Binary(frame.into()))).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return format!("the connection to the clinic was lost: {error}"),
                Err(_) => return "the connection to the clinic is too slow".to_owned(),
            }
        }
        let _ = timeout(CLOSE_TIME, sink.close()).await;
        "the connection was ended here".to_owned()
    };
    let reading = async {
        while let Some(message) = stream.next().await {
            match message {
                Ok(Message::Binary(frame)) => {
                    if net.send(Net::Frame(number, frame.into())).await.is_err() {
                        return "the tablet has stopped".to_owned();
                    }
                }
                Ok(Message::Close(_)) => return "the clinic's server ended the connection".to_owned(),
                Ok(_) => {}
                Err(error) => return format!("the connection to the clinic was lost: {error}"),
            }
        }
        "the connection to the clinic was lost".to_owned()
    };
    tokio::select! {
        why = writing => why,
        why = reading => why,
    }
}
