//! The flags by which a command finds a running server.

use std::path::PathBuf;

use clap::Args;

use super::outcome::{Failure, failed};
use crate::client::Client;
use crate::datadir::DataDir;

/// Which server, with which proof, and how to print.
#[derive(Clone, Debug, Args)]
pub(crate) struct Server {
    /// The clinic's directory, for the address and the token of the server that runs on it
    #[arg(long, env = "GAITWAY_DATA", default_value = ".")]
    data: PathBuf,
    /// The server's address, such as http://127.0.0.1:8097
    #[arg(long, env = "GAITWAY_SERVER")]
    server: Option<String>,
    /// The administrator's token
    #[arg(long, env = "GAITWAY_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// Prints JSON
    #[arg(long)]
    pub(crate) json: bool,
}

impl Server {
    /// The way to the server.
    pub(crate) fn client(&self) -> Result<Client, Failure> {
        let data = DataDir::new(&self.data);
        Client::new(&data, self.server.clone(), self.token.clone()).map_err(failed)
    }
}
