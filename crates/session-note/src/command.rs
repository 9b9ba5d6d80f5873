//! Everything a person can do to a note: one closed enum.
//!
//! A command is kept beside the change it became, so that work can be replayed under a new actor with
//! its original ids, author and time. Ids a command does not name are derived from the command's own
//! id, so a replay makes the same ones.

use std::collections::{BTreeMap, BTreeSet};

use chart::code::{Discipline, Mode, ServiceCode};
use chart::ids::{
    ActivityId, ClinicId, CommandId, Digest, DocumentId, EntryId, GoalId, PatientId, PersonId, SegmentId,
    VersionId,
};
use chart::time::{ClockTime, Minutes};
use chart::visit::SegmentValue;
use serde::{Deserialize, Serialize};
use sha2::Digest as _;

/// One thing a person did, with the id it is known by.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Issued {
    /// The command's id.
    pub id: CommandId,
    /// What was done.
    #[serde(flatten)]
    pub command: Command,
}

impl Issued {
    /// The `n`-th id derived from this command.
    pub(crate) fn derived(&self, purpose: &str, n: u32) -> [u8; 16] {
        let mut hash = sha2::Sha256::new();
        hash.update(b"gaitway derived id 1");
        hash.update(self.id.as_bytes());
        hash.update(purpose.as_bytes());
        hash.update(n.to_le_bytes());
        let digest: [u8; 32] = hash.finalize().into();
        let mut id = [0u8; 16];
        id.copy_from_slice(digest.get(..16).unwrap_or(&[0; 16]));
        id
    }
    pub(crate) fn version_id(&self, n: u32) -> VersionId {
        VersionId::from_bytes(self.derived("version", n))
    }
    pub(crate) fn entry_id(&self, given: Option<EntryId>) -> EntryId {
        given.unwrap_or_else(|| EntryId::from_bytes(self.derived("entry", 0)))
    }
    /// The activity this command makes or names.
    pub fn activity_id(&self, given: Option<ActivityId>) -> ActivityId {
        given.unwrap_or_else(|| ActivityId::from_bytes(self.derived("activity", 0)))
    }
    /// The segment this command makes or names.
    pub fn segment_id(&self, given: Option<SegmentId>) -> SegmentId {
        given.unwrap_or_else(|| SegmentId::from_bytes(self.derived("segment", 0)))
    }
    /// The goal this command makes or names.
    pub fn goal_id(&self, given: Option<GoalId>) -> GoalId {
        given.unwrap_or_else(|| GoalId::from_bytes(self.derived("goal", 0)))
    }
}

/// Everything a person can do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    /// Begins or completes the head of a visit.
    OpenVisit(OpenVisit),
    /// Begins or completes the head of an episode.
    OpenEpisode(OpenEpisode),
    /// Starts a stretch of time; makes the activity if it is not there.
    StartSegment {
        /// The activity; a new one if absent.
        #[serde(default)]
        activity: Option<ActivityId>,
        /// The segment; a new one if absent.
        #[serde(default)]
        segment: Option<SegmentId>,
        /// The service.
        code: ServiceCode,
        /// When it began.
        start: ClockTime,
        /// How the time is spent.
        #[serde(default)]
        mode: Option<Mode>,
        /// Who does it; the author if absent.
        #[serde(default)]
        performer: Option<PersonId>,
    },
    /// Stops a running segment.
    StopSegment {
        /// The activity.
        activity: ActivityId,
        /// The segment.
        segment: SegmentId,
        /// When it ended.
        end: ClockTime,
        /// Monotonic elapsed time in milliseconds, as evidence.
        #[serde(default)]
        elapsed_ms: Option<u64>,
    },
    /// Records a whole stretch of time at once.
    RecordSegment {
        /// The activity; a new one if absent.
        #[serde(default)]
        activity: Option<ActivityId>,
        /// The segment; a new one if absent.
        #[serde(default)]
        segment: Option<SegmentId>,
        /// All its values.
        value: SegmentValue,
    },
    /// Corrects some values of a segment, keeping the others.
    CorrectSegment {
        /// The activity.
        activity: ActivityId,
        /// The segment.
        segment: SegmentId,
        /// What changes.
        set: SegmentPatch,
        /// Why.
        reason: String,
    },
    /// Sets a billing fact of the whole note (see [`crate::schema::fact`]).
    SetFact {
        /// Which fact.
        fact: String,
        /// Its value, in the JSON form of that fact.
        value: serde_json::Value,
        /// Why, where it corrects an earlier value.
        #[serde(default)]
        reason: Option<String>,
    },
    /// Settles a dispute: the chosen version's value replaces every open one.
    Resolve {
        /// The fact, as the dispute names it.
        fact: String,
        /// The version whose value holds.
        choose: VersionId,
        /// Why.
        reason: String,
    },
    /// Says that two activities are one and the same.
    SameActivity {
        /// One name.
        a: ActivityId,
        /// The other.
        b: ActivityId,
    },
    /// Sets a plain field of the note.
    SetField {
        /// Its name.
        field: String,
        /// Its value.
        value: String,
    },
    /// Sets a plain field of an activity.
    SetActivityField {
        /// The activity.
        activity: ActivityId,
        /// The field's name.
        field: String,
        /// Its value.
        value: String,
    },
    /// Adds a technique to an activity.
    AddTechnique {
        /// The activity.
        activity: ActivityId,
        /// The technique.
        technique: String,
    },
    /// Takes a technique off an activity; the record keeps that it was there.
    RemoveTechnique {
        /// The activity.
        activity: ActivityId,
        /// The technique.
        technique: String,
    },
    /// Links an activity to the goal it serves.
    LinkGoal {
        /// The activity.
        activity: ActivityId,
        /// The goal.
        goal: GoalId,
    },
    /// Changes a text where the author's cursor stood.
    SpliceText {
        /// The text field.
        field: String,
        /// Where, in Unicode code points from the start of what the author saw.
        position: usize,
        /// How many code points are taken out there.
        #[serde(default)]
        delete: usize,
        /// What is put in.
        #[serde(default)]
        insert: String,
    },
    /// Records a measurement.
    SetMeasure {
        /// Which; a new one if absent.
        #[serde(default)]
        measure: Option<EntryId>,
        /// What was measured.
        name: String,
        /// The value with its unit.
        value: String,
    },
    /// Says how a goal stands after this visit.
    SetGoalStatus {
        /// The goal.
        goal: GoalId,
        /// How it stands.
        status: String,
    },
    /// Sets some parts of a goal of the episode; makes the goal if it is not there.
    SetGoal {
        /// The goal; a new one if absent.
        #[serde(default)]
        goal: Option<GoalId>,
        /// The parts by name: `task`, `baseline`, `target`, `due`, `status`.
        set: BTreeMap<String, String>,
    },
    /// Confirms that a value is right as it stands.
    Attest {
        /// Which, as a path.
        anchor: String,
    },
    /// Comments on a field.
    Comment {
        /// Which, as a path.
        anchor: String,
        /// The comment.
        text: String,
    },
    /// The patient came in.
    CheckIn {
        /// When.
        at: ClockTime,
    },
    /// The patient left.
    CheckOut {
        /// When.
        at: ClockTime,
    },
    /// Signs what the author saw.
    Sign {
        /// `author` or `co_sign`.
        meaning: String,
        /// Professional designation as printed.
        credentials: String,
        /// Digest of the report that was shown.
        #[serde(default)]
        report_digest: Option<Digest>,
        /// The units that were shown, in words.
        #[serde(default)]
        billing_view: String,
    },
    /// Adds to a signed note.
    Amend {
        /// `addendum`, `late_entry` or `correction`.
        kind: String,
        /// The text.
        text: String,
        /// Why.
        reason: String,
    },
}

/// The head of a visit.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenVisit {
    /// Whose visit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patient: Option<PatientId>,
    /// Of which episode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub episode: Option<DocumentId>,
    /// At which clinic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clinic: Option<ClinicId>,
    /// Under which plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub discipline: Option<Discipline>,
    /// Billing facts by name, each in its JSON form.
    #[serde(default)]
    pub facts: BTreeMap<String, serde_json::Value>,
}

/// The head of an episode.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenEpisode {
    /// Whose episode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patient: Option<PatientId>,
    /// The discipline of the plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub discipline: Option<Discipline>,
    /// When treatment began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_on: Option<chart::time::Date>,
    /// Billing facts by name: `payer`, `diagnoses`.
    #[serde(default)]
    pub facts: BTreeMap<String, serde_json::Value>,
}

/// What changes in a segment: absent fields stay as they were.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SegmentPatch {
    /// The service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<ServiceCode>,
    /// The start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<ClockTime>,
    /// The end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<ClockTime>,
    /// Minutes typed without times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub typed_minutes: Option<Minutes>,
    /// How the time was spent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// Who did it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub performer: Option<PersonId>,
    /// Who directed a student.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directed_by: Option<PersonId>,
    /// Who supervised an assistant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supervised_by: Option<PersonId>,
    /// The share of a co-treatment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub co_treatment_share: Option<Minutes>,
    /// Whether it counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counted: Option<bool>,
    /// Whether it was recorded by mistake.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entered_in_error: Option<bool>,
}

impl Command {
    /// The command's name, as in its JSON form; it becomes the change's message.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::OpenVisit(_) => "open_visit",
            Self::OpenEpisode(_) => "open_episode",
            Self::StartSegment { .. } => "start_segment",
            Self::StopSegment { .. } => "stop_segment",
            Self::RecordSegment { .. } => "record_segment",
            Self::CorrectSegment { .. } => "correct_segment",
            Self::SetFact { .. } => "set_fact",
            Self::Resolve { .. } => "resolve",
            Self::SameActivity { .. } => "same_activity",
            Self::SetField { .. } => "set_field",
            Self::SetActivityField { .. } => "set_activity_field",
            Self::AddTechnique { .. } => "add_technique",
            Self::RemoveTechnique { .. } => "remove_technique",
            Self::LinkGoal { .. } => "link_goal",
            Self::SpliceText { .. } => "splice_text",
            Self::SetMeasure { .. } => "set_measure",
            Self::SetGoalStatus { .. } => "set_goal_status",
            Self::SetGoal { .. } => "set_goal",
            Self::Attest { .. } => "attest",
            Self::Comment { .. } => "comment",
            Self::CheckIn { .. } => "check_in",
            Self::CheckOut { .. } => "check_out",
            Self::Sign { .. } => "sign",
            Self::Amend { .. } => "amend",
        }
    }
    /// Whether it may be given to somebody who has seen the note signed: everything else must be an
    /// amendment. Corrections and resolutions name their reason and so are amendments of the times.
    pub fn may_follow_signature(&self) -> bool {
        match self {
            Self::Amend { .. } | Self::Comment { .. } | Self::Attest { .. } | Self::Sign { .. } => true,
            Self::CorrectSegment { reason, .. } | Self::Resolve { reason, .. } => !reason.trim().is_empty(),
            Self::SetFact { reason, .. } => reason.as_deref().is_some_and(|text| !text.trim().is_empty()),
            _ => false,
        }
    }
}

/// The texts a batch of commands touches, for the change's message.
pub(crate) fn message_of(commands: &[Issued]) -> String {
    let mut names: BTreeSet<String> = BTreeSet::new();
    for issued in commands {
        match &issued.command {
            Command::SpliceText { field, .. } => names.insert(format!("text:{field}")),
            other => names.insert(other.name().to_owned()),
        };
    }
    names.into_iter().collect::<Vec<_>>().join(" ")
}
