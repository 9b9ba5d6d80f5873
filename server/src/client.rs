//! The command line's way to a running server: the administrator's interface over HTTP. Holds a token and
//! never prints it.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::datadir::{DataDir, DataError};

/// Why the server did not do it.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The token file.
    #[error(transparent)]
    Data(#[from] DataError),
    /// Nobody said where the server is.
    #[error("no server runs on {0}: start one with `gaitway serve --data {0}`, or say --server")]
    NoServer(String),
    /// The server does not answer.
    #[error("the server at {0} does not answer: {1}")]
    NoAnswer(String, String),
    /// The server said no.
    #[error("{sentence}")]
    Said {
        /// The code for programs.
        code: String,
        /// The sentence for people.
        sentence: String,
    },
    /// The answer cannot be read.
    #[error("the server at {0} gave an answer that cannot be read; is it another version?")]
    Unreadable(String),
}

/// A server and the proof for it.
pub struct Client {
    agent: ureq::Agent,
    server: String,
    token: String,
}

impl Client {
    /// Talks to the server that runs on a data directory, unless an address or a token is given.
    pub fn new(data: &DataDir, server: Option<String>, token: Option<String>) -> Result<Self, ClientError> {
        let running = || data.read_address();
        let Some(server) = server.or_else(running) else {
            return Err(ClientError::NoServer(data.root().display().to_string()));
        };
        let token = match token {
            Some(token) => token,
            None => data.read_token(&data.admin_token())?,
        };
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .timeout_global(Some(Duration::from_secs(30)))
            .http_status_as_error(false)
            .build()
            .into();
        Ok(Self { agent, server: server.trim_end_matches('/').to_owned(), token })
    }

    /// Asks for something.
    pub fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        let answer = self
            .agent
            .get(format!("{}{path}", self.server))
            .header("authorization", format!("Bearer {}", self.token))
            .call();
        self.read(answer)
    }

    /// Has something done.
    pub fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, ClientError> {
        let answer = self
            .agent
            .post(format!("{}{path}", self.server))
            .header("authorization", format!("Bearer {}", self.token))
            .send_json(body);
        self.read(answer)
    }

    fn read<T: DeserializeOwned>(
        &self,
        answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    ) -> Result<T, ClientError> {
        let mut answer =
            answer.map_err(|error| ClientError::NoAnswer(self.server.clone(), error.to_string()))?;
        let unreadable = || ClientError::Unreadable(self.server.clone());
        if answer.status().is_success() {
            return answer.body_mut().read_json().map_err(|_| unreadable());
        }
        let said: Value = answer.body_mut().read_json().map_err(|_| unreadable())?;
        let part = |name: &str| said.pointer(name).and_then(Value::as_str).map(str::to_owned);
        match (part("/error/code"), part("/error/sentence")) {
            (Some(code), Some(sentence)) => Err(ClientError::Said { code, sentence }),
            _ => Err(unreadable()),
        }
    }
}
