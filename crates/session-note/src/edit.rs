//! What each command writes, and when it does not fit what its author saw.
//!
//! Writes only named keys; never reconciles a whole struct, never overwrites a version of a billing
//! fact, never deletes. Knows no clock: the time of the change is handed in.

mod facts;

use std::collections::BTreeSet;

use automerge::transaction::{Transactable, Transaction};
use automerge::{AutomergeError, ObjId, ObjType, ROOT, ReadDoc, Value};
use chart::ids::{ActivityId, ChangeHash};
use chart::time::Timestamp;
use chart::visit::Visit;

use crate::author::Author;
use crate::command::{Command, Issued, OpenEpisode, OpenVisit};
use crate::schema::{Kind, activity as activity_key, root};

/// Why a command was not carried out; nothing of its batch was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// The heads the author saw are not all part of this document.
    #[error("the note was not seen in a state this tablet holds")]
    UnknownHeads,
    /// The commands change nothing.
    #[error("nothing would change")]
    NothingChanged,
    /// The command belongs to the other kind of document.
    #[error("`{0}` does not belong to this kind of document")]
    WrongKind(&'static str),
    /// The note shown was signed.
    #[error("the note is signed: `{0}` is not possible any more, add an amendment instead")]
    Signed(&'static str),
    /// No such activity, segment, text or fact.
    #[error("there is no {0} with this name in the note")]
    NotFound(&'static str),
    /// It is there already.
    #[error("the {0} is there already")]
    AlreadyThere(&'static str),
    /// The segment is not running.
    #[error("the activity is not running")]
    NotRunning,
    /// People disagree on the value, so a part of it cannot be changed.
    #[error("two tablets disagree on this value: choose one first")]
    Disputed,
    /// There is nothing to choose between.
    #[error("there is no dispute about this value")]
    NoDispute,
    /// A text position beyond the end.
    #[error("position {position} with {delete} characters to take out lies beyond the end of the text")]
    BeyondText {
        /// The position asked for.
        position: usize,
        /// How many characters were to be taken out.
        delete: usize,
    },
    /// A value that does not have the form of its fact.
    #[error("the value does not fit `{0}`")]
    WrongValue(String),
    /// A reason is required and missing.
    #[error("a reason is required")]
    ReasonMissing,
    /// A signature in one change with something else.
    #[error("a signature stands alone: save the other edits first")]
    SignAlone,
    /// A text over the limit.
    #[error("{what} is over the limit of {limit} bytes")]
    TooLong {
        /// What is too long.
        what: &'static str,
        /// The limit in bytes.
        limit: usize,
    },
    /// The engine refused.
    #[error("the document refused the change: {0}")]
    Engine(String),
}

impl From<AutomergeError> for CommandError {
    fn from(error: AutomergeError) -> Self {
        Self::Engine(error.to_string())
    }
}

/// The longest single text a command may carry, in bytes.
pub const TEXT_BYTES_MAX: usize = 32 * 1024;
/// The largest entry, a signature with its content included, in bytes; the gate takes no larger value.
pub(crate) const ENTRY_BYTES_MAX: usize = 64 * 1024;
/// The longest name of a field, technique or path, in bytes.
pub const NAME_BYTES_MAX: usize = 200;

/// What the author saw: the heads, and the visit read there when the command is a signature.
pub(crate) struct Seen<'a> {
    pub(crate) heads: &'a BTreeSet<ChangeHash>,
    pub(crate) shown: Option<&'a Visit>,
}

pub(crate) fn apply(
    tx: &mut Transaction<'_>,
    kind: Kind,
    author: &Author,
    at: Timestamp,
    seen: &Seen<'_>,
    commands: &[Issued],
) -> Result<(), CommandError> {
    if commands.len() > 1 && commands.iter().any(|issued| matches!(issued.command, Command::Sign { .. })) {
        return Err(CommandError::SignAlone);
    }
    register_actor(tx, author)?;
    let signed = kind == Kind::Visit && tx.length(container(tx, root::SIGNATURES)?) > 0;
    let mut editor = Editor { tx, kind, author, at, seen };
    for issued in commands {
        if signed && !issued.command.may_follow_signature() {
            return Err(CommandError::Signed(issued.command.name()));
        }
        editor.apply(issued)?;
    }
    Ok(())
}

/// Every actor's first change says whose it is.
fn register_actor(tx: &mut Transaction<'_>, author: &Author) -> Result<(), CommandError> {
    let actors = container(tx, root::ACTORS)?;
    let key = author.actor.to_string();
    if tx.get(&actors, key.as_str())?.is_none() {
        tx.put(&actors, key, format!("{} {}", author.person, author.device))?;
    }
    Ok(())
}

fn container<R: ReadDoc>(doc: &R, name: &'static str) -> Result<ObjId, CommandError> {
    match doc.get(ROOT, name)? {
        Some((Value::Object(_), id)) => Ok(id),
        _ => Err(CommandError::NotFound(name)),
    }
}

struct Editor<'a, 'doc> {
    tx: &'a mut Transaction<'doc>,
    kind: Kind,
    author: &'a Author,
    at: Timestamp,
    seen: &'a Seen<'a>,
}

impl Editor<'_, '_> {
    fn apply(&mut self, issued: &Issued) -> Result<(), CommandError> {
        let name = issued.command.name();
        let for_episode = matches!(issued.command, Command::OpenEpisode(_) | Command::SetGoal { .. });
        let for_both = matches!(
            issued.command,
            Command::SetFact { .. } | Command::SetField { .. } | Command::Resolve { .. }
        ) || matches!(issued.command, Command::SpliceText { .. });
        if !for_both && for_episode != (self.kind == Kind::Episode) {
            return Err(CommandError::WrongKind(name));
        }
        match &issued.command {
            Command::OpenVisit(open) => self.open_visit(issued, open),
            Command::OpenEpisode(open) => self.open_episode(issued, open),
            Command::StartSegment { .. }
            | Command::StopSegment { .. }
            | Command::RecordSegment { .. }
            | Command::CorrectSegment { .. }
            | Command::SetFact { .. }
            | Command::Resolve { .. } => self.apply_fact(issued),
            Command::SpliceText { field, position, delete, insert } => {
                self.splice(field, *position, *delete, insert)
            }
            _ => self.apply_entry(issued),
        }
    }

    fn apply_entry(&mut self, issued: &Issued) -> Result<(), CommandError> {
        match &issued.command {
            Command::SameActivity { a, b } => self.same_activity(*a, *b),
            Command::SetField { field, value } => self.put_text(root::FIELDS, field, value),
            Command::SetActivityField { activity, field, value } => {
                check_lengths(field, value)?;
                let fields = self.activity_part(*activity, activity_key::FIELDS)?;
                self.put(&fields, field, value)
            }
            Command::AddTechnique { activity, technique } => self.technique(*activity, technique, true),
            Command::RemoveTechnique { activity, technique } => self.technique(*activity, technique, false),
            Command::LinkGoal { activity, goal } => {
                let activity = self.activity(*activity)?;
                self.put(&activity, activity_key::GOAL, &goal.to_string())
            }
            Command::SetMeasure { measure, name, value } => {
                let entry = serde_json::json!({ "name": name, "value": value });
                let key = issued.entry_id(*measure).to_string();
                self.put_text(root::MEASURES, &key, &entry.to_string())
            }
            Command::SetGoalStatus { goal, status } => {
                self.put_text(root::GOAL_STATUS, &goal.to_string(), status)
            }
            Command::SetGoal { goal, set } => self.set_goal(&issued.goal_id(*goal).to_string(), set),
            Command::Attest { anchor } => {
                self.once(root::ATTESTATIONS, issued, &serde_json::json!({ "anchor": anchor }))
            }
            Command::Comment { anchor, text } => {
                self.once(root::COMMENTS, issued, &serde_json::json!({ "anchor": anchor, "text": text }))
            }
            Command::CheckIn { at } => self.put_text(root::HEADER, "check_in", &at.to_string()),
            Command::CheckOut { at } => self.put_text(root::HEADER, "check_out", &at.to_string()),
            Command::Sign { meaning, credentials, report_digest, billing_view } => {
                let shown = self.seen.shown.ok_or(CommandError::UnknownHeads)?;
                let content = crate::sign::content(shown);
                let entry = serde_json::json!({
                    "meaning": meaning, "credentials": credentials, "heads": self.seen.heads,
                    "content_digest": crate::sign::digest(&content), "content": content,
                    "report_digest": report_digest, "billing_view": billing_view,
                    "open_disputes": crate::dispute::disputes(shown).len(),
                });
                self.once(root::SIGNATURES, issued, &entry)
            }
            Command::Amend { kind, text, reason } => {
                if reason.trim().is_empty() {
                    return Err(CommandError::ReasonMissing);
                }
                let entry = serde_json::json!({ "kind": kind, "text": text, "reason": reason });
                self.once(root::AMENDMENTS, issued, &entry)
            }
            other => Err(CommandError::WrongKind(other.name())),
        }
    }

    fn open_visit(&mut self, issued: &Issued, open: &OpenVisit) -> Result<(), CommandError> {
        let header = container(self.tx, root::HEADER)?;
        let parts = [
            ("patient", open.patient.map(|id| id.to_string())),
            ("episode", open.episode.map(|id| id.to_string())),
            ("clinic", open.clinic.map(|id| id.to_string())),
            ("discipline", open.discipline.as_ref().map(ToString::to_string)),
        ];
        self.put_parts(&header, parts)?;
        self.put_facts(issued, &open.facts)
    }

    fn open_episode(&mut self, issued: &Issued, open: &OpenEpisode) -> Result<(), CommandError> {
        let header = container(self.tx, root::HEADER)?;
        let parts = [
            ("patient", open.patient.map(|id| id.to_string())),
            ("discipline", open.discipline.as_ref().map(ToString::to_string)),
            ("started_on", open.started_on.map(|date| date.to_string())),
        ];
        self.put_parts(&header, parts)?;
        self.put_facts(issued, &open.facts)
    }

    fn put_parts<const N: usize>(
        &mut self,
        header: &ObjId,
        parts: [(&str, Option<String>); N],
    ) -> Result<(), CommandError> {
        for (key, value) in parts {
            if let Some(value) = value {
                self.put(header, key, &value)?;
            }
        }
        Ok(())
    }

    fn put_text(&mut self, map: &'static str, key: &str, value: &str) -> Result<(), CommandError> {
        check_lengths(key, value)?;
        let map = container(self.tx, map)?;
        self.put(&map, key, value)
    }

    /// Sets a plain field. Where two tablets wrote it at once, the engine would turn a put of the value it
    /// shows into a removal of the others, and nothing is ever removed: so another value goes between.
    fn put(&mut self, map: &ObjId, key: &str, value: &str) -> Result<(), CommandError> {
        if self.tx.get_all(map, key)?.len() > 1 {
            let between = if value.is_empty() { "-" } else { "" };
            self.tx.put(map, key, between)?;
        }
        Ok(self.tx.put(map, key, value)?)
    }

    /// Writes an entry that nobody may ever overwrite.
    fn once(
        &mut self,
        map: &'static str,
        issued: &Issued,
        entry: &serde_json::Value,
    ) -> Result<(), CommandError> {
        let map_id = container(self.tx, map)?;
        let key = issued.entry_id(None).to_string();
        if self.tx.get(&map_id, key.as_str())?.is_some() {
            return Err(CommandError::AlreadyThere("entry"));
        }
        let text = entry.to_string();
        if text.len() > ENTRY_BYTES_MAX {
            return Err(CommandError::TooLong { what: "the signed content", limit: ENTRY_BYTES_MAX });
        }
        Ok(self.tx.put(&map_id, key, text)?)
    }

    fn activity(&self, id: ActivityId) -> Result<ObjId, CommandError> {
        let activities = container(self.tx, root::ACTIVITIES)?;
        match self.tx.get(&activities, id.to_string())? {
            Some((Value::Object(ObjType::Map), object)) => Ok(object),
            _ => Err(CommandError::NotFound("activity")),
        }
    }

    fn activity_part(&self, id: ActivityId, part: &'static str) -> Result<ObjId, CommandError> {
        match self.tx.get(self.activity(id)?, part)? {
            Some((Value::Object(ObjType::Map), object)) => Ok(object),
            _ => Err(CommandError::NotFound("activity part")),
        }
    }

    /// Makes the activity unless it is there.
    fn ensure_activity(&mut self, id: ActivityId) -> Result<(), CommandError> {
        if self.activity(id).is_ok() {
            return Ok(());
        }
        let activities = container(self.tx, root::ACTIVITIES)?;
        let activity = self.tx.put_object(&activities, id.to_string(), ObjType::Map)?;
        self.tx.put_object(&activity, activity_key::TECHNIQUES, ObjType::Map)?;
        self.tx.put_object(&activity, activity_key::FIELDS, ObjType::Map)?;
        Ok(())
    }

    fn technique(&mut self, activity: ActivityId, name: &str, add: bool) -> Result<(), CommandError> {
        check_lengths(name, "")?;
        let techniques = self.activity_part(activity, activity_key::TECHNIQUES)?;
        let time = if add { self.at.unix_ms().max(0) } else { -1 };
        if self.tx.get_all(&techniques, name)?.len() > 1 {
            self.tx.put(&techniques, name, time.saturating_add(1))?;
        }
        Ok(self.tx.put(&techniques, name, time)?)
    }

    fn same_activity(&mut self, a: ActivityId, b: ActivityId) -> Result<(), CommandError> {
        self.activity(a)?;
        self.activity(b)?;
        if a == b {
            return Err(CommandError::NothingChanged);
        }
        let same = container(self.tx, root::SAME)?;
        let key = format!("{}:{}", a.min(b), a.max(b));
        if self.tx.get(&same, key.as_str())?.is_some() {
            return Err(CommandError::NothingChanged);
        }
        Ok(self.tx.put(&same, key, true)?)
    }

    fn set_goal(
        &mut self,
        key: &str,
        set: &std::collections::BTreeMap<String, String>,
    ) -> Result<(), CommandError> {
        let goals = container(self.tx, root::GOALS)?;
        let goal = match self.tx.get(&goals, key)? {
            Some((Value::Object(ObjType::Map), goal)) => goal,
            Some(_) => return Err(CommandError::NotFound("goal")),
            None => self.tx.put_object(&goals, key, ObjType::Map)?,
        };
        for (part, value) in set {
            if !["task", "baseline", "target", "due", "status"].contains(&part.as_str()) {
                return Err(CommandError::WrongValue(format!("goal.{part}")));
            }
            check_lengths(part, value)?;
            self.put(&goal, part, value)?;
        }
        Ok(())
    }

    fn splice(
        &mut self,
        field: &str,
        position: usize,
        delete: usize,
        insert: &str,
    ) -> Result<(), CommandError> {
        check_lengths(field, insert)?;
        let texts = container(self.tx, root::TEXT)?;
        let Some((Value::Object(ObjType::Text), text)) = self.tx.get(&texts, field)? else {
            return Err(CommandError::NotFound("text"));
        };
        let length = self.tx.length(&text);
        if position.saturating_add(delete) > length {
            return Err(CommandError::BeyondText { position, delete });
        }
        let delete = isize::try_from(delete).map_err(|_| CommandError::BeyondText { position, delete })?;
        Ok(self.tx.splice_text(&text, position, delete, insert)?)
    }
}

fn check_lengths(name: &str, value: &str) -> Result<(), CommandError> {
    if name.len() > NAME_BYTES_MAX {
        return Err(CommandError::TooLong { what: "a name", limit: NAME_BYTES_MAX });
    }
    if value.len() > TEXT_BYTES_MAX {
        return Err(CommandError::TooLong { what: "a text", limit: TEXT_BYTES_MAX });
    }
    Ok(())
}
