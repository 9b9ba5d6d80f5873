//! What a load stands on: a directory that is thrown away, a server process, its counters and its share of
//! the machine, and tablets in this process.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use chart::ids::PersonId;
use serde_json::{Value, json};
use sync_protocol::message::ScopeName;
use tokio::runtime::Runtime;

use crate::api::{Code, Entered};
use crate::client::Client;
use crate::datadir::DataDir;
use crate::demo::parts::ServerProcess;
use crate::init::{NewClinic, init};
use crate::tablet::address::ServerAddress;
use crate::tablet::driver::{Driver, DriverConfig, Observer, Until};
use crate::tablet::enrol::enrol;
use crate::tablet::home::Home;

/// How long anything may take that only waits for other parts.
pub(super) const PATIENCE: Duration = Duration::from_secs(900);
/// The system's clock ticks a second, as /proc counts them.
const TICKS: f64 = 100.0;

/// A directory that goes when the load ends.
pub(super) struct Scratch(PathBuf);

impl Scratch {
    pub(super) fn make() -> Result<Self, String> {
        let name = crate::edge::new_token("");
        let path = std::env::temp_dir().join(format!("gaitway-load-{}", name.get(1..13).unwrap_or("0")));
        crate::datadir::make_private_dir(&path).map_err(|error| error.to_string())?;
        Ok(Self(path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub(super) fn remove(path: &Path) -> Result<(), String> {
    std::fs::remove_dir_all(path).map_err(|error| format!("{} cannot be removed: {error}", path.display()))
}

/// Copies a directory with everything in it.
pub(super) fn copy_all(from: &Path, to: &Path) -> Result<(), String> {
    let copy = || -> std::io::Result<Vec<(PathBuf, PathBuf)>> {
        std::fs::create_dir_all(to)?;
        std::fs::set_permissions(to, std::fs::metadata(from)?.permissions())?;
        let mut inner = Vec::new();
        for entry in std::fs::read_dir(from)? {
            let entry = entry?;
            let target = to.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                inner.push((entry.path(), target));
            } else {
                std::fs::copy(entry.path(), target)?;
            }
        }
        Ok(inner)
    };
    for (from, to) in copy().map_err(|error| format!("{} cannot be copied: {error}", from.display()))? {
        copy_all(&from, &to)?;
    }
    Ok(())
}

/// A clinic's server, and how it is asked.
pub(super) struct Stage {
    program: PathBuf,
    data: PathBuf,
    server: ServerProcess,
}

impl Stage {
    /// Makes a clinic and starts its server.
    pub(super) fn new(program: &Path, data: &Path) -> Result<Self, String> {
        let new = NewClinic { name: "Load".to_owned(), offset_minutes: -300, admin: "Front desk".to_owned() };
        init(data, &new).map_err(|error| error.to_string())?;
        Self::on(program, data)
    }

    /// Starts a server on a clinic's directory.
    pub(super) fn on(program: &Path, data: &Path) -> Result<Self, String> {
        let server = ServerProcess::start(program, data, "127.0.0.1:0", &[("GAITWAY_LOG", "warn")])?;
        Ok(Self { program: program.to_owned(), data: data.to_owned(), server })
    }

    pub(super) fn address(&self) -> Result<ServerAddress, String> {
        ServerAddress::parse(self.server.url())
    }

    pub(super) fn admin(&self) -> Result<Client, String> {
        let data = DataDir::new(&self.data);
        Client::new(&data, Some(self.server.url().to_owned()), None).map_err(text)
    }

    /// Kills the server and starts another on the same directory; how long until it listens.
    pub(super) fn kill_and_restart(&mut self) -> Result<Duration, String> {
        self.server.kill();
        self.restart()
    }

    /// Stops the server in order and starts another on the same directory; how long until it listens.
    pub(super) fn stop_and_restart(&mut self) -> Result<Duration, String> {
        self.server.stop()?;
        self.restart()
    }

    fn restart(&mut self) -> Result<Duration, String> {
        let listen = self.server.url().trim_start_matches("http://").to_owned();
        let began = Instant::now();
        self.server = ServerProcess::start(&self.program, &self.data, &listen, &[("GAITWAY_LOG", "warn")])?;
        Ok(began.elapsed())
    }

    pub(super) fn stop(mut self) -> Result<(), String> {
        self.server.stop()
    }

    /// The hub's counters.
    pub(super) fn counters(&self) -> Result<Counters, String> {
        let status: Value = self.admin()?.get("/v1/admin/status").map_err(text)?;
        let hub = status.get("hub").and_then(Value::as_object).ok_or("the server gives no counters")?;
        let numbers = hub.iter().filter_map(|(name, value)| Some((name.clone(), value.as_u64()?)));
        Ok(Counters(numbers.collect()))
    }

    /// Waits until nothing waits for a verdict or a report.
    pub(super) fn wait_until_quiet(&self) -> Result<(), String> {
        patiently("the server judges and reports everything", || {
            let counters = self.counters()?;
            let is_quiet = counters.get("unjudged") == 0 && counters.get("stale_reports") == 0;
            Ok(is_quiet.then_some(()))
        })
    }

    /// Processor time of the server since it started, in seconds; 0 where the system does not say.
    pub(super) fn cpu_seconds(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.server.id())).unwrap_or_default();
        let after_name = stat.rsplit(')').next().unwrap_or_default();
        let field = |n: usize| after_name.split_whitespace().nth(n).and_then(|text| text.parse::<f64>().ok());
        (field(11).unwrap_or(0.0) + field(12).unwrap_or(0.0)) / TICKS
    }

    /// Memory of the server, in megabytes: now, and at most so far.
    pub(super) fn memory_mb(&self) -> (f64, f64) {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", self.server.id())).unwrap_or_default();
        let line = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name))?;
            line.split_whitespace().nth(1)?.parse::<f64>().ok()
        };
        (line("VmRSS:").unwrap_or(0.0) / 1024.0, line("VmHWM:").unwrap_or(0.0) / 1024.0)
    }

    /// Enters something and gives its id.
    pub(super) fn enter(&self, what: &str, input: &Value) -> Result<String, String> {
        let entered: Entered = self.admin()?.post(&format!("/v1/admin/{what}"), input).map_err(text)?;
        Ok(entered.id)
    }

    pub(super) fn enter_person(&self, name: &str, role: &str) -> Result<PersonId, String> {
        let input = json!({
            "name": name, "credentials": "PT", "roles": [role], "profession": "physical_therapist",
        });
        self.enter("people", &input)?.parse().map_err(|_| "the server gave no person id".to_owned())
    }

    /// Enrols a tablet into a new directory.
    pub(super) fn enrol(&self, dir: &Path) -> Result<(), String> {
        let name = dir.file_name().and_then(|name| name.to_str()).unwrap_or("tablet");
        let code: Code =
            self.admin()?.post("/v1/admin/device-codes", &json!({ "name": name })).map_err(text)?;
        enrol(&Home::new(dir), self.server.url(), &code.code).map_err(text).map(|_| ())
    }

    /// Opens an enrolled tablet, offline.
    pub(super) fn open(
        &self,
        dir: &Path,
        person: PersonId,
        scope: Option<ScopeName>,
        observer: Option<Observer>,
        runtime: &Runtime,
    ) -> Result<Driver, String> {
        let home = Home::new(dir);
        let identity = home.identity().map_err(text)?;
        let mut config = DriverConfig::of(&home, &identity)?;
        config.server = Some(self.address()?);
        config.person = Some(person);
        config.scopes = scope.into_iter().collect();
        config.observer = observer;
        Driver::open(config, runtime.handle().clone()).map_err(text)
    }
}

/// Numbers of the hub, by name.
#[derive(Clone, Debug, Default)]
pub(super) struct Counters(BTreeMap<String, u64>);

impl Counters {
    pub(super) fn get(&self, name: &str) -> u64 {
        self.0.get(name).copied().unwrap_or(0)
    }

    /// How much a counter has grown.
    pub(super) fn since(&self, before: &Self, name: &str) -> u64 {
        self.get(name).saturating_sub(before.get(name))
    }
}

/// Waits until everything of a tablet is safe or idle.
pub(super) fn reach(driver: &Driver, until: Until) -> Result<(), String> {
    let waited = driver.until(until, PATIENCE).wait().map_err(text)?;
    if waited.reached {
        return Ok(());
    }
    Err(format!("{} changes in {} notes did not become safe in time", waited.waiting, waited.documents))
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
        std::thread::sleep(Duration::from_millis(10));
    }
}

pub(super) fn text(error: impl ToString) -> String {
    error.to_string()
}
