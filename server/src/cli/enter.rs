//! What the clinic knows beside the charts: people, patients, appointments, settings.

use std::collections::BTreeSet;

use chart::code::{Discipline, PayerId};
use chart::ids::{DocumentId, PatientId, PersonId};
use chart::reference::{ClinicSettings, Patient, Person, Profession, Role};
use chart::time::{ClockTime, Date};
use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::{Value, json};

use super::outcome::{Failure, Outcome, failed, say, show};
use super::server::Server;
use crate::api::{AppointmentInput, Entered, PatientInput, PersonInput, SettingInput};

#[derive(Debug, Subcommand)]
pub(crate) enum PersonCommand {
    /// Enters a person, or changes one with --id (all values are given anew)
    Add(PersonAdd),
    /// Lists the people
    List(Server),
}

#[derive(Debug, Args)]
pub(crate) struct PersonAdd {
    /// The person to change; a new one if not said
    #[arg(long)]
    id: Option<PersonId>,
    /// The name as the note prints it
    #[arg(long)]
    name: String,
    /// What the person may do: therapist, assistant, student, supervisor, front_desk, clinic_admin,
    /// auditor; say it again for more
    #[arg(long = "role", required = true)]
    roles: Vec<String>,
    /// The professional designation as printed after the name
    #[arg(long, default_value = "")]
    credentials: String,
    /// The profession, such as physical_therapist
    #[arg(long)]
    profession: Option<String>,
    /// National provider identifier, ten digits
    #[arg(long)]
    npi: Option<String>,
    /// The last day the licence is valid, such as 2027-12-31
    #[arg(long)]
    license_valid_to: Option<Date>,
    /// The first day on the exclusion list
    #[arg(long)]
    excluded_from: Option<Date>,
    /// No longer works here
    #[arg(long)]
    inactive: bool,
    #[command(flatten)]
    server: Server,
}

#[derive(Deserialize)]
struct People {
    people: Vec<Person>,
}

pub(crate) fn person(command: PersonCommand) -> Outcome {
    match command {
        PersonCommand::Add(add) => {
            let input = PersonInput {
                id: add.id,
                name: add.name,
                credentials: add.credentials,
                roles: add.roles.iter().map(|role| Role::from(role.as_str())).collect(),
                profession: add.profession.as_deref().map(Profession::from),
                npi: add.npi,
                license_valid_to: add.license_valid_to,
                excluded_from: add.excluded_from,
                inactive: add.inactive,
            };
            input.check().map_err(Failure::Usage)?;
            entered(&add.server, "/v1/admin/people", &input)
        }
        PersonCommand::List(server) => {
            let People { people } = server.client()?.get("/v1/admin/people").map_err(failed)?;
            show(server.json, &people, || {
                let line = |person: &Person| {
                    let roles: Vec<&str> = person.roles.iter().map(Role::as_str).collect();
                    let inactive = if person.inactive { " (inactive)" } else { "" };
                    let credentials = match person.credentials.as_str() {
                        "" => String::new(),
                        credentials => format!(", {credentials}"),
                    };
                    format!("{}  {}{credentials}{inactive}  {}\n", person.id, person.name, roles.join(","))
                };
                people.iter().map(line).collect()
            })
        }
    }
}

fn entered(server: &Server, path: &str, input: &impl serde::Serialize) -> Outcome {
    let entered: Entered = server.client()?.post(path, input).map_err(failed)?;
    show(server.json, &entered, || entered.id.clone())
}

#[derive(Debug, Subcommand)]
pub(crate) enum PatientCommand {
    /// Enters a patient, or changes one with --id (all values are given anew)
    Add(PatientAdd),
    /// Lists the patients
    List(Server),
}

#[derive(Debug, Args)]
pub(crate) struct PatientAdd {
    /// The patient to change; a new one if not said
    #[arg(long)]
    id: Option<PatientId>,
    /// The name
    #[arg(long)]
    name: String,
    /// The date of birth
    #[arg(long)]
    born_on: Option<Date>,
    /// The usual payer's profile, such as medicare_ffs
    #[arg(long)]
    payer: Option<String>,
    /// A person on whose caseload the patient is; say it again for more
    #[arg(long = "care-team")]
    care_team: Vec<PersonId>,
    #[command(flatten)]
    server: Server,
}

#[derive(Deserialize)]
struct Patients {
    patients: Vec<Patient>,
    next: Option<PatientId>,
}

pub(crate) fn patient(command: PatientCommand) -> Outcome {
    match command {
        PatientCommand::Add(add) => {
            let input = PatientInput {
                id: add.id,
                name: add.name,
                born_on: add.born_on,
                payer: add.payer.map(PayerId),
                care_team: add.care_team.into_iter().collect(),
            };
            entered(&add.server, "/v1/admin/patients", &input)
        }
        PatientCommand::List(server) => list_patients(&server),
    }
}

fn list_patients(server: &Server) -> Outcome {
    let client = server.client()?;
    let mut after: Option<PatientId> = None;
    let mut all = Vec::new();
    loop {
        let from = after.map_or_else(String::new, |id| format!("&after={id}"));
        let page: Patients = client.get(&format!("/v1/admin/patients?limit=200{from}")).map_err(failed)?;
        all.extend(page.patients);
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    show(server.json, &all, || {
        let line = |patient: &Patient| {
            let born = patient.born_on.map_or_else(String::new, |date| format!("  born {date}"));
            let payer = patient.payer.as_ref().map_or_else(String::new, |payer| format!("  {payer}"));
            format!("{}  {}{born}{payer}\n", patient.id, patient.name)
        };
        all.iter().map(line).collect()
    })
}

#[derive(Debug, Subcommand)]
pub(crate) enum AppointmentCommand {
    /// Enters an appointment, or changes one with --id; its id becomes the visit's
    Add(AppointmentAdd),
}

#[derive(Debug, Args)]
pub(crate) struct AppointmentAdd {
    /// The appointment to change; a new one if not said
    #[arg(long)]
    id: Option<DocumentId>,
    /// Who comes
    #[arg(long)]
    patient: PatientId,
    /// The episode of care
    #[arg(long)]
    episode: Option<DocumentId>,
    /// Who treats
    #[arg(long)]
    provider: PersonId,
    /// When, such as 2026-03-17T09:00-05:00
    #[arg(long, value_parser = ClockTime::parse)]
    at: ClockTime,
    /// Under which plan: pt, ot, slp or chiropractic
    #[arg(long, default_value = "pt")]
    discipline: String,
    /// Who pays, if not the patient's usual payer
    #[arg(long)]
    payer: Option<String>,
    #[command(flatten)]
    server: Server,
}

pub(crate) fn appointment(command: AppointmentCommand) -> Outcome {
    let AppointmentCommand::Add(add) = command;
    let discipline = Discipline::from(add.discipline.as_str());
    if let Discipline::Other(text) = &discipline {
        let known: BTreeSet<&str> = Discipline::KNOWN.iter().copied().collect();
        let known: Vec<&str> = known.into_iter().collect();
        return Err(Failure::Usage(format!("`{text}` is no discipline (known: {})", known.join(", "))));
    }
    let input = AppointmentInput {
        id: add.id,
        patient: add.patient,
        episode: add.episode,
        provider: add.provider,
        at: add.at,
        discipline,
        payer: add.payer.map(PayerId),
    };
    entered(&add.server, "/v1/admin/appointments", &input)
}

#[derive(Debug, Subcommand)]
pub(crate) enum SettingCommand {
    /// Sets a rule setting
    Set {
        /// Its name
        name: String,
        /// Its value
        value: String,
        #[command(flatten)]
        server: Server,
    },
    /// Takes a rule setting away: the rulebook's own value holds again
    Unset {
        /// Its name
        name: String,
        #[command(flatten)]
        server: Server,
    },
    /// Lists the clinic's settings
    List(Server),
}

#[derive(Deserialize)]
struct Settings {
    settings: Option<ClinicSettings>,
}

pub(crate) fn setting(command: SettingCommand) -> Outcome {
    let (server, input) = match command {
        SettingCommand::Set { name, value, server } => (server, SettingInput { name, value: Some(value) }),
        SettingCommand::Unset { name, server } => (server, SettingInput { name, value: None }),
        SettingCommand::List(server) => {
            let Settings { settings } = server.client()?.get("/v1/admin/settings").map_err(failed)?;
            if server.json {
                say(serde_json::to_string_pretty(&json!(settings)).map_err(failed)?)?;
            } else if let Some(settings) = settings {
                say(format!("{} (UTC {:+} minutes)", settings.name, settings.utc_offset_minutes))?;
                for (name, value) in &settings.rules {
                    say(format!("{name} = {value}"))?;
                }
            }
            return Ok(std::process::ExitCode::SUCCESS);
        }
    };
    let _: Value = server.client()?.post("/v1/admin/settings", &input).map_err(failed)?;
    show(server.json, &input, String::new)
}
