//! `gaitway demo --sites`: two clinics of one group, each with its own server and tablet, and a line between them
//! that fails. Every sentence is read from the running parts and checked.

use std::path::{Path, PathBuf};
use std::time::Instant;

use chart::ids::{ActivityId, ClinicId, DocumentId, SegmentId};
use serde_json::{Value, json};

use super::clinic::patiently;
use super::line::Line;
use super::parts::{ServerProcess, TabletProcess};
use super::plan::Day;
use super::say::Say;
use crate::api::{Code, Entered, SiteRow, Token};
use crate::client::Client;
use crate::datadir::DataDir;
use crate::edge::{OsEntropy, now};
use crate::init::{NewClinic, init};
use crate::tablet::enrol::enrol;
use crate::tablet::home::Home;

/// Both clinics' offset from UTC in minutes.
const OFFSET: i16 = -300;

/// One of the two clinics as it runs.
pub(super) struct Site {
    name: &'static str,
    data: PathBuf,
    pub(super) server: ServerProcess,
    id: ClinicId,
    therapist: String,
    /// A supervisor's, for reading.
    token: String,
    tablet: TabletProcess,
}

impl Site {
    fn open(program: &Path, dir: &Path, name: &'static str, person: &str) -> Result<Self, String> {
        let data = dir.join(name.to_lowercase()).join("clinic");
        std::fs::create_dir_all(dir.join(name.to_lowercase())).map_err(text)?;
        let new = NewClinic {
            name: format!("{name} Rehab"),
            offset_minutes: OFFSET,
            admin: "Front desk".to_owned(),
        };
        init(&data, &new).map_err(text)?;
        let server = ServerProcess::start(program, &data, "127.0.0.1:0", &[("GAITWAY_LOG", "warn")])?;
        let client = Client::new(&DataDir::new(&data), Some(server.url().to_owned()), None).map_err(text)?;
        let enter = |name: &str, role: &str| -> Result<String, String> {
            let input = json!({
                "name": name, "credentials": "PT", "roles": [role], "profession": "physical_therapist",
                "npi": "2000000416",
            });
            client.post::<Entered>("/v1/admin/people", &input).map(|entered| entered.id).map_err(text)
        };
        let therapist = enter(person, "therapist")?;
        let reader = enter("Oswin Hale", "supervisor")?;
        let token: Token = client.post("/v1/admin/tokens", &json!({ "person": reader })).map_err(text)?;
        let status: Value = client.get("/v1/admin/status").map_err(text)?;
        let id = status.get("clinic").and_then(Value::as_str).and_then(|id| id.parse().ok());
        let id = id.ok_or("the server does not say which clinic it is")?;
        let code: Code = client
            .post("/v1/admin/device-codes", &json!({ "name": format!("{name}'s tablet") }))
            .map_err(text)?;
        let home = dir.join(name.to_lowercase()).join("tablet");
        enrol(&Home::new(&home), server.url(), &code.code).map_err(text)?;
        let tablet = TabletProcess::start(program, &home, &["--person", &therapist], &[])?;
        Ok(Self { name, data, server, id, therapist, token: token.token, tablet })
    }

    fn admin(&self) -> Result<Client, String> {
        Client::new(&DataDir::new(&self.data), Some(self.server.url().to_owned()), None).map_err(text)
    }

    /// What a supervisor of the clinic reads; `None` if there is no such thing.
    fn read(&self, path: &str) -> Result<Option<Value>, String> {
        let (data, url) = (DataDir::new(&self.data), self.server.url().to_owned());
        let client = Client::new(&data, Some(url), Some(self.token.clone())).map_err(text)?;
        Ok(client.get(path).ok())
    }

    fn note(&self, note: DocumentId) -> Result<Option<Value>, String> {
        self.read(&format!("/v1/review/notes/{note}"))
    }

    fn report(&self, note: DocumentId) -> Result<Option<Value>, String> {
        self.read(&format!("/v1/review/notes/{note}/report"))
    }

    /// Enters a patient who is treated by the clinic's therapist, or takes one over who came from elsewhere.
    fn treats(&self, name: &str, id: Option<&str>) -> Result<String, String> {
        let input = json!({ "id": id, "name": name, "payer": "medicare_ffs", "care_team": [self.therapist] });
        let client = self.admin()?;
        patiently("the patient's file is there", || {
            Ok(client.post::<Entered>("/v1/admin/patients", &input).ok().map(|entered| entered.id))
        })
    }

    /// Says lines to the tablet and waits until all of it is safe.
    fn works(&mut self, lines: &[Value]) -> Result<(), String> {
        for line in lines {
            self.tablet.say(line)?;
        }
        self.tablet.say(&json!({ "do": "sync", "until": "safe", "timeout_ms": 60_000 })).map(drop)
    }

    /// How it stands with the other clinic, as its owner reads it.
    fn standing(&self) -> Result<SiteRow, String> {
        let rows: Value = self.admin()?.get("/v1/admin/sites").map_err(text)?;
        let row = rows.pointer("/sites/0").cloned().ok_or("the clinics are not paired")?;
        serde_json::from_value(row).map_err(text)
    }
}

/// The whole of it: both clinics and their line at the end, for whoever wants to look around.
pub(super) fn play(program: &Path, dir: &Path, say: &mut Say) -> Result<(Vec<Site>, Line), String> {
    say.heading("Two invented clinics of one group: two servers, a tablet each, and a line between them.");
    let mut mill = Site::open(program, dir, "Millbrook", "Joren Tavish")?;
    let mut river = Site::open(program, dir, "Riverside", "Odalys Brenwick")?;
    let line = Line::to(mill.server.url())?;
    pair(&mill, &river, &line, say)?;
    let patient = mill.treats("Wilhelmina Orsk", None)?;
    let _: Value = mill
        .admin()?
        .post(&format!("/v1/admin/sites/patients/{patient}"), &json!({ "clinics": [river.id] }))
        .map_err(text)?;
    river.treats("Wilhelmina Orsk", Some(&patient))?;
    say.line("Wilhelmina Orsk is treated at both; Millbrook keeps her file and says so.");
    let story = Story::new(patient);
    together(&mut mill, &mut river, &story, say)?;
    let alone = apart(&mut mill, &mut river, &line, &story, say)?;
    healed(&mut mill, &mut river, &line, (&story, alone), say)?;
    closed(&mill, &river, &story, say)?;
    Ok((vec![mill, river], line))
}

/// The note the story is about.
struct Story {
    note: DocumentId,
    patient: String,
    activity: ActivityId,
    segment: SegmentId,
    day: Day,
}

impl Story {
    fn new(patient: String) -> Self {
        Self {
            note: DocumentId::random(&mut OsEntropy),
            patient,
            activity: ActivityId::random(&mut OsEntropy),
            segment: SegmentId::random(&mut OsEntropy),
            day: Day::before(now(), OFFSET),
        }
    }

    fn open(&self, note: DocumentId, patient: &str, provider: &str) -> Value {
        json!({
            "document": note, "command": "open_visit", "patient": patient, "discipline": "pt",
            "facts": { "provider": provider, "date": self.day.days_before(0), "payer": "medicare_ffs", "place": "11" },
        })
    }

    fn corrects(&self, end: &str, reason: &str) -> Value {
        json!({
            "document": self.note, "command": "correct_segment", "activity": self.activity,
            "segment": self.segment, "set": { "end": self.day.clock(end) }, "reason": reason,
        })
    }

    fn writes(&self, field: &str, words: &str) -> Value {
        json!({
            "document": self.note, "command": "splice_text", "field": field, "position": 0, "insert": words,
        })
    }
}

fn pair(mill: &Site, river: &Site, line: &Line, say: &Say) -> Result<(), String> {
    let made: Value = mill.admin()?.post("/v1/admin/sites/invite", &json!({})).map_err(text)?;
    let code = made.get("code").and_then(Value::as_str).ok_or("no code was made")?;
    let join = json!({ "address": line.url(), "code": code });
    let _: Entered = river.admin()?.post("/v1/admin/sites/join", &join).map_err(text)?;
    for site in [mill, river] {
        patiently("the clinics reach each other", || Ok(site.standing()?.connected.then_some(())))?;
    }
    say.line(format!("Millbrook made the code {code}, which works once; Riverside entered it."));
    say.detail("Each has pinned the other's key for good. Nothing is sent yet: no patient is shared.");
    Ok(())
}

/// The same heads at both clinics.
fn same_heads(mill: &Site, river: &Site, note: DocumentId) -> Result<bool, String> {
    let heads = |site: &Site| Ok::<_, String>(site.note(note)?.and_then(|note| note.get("heads").cloned()));
    let (one, other) = (heads(mill)?, heads(river)?);
    Ok(one.is_some() && one == other)
}

fn together(mill: &mut Site, river: &mut Site, story: &Story, say: &mut Say) -> Result<(), String> {
    say.heading("The line stands");
    mill.works(&[
        story.open(story.note, &story.patient, &mill.therapist.clone()),
        json!({
            "document": story.note, "command": "start_segment", "activity": story.activity,
            "segment": story.segment, "code": "97110", "start": story.day.clock("09:00"), "mode": "one_on_one",
        }),
        json!({
            "document": story.note, "command": "stop_segment", "activity": story.activity,
            "segment": story.segment, "end": story.day.clock("09:17"),
        }),
    ])?;
    let note = story.note;
    patiently("Riverside has the note", || Ok(same_heads(mill, river, note)?.then_some(())))?;
    patiently("its tablet has it", || {
        let list = river.tablet.say(&json!({ "do": "list" }))?;
        Ok(list.to_string().contains(&note.to_string()).then_some(()))
    })?;
    say.line("Joren charts yesterday's visit at Millbrook: 97110 from 9:00 to 9:17.");
    say.line("Riverside has the note, on its server and on Odalys's tablet.");
    Ok(())
}

/// Both work without the line. Gives a note that only Riverside may have.
fn apart(
    mill: &mut Site,
    river: &mut Site,
    line: &Line,
    story: &Story,
    say: &mut Say,
) -> Result<DocumentId, String> {
    say.heading("The line is cut");
    line.cut();
    patiently("the clinics notice", || Ok((!river.standing()?.connected).then_some(())))?;
    mill.works(&[
        story.writes("subjective", "She climbs one flight without the rail. "),
        story.corrects("09:20", "by the wall clock"),
    ])?;
    say.strong("Millbrook, Joren: \"ended 9:20, by the wall clock\".  Safe at clinic.");
    let own = DocumentId::random(&mut OsEntropy);
    let patient = river.treats("Casimir Lindqvell", None)?;
    let mine = story.open(own, &patient, &river.therapist.clone());
    river.works(&[
        story.writes("plan", "Stairs again on Friday. "),
        story.corrects("09:24", "she stayed until the taxi came"),
        mine,
    ])?;
    say.strong("Riverside, Odalys: \"ended 9:24, she stayed until the taxi came\".  Safe at clinic.");
    say.detail("Neither waited for the other: safe means on the disk of one's own clinic.");
    say.check(!same_heads(mill, river, story.note)?, "the clinics work apart while the line is cut");
    let standing = river.standing()?;
    say.check(
        standing.behind.is_some_and(|notes| notes > 0),
        "each knows by how many notes the other is behind",
    );
    say.detail(standing.brief(now(), OFFSET));
    Ok(own)
}

fn healed(
    mill: &mut Site,
    river: &mut Site,
    line: &Line,
    (story, own): (&Story, DocumentId),
    say: &mut Say,
) -> Result<(), String> {
    say.heading("The line is back");
    let (began, before) = (Instant::now(), line.carried());
    line.heal();
    patiently("both have the same note", || Ok(same_heads(mill, river, story.note)?.then_some(())))?;
    patiently("both have the same report", || {
        let (one, other) = (mill.report(story.note)?, river.report(story.note)?);
        Ok((one.is_some() && one == other).then_some(()))
    })?;
    let took = began.elapsed().as_secs_f32();
    say.line(format!(
        "After {took:.1} s and {} bytes both clinics have the same note and the same report.",
        line.carried() - before
    ));
    let note = river.note(story.note)?.ok_or("the note is gone")?;
    let words = note.pointer("/content/text").cloned().unwrap_or_default().to_string();
    let once = |part: &str| words.matches(part).count() == 1;
    say.check(once("without the rail") && once("again on Friday"), "what both wrote is there once");
    say.line("What both wrote is there once, and who wrote it, on which tablet:");
    let text_at =
        |value: &Value, path: &str| value.pointer(path).and_then(Value::as_str).unwrap_or("?").to_owned();
    let mut authors = std::collections::BTreeSet::new();
    for row in note.get("history").and_then(Value::as_array).into_iter().flatten() {
        let (person, device) = (text_at(row, "/by/person"), text_at(row, "/by/device"));
        authors.insert((
            text_at(&note, &format!("/people/{person}")),
            text_at(&note, &format!("/devices/{device}")),
        ));
    }
    authors.iter().for_each(|(person, tablet)| say.detail(format!("{person}, on {tablet}")));
    let known =
        ["Joren Tavish", "Odalys Brenwick"].iter().all(|name| authors.iter().any(|(who, _)| who == name));
    say.check(known, "every change has its author at both clinics");
    let disputes = note.get("disputes").and_then(Value::as_array).map_or(0, Vec::len);
    say.check(disputes == 1, "the two ends are both kept, in the open");
    say.line("97110 ends at 9:20 or at 9:24: both are kept, and the bill waits until a person chooses.");
    let nowhere = mill.note(own)?.is_none() && river.note(own)?.is_some();
    say.check(nowhere, "a note of a patient who is not shared stays where it is");
    say.line("Casimir Lindqvell is treated at Riverside alone: Millbrook has nothing of him.");
    Ok(())
}

/// Reports of shared patients are provisional until both clinics say that the day is complete.
fn closed(mill: &Site, river: &Site, story: &Story, say: &mut Say) -> Result<(), String> {
    let unheard = |site: &Site| {
        let report = site.report(story.note)?.unwrap_or_default();
        Ok::<_, String>(report.pointer("/confirmed/unheard").and_then(Value::as_array).map_or(0, Vec::len))
    };
    say.check(
        unheard(mill)? == 2 && unheard(river)? == 2,
        "until the day is closed the report says who is missing",
    );
    say.line("The report is provisional: neither clinic has said that its charting of the day is complete.");
    for site in [mill, river] {
        let day = json!({ "through": story.day.days_before(0) });
        patiently("the day can be closed", || {
            Ok(site.admin()?.post::<Entered>("/v1/admin/sites/close-day", &day).ok().map(drop))
        })?;
        say.line(format!("{} closes the day.", site.name));
    }
    for site in [mill, river] {
        patiently("nobody is missing any more", || Ok((unheard(site)? == 0).then_some(())))?;
    }
    patiently("both have the same report", || {
        Ok((mill.report(story.note)? == river.report(story.note)?).then_some(()))
    })?;
    say.strong(
        "Both clinics have heard from each other: the same report, to the byte, and nobody is missing in it.",
    );
    for site in [mill, river] {
        say.detail(format!("at {}: {}", site.name, site.standing()?.brief(now(), OFFSET)));
        say.detail(format!(
            "look around: {}/review/notes/{}  with {}",
            site.server.url(),
            story.note,
            site.token
        ));
    }
    Ok(())
}

/// Ends both in order.
pub(super) fn close(sites: Vec<Site>) -> Result<(), String> {
    for mut site in sites {
        if !site.tablet.finish() {
            return Err("a tablet did not end in order".to_owned());
        }
        site.server.stop()?;
    }
    Ok(())
}

fn text(error: impl ToString) -> String {
    error.to_string()
}
