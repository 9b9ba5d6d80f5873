//! Whether the server lives, whether it can take work, and its counters: numbers and nothing about
//! anybody.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::fault::Fault;
use super::guard::MetricsReader;
use crate::app::App;

/// The process answers.
pub(crate) async fn healthz() -> &'static str {
    "ok\n"
}

/// Work can be taken and saved: the record is open, not latched, and the hub's thread answers.
pub(crate) async fn readyz(State(app): State<Arc<App>>) -> Response {
    let answers = app.driver.ask(|desk| desk.hub.metrics().read_only == 0).await;
    if app.driver.is_ready() && matches!(answers, Ok(true)) {
        "ready\n".into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready\n").into_response()
    }
}

/// The counters in Prometheus' text form.
pub(crate) async fn metrics(_: MetricsReader, State(app): State<Arc<App>>) -> Result<Response, Fault> {
    let (hub, sites) = app.driver.ask(|desk| (desk.hub.metrics(), desk.hub.sites(desk.reader))).await?;
    let behind: u64 = sites.iter().filter_map(|site| site.behind).sum();
    let differing: u64 = sites.iter().map(|site| site.differing).sum();
    let unheard = sites.iter().filter(|site| !site.connected).count();
    let hub = serde_json::to_value(hub).map_err(|_| Fault::Internal)?;
    let mut text = String::new();
    for (name, value) in hub.as_object().into_iter().flatten() {
        let Some(value) = value.as_u64() else { continue };
        let kind = if GAUGES.contains(&name.as_str()) { "gauge" } else { "counter" };
        one(&mut text, &format!("gaitway_hub_{name}"), kind, value as f64);
    }
    let gauges = app.driver.gauges();
    let seconds = |us: u64| us as f64 / 1e6;
    let rows = [
        ("gaitway_up_seconds", "gauge", app.started.elapsed().as_secs_f64()),
        ("gaitway_ready", "gauge", f64::from(u8::from(app.driver.is_ready()))),
        ("gaitway_commits_total", "counter", gauges.commits.load(Ordering::Relaxed) as f64),
        ("gaitway_commit_failures_total", "counter", gauges.commit_failures.load(Ordering::Relaxed) as f64),
        ("gaitway_commit_seconds_total", "counter", seconds(gauges.commit_us.load(Ordering::Relaxed))),
        ("gaitway_commit_seconds_max", "gauge", seconds(gauges.commit_max_us.load(Ordering::Relaxed))),
        ("gaitway_sites_not_connected", "gauge", unheard as f64),
        ("gaitway_sites_notes_behind", "gauge", behind as f64),
        ("gaitway_sites_notes_differing", "gauge", differing as f64),
        ("gaitway_outgoing_bytes", "gauge", app.driver.outgoing_bytes() as f64),
    ];
    for (name, kind, value) in rows {
        one(&mut text, name, kind, value);
    }
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response())
}

/// Values of the hub that go up and down.
const GAUGES: [&str; 8] =
    ["connections", "waiting", "unjudged", "stale_reports", "resident", "seq", "epoch", "read_only"];

fn one(text: &mut String, name: &str, kind: &str, value: f64) {
    let _ = writeln!(text, "# TYPE {name} {kind}\n{name} {value}");
}
