//! What people do on their tablets: always something the screen offers, on what they last looked at.
//! Whether it is allowed is the machine's business; a refusal is an answer, any other error is not.

use std::collections::BTreeSet;

use chart::code::{Discipline, ServiceCode};
use chart::ids::{ActivityId, DocumentId, PatientId, SegmentId};
use chart::register::{Fact, Register};
use chart::time::Timestamp;
use chart::visit::{SegmentValue, Visit};
use session_note::Command;
use session_note::command::{OpenEpisode, OpenVisit, SegmentPatch};
use session_note::dispute::disputes;
use session_note::schema::{Kind, fact};
use tablet::{NoteView, Tablet};

use crate::cast::Offer;
use crate::clinic::{EPISODE, PATIENTS, clock, day};
use crate::dice::Dice;
use crate::reference::{Effect, Model};

/// What somebody is about to do.
#[derive(Clone, Debug)]
pub(crate) enum Deed {
    /// Begin the visit of an appointment.
    Begin(DocumentId),
    /// Begin a visit without an appointment.
    WalkIn(Box<OpenVisit>),
    /// Edit a document.
    Edit(DocumentId, Kind, Box<Command>, Effect),
}

/// Whose episode it is.
const EPISODE_OF: PatientId = PATIENTS[0];

/// Chooses a document to work on: one that is there, or one to begin.
pub(crate) fn choose(dice: &mut Dice, offer: &Offer, tablet: &Tablet) -> Deed {
    let held: Vec<DocumentId> = tablet.documents().into_iter().map(|summary| summary.document).collect();
    if held.is_empty() || dice.chance(1, 6) {
        let visit = dice.pick(&offer.visits).copied().unwrap_or(EPISODE);
        return match dice.below(8) {
            0 if held.len() < 5 => Deed::WalkIn(Box::new(walk_in(dice, offer))),
            1 if offer.patients.contains(&EPISODE_OF) => open_episode(dice),
            _ => Deed::Begin(visit),
        };
    }
    let document = dice.pick(&held).copied().unwrap_or(EPISODE);
    let kind = tablet.kind(document).unwrap_or(Kind::Visit);
    let check_in = Command::CheckIn { at: clock(day(0), 540 + dice.below(60)) };
    Deed::Edit(document, kind, Box::new(check_in), Effect::Plain)
}

fn walk_in(dice: &mut Dice, offer: &Offer) -> OpenVisit {
    let provider = dice.pick(&offer.people).copied();
    let date = day(dice.below(2));
    OpenVisit {
        patient: dice.pick(&offer.patients).copied(),
        episode: None,
        clinic: None,
        discipline: Some(Discipline::PhysicalTherapy),
        facts: [
            (fact::PROVIDER.to_owned(), serde_json::json!(provider)),
            (fact::DATE.to_owned(), serde_json::json!(date)),
        ]
        .into(),
    }
}

fn open_episode(dice: &mut Dice) -> Deed {
    let open = OpenEpisode {
        patient: Some(EPISODE_OF),
        discipline: Some(Discipline::PhysicalTherapy),
        started_on: Some(day(dice.below(2))),
        facts: [].into(),
    };
    Deed::Edit(EPISODE, Kind::Episode, Box::new(Command::OpenEpisode(open)), Effect::Plain)
}

/// Chooses what to do to the document shown.
pub(crate) fn command(
    dice: &mut Dice,
    offer: &Offer,
    model: &mut Model,
    now: Timestamp,
    view: &NoteView,
) -> (Command, Effect) {
    match &view.visit {
        Some(visit) => on_visit(dice, offer, model, now, visit),
        None => on_episode(dice),
    }
}

fn on_episode(dice: &mut Dice) -> (Command, Effect) {
    let target = format!("{} m", dice.below(100));
    (Command::SetGoal { goal: None, set: [("target".to_owned(), target)].into() }, Effect::Plain)
}

fn on_visit(
    dice: &mut Dice,
    offer: &Offer,
    model: &mut Model,
    now: Timestamp,
    visit: &Visit,
) -> (Command, Effect) {
    let mark = model.mark();
    let reason = format!("reason {mark}");
    let because = Effect::Reason(reason.clone());
    let segments = segments(visit);
    let open = disputes(visit);
    match dice.below(16) {
        0..=2 => record(dice, mark),
        3 => start(dice, now),
        4 => stop(dice, now, &segments).unwrap_or_else(|| record(dice, mark)),
        5 | 6 => correct(dice, offer, &segments, reason, because).unwrap_or_else(|| record(dice, mark)),
        7 | 8 => match dice.pick(&open).and_then(|dispute| {
            let sides: Vec<_> = dispute.sides.iter().flat_map(|side| side.versions.iter().copied()).collect();
            Some((dispute.fact.clone(), dice.pick(&sides).copied()?))
        }) {
            Some((fact, choose)) => (Command::Resolve { fact, choose, reason }, because),
            None => set_fact(dice, offer, reason, because),
        },
        9 | 10 => set_fact(dice, offer, reason, because),
        11 => same(dice, visit).unwrap_or_else(|| record(dice, mark)),
        12 => comment(mark),
        13 => {
            let name = format!("measure {mark}");
            let value = format!("{} degrees", dice.below(120));
            (Command::SetMeasure { measure: None, name: name.clone(), value }, Effect::Measure(name))
        }
        14 => plain(dice, visit, now),
        _ => closing(dice, mark, visit),
    }
}

/// Every segment with its register.
fn segments(visit: &Visit) -> Vec<(ActivityId, SegmentId, Register<SegmentValue>)> {
    let of = |(activity, content): (&ActivityId, &chart::visit::Activity)| {
        let activity = *activity;
        let own = content.segments.iter();
        own.map(move |(segment, register)| (activity, *segment, register.clone())).collect::<Vec<_>>()
    };
    visit.activities.iter().flat_map(of).collect()
}

fn code(dice: &mut Dice) -> Option<ServiceCode> {
    let codes = ["97110", "97112", "97140", "97530"];
    dice.pick(&codes).and_then(|code| ServiceCode::parse(code).ok())
}

fn record(dice: &mut Dice, mark: u64) -> (Command, Effect) {
    let Some(code) = code(dice) else { return comment(mark) };
    let start = 540 + dice.below(120);
    let value = SegmentValue {
        start: Some(clock(day(0), start)),
        end: Some(clock(day(0), start + 5 + dice.below(35))),
        elapsed_ms: Some(mark),
        ..SegmentValue::of(code)
    };
    (Command::RecordSegment { activity: None, segment: None, value }, Effect::Recorded(mark))
}

fn start(dice: &mut Dice, now: Timestamp) -> (Command, Effect) {
    let Some(code) = code(dice) else { return comment(0) };
    let start = now.clock_time(crate::clinic::OFFSET_MINUTES);
    let command =
        Command::StartSegment { activity: None, segment: None, code, start, mode: None, performer: None };
    (command, Effect::Plain)
}

fn stop(
    dice: &mut Dice,
    now: Timestamp,
    segments: &[(ActivityId, SegmentId, Register<SegmentValue>)],
) -> Option<(Command, Effect)> {
    let running: Vec<_> = segments
        .iter()
        .filter(|(_, _, register)| register.fact().agreed().is_some_and(|value| value.end.is_none()))
        .collect();
    let (activity, segment, _) = dice.pick(&running)?;
    let end = now.plus_ms(dice.ms(0, 1_800_000)).clock_time(crate::clinic::OFFSET_MINUTES);
    let command = Command::StopSegment { activity: *activity, segment: *segment, end, elapsed_ms: None };
    Some((command, Effect::Plain))
}

fn correct(
    dice: &mut Dice,
    offer: &Offer,
    segments: &[(ActivityId, SegmentId, Register<SegmentValue>)],
    reason: String,
    because: Effect,
) -> Option<(Command, Effect)> {
    let agreed: Vec<_> =
        segments.iter().filter(|(_, _, register)| matches!(register.fact(), Fact::Agreed(_))).collect();
    let (activity, segment, _) = dice.pick(&agreed)?;
    let mut set = SegmentPatch::default();
    match dice.below(4) {
        0 => set.code = code(dice),
        1 => set.performer = dice.pick(&offer.people).copied(),
        2 => set.entered_in_error = Some(dice.chance(1, 2)),
        // Few choices, so that two people often choose the same.
        _ => set.end = Some(clock(day(0), 620 + 3 * dice.below(3))),
    }
    Some((Command::CorrectSegment { activity: *activity, segment: *segment, set, reason }, because))
}

fn set_fact(dice: &mut Dice, offer: &Offer, reason: String, because: Effect) -> (Command, Effect) {
    let (name, value) = match dice.below(5) {
        0 => (fact::PLACE, serde_json::json!(if dice.chance(1, 2) { "11" } else { "12" })),
        1 => (fact::DATE, serde_json::json!(day(dice.below(2)))),
        2 => (fact::PROVIDER, serde_json::json!(dice.pick(&offer.people))),
        3 => (fact::DIAGNOSES, serde_json::json!(if dice.chance(1, 2) { ["M54.50"] } else { ["M25.561"] })),
        _ => {
            let payers = ["medicare_ffs", "commercial_generic"];
            (fact::PAYER, serde_json::json!(dice.pick(&payers)))
        }
    };
    (Command::SetFact { fact: name.to_owned(), value, reason: Some(reason) }, because)
}

fn same(dice: &mut Dice, visit: &Visit) -> Option<(Command, Effect)> {
    let activities: Vec<ActivityId> = visit.activities.keys().copied().collect();
    let (a, b) = (*dice.pick(&activities)?, *dice.pick(&activities)?);
    (a != b).then_some((Command::SameActivity { a, b }, Effect::Plain))
}

fn comment(mark: u64) -> (Command, Effect) {
    let text = format!("comment {mark}");
    (Command::Comment { anchor: "plan".to_owned(), text: text.clone() }, Effect::Comment(text))
}

fn plain(dice: &mut Dice, visit: &Visit, now: Timestamp) -> (Command, Effect) {
    let activities: BTreeSet<ActivityId> = visit.activities.keys().copied().collect();
    let activities: Vec<ActivityId> = activities.into_iter().collect();
    let value = format!("value {}", dice.below(9));
    let command = match (dice.below(5), dice.pick(&activities).copied()) {
        (0, Some(activity)) => Command::SetActivityField { activity, field: "response".to_owned(), value },
        (1, Some(activity)) => Command::AddTechnique { activity, technique: value },
        (2, _) => Command::CheckOut { at: now.clock_time(crate::clinic::OFFSET_MINUTES) },
        (3, _) => Command::Attest { anchor: "payer".to_owned() },
        _ => Command::SetField { field: "response".to_owned(), value },
    };
    (command, Effect::Plain)
}

/// Signing, or adding to what was signed.
fn closing(dice: &mut Dice, mark: u64, visit: &Visit) -> (Command, Effect) {
    if !visit.signatures.is_empty() && dice.chance(2, 3) {
        let text = format!("amendment {mark}");
        let (kind, reason) = ("addendum".to_owned(), "it was left out".to_owned());
        return (Command::Amend { kind, text: text.clone(), reason }, Effect::Amendment(text));
    }
    if visit.activities.is_empty() || dice.chance(1, 2) {
        return comment(mark);
    }
    let view = format!("view {mark}");
    let sign = Command::Sign {
        meaning: "author".to_owned(),
        credentials: "PT".to_owned(),
        report_digest: None,
        billing_view: view.clone(),
    };
    (sign, Effect::Signature(view))
}
