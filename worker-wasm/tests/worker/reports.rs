//! What the page is told when no server answers, and that it is told nothing after Pause and Stop.

use std::cell::RefCell;
use std::rc::Rc;

use farsign_worker::Volunteer;
use js_sys::{Function, JSON, Object, Promise, Reflect};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use wasm_bindgen_test::wasm_bindgen_test;

/// Browsers refuse to connect to the discard service's port, so nothing ever answers there.
const NOBODY: &str = "ws://127.0.0.1:9/ws";

const UNREACHABLE: &str = "The training data could not be downloaded: the server did not answer.";

const NO_PROGRESS: &str = r#"{"type":"progress","answered":0,"accepted":0,"rejected":0,"bytes_sent":0,"bytes_received":0,"compute_ms":0,"busy_ms":0,"version":0}"#;

/// A report that has not come after this never will; the longest wait before one is a second.
const FAILURE_BOUND_MS: i32 = 20_000;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = setTimeout)]
    fn set_timeout(callback: &Function, delay_ms: i32) -> f64;
}

/// A volunteer and all it has reported.
struct Watched {
    volunteer: Volunteer,
    reports: Rc<RefCell<Vec<JsValue>>>,
    /// Resolves the promise of who waits for the next report.
    wake: Rc<RefCell<Option<Function>>>,
    _on_report: Closure<dyn FnMut(JsValue)>,
}

impl Watched {
    fn new() -> Self {
        let (reports, wake) =
            (Rc::<RefCell<Vec<JsValue>>>::default(), Rc::<RefCell<Option<Function>>>::default());
        let (list, waiting) = (Rc::clone(&reports), Rc::clone(&wake));
        let on_report = Closure::<dyn FnMut(JsValue)>::new(move |report: JsValue| {
            list.borrow_mut().push(report);
            if let Some(wake) = waiting.borrow_mut().take() {
                wake.call0(&JsValue::NULL).expect("a promise's resolver does not throw");
            }
        });
        let volunteer = Volunteer::new(on_report.as_ref().clone().unchecked_into());
        Self { volunteer, reports, wake, _on_report: on_report }
    }

    fn start(&self) {
        self.volunteer.start(NOBODY.to_owned(), None, None);
    }

    fn count(&self) -> usize {
        self.reports.borrow().len()
    }

    fn all(&self) -> Vec<String> {
        self.reports.borrow().iter().map(json).collect()
    }

    /// The report of this index, as soon as there is one.
    async fn report(&self, index: usize) -> JsValue {
        while self.count() <= index {
            let next = Promise::new(&mut |resolve, reject| {
                *self.wake.borrow_mut() = Some(resolve);
                set_timeout(&reject, FAILURE_BOUND_MS);
            });
            let came = JsFuture::from(next).await.is_ok();
            assert!(came, "no report {index}; so far {:#?}", self.all());
        }
        self.reports.borrow()[index].clone()
    }

    /// The same as JSON, which has the fields that are there and no others.
    async fn json(&self, index: usize) -> String {
        json(&self.report(index).await)
    }

    /// Expects the report of a failed attempt at this index; how long the wait is to be.
    async fn wait_ms(&self, index: usize) -> f64 {
        let report = self.report(index).await;
        let field = |name: &str| Reflect::get(&report, &name.into()).expect("a report is an object");
        let wait = field("retry_in_ms").as_f64().expect("a wait");
        let expected = format!(
            r#"{{"type":"state","state":"reconnecting","reason":"{UNREACHABLE}","retry_in_ms":{wait}}}"#
        );
        assert_eq!(json(&report), expected);
        wait
    }
}

fn json(report: &JsValue) -> String {
    JSON::stringify(report).expect("a report can be written as JSON").into()
}

fn state(name: &str) -> String {
    format!(r#"{{"type":"state","state":"{name}"}}"#)
}

/// Waits long enough for a volunteer that still did something to report it: until another one has failed three times,
/// which takes at least 750 ms, while the first wait of a volunteer takes at most 500.
async fn nothing_more_from(quiet: &Watched) {
    let before = quiet.count();
    let other = Watched::new();
    other.start();
    other.wait_ms(8).await;
    other.volunteer.stop();
    assert_eq!(quiet.count(), before, "further reports: {:#?}", quiet.all());
}

#[wasm_bindgen_test]
async fn without_a_server_it_says_why_waits_and_tries_again() {
    let watched = Watched::new();
    assert_eq!(watched.count(), 0, "it did something before it was started");
    watched.start();
    watched.start(); // a second click changes nothing
    for (attempt, longest) in [500.0, 1000.0].into_iter().enumerate() {
        let first = 3 * attempt;
        assert_eq!(watched.json(first).await, state("loading-data"));
        assert_eq!(watched.json(first + 1).await, NO_PROGRESS);
        let began = js_sys::Date::now();
        let wait = watched.wait_ms(first + 2).await;
        assert!((longest / 2.0..longest).contains(&wait), "attempt {attempt} waits for {wait} ms");
        watched.report(first + 3).await;
        let waited = js_sys::Date::now() - began;
        assert!(waited >= wait - 2.0, "it said {wait} ms and waited for {waited}"); // clocks are rounded
    }
    watched.volunteer.stop();
}

#[wasm_bindgen_test]
async fn after_pause_and_stop_while_it_waits_nothing_more_comes() {
    for (act, name) in [(Volunteer::pause as fn(&Volunteer), "paused"), (Volunteer::stop, "stopped")] {
        let watched = Watched::new();
        watched.start();
        watched.wait_ms(2).await;
        act(&watched.volunteer);
        assert_eq!(watched.json(3).await, NO_PROGRESS);
        assert_eq!(watched.json(4).await, state(name));
        nothing_more_from(&watched).await;
        // Pause is not the end, and neither is Stop.
        watched.start();
        assert_eq!(watched.json(5).await, state("loading-data"));
        watched.volunteer.stop();
    }
}

#[wasm_bindgen_test]
async fn after_pause_and_stop_during_a_download_nothing_more_comes() {
    for (act, name) in [(Volunteer::pause as fn(&Volunteer), "paused"), (Volunteer::stop, "stopped")] {
        let watched = Watched::new();
        watched.start();
        act(&watched.volunteer);
        let expected = [state("loading-data"), NO_PROGRESS.to_owned(), state(name)];
        assert_eq!(watched.all(), expected);
        nothing_more_from(&watched).await;
    }
}

#[wasm_bindgen_test]
async fn reports_are_plain_objects() {
    let watched = Watched::new();
    watched.start();
    watched.wait_ms(2).await;
    watched.volunteer.stop();
    let plain = Object::get_prototype_of(&Object::new());
    for report in watched.reports.borrow().iter() {
        assert_eq!(Object::get_prototype_of(report), plain, "{report:?}");
    }
}
