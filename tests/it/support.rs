//! Real parts for the system tests: the binary itself, a clinic in a fresh directory, servers and tablets
//! that can be killed. Nothing here stands in for anything.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime};

use gaitway::api::{Code, Entered};
use gaitway::client::Client;
use gaitway::datadir::DataDir;
pub(crate) use gaitway::demo::parts::{ServerProcess, TabletProcess};
use gaitway::init::{NewClinic, init};
use gaitway::tablet::enrol::enrol;
use gaitway::tablet::home::Home;
use serde_json::{Value, json};

/// How long something may take that only waits for other parts, on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// The program under test: `GAITWAY_PROGRAM` if it is set, otherwise the one beside this test, built when
/// it is missing or older than what it is made of.
pub(crate) fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| match std::env::var_os("GAITWAY_PROGRAM") {
        Some(path) => PathBuf::from(path),
        None => beside_this_test(),
    })
}

/// Cargo builds another package's program only together with the whole workspace, and a test of
/// yesterday's program proves nothing.
fn beside_this_test() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile_dir = test.parent().and_then(Path::parent).expect("target/<profile>/deps");
    let program = profile_dir.join(format!("gaitway{}", std::env::consts::EXE_SUFFIX));
    let built = std::fs::metadata(&program).and_then(|found| found.modified());
    if built.is_ok_and(|built| built > newest_source()) {
        return program;
    }
    let profile = match profile_dir.file_name().and_then(|name| name.to_str()).expect("a profile's name") {
        "debug" => "dev",
        other => other,
    };
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let build = Command::new(cargo)
        .args(["build", "--quiet", "--package", "gaitway", "--bin", "gaitway", "--profile", profile])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("CARGO_TARGET_DIR", profile_dir.parent().expect("the target directory"))
        .output()
        .expect("cargo can be run");
    assert!(build.status.success(), "{}", String::from_utf8_lossy(&build.stderr));
    program
}

/// When anything the program is made of was last written.
fn newest_source() -> SystemTime {
    let root = xtask::workspace::root().unwrap();
    let mut newest = SystemTime::UNIX_EPOCH;
    let mut waiting: Vec<PathBuf> =
        ["Cargo.toml", "Cargo.lock", "crates", "server", "sync-protocol", "rules"]
            .map(|part| root.join(part))
            .into();
    while let Some(path) = waiting.pop() {
        let found = std::fs::metadata(&path).unwrap();
        if found.is_dir() {
            waiting.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if !path.components().any(|part| part.as_os_str() == "tests") {
            newest = newest.max(found.modified().unwrap());
        }
    }
    newest
}

/// Runs the program to its end.
#[track_caller]
pub(crate) fn gaitway(arguments: &[&str]) -> Output {
    Command::new(program())
        .args(arguments)
        .env_remove("GAITWAY_KILL_AT")
        .env("NO_COLOR", "1")
        .output()
        .expect("the program can be run")
}

/// A clinic in a fresh directory, with a server that may be killed and started again.
pub(crate) struct Clinic {
    dir: tempfile::TempDir,
    /// The server, while one runs.
    pub(crate) server: Option<ServerProcess>,
    /// Where it listened last.
    pub(crate) url: String,
    /// The people entered, by the name a test gave them.
    pub(crate) people: BTreeMap<String, String>,
}

impl Clinic {
    /// Makes a clinic five hours behind UTC and starts its server.
    pub(crate) fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let new = NewClinic {
            name: "Quillfeather Rehab".to_owned(),
            offset_minutes: -300,
            admin: "Front desk".to_owned(),
        };
        init(&dir.path().join("clinic"), &new).unwrap();
        let mut clinic = Self { dir, server: None, url: String::new(), people: BTreeMap::new() };
        clinic.start_server(&[]);
        clinic
    }

    /// A clinic with a copy of everything this one has on the disk; nothing of it runs yet. To be used
    /// while nothing of this one runs either.
    pub(crate) fn copied(&self) -> Self {
        let dir = tempfile::tempdir().unwrap();
        copy_all(self.dir(), dir.path());
        Self { dir, server: None, url: String::new(), people: self.people.clone() }
    }

    /// The directory everything is in.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The server's data directory.
    pub(crate) fn data(&self) -> PathBuf {
        self.dir().join("clinic")
    }

    /// Starts the server on the same directory, where it listened before if it did; `environment` is added.
    #[track_caller]
    pub(crate) fn start_server(&mut self, environment: &[(&str, &str)]) {
        let listen = match self.url.strip_prefix("http://") {
            Some(address) => address.to_owned(),
            None => "127.0.0.1:0".to_owned(),
        };
        let server = ServerProcess::start(program(), &self.data(), &listen, environment).unwrap();
        self.url = server.url().to_owned();
        self.server = Some(server);
    }

    /// Kills the server at once.
    pub(crate) fn kill_server(&mut self) {
        if let Some(mut server) = self.server.take() {
            server.kill();
        }
    }

    /// Stops the server in order.
    #[track_caller]
    pub(crate) fn stop_server(&mut self) {
        if let Some(mut server) = self.server.take() {
            server.stop().unwrap();
        }
    }

    /// The administrator's interface.
    pub(crate) fn admin(&self) -> Client {
        Client::new(&DataDir::new(self.data()), Some(self.url.clone()), None).unwrap()
    }

    /// Enters something and gives its id.
    #[track_caller]
    pub(crate) fn enter(&self, what: &str, input: &Value) -> String {
        let entered: Entered = self.admin().post(&format!("/v1/admin/{what}"), input).unwrap();
        entered.id
    }

    /// Enters a physical therapist with a role; the name is how the test calls them.
    #[track_caller]
    pub(crate) fn person(&mut self, name: &str, role: &str) -> String {
        let id = self.enter(
            "people",
            &json!({
                "name": name, "credentials": "PT", "roles": [role], "profession": "physical_therapist",
                "npi": "2000000416",
            }),
        );
        self.people.insert(name.to_owned(), id.clone());
        id
    }

    /// Enters a patient who is treated by these people.
    #[track_caller]
    pub(crate) fn patient(&self, name: &str, payer: &str, team: &[&str]) -> String {
        self.enter("patients", &json!({ "name": name, "payer": payer, "care_team": team }))
    }

    /// Enrols a new tablet and gives its directory.
    #[track_caller]
    pub(crate) fn enrol(&self, name: &str) -> PathBuf {
        let code: Code = self.admin().post("/v1/admin/device-codes", &json!({ "name": name })).unwrap();
        let dir = self.dir().join(format!("tablet-{name}"));
        enrol(&Home::new(&dir), &self.url, &code.code).map_err(|error| error.to_string()).unwrap();
        dir
    }

    /// Enrols a tablet and runs it for a person.
    #[track_caller]
    pub(crate) fn tablet(&self, name: &str, person: &str, arguments: &[&str]) -> TabletProcess {
        let dir = self.enrol(name);
        self.run(&dir, person, arguments, &[])
    }

    /// Runs an enrolled tablet for a person.
    #[track_caller]
    pub(crate) fn run(
        &self,
        dir: &Path,
        person: &str,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> TabletProcess {
        let mut all = vec!["--person", person];
        all.extend(arguments);
        TabletProcess::start(program(), dir, &all, environment).unwrap()
    }
}

/// Copies a directory with everything in it, permissions included.
pub(crate) fn copy_all(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    std::fs::set_permissions(to, std::fs::metadata(from).unwrap().permissions()).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy_all(&path, &target);
        } else {
            std::fs::copy(&path, target).unwrap();
        }
    }
}

/// Looks again and again until there is something to see.
#[track_caller]
pub(crate) fn patiently<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "it did not happen in time that {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Waits until everything of a tablet is on the clinic's disk.
#[track_caller]
pub(crate) fn sync(tablet: &mut TabletProcess) {
    tablet.say(&json!({ "do": "sync", "until": "safe", "timeout_ms": 80_000 })).unwrap();
}
