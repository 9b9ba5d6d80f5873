//! What the demo plays: an outage, two tablets in one visit, and how the clinic settles it. Every line it
//! says is read from the running parts, and it checks that they did what Gaitway promises.

use chart::facts::Standing;
use chart::report::{
    BillState, Certainty, Counted, Finding, PoolAlternative, PoolOutcome, Published, Report, Severity,
};
use chart::visit::{Signature, Visit};
use serde_json::{Value, json};

use super::clinic::{Clinic, patiently, person};
use super::parts::TabletProcess;
use super::plan::Case;
use super::say::Say;

/// The visit the story is about.
const STORY: &str = "grasp";
/// Said of every visit after the built-in table's quarter, so told once.
const OLD_TABLE: &str = "ncci-table-stale";

/// A visit as a tablet shows it.
struct Shown {
    visit: Visit,
    report: Report,
    disputes: Vec<Value>,
    status: String,
}

fn show(tablet: &mut TabletProcess, case: &Case) -> Result<Shown, String> {
    let answer = tablet.say(&json!({ "do": "show", "document": case.visit }))?;
    let part = |path: &str| answer.pointer(path).cloned().unwrap_or_default();
    let unreadable = |_| "a tablet's answer cannot be read".to_owned();
    Ok(Shown {
        visit: serde_json::from_value(part("/note/visit")).map_err(unreadable)?,
        report: serde_json::from_value(part("/report")).map_err(unreadable)?,
        disputes: part("/note/disputes").as_array().cloned().unwrap_or_default(),
        status: part("/status").as_str().unwrap_or_default().to_owned(),
    })
}

impl Shown {
    fn outcome(&self) -> Option<&PoolOutcome> {
        self.report.pools.first().map(|pool| &pool.outcome)
    }

    fn finding(&self, id: &str) -> Option<&Finding> {
        self.report.findings.iter().find(|finding| finding.id == id)
    }
}

/// Plays it all; what it says it has seen.
pub(super) fn play(clinic: &mut Clinic, say: &mut Say) -> Result<(), String> {
    let case = clinic.cases.get(STORY).cloned().ok_or("the demo's clinic lacks its visit")?;
    let before = before(clinic, say, &case)?;
    outage(clinic, say, &case)?;
    let both = back(clinic, say, &case)?;
    two_ends(clinic, say, &both)?;
    other_visits(clinic, say)?;
    choose(clinic, say, &case, &both)?;
    after(clinic, say, &case, &before)
}

/// The visit as it stands when the network is still there; the units so far.
fn before(clinic: &mut Clinic, say: &mut Say, case: &Case) -> Result<u32, String> {
    patiently("the room's tablet has the visit", || {
        let shown = show(&mut clinic.room, case).ok();
        Ok(shown.filter(|shown| shown.visit.activities.len() == 2 && !shown.visit.text.is_empty()))
    })?;
    let shown = patiently("the office sees the whole day", || {
        let shown = show(&mut clinic.office, case)?;
        Ok((shown.report.standing == Standing::Complete).then_some(shown))
    })?;
    say.heading("Yesterday, 9 o'clock");
    say.line("Teodor Vance-Hollin relearns, after a stroke, to grasp a cup and to let it go.");
    say.line("Medicare pays. Reaching (97530) took 15 minutes; grasp and release (97112) is running.");
    let units = match shown.outcome() {
        Some(PoolOutcome::Held { so_far, .. }) => so_far.total_units,
        other => {
            say.check(false, &format!("a running activity holds the units back, not {other:?}"));
            0
        }
    };
    say.strong(format!("{} so far. What is still running is not counted.", count_of_units(units)));
    Ok(units)
}

fn outage(clinic: &mut Clinic, say: &mut Say, case: &Case) -> Result<(), String> {
    clinic.stop_server()?;
    say.heading("The network goes down");
    say.line("The clinic's server is stopped. Two tablets go on with the same visit.");
    let saved = joren_works(clinic, case)?;
    say.line("Joren, on the room's tablet: ends 97112 at 9:17 and does 97110 from 9:18 to 9:23.");
    say.detail(saved);
    let saved = odalys_works(clinic, case)?;
    say.line("Odalys, on her own tablet: ends the same 97112 at 9:20, and signs.");
    say.detail(saved);
    Ok(())
}

/// Says a line and checks that the tablet's own disk has it.
fn work(tablet: &mut TabletProcess, line: &Value) -> Result<String, String> {
    let answer = tablet.say(line)?;
    match (answer.get("saved"), answer.get("status").and_then(Value::as_str)) {
        (Some(Value::Bool(true)), Some("saved_on_tablet")) => Ok("Saved on this tablet".to_owned()),
        _ => Err(format!("the tablet did not save without the server: {answer}")),
    }
}

fn joren_works(clinic: &mut Clinic, case: &Case) -> Result<String, String> {
    let (activity, segment) = case.segments.get("grasp").copied().ok_or("no such activity")?;
    let joren = person(&clinic.people, "joren")?;
    let day = clinic.day;
    let stop = json!({
        "document": case.visit, "person": joren, "at": day.instant("09:17"),
        "command": "stop_segment", "activity": activity, "segment": segment, "end": day.clock("09:17"),
    });
    work(&mut clinic.room, &stop)?;
    let extension = chart::ids::ActivityId::random(&mut crate::edge::OsEntropy);
    let set = |field: &str, value: &str| json!({ "command": "set_activity_field", "activity": extension, "field": field, "value": value });
    let exercise = json!({
        "document": case.visit, "person": joren, "at": day.instant("09:23"),
        "commands": [
            { "command": "record_segment", "activity": extension,
              "value": { "code": "97110", "start": day.clock("09:18"), "end": day.clock("09:23"), "mode": "one_on_one" } },
            { "command": "add_technique", "activity": extension, "technique": "wrist extension strengthening" },
            set("description", "Wrist extension against a light band, 2 sets of 10, progressed to the second band"),
            set("response", "Second set with the stronger band, no loss of the arch"),
            { "command": "link_goal", "activity": extension, "goal": case.goals.get("cup") },
        ],
    });
    work(&mut clinic.room, &exercise)
}

fn odalys_works(clinic: &mut Clinic, case: &Case) -> Result<String, String> {
    let (activity, segment) = case.segments.get("grasp").copied().ok_or("no such activity")?;
    let odalys = person(&clinic.people, "odalys")?;
    let day = clinic.day;
    let correct = json!({
        "document": case.visit, "person": odalys, "at": day.instant("09:24"),
        "commands": [
            { "command": "correct_segment", "activity": activity, "segment": segment,
              "set": { "end": day.clock("09:20") }, "reason": "the last cup was let go at 9:20 by the wall clock" },
            { "command": "set_fact", "fact": "totals", "value": { "timed": 35, "treatment": 35 } },
            { "command": "check_out", "at": day.clock("09:25") },
        ],
    });
    work(&mut clinic.own, &correct)?;
    work(&mut clinic.own, &sign(case, odalys, &day.instant("09:25"), "97530 × 1, 97112 × 1"))
}

fn sign(case: &Case, who: chart::ids::PersonId, at: &str, units: &str) -> Value {
    json!({
        "document": case.visit, "person": who, "at": at, "command": "sign",
        "meaning": "author", "credentials": "PT, DPT", "billing_view": units,
    })
}

fn back(clinic: &mut Clinic, say: &mut Say, case: &Case) -> Result<Shown, String> {
    clinic.start_server()?;
    say.heading("The network is back");
    for tablet in [&mut clinic.room, &mut clinic.own] {
        tablet.say(&json!({ "do": "sync", "until": "safe", "timeout_ms": 60_000 }))?;
    }
    let shown = patiently("the office sees both tablets' work and the server's report on it", || {
        let shown = show(&mut clinic.office, case)?;
        let here = shown.visit.activities.len() == 3 && !shown.visit.signatures.is_empty();
        Ok((here && shown.report.standing == Standing::Complete).then_some(shown))
    })?;
    for (tablet, name) in [(&mut clinic.room, "The room's tablet"), (&mut clinic.own, "Odalys's tablet")] {
        let status = show(tablet, case)?.status;
        say.check(status == "safe_at_clinic", "both tablets' work is safe at the clinic");
        say.line(format!(
            "{name}: {}.",
            if status == "safe_at_clinic" { "Safe at clinic" } else { "not safe yet" }
        ));
    }
    say.line("Both pieces of work are in the chart. Who came first made no difference.");
    Ok(shown)
}

fn two_ends(clinic: &Clinic, say: &mut Say, shown: &Shown) -> Result<(), String> {
    say.heading("What the clinic sees");
    say.line("97112 has two ends, and both are kept:");
    let sides = shown.disputes.first().and_then(|dispute| dispute.get("sides")).and_then(Value::as_array);
    for side in sides.into_iter().flatten() {
        let end = side.pointer("/value/end").and_then(Value::as_str).and_then(|end| end.get(11..16));
        let by =
            |key: &str| side.pointer(&format!("/by/0/{key}")).and_then(Value::as_str).unwrap_or_default();
        let person = by("person").parse().map_or("somebody", |id| clinic.name(id));
        let device = by("device").parse().ok().and_then(|id| clinic.devices.get(&id));
        say.detail(format!("{}  {person}, on {}", end.unwrap_or("?"), device.unwrap_or(&"a tablet")));
    }
    say.check(
        shown.disputes.len() == 1 && sides.is_some_and(|sides| sides.len() == 2),
        "one dispute with two sides",
    );
    match shown.outcome() {
        Some(PoolOutcome::Disputed { alternatives, total_units_min, total_units_max, .. }) => {
            say.strong(format!("Not on the bill until somebody chooses: between {total_units_min} and {total_units_max} units."));
            alternatives.iter().for_each(|alternative| tell_alternative(say, alternative));
            say.check(
                (*total_units_min, *total_units_max) == (2, 3),
                "the minute decides between 2 and 3 units",
            );
        }
        _ => say.check(false, "the disputed minutes hold the units back"),
    }
    say.check(matches!(shown.report.bill, BillState::Held { .. }), "the visit is held from the bill");
    tell_findings(say, shown);
    let signature = shown.visit.signatures.values().next();
    say.check(signature.is_some_and(is_intact), "the signature still covers its own text, byte for byte");
    say.line("Odalys's signature stands, over the text she signed. Joren's part is not covered by it:");
    say.line("it waits for her to sign again with it.");
    Ok(())
}

/// Whether a signature's text is the one that was signed: with 9:20 in it, without the other tablet's work.
fn is_intact(signature: &Signature) -> bool {
    session_note::sign::digest(&signature.content) == signature.content_digest
        && signature.content.contains("T09:20")
        && !signature.content.contains("97110")
}

fn tell_alternative(say: &Say, alternative: &PoolAlternative) {
    let counted = &alternative.counted;
    say.line(format!(
        "If {}: {} ({})",
        alternative.label,
        count_of_units(counted.total_units),
        units(counted)
    ));
    counted.trace.iter().for_each(|step| say.detail(step));
}

fn tell_findings(say: &mut Say, shown: &Shown) {
    say.line("What was found:");
    let wanted = [
        "merge-conflict-billing-field",
        "time-overlap-same-patient",
        "time-overlap-co-treatment",
        "signature-stale-after-merge",
        "merge-late-device",
    ];
    for finding in wanted.iter().filter_map(|id| shown.finding(id)) {
        let weight = weight(finding.severity);
        let only = match &finding.certainty {
            Certainty::InAll => String::new(),
            Certainty::If(labels) => format!(" (only if {})", labels.join(" or ")),
        };
        say.detail(format!("{weight}: {}{only}", finding.message));
    }
    let overlap =
        shown.finding("time-overlap-co-treatment").or_else(|| shown.finding("time-overlap-same-patient"));
    let depends = overlap.is_some_and(|finding| {
        matches!(&finding.certainty, Certainty::If(labels) if labels.iter().any(|label| label.contains("09:20")))
    });
    say.check(depends, "the overlap is found, and only if 97112 ends at 9:20");
    say.check(shown.finding("signature-stale-after-merge").is_some(), "the note asks for a new signature");
}

fn other_visits(clinic: &mut Clinic, say: &mut Say) -> Result<(), String> {
    say.heading("The other visits of the day");
    let mut old_table = false;
    for plan in clinic.plan.patients.iter().filter(|plan| plan.key != STORY && plan.visit.is_some()) {
        let Some(case) = clinic.cases.get(&plan.key) else { continue };
        let shown = show(&mut clinic.office, case)?;
        let Some(PoolOutcome::Counted(counted)) = shown.outcome() else {
            say.check(false, "the other visits are counted as usual");
            continue;
        };
        let state = if shown.report.bill == BillState::Ready { "ready to bill" } else { "not ready to bill" };
        let total = count_of_units(counted.total_units);
        say.line(format!("{} ({}): {total} ({}), {state}.", plan.name, plan.payer_words, units(counted)));
        let weighty = shown.report.findings.iter().filter(|finding| finding.severity != Severity::Advice);
        for finding in weighty.clone().filter(|finding| finding.id != OLD_TABLE).take(3) {
            say.detail(format!("{}: {}", weight(finding.severity), finding.message));
        }
        old_table |= weighty.into_iter().any(|finding| finding.id == OLD_TABLE);
    }
    if old_table {
        say.line("All of them also ask for the current quarter's bundling table, which a clinic loads.");
    }
    Ok(())
}

fn choose(clinic: &mut Clinic, say: &mut Say, case: &Case, shown: &Shown) -> Result<(), String> {
    say.heading("The supervisor chooses");
    let dispute = shown.disputes.first().ok_or("there is nothing to choose")?;
    let sides = dispute.get("sides").and_then(Value::as_array).cloned().unwrap_or_default();
    let chosen = sides.iter().find(|side| {
        side.pointer("/value/end").and_then(Value::as_str).is_some_and(|end| end.contains("T09:17"))
    });
    let version = chosen.and_then(|side| side.pointer("/versions/0")).ok_or("9:17 is not among the sides")?;
    let line = json!({
        "document": case.visit, "command": "resolve", "fact": dispute.get("fact"), "choose": version,
        "reason": "the room's timer shows 9:17, and the next exercise began at 9:18",
    });
    clinic.office.say(&line)?;
    say.line("Ismene, at the office tablet, asks both and chooses 9:17: the next exercise began at 9:18.");
    say.line("Her choice names what it chose between. 9:20 stays readable, with who wrote it and why.");
    let odalys = person(&clinic.people, "odalys")?;
    patiently("the choice reaches Odalys's tablet", || {
        let shown = show(&mut clinic.own, case)?;
        Ok((shown.disputes.is_empty() && shown.visit.activities.len() == 3).then_some(()))
    })?;
    let totals = json!({
        "document": case.visit, "person": odalys, "command": "set_fact", "fact": "totals",
        "value": { "timed": 37, "treatment": 37 }, "reason": "with Joren's exercise, and 97112 until 9:17",
    });
    clinic.own.say(&totals)?;
    let now = crate::edge::now().to_string();
    clinic.own.say(&sign(case, odalys, &now, "97530 × 1, 97112 × 1"))?;
    say.line("Odalys reads it, corrects the total of minutes and signs again, with Joren's part.");
    Ok(())
}

fn after(clinic: &mut Clinic, say: &mut Say, case: &Case, before: &u32) -> Result<(), String> {
    let shown = patiently("the office sees the visit settled", || {
        let shown = show(&mut clinic.office, case)?;
        let settled = shown.disputes.is_empty() && shown.visit.signatures.len() == 2;
        Ok((settled && shown.report.standing == Standing::Complete).then_some(shown))
    })?;
    say.heading("Afterwards");
    match shown.outcome() {
        Some(PoolOutcome::Counted(counted)) => {
            say.strong(format!(
                "{} ({}). Before the outage: {before}.",
                count_of_units(counted.total_units),
                units(counted)
            ));
            counted.trace.iter().for_each(|step| say.detail(step));
            say.check(counted.total_units == 2, "two units after the choice");
        }
        _ => say.check(false, "the units are counted once somebody has chosen"),
    }
    match &shown.report.bill {
        BillState::Ready => say.strong("Ready to bill."),
        BillState::Held { reasons } => {
            say.line("Still held from the bill:");
            reasons.iter().for_each(|reason| say.detail(reason));
        }
    }
    say.check(shown.report.bill == BillState::Ready, "the settled visit is ready to bill");
    same_answer(clinic, say, case, &shown)
}

/// The tablet and the server must have come to the same report.
fn same_answer(clinic: &Clinic, say: &mut Say, case: &Case, shown: &Shown) -> Result<(), String> {
    let token = clinic.token("ismene")?;
    let path = format!("/v1/review/notes/{}/report", case.visit);
    let published: Published = serde_json::from_value(clinic.ask_server(&token, &path)?)
        .map_err(|_| "the server's report cannot be read")?;
    say.check(published.report == shown.report, "tablet and server come to the same report");
    say.line("The tablet and the server worked it out each by itself, and agree to the last word.");
    say.heading("See it");
    say.line(format!("{}/review/notes/{}", clinic.url, case.visit));
    say.line(format!("Sign in as Ismene Dunmore with: {token}"));
    Ok(())
}

const fn weight(severity: Severity) -> &'static str {
    match severity {
        Severity::Blocker => "must fix",
        Severity::Warning => "should fix",
        Severity::Advice => "note",
    }
}

fn count_of_units(units: u32) -> String {
    if units == 1 { "1 unit".to_owned() } else { format!("{units} units") }
}

/// Units by code, such as `97112 × 1, 97530 × 1`.
fn units(counted: &Counted) -> String {
    let lines: Vec<String> = counted
        .per_code
        .iter()
        .filter(|(_, units)| **units > 0)
        .map(|(code, units)| format!("{code} × {units}"))
        .collect();
    if lines.is_empty() { "none".to_owned() } else { lines.join(", ") }
}
