//! Calling other clinics: keeps a line open to every paired clinic whose address is known. Understands no
//! frame and never gives up; a line that cannot be had is tried again, later each time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chart::ids::ClinicId;
use futures_util::{SinkExt, StreamExt};
use tokio::time::{Instant, interval, timeout};
use tokio_tungstenite::connect_async_with_config;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use crate::driver::{Driver, Next, Outgoing};
use crate::edge::now;
use crate::limits;
use crate::metered::Meter;
use crate::tablet::address::ServerAddress;

/// Calls for ever; ends when the driver does.
pub(crate) async fn call_all(driver: Driver, here: ClinicId, bytes_a_day: Option<u64>) {
    let meter = Arc::new(Meter::new(bytes_a_day));
    let mut calls: BTreeMap<ClinicId, tokio::task::JoinHandle<()>> = BTreeMap::new();
    let mut looks = interval(limits::LOOK_FOR_CLINICS_EVERY);
    loop {
        looks.tick().await;
        calls.retain(|_, call| !call.is_finished());
        let Ok(peers) = driver.ask(|desk| desk.hub.directory().peers.clone()).await else { return };
        let open = peers.into_values().filter(|peer| peer.ended_at.is_none());
        for (clinic, address) in open.filter_map(|peer| Some((peer.clinic, peer.address?))) {
            calls.entry(clinic).or_insert_with(|| {
                tokio::spawn(keep_calling(driver.clone(), here, clinic, address, Arc::clone(&meter)))
            });
        }
    }
}

/// Keeps one line open until the pairing ends.
async fn keep_calling(driver: Driver, here: ClinicId, clinic: ClinicId, address: String, meter: Arc<Meter>) {
    let Ok(server) = ServerAddress::parse(&address) else {
        tracing::warn!(%clinic, "the address of a clinic cannot be read");
        return;
    };
    let mut pause = limits::CALL_AGAIN_AFTER;
    loop {
        let began = Instant::now();
        match call(&driver, here, clinic, &server, &meter).await {
            Call::Ended => {}
            Call::Spent => {
                let sentence = meter.sentence();
                let told = driver.ask(move |desk| desk.hub.line_rests(clinic, sentence)).await;
                if told.is_err() {
                    return;
                }
                tokio::time::sleep(limits::LOOK_FOR_CLINICS_EVERY).await;
            }
            Call::NotPaired => return,
            Call::Failed(reason) => tracing::debug!(%clinic, reason, "a clinic cannot be reached"),
        }
        // A line that stood for a while was a good one.
        pause = if began.elapsed() > limits::CALL_AGAIN_AT_MOST {
            limits::CALL_AGAIN_AFTER
        } else {
            (pause * 2).min(limits::CALL_AGAIN_AT_MOST)
        };
        tokio::time::sleep(pause).await;
    }
}

enum Call {
    /// The line stood and is over.
    Ended,
    /// This clinic is no longer paired with that one.
    NotPaired,
    /// What may pass today has passed.
    Spent,
    /// It could not be had.
    Failed(String),
}

async fn call(
    driver: &Driver,
    here: ClinicId,
    clinic: ClinicId,
    server: &ServerAddress,
    meter: &Meter,
) -> Call {
    let offset =
        driver.ask(|desk| desk.hub.directory().settings.as_ref().map(|own| own.utc_offset_minutes)).await;
    let Ok(offset) = offset else { return Call::Ended };
    let passes = |bytes| meter.count(clinic, now().clock_time(offset.unwrap_or(0)).local_date(), bytes);
    if !passes(0) {
        return Call::Spent;
    }
    let config = WebSocketConfig::default()
        .max_message_size(Some(limits::LINE_FRAME_BYTES))
        .max_frame_size(Some(limits::LINE_FRAME_BYTES));
    let url = server.line(here);
    let dialled = timeout(CONNECT_TIME, connect_async_with_config(url, Some(config), true)).await;
    let socket = match dialled {
        Ok(Ok((socket, _))) => socket,
        Ok(Err(error)) => return Call::Failed(error.to_string()),
        Err(_) => return Call::Failed("it does not answer in time".to_owned()),
    };
    let Some((connection, mut outgoing)) = driver.connect_clinic(clinic).await else {
        return Call::NotPaired;
    };
    tracing::info!(%clinic, "a line to a clinic is open");
    let (mut sink, mut stream) = socket.split();
    let reading = async {
        while let Some(message) = stream.next().await {
            let taken = match message {
                Ok(Message::Binary(frame)) => {
                    let passes = passes(frame.len());
                    driver.frame(connection, frame.into()).await && passes
                }
                Ok(Message::Close(_)) | Err(_) => return,
                Ok(_) => driver.heard(connection).await,
            };
            if !taken {
                return;
            }
        }
    };
    tokio::select! {
        () = reading => {}
        () = write(&mut sink, &mut outgoing, &passes) => {}
    }
    driver.disconnect(connection).await;
    tracing::info!(%clinic, "a line to a clinic has ended");
    if passes(0) { Call::Ended } else { Call::Spent }
}

/// How long a line may take to stand.
const CONNECT_TIME: Duration = Duration::from_secs(20);

async fn write(
    sink: &mut (impl futures_util::Sink<Message> + Unpin),
    outgoing: &mut Outgoing,
    passes: &impl Fn(usize) -> bool,
) {
    let mut pings = interval(limits::PING_EVERY);
    pings.reset();
    loop {
        let (message, bytes) = tokio::select! {
            next = outgoing.next() => match next {
                Next::Frame(frame) => { let bytes = frame.len(); (Message::Binary(frame.into()), bytes) }
                Next::Close(_) => {
                    let _ = timeout(limits::CLOSE_TIME, sink.close()).await;
                    return;
                }
            },
            _ = pings.tick() => (Message::Ping(Vec::new().into()), 0),
        };
        let sent = timeout(limits::WRITE_TIME, sink.send(message)).await;
        if bytes > 0 {
            outgoing.left(bytes);
        }
        if !matches!(sent, Ok(Ok(()))) || !passes(bytes) {
            return;
        }
    }
}
