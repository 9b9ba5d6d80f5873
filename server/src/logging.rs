//! Setting up log lines: text or JSON, on the standard error. What may be in one: docs/logging.md.

use tracing_subscriber::EnvFilter;

use crate::config::{Config, LogFormat};

/// Starts logging for the whole process; a second call does nothing.
///
/// # Errors
/// One sentence if the filter is not one.
pub fn start(config: &Config) -> Result<(), String> {
    let chosen = std::env::var("RUST_LOG").unwrap_or_else(|_| config.log.clone());
    let filter = EnvFilter::try_new(&chosen)
        .map_err(|_| format!("`{chosen}` is no log filter; use error, warn, info, debug or trace"))?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match config.log_format {
        LogFormat::Text => lines.with_ansi(false).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
    drop(started);
    Ok(())
}
