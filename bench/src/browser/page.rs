//! A page in a headless Chromium.

use anyhow::{Context as _, Result};
use fantoccini::Client;
use farsign_tests::browser::capabilities;
use farsign_tests::driver_process::DriverProcess;
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};

use crate::machine::Paths;

/// Timeout of a call, far above its duration on a busy machine.
const CALL_TIMEOUT_MS: u32 = 300_000;

/// A page, loaded in a browser.
pub struct Page {
    client: Client,
    _driver: DriverProcess,
}

impl Page {
    /// Opens the page in a new browser.
    ///
    /// # Errors
    ///
    /// Returns an error if there is no browser, or it does not start or load the page.
    pub async fn open(paths: &Paths, url: &str) -> Result<Self> {
        let missing = "missing a browser or its driver (FARSIGN_CHROMIUM, FARSIGN_CHROMEDRIVER)";
        let browser = paths.chromium.as_ref().context(missing)?;
        let driver = DriverProcess::start_program(paths.chromedriver.as_ref().context(missing)?);
        let mut capabilities = capabilities(browser, &driver.profile(), &[]);
        capabilities.insert("timeouts".to_owned(), json!({ "script": CALL_TIMEOUT_MS }));
        let connector = HttpConnector::new();
        let client =
            Client::with_capabilities_and_connector(&driver.url(), &capabilities, connector).await;
        let client = client.context("starting the browser")?;
        client.goto(url).await.context("opening the page")?;
        Ok(Self {
            client,
            _driver: driver,
        })
    }

    /// Calls a function of the bench page's worker.js, given its name and arguments in JavaScript, and returns its result.
    ///
    /// # Errors
    ///
    /// Returns the exception of the function as an error.
    pub async fn call(&self, arguments: &str) -> Result<Value> {
        self.execute(&format!("return window.call({arguments})"))
            .await
            .with_context(|| format!("in the worker, {arguments}"))
    }

    /// Executes JavaScript in the page and returns its result.
    ///
    /// # Errors
    ///
    /// Returns an exception as an error.
    pub async fn execute(&self, script: &str) -> Result<Value> {
        Ok(self.client.execute(script, Vec::new()).await?)
    }

    /// Closes the browser.
    pub async fn close(self) {
        _ = self.client.close().await; // otherwise its driver closes it
    }
}
