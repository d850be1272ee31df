//! The volunteer in a browser's Web Worker.
//!
//! ```text
//!   page  <--postMessage-->  volunteer-worker.js  <-->  Volunteer (here)  <--WebSocket-->  server
//!     |                                                    |      |
//!     |                             MessageChannel: images |      v
//!     |                                                    v     farsign::volunteer: the algorithm
//!     +-----postMessage-->   data-worker.js    <-->  DataWorker (here)  <--fetch-->  server
//! ```
//!
//! A tab has one worker with a [`Volunteer`] for each core, and one with the [`DataWorker`], which downloads and holds the
//! training data for all of them. The page recognizes drawings in another worker, with [`Classifier`] and the server's
//! current parameters.
//!
//! This crate only converts: browser events into calls of the shared crate, and its results into events for the page.
//! The socket, the data and all computation stay in workers, so the page never blocks.

mod data;
mod data_messages;
mod data_worker;
mod disconnect;
mod driver;
mod events;
mod inference;
mod line;
mod port;
mod preprocess;
mod socket;
mod throttle;
mod worker_global;

use std::cell::RefCell;
use std::rc::Rc;

use farsign::task::Secret;
use wasm_bindgen::prelude::*;

use driver::{Credentials, Driver};

pub use data_worker::DataWorker;
pub use inference::{Classifier, normalize_drawing};

/// A volunteer. The callback of the constructor receives messages of type `state`, `progress` and `line` for the page.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Volunteer(Rc<RefCell<Driver>>);

#[wasm_bindgen]
impl Volunteer {
    /// Creates an idle volunteer, with a channel to the tab's data worker.
    #[wasm_bindgen(constructor)]
    pub fn new(on_event: js_sys::Function, data: web_sys::MessagePort) -> Self {
        throw_panics();
        Self(Driver::new(on_event, data))
    }

    /// Starts to train for the server with this WebSocket address.
    ///
    /// The secret of 16 bytes identifies the volunteer. The token admits it to servers with a join token.
    pub fn start(&self, url: String, secret: Option<Vec<u8>>, token: Option<String>) {
        let secret = secret.and_then(|bytes| bytes.try_into().ok()).map(Secret);
        Driver::start(&self.0, url, Credentials { secret, token });
    }

    /// Sets the fraction of a core, 0.05 to 1. The initial value is 1.
    #[wasm_bindgen(js_name = setEffort)]
    pub fn set_effort(&self, effort: f64) {
        Driver::set_effort(&self.0, effort);
    }

    /// Sets the bytes that all tabs of the browser may send and receive in an hour, and the number of workers of this tab.
    /// Initially, and without a number of bytes, there is no budget.
    #[wasm_bindgen(js_name = setLineBudget)]
    pub fn set_line_budget(&self, bytes_per_hour: Option<f64>, workers: u32) {
        Driver::set_line_budget(&self.0, bytes_per_hour, workers);
    }

    /// Receives the bytes that all tabs have sent and received in the last hour, as pairs of a minute since the epoch and
    /// its bytes: the reply to a `line` message with a lease.
    #[wasm_bindgen(js_name = receiveLineUsage)]
    pub fn receive_line_usage(&self, slots: &[f64]) {
        Driver::receive_line_usage(&self.0, slots);
    }

    /// Checks the connection now: the device has woken or is online again.
    pub fn wake(&self) {
        Driver::wake(&self.0);
    }

    /// Closes the connection and stops computing until the next start.
    pub fn pause(&self) {
        Driver::pause(&self.0);
    }

    /// Ends the session.
    pub fn stop(&self) {
        Driver::stop(&self.0);
    }
}

/// Makes panics throw their messages.
///
/// Without this, a panic ends in a trap, as a failed allocation does, and the page could not distinguish the two.
fn throw_panics() {
    std::panic::set_hook(Box::new(|panic| {
        wasm_bindgen::throw_str(&panic.to_string())
    }));
}

/// Returns the version of this code.
#[wasm_bindgen]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}
