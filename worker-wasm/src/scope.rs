//! The few things of the worker's global scope that are used.

use std::time::Duration;

use wasm_bindgen::prelude::*;
use web_sys::WorkerGlobalScope;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = setTimeout)]
    fn set_timeout(callback: &js_sys::Function, delay_ms: i32) -> f64;
    #[wasm_bindgen(js_name = clearTimeout)]
    fn clear_timeout(id: f64);
}

fn scope() -> WorkerGlobalScope {
    js_sys::global().unchecked_into()
}

/// Milliseconds on a clock that does not jump.
pub fn now_ms() -> f64 {
    scope().performance().map_or(0.0, |performance| performance.now())
}

/// Starts a download.
pub fn fetch(url: &str) -> js_sys::Promise {
    scope().fetch_with_str(url).unchecked_into()
}

/// A callback that runs once after a while, unless it is dropped before.
#[derive(Debug)]
pub struct Timer {
    id: f64,
    _callback: Closure<dyn FnMut()>,
}

impl Timer {
    /// Runs `callback` after `delay`.
    pub fn after(delay: Duration, callback: impl FnOnce() + 'static) -> Self {
        let callback = Closure::once(callback);
        let id = set_timeout(callback.as_ref().unchecked_ref(), delay.as_millis() as i32);
        Self { id, _callback: callback }
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        clear_timeout(self.id);
    }
}

/// Drops `value` when the event at hand has been dealt with. A callback must not be dropped while it runs.
pub fn drop_later<T: 'static>(value: T) {
    wasm_bindgen_futures::spawn_local(async move { drop(value) });
}
