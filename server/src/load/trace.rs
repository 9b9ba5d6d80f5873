//! A day read from a trace: JSON lines, the first one about the file, every other one a visit note.
//!
//! A line has `id`, `owner` and `co` (tablets), `txs` with `t_ms` (what the owner did, one element per
//! thing done), `co_from`, `cotxs` and `cot_ms` (what the second tablet did, and how much of the owner's
//! work it had seen). Operations are `put`, `push`, `ins` and `del` on a plain note; what a note of ours
//! derives by itself (typed totals of units) is left out.

use chart::ids::DocumentId;
use chart::time::Date;
use serde::Deserialize;
use serde_json::Value;

use super::day::{Act, Correction, Day, Note, Step};

#[derive(Deserialize)]
struct Meta {
    kind: String,
    tablets: usize,
}

#[derive(Deserialize)]
struct Doc {
    id: String,
    owner: usize,
    co: Option<usize>,
    skel: Skeleton,
    txs: Vec<Vec<Value>>,
    t_ms: Vec<i64>,
    #[serde(default)]
    co_from: usize,
    #[serde(default)]
    cotxs: Vec<Vec<Value>>,
    #[serde(default)]
    cot_ms: Vec<i64>,
}

#[derive(Deserialize)]
struct Skeleton {
    date: Date,
    payer: String,
    goals: Vec<Goal>,
}

#[derive(Deserialize)]
struct Goal {
    text: String,
}

/// Reads a trace.
///
/// # Errors
/// One sentence that names the line.
pub fn read(text: &str) -> Result<Day, String> {
    let mut lines = text.lines().enumerate();
    let (_, first) = lines.next().ok_or("the trace is empty")?;
    let meta: Meta = serde_json::from_str(first).map_err(|error| format!("line 1: {error}"))?;
    if meta.kind != "meta" {
        return Err("line 1: a trace begins with a line about itself".to_owned());
    }
    let mut day = Day { date: Date::default(), offset_minutes: 0, tablets: meta.tablets, notes: Vec::new() };
    for (index, line) in lines.filter(|(_, line)| !line.trim().is_empty()) {
        let (date, note) = note_of(line).map_err(|sentence| format!("line {}: {sentence}", index + 1))?;
        if note.owner >= meta.tablets || note.second.is_some_and(|second| second >= meta.tablets) {
            return Err(format!("line {}: there is no such tablet", index + 1));
        }
        day.date = date;
        day.notes.push(note);
    }
    Ok(day)
}

fn note_of(line: &str) -> Result<(Date, Note), String> {
    let doc: Doc = serde_json::from_str(line).map_err(|error| error.to_string())?;
    let document = DocumentId::parse(&doc.id).map_err(|error| error.to_string())?;
    let mut activities = 0;
    let (steps, kept) = steps(&doc.txs, &doc.t_ms, &mut activities, false)?;
    // What was left out of the owner's work moves the place up to which the second tablet had seen it.
    let seen = kept.iter().filter(|index| **index < doc.co_from).count();
    let (second_steps, _) = self::steps(&doc.cotxs, &doc.cot_ms, &mut activities, true)?;
    let payer = if doc.skel.payer == "medicare" { "medicare_ffs".to_owned() } else { doc.skel.payer };
    let goals = doc.skel.goals.into_iter().map(|goal| goal.text).collect();
    let note = Note { document, owner: doc.owner, second: doc.co, payer, goals, steps, seen, second_steps };
    Ok((doc.skel.date, note))
}

/// The steps of some transactions, and which transactions they come from.
fn steps(
    txs: &[Vec<Value>],
    times: &[i64],
    activities: &mut usize,
    second: bool,
) -> Result<(Vec<Step>, Vec<usize>), String> {
    if txs.len() != times.len() {
        return Err("there are not as many times as things done".to_owned());
    }
    let (mut steps, mut kept) = (Vec::new(), Vec::new());
    for (index, (tx, at_ms)) in txs.iter().zip(times).enumerate() {
        if let Some(act) = act(tx, activities, second)? {
            steps.push(Step { at_ms: *at_ms, act });
            kept.push(index);
        }
    }
    Ok((steps, kept))
}

/// What one transaction does; nothing if a note of ours derives it.
fn act(tx: &[Value], activities: &mut usize, second: bool) -> Result<Option<Act>, String> {
    let strange = || format!("this operation is none: {}", shortened(tx));
    let first = tx.first().ok_or_else(strange)?;
    let (verb, part) = (text(first, 0).ok_or_else(strange)?, first.get(1));
    if matches!(verb, "ins" | "del") {
        return splice(first).ok_or_else(strange).map(Some);
    }
    let path = part.and_then(Value::as_array).ok_or_else(strange)?;
    let head = path.first().and_then(Value::as_str).ok_or_else(strange)?;
    let number = || path.get(1).and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok());
    let value = first.get(2).ok_or_else(strange)?;
    let act = match (verb, head, path.len()) {
        ("put", "status", 1) => Act::Status(value.as_str().ok_or_else(strange)?.to_owned()),
        ("push", "interventions", 1) => {
            let activity = *activities;
            *activities += 1;
            let field = |name: &str| value.get(name).and_then(Value::as_str);
            let code = field("code").ok_or_else(strange)?.to_owned();
            let minute = field("start").and_then(minute).ok_or_else(strange)?;
            Act::Start { activity, code, minute }
        }
        ("push", "interventions", 3) => {
            let name = value.as_str().ok_or_else(strange)?.to_owned();
            Act::Technique { activity: number().ok_or_else(strange)?, name }
        }
        ("put", "interventions", 3) => {
            let to = correction(tx).ok_or_else(strange)?;
            let activity = number().ok_or_else(strange)?;
            match to {
                Correction { code: None, start: None, end: Some(minute), one_on_one } if !second => {
                    Act::Stop { activity, minute, one_on_one: one_on_one.unwrap_or(true) }
                }
                to => Act::Correct { activity, to },
            }
        }
        ("put", "goals", 3) => Act::Goal {
            goal: number().ok_or_else(strange)?,
            status: value.as_str().ok_or_else(strange)?.to_owned(),
        },
        ("push", "comments", 1) => {
            let text = tx.get(1).and_then(|op| op.get(2)).and_then(Value::as_str).unwrap_or_default();
            Act::Comment(text.to_owned())
        }
        ("put", "units", 1) => return Ok(None),
        _ => return Err(strange()),
    };
    Ok(Some(act))
}

fn splice(op: &Value) -> Option<Act> {
    let field = text(op, 1)?.to_owned();
    let position = usize::try_from(op.get(2)?.as_u64()?).ok()?;
    let (delete, insert) = match text(op, 0)? {
        "ins" => (0, text(op, 3)?.to_owned()),
        _ => (usize::try_from(op.get(3)?.as_u64()?).ok()?, String::new()),
    };
    Some(Act::Splice { field, position, delete, insert })
}

fn correction(tx: &[Value]) -> Option<Correction> {
    let mut to = Correction::default();
    for op in tx {
        let (name, value) = (op.get(1)?.get(2)?.as_str()?, op.get(2)?);
        match name {
            "code" => to.code = Some(value.as_str()?.to_owned()),
            "start" => to.start = Some(minute(value.as_str()?)?),
            "end" => to.end = Some(minute(value.as_str()?)?),
            "one_on_one" => to.one_on_one = Some(value.as_bool()?),
            _ => return None,
        }
    }
    Some(to)
}

fn text(op: &Value, index: usize) -> Option<&str> {
    op.get(index).and_then(Value::as_str)
}

fn minute(clock: &str) -> Option<u32> {
    let (hour, minute) = clock.split_once(':')?;
    Some(hour.parse::<u32>().ok()? * 60 + minute.parse::<u32>().ok()?)
}

fn shortened(tx: &[Value]) -> String {
    serde_json::to_string(tx).unwrap_or_default().chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = concat!(
        r#"{"kind":"meta","tablets":2}"#,
        "\n",
        r#"{"kind":"doc","id":"aabbf3f6-2190-4392-9f62-2ba4386d4d76","owner":0,"co":1,"#,
        r#""skel":{"date":"2026-03-17","payer":"medicare","goals":[{"text":"Stand on one leg"}]},"#,
        r#""txs":[[["put",["status"],"in_progress"]],[["ins","plan",0,"ab"]],[["ins","plan",2,"c"]],"#,
        r#"[["push",["interventions"],{"code":"97112","start":"08:10","end":""}]],[["put",["units"],1]],"#,
        r#"[["put",["interventions",0,"end"],"08:25"],["put",["interventions",0,"one_on_one"],true]]],"#,
        r#""t_ms":[0,1000,2500,4000,5000,9000],"co_from":5,"#,
        r#""cotxs":[[["put",["interventions",0,"end"],"08:27"]],[["del","plan",1,1]]],"cot_ms":[5000,6000]}"#,
    );

    #[test]
    fn a_trace_becomes_the_commands_of_a_note() {
        let day = read(TRACE).unwrap();
        let note = &day.notes[0];
        assert_eq!((note.owner, note.second, note.seen, note.steps.len()), (0, Some(1), 4, 5));
        let names: Vec<Vec<&str>> = day
            .entries(note, &note.steps)
            .unwrap()
            .iter()
            .map(|entry| entry.commands.iter().map(session_note::Command::name).collect())
            .collect();
        assert_eq!(
            names,
            [
                vec!["set_field"],
                vec!["splice_text", "splice_text"],
                vec!["start_segment"],
                vec!["stop_segment"]
            ]
        );
        assert_eq!(day.open_values(note, 0).unwrap().len(), 2, "08:25 and 08:27 are both kept");
        assert_eq!(Note::texts(&note.steps)["plan"], "abc");
        assert_eq!(day.instant(60_000).to_string(), "2026-03-17T08:01:00.000Z");
    }

    #[test]
    fn a_line_that_is_no_note_is_named() {
        let broken = format!("{TRACE}\n{{\"id\":1}}");
        assert!(read(&broken).unwrap_err().starts_with("line 3: "));
        assert!(read("").unwrap_err().contains("empty"));
    }
}
