//! A clinic's day with real parts: every tablet a process of its own, cut off before the first visit, some
//! notes written on two tablets at once. They come back in several orders.
//!
//! In every order: tablets and server hold equal heads and equal notes, reports of equal inputs are equal
//! to the byte, every character typed is there, every concurrent billing value is kept and held from the
//! bill, and equal values make no dispute. `GAITWAY_DAY=full` plays twelve tablets with fourteen visits
//! each.

#[path = "day/shift.rs"]
mod shift;

use std::collections::{BTreeMap, BTreeSet};

use gaitway::api::Token;
use gaitway::client::Client;
use gaitway::datadir::DataDir;
use gaitway::load::day::{Act, Day, Note};
use gaitway::load::generate::{Shape, day};
use serde_json::{Value, json};

use crate::kill::ward::Dice;
use crate::support::{Clinic, TabletProcess, patiently, sync};
use shift::{Shift, all_at_once};

/// How the tablets come back.
#[derive(Clone, Copy, Debug)]
enum Order {
    OneByOne,
    LastFirst,
    AllAtOnce,
    /// In an order drawn from this number; each is cut off as soon as it has begun, and comes again later.
    Interrupted(u64),
}

/// A day in which second tablets both agree and disagree with the owner of a note.
fn made() -> Day {
    if std::env::var("GAITWAY_DAY").is_ok_and(|size| size == "full") {
        return day(Shape::full(97_112));
    }
    let has_both = |day: &Day| {
        let corrects = |note: &&Note| {
            note.second_steps.iter().any(|step| matches!(step.act, Act::Correct { activity: 1, .. }))
        };
        let corrected: Vec<usize> =
            day.notes.iter().filter(corrects).map(|note| day.open_values(note, 1).unwrap().len()).collect();
        corrected.contains(&1) && corrected.contains(&2)
    };
    let small = |seed| day(Shape { seed, tablets: 4, visits: 3, shared_every: 2 });
    (97_112..).map(small).find(has_both).unwrap()
}

#[test]
fn a_day_on_cut_off_tablets_ends_the_same_in_every_order_of_return() {
    let mut shift = Shift::live(made());
    shift.clinic.stop_server();
    let mut notes: Vec<BTreeMap<String, Value>> = Vec::new();
    let drawn = [Order::Interrupted(1), Order::Interrupted(2)];
    for order in [Order::OneByOne, Order::LastFirst, Order::AllAtOnce].into_iter().chain(drawn) {
        let mut clinic = shift.clinic.copied();
        clinic.start_server(&[]);
        notes.push(come_back(&shift, &clinic, order));
    }
    for other in &notes[1..] {
        assert_eq!(other, &notes[0], "the order of return decided something");
    }
}

/// The places in an order of no meaning.
fn shuffled(count: usize, seed: u64) -> Vec<usize> {
    let mut dice = Dice(seed);
    let mut places: Vec<usize> = (0..count).collect();
    for place in (1..count).rev() {
        places.swap(place, usize::try_from(dice.below(place as u64 + 1)).unwrap());
    }
    places
}

/// Runs every tablet of a copy; they come online in this order. Gives every note as it is at the end.
fn come_back(shift: &Shift, clinic: &Clinic, order: Order) -> BTreeMap<String, Value> {
    let dir = |place: &shift::Place| clinic.dir().join(place.dir.file_name().unwrap());
    let start = |place: &shift::Place, more: &[&str]| {
        let arguments = [&["--server", clinic.url.as_str(), "--offline"], more].concat();
        clinic.run(&dir(place), &place.person, &arguments, &[])
    };
    let mut tablets: Vec<TabletProcess> = shift.places.iter().map(|place| start(place, &[])).collect();
    let mut office = start(&shift.office, &["--follow", "clinic"]);
    let come = |tablet: &mut TabletProcess| {
        tablet.say(&json!({ "do": "connect" })).unwrap();
        sync(tablet);
    };
    match order {
        Order::OneByOne => tablets.iter_mut().for_each(come),
        Order::LastFirst => tablets.iter_mut().rev().for_each(come),
        Order::Interrupted(seed) => {
            let places = shuffled(tablets.len(), seed);
            for place in &places {
                tablets[*place].say(&json!({ "do": "connect" })).unwrap();
                tablets[*place].say(&json!({ "do": "disconnect" })).unwrap();
            }
            places.iter().rev().for_each(|place| come(&mut tablets[*place]));
        }
        Order::AllAtOnce => all_at_once(&mut tablets, |_, tablet| come(tablet)),
    }
    come(&mut office);
    let server = Reviewer::of(shift, clinic);
    server.wait_until_quiet();
    let mut notes = BTreeMap::new();
    for note in &shift.day.notes {
        let seen = server.note(note);
        let context = format!("{order:?}, note {}", note.document);
        check_text(note, &seen, &context);
        let is_disputed = check_disputes(&shift.day, note, &seen, &context);
        let report = server.report(note);
        check_bill(&report, is_disputed, &context);
        let mut holders = vec![&mut office];
        let places: BTreeSet<usize> = [Some(note.owner), note.second].into_iter().flatten().collect();
        holders.extend(
            tablets
                .iter_mut()
                .enumerate()
                .filter(|(number, _)| places.contains(number))
                .map(|(_, tablet)| tablet),
        );
        for (number, tablet) in holders.into_iter().enumerate() {
            // The office follows the whole clinic, so it has every input the server has.
            check_tablet(tablet, note, &seen, &report, number == 0, &context);
        }
        notes.insert(
            note.document.to_string(),
            json!({ "heads": seen["heads"], "content": seen["content"], "disputes": seen["disputes"] }),
        );
    }
    notes
}

/// What a supervisor reads.
struct Reviewer {
    client: Client,
    admin: Client,
}

impl Reviewer {
    fn of(shift: &Shift, clinic: &Clinic) -> Self {
        let admin = clinic.admin();
        let token: Token = admin.post("/v1/admin/tokens", &json!({ "person": shift.supervisor })).unwrap();
        let data = DataDir::new(clinic.data());
        let client = Client::new(&data, Some(clinic.url.clone()), Some(token.token)).unwrap();
        Self { client, admin }
    }

    fn wait_until_quiet(&self) {
        let mut quiet = 0;
        patiently("the server judges and computes everything", || {
            let status: Value = self.admin.get("/v1/admin/status").ok()?;
            let hub = &status["hub"];
            let is_quiet = hub["unjudged"] == json!(0) && hub["stale_reports"] == json!(0);
            quiet = if is_quiet { quiet + 1 } else { 0 };
            (quiet >= 3).then_some(())
        });
    }

    fn note(&self, note: &Note) -> Value {
        self.client.get(&format!("/v1/review/notes/{}", note.document)).unwrap()
    }

    fn report(&self, note: &Note) -> Value {
        self.client.get(&format!("/v1/review/notes/{}/report", note.document)).unwrap()
    }
}

/// Whether all letters of one text stand in another, in their order.
fn is_within(part: &str, whole: &str) -> bool {
    let mut letters = whole.chars();
    part.chars().all(|letter| letters.any(|other| other == letter))
}

/// Every character typed and not taken back is there.
fn check_text(note: &Note, seen: &Value, context: &str) {
    let seconds = Note::texts(&note.second_steps);
    for (field, owners) in Note::texts(&note.steps) {
        let text = seen["content"]["text"][&field].as_str().unwrap_or_default();
        match seconds.get(&field) {
            None => assert_eq!(text, owners, "{context}, {field}"),
            Some(second) => {
                assert_eq!(
                    text.chars().count(),
                    owners.chars().count() + second.chars().count(),
                    "{context}, {field}"
                );
                assert!(is_within(&owners, text), "{context}, {field}: the owner's words in {text}");
                assert!(is_within(second, text), "{context}, {field}: the second tablet's words in {text}");
            }
        }
    }
}

/// Every concurrent billing value is kept; equal ones make no dispute. Says whether there is one.
fn check_disputes(day: &Day, note: &Note, seen: &Value, context: &str) -> bool {
    let open = day.open_values(note, 1).unwrap();
    let disputes = seen["disputes"].as_array().unwrap();
    if open.len() < 2 {
        assert_eq!(disputes.len(), 0, "{context}: equal values, or one writer, make no dispute");
        return false;
    }
    let parts = |value: &Value| {
        ["code", "start", "end", "mode"].map(|part| value.get(part).cloned().unwrap_or(Value::Null))
    };
    let mut expected: Vec<_> =
        open.iter().map(|value| parts(&serde_json::to_value(value).unwrap())).collect();
    assert_eq!(disputes.len(), 1, "{context}: one dispute\n{disputes:?}");
    let fact = format!("segment/{}/{}", note.activity(1), note.segment(1));
    assert_eq!(disputes[0]["fact"], json!(fact), "{context}");
    let mut sides: Vec<_> =
        disputes[0]["sides"].as_array().unwrap().iter().map(|side| parts(&side["value"])).collect();
    for values in [&mut expected, &mut sides] {
        values.sort_by_key(|value| format!("{value:?}"));
    }
    assert_eq!(sides, expected, "{context}: every side is kept");
    true
}

/// A disputed pool is not on the bill.
fn check_bill(report: &Value, is_disputed: bool, context: &str) {
    let pools = report["report"]["pools"].as_array().unwrap();
    assert!(!pools.is_empty(), "{context}: units are counted");
    let disputed = pools.iter().filter(|pool| pool["outcome"]["state"] == json!("disputed")).count();
    assert_eq!(disputed, usize::from(is_disputed), "{context}: {pools:?}");
    if is_disputed {
        assert_eq!(report["report"]["bill"]["state"], json!("held"), "{context}");
    }
}

/// A tablet shows the same note, and of the same inputs the same report.
fn check_tablet(
    tablet: &mut TabletProcess,
    note: &Note,
    seen: &Value,
    published: &Value,
    knows_all: bool,
    context: &str,
) {
    let show = json!({ "do": "show", "document": note.document });
    let shown = patiently("a tablet holds the heads of the server", || {
        let shown = tablet.say(&show).ok()?;
        (shown["note"]["heads"] == seen["heads"]).then_some(shown)
    });
    assert_eq!(shown["note"]["visit"], seen["content"], "{context}");
    assert_eq!(shown["note"]["disputes"], seen["disputes"], "{context}");
    let report = &published["report"];
    let mut own = shown["report"].clone();
    if knows_all {
        own = patiently("the published report reaches the office", || {
            let shown = tablet.say(&show).ok()?;
            (shown["report"]["inputs"] == report["inputs"]).then(|| shown["report"].clone())
        });
    }
    if own["inputs"] == report["inputs"] {
        assert_eq!(own.to_string(), report.to_string(), "{context}: equal inputs, equal bytes");
    }
}
