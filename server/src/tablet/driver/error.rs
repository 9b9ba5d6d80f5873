//! Why a tablet could not be opened, or did not do what it was asked. Never holds words of a chart.

use tablet::TabletError;

use crate::tablet::home::HomeError;

/// Why something asked of a tablet did not happen.
#[derive(Debug, thiserror::Error)]
pub enum DriverError {
    /// The machine said no; nothing was changed.
    #[error(transparent)]
    Tablet(#[from] TabletError),
    /// It could not be written: it is in memory only.
    #[error("it could not be saved on this tablet: {0}")]
    NotSaved(String),
    /// The driver has stopped.
    #[error("the tablet has stopped")]
    Stopped,
}

/// Why a tablet could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Its directory.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// Its log.
    #[error(transparent)]
    Store(#[from] store::StoreError),
    /// The log's directory.
    #[error("{path} cannot be used: {error}")]
    Files {
        /// The directory.
        path: String,
        /// What the system said.
        error: std::io::Error,
    },
    /// What the log says.
    #[error(transparent)]
    Tablet(#[from] TabletError),
    /// The system's threads.
    #[error("the tablet's thread could not be started: {0}")]
    Thread(std::io::Error),
}
