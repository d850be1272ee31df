//! The page in a headless browser: what it shows, its buttons, and its console.

use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use fantoccini::{Client, Locator};
use farsign_tests::browser::{Kind, capabilities, firefox_capabilities};
use farsign_tests::process::{Driver, Server, browser_program};
use farsign_tests::waiting::{FAILURE_BOUND, LOOK_EVERY};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};

use crate::devtools::DevTools;

/// Reads everything at one moment.
const FACTS: &str = "
    const text = (id) => document.getElementById(id).textContent;
    const counters = [...document.querySelectorAll('[id][data-value]')];
    const value = ({ id, dataset }) => [id, dataset.value === '' ? null : Number(dataset.value)];
    return {
      state: document.getElementById('status').dataset.state,
      detail: text('status-detail'),
      countdown: text('status-countdown'),
      accuracy: text('accuracy'),
      values: Object.fromEntries(counters.map(value)),
      buttons: [...document.querySelectorAll('#controls button:enabled')].map(({ id }) => id),
    };";

/// What the page shows.
#[derive(Debug)]
pub struct Facts(Value);

impl Facts {
    /// State of the status line.
    pub fn state(&self) -> &str {
        self.text("state")
    }

    /// A text: `detail`, `countdown` or `accuracy`.
    pub fn text(&self, name: &str) -> &str {
        self.0[name].as_str().expect("a text of the page")
    }

    /// The number behind a counter; nothing while it is not known.
    pub fn value(&self, id: &str) -> Option<f64> {
        self.0["values"].get(id).unwrap_or_else(|| panic!("the page has no counter #{id}")).as_f64()
    }

    /// The number behind a counter that is always known.
    pub fn count(&self, id: &str) -> f64 {
        self.value(id).unwrap_or_else(|| panic!("#{id} shows no number: {self:?}"))
    }

    /// Ids of the buttons that can be pressed.
    pub fn buttons(&self) -> Vec<&str> {
        self.0["buttons"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
    }
}

/// The page, loaded.
pub struct Page {
    client: Client,
    /// The browser's profile.
    profile: PathBuf,
    /// Where the driver takes commands of this session.
    session_url: String,
}

impl Page {
    /// What it shows now.
    pub async fn facts(&self) -> Facts {
        Facts(self.run(FACTS).await)
    }

    /// Waits until it shows something, and gives all that it shows then.
    pub async fn wait_until(&self, what: &str, met: impl Fn(&Facts) -> bool) -> Facts {
        let started = Instant::now();
        loop {
            let facts = self.facts().await;
            if met(&facts) {
                return facts;
            }
            let lost = matches!(facts.state(), "failed" | "removed" | "unsupported");
            assert!(!lost && started.elapsed() < FAILURE_BOUND, "{what} did not come about: {facts:#?}");
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Waits for a state.
    pub async fn wait_for(&self, state: &str) -> Facts {
        self.wait_until(state, |facts| facts.state() == state).await
    }

    /// Clicks a button as soon as it can be pressed.
    pub async fn press(&self, id: &str) {
        let enabled = format!("#{id}:enabled");
        let button = self.client.wait().at_most(FAILURE_BOUND).for_element(Locator::Css(&enabled)).await;
        button.expect("the button can be pressed").click().await.expect("it can be clicked");
    }

    /// Chooses how much of a core may be used, in percent.
    pub async fn set_effort(&self, percent: u32) {
        self.set("effort", &format!("value = {percent}"), "input").await;
    }

    /// Starts, with all of a core: for tests that wait for many answers.
    pub async fn start_at_full_effort(&self) {
        self.set_effort(100).await;
        self.press("start").await;
    }

    /// Does something to a control as a person would, such as `checked = true`, and lets the page know by the event.
    pub async fn set(&self, id: &str, what: &str, event: &str) {
        self.run(&format!(
            "const control = document.getElementById('{id}');
             control.{what};
             control.dispatchEvent(new Event('{event}', {{ bubbles: true }}))"
        ))
        .await;
    }

    /// Chooses these files at a control for files, as a person would in the window that it opens.
    pub async fn choose_files(&self, id: &str, files: &[PathBuf]) {
        let control = self.client.find(Locator::Id(id)).await.expect("the control is there");
        let paths: Vec<_> = files.iter().map(|path| path.to_str().expect("a path in UTF-8")).collect();
        control.send_keys(&paths.join("\n")).await.expect("the files are taken");
    }

    /// The text of an element.
    pub async fn text(&self, id: &str) -> String {
        let text = self.run(&format!("return document.getElementById('{id}').textContent")).await;
        text.as_str().expect("an element has text").to_owned()
    }

    /// Calls a method of the browser's developer tools for this tab.
    pub fn devtool(&self, method: &str, params: &Value) -> Value {
        let url = format!("{}/goog/cdp/execute", self.session_url);
        ask_driver(&url, &json!({ "cmd": method, "params": params }))
    }

    /// What its window shows, as a PNG.
    pub async fn picture(&self) -> Vec<u8> {
        self.client.screenshot().await.expect("a picture can be taken")
    }

    /// Loads the page again, with this script run before anything of the page's own.
    pub async fn reload_with(&self, script: &str) {
        self.devtool("Page.addScriptToEvaluateOnNewDocument", &json!({ "source": script }));
        self.client.refresh().await.expect("the page loads again");
    }

    /// Loads the page again.
    pub async fn reload(&self) {
        self.client.refresh().await.expect("the page loads again");
    }

    /// Goes elsewhere.
    pub async fn go_to(&self, url: &str) {
        self.client.goto(url).await.expect("the address can be opened");
    }

    /// Opens this in another tab, and goes on there.
    pub async fn open_another_tab(&self, url: &str) {
        let tab = self.client.new_window(true).await.expect("a tab opens");
        self.client.switch_to_window(tab.handle).await.expect("the tab is there");
        self.go_to(url).await;
    }

    /// Hides the window, or shows it again.
    pub async fn hide(&self, hidden: bool) {
        let done =
            if hidden { self.client.minimize_window().await } else { self.client.maximize_window().await };
        done.expect("the window obeys");
        self.wait_until_true(&format!("document.hidden === {hidden}")).await;
    }

    /// Waits until an expression is true in the page.
    pub async fn wait_until_true(&self, expression: &str) {
        let started = Instant::now();
        while self.run(&format!("return {expression}")).await != true {
            assert!(started.elapsed() < FAILURE_BOUND, "{expression} did not come about");
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// A look inside its worker, which is there once the page has loaded.
    pub async fn devtools(&self) -> DevTools {
        DevTools::of_worker(&self.profile).await
    }

    /// Runs a script in the page.
    pub async fn run(&self, script: &str) -> Value {
        self.client.execute(script, Vec::new()).await.expect("the script runs")
    }
}

/// What came to the console of the page or of one of its workers.
#[derive(Clone, Debug)]
pub struct Complaint {
    /// `SEVERE` for errors and uncaught exceptions, `WARNING`.
    pub level: String,
    /// `console-api`, `javascript`, `network`, `worker`, ...
    pub source: String,
    /// With the address of the script in front.
    pub message: String,
}

impl Complaint {
    /// From what Chromium keeps.
    fn read(entry: &Value) -> Self {
        let text = |name: &str| entry[name].as_str().expect("a log entry has its texts").to_owned();
        Self { level: text("level"), source: text("source"), message: text("message") }
    }

    /// From a line that Firefox writes; none where that tells of no error or warning, or of one of the browser's own.
    fn read_line(line: &str) -> Option<Self> {
        const STARTS: [(&str, &str, &str); 4] = [
            ("console.error: ", "SEVERE", "console-api"),
            ("console.warn: ", "WARNING", "console-api"),
            ("JavaScript error: ", "SEVERE", "javascript"),
            ("JavaScript warning: ", "WARNING", "javascript"),
        ];
        let (message, level, source) = STARTS
            .iter()
            .find_map(|(start, level, source)| Some((line.strip_prefix(start)?, level, source)))?;
        let browsers_own = ["resource:", "chrome:", "moz-extension:", "RSLoader:"]
            .iter()
            .any(|own| message.starts_with(own));
        let complaint =
            Self { level: (*level).into(), source: (*source).into(), message: message.to_owned() };
        (!browsers_own).then_some(complaint)
    }

    /// Whether it says no more than that the server at this address cannot be reached.
    fn is_lost_connection(&self, server: SocketAddr) -> bool {
        let api = format!("http://{server}/api/v1/");
        let unreached = " - Failed to load resource: net::ERR_";
        let socket = format!("WebSocket connection to 'ws://{server}/ws' failed: ");
        match self.source.as_str() {
            "network" => self.message.starts_with(&api) && self.message.contains(unreached),
            "worker" => self.message.contains(&socket),
            _ => false,
        }
    }
}

/// Everything a test of the page needs, in the order in which it is ended.
struct Visit {
    client: Client,
    driver: Driver,
    server: Server,
}

impl Visit {
    async fn begin(arguments: &[&str]) -> Self {
        let kind = Kind::chosen();
        let (server, driver) = (Server::start(arguments), Driver::start(kind));
        let program = browser_program(kind);
        let capabilities = match kind {
            Kind::Chromium => capabilities(&program, &driver.profile()),
            Kind::Firefox => firefox_capabilities(&program),
        };
        let connector = HttpConnector::new();
        let client = Client::with_capabilities_and_connector(&driver.url(), &capabilities, connector).await;
        let client = client.expect("the browser starts");
        client.goto(&format!("http://{}/", server.address())).await.expect("the page loads");
        Self { client, driver, server }
    }

    async fn session_url(&self) -> String {
        let session = self.client.session_id().await.expect("the driver answers");
        format!("{}/session/{}", self.driver.url(), session.expect("there is a session"))
    }

    /// Errors and warnings so far.
    async fn complaints(&mut self) -> Vec<Complaint> {
        match Kind::chosen() {
            Kind::Chromium => self.complaints_of_chromium().await,
            Kind::Firefox => self.complaints_of_firefox().await,
        }
    }

    async fn complaints_of_chromium(&self) -> Vec<Complaint> {
        // What a worker says goes through the page; a turn of the page's loop lets it pass.
        _ = self.client.execute("return new Promise((done) => setTimeout(done))", Vec::new()).await;
        let url = format!("{}/se/log", self.session_url().await);
        let entries = ask_driver(&url, &json!({ "type": "browser" }));
        let said = entries.as_array().expect("a list of entries").iter().map(Complaint::read);
        said.filter(|entry| matches!(entry.level.as_str(), "SEVERE" | "WARNING")).collect()
    }

    /// Firefox tells no driver what comes to consoles, but writes it to its output. Whatever was said before these last
    /// words, one on either stream, is there when they are.
    async fn complaints_of_firefox(&mut self) -> Vec<Complaint> {
        const LAST: [&str; 2] = ["last words on the console", "last words of an exception"];
        let [console, exception] = LAST;
        let script = format!(
            "console.error('{console}');
             return new Promise((done) => setTimeout(() => {{ setTimeout(done); throw new Error('{exception}'); }}))"
        );
        self.client.execute(&script, Vec::new()).await.expect("the script runs");
        let lines = self.driver.lines_until(&LAST).iter();
        let said = lines.filter(|line| !LAST.iter().any(|last| line.contains(last)));
        said.filter_map(|line| Complaint::read_line(line)).collect()
    }
}

/// What the driver answers to a command that the client library does not know.
fn ask_driver(url: &str, command: &Value) -> Value {
    let mut answer = ureq::post(url).send(command.to_string()).expect("the driver does it");
    let answer = answer.body_mut().read_to_string().expect("the body comes");
    let mut answer: Value = serde_json::from_str(&answer).expect("the driver speaks JSON");
    answer["value"].take()
}

/// Tests a page of a server with these arguments, in a fresh browser, and gives what its console complained about.
/// One test runs at a time: several browsers would starve each other.
pub fn complaints_during(arguments: &[&str], test: impl AsyncFnOnce(&Page, &mut Server)) -> Vec<Complaint> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let started = Instant::now();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut visit = runtime.block_on(Visit::begin(arguments));
    let session_url = runtime.block_on(visit.session_url());
    let page = Page { client: visit.client.clone(), profile: visit.driver.profile(), session_url };
    let result = catch_unwind(AssertUnwindSafe(|| runtime.block_on(test(&page, &mut visit.server))));
    let complaints = runtime.block_on(visit.complaints());
    if let Err(failure) = result {
        // Firefox would outlive its driver.
        _ = runtime.block_on(visit.client.clone().close());
        eprintln!("The browser's console complained: {complaints:#?}");
        resume_unwind(failure);
    }
    drop(page);
    let Visit { client, driver, server } = visit;
    runtime.block_on(client.close()).expect("the browser closes");
    drop((driver, server));
    println!(
        "{:?}: {:.1} s",
        std::thread::current().name().unwrap_or_default(),
        started.elapsed().as_secs_f64()
    );
    complaints
}

/// Whether a test cannot run in the browser at hand, as it needs Chromium; its name is said then, with the reason.
pub fn needs_chromium(reason: &str) -> bool {
    let left_out = Kind::chosen() == Kind::Firefox;
    if left_out {
        println!("{:?} is LEFT OUT in Firefox: {reason}", std::thread::current().name().unwrap_or_default());
    }
    left_out
}

/// Why, for tests that look through the protocol of Chromium's developer tools.
pub const EMULATION: &str = "screens, colour schemes, networks and frozen tabs are emulated by Chromium";
/// Why, for tests that run a script before the page's own.
pub const PRELOADED: &str = "WebDriver has no way to run a script before the page's own";

/// Tests a page whose console stays clean.
pub fn test_page(arguments: &[&str], test: impl AsyncFnOnce(&Page, &mut Server)) {
    let complaints = complaints_during(arguments, test);
    assert!(complaints.is_empty(), "the browser's console complained: {complaints:#?}");
}

/// The same for a page that loses its server on the way: that it cannot be reached is the browser's to say, and nothing
/// else.
pub fn test_page_that_loses_its_server(arguments: &[&str], test: impl AsyncFnOnce(&Page, &mut Server)) {
    let mut address = None;
    let complaints = complaints_during(arguments, async |page, server| {
        address = Some(server.address());
        test(page, server).await;
    });
    let address = address.expect("the test has run");
    let others: Vec<_> = complaints.iter().filter(|said| !said.is_lost_connection(address)).collect();
    assert!(others.is_empty(), "the browser's console complained: {others:#?}");
}
