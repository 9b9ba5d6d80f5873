//! Other clinics on the command line.

use chart::ids::{ClinicId, PatientId};
use chart::time::Date;
use clap::Subcommand;
use serde::Deserialize;
use serde_json::{Value, json};

use super::outcome::{Outcome, failed, show};
use super::server::Server;
use crate::api::{CloseDayInput, Entered, JoinInput, SharingInput, SiteRow};
use crate::edge::now;

#[derive(Debug, Subcommand)]
pub(crate) enum SiteCommand {
    /// Makes a one-time code with which another clinic pairs with this one
    Invite(Server),
    /// Pairs with the clinic at an address, with a code made there
    Join {
        /// Where its server is reached from this one: an address of this machine, behind which a TLS tunnel
        /// leads to the other clinic
        address: String,
        /// The code
        code: String,
        #[command(flatten)]
        server: Server,
    },
    /// Says how this clinic stands with the others
    List(Server),
    /// Asks every clinic that is connected, now and not in its quarter of an hour, whether both hold the same
    /// notes
    Compare(Server),
    /// Says that this clinic's charting is complete up to a day, such as 2026-03-17: every tablet has brought
    /// what it had
    CloseDay {
        /// The last day
        through: Date,
        #[command(flatten)]
        server: Server,
    },
    /// Ends a pairing: nothing more is sent to the clinic or taken from it
    End {
        /// The clinic
        id: ClinicId,
        #[command(flatten)]
        server: Server,
    },
    /// Says which other clinics treat a patient whose file is kept here; none takes the sharing back
    Share {
        /// The patient
        patient: PatientId,
        /// Another clinic; say it again for more
        #[arg(long = "with")]
        clinics: Vec<ClinicId>,
        #[command(flatten)]
        server: Server,
    },
}

#[derive(Deserialize)]
struct Sites {
    sites: Vec<SiteRow>,
    utc_offset_minutes: i16,
}

pub(crate) fn site(command: SiteCommand) -> Outcome {
    match command {
        SiteCommand::Invite(server) => {
            let made: Value = server.client()?.post("/v1/admin/sites/invite", &json!({})).map_err(failed)?;
            let code = made.get("code").and_then(Value::as_str).unwrap_or_default().to_owned();
            show(server.json, &made, || code.clone())
        }
        SiteCommand::Join { address, code, server } => {
            let input = JoinInput { address, code };
            let joined: Entered = server.client()?.post("/v1/admin/sites/join", &input).map_err(failed)?;
            show(server.json, &joined, || format!("Paired with clinic {}.", joined.id))
        }
        SiteCommand::List(server) => {
            let Sites { sites, utc_offset_minutes } =
                server.client()?.get("/v1/admin/sites").map_err(failed)?;
            let now = now();
            let line = |site: &SiteRow| format!("{}\n", site.sentence(now, utc_offset_minutes));
            show(server.json, &sites, || sites.iter().map(line).collect())
        }
        SiteCommand::Compare(server) => {
            let asked: Value =
                server.client()?.post("/v1/admin/sites/compare", &json!({})).map_err(failed)?;
            show(server.json, &asked, || "Asked. `gaitway status` says what came of it.".to_owned())
        }
        SiteCommand::CloseDay { through, server } => {
            let input = CloseDayInput { through };
            let closed: Entered =
                server.client()?.post("/v1/admin/sites/close-day", &input).map_err(failed)?;
            show(server.json, &closed, || format!("Closed through {}.", closed.id))
        }
        SiteCommand::End { id, server } => {
            let path = format!("/v1/admin/sites/{id}/end");
            let ended: Entered = server.client()?.post(&path, &json!({})).map_err(failed)?;
            show(server.json, &ended, || "Ended. What was exchanged stays.".to_owned())
        }
        SiteCommand::Share { patient, clinics, server } => {
            let path = format!("/v1/admin/sites/patients/{patient}");
            let input = SharingInput { clinics: clinics.into_iter().collect() };
            let entered: Entered = server.client()?.post(&path, &input).map_err(failed)?;
            show(server.json, &entered, || match input.clinics.len() {
                0 => "No longer shared; what was exchanged stays.".to_owned(),
                1 => "Shared with one clinic.".to_owned(),
                n => format!("Shared with {n} clinics."),
            })
        }
    }
}
