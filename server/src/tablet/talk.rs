//! A conversation with a tablet: one line in, one answer out, in order. An edit is answered with `saved`
//! only when the tablet's disk has it.

use std::collections::BTreeSet;

use chart::ids::{ChangeHash, DocumentId, PersonId};
use chart::reference::Reference;
use chart::time::{Date, Timestamp};
use serde_json::{Map, Value, json};
use session_note::Command;
use session_note::schema::Kind;
use tablet::{Edit, SaveState, TabletError, Ticket};

use super::address::ServerAddress;
use super::driver::{Desk, Driver, DriverError, Saved};
use super::lines::{Line, Typed, What};

/// Why a line was not done: a code for programs and a sentence for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The code; docs/tablet-cli.md lists them.
    pub code: &'static str,
    /// The sentence.
    pub sentence: String,
}

impl Refused {
    fn new(code: &'static str, sentence: impl Into<String>) -> Self {
        Self { code, sentence: sentence.into() }
    }
    /// The answer's form.
    pub fn to_json(&self) -> Value {
        json!({ "ok": false, "error": { "code": self.code, "sentence": self.sentence } })
    }
}

impl From<DriverError> for Refused {
    fn from(error: DriverError) -> Self {
        let code = match &error {
            DriverError::NotSaved(_) => "not_saved",
            DriverError::Stopped => "stopped",
            DriverError::Tablet(error) => code_of(error),
        };
        Self::new(code, error.to_string())
    }
}

const fn code_of(error: &TabletError) -> &'static str {
    match error {
        TabletError::Command(_) | TabletError::Empty => "refused",
        TabletError::TooMuchAtOnce(_) => "too_much",
        TabletError::UnknownDocument(_) => "unknown_document",
        TabletError::WrongKind(_) => "wrong_kind",
        TabletError::UnknownAppointment(_) => "unknown_appointment",
        TabletError::CannotBeShown(_) => "cannot_be_shown",
        TabletError::NewerFormat => "newer_format",
        TabletError::Store(_)
        | TabletError::Vault(_)
        | TabletError::Damaged { .. }
        | TabletError::Rulebook(_) => "trouble",
    }
}

/// An answer: the keys beside `ok`.
type Answer = Result<Map<String, Value>, Refused>;

/// A tablet somebody talks to.
pub struct Talk<'a> {
    driver: &'a Driver,
    person: Option<PersonId>,
    document: Option<DocumentId>,
}

impl<'a> Talk<'a> {
    /// A conversation; `person` and `document` are meant where a line names none.
    pub fn new(driver: &'a Driver, person: Option<PersonId>, document: Option<DocumentId>) -> Self {
        Self { driver, person, document }
    }

    /// Does what a line says and answers.
    pub fn line(&self, text: &str) -> Result<Value, Refused> {
        let line =
            Line::parse(text, self.document).map_err(|sentence| Refused::new("malformed", sentence))?;
        self.take(line)
    }

    /// Does what a line says and answers.
    pub fn take(&self, line: Line) -> Result<Value, Refused> {
        let person = line.person.or(self.person);
        let by =
            || person.ok_or_else(|| Refused::new("no_person", "say who does this: \"person\" or --person"));
        let at = line.at;
        let mut answer = match line.what {
            What::Edit { document, seen, commands } => self.edit(at, by()?, document, seen, commands)?,
            What::NewEpisode(open) => self.new_episode(at, by()?, Command::OpenEpisode(open))?,
            What::NewVisit(open) => {
                let person = by()?;
                self.make(at, move |Desk { tablet, reader, now, entropy }| {
                    let (document, ticket) = tablet.create_visit(*now, *entropy, *reader, person, open)?;
                    Ok((Some(ticket), document))
                })?
            }
            What::Begin(appointment) => {
                let person = by()?;
                self.make(at, move |Desk { tablet, reader, now, entropy }| {
                    let ticket =
                        tablet.create_visit_from_appointment(*now, *entropy, *reader, person, appointment)?;
                    Ok((ticket, appointment))
                })?
            }
            What::Keystroke(typed) => self.keystroke(at, by()?, typed)?,
            What::Flush(document) => self.flush(at, person, document)?,
            What::Show(document) => self.show(at, document)?,
            What::Report(document) => self.report(at, document)?,
            What::List => self.list()?,
            What::Reference => self.reference()?,
            What::Status => self.status()?,
            What::Sync { until, timeout } => {
                let waited = self.driver.until(until, timeout).wait()?;
                let mut answer = object(json!({ "waiting": waited.waiting, "documents": waited.documents }));
                if !waited.reached {
                    let sentence = self.why_not_synced(waited.waiting, waited.documents)?;
                    return Err(Refused::new("timeout", sentence));
                }
                answer.insert("reached".to_owned(), json!(true));
                answer
            }
            What::Connect(server) => {
                let server = server.map(|server| ServerAddress::parse(&server)).transpose();
                self.driver.connect(server.map_err(|sentence| Refused::new("malformed", sentence))?);
                Map::new()
            }
            What::Disconnect => {
                self.driver.disconnect();
                Map::new()
            }
        };
        answer.insert("ok".to_owned(), json!(true));
        Ok(Value::Object(answer))
    }

    fn why_not_synced(&self, waiting: usize, documents: usize) -> Result<String, Refused> {
        let standing = self.driver.standing().wait()?;
        let why = match (standing.online, standing.offline_because) {
            (true, _) => "the clinic has not answered yet".to_owned(),
            (false, Some(why)) => why,
            (false, None) => "there is no connection to the clinic".to_owned(),
        };
        Ok(format!(
            "not in time: {waiting} changes in {documents} documents wait; {why}; all of it is saved on this tablet"
        ))
    }

    fn edit(
        &self,
        at: Option<Timestamp>,
        person: PersonId,
        document: DocumentId,
        seen: Option<BTreeSet<ChangeHash>>,
        commands: Vec<Command>,
    ) -> Answer {
        let opens_episode = commands.iter().any(|command| matches!(command, Command::OpenEpisode(_)));
        self.make(at, move |Desk { tablet, reader, now, entropy }| {
            let fresh = if opens_episode { Kind::Episode } else { Kind::Visit };
            let kind = tablet.kind(document).unwrap_or(fresh);
            let edit = Edit { person, document, kind, seen, commands };
            Ok((Some(tablet.apply(*now, *entropy, *reader, &edit)?), document))
        })
    }

    fn new_episode(&self, at: Option<Timestamp>, person: PersonId, open: Command) -> Answer {
        self.make(at, move |Desk { tablet, reader, now, entropy }| {
            let document = DocumentId::random(*entropy);
            let edit = Edit { person, document, kind: Kind::Episode, seen: None, commands: vec![open] };
            Ok((Some(tablet.apply(*now, *entropy, *reader, &edit)?), document))
        })
    }

    /// Does something that is to be saved, and says what was.
    fn make(
        &self,
        at: Option<Timestamp>,
        act: impl FnOnce(&mut Desk<'_>) -> Result<(Option<Ticket>, DocumentId), TabletError> + Send + 'static,
    ) -> Answer {
        let (document, saved) = self.driver.act(at, act).wait()?;
        let mut answer =
            object(json!({ "document": document, "saved": true, "status": self.word(document)? }));
        match saved {
            Some(Saved { heads, change, .. }) => {
                answer.insert("change".to_owned(), json!(change));
                answer.insert("heads".to_owned(), json!(heads));
            }
            // It was there already.
            None => _ = answer.insert("change".to_owned(), Value::Null),
        }
        Ok(answer)
    }

    fn word(&self, document: DocumentId) -> Result<Option<SaveState>, Refused> {
        let status = self.driver.ask(None, move |desk| Ok(desk.tablet.status(document)));
        Ok(status.wait()?.map(|status| status.save))
    }

    fn keystroke(&self, at: Option<Timestamp>, person: PersonId, typed: Typed) -> Answer {
        let document = typed.document;
        let typed = typed.by(person);
        let act = self.driver.act(at, move |Desk { tablet, reader, now, entropy }| {
            tablet.keystroke(*now, *entropy, *reader, &typed)?;
            Ok((None, ()))
        });
        act.wait()?;
        Ok(object(
            json!({ "document": document, "saved": true, "draft": true, "status": self.word(document)? }),
        ))
    }

    fn flush(&self, at: Option<Timestamp>, person: Option<PersonId>, document: Option<DocumentId>) -> Answer {
        let act = self.driver.act(at, move |Desk { tablet, reader, now, entropy }| {
            let documents: Vec<DocumentId> = match document {
                Some(document) => vec![document],
                None => tablet.documents().into_iter().map(|summary| summary.document).collect(),
            };
            for document in documents {
                match person {
                    Some(person) => tablet.blur(*now, *entropy, *reader, person, document)?,
                    None => tablet.flush(*now, *entropy, *reader, document)?,
                }
            }
            Ok((None, ()))
        });
        act.wait()?;
        Ok(object(json!({ "saved": true })))
    }

    fn show(&self, at: Option<Timestamp>, document: DocumentId) -> Answer {
        let shown = self.driver.ask(at, move |Desk { tablet, reader, now, .. }| {
            let note = tablet.note(*reader, document)?;
            let date = today(tablet.reference(), *now);
            let is_visit = tablet.kind(document) == Some(Kind::Visit);
            let report = if is_visit { Some(tablet.report(*reader, document, date)?) } else { None };
            Ok(json!({ "document": document, "status": note.status.save, "note": note, "report": report }))
        });
        Ok(object(shown.wait()?))
    }

    fn report(&self, at: Option<Timestamp>, document: Option<DocumentId>) -> Answer {
        let reports = self.driver.ask(at, move |Desk { tablet, reader, now, .. }| {
            let date = today(tablet.reference(), *now);
            let visits = match document {
                Some(document) => vec![document],
                None => {
                    let all = tablet.documents().into_iter();
                    all.filter(|one| one.kind == Kind::Visit.name()).map(|one| one.document).collect()
                }
            };
            let mut reports = Vec::new();
            for visit in visits {
                reports.push(tablet.report(*reader, visit, date)?);
            }
            Ok(json!({ "reports": reports }))
        });
        Ok(object(reports.wait()?))
    }

    fn list(&self) -> Answer {
        let documents = self.driver.ask(None, |desk| Ok(desk.tablet.documents())).wait()?;
        Ok(object(json!({ "documents": documents })))
    }

    fn reference(&self) -> Answer {
        let all = self.driver.ask(None, |desk| Ok(desk.tablet.reference().cloned().collect::<Vec<_>>()));
        Ok(object(json!({ "reference": all.wait()? })))
    }

    fn status(&self) -> Answer {
        let documents = self.driver.ask(None, |desk| {
            let all = desk.tablet.documents().into_iter();
            let rows = all.filter_map(|one| {
                let status = desk.tablet.status(one.document)?;
                Some(json!({
                    "document": one.document, "kind": one.kind, "status": status.save, "words": status.words,
                    "waiting": status.waiting, "notes": status.notes, "not_saved": status.not_saved,
                }))
            });
            Ok(rows.collect::<Vec<_>>())
        });
        let documents = documents.wait()?;
        let standing = self.driver.standing().wait()?;
        Ok(object(json!({ "connection": standing, "documents": documents })))
    }
}

/// The date on the clinic's calendar.
fn today<'r>(mut reference: impl Iterator<Item = &'r Reference>, now: Timestamp) -> Date {
    let offset = reference.find_map(|reference| match reference {
        Reference::Settings(settings) => Some(settings.utc_offset_minutes),
        _ => None,
    });
    now.clock_time(offset.unwrap_or(0)).local_date()
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(keys) => keys,
        other => Map::from_iter([("value".to_owned(), other)]),
    }
}
