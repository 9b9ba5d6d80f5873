//! A real browser, driven over WebDriver, the protocol every browser speaks: Chromium by its own driver.
//! Knows nothing of the app.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::PATIENCE;

/// The name WebDriver gives to a reference to an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// WebDriver's control key, held until all held keys are let go.
const CONTROL: char = '\u{e009}';
const RELEASED: char = '\u{e000}';

pub(crate) struct Browser {
    driver: Child,
    session: String,
    agent: ureq::Agent,
    _profile: tempfile::TempDir,
}

impl Browser {
    pub(crate) fn start() -> Self {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver is installed");
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port: u16 = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| line.split("successfully on port ").nth(1)?.trim_end_matches('.').parse().ok())
            .expect("chromedriver says its port");
        // Whatever else it says is read, so that it never waits for a reader.
        std::thread::spawn(move || lines.for_each(drop));
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(PATIENCE))
            .http_status_as_error(false)
            .build()
            .new_agent();
        let profile = tempfile::tempdir().unwrap();
        let data = format!("--user-data-dir={}", profile.path().display());
        let args = ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", &data];
        let wanted = json!({ "capabilities": { "alwaysMatch": { "goog:chromeOptions": { "args": args } } } });
        let mut browser =
            Self { driver, session: format!("http://127.0.0.1:{port}/session"), agent, _profile: profile };
        let made = browser.post("", &wanted);
        let id = made["sessionId"].as_str().unwrap_or_else(|| panic!("no browser: {made}")).to_owned();
        browser.session = format!("{}/{id}", browser.session);
        browser
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        let mut answer = self.agent.post(format!("{}{path}", self.session)).send_json(body).unwrap();
        let answer: Value = answer.body_mut().read_json().unwrap();
        answer["value"].clone()
    }

    /// Loads a page.
    pub(crate) fn go(&self, url: &str) {
        self.post("/url", &json!({ "url": url }));
    }

    /// Runs a script in the page and brings back what it returns.
    pub(crate) fn run(&self, script: &str) -> Value {
        self.post("/execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// The text of the first element a selector finds.
    pub(crate) fn text(&self, selector: &str) -> Option<String> {
        let script = format!("return document.querySelector({})?.textContent", json!(selector));
        self.run(&script).as_str().map(str::to_owned)
    }

    /// Everything the page says.
    pub(crate) fn page(&self) -> String {
        let said = "return document.body.innerText + ' ' + JSON.stringify(document.body.dataset)";
        format!("the page says: {}", self.run(said))
    }

    /// Looks again and again until there is something to see, or nothing came in time.
    pub(crate) fn comes<T>(&self, mut look: impl FnMut() -> Option<T>) -> Option<T> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let found = look();
            if found.is_some() || Instant::now() > deadline {
                return found;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// The same for what must come.
    #[track_caller]
    pub(crate) fn until<T>(&self, what: &str, look: impl FnMut() -> Option<T>) -> T {
        self.comes(look).unwrap_or_else(|| panic!("it did not happen in time that {what}; {}", self.page()))
    }

    /// An element a person can see, waited for.
    #[track_caller]
    fn element(&self, selector: &str) -> String {
        self.until(&format!("{selector} can be seen"), || {
            let found = self.post("/element", &json!({ "using": "css selector", "value": selector }));
            let element = found[ELEMENT].as_str()?.to_owned();
            let seen =
                self.run(&format!("return !!document.querySelector({})?.offsetParent", json!(selector)));
            (seen == json!(true)).then_some(element)
        })
    }

    /// Clicks, as a person does.
    #[track_caller]
    pub(crate) fn click(&self, selector: &str) {
        let element = self.element(selector);
        self.post(&format!("/element/{element}/click"), &json!({}));
    }

    /// Types over what a field says, as a person does: whatever it says by then is chosen and replaced.
    #[track_caller]
    pub(crate) fn fill(&self, selector: &str, text: &str) {
        let element = self.element(selector);
        let keys = format!("{CONTROL}a{RELEASED}{text}");
        self.post(&format!("/element/{element}/value"), &json!({ "text": keys }));
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.agent.delete(&self.session).call();
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
