//! The real parts as child processes: a clinic's server, and tablets that are spoken to in JSON lines.
//! Used by the demo and by the system tests, which also kill them.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::Value;

/// How long a server may take to open its record and listen.
const START_TIME: Duration = Duration::from_secs(60);
/// How long a process may take to end in order.
const STOP_TIME: Duration = Duration::from_secs(15);
/// How long a tablet may take to answer a line, unless the line itself waits.
const ANSWER_TIME: Duration = Duration::from_secs(90);

/// Lines a child prints, read as they come.
struct Lines(Receiver<String>);

impl Lines {
    fn of(output: impl std::io::Read + Send + 'static) -> Self {
        let (lines, taken) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines() {
                let Ok(line) = line else { return };
                if lines.send(line).is_err() {
                    return;
                }
            }
        });
        Self(taken)
    }

    fn next(&self, wait: Duration) -> Option<String> {
        self.0.recv_timeout(wait).ok()
    }
}

/// Waits for a child; `false` if it did not end in time.
fn ended(child: &mut Child, wait: Duration) -> bool {
    let deadline = Instant::now() + wait;
    loop {
        match child.try_wait() {
            Ok(Some(_)) | Err(_) => return true,
            Ok(None) if Instant::now() >= deadline => return false,
            Ok(None) => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}

/// Takes every setting of ours out of a child's environment: what this process was told is not meant for it.
pub fn forget_settings(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("GAITWAY_") {
            command.env_remove(name);
        }
    }
}

/// A running server.
pub struct ServerProcess {
    child: Child,
    url: String,
    _lines: Lines,
}

impl ServerProcess {
    /// Starts `gaitway serve` on a data directory and waits until it listens. Log lines go to
    /// `server.log` beside the directory's own files. `environment` is added to this process's, of which
    /// the server's own settings are left out.
    ///
    /// # Errors
    /// One sentence when it does not start.
    pub fn start(
        program: &Path,
        data: &Path,
        listen: &str,
        environment: &[(&str, &str)],
    ) -> Result<Self, String> {
        let log_path = data.join("server.log");
        let log = File::options().create(true).append(true).open(&log_path);
        let log = log.map_err(|error| format!("{} cannot be written: {error}", log_path.display()))?;
        let mut command = Command::new(program);
        forget_settings(&mut command);
        let mut child = command
            .arg("serve")
            .arg("--data")
            .arg(data)
            .args(["--listen", listen])
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::from(log))
            .spawn()
            .map_err(|error| format!("the server could not be started: {error}"))?;
        let Some(output) = child.stdout.take() else { return Err("the server has no output".to_owned()) };
        let lines = Lines::of(output);
        let deadline = Instant::now() + START_TIME;
        while let Some(line) = lines.next(deadline.saturating_duration_since(Instant::now())) {
            if let Some(url) = line.strip_prefix("listening on ") {
                return Ok(Self { child, url: url.trim().to_owned(), _lines: lines });
            }
        }
        let _ = child.kill();
        let _ = child.wait();
        let said = std::fs::read_to_string(&log_path).unwrap_or_default();
        let last = said.lines().next_back().unwrap_or("it said nothing").to_owned();
        Err(format!("the server did not start: {last}"))
    }

    /// Where it listens, such as `http://127.0.0.1:40123`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits for it to end by itself; `false` if it did not in time.
    pub fn wait_for_end(&mut self, wait: Duration) -> bool {
        ended(&mut self.child, wait)
    }

    /// Kills it at once, as if its machine had lost power.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Asks it to stop and waits; kills it if it does not.
    ///
    /// # Errors
    /// One sentence when it had to be killed.
    pub fn stop(&mut self) -> Result<(), String> {
        if !self.is_running() {
            return Ok(());
        }
        let asked = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        if asked.is_ok_and(|status| status.success()) && ended(&mut self.child, STOP_TIME) {
            return Ok(());
        }
        self.kill();
        Err("the server did not stop in order and was killed".to_owned())
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A running tablet.
pub struct TabletProcess {
    child: Child,
    input: Option<ChildStdin>,
    lines: Lines,
    dir: PathBuf,
}

impl TabletProcess {
    /// Starts `gaitway tablet run` on an enrolled directory, with these further arguments.
    ///
    /// # Errors
    /// One sentence when the program cannot be started.
    pub fn start(
        program: &Path,
        dir: &Path,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Result<Self, String> {
        let mut command = Command::new(program);
        // Ctrl-C is for whoever started it; the tablet ends in order when its input does.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command
            .args(["tablet", "run"])
            .arg(dir)
            .args(arguments)
            .env_remove("GAITWAY_KILL_AT")
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .map_err(|error| format!("the tablet could not be started: {error}"))?;
        let Some(output) = child.stdout.take() else { return Err("the tablet has no output".to_owned()) };
        Ok(Self { input: child.stdin.take(), lines: Lines::of(output), child, dir: dir.to_owned() })
    }

    /// Its directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Says a line without waiting for its answer.
    ///
    /// # Errors
    /// When it no longer listens.
    pub fn send(&mut self, line: &Value) -> Result<(), String> {
        let gone = || "the tablet no longer listens".to_owned();
        let input = self.input.as_mut().ok_or_else(gone)?;
        writeln!(input, "{line}").and_then(|()| input.flush()).map_err(|_| gone())
    }

    /// The next answer, whatever it is; `None` if the tablet ended or did not answer in time.
    pub fn answer(&mut self, wait: Duration) -> Option<Value> {
        self.lines.next(wait).and_then(|line| serde_json::from_str(&line).ok())
    }

    /// Says a line and waits for its answer.
    ///
    /// # Errors
    /// The tablet's own sentence when it refuses.
    pub fn say(&mut self, line: &Value) -> Result<Value, String> {
        self.send(line)?;
        let answer = self.answer(ANSWER_TIME).ok_or("the tablet gave no answer")?;
        if answer.get("ok") == Some(&Value::Bool(true)) {
            return Ok(answer);
        }
        let sentence = answer.pointer("/error/sentence").and_then(Value::as_str);
        Err(sentence.unwrap_or("the tablet gave an answer that cannot be read").to_owned())
    }

    /// Kills it at once, as if its battery had gone.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Waits for it to end by itself; `false` if it did not in time.
    pub fn wait_for_end(&mut self, wait: Duration) -> bool {
        ended(&mut self.child, wait)
    }

    /// Ends its input and waits until it has closed its log; says whether it ended well.
    pub fn finish(&mut self) -> bool {
        self.input = None;
        if !ended(&mut self.child, STOP_TIME) {
            self.kill();
            return false;
        }
        self.child.wait().is_ok_and(|status| status.success())
    }
}

impl Drop for TabletProcess {
    fn drop(&mut self) {
        self.kill();
    }
}
