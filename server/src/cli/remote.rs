//! Tablets, tokens and the state of a running server.

use chart::ids::{DeviceId, PersonId};
use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::{Value, json};

use super::outcome::{Outcome, failed, show};
use super::server::Server;
use crate::api::{Code, CodeInput, DeviceRow, Entered, SiteRow, Token, TokenInput};
use crate::edge::now;

#[derive(Debug, Subcommand)]
pub(crate) enum DeviceCommand {
    /// Makes a one-time code with which a tablet enrols itself
    Code {
        /// What people will call the tablet
        #[arg(long)]
        name: String,
        /// Who may work on it; say it again for more, everybody if not said
        #[arg(long = "person")]
        people: Vec<PersonId>,
        #[command(flatten)]
        server: Server,
    },
    /// Lists the tablets
    List(Server),
    /// Revokes a tablet: nothing more is sent to it, and what it still sends is held
    Revoke {
        /// The tablet
        id: DeviceId,
        #[command(flatten)]
        server: Server,
    },
}

#[derive(Deserialize)]
struct Devices {
    devices: Vec<DeviceRow>,
}

pub(crate) fn device(command: DeviceCommand) -> Outcome {
    match command {
        DeviceCommand::Code { name, people, server } => {
            let input = CodeInput { name, people: people.into_iter().collect() };
            let code: Code = server.client()?.post("/v1/admin/device-codes", &input).map_err(failed)?;
            show(server.json, &code, || code.code.clone())
        }
        DeviceCommand::List(server) => {
            let Devices { devices } = server.client()?.get("/v1/admin/devices").map_err(failed)?;
            show(server.json, &devices, || {
                let line = |device: &DeviceRow| {
                    let state = device.revoked_at.map_or_else(String::new, |at| format!("  revoked {at}"));
                    format!("{}  {}  enrolled {}{state}\n", device.id, device.name, device.enrolled_at)
                };
                devices.iter().map(line).collect()
            })
        }
        DeviceCommand::Revoke { id, server } => {
            let path = format!("/v1/admin/devices/{id}/revoke");
            let entered: Entered = server.client()?.post(&path, &json!({})).map_err(failed)?;
            show(server.json, &entered, || {
                "Revoked. Nothing more is sent to it; what it still sends is held for a supervisor."
                    .to_owned()
            })
        }
    }
}

/// Makes or withdraws access tokens.
#[derive(Debug, Args)]
pub(crate) struct TokenCommand {
    /// The person
    person: PersonId,
    /// Takes away every token and session of the person instead
    #[arg(long)]
    withdraw: bool,
    #[command(flatten)]
    server: Server,
}

pub(crate) fn token(args: &TokenCommand) -> Outcome {
    let client = args.server.client()?;
    let input = TokenInput { person: args.person };
    if args.withdraw {
        let done: Value = client.post("/v1/admin/tokens/withdraw", &input).map_err(failed)?;
        return show(args.server.json, &done, || "Withdrawn.".to_owned());
    }
    let token: Token = client.post("/v1/admin/tokens", &input).map_err(failed)?;
    show(args.server.json, &token, || token.token.clone())
}

/// Asks a running server how it is doing.
#[derive(Debug, Args)]
pub(crate) struct Status {
    #[command(flatten)]
    server: Server,
}

pub(crate) fn status(args: &Status) -> Outcome {
    let status: Value = args.server.client()?.get("/v1/admin/status").map_err(failed)?;
    show(args.server.json, &status, || {
        let text = |name: &str| status.get(name).and_then(Value::as_str).unwrap_or("?").to_owned();
        let number = |path: &str| status.pointer(path).and_then(Value::as_u64).unwrap_or(0);
        let ready = status.get("ready") == Some(&Value::Bool(true));
        let put_back = status.get("put_back").cloned().unwrap_or_default();
        let put_back = serde_json::from_value(put_back).map_or_else(|_| String::new(), put_back_sentence);
        let sites: Vec<SiteRow> = status
            .get("sites")
            .cloned()
            .and_then(|sites| serde_json::from_value(sites).ok())
            .unwrap_or_default();
        let offset = status.get("utc_offset_minutes").and_then(Value::as_i64).unwrap_or(0);
        let (now, offset) = (now(), i16::try_from(offset).unwrap_or(0));
        let sites: String = sites.iter().map(|site| format!("\n{}", site.brief(now, offset))).collect();
        format!(
            "{} (clinic {}), rules {}\n{}\n{} entries in epoch {}, {} connections, up {} s\n\
             waiting for a verdict: {}; reports to compute: {}; held so far: {}{put_back}{sites}",
            text("name"),
            text("clinic"),
            text("rulebook"),
            if ready { "Work is taken and saved." } else { "The record cannot be written: see the log." },
            number("/hub/seq"),
            number("/hub/epoch"),
            number("/hub/connections"),
            number("/uptime_seconds"),
            number("/hub/unjudged"),
            number("/hub/stale_reports"),
            number("/hub/held"),
        )
    })
}

fn put_back_sentence(put_back: hub::PutBack) -> String {
    let hub::PutBack { epoch, tablets_heard, tablets, clinics_heard, clinics } = put_back;
    format!(
        "\nThe record was put back to an older state (epoch {epoch}) and is being made whole: {tablets_heard} of \
         {tablets} tablets and {clinics_heard} of {clinics} clinics have been heard since."
    )
}
