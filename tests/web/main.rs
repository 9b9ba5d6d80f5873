//! The web app in a real browser, against a real server: work that ends the core, planted, leaves the page
//! alive, its note marked and its bytes kept. Started by `cargo xtask web`, which builds the app first.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, its helpers too"
)]

mod browser;
mod site;
#[path = "../it/support.rs"]
#[allow(dead_code, reason = "the other system tests use more of it")]
mod support;

use std::path::PathBuf;

use serde_json::{Value, json};

use browser::Browser;
use site::Site;
use support::{Clinic, TabletProcess, sync};

/// Each way an engine can end its module, as words in somebody's note.
const DEADLY: [&str; 3] = ["xyzzy-trap", "xyzzy-stack", "xyzzy-memory"];

fn built(name: &str) -> PathBuf {
    let path = std::env::var_os(name);
    PathBuf::from(path.unwrap_or_else(|| panic!("{name} names no built app: run `cargo xtask web`")))
}

fn id(number: usize) -> String {
    format!("{number:08}-1111-4111-8111-111111111111")
}

/// A clinic with two people on one patient: one at a tablet of the command line, one at the browser.
struct Scene {
    clinic: Clinic,
    other: TabletProcess,
    site: Site,
    browser: Browser,
}

impl Scene {
    fn open() -> Self {
        let mut clinic = Clinic::start();
        let people = ["Odalys Brenwick", "Corin Hale"].map(|name| clinic.person(name, "therapist"));
        let team: Vec<&str> = people.iter().map(String::as_str).collect();
        let patient = clinic.patient("Teodor Vance-Hollin", "medicare_ffs", &team);
        let dirs = ["other", "browser"].map(|name| clinic.enrol(name));
        let mut other = clinic.run(&dirs[0], &people[0], &[], &[]);
        for number in 0..=DEADLY.len() {
            let open = json!({
                "document": id(number), "command": "open_visit", "patient": patient, "discipline": "pt",
                "facts": { "provider": people[0], "date": "2026-03-17", "payer": "medicare_ffs" },
            });
            other.say(&open).unwrap();
        }
        sync(&mut other);
        let site = Site::of(built("GAITWAY_WEB_PLANTED"));
        let browser = Browser::start();
        browser.go(&site.url());
        let keys = std::fs::read_to_string(dirs[1].join("keys.json")).unwrap();
        browser.fill("#keys textarea", &keys);
        browser.fill("#keys input", &people[1]);
        browser.click("#keys button");
        Self { clinic, other, site, browser }
    }

    /// The other tablet writes at the beginning of a note's objective.
    fn write(&mut self, number: usize, text: &str) {
        let line = json!({
            "document": id(number), "command": "splice_text", "field": "objective", "position": 0, "insert": text,
        });
        self.other.say(&line).unwrap();
        sync(&mut self.other);
    }

    fn shown(&self, number: usize, part: &str) -> Option<String> {
        self.browser.text(&format!("[data-document='{}'] {part}", id(number)))
    }

    #[track_caller]
    fn until_shown(&self, number: usize, part: &str, expected: &str) {
        self.browser.until(&format!("note {number} says `{expected}`"), || {
            self.shown(number, part).filter(|text| text.contains(expected)).map(|_| ())
        });
    }

    /// Types into a note in the browser and waits until it is called saved.
    #[track_caller]
    fn edit(&self, number: usize, text: &str) {
        let note = format!("[data-document='{}']", id(number));
        self.browser.fill(&format!("{note} input"), text);
        self.browser.click(&format!("{note} button"));
        self.until_shown(number, "form [role=status]", "Saved on this tablet");
    }

    #[track_caller]
    fn at_the_clinic(&mut self, number: usize, text: &str) {
        let Self { browser, other, .. } = self;
        let mut last = Value::Null;
        let arrived = browser.comes(|| {
            let shown = other.say(&json!({ "do": "show", "document": id(number) })).unwrap();
            last = shown.pointer("/note/visit/fields/education").cloned().unwrap_or_default();
            (last == text).then_some(())
        });
        assert!(arrived.is_some(), "note {number} at the clinic says {last}, not {text}; {}", browser.page());
    }

    fn deaths(&self) -> usize {
        let deaths = self.browser.run("return document.body.dataset.deaths ?? '0'");
        deaths.as_str().unwrap().parse().unwrap()
    }
}

const SENTENCE: &str = "cannot be shown by this version of the app";

#[test]
fn work_that_ends_the_core_leaves_the_page_alive_and_only_its_note_marked() {
    let mut scene = Scene::open();
    scene.until_shown(DEADLY.len(), ".what", "visit 2026-03-17");
    scene.browser.run("window.samePage = 'yes'");
    for (number, deadly) in DEADLY.into_iter().enumerate() {
        scene.edit(number, &format!("own {number}"));
        scene.write(number, deadly);
        scene.until_shown(number, ".cannot-be-shown", SENTENCE);
        let last = scene.browser.run("return document.body.dataset.lastDeath");
        println!("{deadly}: {last}, deaths so far {}", scene.deaths());
        assert!(last.as_str().unwrap().ends_with(" engine"), "{last}");
        let told = scene.browser.text("#trouble").unwrap();
        assert!(told.contains("stopped and was started again"), "{told}");
    }
    assert_eq!(scene.browser.run("return window.samePage"), json!("yes"), "the page was never loaded again");
    let deaths = scene.deaths();
    assert!((DEADLY.len()..=2 * DEADLY.len()).contains(&deaths), "{deaths}");
    // Everything else goes on: others' work is shown, one's own is saved and sent, here and on marked notes.
    scene.write(DEADLY.len(), "harmless");
    scene.until_shown(DEADLY.len(), ".objective", "harmless");
    for number in 0..=DEADLY.len() {
        let text = format!("after {number}");
        scene.edit(number, &text);
        scene.at_the_clinic(number, &text);
    }
    // Loaded again it is the same, and nothing dies.
    scene.browser.go(&scene.site.url());
    for number in 0..DEADLY.len() {
        scene.until_shown(number, ".cannot-be-shown", SENTENCE);
        assert_eq!(scene.shown(number, ".objective").as_deref(), Some(""));
    }
    scene.until_shown(DEADLY.len(), ".objective", "harmless");
    assert_eq!(scene.deaths(), 0);
    // The bytes are in the browser's store: with no server, another version of the app shows them.
    scene.clinic.kill_server();
    scene.site.serve(built("GAITWAY_WEB"));
    scene.browser.go(&scene.site.url());
    for (number, deadly) in DEADLY.into_iter().enumerate() {
        scene.until_shown(number, ".objective", deadly);
        assert_eq!(scene.shown(number, ".cannot-be-shown").as_deref(), Some(""));
    }
    assert_eq!(scene.deaths(), 0);
}
