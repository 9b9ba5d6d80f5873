//! What a line of input may say: one JSON object, checked whole. Does nothing.
//!
//! docs/tablet-cli.md has every form with an example. An unknown key is an error: a mistyped one must
//! not silently be the default.

use std::collections::BTreeSet;
use std::time::Duration;

use chart::ids::{ChangeHash, DocumentId, PersonId};
use chart::time::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use session_note::Command;
use session_note::command::{OpenEpisode, OpenVisit};
use tablet::Keystroke;

use super::driver::Until;

/// A line.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Who does it; whoever the tablet was unlocked by if absent.
    pub person: Option<PersonId>,
    /// What the tablet's clock shows; the system's clock if absent.
    pub at: Option<Timestamp>,
    /// What is to be done.
    pub what: What,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// Commands that become one change.
    Edit {
        /// In which document.
        document: DocumentId,
        /// The heads that were on the screen.
        seen: Option<BTreeSet<ChangeHash>>,
        /// What the person did.
        commands: Vec<Command>,
    },
    /// Begins an episode under a random id.
    NewEpisode(OpenEpisode),
    /// Begins a visit under a random id.
    NewVisit(OpenVisit),
    /// Begins the visit of an appointment.
    Begin(DocumentId),
    /// Typing.
    Keystroke(Typed),
    /// Turns what was typed into changes.
    Flush(Option<DocumentId>),
    /// A note with everything around it.
    Show(DocumentId),
    /// Units and findings of one visit, or of every visit.
    Report(Option<DocumentId>),
    /// The documents this tablet holds.
    List,
    /// People, patients, appointments and settings.
    Reference,
    /// Where every document stands.
    Status,
    /// Waits.
    Sync {
        /// How far the work shall have come.
        until: Until,
        /// For how long.
        timeout: Duration,
    },
    /// Connects, to another server if one is named.
    Connect(Option<String>),
    /// Drops the connection.
    Disconnect,
}

/// What was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Typed {
    /// In which document.
    pub document: DocumentId,
    /// Into which text.
    pub field: String,
    /// Where, in code points.
    pub position: usize,
    /// How many code points are taken out there.
    pub delete: usize,
    /// What is put in.
    pub insert: String,
    /// The heads that were on the screen.
    pub seen: Option<BTreeSet<ChangeHash>>,
}

impl Typed {
    /// The keystroke, by a person.
    pub fn by(self, person: PersonId) -> Keystroke {
        let Self { document, field, position, delete, insert, seen } = self;
        Keystroke { person, document, field, position, delete, insert, seen }
    }
}

/// How long `sync` waits unless it is told.
pub const SYNC_TIMEOUT: Duration = Duration::from_secs(30);
/// The longest a line may wait.
const TIMEOUT_MAX_MS: u64 = 3_600_000;

impl Line {
    /// Reads a line; `document` is meant where the line names none.
    ///
    /// # Errors
    /// One sentence that names the key.
    pub fn parse(text: &str, document: Option<DocumentId>) -> Result<Self, String> {
        let value: Value =
            serde_json::from_str(text).map_err(|error| format!("this is not JSON: {error}"))?;
        let Value::Object(keys) = value else { return Err("a line is one JSON object".to_owned()) };
        let mut keys = Keys { keys, document };
        let person = keys.optional("person")?;
        // A patient comes and goes `at` a time of its own.
        let owns_at = matches!(keys.text("command"), Some("check_in" | "check_out"));
        let at = match keys.optional("device_time")? {
            None if !owns_at => keys.optional("at")?,
            given => given,
        };
        let what = match keys.optional::<String>("do")? {
            Some(verb) => keys.verb(&verb)?,
            None => keys.commands()?,
        };
        match keys.keys.keys().next() {
            Some(unknown) => Err(format!("`{unknown}` is no key of this line")),
            None => Ok(Self { person, at, what }),
        }
    }
}

struct Keys {
    keys: Map<String, Value>,
    document: Option<DocumentId>,
}

impl Keys {
    fn text(&self, key: &str) -> Option<&str> {
        self.keys.get(key).and_then(Value::as_str)
    }

    fn optional<T: DeserializeOwned>(&mut self, key: &str) -> Result<Option<T>, String> {
        match self.keys.remove(key) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => serde_json::from_value(value)
                .map(Some)
                .map_err(|error| format!("`{key}` cannot be read: {error}")),
        }
    }

    fn needed<T: DeserializeOwned>(&mut self, key: &str) -> Result<T, String> {
        self.optional(key)?.ok_or_else(|| format!("this line needs `{key}`"))
    }

    fn document(&mut self) -> Result<DocumentId, String> {
        match self.document {
            Some(document) if !self.keys.contains_key("document") => Ok(document),
            _ => self.needed("document"),
        }
    }

    /// Everything that is left, as one value.
    fn rest<T: DeserializeOwned>(&mut self) -> Result<T, String> {
        let rest = std::mem::take(&mut self.keys);
        serde_json::from_value(Value::Object(rest))
            .map_err(|error| format!("this line cannot be read: {error}"))
    }

    fn verb(&mut self, verb: &str) -> Result<What, String> {
        Ok(match verb {
            "new_episode" => What::NewEpisode(self.rest()?),
            "new_visit" => match self.optional("appointment")? {
                Some(appointment) => What::Begin(appointment),
                None => What::NewVisit(self.rest()?),
            },
            "keystroke" => What::Keystroke(Typed {
                document: self.document()?,
                field: self.needed("field")?,
                position: self.needed("position")?,
                delete: self.optional("delete")?.unwrap_or(0),
                insert: self.optional("insert")?.unwrap_or_default(),
                seen: self.optional("seen")?,
            }),
            "flush" => What::Flush(self.optional("document")?.or(self.document)),
            "show" => What::Show(self.document()?),
            "report" => What::Report(self.optional("document")?.or(self.document)),
            "list" => What::List,
            "reference" => What::Reference,
            "status" => What::Status,
            "sync" => self.sync()?,
            "connect" => What::Connect(self.optional("server")?),
            "disconnect" => What::Disconnect,
            other => {
                let other: String = other.chars().take(40).collect();
                return Err(format!("`{other}` is nothing a tablet can do"));
            }
        })
    }

    fn sync(&mut self) -> Result<What, String> {
        let until = match self.optional::<String>("until")?.as_deref() {
            None | Some("safe") => Until::Safe,
            Some("idle") => Until::Idle,
            Some(_) => return Err("`until` is `safe` or `idle`".to_owned()),
        };
        let timeout = match self.optional::<u64>("timeout_ms")? {
            None => SYNC_TIMEOUT,
            Some(ms) if ms <= TIMEOUT_MAX_MS => Duration::from_millis(ms),
            Some(_) => return Err(format!("`timeout_ms` is at most {TIMEOUT_MAX_MS}")),
        };
        Ok(What::Sync { until, timeout })
    }

    fn commands(&mut self) -> Result<What, String> {
        let (document, seen) = (self.document()?, self.optional("seen")?);
        self.keys.remove("document");
        let commands = match self.optional::<Vec<Command>>("commands")? {
            Some(commands) => commands,
            None if self.keys.contains_key("command") => vec![self.rest()?],
            None => return Err("this line needs `do`, `command` or `commands`".to_owned()),
        };
        Ok(What::Edit { document, seen, commands })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "01010101-0101-0101-0101-010101010101";

    fn check(line: &str, expected: &str) {
        let said = match Line::parse(&line.replace("ID", ID), None) {
            Ok(line) => format!("{:?}", line.what),
            Err(sentence) => sentence,
        };
        assert!(said.starts_with(expected), "{line}\n{said}\n{expected}");
    }

    #[test]
    fn a_line_that_cannot_be_read_says_what_is_wrong() {
        for (line, expected) in [
            ("{", "this is not JSON:"),
            ("[]", "a line is one JSON object"),
            ("{}", "this line needs `document`"),
            (r#"{"document":"ID"}"#, "this line needs `do`, `command` or `commands`"),
            (r#"{"do":"dance"}"#, "`dance` is nothing a tablet can do"),
            (r#"{"do":"list","colour":1}"#, "`colour` is no key of this line"),
            (r#"{"do":"show","document":"x"}"#, "`document` cannot be read:"),
            (r#"{"do":"sync","until":"never"}"#, "`until` is `safe` or `idle`"),
            (
                r#"{"document":"ID","command":"set_field","field":"a"}"#,
                "this line cannot be read: missing field `value`",
            ),
            (
                r#"{"document":"ID","command":"set_field","field":"a","value":"b","c":1}"#,
                "this line cannot be read:",
            ),
        ] {
            check(line, expected);
        }
    }

    #[test]
    fn a_patients_coming_has_a_time_of_its_own() {
        let line = format!(
            r#"{{"document":"{ID}","command":"check_in","at":"2026-03-17T09:00-05:00","device_time":"2026-03-17T14:01:02Z"}}"#
        );
        let line = Line::parse(&line, None).unwrap();
        assert_eq!(line.at.unwrap().to_string(), "2026-03-17T14:01:02.000Z");
        let What::Edit { commands, .. } = line.what else { panic!("not an edit") };
        assert_eq!(commands.first().map(Command::name), Some("check_in"));
    }

    #[test]
    fn an_amendments_kind_is_its_own() {
        check(
            r#"{"document":"ID","command":"amend","kind":"addendum","text":"t","reason":"r","at":"2026-03-17T14:01:02Z"}"#,
            "Edit { document: DocumentId(01010101",
        );
    }

    #[test]
    fn the_document_of_the_command_line_is_meant_where_a_line_names_none() {
        let document = DocumentId::parse(ID).unwrap();
        let line = Line::parse(r#"{"command":"set_field","field":"a","value":"b"}"#, Some(document)).unwrap();
        assert!(matches!(line.what, What::Edit { document: found, .. } if found == document));
    }
}
