//! The server's configuration: defaults, then the file, then the environment, then flags.
//!
//! An unknown key or variable is an error that names the nearest known one: a setting that was mistyped
//! must not be silently the default. Knows no secret; those are files of their own.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::limits;
use crate::nearest::did_you_mean;

/// Why a configuration cannot be used: one sentence naming the place.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(String);

fn wrong(sentence: impl Into<String>) -> ConfigError {
    ConfigError(sentence.into())
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Everything that can be set about a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Whether something in front of the server speaks TLS to the outside.
    pub behind_tls_proxy: bool,
    /// How log lines look.
    pub log_format: LogFormat,
    /// What is logged, in the form of `RUST_LOG`.
    pub log: String,
    /// Most connections at once.
    pub connections_max: usize,
    /// Most documents kept in memory at once.
    pub documents_resident_max: usize,
    /// A directory of rule files that take the place of built-in ones of the same name.
    pub rules: Option<PathBuf>,
    /// Bytes a day that may pass over a line this server opens to another clinic.
    pub clinic_line_bytes_a_day: Option<u64>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8097)),
            behind_tls_proxy: false,
            log_format: LogFormat::Text,
            log: "info".to_owned(),
            connections_max: limits::CONNECTIONS,
            documents_resident_max: limits::DOCUMENTS_RESIDENT,
            rules: None,
            clinic_line_bytes_a_day: None,
        }
    }
}

/// Every key, as it is written in the file. In the environment it is `GAITWAY_` and the key in capitals.
pub const KEYS: [&str; 8] = [
    "listen",
    "behind_tls_proxy",
    "log_format",
    "log",
    "connections_max",
    "documents_resident_max",
    "rules",
    "clinic_line_megabytes_a_day",
];

/// Variables of the environment that are no keys of the file.
const OTHER_VARIABLES: [&str; 5] =
    ["GAITWAY_DATA", "GAITWAY_SERVER", "GAITWAY_TOKEN", "GAITWAY_KILL_AT", "GAITWAY_JUDGING_FAULT"];

/// What `init` writes: every key with its meaning, all commented out.
pub const TEMPLATE: &str = "\
# Settings of this clinic's server. What is commented out shows the default.
# A flag of `gaitway serve` beats the environment (GAITWAY_ and the key in capitals), which beats this file.

# Where to listen. Off this machine (not 127.0.0.1 or ::1) a proxy must speak TLS: see behind_tls_proxy.
# listen = \"127.0.0.1:8097\"

# Says that a proxy in front of the server speaks TLS to the outside.
# behind_tls_proxy = false

# How log lines look: \"text\" or \"json\"; and what is logged: error, warn, info, debug, trace.
# log_format = \"text\"
# log = \"info\"

# Most connections at once, and most documents kept in memory at once.
# connections_max = 512
# documents_resident_max = 256

# A directory of rule files that take the place of built-in ones of the same name.
# rules = \"/etc/gaitway/rules\"

# Where a line to another clinic is paid by the byte: megabytes that may pass over it in a day, both ways
# together. What does not pass waits for the next day; not set, everything passes.
# clinic_line_megabytes_a_day = 50
";

impl Config {
    /// Reads the file if it is there, then the environment's `GAITWAY_` variables.
    pub fn load(
        file: &Path,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let mut config = Self::default();
        match std::fs::read_to_string(file) {
            Ok(text) => config.read_file(&file.display().to_string(), &text)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(wrong(format!("reading {} failed: {error}", file.display()))),
        }
        config.read_environment(environment)?;
        Ok(config)
    }

    /// Takes over the settings of a file's text.
    pub fn read_file(&mut self, name: &str, text: &str) -> Result<(), ConfigError> {
        let table: toml::Table = text
            .parse()
            .map_err(|error: toml::de::Error| wrong(format!("{name} is not TOML: {}", first_line(&error))))?;
        for (key, value) in table {
            let text = match value {
                toml::Value::String(text) => text,
                toml::Value::Integer(_) | toml::Value::Float(_) | toml::Value::Boolean(_) => {
                    value.to_string()
                }
                _ => {
                    return Err(wrong(format!("in {name}, `{key}` must be a text, a number, true or false")));
                }
            };
            self.set(&key, &text).map_err(|problem| wrong(format!("in {name}, {problem}")))?;
        }
        Ok(())
    }

    /// Takes over the settings of the environment.
    pub fn read_environment(
        &mut self,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<(), ConfigError> {
        let known: BTreeMap<String, &str> =
            KEYS.iter().map(|key| (format!("GAITWAY_{}", key.to_uppercase()), *key)).collect();
        for (variable, value) in environment {
            if !variable.starts_with("GAITWAY_") || OTHER_VARIABLES.contains(&variable.as_str()) {
                continue;
            }
            match known.get(&variable) {
                Some(key) => self
                    .set(key, &value)
                    .map_err(|problem| wrong(format!("in the environment's {variable}, {problem}")))?,
                None => {
                    let all = known.keys().map(String::as_str).chain(OTHER_VARIABLES);
                    let hint = did_you_mean(&variable, all);
                    return Err(wrong(format!("the environment's {variable} is no setting{hint}")));
                }
            }
        }
        Ok(())
    }

    /// Sets one key from its text.
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), ConfigError> {
        let is_no = |what: &str| wrong(format!("`{key}` must be {what}, not `{value}`"));
        match key {
            "listen" => {
                self.listen = value.parse().map_err(|_| is_no("an address such as 127.0.0.1:8097"))?;
            }
            "behind_tls_proxy" => {
                self.behind_tls_proxy = value.parse().map_err(|_| is_no("true or false"))?;
            }
            "log_format" => {
                self.log_format = match value {
                    "text" => LogFormat::Text,
                    "json" => LogFormat::Json,
                    _ => return Err(is_no("text or json")),
                };
            }
            "log" => self.log = value.to_owned(),
            "connections_max" => {
                self.connections_max = count(value).ok_or_else(|| is_no("a number from 1 to 100000"))?;
            }
            "documents_resident_max" => {
                self.documents_resident_max =
                    count(value).ok_or_else(|| is_no("a number from 1 to 100000"))?;
            }
            "rules" => self.rules = Some(PathBuf::from(value)),
            "clinic_line_megabytes_a_day" => {
                let megabytes: Option<f64> =
                    value.parse().ok().filter(|count| (0.01..=100_000.0).contains(count));
                let megabytes = megabytes.ok_or_else(|| is_no("a number from 0.01 to 100000"))?;
                self.clinic_line_bytes_a_day = Some((megabytes * 1e6) as u64);
            }
            _ => return Err(wrong(format!("`{key}` is no setting{}", did_you_mean(key, KEYS)))),
        }
        Ok(())
    }

    /// Fails if settings contradict each other.
    pub fn check(&self) -> Result<(), ConfigError> {
        if !self.listen.ip().is_loopback() && !self.behind_tls_proxy {
            return Err(wrong(format!(
                "{} can be reached from other machines and would carry charts without TLS: put a proxy \
                 with TLS in front and say --behind-tls-proxy, or listen on 127.0.0.1",
                self.listen
            )));
        }
        Ok(())
    }
}

fn count(text: &str) -> Option<usize> {
    text.parse().ok().filter(|count| (1..=100_000).contains(count))
}

fn first_line(error: &toml::de::Error) -> String {
    error.message().lines().next().unwrap_or("it cannot be parsed").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(file: &str, environment: &[(&str, &str)], expected: &str) {
        let mut config = Config::default();
        let environment = environment.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let sentence = config
            .read_file("gaitway.toml", file)
            .and_then(|()| config.read_environment(environment))
            .and_then(|()| config.check())
            .err()
            .map_or_else(|| "accepted".to_owned(), |error| error.to_string());
        assert_eq!(sentence, expected);
    }

    #[test]
    fn an_unknown_key_names_the_nearest_known_one() {
        check(
            "listn = \"127.0.0.1:1\"",
            &[],
            "in gaitway.toml, `listn` is no setting; did you mean `listen`?",
        );
        check("colour = true", &[], "in gaitway.toml, `colour` is no setting");
        check(
            "",
            &[("GAITWAY_LISTN", "x")],
            "the environment's GAITWAY_LISTN is no setting; did you mean `GAITWAY_LISTEN`?",
        );
    }

    #[test]
    fn a_wrong_value_says_what_it_should_be() {
        check(
            "connections_max = 0",
            &[],
            "in gaitway.toml, `connections_max` must be a number from 1 to 100000, not `0`",
        );
        check("log_format = \"xml\"", &[], "in gaitway.toml, `log_format` must be text or json, not `xml`");
        check("listen = [1]", &[], "in gaitway.toml, `listen` must be a text, a number, true or false");
        check(
            "",
            &[("GAITWAY_BEHIND_TLS_PROXY", "maybe")],
            "in the environment's GAITWAY_BEHIND_TLS_PROXY, `behind_tls_proxy` must be true or false, not `maybe`",
        );
    }

    #[test]
    fn plaintext_off_this_machine_needs_a_word_about_the_proxy() {
        check(
            "listen = \"0.0.0.0:8097\"",
            &[],
            "0.0.0.0:8097 can be reached from other machines and would carry charts without TLS: put a proxy \
             with TLS in front and say --behind-tls-proxy, or listen on 127.0.0.1",
        );
        check("listen = \"0.0.0.0:8097\"\nbehind_tls_proxy = true", &[], "accepted");
    }

    #[test]
    fn the_environment_beats_the_file() {
        let mut config = Config::default();
        config.read_file("f", "connections_max = 5\nlog = \"debug\"").unwrap();
        config.read_environment([("GAITWAY_CONNECTIONS_MAX".to_owned(), "7".to_owned())]).unwrap();
        assert_eq!((config.connections_max, config.log.as_str()), (7, "debug"));
    }

    #[test]
    fn megabytes_a_day_are_a_number_with_or_without_a_fraction() {
        let mut config = Config::default();
        config.read_file("f", "clinic_line_megabytes_a_day = 0.5").unwrap();
        assert_eq!(config.clinic_line_bytes_a_day, Some(500_000));
        config.read_file("f", "clinic_line_megabytes_a_day = 20").unwrap();
        assert_eq!(config.clinic_line_bytes_a_day, Some(20_000_000));
        assert!(config.set("clinic_line_megabytes_a_day", "none").is_err());
    }

    #[test]
    fn the_template_is_the_default_and_names_every_key() {
        let mut config = Config::default();
        config.read_file("template", TEMPLATE).unwrap();
        assert_eq!(config, Config::default());
        let examples = ["rules = \"/etc/gaitway/rules\"\n", "clinic_line_megabytes_a_day = 50\n"];
        let said =
            examples.iter().fold(TEMPLATE.replace("# ", ""), |said, example| said.replace(example, ""));
        let written: String =
            said.lines().filter(|line| line.contains(" = ")).map(|line| format!("{line}\n")).collect();
        let mut spoken = Config::default();
        spoken.read_file("template", &written).unwrap();
        assert_eq!(spoken, Config::default());
        assert!(KEYS.iter().all(|key| TEMPLATE.contains(&format!("# {key} = "))));
    }
}
