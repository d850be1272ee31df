//! The bench page in a headless Chromium.

use anyhow::{Context as _, Result};
use fantoccini::Client;
use farsign_tests::browser::capabilities;
use farsign_tests::process::Driver;
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};

use crate::machine::Paths;

/// What a call may take: far above what it does on a busy machine.
const LONGEST_CALL_MS: u32 = 300_000;

/// The page, loaded.
pub struct Page {
    client: Client,
    _driver: Driver,
}

impl Page {
    /// Opens it in a fresh browser.
    ///
    /// # Errors
    /// When there is no browser, or it does not start or load the page.
    pub async fn open(paths: &Paths, url: &str) -> Result<Self> {
        let missing =
            "expected a browser and its driver (FARSIGN_CHROMIUM, FARSIGN_CHROMEDRIVER), found none";
        let browser = paths.chromium.as_ref().context(missing)?;
        let driver = Driver::start_program(paths.chromedriver.as_ref().context(missing)?);
        let mut capabilities = capabilities(browser, &driver.profile());
        capabilities.insert("timeouts".to_owned(), json!({ "script": LONGEST_CALL_MS }));
        let connector = HttpConnector::new();
        let client = Client::with_capabilities_and_connector(&driver.url(), &capabilities, connector).await;
        let client = client.context("starting the browser")?;
        client.goto(url).await.context("opening the bench page")?;
        Ok(Self { client, _driver: driver })
    }

    /// Calls a function of worker.js, with its name and arguments in JavaScript, and waits for what it gives.
    ///
    /// # Errors
    /// What the function threw.
    pub async fn call(&self, arguments: &str) -> Result<Value> {
        let script = format!("return window.call({arguments})");
        self.client.execute(&script, Vec::new()).await.with_context(|| format!("in the worker, {arguments}"))
    }

    /// Closes the browser.
    pub async fn close(self) {
        _ = self.client.close().await; // its driver ends it otherwise
    }
}
