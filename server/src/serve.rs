//! The running server: opens the clinic, listens, and stops in order when it is told to.
//!
//! Every connection has a time to say what it wants, and there is a bound on how many there are.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

use crate::access::Access;
use crate::app::App;
use crate::config::{Config, ConfigError};
use crate::datadir::{DataDir, DataError};
use crate::driver::{self, DriverThread};
use crate::faults::{Faults, KillPoint};
use crate::judge::{JudgeConfig, Planted};
use crate::opening::{self, OpenError, Opened};
use crate::{http, limits, sites};

/// Why a server did not start or did not stop in order.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The data directory.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The clinic in it.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A kill point that is none.
    #[error("{0}")]
    Faults(String),
    /// The address.
    #[error("listening on {0} failed: {1}")]
    Listen(SocketAddr, std::io::Error),
    /// The system's threads.
    #[error("the server's threads could not be started: {0}")]
    Threads(std::io::Error),
    /// The driver ended by itself, or the record could not be closed.
    #[error("{0}")]
    Driver(String),
}

/// Serves a clinic until a signal says to stop.
pub fn serve(data: &DataDir, config: &Config, faults: Faults, planted: Planted) -> Result<(), ServeError> {
    config.check()?;
    let keys = data.read_keys()?;
    let access = Access::open(data)?;
    faults.pass(KillPoint::DuringStart);
    if faults.is_armed() {
        tracing::warn!("GAITWAY_KILL_AT is set: this server ends itself on purpose");
    }
    if planted.is_planted() {
        tracing::warn!("GAITWAY_JUDGING_FAULT is set: this server ends itself on purpose");
    }
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(ServeError::Threads)?;
    let clinic = keys.clinic;
    let rulebook = opening::rulebook(config.rules.as_deref())?;
    let Opened { hub, record, sentences, edition } =
        opening::open(data, keys, rulebook, config.documents_resident_max, &faults)?;
    for sentence in sentences {
        tracing::warn!(sentence, "opening the record");
    }
    let judge = JudgeConfig {
        mark: Some(data.judging()),
        reckoning: Some(data.reckoning()),
        rules: config.rules.clone(),
        planted,
    };
    // From here on an early return must stop the driver, so that the record is closed in order.
    let (driver, thread) =
        driver::start(hub, record, faults, judge, runtime.handle().clone()).map_err(ServeError::Threads)?;
    let app = Arc::new(App {
        driver,
        access,
        clinic,
        sockets: Arc::new(Semaphore::new(config.connections_max)),
        secure_cookies: config.behind_tls_proxy,
        started: Instant::now(),
        rulebook: edition,
    });
    let served = runtime.block_on(run(data, config, app, thread));
    let _ = std::fs::remove_file(data.address());
    runtime.shutdown_timeout(limits::DRAIN_TIME);
    served
}

async fn run(
    data: &DataDir,
    config: &Config,
    app: Arc<App>,
    mut thread: DriverThread,
) -> Result<(), ServeError> {
    let listener = match TcpListener::bind(config.listen).await {
        Ok(listener) => listener,
        Err(error) => {
            let _ = stop(thread).await;
            return Err(ServeError::Listen(config.listen, error));
        }
    };
    let address = listener.local_addr().unwrap_or(config.listen);
    announce(data, address);
    let (stopping, stop_seen) = watch::channel(false);
    let places = Arc::new(Semaphore::new(config.connections_max));
    let calls = tokio::spawn(sites::call_all(app.driver.clone(), app.clinic, config.clinic_line_bytes_a_day));
    let router = http::router(app);
    let died = tokio::select! {
        () = accept(&listener, &places, &stop_seen, &router) => false,
        () = told_to_stop() => false,
        () = thread.ended() => true,
    };
    drop(listener);
    calls.abort();
    tracing::info!("stopping");
    // The driver says goodbye to the tablets; then the connections may close by themselves.
    let stopped = stop(thread).await;
    let _ = stopping.send(true);
    let all = u32::try_from(config.connections_max).unwrap_or(u32::MAX);
    let drained = tokio::time::timeout(limits::DRAIN_TIME, places.acquire_many(all)).await;
    if drained.is_err() {
        tracing::warn!("some connections did not close in time");
    }
    match (stopped, died) {
        (Ok(()), false) => {
            tracing::info!("stopped");
            Ok(())
        }
        (Ok(()), true) => Err(ServeError::Driver("the server's driver ended by itself".to_owned())),
        (Err(sentence), _) => Err(ServeError::Driver(sentence)),
    }
}

async fn stop(thread: DriverThread) -> Result<(), String> {
    let stopped = tokio::task::spawn_blocking(move || thread.stop()).await;
    stopped.unwrap_or_else(|_| Err("the server could not be stopped in order".to_owned()))
}

/// Says where the server listens: to people and scripts, and in the data directory for the command line.
fn announce(data: &DataDir, address: SocketAddr) {
    let url = format!("http://{address}");
    if std::fs::write(data.address(), format!("{url}\n")).is_err() {
        tracing::warn!("the address could not be written into the data directory");
    }
    tracing::info!(%address, "listening");
    let mut out = std::io::stdout();
    let _ = writeln!(out, "listening on {url}").and_then(|()| out.flush());
}

/// Ends when the system asks the process to end.
async fn told_to_stop() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}

/// Takes connections for ever, as many at once as there are places.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
    stopping: &watch::Receiver<bool>,
    router: &Router,
) {
    loop {
        let Ok(place) = Arc::clone(places).acquire_owned().await else { return };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(reason = %error, "a connection could not be taken");
                tokio::time::sleep(limits::ACCEPT_PAUSE).await;
                continue;
            }
        };
        let (router, stopping) = (router.clone(), stopping.clone());
        tokio::spawn(async move {
            converse(stream, router, stopping).await;
            drop(place);
        });
    }
}

/// Ends when the server stops.
async fn stopped(stopping: &mut watch::Receiver<bool>) {
    drop(stopping.wait_for(|stopping| *stopping).await);
}

/// Serves one connection until it ends, or to the end of its request when the server stops.
async fn converse(stream: TcpStream, router: Router, mut stopping: watch::Receiver<bool>) {
    let _ = stream.set_nodelay(true);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits::HEAD_TIME)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stopped(&mut stopping) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(reason = %error, "a connection ended early");
    }
}
