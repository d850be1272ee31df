//! Events without a server, and after Pause and Stop.

use std::cell::RefCell;
use std::rc::Rc;

use farsign_worker::{DataWorker, Volunteer};
use js_sys::{Function, JSON, Object, Promise, Reflect};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use wasm_bindgen_test::wasm_bindgen_test;
use web_sys::MessageChannel;

/// Browsers refuse to connect to the port of the discard service, so no server ever responds.
const UNREACHABLE_URL: &str = "ws://127.0.0.1:9/ws";

const UNREACHABLE: &str = "The training data could not be downloaded: the server does not respond.";

const NO_PROGRESS: &str = r#"{"type":"progress","updates_sent":0,"accepted":0,"rejected":0,"bytes_sent":0,"bytes_received":0,"compute_ms":0,"busy_ms":0,"version":0}"#;

/// Far beyond the longest delay of an event, which is a second.
const TEST_TIMEOUT_MS: i32 = 20_000;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = setTimeout)]
    fn set_timeout(callback: &Function, delay_ms: i32) -> f64;
}

/// A volunteer that records its events.
struct RecordedVolunteer {
    volunteer: Volunteer,
    _data: DataWorker,
    events: Rc<RefCell<Vec<JsValue>>>,
    /// Resolves the promise of the next event.
    wake: Rc<RefCell<Option<Function>>>,
    _on_event: Closure<dyn FnMut(JsValue)>,
}

impl RecordedVolunteer {
    fn new() -> Self {
        let events = Rc::<RefCell<Vec<JsValue>>>::default();
        let wake = Rc::<RefCell<Option<Function>>>::default();
        let (list, waiting) = (Rc::clone(&events), Rc::clone(&wake));
        let on_event = Closure::<dyn FnMut(JsValue)>::new(move |event: JsValue| {
            list.borrow_mut().push(event);
            if let Some(wake) = waiting.borrow_mut().take() {
                wake.call0(&JsValue::NULL)
                    .expect("a promise's resolver does not throw");
            }
        });
        let (channel, data) = (
            MessageChannel::new().expect("a worker has channels"),
            DataWorker::new(),
        );
        data.connect(1, channel.port1());
        let on_message = on_event.as_ref().clone().unchecked_into();
        let volunteer = Volunteer::new(on_message, channel.port2());
        Self {
            volunteer,
            _data: data,
            events,
            wake,
            _on_event: on_event,
        }
    }

    fn start(&self) {
        self.volunteer.start(UNREACHABLE_URL.to_owned(), None, None);
    }

    fn count(&self) -> usize {
        self.events.borrow().len()
    }

    fn all(&self) -> Vec<String> {
        self.events.borrow().iter().map(json).collect()
    }

    /// Waits for the event of this index.
    async fn event(&self, index: usize) -> JsValue {
        while self.count() <= index {
            let next = Promise::new(&mut |resolve, reject| {
                *self.wake.borrow_mut() = Some(resolve);
                set_timeout(&reject, TEST_TIMEOUT_MS);
            });
            let is_received = JsFuture::from(next).await.is_ok();
            assert!(is_received, "no event {index}; so far {:#?}", self.all());
        }
        self.events.borrow()[index].clone()
    }

    /// Returns the event as JSON, which has exactly its fields.
    async fn json(&self, index: usize) -> String {
        json(&self.event(index).await)
    }

    /// Expects the event of a failed attempt at this index, and returns its delay.
    async fn retry_delay_ms(&self, index: usize) -> f64 {
        let event = self.event(index).await;
        let field = |name: &str| Reflect::get(&event, &name.into()).expect("an event is an object");
        let delay = field("retry_in_ms").as_f64().expect("a delay");
        let expected = format!(
            r#"{{"type":"state","state":"reconnecting","reason":"{UNREACHABLE}","retry_in_ms":{delay}}}"#
        );
        assert_eq!(json(&event), expected);
        delay
    }
}

fn json(event: &JsValue) -> String {
    JSON::stringify(event)
        .expect("an event can be written as JSON")
        .into()
}

fn state(name: &str) -> String {
    format!(r#"{{"type":"state","state":"{name}"}}"#)
}

/// Expects no further events for as long as an active volunteer could stay silent: another volunteer's three failed
/// attempts take at least 750 ms, and the first delay of a volunteer is at most 500 ms.
async fn expect_silence(quiet: &RecordedVolunteer) {
    let before = quiet.count();
    let other = RecordedVolunteer::new();
    other.start();
    other.retry_delay_ms(8).await;
    other.volunteer.stop();
    assert_eq!(quiet.count(), before, "further events: {:#?}", quiet.all());
}

#[wasm_bindgen_test]
async fn unreachable_server_is_retried() {
    let recorded = RecordedVolunteer::new();
    assert_eq!(recorded.count(), 0, "an event before the start");
    recorded.start();
    recorded.start(); // a second start has no effect
    for (attempt, longest) in [500.0, 1000.0].into_iter().enumerate() {
        let first = 3 * attempt;
        assert_eq!(recorded.json(first).await, state("loading-data"));
        assert_eq!(recorded.json(first + 1).await, NO_PROGRESS);
        let started = js_sys::Date::now();
        let delay = recorded.retry_delay_ms(first + 2).await;
        assert!(
            (longest / 2.0..longest).contains(&delay),
            "attempt {attempt} waits for {delay} ms"
        );
        recorded.event(first + 3).await;
        let elapsed = js_sys::Date::now() - started;
        assert!(
            elapsed >= delay - 2.0,
            "announced {delay} ms and waited for {elapsed}"
        ); // clocks are rounded
    }
    recorded.volunteer.stop();
}

#[wasm_bindgen_test]
async fn stop_during_backoff_ends_events() {
    for (command, name) in [
        (Volunteer::pause as fn(&Volunteer), "paused"),
        (Volunteer::stop, "stopped"),
    ] {
        let recorded = RecordedVolunteer::new();
        recorded.start();
        recorded.retry_delay_ms(2).await;
        command(&recorded.volunteer);
        assert_eq!(recorded.json(3).await, NO_PROGRESS);
        assert_eq!(recorded.json(4).await, state(name));
        expect_silence(&recorded).await;
        // A volunteer can start again after both.
        recorded.start();
        assert_eq!(recorded.json(5).await, state("loading-data"));
        recorded.volunteer.stop();
    }
}

#[wasm_bindgen_test]
async fn stop_during_download_ends_events() {
    for (command, name) in [
        (Volunteer::pause as fn(&Volunteer), "paused"),
        (Volunteer::stop, "stopped"),
    ] {
        let recorded = RecordedVolunteer::new();
        recorded.start();
        command(&recorded.volunteer);
        let expected = [state("loading-data"), NO_PROGRESS.to_owned(), state(name)];
        assert_eq!(recorded.all(), expected);
        expect_silence(&recorded).await;
    }
}

#[wasm_bindgen_test]
async fn events_are_plain_objects() {
    let recorded = RecordedVolunteer::new();
    recorded.start();
    recorded.retry_delay_ms(2).await;
    recorded.volunteer.stop();
    let plain = Object::get_prototype_of(&Object::new());
    for event in recorded.events.borrow().iter() {
        assert_eq!(Object::get_prototype_of(event), plain, "{event:?}");
    }
}
