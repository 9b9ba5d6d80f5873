//! `gaitway tablet`: a tablet without a screen, on a directory, for scripts and tests.
//!
//! Real files, a real socket, the same machine as the app: what it calls saved is on this tablet's disk,
//! what it calls safe is on the clinic's. Works with no server in reach. docs/tablet-cli.md has every
//! line of input and output.

pub mod address;
mod args;
pub mod driver;
pub mod enrol;
pub mod home;
pub mod kill;
pub mod lines;
pub mod planted;
pub mod talk;

use std::io::{BufRead, Write};
use std::process::ExitCode;

use serde_json::{Value, json};
use sync_protocol::message::ScopeName;

pub use args::TabletArgs;
use args::{Follow, OneShot, TabletCommand};
use driver::{Driver, DriverConfig};
use home::Home;
use kill::KillPoints;
use lines::{Line, SYNC_TIMEOUT, What};
use planted::Planted;
use talk::{Refused, Talk};

/// Runs the command; errors are one sentence on the standard error and exit code 1.
pub fn run(args: TabletArgs) -> ExitCode {
    match command(args) {
        Ok(code) => code,
        Err(sentence) => {
            let _ = writeln!(std::io::stderr(), "gaitway: {sentence}");
            ExitCode::FAILURE
        }
    }
}

fn command(args: TabletArgs) -> Result<ExitCode, String> {
    match args.command {
        TabletCommand::Enrol(enrol) => {
            let home = Home::new(enrol.dir);
            let identity =
                self::enrol::enrol(&home, &enrol.server, &enrol.code).map_err(|error| error.to_string())?;
            say(&json!({
                "ok": true, "device": identity.device, "clinic": identity.clinic, "name": identity.name,
                "people": identity.people, "site_public_key": identity.site_public_key,
            }));
            Ok(ExitCode::SUCCESS)
        }
        TabletCommand::Run(run) => {
            let online = !run.offline;
            talk(&run.tablet, online, |driver| converse(driver, &run.tablet, None, run.strict))
        }
        TabletCommand::Apply(apply) => talk(&apply.tablet, false, |driver| {
            converse(driver, &apply.tablet, Some(apply.document), apply.strict)
        }),
        TabletCommand::Show(one) => ask(&one.tablet, What::Show(one.document)),
        TabletCommand::Report(one) => ask(&one.tablet, What::Report(one.document)),
        TabletCommand::List(one) => ask(&one, What::List),
        TabletCommand::Reference(one) => ask(&one, What::Reference),
        TabletCommand::Status(one) => ask(&one, What::Status),
        TabletCommand::Sync(sync) => {
            let timeout = sync.timeout_ms.map_or(SYNC_TIMEOUT, std::time::Duration::from_millis);
            let what = What::Sync { until: sync.until.into(), timeout };
            talk(&sync.tablet, true, |driver| Ok(answer(driver, &sync.tablet, what)))
        }
    }
}

/// Opens a tablet, talks to it and closes it.
fn talk(
    tablet: &OneShot,
    online: bool,
    conversation: impl FnOnce(&Driver) -> Result<ExitCode, String>,
) -> Result<ExitCode, String> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|error| format!("the tablet's threads could not be started: {error}"))?;
    let config = config(tablet, online)?;
    let driver = Driver::open(config, runtime.handle().clone()).map_err(|error| error.to_string())?;
    for sentence in driver.opening() {
        let _ = writeln!(std::io::stderr(), "gaitway: opening the tablet's log: {sentence}");
    }
    let spoken = conversation(&driver);
    driver.close()?;
    spoken
}

fn config(tablet: &OneShot, online: bool) -> Result<DriverConfig, String> {
    let home = Home::new(&tablet.dir);
    let identity = home.identity().map_err(|error| error.to_string())?;
    let mut config = DriverConfig::of(&home, &identity)?;
    if let Some(server) = &tablet.server {
        config.server = Some(address::ServerAddress::parse(server)?);
    }
    let rules = home.dir().join("rules");
    if rules.is_dir() {
        config.rulebook = Some(crate::opening::rulebook(Some(&rules)).map_err(|error| error.to_string())?);
    }
    config.person = tablet.person.or(config.person);
    config.online = online;
    config.clock_offset_ms = tablet.clock_offset_ms;
    if tablet.follow == Follow::Clinic {
        config.scopes = vec![ScopeName::Clinic];
    }
    config.kill = KillPoints::parse(&std::env::var("GAITWAY_KILL_AT").unwrap_or_default())?;
    config.planted = Planted::parse(&std::env::var("GAITWAY_APPLYING_FAULT").unwrap_or_default())?;
    Ok(config)
}

fn ask(tablet: &OneShot, what: What) -> Result<ExitCode, String> {
    talk(tablet, false, |driver| Ok(answer(driver, tablet, what)))
}

fn answer(driver: &Driver, tablet: &OneShot, what: What) -> ExitCode {
    let talk = Talk::new(driver, tablet.person, None);
    match talk.take(Line { person: None, at: None, what }) {
        Ok(value) => {
            say(&value);
            ExitCode::SUCCESS
        }
        Err(refused) => {
            let _ = writeln!(std::io::stderr(), "gaitway: {}", refused.sentence);
            ExitCode::FAILURE
        }
    }
}

/// Lines in, answers out, until the input ends.
fn converse(
    driver: &Driver,
    tablet: &OneShot,
    document: Option<chart::ids::DocumentId>,
    strict: bool,
) -> Result<ExitCode, String> {
    let identity = Home::new(&tablet.dir).identity().map_err(|error| error.to_string())?;
    let talk = Talk::new(driver, tablet.person.or(identity.only_person()), document);
    let mut input = std::io::stdin().lock();
    let (mut number, mut refused) = (0u64, false);
    loop {
        let mut bytes = Vec::new();
        let read =
            input.read_until(b'\n', &mut bytes).map_err(|error| format!("the input ended badly: {error}"))?;
        if read == 0 {
            break;
        }
        number += 1;
        let text = String::from_utf8_lossy(&bytes);
        if text.trim().is_empty() {
            continue;
        }
        let mut answer = talk.line(&text).unwrap_or_else(|error: Refused| {
            refused = true;
            error.to_json()
        });
        if let Value::Object(keys) = &mut answer {
            keys.insert("line".to_owned(), json!(number));
        }
        if !say(&answer) {
            // Nobody listens any more.
            break;
        }
    }
    Ok(if strict && refused { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn say(value: &Value) -> bool {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{value}").and_then(|()| out.flush()).is_ok()
}
