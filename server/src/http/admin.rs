//! The administrator's interface: people, patients, appointments, tablets, tokens. Every act
//! is answered after its commit is durable.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::{Json, Router, routing};
use chart::ids::{DeviceId, DocumentId, PatientId, PersonId};
use chart::patient_file::PatientFile;
use chart::reference::{Appointment, Claim, Patient, Person, Reference};
use hub::{Directory, HubError};
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::Body;
use super::fault::Fault;
use super::guard::Admin;
use crate::api::{
    AppointmentInput, Code, CodeInput, DeviceRow, Entered, PatientInput, PersonInput, SettingInput, SiteRow,
    Token, TokenInput, check_name,
};
use crate::app::App;
use crate::driver::Desk;
use crate::limits;

type Shared = State<Arc<App>>;
type Made = Result<(StatusCode, Json<Entered>), Fault>;

/// The routes under `/v1/admin`.
pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/status", routing::get(status))
        .route("/people", routing::get(people).post(put_person))
        .route("/patients", routing::get(patients).post(put_patient))
        .route("/patients/{id}/file", routing::post(put_patient_file))
        .route("/claims", routing::post(put_claim))
        .route("/appointments", routing::post(put_appointment))
        .route("/settings", routing::get(settings).post(put_setting))
        .route("/devices", routing::get(devices))
        .route("/devices/{id}/revoke", routing::post(revoke))
        .route("/device-codes", routing::post(make_code))
        .route("/tokens", routing::post(make_token))
        .route("/tokens/withdraw", routing::post(withdraw_tokens))
}

fn made(id: impl ToString) -> (StatusCode, Json<Entered>) {
    (StatusCode::CREATED, Json(Entered { id: id.to_string() }))
}

fn refused(sentence: impl Into<String>) -> HubError {
    HubError::Refused(sentence.into())
}

fn put(desk: &mut Desk<'_>, reference: Reference) -> Result<hub::Ticket, HubError> {
    desk.hub.put_reference(desk.entropy, desk.reader, reference)
}

async fn status(_: Admin, State(app): Shared) -> Result<Json<Value>, Fault> {
    let (metrics, settings, put_back, sites) = app
        .driver
        .ask(|desk| {
            let (put_back, sites) = (desk.hub.put_back(desk.reader), desk.hub.sites(desk.reader));
            (desk.hub.metrics(), desk.hub.directory().settings.clone(), put_back, sites)
        })
        .await?;
    let sites: Vec<SiteRow> = sites.into_iter().map(SiteRow::from).collect();
    let offset = settings.as_ref().map_or(0, |settings| settings.utc_offset_minutes);
    Ok(Json(json!({
        "clinic": app.clinic,
        "name": settings.map(|settings| settings.name),
        "version": env!("CARGO_PKG_VERSION"),
        "rulebook": app.rulebook,
        "ready": app.driver.is_ready(),
        "uptime_seconds": app.started.elapsed().as_secs(),
        "hub": metrics,
        "put_back": put_back,
        "sites": sites,
        "utc_offset_minutes": offset,
    })))
}

async fn people(_: Admin, State(app): Shared) -> Result<Json<Value>, Fault> {
    let people: Vec<Person> =
        app.driver.ask(|desk| desk.hub.directory().people.values().cloned().collect()).await?;
    Ok(Json(json!({ "people": people })))
}

async fn put_person(_: Admin, State(app): Shared, Body(input): Body<PersonInput>) -> Made {
    input.check().map_err(Fault::Bad)?;
    let id = app
        .driver
        .act(move |desk| {
            if let Some(id) = input.id
                && !desk.hub.directory().people.contains_key(&id)
            {
                return Err(refused("no such person"));
            }
            let id = input.id.unwrap_or_else(|| PersonId::random(desk.entropy));
            let person = Person {
                id,
                name: input.name,
                credentials: input.credentials,
                roles: input.roles,
                profession: input.profession,
                npi: input.npi,
                license_valid_to: input.license_valid_to,
                excluded_from: input.excluded_from,
                inactive: input.inactive,
            };
            Ok((put(desk, Reference::Person(person))?, id))
        })
        .await?;
    tracing::info!(person = %id, "a person was entered or changed");
    Ok(made(id))
}

#[derive(Deserialize)]
struct PatientsAfter {
    after: Option<PatientId>,
    limit: Option<usize>,
}

async fn patients(
    _: Admin,
    State(app): Shared,
    Query(PatientsAfter { after, limit }): Query<PatientsAfter>,
) -> Result<Json<Value>, Fault> {
    let limit = limit.unwrap_or(limits::ROWS).clamp(1, limits::ROWS_MAX);
    let patients: Vec<Patient> = app
        .driver
        .ask(move |desk| {
            let all = &desk.hub.directory().patients;
            let from = after.map_or(std::ops::Bound::Unbounded, std::ops::Bound::Excluded);
            all.range((from, std::ops::Bound::Unbounded)).take(limit).map(|(_, row)| row.clone()).collect()
        })
        .await?;
    let next = (patients.len() == limit).then(|| patients.last().map(|patient| patient.id)).flatten();
    Ok(Json(json!({ "patients": patients, "next": next })))
}

async fn put_patient(_: Admin, State(app): Shared, Body(input): Body<PatientInput>) -> Made {
    check_name("the name", &input.name).map_err(Fault::Bad)?;
    let id = app
        .driver
        .act(move |desk| {
            let directory = desk.hub.directory();
            must_know_people(directory, &input.care_team)?;
            if let Some(id) = input.id
                && !directory.patients.contains_key(&id)
            {
                return Err(refused("no such patient"));
            }
            let id = input.id.unwrap_or_else(|| PatientId::random(desk.entropy));
            let patient = Patient {
                id,
                name: input.name,
                born_on: input.born_on,
                payer: input.payer,
                care_team: input.care_team,
                file: directory.patients.get(&id).map(|known| known.file.clone()).unwrap_or_default(),
            };
            Ok((put(desk, Reference::Patient(patient))?, id))
        })
        .await?;
    tracing::info!(patient = %id, "a patient was entered or changed");
    Ok(made(id))
}

/// Replaces what the offices hold of a patient.
async fn put_patient_file(
    _: Admin,
    State(app): Shared,
    Path(id): Path<PatientId>,
    Body(file): Body<PatientFile>,
) -> Made {
    app.driver
        .act(move |desk| {
            let known = desk.hub.directory().patients.get(&id).cloned();
            let patient = known.ok_or_else(|| refused("no such patient"))?;
            Ok((put(desk, Reference::Patient(Patient { file, ..patient }))?, ()))
        })
        .await?;
    tracing::info!(patient = %id, "a patient's file was changed");
    Ok(made(id))
}

/// Records the claim made for a visit; the last one counts.
async fn put_claim(_: Admin, State(app): Shared, Body(claim): Body<Claim>) -> Made {
    let visit = claim.visit;
    app.driver.act(move |desk| Ok((put(desk, Reference::Claim(claim))?, ()))).await?;
    tracing::info!(note = %visit, "a claim was recorded");
    Ok(made(visit))
}

fn must_know_people(directory: &Directory, people: &BTreeSet<PersonId>) -> Result<(), HubError> {
    match people.iter().find(|person| !directory.people.contains_key(person)) {
        Some(person) => Err(refused(format!("no such person: {person}"))),
        None => Ok(()),
    }
}

async fn put_appointment(_: Admin, State(app): Shared, Body(input): Body<AppointmentInput>) -> Made {
    let id = app
        .driver
        .act(move |desk| {
            let directory = desk.hub.directory();
            must_know_people(directory, &BTreeSet::from([input.provider]))?;
            if !directory.patients.contains_key(&input.patient) {
                return Err(refused("no such patient"));
            }
            let id = input.id.unwrap_or_else(|| DocumentId::random(desk.entropy));
            let appointment = Appointment {
                id,
                patient: input.patient,
                episode: input.episode,
                provider: input.provider,
                at: input.at,
                discipline: input.discipline,
                payer: input.payer,
            };
            Ok((put(desk, Reference::Appointment(appointment))?, id))
        })
        .await?;
    tracing::info!(document = %id, "an appointment was entered or changed");
    Ok(made(id))
}

async fn settings(_: Admin, State(app): Shared) -> Result<Json<Value>, Fault> {
    let settings = app.driver.ask(|desk| desk.hub.directory().settings.clone()).await?;
    Ok(Json(json!({ "settings": settings })))
}

async fn put_setting(_: Admin, State(app): Shared, Body(input): Body<SettingInput>) -> Made {
    check_name("the setting's name", &input.name).map_err(Fault::Bad)?;
    let name = input.name.clone();
    app.driver
        .act(move |desk| {
            let known = desk.hub.directory().settings.clone();
            let mut settings = known.ok_or_else(|| refused("the clinic has no settings yet"))?;
            match input.value {
                Some(value) => settings.rules.insert(input.name, value),
                None => settings.rules.remove(&input.name),
            };
            Ok((put(desk, Reference::Settings(settings))?, ()))
        })
        .await?;
    tracing::info!("a setting of the clinic was changed");
    Ok(made(name))
}

async fn devices(_: Admin, State(app): Shared) -> Result<Json<Value>, Fault> {
    let devices: Vec<DeviceRow> = app
        .driver
        .ask(|desk| {
            let row = |device: &chart::reference::Device| DeviceRow {
                id: device.id,
                name: device.name.clone(),
                people: device.people.clone(),
                enrolled_at: device.enrolled_at,
                revoked_at: device.revoked_at,
            };
            desk.hub.directory().devices.values().map(row).collect()
        })
        .await?;
    Ok(Json(json!({ "devices": devices })))
}

async fn revoke(_: Admin, State(app): Shared, Path(id): Path<String>) -> Result<Json<Entered>, Fault> {
    let id: DeviceId = id.parse().map_err(|_| Fault::NotFound)?;
    app.driver
        .act(move |desk| {
            let ticket = desk.hub.revoke_device(desk.now, desk.entropy, desk.reader, id)?;
            Ok((ticket, ()))
        })
        .await?;
    tracing::warn!(device = %id, "a tablet was revoked");
    Ok(Json(Entered { id: id.to_string() }))
}

async fn make_code(
    _: Admin,
    State(app): Shared,
    Body(input): Body<CodeInput>,
) -> Result<(StatusCode, Json<Code>), Fault> {
    check_name("the tablet's name", &input.name).map_err(Fault::Bad)?;
    let code = app
        .driver
        .act(move |desk| {
            must_know_people(desk.hub.directory(), &input.people)?;
            desk.hub.issue_code(desk.now, desk.entropy, &input.name, input.people)
        })
        .await?;
    tracing::info!("an enrolment code was made");
    let valid_minutes = hub::limits::CODE_LIFE_MS / 60_000;
    Ok((StatusCode::CREATED, Json(Code { code, valid_minutes })))
}

async fn make_token(
    _: Admin,
    State(app): Shared,
    Body(TokenInput { person }): Body<TokenInput>,
) -> Result<(StatusCode, Json<Token>), Fault> {
    let known = app.driver.ask(move |desk| desk.hub.directory().active(person)).await?;
    if !known {
        return Err(Fault::Declined("no such person, or no longer active".into()));
    }
    let issuing = Arc::clone(&app);
    let (token, expires_at) = tokio::task::spawn_blocking(move || issuing.access.issue(person))
        .await
        .map_err(|_| Fault::Internal)??;
    tracing::info!(%person, "an access token was made");
    Ok((StatusCode::CREATED, Json(Token { token, expires_at })))
}

async fn withdraw_tokens(
    _: Admin,
    State(app): Shared,
    Body(TokenInput { person }): Body<TokenInput>,
) -> Result<Json<Value>, Fault> {
    let withdrawing = Arc::clone(&app);
    let tokens = tokio::task::spawn_blocking(move || withdrawing.access.withdraw(person))
        .await
        .map_err(|_| Fault::Internal)??;
    tracing::info!(%person, tokens, "access tokens were withdrawn");
    Ok(Json(json!({ "withdrawn": tokens })))
}
