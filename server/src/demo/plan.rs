//! The demo's clinic as it is written down in `clinic.json`: invented people, patients, plans and visits,
//! turned into the lines a tablet is told. Does nothing by itself.

use std::collections::BTreeMap;

use chart::entropy::Entropy;
use chart::ids::{ActivityId, DocumentId, GoalId, PatientId, PersonId, SegmentId};
use chart::time::{Date, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

/// The whole plan.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Plan {
    pub(super) name: String,
    pub(super) offset_minutes: i16,
    pub(super) people: Vec<PersonPlan>,
    pub(super) patients: Vec<PatientPlan>,
}

/// A member of staff; everything but the key is what the server is told.
#[derive(Debug, Deserialize)]
pub(super) struct PersonPlan {
    pub(super) key: String,
    pub(super) name: String,
    pub(super) credentials: String,
    #[serde(flatten)]
    pub(super) rest: BTreeMap<String, Value>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PatientPlan {
    pub(super) key: String,
    pub(super) name: String,
    pub(super) born_on: Date,
    pub(super) payer: String,
    pub(super) payer_words: String,
    pub(super) provider: String,
    pub(super) team: Vec<String>,
    pub(super) discipline: String,
    pub(super) at: String,
    pub(super) diagnoses: Vec<String>,
    pub(super) began_days_ago: u64,
    pub(super) goals: Vec<GoalPlan>,
    pub(super) visit: Option<VisitPlan>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GoalPlan {
    pub(super) key: String,
    task: String,
    baseline: String,
    target: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct VisitPlan {
    activities: Vec<ActivityPlan>,
    fields: BTreeMap<String, String>,
    texts: BTreeMap<String, String>,
    measures: Vec<(String, String)>,
    #[serde(default)]
    totals: Option<Value>,
    check_in: String,
    #[serde(default)]
    check_out: Option<String>,
    #[serde(default)]
    pub(super) sign: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ActivityPlan {
    key: String,
    goal: String,
    code: String,
    start: String,
    #[serde(default)]
    end: Option<String>,
    techniques: Vec<String>,
    fields: BTreeMap<String, String>,
}

/// The ids of one patient's chart.
#[derive(Clone, Debug)]
pub(super) struct Case {
    pub(super) patient: PatientId,
    pub(super) provider: PersonId,
    pub(super) episode: DocumentId,
    pub(super) visit: DocumentId,
    pub(super) goals: BTreeMap<String, GoalId>,
    pub(super) segments: BTreeMap<String, (ActivityId, SegmentId)>,
}

/// The day of the visits, with the clinic's clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct Day {
    pub(super) date: Date,
    pub(super) offset_minutes: i16,
}

impl Day {
    /// The day before, by the clinic's clock: every time of it has passed already.
    pub(super) fn before(now: Timestamp, offset_minutes: i16) -> Self {
        let today = now.clock_time(offset_minutes).local_date();
        Self { date: today.pred_opt().unwrap_or(today), offset_minutes }
    }

    fn zone(&self) -> String {
        let minutes = self.offset_minutes.unsigned_abs();
        let sign = if self.offset_minutes < 0 { '-' } else { '+' };
        format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
    }

    /// A time of the day, such as `09:17`, as a note writes it.
    pub(super) fn clock(&self, time: &str) -> String {
        format!("{}T{time}{}", self.date, self.zone())
    }

    /// The same, as a tablet's clock shows it.
    pub(super) fn instant(&self, time: &str) -> String {
        format!("{}T{time}:20{}", self.date, self.zone())
    }

    /// A day some days before.
    pub(super) fn days_before(&self, days: u64) -> Date {
        self.date.checked_sub_days(chrono::Days::new(days)).unwrap_or(self.date)
    }
}

impl Plan {
    /// The plan that ships with the program.
    pub(super) fn read() -> Result<Self, String> {
        serde_json::from_str(include_str!("clinic.json"))
            .map_err(|error| format!("the demo's clinic cannot be read: {error}"))
    }
}

impl Case {
    /// New ids for a patient's chart.
    pub(super) fn new(
        entropy: &mut dyn Entropy,
        plan: &PatientPlan,
        patient: PatientId,
        provider: PersonId,
    ) -> Self {
        let goals = plan.goals.iter().map(|goal| (goal.key.clone(), GoalId::random(entropy))).collect();
        let activities = plan.visit.iter().flat_map(|visit| &visit.activities);
        let segments = activities
            .map(|activity| (activity.key.clone(), (ActivityId::random(entropy), SegmentId::random(entropy))))
            .collect();
        let (episode, visit) = (DocumentId::random(entropy), DocumentId::random(entropy));
        Self { patient, provider, episode, visit, goals, segments }
    }

    /// The line that writes the plan of care.
    pub(super) fn episode_line(&self, plan: &PatientPlan, day: &Day) -> Value {
        let began = day.days_before(plan.began_days_ago);
        let due = day.date.checked_add_days(chrono::Days::new(42)).unwrap_or(day.date);
        let mut commands = vec![json!({
            "command": "open_episode", "patient": self.patient, "discipline": plan.discipline,
            "started_on": began, "facts": { "payer": plan.payer, "diagnoses": plan.diagnoses },
        })];
        for goal in &plan.goals {
            let set = json!({
                "task": goal.task, "baseline": goal.baseline, "target": goal.target,
                "due": due, "status": "active",
            });
            commands.push(json!({ "command": "set_goal", "goal": self.goals.get(&goal.key), "set": set }));
        }
        for (field, value) in [
            ("poc.established", began.to_string()),
            ("poc.first_treatment", began.to_string()),
            ("poc.signed", began.to_string()),
            ("type", "rehabilitation".to_owned()),
            ("frequency", "twice a week".to_owned()),
            ("duration", "six weeks".to_owned()),
        ] {
            commands.push(json!({ "command": "set_field", "field": field, "value": value }));
        }
        json!({ "document": self.episode, "person": self.provider, "commands": commands })
    }

    /// The lines that write a visit which was begun already: first what was done, then its words.
    pub(super) fn visit_lines(&self, plan: &PatientPlan, visit: &VisitPlan, day: &Day) -> Vec<Value> {
        let mut commands = vec![
            json!({ "command": "check_in", "at": day.clock(&visit.check_in) }),
            json!({ "command": "set_fact", "fact": "place", "value": "11" }),
            json!({ "command": "set_fact", "fact": "diagnoses", "value": plan.diagnoses }),
        ];
        for activity in &visit.activities {
            commands.extend(self.activity(activity, day));
        }
        if let Some(totals) = &visit.totals {
            commands.push(json!({ "command": "set_fact", "fact": "totals", "value": totals }));
        }
        if let Some(check_out) = &visit.check_out {
            commands.push(json!({ "command": "check_out", "at": day.clock(check_out) }));
        }
        let mut words = Vec::new();
        for (field, value) in &visit.fields {
            words.push(json!({ "command": "set_field", "field": field, "value": value }));
        }
        for (name, value) in &visit.measures {
            words.push(json!({ "command": "set_measure", "name": name, "value": value }));
        }
        for (field, text) in &visit.texts {
            words.push(json!({ "command": "splice_text", "field": field, "position": 0, "insert": text }));
        }
        let at = day.instant(&visit.check_in);
        let line = |commands: Vec<Value>| json!({ "document": self.visit, "person": self.provider, "at": at, "commands": commands });
        vec![line(commands), line(words)]
    }

    fn activity(&self, plan: &ActivityPlan, day: &Day) -> Vec<Value> {
        let Some((activity, segment)) = self.segments.get(&plan.key) else { return Vec::new() };
        let start = day.clock(&plan.start);
        let mut commands = vec![match &plan.end {
            Some(end) => json!({
                "command": "record_segment", "activity": activity, "segment": segment,
                "value": { "code": plan.code, "start": start, "end": day.clock(end), "mode": "one_on_one" },
            }),
            None => json!({
                "command": "start_segment", "activity": activity, "segment": segment,
                "code": plan.code, "start": start, "mode": "one_on_one",
            }),
        }];
        for technique in &plan.techniques {
            commands
                .push(json!({ "command": "add_technique", "activity": activity, "technique": technique }));
        }
        for (field, value) in &plan.fields {
            commands.push(json!({
                "command": "set_activity_field", "activity": activity, "field": field, "value": value,
            }));
        }
        let goal = self.goals.get(&plan.goal);
        commands.push(json!({ "command": "link_goal", "activity": activity, "goal": goal }));
        commands
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plan_can_be_read_and_names_only_people_it_has() {
        let plan = Plan::read().unwrap();
        let known: Vec<&str> = plan.people.iter().map(|person| person.key.as_str()).collect();
        for patient in &plan.patients {
            for key in patient.team.iter().chain([&patient.provider]) {
                assert!(known.contains(&key.as_str()), "{key}");
            }
            let goals: Vec<&str> = patient.goals.iter().map(|goal| goal.key.as_str()).collect();
            for activity in patient.visit.iter().flat_map(|visit| &visit.activities) {
                assert!(goals.contains(&activity.goal.as_str()), "{}", activity.goal);
            }
        }
        assert!(plan.patients.len() >= 8);
    }

    #[test]
    fn times_are_written_with_the_clinics_offset() {
        let date = Date::from_ymd_opt(2026, 3, 17).unwrap();
        let day = Day { date, offset_minutes: -300 };
        assert_eq!(day.clock("09:17"), "2026-03-17T09:17-05:00");
        assert_eq!(day.instant("09:17"), "2026-03-17T09:17:20-05:00");
    }
}
