//! The administrator's interface to other clinics: invite, join, list, end, share a patient.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::{Json, Router, routing};
use chart::ids::{ClinicId, PatientId};
use chart::reference::{Reference, Sharing};
use hub::{HubError, Introduction};
use serde_json::{Value, json};

use super::body::Body;
use super::fault::Fault;
use super::guard::Admin;
use crate::api::{CloseDayInput, Entered, JoinInput, PairInput, SharingInput, SiteRow};
use crate::app::App;
use crate::tablet::address::ServerAddress;

type Shared = State<Arc<App>>;

/// The routes under `/v1/admin/sites`.
pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/", routing::get(list))
        .route("/invite", routing::post(invite))
        .route("/join", routing::post(join))
        .route("/close-day", routing::post(close_day))
        .route("/compare", routing::post(compare))
        .route("/{id}/end", routing::post(end))
        .route("/patients/{id}", routing::post(share))
}

async fn list(_: Admin, State(app): Shared) -> Result<Json<Value>, Fault> {
    let (rows, offset) = app
        .driver
        .ask(|desk| {
            let offset = desk.hub.directory().settings.as_ref().map_or(0, |own| own.utc_offset_minutes);
            (desk.hub.sites(desk.reader), offset)
        })
        .await?;
    let rows: Vec<SiteRow> = rows.into_iter().map(SiteRow::from).collect();
    Ok(Json(json!({ "sites": rows, "utc_offset_minutes": offset })))
}

/// A one-time code that another clinic's administrator enters there.
async fn invite(_: Admin, State(app): Shared) -> Result<(StatusCode, Json<Value>), Fault> {
    let code = app.driver.act(|desk| desk.hub.invite_clinic(desk.now, desk.entropy)).await?;
    Ok((StatusCode::CREATED, Json(json!({ "code": code, "clinic": app.clinic }))))
}

/// Pairs with the clinic at an address, with a code made there.
async fn join(
    _: Admin,
    State(app): Shared,
    Body(JoinInput { address, code }): Body<JoinInput>,
) -> Result<(StatusCode, Json<Entered>), Fault> {
    let here = app.driver.ask(|desk| desk.hub.introduction(None)).await?;
    let url = ServerAddress::parse(&address).map_err(Fault::Declined)?.http("/v1/sites/pair");
    let input = PairInput { code, introduction: here };
    let answer = tokio::task::spawn_blocking(move || ask(&url, &input)).await;
    let other = answer.unwrap_or_else(|_| Err("the other clinic could not be asked".to_owned()));
    let other = other.map_err(Fault::Declined)?;
    let clinic = other.clinic;
    let introduction = Introduction { address: Some(address), ..other };
    app.driver
        .act(move |desk| Ok((desk.hub.pair(desk.now, desk.entropy, desk.reader, introduction)?, ())))
        .await?;
    tracing::info!(%clinic, "a clinic was paired");
    Ok((StatusCode::CREATED, Json(Entered { id: clinic.to_string() })))
}

fn ask(url: &str, input: &PairInput) -> Result<Introduction, String> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(std::time::Duration::from_secs(20)))
        .http_status_as_error(false)
        .build()
        .into();
    let unreached = |error: ureq::Error| format!("the other clinic's server does not answer: {error}");
    let mut answer = agent.post(url).send_json(input).map_err(unreached)?;
    match answer.status().as_u16() {
        200 => answer.body_mut().read_json().map_err(|_| "the other server gave no introduction".to_owned()),
        401 => Err("the other clinic does not take this code: it is wrong, used or too old".to_owned()),
        status => Err(format!("the other clinic's server answered {status}")),
    }
}

/// This clinic's word that its charting is complete up to a day.
async fn close_day(
    _: Admin,
    State(app): Shared,
    Body(CloseDayInput { through }): Body<CloseDayInput>,
) -> Result<Json<Entered>, Fault> {
    app.driver
        .act(move |desk| Ok((desk.hub.close_day(desk.now, desk.entropy, desk.reader, through)?, ())))
        .await?;
    tracing::info!(%through, "a day was closed");
    Ok(Json(Entered { id: through.to_string() }))
}

/// Asks every clinic that is heard whether both hold the same; what comes of it stands in the list.
async fn compare(_: Admin, State(app): Shared) -> Result<Json<Value>, Fault> {
    app.driver.ask(|desk| desk.hub.compare_now(desk.now)).await?;
    Ok(Json(json!({})))
}

async fn end(_: Admin, State(app): Shared, Path(id): Path<ClinicId>) -> Result<Json<Entered>, Fault> {
    app.driver
        .act(move |desk| Ok((desk.hub.end_pairing(desk.now, desk.entropy, desk.reader, id)?, ())))
        .await?;
    Ok(Json(Entered { id: id.to_string() }))
}

/// Says which other clinics treat a patient whose file is kept here.
async fn share(
    _: Admin,
    State(app): Shared,
    Path(patient): Path<PatientId>,
    Body(SharingInput { clinics }): Body<SharingInput>,
) -> Result<Json<Entered>, Fault> {
    let home = app.clinic;
    let clinics: BTreeSet<ClinicId> = clinics;
    app.driver
        .act(move |desk| {
            if clinics.contains(&home) {
                return Err(HubError::Refused("this clinic keeps the file; name the other ones".to_owned()));
            }
            let sharing = Reference::Sharing(Sharing::new(patient, home, clinics));
            Ok((desk.hub.put_reference(desk.entropy, desk.reader, sharing)?, ()))
        })
        .await?;
    Ok(Json(Entered { id: patient.to_string() }))
}
