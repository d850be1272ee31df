//! The volunteer in a browser's Web Worker.
//!
//! ```text
//!   page  <--postMessage-->  worker.js  <-->  Volunteer (here)  <--WebSocket-->  server
//!                                                 |
//!                                                 v
//!                                       farsign::volunteer: the algorithm
//! ```
//!
//! The page reads drawings in a worker of its own, with [`Reader`] and the parameters that the server shows.
//!
//! Only conversions live here: browser events into the shared crate's calls, its results into reports for the page.
//! The socket, the data and all computing stay in the worker, so the page never waits for them.

mod cut;
mod data;
mod drawing;
mod driver;
mod pace;
mod reader;
mod report;
mod scope;
mod socket;

use std::cell::RefCell;
use std::rc::Rc;

use farsign::task::Secret;
use wasm_bindgen::prelude::*;

use driver::{Driver, Pass};

pub use reader::{Reader, centred, version};

/// A volunteer. Reports go to the callback it is made with, as the page's messages of type `state` and `progress`.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Volunteer(Rc<RefCell<Driver>>);

#[wasm_bindgen]
impl Volunteer {
    /// A volunteer that does nothing until it is started.
    #[wasm_bindgen(constructor)]
    pub fn new(on_report: js_sys::Function) -> Self {
        Self(Driver::new(on_report))
    }

    /// Works for the server with this WebSocket address, now or again. A secret of 16 bytes makes it the same volunteer
    /// as before, a token opens a server that asks for one; an empty one is none.
    pub fn start(&self, url: String, secret: Option<Vec<u8>>, token: Option<String>) {
        let secret = secret.and_then(|bytes| bytes.try_into().ok()).map(Secret);
        Driver::start(&self.0, url, Pass { secret, token });
    }

    /// Uses this share of a core, 0.05 to 1, from now on; all of it before this is called.
    #[wasm_bindgen(js_name = setEffort)]
    pub fn set_effort(&self, effort: f64) {
        Driver::set_effort(&self.0, effort);
    }

    /// Looks after the connection now: the machine has woken, or is connected again.
    pub fn wake(&self) {
        Driver::wake(&self.0);
    }

    /// Closes the connection and computes nothing until started again.
    pub fn pause(&self) {
        Driver::pause(&self.0);
    }

    /// Closes the connection for good.
    pub fn stop(&self) {
        Driver::stop(&self.0);
    }
}
