//! Enrolling a tablet: its key is made here and never leaves; the server learns the public half and a
//! one-time code.

use std::time::Duration;

use chart::entropy::draw;
use chart::ids::Digest;
use ed25519_dalek::SigningKey;
use hub::Enrolment;
use serde_json::Value;

use super::address::ServerAddress;
use super::home::{Home, HomeError, Identity};
use crate::api::EnrolInput;
use crate::edge::OsEntropy;

/// How long the server may take to answer.
const ANSWER_TIME: Duration = Duration::from_secs(20);

/// Why a tablet was not enrolled.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    /// The directory.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// The address is none.
    #[error("{0}")]
    Address(String),
    /// The server could not be asked.
    #[error("the server at {server} cannot be reached: {reason}")]
    Unreachable {
        /// Where it was looked for.
        server: String,
        /// What the system said.
        reason: String,
    },
    /// The server said no.
    #[error("the server refused the enrolment: {0}")]
    Refused(String),
    /// The server's answer is none.
    #[error("the server's answer to the enrolment cannot be read")]
    Answer,
}

/// Enrols a new tablet in a directory.
///
/// # Errors
/// When the directory has a tablet already, or the server does not take the code. A code works once: if
/// this machine dies between the server's answer and the key file, another code is needed.
pub fn enrol(home: &Home, server: &str, code: &str) -> Result<Identity, EnrolError> {
    let address = ServerAddress::parse(server).map_err(EnrolError::Address)?;
    home.make()?;
    let signing_key: [u8; 32] = draw(&mut OsEntropy);
    let public_key = SigningKey::from_bytes(&signing_key).verifying_key().to_bytes();
    let input = EnrolInput { code: code.trim().to_owned(), public_key: Digest::from_bytes(public_key) };
    let enrolment = ask(&address, &input)?;
    let site_public_key = Digest::parse(&enrolment.site_public_key).map_err(|_| EnrolError::Answer)?;
    let identity = Identity {
        format: Identity::FORMAT,
        clinic: enrolment.clinic,
        device: enrolment.device,
        name: enrolment.name,
        people: enrolment.people,
        server: address.http(""),
        site_public_key,
        signing_key: Digest::from_bytes(signing_key),
        disk_key: Digest::from_bytes(draw(&mut OsEntropy)),
    };
    home.write(&identity)?;
    Ok(identity)
}

fn ask(address: &ServerAddress, input: &EnrolInput) -> Result<Enrolment, EnrolError> {
    let agent = ureq::Agent::config_builder()
        .timeout_global(Some(ANSWER_TIME))
        .http_status_as_error(false)
        .build()
        .new_agent();
    let unreachable =
        |error: ureq::Error| EnrolError::Unreachable { server: address.http(""), reason: error.to_string() };
    let mut response = agent.post(address.http("/v1/enrol")).send_json(input).map_err(unreachable)?;
    if response.status().is_success() {
        return response.body_mut().read_json().map_err(|_| EnrolError::Answer);
    }
    let said: Option<Value> = response.body_mut().read_json().ok();
    let sentence = said
        .as_ref()
        .and_then(|said| said.pointer("/error/message").or_else(|| said.pointer("/error/sentence")));
    let sentence = sentence.and_then(Value::as_str).map(str::to_owned);
    Err(EnrolError::Refused(sentence.unwrap_or_else(|| format!("status {}", response.status().as_u16()))))
}
