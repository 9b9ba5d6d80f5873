//! The demo's clinic as it runs: a real server in a directory, three real tablets, and a week's charts in
//! them. Everything is entered the way a clinic enters it: over HTTP and through tablets.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use chart::ids::{DeviceId, PatientId, PersonId};
use serde_json::{Value, json};

use super::parts::{ServerProcess, TabletProcess};
use super::plan::{Case, Day, Plan};
use crate::api::{Code, Entered, Token};
use crate::client::Client;
use crate::datadir::DataDir;
use crate::edge::{OsEntropy, now};
use crate::init::{NewClinic, init};
use crate::tablet::enrol::enrol;
use crate::tablet::home::Home;

/// How long something may take that only waits for other parts.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(150);

/// A running clinic.
pub(super) struct Clinic {
    program: PathBuf,
    data: PathBuf,
    listen: String,
    pub(super) server: Option<ServerProcess>,
    pub(super) url: String,
    pub(super) plan: Plan,
    pub(super) day: Day,
    pub(super) people: BTreeMap<String, PersonId>,
    pub(super) cases: BTreeMap<String, Case>,
    pub(super) devices: BTreeMap<DeviceId, &'static str>,
    /// The treatment room's tablet, with Joren.
    pub(super) room: TabletProcess,
    /// Odalys's own tablet.
    pub(super) own: TabletProcess,
    /// The office's tablet, with the supervisor.
    pub(super) office: TabletProcess,
}

/// What the tablets are called.
const TABLETS: [(&str, &str); 3] =
    [("room", "the room's tablet"), ("own", "Odalys's tablet"), ("office", "the office tablet")];

impl Clinic {
    /// Makes the clinic in a directory and starts everything.
    pub(super) fn open(program: &Path, dir: &Path, listen: &str) -> Result<Self, String> {
        let plan = Plan::read()?;
        let data = dir.join("clinic");
        let new = NewClinic {
            name: plan.name.clone(),
            offset_minutes: plan.offset_minutes,
            admin: "Front desk".to_owned(),
        };
        init(&data, &new).map_err(|error| error.to_string())?;
        let server = ServerProcess::start(program, &data, listen, &[("GAITWAY_LOG", "warn")])?;
        let client = client(&data, server.url())?;
        let people = enter_people(&client, &plan)?;
        let mut devices = BTreeMap::new();
        for (key, name) in TABLETS {
            let code: Code = client.post("/v1/admin/device-codes", &json!({ "name": name })).map_err(text)?;
            let identity = enrol(&Home::new(dir.join(key)), server.url(), &code.code)
                .map_err(|error| error.to_string())?;
            devices.insert(identity.device, name);
        }
        let who = |key: &str| people.get(key).map(ToString::to_string).ok_or(format!("nobody is {key}"));
        let start = |key: &str, person: &str, more: &[&str]| {
            let person = who(person)?;
            let mut arguments = vec!["--person", person.as_str()];
            arguments.extend(more);
            TabletProcess::start(program, &dir.join(key), &arguments, &[])
        };
        let day = Day::before(now(), plan.offset_minutes);
        Ok(Self {
            room: start("room", "joren", &[])?,
            own: start("own", "odalys", &[])?,
            office: start("office", "ismene", &["--follow", "clinic"])?,
            program: program.to_owned(),
            data,
            // Started again, it is to be found where it was.
            listen: server.url().trim_start_matches("http://").to_owned(),
            url: server.url().to_owned(),
            server: Some(server),
            plan,
            day,
            people,
            cases: BTreeMap::new(),
            devices,
        })
    }

    fn client(&self) -> Result<Client, String> {
        client(&self.data, &self.url)
    }

    /// Enters patients, plans of care, appointments and yesterday's visits.
    pub(super) fn fill(&mut self) -> Result<(), String> {
        let client = self.client()?;
        for plan in &self.plan.patients {
            let team: Result<Vec<PersonId>, String> =
                plan.team.iter().map(|key| person(&self.people, key)).collect();
            let entered: Entered = client
                .post(
                    "/v1/admin/patients",
                    &json!({
                        "name": plan.name, "born_on": plan.born_on, "payer": plan.payer, "care_team": team?,
                    }),
                )
                .map_err(text)?;
            let patient: PatientId = entered.id.parse().map_err(|_| "the server gave no patient id")?;
            let provider = person(&self.people, &plan.provider)?;
            let case = Case::new(&mut OsEntropy, plan, patient, provider);
            self.office.say(&case.episode_line(plan, &self.day))?;
            let appointment = json!({
                "id": case.visit, "patient": patient, "episode": case.episode, "provider": provider,
                "at": self.day.clock(&plan.at), "discipline": plan.discipline, "payer": plan.payer,
            });
            let _: Entered = client.post("/v1/admin/appointments", &appointment).map_err(text)?;
            self.cases.insert(plan.key.clone(), case);
        }
        self.office.say(&json!({ "do": "sync", "until": "idle", "timeout_ms": 60_000 }))?;
        self.write_visits()
    }

    fn write_visits(&mut self) -> Result<(), String> {
        for plan in &self.plan.patients {
            let (Some(visit), Some(case)) = (&plan.visit, self.cases.get(&plan.key)) else { continue };
            // The visit that matters is written on its therapist's own tablet, the others in the office.
            let tablet = if visit.sign { &mut self.office } else { &mut self.own };
            let begin = json!({
                "do": "new_visit", "appointment": case.visit, "person": case.provider,
                "at": self.day.instant(&plan.at),
            });
            patiently("the appointment reaches the tablet", || Ok(tablet.say(&begin).ok()))?;
            for line in case.visit_lines(plan, visit, &self.day) {
                tablet.say(&line)?;
            }
            if visit.sign {
                let credentials = self.plan.people.iter().find(|one| one.key == plan.provider);
                tablet.say(&json!({
                    "document": case.visit, "person": case.provider, "command": "sign", "meaning": "author",
                    "credentials": credentials.map(|one| one.credentials.as_str()),
                }))?;
            }
        }
        for tablet in [&mut self.office, &mut self.own] {
            tablet.say(&json!({ "do": "sync", "until": "safe", "timeout_ms": 60_000 }))?;
        }
        Ok(())
    }

    /// Stops the server in order: nothing of it answers.
    pub(super) fn stop_server(&mut self) -> Result<(), String> {
        self.server.take().map_or(Ok(()), |mut server| server.stop())
    }

    /// Starts it again where it was; the tablets come back.
    pub(super) fn start_server(&mut self) -> Result<(), String> {
        let server =
            ServerProcess::start(&self.program, &self.data, &self.listen, &[("GAITWAY_LOG", "warn")])?;
        self.server = Some(server);
        for tablet in [&mut self.room, &mut self.own, &mut self.office] {
            tablet.say(&json!({ "do": "connect" }))?;
        }
        Ok(())
    }

    /// A token with which a person signs in to the pages.
    pub(super) fn token(&self, key: &str) -> Result<String, String> {
        let person = person(&self.people, key)?;
        let token: Token =
            self.client()?.post("/v1/admin/tokens", &json!({ "person": person })).map_err(text)?;
        Ok(token.token)
    }

    /// What the server itself says, read the way the review pages do.
    pub(super) fn ask_server(&self, token: &str, path: &str) -> Result<Value, String> {
        let data = DataDir::new(&self.data);
        let client = Client::new(&data, Some(self.url.clone()), Some(token.to_owned())).map_err(text)?;
        client.get(path).map_err(text)
    }

    /// How many payers there are.
    pub(super) fn payers(&self) -> usize {
        let payers: std::collections::BTreeSet<&str> =
            self.plan.patients.iter().map(|plan| plan.payer.as_str()).collect();
        payers.len()
    }

    /// A person's name.
    pub(super) fn name(&self, id: PersonId) -> &str {
        let key = self.people.iter().find(|(_, known)| **known == id).map(|(key, _)| key);
        let plan = self.plan.people.iter().find(|one| Some(&one.key) == key);
        plan.map_or("somebody", |one| one.name.as_str())
    }

    /// Ends everything in order.
    pub(super) fn close(&mut self) -> Result<(), String> {
        for tablet in [&mut self.room, &mut self.own, &mut self.office] {
            if !tablet.finish() {
                return Err("a tablet did not end in order".to_owned());
            }
        }
        self.stop_server()
    }
}

fn client(data: &Path, url: &str) -> Result<Client, String> {
    Client::new(&DataDir::new(data), Some(url.to_owned()), None).map_err(text)
}

fn text(error: impl ToString) -> String {
    error.to_string()
}

/// Whom a key means.
pub(super) fn person(people: &BTreeMap<String, PersonId>, key: &str) -> Result<PersonId, String> {
    people.get(key).copied().ok_or_else(|| format!("nobody is {key}"))
}

fn enter_people(client: &Client, plan: &Plan) -> Result<BTreeMap<String, PersonId>, String> {
    let mut people = BTreeMap::new();
    for one in &plan.people {
        let mut input = json!({ "name": one.name, "credentials": one.credentials });
        if let Value::Object(keys) = &mut input {
            keys.extend(one.rest.clone());
        }
        let entered: Entered = client.post("/v1/admin/people", &input).map_err(text)?;
        people.insert(one.key.clone(), entered.id.parse().map_err(|_| "the server gave no person id")?);
    }
    Ok(people)
}

/// Looks again and again until there is something to see.
pub(super) fn patiently<T>(
    what: &str,
    mut look: impl FnMut() -> Result<Option<T>, String>,
) -> Result<T, String> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        if Instant::now() >= deadline {
            return Err(format!("it did not happen in time that {what}"));
        }
        std::thread::sleep(LOOK_EVERY);
    }
}
