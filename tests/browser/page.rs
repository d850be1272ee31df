//! A page in a headless browser: its state, its controls and its console.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use fantoccini::{Client, Locator};
use farsign_tests::browser::{Kind, capabilities, firefox_capabilities};
use farsign_tests::driver_process::{DriverProcess, browser_program};
use farsign_tests::server_process::ServerProcess;
use farsign_tests::wait::{POLL_INTERVAL, TEST_TIMEOUT};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};

use crate::console_message::ConsoleMessage;
use crate::devtools::{DevTools, send_command};

/// Returns the whole state at one moment.
const STATE: &str = "
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

/// The visible state of the page.
#[derive(Debug)]
pub struct PageState(Value);

impl PageState {
    /// Returns the name of the state.
    pub fn name(&self) -> &str {
        self.text("state")
    }

    /// Returns a text: `detail`, `countdown` or `accuracy`.
    pub fn text(&self, name: &str) -> &str {
        self.0[name].as_str().expect("a text of the page")
    }

    /// Returns the number behind a counter; `None` while it is unknown.
    pub fn value(&self, id: &str) -> Option<f64> {
        self.0["values"]
            .get(id)
            .unwrap_or_else(|| panic!("the page has no counter #{id}"))
            .as_f64()
    }

    /// Returns the number behind a counter that is always known.
    pub fn count(&self, id: &str) -> f64 {
        self.value(id)
            .unwrap_or_else(|| panic!("#{id} shows no number: {self:?}"))
    }

    /// Returns the ids of the enabled buttons.
    pub fn buttons(&self) -> Vec<&str> {
        self.0["buttons"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect()
    }
}

/// A loaded page.
pub struct Page {
    client: Client,
    /// The profile of the browser.
    profile: PathBuf,
    /// The driver's URL for commands of this session.
    session_url: String,
}

impl Page {
    /// Returns the current state.
    pub async fn state(&self) -> PageState {
        PageState(self.run(STATE).await)
    }

    /// Waits for a condition, and returns the state that meets it.
    pub async fn wait_until(&self, what: &str, is_met: impl Fn(&PageState) -> bool) -> PageState {
        let started = Instant::now();
        loop {
            let state = self.state().await;
            if is_met(&state) {
                return state;
            }
            let has_ended = matches!(state.name(), "failed" | "ejected" | "unsupported");
            assert!(
                !has_ended && started.elapsed() < TEST_TIMEOUT,
                "timed out waiting for {what}: {state:#?}"
            );
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    /// Waits for the state of this name.
    pub async fn wait_for(&self, name: &str) -> PageState {
        self.wait_until(name, |state| state.name() == name).await
    }

    /// Waits until a button is enabled, and clicks it.
    pub async fn press(&self, id: &str) {
        let enabled = format!("#{id}:enabled");
        let button = self
            .client
            .wait()
            .at_most(TEST_TIMEOUT)
            .for_element(Locator::Css(&enabled))
            .await;
        button
            .expect("an enabled button")
            .click()
            .await
            .expect("a click");
    }

    /// Sets the effort, in percent of a core.
    pub async fn set_effort(&self, percent: u32) {
        self.set("effort", &format!("value = {percent}"), "input")
            .await;
    }

    /// Starts training with a whole core, for tests that wait for many updates.
    pub async fn start_at_full_effort(&self) {
        self.set_effort(100).await;
        self.press("start").await;
    }

    /// Changes a control by an assignment such as `checked = true`, and dispatches the event.
    pub async fn set(&self, id: &str, assignment: &str, event: &str) {
        self.run(&format!(
            "const control = document.getElementById('{id}');
             control.{assignment};
             control.dispatchEvent(new Event('{event}', {{ bubbles: true }}))"
        ))
        .await;
    }

    /// Selects files in a file input.
    pub async fn choose_files(&self, id: &str, files: &[PathBuf]) {
        let control = self
            .client
            .find(Locator::Id(id))
            .await
            .expect("a file input");
        let paths: Vec<_> = files
            .iter()
            .map(|path| path.to_str().expect("a path in UTF-8"))
            .collect();
        control
            .send_keys(&paths.join("\n"))
            .await
            .expect("the files are selected");
    }

    /// Returns the text of an element.
    pub async fn text(&self, id: &str) -> String {
        let text = self
            .run(&format!(
                "return document.getElementById('{id}').textContent"
            ))
            .await;
        text.as_str().expect("an element has text").to_owned()
    }

    /// Calls a DevTools method for this tab.
    pub fn devtool(&self, method: &str, params: &Value) -> Value {
        let url = format!("{}/goog/cdp/execute", self.session_url);
        send_command(&url, &json!({ "cmd": method, "params": params }))
    }

    /// Returns a screenshot as PNG.
    pub async fn screenshot(&self) -> Vec<u8> {
        self.client.screenshot().await.expect("a screenshot")
    }

    /// Reloads the page, and runs this script before the page's scripts.
    pub async fn reload_with(&self, script: &str) {
        self.devtool(
            "Page.addScriptToEvaluateOnNewDocument",
            &json!({ "source": script }),
        );
        self.client.refresh().await.expect("the page reloads");
    }

    /// Reloads the page.
    pub async fn reload(&self) {
        self.client.refresh().await.expect("the page reloads");
    }

    /// Opens another address.
    pub async fn go_to(&self, url: &str) {
        self.client.goto(url).await.expect("the address opens");
    }

    /// Opens an address in another tab, and continues there.
    pub async fn open_tab(&self, url: &str) {
        let tab = self.client.new_window(true).await.expect("a tab opens");
        self.client
            .switch_to_window(tab.handle)
            .await
            .expect("the tab is open");
        self.go_to(url).await;
    }

    /// Hides or shows the window.
    pub async fn hide(&self, hidden: bool) {
        let done = if hidden {
            self.client.minimize_window().await
        } else {
            self.client.maximize_window().await
        };
        done.expect("the window changes");
        self.wait_until_true(&format!("document.hidden === {hidden}"))
            .await;
    }

    /// Waits until a JavaScript expression is true.
    pub async fn wait_until_true(&self, expression: &str) {
        let started = Instant::now();
        while self.run(&format!("return {expression}")).await != true {
            assert!(
                started.elapsed() < TEST_TIMEOUT,
                "timed out waiting for {expression}"
            );
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    /// Connects to the DevTools of the data worker and of `training` others. One of each exists after loading.
    pub async fn devtools(&self, training: usize) -> DevTools {
        DevTools::connect(&self.profile, training).await
    }

    /// Runs a script in the page, and returns its result.
    pub async fn run(&self, script: &str) -> Value {
        self.client
            .execute(script, Vec::new())
            .await
            .expect("the script runs")
    }
}

/// The processes of a page test, in the order of their shutdown.
struct BrowserSession {
    client: Client,
    driver: DriverProcess,
    server: ServerProcess,
}

impl BrowserSession {
    async fn start(arguments: &[&str], of_chromium: &[&str]) -> Self {
        let kind = Kind::chosen();
        let server = ServerProcess::start(arguments);
        let driver = DriverProcess::start(kind);
        let program = browser_program(kind);
        let capabilities = match kind {
            Kind::Chromium => capabilities(&program, &driver.profile(), of_chromium),
            Kind::Firefox => firefox_capabilities(&program),
        };
        let connector = HttpConnector::new();
        let client =
            Client::with_capabilities_and_connector(&driver.url(), &capabilities, connector).await;
        let client = client.expect("the browser starts");
        client
            .goto(&format!("http://{}/", server.address()))
            .await
            .expect("the page loads");
        Self {
            client,
            driver,
            server,
        }
    }

    async fn session_url(&self) -> String {
        let session = self
            .client
            .session_id()
            .await
            .expect("a response of the driver");
        format!(
            "{}/session/{}",
            self.driver.url(),
            session.expect("a session")
        )
    }

    /// Returns the errors and warnings so far.
    async fn console_messages(&mut self) -> Vec<ConsoleMessage> {
        match Kind::chosen() {
            Kind::Chromium => self.chromium_messages().await,
            Kind::Firefox => self.firefox_messages().await,
        }
    }

    async fn chromium_messages(&self) -> Vec<ConsoleMessage> {
        // Messages of workers pass through the page's event loop.
        _ = self
            .client
            .execute("return new Promise((done) => setTimeout(done))", Vec::new())
            .await;
        let url = format!("{}/se/log", self.session_url().await);
        let entries = send_command(&url, &json!({ "type": "browser" }));
        let messages = entries
            .as_array()
            .expect("a list of entries")
            .iter()
            .map(ConsoleMessage::from_entry);
        messages
            .filter(|entry| matches!(entry.level.as_str(), "SEVERE" | "WARNING"))
            .collect()
    }

    /// Returns the messages of Firefox, which writes them to its output instead of the driver. A final marker on each of
    /// its two streams shows that all earlier messages have arrived.
    async fn firefox_messages(&mut self) -> Vec<ConsoleMessage> {
        const MARKERS: [&str; 2] = ["end of the console", "end of the exceptions"];
        let [console, exception] = MARKERS;
        let script = format!(
            "console.error('{console}');
             return new Promise((done) => setTimeout(() => {{ setTimeout(done); throw new Error('{exception}'); }}))"
        );
        self.client
            .execute(&script, Vec::new())
            .await
            .expect("the script runs");
        let lines = self.driver.wait_for_lines(&MARKERS).iter();
        let messages = lines.filter(|line| !MARKERS.iter().any(|marker| line.contains(marker)));
        messages
            .filter_map(|line| ConsoleMessage::from_line(line))
            .collect()
    }
}

/// Runs a test on a page of a server with these arguments, and returns the errors and warnings of the console.
///
/// Each test has its own browser. One test runs at a time, because several browsers would starve each other.
pub fn console_messages_during(
    arguments: &[&str],
    test: impl AsyncFnOnce(&Page, &mut ServerProcess),
) -> Vec<ConsoleMessage> {
    console_messages_in_chromium_with(&[], arguments, test)
}

/// Does the same as [`console_messages_during`]. Chromium is started with these further arguments.
pub fn console_messages_in_chromium_with(
    of_chromium: &[&str],
    arguments: &[&str],
    test: impl AsyncFnOnce(&Page, &mut ServerProcess),
) -> Vec<ConsoleMessage> {
    static SEQUENCE: Mutex<()> = Mutex::new(());
    let _guard = SEQUENCE.lock().unwrap_or_else(PoisonError::into_inner);
    let started = Instant::now();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let mut session = runtime.block_on(BrowserSession::start(arguments, of_chromium));
    let session_url = runtime.block_on(session.session_url());
    let page = Page {
        client: session.client.clone(),
        profile: session.driver.profile(),
        session_url,
    };
    let result = catch_unwind(AssertUnwindSafe(|| {
        runtime.block_on(test(&page, &mut session.server));
    }));
    let messages = runtime.block_on(session.console_messages());
    if let Err(failure) = result {
        // Firefox outlives its driver.
        _ = runtime.block_on(session.client.clone().close());
        eprintln!("The console has messages: {messages:#?}");
        resume_unwind(failure);
    }
    drop(page);
    let BrowserSession {
        client,
        driver,
        server,
    } = session;
    runtime
        .block_on(client.close())
        .expect("the browser closes");
    drop((driver, server));
    println!(
        "{:?}: {:.1} s",
        std::thread::current().name().unwrap_or_default(),
        started.elapsed().as_secs_f64()
    );
    messages
}

/// Returns whether the selected browser is not the Chromium that a test needs, and prints the reason.
pub fn needs_chromium(reason: &str) -> bool {
    let is_skipped = Kind::chosen() == Kind::Firefox;
    if is_skipped {
        println!(
            "{:?} is SKIPPED in Firefox: {reason}",
            std::thread::current().name().unwrap_or_default()
        );
    }
    is_skipped
}

/// The reason of tests that use Chromium's DevTools protocol.
pub const EMULATION: &str =
    "screens, colour schemes, networks and frozen tabs are emulated by Chromium";
/// The reason of tests that run a script before the page's scripts.
pub const PRELOADED: &str = "WebDriver has no way to run a script before the page's own";

/// Runs a test on a page, and expects an empty console.
pub fn test_page(arguments: &[&str], test: impl AsyncFnOnce(&Page, &mut ServerProcess)) {
    let messages = console_messages_during(arguments, test);
    assert!(
        messages.is_empty(),
        "the console has messages: {messages:#?}"
    );
}

/// Runs a test on a page whose server becomes unreachable, and expects only the browser's messages about that.
pub fn test_page_with_outage(
    arguments: &[&str],
    test: impl AsyncFnOnce(&Page, &mut ServerProcess),
) {
    let mut address = None;
    let messages = console_messages_during(arguments, async |page, server| {
        address = Some(server.address());
        test(page, server).await;
    });
    let address = address.expect("the test has run");
    let others: Vec<_> = messages
        .iter()
        .filter(|message| !message.is_lost_connection(address))
        .collect();
    assert!(others.is_empty(), "the console has messages: {others:#?}");
}
