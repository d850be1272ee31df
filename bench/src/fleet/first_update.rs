//! The time from Start in a browser to its first accepted update, over a line of limited bandwidth.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use farsign_tests::wait::{POLL_INTERVAL, TEST_TIMEOUT};
use tokio::time::sleep;

use super::cell::{accepted, settings, start_server};
use super::data::FleetData;
use super::line::{Line, LineOptions};
use crate::browser::Page;
use crate::machine::Machine;
use crate::report::Row;

/// Bandwidth of the line: 10 Mbit/s.
const BYTES_PER_S: u64 = 1_250_000;

/// Time between two looks at the server's count.
const COUNT_INTERVAL: Duration = Duration::from_millis(10);

/// Measures several browsers, each with a new profile; `None` without a browser.
///
/// # Errors
///
/// Returns an error if the browser or its page fails, or makes no update in time.
pub async fn measure(machine: &Machine, samples: usize, data: &FleetData) -> Result<Option<Row>> {
    if machine.paths.chromium.is_none() {
        return Ok(None);
    }
    let mut settings = settings("verified", 1, true);
    settings.extend(data.settings.iter().cloned());
    let mut times = Vec::new();
    for _ in 0..samples {
        times.push(first_update(machine, &settings).await?.as_secs_f64());
    }
    let name = data.name;
    let what = format!("first update of a browser after Start, {name}, 10 Mbit/s");
    Ok(Some(Row::new(what, "s", &times)))
}

async fn first_update(machine: &Machine, settings: &[String]) -> Result<Duration> {
    let server = start_server(settings);
    let options = LineOptions {
        bytes_per_s: Some(BYTES_PER_S),
        ..LineOptions::default()
    };
    let line = Line::start(server.address(), options).await?;
    let page = Page::open(&machine.paths, &format!("http://{}/", line.address())).await?;
    let started = Instant::now();
    while page
        .execute("return document.querySelector('#start:enabled') !== null")
        .await?
        != true
    {
        if started.elapsed() > TEST_TIMEOUT {
            bail!("timed out waiting for the page to offer Start");
        }
        sleep(POLL_INTERVAL).await;
    }
    page.execute("document.getElementById('start').click()")
        .await?;
    let started = Instant::now();
    while accepted(&server)? == 0 {
        if started.elapsed() > TEST_TIMEOUT {
            bail!("timed out waiting for the first update of the page");
        }
        sleep(COUNT_INTERVAL).await;
    }
    let time = started.elapsed();
    page.close().await;
    Ok(time)
}
