//! A clinic whose parts are killed: three tablets that keep writing, what each of them was told, and the
//! comparison with what the server has afterwards.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use chart::ids::DocumentId;
use gaitway::api::Token;
use gaitway::client::Client;
use gaitway::datadir::DataDir;
use serde_json::{Value, json};

use crate::support::{Clinic, TabletProcess, patiently};

/// A small generator of numbers (SplitMix64).
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound.max(1)
    }
}

/// A tablet, and what it was told.
pub(crate) struct Hand {
    pub(crate) name: String,
    pub(crate) person: String,
    pub(crate) dir: PathBuf,
    pub(crate) tablet: TabletProcess,
    /// Words that are on the tablet's disk, by document, with the change they became if it was told.
    pub(crate) saved: BTreeMap<(DocumentId, String), Option<String>>,
    written: usize,
}

impl Hand {
    /// Sends an edit that writes one new word at the start of a note, without waiting for its answer;
    /// `None` if the tablet is dead already.
    pub(crate) fn write(&mut self, document: DocumentId) -> Option<String> {
        self.written += 1;
        let word = format!("[{}-{:04}]", self.name, self.written);
        let line = json!({
            "document": document, "command": "splice_text", "field": "subjective", "position": 0, "insert": word,
        });
        self.tablet.send(&line).ok()?;
        Some(word)
    }

    /// Takes the answer of an edit; `false` if the tablet died first.
    pub(crate) fn hear(&mut self, document: DocumentId, word: String) -> bool {
        let Some(answer) = self.tablet.answer(Duration::from_secs(60)) else { return false };
        assert_eq!(answer["saved"], json!(true), "{}: {answer}", self.name);
        let change = answer["change"].as_str().unwrap().to_owned();
        self.saved.insert((document, word), Some(change));
        true
    }

    /// The changes of every note this tablet calls safe at the clinic.
    pub(crate) fn called_safe(&mut self) -> BTreeMap<DocumentId, BTreeSet<String>> {
        let status = self.tablet.say(&json!({ "do": "status" })).unwrap();
        let mut safe = BTreeMap::new();
        for row in status["documents"].as_array().unwrap() {
            if row["status"] == json!("safe_at_clinic") {
                let document: DocumentId = row["document"].as_str().unwrap().parse().unwrap();
                let shown = self.tablet.say(&json!({ "do": "show", "document": document })).unwrap();
                safe.insert(document, changes(&shown["note"]));
            }
        }
        safe
    }
}

/// The hashes of a note's history; each may be there once only.
pub(crate) fn changes(note: &Value) -> BTreeSet<String> {
    let history = note["history"].as_array().unwrap();
    let hashes: BTreeSet<String> =
        history.iter().map(|entry| entry["by"]["change"].as_str().unwrap().to_owned()).collect();
    assert_eq!(hashes.len(), history.len(), "a change is in the history twice");
    hashes
}

/// The clinic.
pub(crate) struct Ward {
    pub(crate) clinic: Clinic,
    pub(crate) hands: Vec<Hand>,
    /// Everybody writes into the first; one more for each tablet.
    pub(crate) notes: Vec<DocumentId>,
    token: String,
}

impl Ward {
    /// A clinic with so many tablets, each with a note of its own and one that all of them share.
    pub(crate) fn open(tablets: usize) -> Self {
        let mut clinic = Clinic::start();
        let supervisor = clinic.person("Ismene", "supervisor");
        let token: Token = clinic.admin().post("/v1/admin/tokens", &json!({ "person": supervisor })).unwrap();
        let people: Vec<String> =
            (0..tablets).map(|number| clinic.person(&format!("therapist {number}"), "therapist")).collect();
        let team: Vec<&str> = people.iter().map(String::as_str).collect();
        let patient = clinic.patient("Alder Quince", "medicare_ffs", &team);
        let notes: Vec<DocumentId> = (0..=tablets)
            .map(|number| DocumentId::from_bytes([0x40 + u8::try_from(number).unwrap(); 16]))
            .collect();
        let mut hands = Vec::new();
        for (number, person) in people.iter().enumerate() {
            let name = format!("t{number}");
            let dir = clinic.enrol(&name);
            let tablet = clinic.run(&dir, person, &[], &[]);
            let (person, saved) = (person.clone(), BTreeMap::new());
            hands.push(Hand { name, person, dir, tablet, saved, written: 0 });
        }
        let mut ward = Self { clinic, hands, notes, token: token.token };
        for (index, document) in ward.notes.clone().into_iter().enumerate() {
            let hand = &mut ward.hands[index.saturating_sub(1)];
            let open = json!({
                "document": document, "command": "open_visit", "patient": patient, "discipline": "pt",
                "facts": { "provider": hand.person, "date": "2026-03-17", "payer": "medicare_ffs" },
            });
            hand.tablet.say(&open).unwrap();
        }
        ward.settle();
        ward
    }

    /// The notes a tablet writes into: the shared one and its own.
    pub(crate) fn notes_of(&self, hand: usize) -> [DocumentId; 2] {
        [self.notes[0], self.notes[hand + 1]]
    }

    /// Waits until every tablet is safe and quiet, and holds the shared note.
    pub(crate) fn settle(&mut self) {
        for hand in &mut self.hands {
            hand.tablet.say(&json!({ "do": "connect" })).unwrap();
        }
        for hand in &mut self.hands {
            // What was called safe before is not yet compared with the server's record: wait for that.
            let idle = json!({ "do": "sync", "until": "idle", "timeout_ms": 80_000 });
            hand.tablet.say(&idle).unwrap();
        }
        self.judged();
        let shared = self.notes[0];
        for index in 0..self.hands.len() {
            patiently("the shared note is the same at the clinic and on every tablet", || {
                let everything = self.server_note(shared).map(|note| changes(&note));
                let hand = &mut self.hands[index];
                let shown = hand.tablet.say(&json!({ "do": "show", "document": shared })).ok()?;
                (Some(changes(&shown["note"])) == everything).then_some(())
            });
        }
    }

    fn reviewer(&self) -> Client {
        let data = DataDir::new(self.clinic.data());
        Client::new(&data, Some(self.clinic.url.clone()), Some(self.token.clone())).unwrap()
    }

    /// A note as the server shows it; `None` if it has none.
    pub(crate) fn server_note(&self, document: DocumentId) -> Option<Value> {
        self.reviewer().get(&format!("/v1/review/notes/{document}")).ok()
    }

    /// A note's report as the server publishes it.
    pub(crate) fn server_report(&self, document: DocumentId) -> Option<Value> {
        self.reviewer().get(&format!("/v1/review/notes/{document}/report")).ok()
    }

    /// Waits until the server has judged everything it holds.
    pub(crate) fn judged(&self) {
        let admin = self.clinic.admin();
        patiently("the server judges what it holds", || {
            let status: Value = admin.get("/v1/admin/status").ok()?;
            (status["hub"]["unjudged"] == json!(0)).then_some(())
        });
    }

    /// What tablets call safe and the server's notes do not have: tablet, note and change.
    pub(crate) fn lost(
        &self,
        promised: &[BTreeMap<DocumentId, BTreeSet<String>>],
    ) -> Vec<(usize, DocumentId, String)> {
        self.judged();
        let mut lost = Vec::new();
        for document in &self.notes {
            let has = self.server_note(*document).map(|note| changes(&note)).unwrap_or_default();
            for (hand, safe) in promised.iter().enumerate() {
                let missing =
                    safe.get(document).into_iter().flatten().filter(|change| !has.contains(*change));
                lost.extend(missing.map(|change| (hand, *document, change.clone())));
            }
        }
        lost
    }

    /// What tablets call safe must be in the server's notes.
    pub(crate) fn check_promises(&self, promised: &[BTreeMap<DocumentId, BTreeSet<String>>], context: &str) {
        let lost = self.lost(promised);
        assert!(lost.is_empty(), "{context}: called safe by a tablet, and lost by the clinic: {lost:?}");
    }

    /// At the end: equal heads everywhere, every saved word once, every change once, nothing held.
    pub(crate) fn check_whole(&mut self, context: &str) {
        self.settle();
        for document in self.notes.clone() {
            let note = self.server_note(document).expect("the server has every note");
            let text = note["content"]["text"]["subjective"].as_str().unwrap_or_default().to_owned();
            let has = changes(&note);
            let mut words = 0;
            for hand in &self.hands {
                for ((_, word), change) in hand.saved.iter().filter(|((of, _), _)| *of == document) {
                    assert_eq!(text.matches(word.as_str()).count(), 1, "{context}: {word} in {text}");
                    assert!(
                        change.as_ref().is_none_or(|change| has.contains(change)),
                        "{context}: the change of {word} is gone"
                    );
                    words += 1;
                }
            }
            assert_eq!(has.len(), words + 1, "{context}: every change once, and the one that began the note");
            assert_eq!(note["quarantine"], json!([]), "{context}");
            for (index, hand) in self.hands.iter_mut().enumerate() {
                if document == self.notes[0] || document == self.notes[index + 1] {
                    let shown = hand.tablet.say(&json!({ "do": "show", "document": document })).unwrap();
                    assert_eq!(shown["note"]["heads"], note["heads"], "{context}: {}", hand.name);
                    assert_eq!(
                        shown["note"]["visit"]["text"], note["content"]["text"],
                        "{context}: {}",
                        hand.name
                    );
                }
            }
        }
    }
}
